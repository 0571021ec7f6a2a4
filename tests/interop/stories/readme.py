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
        start, *paste = blocks()
        # The last blocks of all are for who stays: the tests.
        paste = [block for block in paste if not block[0].startswith("cargo ")]
        assert start[0].startswith(START + "broker"), f"README's first command is {start[0]!r}"
        assert len(paste) == 3, "our own commands, kcat, and what lies on disk"
        # Its folder is empty, as after a clone and a build; the files of the repository are there to be sent.
        folder = target.folder / "stranger"
        (folder / "target/release").mkdir(parents=True)
        (folder / "target/release/sawlog").symlink_to(target.binary.resolve())
        for path in ROOT.iterdir():
            if path.name not in ("data", "target", ".git"):
                (folder / path.name).symlink_to(path)
        command = [target.binary, *shlex.split(start[0].removeprefix(START), comments=True)]
        log = open(folder / "broker.log", "wb")
        broker = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            until_answering("127.0.0.1:9092", broker, lambda: (folder / "broker.log").read_text())
            script = "set -euo pipefail\n" + "\n".join(line for block in paste for line in block)
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

    yield "the first command starts the broker; every pasted line works: our own commands, kcat, what lies on disk", first_minute

    def second_command():
        commands = [line for block in blocks() for line in block]
        assert any(line.startswith("cargo dev test") for line in commands), "README names the command that runs every test"

    yield "README names the command that runs every test", second_command

    def chores():
        """Each `cargo dev` that README names is one that it knows, to the last flag; CI runs the long ones with less."""
        named = re.findall(r"`cargo (dev [^`]*)`", (ROOT / "README.md").read_text())
        assert len(named) > 4, named
        for words in named:
            got = subprocess.run(["cargo", *words.split(), "--help"], cwd=ROOT, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
            assert got.returncode == 0, f"cargo {words}: {got.stderr[-500:]}"

    yield "every cargo dev command that README names is known, with its flags", chores
