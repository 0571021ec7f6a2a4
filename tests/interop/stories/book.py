"""The book as a reader follows it: every shell block of every page, in order, in an empty folder with `sawlog` on the path.

A block that is `sawlog broker` and nothing else runs in a terminal of its own until the page ends. A `text` block behind a
shell block is what it prints, whole; `...` stands for what differs from run to run. A `rust` block stands in the
documentation of `sawlog_broker::memory`, whose examples `cargo test` runs. Decides that all of it is true.
"""

import os
import re
import signal
import subprocess

from target import ROOT, until_answering

BOOK = ROOT / "broker/docs/book/src"
RUST = ROOT / "broker/src"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


def blocks(page):
    """Each shell block with what it prints, None where the page does not say."""
    found = BLOCK.findall(page)
    for i, (kind, body) in enumerate(found):
        assert kind in ("sh", "text", "rust"), f"a block of kind {kind!r} is neither run nor compared"
        assert kind != "rust" or body in examples(), f"no example of the documentation has this:\n{body}"
        if kind == "sh":
            told = found[i + 1][1] if found[i + 1 : i + 2] and found[i + 1][0] == "text" else None
            yield body, told


def examples():
    """What the documentation of the node in memory shows, without the lines of its examples that are hidden."""
    lines = [line for path in [RUST / "memory.rs", *(RUST / "memory").glob("*.rs")] for line in path.read_text().splitlines()]
    shown = [re.sub(r"^//[/!] ?", "", line) for line in lines if re.match(r"//[/!](?! # | #$)", line)]
    return "\n".join(shown) + "\n"


def agree(told, said):
    pattern = r"[^\n]*".join(re.escape(part) for part in told.split("..."))
    return re.fullmatch(pattern, said) is not None


def stories(target, asked):
    if target.kind != "sawlog":
        return

    def follow(path):
        folder = target.folder / "book" / path.stem
        (folder / "bin").mkdir(parents=True)
        (folder / "bin/sawlog").symlink_to(target.binary.resolve())
        place = folder / "empty"
        place.mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("KAFKA_", "SAWLOG_"))}
        variables = {**kept, "PATH": f"{folder}/bin:{kept['PATH']}", "LC_ALL": "C"}
        log, node, run = folder / "log", None, 0
        try:
            for block, told in blocks(path.read_text()):
                if block.split() == ["sawlog", "broker"]:
                    with open(log, "wb") as out:
                        node = subprocess.Popen(["sawlog", "broker"], cwd=place, env=variables, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
                    until_answering("127.0.0.1:9092", node, log.read_text)
                    continue
                # What a block leaves in the shell is there for the next.
                script = f"set -euo pipefail\n[ ! -e {folder}/state ] || . {folder}/state\n{block}\nexport -p >{folder}/state\n"
                # Into a file, not a pipe: a broker that a page leaves behind would hold the pipe open.
                with open(folder / "said", "w+") as out:
                    got = subprocess.run(["bash", "-c", script], cwd=place, env=variables, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=60)
                said = (folder / "said").read_text()
                assert got.returncode == 0, f"{block}\nended with {got.returncode}: {said[-1500:]}"
                assert told is None or agree(told, said), f"{block}\nprints\n{said}\nwhere the page says\n{told}"
                assert told is not None or not said, f"{block}\nprints\n{said}\nand the page does not say so"
                run += 1
            if node:
                node.send_signal(signal.SIGTERM)
                assert node.wait(30) == 0, log.read_text()[-1500:]
        finally:
            if node and node.poll() is None:
                node.kill()
                node.wait()
            # What a page started itself and, as it failed, did not end.
            if (left := place / "pid").exists():
                subprocess.run(["kill", "-9", left.read_text().strip()], stderr=subprocess.DEVNULL)
        assert run > 0, "no block was run"

    pages = re.findall(r"\((.*?\.md)\)", (BOOK / "SUMMARY.md").read_text())

    def whole():
        assert sorted(pages) == sorted(path.name for path in BOOK.glob("*.md") if path.name != "SUMMARY.md"), "SUMMARY.md names every page"
        for name in pages:
            text = (BOOK / name).read_text()
            for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)|\{\{#include (.*?)\}\}", text):
                assert (BOOK / "".join(link)).exists(), f"{name}: {''.join(link)} is not there"

    yield "every page is in the summary, every link and every page that is included is there", whole

    for name in pages:
        if "```sh\n" in (BOOK / name).read_text():
            yield f"{name}: every command runs, and prints what the page says", lambda name=name: follow(BOOK / name)
