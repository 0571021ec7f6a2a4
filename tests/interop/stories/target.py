"""The broker under test, as a process on loopback: Sawlog, or Apache Kafka as the judge of what is right.

Decides how each is started and stopped; never looks at what it answers beyond "ready".
"""

import os
import pathlib
import signal
import socket
import subprocess
import time

from wire import API_VERSIONS, Closed, Connection

HERE = pathlib.Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent


def free_port():
    """A port that was free a moment ago, with the one after it."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def answers(address):
    try:
        with Connection(address, timeout=2) as c:
            return c.call(API_VERSIONS, 0, {})["error"] == 0
    except (OSError, Closed):
        return False


def until_answering(address, process, said):
    """Waits until the broker answers ApiVersions; its own words when it ends or stays silent."""
    deadline = time.monotonic() + 60
    while not answers(address):
        if process.poll() is not None:
            raise RuntimeError(f"the broker ended at its start with {process.returncode}:\n{said()}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"the broker did not answer within 60 s:\n{said()}")
        time.sleep(0.05)


class Target:
    """A running broker: `.address`, `.data` (its directory), and the handle to end it."""

    def __init__(self, kind, folder, binary=None, settings=()):
        self.kind, self.folder = kind, pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "data"
        self.binary = binary or ROOT / "target/release/sawlog"
        self.settings = settings
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        if self.kind == "kafka":
            command = [HERE / "kafka/kafka", "node", self.folder, str(self.port)]
        else:
            listeners = f"listeners=PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{self.port + 1}"
            # Records of stories have times of long ago: retention shall not come by.
            keep = "log.retention.check.interval.ms=86400000"
            words = [word for pair in (f"log.dirs={self.data}", listeners, keep, *self.settings) for word in ("-X", pair)]
            command = [self.binary, "broker", *words]
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            until_answering(self.address, self.process, self.said)
        except RuntimeError:
            self.kill()
            raise
        return self

    def said(self):
        return (self.folder / "log").read_text(errors="replace")[-4000:]

    def stop(self):
        """The clean end: SIGTERM to the broker, and its exit code."""
        os.killpg(self.process.pid, signal.SIGTERM)
        return self.process.wait(timeout=60)

    def kill(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def kafka_tool(*words, stdin=None, check=True, timeout=120):
    """One of Kafka's own tools; its standard output as text."""
    got = subprocess.run([HERE / "kafka/kafka", "tool", *map(str, words)], input=stdin, capture_output=True, text=True, timeout=timeout)
    if check and got.returncode != 0:
        raise AssertionError(f"{words[0]} ended with {got.returncode}: {got.stderr[-2000:]} {got.stdout[-500:]}")
    return got.stdout
