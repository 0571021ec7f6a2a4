"""The server.properties that Apache Kafka comes with, given to a broker as it is: `sawlog broker --config FILE`.

Decides that it starts a node which serves, that each line which changes nothing is named once with its reason, and that
what would promise something which is not there is refused by name, all of it at once, with what to do. Only ports and the
folder of the data are changed: others may have those of the file.
"""

import re
import signal
import subprocess

from asking import Broker
from target import HERE, free_port, kafka_tool, until_answering
from wire import METADATA

STOCK = HERE / "compose/server.properties"
# What is about the inside of Kafka's broker, or about what is not there yet.
MOOT = ["num.network.threads", "num.io.threads", "num.recovery.threads.per.data.dir"]
AWAITED = ["offsets.topic.replication.factor", "share.coordinator.state.topic.min.isr", "transaction.state.log.min.isr"]
# Lines that people add, which Sawlog does not keep: what it says of each.
REFUSED = {
    "controller.quorum.bootstrap.servers=kafka-2:9093": "Name the host and port of this node's CONTROLLER listener",
    "num.replica.fetchers=4": "Leave it out",
    "log.cleaner.enable=true": "Leave it out",
    "offsets.topic.replication.factor=3": "Sawlog knows only 1",
    "num.io.threads=eight": "Give a whole number",
    "num.partitons=6": "Did you mean num.partitions?",
    "listener.security.protocol.map=PLAINTEXT:SASL_SSL": "is not there yet",
}


class Node:
    """A broker started with the file."""

    def __init__(self, target, folder, port, added=""):
        folder.mkdir(parents=True)
        self.folder, self.target = folder, target
        text = STOCK.read_text().replace("9092", str(port)).replace("9093", str(port + 1))
        self.process = None
        self.file = folder / "server.properties"
        self.file.write_text(text.replace("/tmp/kraft-combined-logs", str(folder / "data")) + added)

    def command(self, *words):
        return [self.target.binary, "broker", "--config", self.file, *words]

    def run(self):
        command = [HERE / "kafka/kafka", "server", self.file] if self.target.kind == "kafka" else self.command()
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def said(self):
        return (self.folder / "log").read_text(errors="replace")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)


def stories(target, asked):
    def serves():
        port = free_port()
        node = Node(target, target.folder / "stock", port)
        try:
            for _ in range(2):  # the second time it finds its data
                node.run()
                until_answering(f"127.0.0.1:{port}", node.process, node.said)
                broker = Broker(f"127.0.0.1:{port}")
                (row,) = broker.call(METADATA, 12, {"topics": []})["brokers"]
                assert (row["id"], row["host"], row["port"]) == (1, "localhost", port), row
                topic = broker.topic(partitions=-1)
                assert len(broker.metadata([topic], auto=False)[0]["partitions"]) == 1
                broker.close()
                told = kafka_tool("metadata-quorum", "--bootstrap-controller", f"localhost:{port + 1}", "describe", "--status")
                assert re.search(r"^LeaderId:\s+1$", told, re.M), told
                node.stop()
            if target.kind == "sawlog":
                warnings = [line for line in node.said().splitlines() if "WARN" in line]
                for key in MOOT:
                    named = [line for line in warnings if re.search(rf"changes nothing here: .*\b{re.escape(key)}\b.*sawlog\.shards", line)]
                    assert len(named) == 2, f"{key}: {warnings}"  # once at each start
                for key in AWAITED:
                    assert len([line for line in warnings if "not there yet" in line and key in line]) == 2, f"{key}: {warnings}"
        finally:
            node.stop()

    yield "the server.properties that Kafka comes with starts a node, twice", serves
    if target.kind != "sawlog":
        return

    def of_kafka():
        """A directory that Kafka has made is refused by that, and left as it is."""
        node = Node(target, target.folder / "stock-of-kafka", free_port())
        kafka_tool("storage", "format", "--standalone", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", node.file)
        before = {path: path.read_bytes() for path in (node.folder / "data").rglob("*") if path.is_file()}
        got = subprocess.run(node.command(), cwd=node.folder, capture_output=True, text=True, timeout=60)
        assert got.returncode == 1 and "as one of Apache Kafka's" in got.stderr, got
        assert before == {path: path.read_bytes() for path in (node.folder / "data").rglob("*") if path.is_file()} and before

    yield "a directory that Kafka has made is refused and left as it is", of_kafka

    def refuses():
        """Each line by name, in one go, and nothing is left behind."""
        node = Node(target, target.folder / "stock-refused", free_port(), "\n".join(REFUSED) + "\n")
        # What listeners say against each other is looked at when each of them is right by itself.
        alone = {line: why for line, why in REFUSED.items() if not line.startswith(("controller.", "listener."))}
        got = subprocess.run(node.command(), cwd=node.folder, capture_output=True, text=True, timeout=60)
        assert got.returncode == 2, got
        told = got.stderr.splitlines()
        for line, why in alone.items():
            key = line.split("=")[0]
            (named,) = [said for said in told if said.startswith(f"sawlog: {key}")]
            assert why in named, f"{line}: {named}"
        assert len(told) == len(alone), told
        for line in REFUSED.keys() - alone.keys():
            node = Node(target, target.folder / f"stock-{line.split('=')[0]}", free_port(), line + "\n")
            got = subprocess.run(node.command("--check-config"), cwd=node.folder, capture_output=True, text=True, timeout=60)
            assert got.returncode == 2 and got.stderr.startswith(f"sawlog: {line} cannot be used"), got
            assert REFUSED[line] in got.stderr, got
        assert not (node.folder / "data").exists(), "a refused start leaves nothing"

    yield "what a file says beyond that is refused line by line, with what to do", refuses
