"""`sawlog produce` and `sawlog consume` beside kcat: the same file of lines into the same broker and out again, alternating.

Decides wall time and CPU of each, and that what comes out is what went in; no figure of the broker alone. Loopback only.

    python3 benches/kcat.py target/release/sawlog [--gigabytes 1] [--pairs 6] [--room DIR]
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import shutil
import socket
import statistics
import string
import subprocess
import sys
import time

RECORD = 1024
LINES = 1000  # different ones, so that nothing can be told by its repetition within a batch


def file_of_lines(path, size):
    dice = random.Random(1)
    letters = string.ascii_letters + string.digits
    bodies = ["".join(dice.choices(letters, k=RECORD - 12)) for _ in range(LINES)]
    with open(path, "w") as out:
        for number in range(size // RECORD):
            out.write(f"{number:012d}{bodies[number % LINES]}\n")
    return size // RECORD


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def broker(binary, room):
    address = f"127.0.0.1:{free_port()}"
    log = open(room / "broker.log", "wb")
    words = [binary, "broker", "-X", f"listeners=PLAINTEXT://{address}", "-X", f"log.dirs={room / 'data'}"]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    deadline = time.monotonic() + 30
    while address.encode() not in (room / "broker.log").read_bytes():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"the broker did not start: {(room / 'broker.log').read_text()}")
        time.sleep(0.02)
    return process, address


def cpu_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(words, node, stdin=None, stdout=None):
    """Wall seconds, own CPU seconds, the broker's."""
    before, began = cpu_of(node.pid), time.monotonic()
    with open(stdin or os.devnull, "rb") as come, open(stdout or os.devnull, "wb") as gone:
        child = subprocess.Popen(words, stdin=come, stdout=gone, stderr=subprocess.PIPE)
        said = child.stderr.read()
        _, status, used = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"{words}: {status}, {said.decode()[-500:]}")
    wall = time.monotonic() - began
    return wall, used.ru_utime + used.ru_stime, cpu_of(node.pid) - before


def digest(words):
    """What a program writes to a pipe."""
    hash = hashlib.sha256()
    with subprocess.Popen(words, stdout=subprocess.PIPE) as child:
        while piece := child.stdout.read(1 << 20):
            hash.update(piece)
    return hash.hexdigest()


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("binary")
    words.add_argument("--gigabytes", type=float, default=1.0)
    # Even: who reads a topic first takes it from the disk, and each is first as often as the other.
    words.add_argument("--pairs", type=int, default=6)
    words.add_argument("--room", type=pathlib.Path, default=pathlib.Path("target/bench-kcat"))
    words.add_argument("--json", action="store_true", help="only the seconds of each pair, (sawlog, kcat)")
    words = words.parse_args()
    room = words.room
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir(parents=True)
    lines = room / "lines.txt"
    records = file_of_lines(lines, int(words.gigabytes * 1e9))
    with open(lines, "rb") as file:
        wanted = hashlib.file_digest(file, "sha256").hexdigest()

    node, address = broker(words.binary, room)
    seen = {("produce", who): [] for who in ("sawlog", "kcat")} | {("consume", who): [] for who in ("sawlog", "kcat")}
    try:
        for pair in range(words.pairs):
            order = ("sawlog", "kcat") if pair % 2 == 0 else ("kcat", "sawlog")
            topics = {who: f"{who}-{pair}" for who in order}
            for topic in topics.values():
                subprocess.run([words.binary, "topic", "create", topic, "-b", address], check=True, capture_output=True)
            send = {
                "sawlog": lambda topic: [words.binary, "produce", topic, "-p", "0", "-b", address],
                "kcat": lambda topic: ["kcat", "-b", address, "-P", "-t", topic, "-p", "0"],
            }
            read = {
                "sawlog": lambda topic: [words.binary, "consume", topic, "-p", "0", "--until-end", "-b", address],
                "kcat": lambda topic: ["kcat", "-b", address, "-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q"],
            }
            for who in order:
                seen["produce", who].append(timed(send[who](topics[who]), node, stdin=lines))
            for who in order:
                # The same records for both, in the order in which they were sent to each.
                seen["consume", who].append(timed(read[who](topics[order[0]]), node))
            for who in order:
                if pair == 0 and digest(read[who](topics[who])) != wanted:
                    sys.exit(f"{who}: what came out is not what went in")
            for topic in topics.values():
                subprocess.run([words.binary, "topic", "delete", topic, "--yes", "-b", address], check=True, capture_output=True)
    finally:
        node.terminate()
        node.wait()
        shutil.rmtree(room, ignore_errors=True)

    if words.json:
        walls = {what: [(a[0], b[0]) for a, b in zip(seen[what, "sawlog"], seen[what, "kcat"])] for what in ("produce", "consume")}
        print(json.dumps(walls))
        return
    print(f"{records} records of {RECORD} bytes, {words.pairs} pairs; medians; seconds")
    print("| what | sawlog wall | kcat wall | sawlog / kcat, each pair | median | sawlog CPU | kcat CPU | broker CPU with sawlog | with kcat |")
    print("|---|---|---|---|---|---|---|---|---|")
    for what in ("produce", "consume"):
        ours, theirs = seen[what, "sawlog"], seen[what, "kcat"]
        median = lambda rows, column: f"{statistics.median(row[column] for row in rows):.2f}"
        ratios = [one[0] / other[0] for one, other in zip(ours, theirs)]
        cells = [what, median(ours, 0), median(theirs, 0), " ".join(f"{ratio:.2f}" for ratio in ratios)]
        cells += [f"{statistics.median(ratios):.2f}", median(ours, 1), median(theirs, 1), median(ours, 2), median(theirs, 2)]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
