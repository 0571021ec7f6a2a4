"""Kafka's own command-line tools: topics, console producer and consumer, offsets, and the readers of logs and snapshots.

Decides that Kafka's readers find every record, no exception and no invalid batch in what a clean stop left on disk, and
that `sawlog log dump` says the same; that `sawlog log index` makes of a segment what Kafka makes of it.
"""

import json
import random
import re
import shutil
import subprocess
import time

from asking import Broker, until
from batch import build, record
from clients import new_topic, produce
from target import Target, kafka_tool

CLEAN = re.compile(r"exception|isvalid: false|corrupt|error", re.IGNORECASE)


def stories(target, asked):
    at = ("--bootstrap-server", target.address)

    def topics():
        broker = Broker(target.address)
        name = broker.name("tool")
        broker.close()
        told = kafka_tool("topics", *at, "--create", "--topic", name, "--partitions", 3, "--config", "retention.ms=60000")
        assert f"Created topic {name}." in told, told
        assert name in kafka_tool("topics", *at, "--list").split()

    yield "kafka-topics --create, --list", topics

    def describe():
        name = new_topic(target, partitions=2)
        assert "PartitionCount: 2" in kafka_tool("topics", *at, "--describe", "--topic", name)
        kafka_tool("topics", *at, "--alter", "--topic", name, "--partitions", 5)
        assert "PartitionCount: 5" in kafka_tool("topics", *at, "--describe", "--topic", name)
        kafka_tool("topics", *at, "--delete", "--topic", name)
        assert name not in kafka_tool("topics", *at, "--list").split()

    yield "kafka-topics --describe, --alter, --delete", describe

    def configs():
        def alter(*words):
            return kafka_tool("configs", *at, "--alter", *words)

        def told(*words):
            return kafka_tool("configs", *at, "--describe", *words)

        name = new_topic(target)
        topic, one, every = ("--entity-type", "topics", "--entity-name", name), ("--entity-type", "brokers", "--entity-name", "1"), ("--entity-type", "brokers", "--entity-default")
        alter(*topic, "--add-config", "message.timestamp.type=LogAppendTime,compression.type=zstd,cleanup.policy=[delete]")
        assert "message.timestamp.type=LogAppendTime sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:message.timestamp.type=LogAppendTime" in told(*topic), told(*topic)
        alter(*topic, "--delete-config", "compression.type")
        until(lambda: "compression.type" not in told(*topic))
        alter(*every, "--add-config", "log.retention.ms=86400000")
        try:
            until(lambda: "log.retention.ms=86400000" in told(*every))
            until(lambda: "DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=86400000" in told(*one, "--all"))
            alter(*one, "--add-config", "log.retention.ms=7200000")
            until(lambda: "DYNAMIC_BROKER_CONFIG:log.retention.ms=7200000, DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=86400000" in told(*one, "--all"))
            assert "retention.ms=7200000" in told(*topic, "--all")
        finally:
            alter(*one, "--delete-config", "log.retention.ms")
            alter(*every, "--delete-config", "log.retention.ms")
        until(lambda: "log.retention.ms" not in told(*one))

    yield "kafka-configs: of a topic, of all brokers, of one broker, and back", configs

    def console():
        name = new_topic(target, partitions=2)
        lines = "".join(f"k{i}\tline {i}\n" for i in range(100))
        words = ["--command-property", "enable.idempotence=true", "--reader-property", "parse.key=true", "--compression-codec", "zstd"]
        kafka_tool("console-producer", *at, "--topic", name, *words, stdin=lines)
        got = []
        for partition in (0, 1):
            count = int(kafka_tool("get-offsets", *at, "--topic", name, "--partitions", partition).split(":")[-1])
            if count:
                told = kafka_tool("console-consumer", *at, "--topic", name, "--partition", partition, "--offset", "earliest", "--max-messages", count, "--formatter-property", "print.key=true")
                got += told.splitlines()
        assert sorted(got) == sorted(lines.splitlines()), f"{len(got)} lines"

    yield "kafka-console-producer (idempotent, zstd), kafka-get-offsets, kafka-console-consumer --partition", console

    def offsets():
        name = new_topic(target)
        assert produce(target.address, name, [(None, b"x", None, 1000 * i) for i in range(1, 11)], **{"linger.ms": 0}) == []
        for time, offset in (("latest", 10), ("earliest", 0), ("max-timestamp", 9), ("5500", 5)):
            told = kafka_tool("get-offsets", *at, "--topic", name, "--time", time).strip()
            assert told == f"{name}:0:{offset}", f"--time {time}: {told!r}"

    yield "kafka-get-offsets by mark and by time (gotcha 17)", offsets

    def removed():
        name, file = new_topic(target, partitions=2), target.folder / "remove.json"
        assert produce(target.address, name, [(None, b"%d" % i, None, 1) for i in range(10)], partition=1) == []
        file.write_text(json.dumps({"version": 1, "partitions": [{"topic": name, "partition": 1, "offset": 7}]}))
        assert "low_watermark: 7" in kafka_tool("delete-records", *at, "--offset-json-file", file)
        assert kafka_tool("get-offsets", *at, "--topic", name, "--time", "earliest").split() == [f"{name}:0:0", f"{name}:1:7"]
        told = kafka_tool("console-consumer", *at, "--topic", name, "--partition", 1, "--offset", "earliest", "--max-messages", 3)
        assert told.split() == ["7", "8", "9"], told

    yield "kafka-delete-records: the rest is read, and the earliest offset told", removed

    def perf():
        name = new_topic(target, partitions=16)
        told = kafka_tool("producer-perf-test", *at, "--topic", name, "--num-records", 20_000, "--record-size", 1000, "--throughput", -1)
        assert told.splitlines()[-1].startswith("20000 records sent"), told
        ends = kafka_tool("get-offsets", *at, "--topic", name).split()
        assert len(ends) == 16 and sum(int(end.split(":")[-1]) for end in ends) == 20_000, ends

    yield "kafka-producer-perf-test: 20,000 records of 1,000 bytes over 16 partitions", perf

    def sizes():
        name = new_topic(target, partitions=3)
        assert produce(target.address, name, [(None, bytes(50_000), None, 1)], partition=2) == []
        told = json.loads(next(line for line in kafka_tool("log-dirs", *at, "--describe", "--topic-list", name).splitlines() if line.startswith("{")))
        (folder,) = told["brokers"][0]["logDirs"]
        assert folder["error"] is None, folder
        held = {part["partition"]: part["size"] for part in folder["partitions"]}
        assert held.keys() == {f"{name}-{i}" for i in range(3)} and held[f"{name}-0"] == 0 and held[f"{name}-2"] > 50_000, held

    yield "kafka-log-dirs: partitions and their sizes", sizes

    def cluster():
        status = dict(re.findall(r"^(\w+):\s+(.*)$", kafka_tool("metadata-quorum", *at, "describe", "--status"), re.M))
        assert status["LeaderId"] == "1" and int(status["HighWatermark"]) > 0 and status["MaxFollowerLag"] == "0", status
        rows = kafka_tool("metadata-quorum", *at, "describe", "--replication").splitlines()
        assert len(rows) == 2 and rows[1].split()[0] == "1" and "Leader" in rows[1], rows
        assert f"Cluster ID: {status['ClusterId']}" in kafka_tool("cluster", "cluster-id", *at)
        told = kafka_tool("broker-api-versions", *at)
        assert target.address in told and re.search(r"Produce\(0\): \d+ to \d+ \[usable: \d+\]", told), told
        assert "UNSUPPORTED" not in re.sub(r"\(\d+\): UNSUPPORTED", "", told), told
        assert re.search(r"Feature: metadata.version\s.*FinalizedVersionLevel: 4.3-IV0", kafka_tool("features", *at, "describe"))

    yield "kafka-metadata-quorum, kafka-cluster, kafka-broker-api-versions, kafka-features", cluster

    def on_disk():
        """A node of its own: written to, stopped cleanly, read by Kafka's readers; again once it wrote snapshots; started again."""
        other = Target(target.kind, target.folder / "on-disk", binary=target.binary).start()
        metadata = other.data / "__cluster_metadata-0"
        try:
            broker = Broker(other.address)
            name = broker.topic(partitions=2, segment_bytes="1048576")
            dice, sent = random.Random(5), [0, 0]
            for n in range(60):
                for index, codec in ((0, "none"), (1, ["gzip", "snappy", "lz4", "zstd"][n % 4])):
                    rows = [record(i, key=b"%d" % i, value=dice.randbytes(1500)) for i in range(20)]
                    got = broker.produce(name, build(rows, codec=codec), index=index)
                    assert got["error"] == 0, got
                    sent[index] += len(rows)
            producer, epoch = broker.producer_id()
            assert broker.produce(name, build(producer=producer, producer_epoch=epoch, sequence=0))["error"] == 0
            sent[0] += 1
            broker.close()
            clean_end(other)
            for index in (0, 1):
                logs = sorted((other.data / f"{name}-{index}").glob("*.log"))
                assert len(logs) > 1, f"{logs}: the segments did not roll"
                told = kafka_tool("dump-log", "--deep-iteration", "--files", ",".join(map(str, logs)))
                assert not CLEAN.search(told), CLEAN.search(told).group() + told[-800:]
                found = [int(n) for n in re.findall(r"^\| offset: (\d+)", told, re.M)]
                assert found == list(range(sent[index])), f"{len(found)} of {sent[index]} records"
                same_words(other, told, "--records", logs)
                same_indexes(other, logs, other.folder / f"index-{index}")
            # So few bytes make no snapshot: the log is still whole, and alone says what the cluster is.
            log = copied(metadata) / ("0" * 20 + ".log")
            same_words(other, kafka_tool("dump-log", "--cluster-metadata-decoder", "--files", log), "--records", [metadata / log.name])
            assert name in topics_in(log), log

            # From here on snapshots are written after few bytes, as kafka/kafka sets it for Kafka itself.
            other.settings = ["metadata.log.max.record.bytes.between.snapshots=100"]
            other.start()
            broker = Broker(other.address)
            fillers = until_snapshots(broker, metadata)
            assert [end_of(broker, name, index) for index in (0, 1)] == sent
            broker.close()
            clean_end(other)
            copy = copied(metadata)
            logs, snapshots = sorted(copy.glob("*.log")), sorted(copy.glob("*.checkpoint"))
            told = kafka_tool("dump-log", "--cluster-metadata-decoder", "--files", ",".join(map(str, logs + snapshots)))
            assert name in told and "TOPIC_RECORD" in told and "PARTITION_RECORD" in told and "REGISTER_BROKER_RECORD" in told, told[-800:]
            assert not CLEAN.search(told), CLEAN.search(told).group()
            same_words(other, told, "--records", [metadata / file.name for file in logs + snapshots])
            told = kafka_tool("dump-log", "--cluster-metadata-decoder", "--files", ",".join(map(str, logs)))
            assert fillers[-1] in told, "what is newer than the older snapshot stays in the log"
            told = topics_in(snapshots[-1])
            assert name in told and fillers[0] in told, f"{snapshots[-1]}: {told!r}"
            other.start()
            broker = Broker(other.address)
            assert [end_of(broker, name, index) for index in (0, 1)] == sent
            broker.close()
        finally:
            other.kill()

    yield "after a clean stop: kafka-dump-log --deep-iteration, --cluster-metadata-decoder, kafka-metadata-shell", on_disk


WORDS = re.compile(r"^(?:baseOffset|\| offset): .*$", re.M)


def same_words(other, told, flag, files):
    """`sawlog log dump` says of each batch and record, word for word, what kafka-dump-log says."""
    if other.kind != "sawlog":
        return
    ours = subprocess.run([other.binary, "log", "dump", flag, *files], capture_output=True, text=True, timeout=60)
    assert ours.returncode == 0, ours.stderr
    theirs, ours = WORDS.findall(told), WORDS.findall(ours.stdout)
    assert theirs, told[-800:]
    assert len(ours) == len(theirs), f"{len(ours)} lines of ours, {len(theirs)} of Kafka's"
    for one, other_one in zip(ours, theirs):
        assert one == other_one, f"\n  ours   {one}\n  Kafka's {other_one}"


def same_indexes(other, logs, to):
    """`sawlog log index` makes the indexes that Kafka made of these segments, byte for byte; Kafka's reader finds them right."""
    ours = subprocess.run([other.binary, "log", "index", "--copy", "--to", to, *logs], capture_output=True, text=True, timeout=60)
    assert ours.returncode == 0, ours.stderr
    made = [to / log.with_suffix(end).name for log in logs for end in (".index", ".timeindex")]
    assert any(file.stat().st_size for file in made), f"{made}: all are empty"
    if other.kind == "kafka":
        for file in made:
            assert file.read_bytes() == (logs[0].parent / file.name).read_bytes(), file
    told = kafka_tool("dump-log", "--verify-index-only", "--files", ",".join(map(str, made)))
    assert not re.search(r"mismatch|out of order|not found|corrupt|exception", told, re.IGNORECASE), told[-800:]
    told = kafka_tool("dump-log", "--index-sanity-check", "--files", ",".join(map(str, made)))
    assert told.count("passed sanity check") == len(made), told[-800:]


def topics_in(file):
    """What Kafka's shell lists. It may run its command before what it read is published, and then lists nothing: it is asked again."""
    for _ in range(10):
        told = kafka_tool("metadata-shell", "--snapshot", file, "ls", "/image/topics/byName")
        if told.strip():
            break
    return told


def clean_end(other):
    code = other.stop()
    assert code in (0, 143 if other.kind == "kafka" else 0), f"ended with {code}: {other.said()}"


def end_of(broker, name, index):
    """The end of a partition, once its leader is up: a broker answers before it leads again."""
    until(lambda: broker.offsets(name, -1, index=index)["error"] == 0)
    return broker.offsets(name, -1, index=index)["offset"]


def copied(folder):
    """A copy beside the directory, fresh each time: the shell locks what it reads."""
    copy = folder.parent.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    return copy


def until_snapshots(broker, folder):
    """Makes topics until two snapshots more have appeared; one is written at a time, so the second was begun after the first topic."""
    fillers, seen = [], set(folder.glob("*.checkpoint"))
    newer, deadline = set(), time.monotonic() + 60
    while len(newer) < 2:
        assert time.monotonic() < deadline, f"{len(fillers)} topics made, but only {newer} is new"
        fillers.append(broker.name("filler"))
        made = broker.create(fillers[-1], partitions=1)
        assert made["error"] == 0, made
        newer |= set(folder.glob("*.checkpoint")) - seen
    return fillers
