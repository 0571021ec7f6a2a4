"""README.md as a stranger reads it: its first command starts the broker, its next lines are pasted into a shell.

Decides that each pasted block ends well within a minute; what the blocks say is README's own.
"""

import os
import re
import shlex
import signal
import subprocess

from target import ROOT, until_answering

START = "cargo run --release -- "


def blocks():
    """The shell blocks of README, each as its lines without prompts and comments."""
    text = (ROOT / "README.md").read_text()
    found = re.findall(r"^```(?:sh|console|bash)\n(.*?)^```", text, re.M | re.S)
    return [[line.removeprefix("$ ") for line in block.splitlines() if line.strip() and not line.startswith("#")] for block in found]


def stories(target, asked):
    if target.kind != "sawlog":
        return

    def first_minute():
        start, paste, *_ = blocks()
        assert start[0].startswith(START + "broker"), f"README's first command is {start[0]!r}"
        # Its folder is empty, as after a clone; the files of the repository are there to be sent.
        folder = target.folder / "stranger"
        folder.mkdir()
        for path in ROOT.iterdir():
            if path.name not in ("data", "target", ".git"):
                (folder / path.name).symlink_to(path)
        command = [target.binary, *shlex.split(start[0].removeprefix(START), comments=True)]
        log = open(folder / "broker.log", "wb")
        broker = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            until_answering("127.0.0.1:9092", broker, lambda: (folder / "broker.log").read_text())
            script = "set -euo pipefail\n" + "\n".join(paste)
            got = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(folder)})
            assert got.returncode == 0, f"{script}\nended with {got.returncode}: {got.stdout[-800:]} {got.stderr[-800:]}"
            broker.send_signal(signal.SIGTERM)
            assert broker.wait(30) == 0, f"ended with {broker.returncode}"
            ready = [line for line in (folder / "broker.log").read_text().splitlines() if "127.0.0.1:9092" in line]
            assert len(ready) >= 1, "no ready line with its address"
        finally:
            if broker.poll() is None:
                broker.kill()
                broker.wait()

    yield "the first command starts the broker, the pasted lines send a file through kcat and read it back", first_minute

    def second_command():
        commands = [line for block in blocks() for line in block]
        assert any(line.startswith("cargo test --workspace") for line in commands), "README names the command that runs every test"

    yield "README names the command that runs every test", second_command
