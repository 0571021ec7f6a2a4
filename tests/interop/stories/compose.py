"""docker-compose files as people write them for Apache Kafka's image, with Sawlog in its place: no containers, but the
environment that such a file sets, given to our binary.

Decides that each starts it, that clients of every listener are told the address that the file says, and that nothing
about what is not there yet is taken in silence. Ports and folders become free ones of this machine.
"""

import os
import pathlib
import re
import signal
import subprocess

from asking import Broker
from target import HERE, free_port, until_answering
from wire import METADATA

FILES = sorted((HERE / "compose").glob("*.yml"))


def environment(text):
    """The variables of a file, whether it maps or lists them."""
    found, inside = {}, None
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if line.strip() == "environment:":
            inside = indent
        elif inside is not None and line.strip():
            if indent <= inside:
                break
            name, value = re.fullmatch(r"(?:- )?([A-Z0-9_]+)(?:: |=)(.*)", line.strip()).groups()
            found[name] = value.strip("'\"")
    return found


class Node:
    """A broker started with such an environment, its ports and its folder replaced."""

    def __init__(self, target, variables, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ports = {}
        variables = {name: re.sub(r"(?<=:)\d{4,5}\b", lambda port: str(self.port(port.group())), value) if "LISTENERS" in name or "VOTERS" in name else value for name, value in variables.items()}
        if "KAFKA_LOG_DIRS" in variables:
            variables["KAFKA_LOG_DIRS"] = f"{self.folder}{variables['KAFKA_LOG_DIRS']}"
        self.variables, self.binary, self.process = variables, target.binary, None

    def port(self, named):
        return self.ports.setdefault(named, free_port())

    def run(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_") and name != "CLUSTER_ID"}
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen([self.binary, "broker"], cwd=self.folder, env={**kept, **self.variables}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def said(self):
        return (self.folder / "log").read_text()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def listeners(value):
    """Name to host and port."""
    return {name: (host, int(port)) for name, host, port in re.findall(r"(\w+)://([^:,]*):(\d+)", value)}


def stories(target, asked):
    if target.kind != "sawlog":
        return

    def starts(path):
        variables = environment(path.read_text())
        node = Node(target, variables, target.folder / "compose" / path.stem)
        bound, told = (listeners(node.variables[f"KAFKA_{which}"]) for which in ("LISTENERS", "ADVERTISED_LISTENERS"))
        try:
            for _ in range(2):  # the second time it finds its data
                node.run()
                for name, (_, port) in bound.items():
                    if name == "CONTROLLER":
                        continue
                    until_answering(f"127.0.0.1:{port}", node.process, node.said)
                    broker = Broker(f"127.0.0.1:{port}")
                    (row,) = broker.call(METADATA, 12, {"topics": []})["brokers"]
                    assert (row["host"], row["port"]) == told[name], f"a client of {name} was told {row}"
                    topic = broker.topic(partitions=-1)
                    assert len(broker.metadata([topic], auto=False)[0]["partitions"]) == int(variables.get("KAFKA_NUM_PARTITIONS", 1))
                    broker.close()
                assert node.stop() == 0, node.said()[-2000:]
            said = node.said()
            for name in variables:
                awaited = re.match(r"KAFKA_(OFFSETS_TOPIC|GROUP|TRANSACTION|SHARE)_", name)
                key = name.removeprefix("KAFKA_").lower().replace("_", ".")
                assert not awaited or re.search(rf"WARN.* not there yet.*{re.escape(key)}", said), f"{key} was taken in silence"
        finally:
            node.stop()

    for path in FILES:
        yield f"{path.name} starts a node, twice, and each listener tells what the file says", lambda path=path: starts(path)

    def of_three():
        """What a file for three nodes says is refused, key by key, and by name."""
        variables = {**environment((HERE / "compose/host-and-network.yml").read_text())}
        for name in variables:
            if name.endswith(("REPLICATION_FACTOR", "MIN_ISR")):
                variables[name] = "3"
        node = Node(target, variables, target.folder / "compose" / "of-three").run()
        assert node.process.wait(30) == 2, node.said()
        for key in ("offsets.topic.replication.factor", "transaction.state.log.min.isr", "share.coordinator.state.topic.replication.factor"):
            assert f"sawlog: {key}=3 cannot be used: Sawlog knows only 1" in node.said(), node.said()
        assert not any((node.folder / "data").glob("*")) and not (node.folder / "tmp").exists(), "a refused start leaves nothing"

    yield "values of a cluster of three are refused by name, and nothing is left behind", of_three
