"""Our own commands against a broker, Sawlog or Apache Kafka: topics made, records sent and read, beside kcat on the same topic.

Decides that both ways are equal to the byte, and that scripts can rely on exit codes and pipes.
"""

import json
import subprocess

from asking import Broker, until
from clients import stored
from target import ROOT, free_port


def stories(target, asked):
    binary = target.binary or ROOT / "target/release/sawlog"
    address = target.address

    def sawlog(*words, stdin=b"", code=0):
        got = subprocess.run([binary, *map(str, words), "-b", address], input=stdin, capture_output=True, timeout=60)
        assert got.returncode == code, f"sawlog {words}: {got.returncode}, {got.stderr.decode()[-800:]}"
        return got

    def kcat(*words, stdin=b""):
        got = subprocess.run(["kcat", "-b", address, *map(str, words)], input=stdin, capture_output=True, timeout=60)
        assert got.returncode == 0, got.stderr.decode()[-800:]
        return got.stdout

    def name():
        broker = Broker(address)
        try:
            return broker.name("ours")
        finally:
            broker.close()

    def topics():
        topic = name()
        sawlog("topic", "create", topic, "--partitions", 3, "--config", "retention.ms=60000")
        rows = [json.loads(line) for line in sawlog("topic", "list", "-o", "json").stdout.splitlines()]
        assert [row["partitions"] for row in rows if row["topic"] == topic] == [3], rows
        rows = [json.loads(line) for line in sawlog("topic", "describe", topic, "-o", "json").stdout.splitlines()]
        assert [row["partition"] for row in rows] == [0, 1, 2] and all(row["leader"] == rows[0]["leader"] for row in rows), rows
        sawlog("topic", "create", topic, code=1)
        assert b"TOPIC_ALREADY_EXISTS" in sawlog("topic", "create", topic, name(), code=3).stderr
        sawlog("topic", "describe", name(), code=4)

    yield "sawlog topic create, list, describe; what exists already, and what does not", topics

    def to_kcat():
        topic = name()
        sawlog("topic", "create", topic, "--partitions", 2)
        lines = b"".join(b"line %d %s\n" % (i, b"x" * (i % 300)) for i in range(20_000))
        sawlog("produce", topic, "-p", 1, "-k", "key", "-H", "a=1", "-H", "a=2", stdin=lines)
        assert kcat("-C", "-t", topic, "-p", 1, "-o", "beginning", "-e", "-q") == lines
        assert kcat("-C", "-t", topic, "-p", 1, "-o", "beginning", "-c", 1, "-q", "-f", "%k %h") == b"key a=1,a=2"

    yield "sawlog produce: 20,000 lines, key, repeated headers; kcat reads them equal", to_kcat

    def from_kcat(codec):
        topic = name()
        sawlog("topic", "create", topic, "--partitions", 1)
        lines = b"".join(b"line %d %s\n" % (i, b"y" * (i % 300)) for i in range(20_000))
        kcat("-P", "-t", topic, "-p", 0, "-z", codec, stdin=lines)
        assert sawlog("consume", topic, "--until-end").stdout == lines
        last = [json.loads(line) for line in sawlog("consume", topic, "--until-end", "--from", "-2", "-o", "json").stdout.splitlines()]
        assert [row["offset"] for row in last] == [19_998, 19_999], last
        assert last[1]["value"].encode() + b"\n" == lines.splitlines(True)[-1]

    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        yield f"sawlog consume: what kcat sent with {codec}, and the last two as JSON", lambda codec=codec: from_kcat(codec)

    def partitioner(ours, theirs):
        one, other = name(), name()
        sawlog("topic", "create", one, other, "--partitions", 7)
        lines = b"".join(b"key-%d\tvalue\n" % (i * i) for i in range(500))
        sawlog("produce", one, "-i", "kv", "--partitioner", ours, stdin=lines)
        kcat("-P", "-t", other, "-K", "\t", "-X", f"topic.partitioner={theirs}", stdin=lines)
        places = [sorted(sawlog("consume", topic, "-e", "-o", "%p %k\\n").stdout.splitlines()) for topic in (one, other)]
        assert len(places[0]) == 500 and places[0] == places[1]

    yield "keys go where librdkafka puts them: murmur2", lambda: partitioner("murmur2", "murmur2_random")
    yield "keys go where librdkafka puts them: CRC-32", lambda: partitioner("crc32", "consistent_random")

    def codec(codec):
        topic = name()
        sawlog("topic", "create", topic, "--partitions", 1)
        lines = b"".join(b"line %d %s\n" % (i, b"z" * (i % 300)) for i in range(20_000))
        sawlog("produce", topic, "-z", codec, stdin=lines)
        assert kcat("-C", "-t", topic, "-p", 0, "-o", "beginning", "-e", "-q") == lines
        assert {batch["codec"] for batch in stored(target, topic, 0)} == {codec}

    for each in ("gzip", "snappy", "lz4", "zstd"):
        yield f"sawlog produce with {each}: stored so, and kcat reads it equal", lambda each=each: codec(each)

    def as_json():
        one, other = name(), name()
        sawlog("topic", "create", one, other, "--partitions", 1)
        kcat("-P", "-t", one, "-p", 0, "-K:", "-Z", "-H", "h=1", "-H", "h=2", stdin=b"k:v\nk2:\n:v3\n\xff\xfe:\x80\n")
        rows = sawlog("consume", one, "-e", "-o", "json").stdout
        sawlog("produce", other, "-i", "json", stdin=rows)
        read = [kcat("-C", "-t", topic, "-p", 0, "-o", "beginning", "-e", "-q", "-Z", "-f", "%T %h %K %k %S %s\\n") for topic in (one, other)]
        assert read[0].count(b"\n") == 4 and read[0] == read[1], read

    yield "records of kcat through sawlog's JSON and back: equal with their times, headers and nulls", as_json

    def changes():
        topic = name()
        sawlog("topic", "create", topic, "--partitions", 1)
        sawlog("produce", topic, stdin=b"1\n2\n3\n")
        sawlog("topic", "alter", topic, "--config", "retention.ms=3600000")
        rows = [json.loads(row) for row in sawlog("topic", "describe", "--configs", topic, "-o", "json").stdout.splitlines()]
        assert [row["value"] for row in rows if row["key"] == "retention.ms"] == ["3600000"], rows
        sawlog("topic", "trim", topic, "--before", 2, "--yes")
        assert sawlog("consume", topic, "-e").stdout == b"3\n"
        sawlog("topic", "add-partitions", topic, "--total", 2)
        (row,) = [json.loads(row) for row in sawlog("topic", "offsets", topic, "-o", "json").stdout.splitlines()][:1]
        assert (row["first"], row["end"]) == (2, 3), row
        sawlog("topic", "size", topic)
        assert json.loads(sawlog("cluster", "info", "-o", "json").stdout.splitlines()[0])["controller"] is True
        assert b"Produce" in sawlog("api", "versions", "-o", "name").stdout.splitlines()
        sawlog("topic", "delete", topic, "--yes")
        sawlog("topic", "describe", topic, code=4)

    yield "sawlog topic alter, trim, add-partitions, offsets, size, delete; cluster info, api versions", changes

    def settings():
        def told(*words, **how):
            return [json.loads(row) for row in sawlog("config", *words, "-o", "json", **how).stdout.splitlines()]

        def set_of(topic):
            return {row["key"]: row["value"] for row in told("list") if row["name"] == topic}

        topic, other = name(), name()
        node = json.loads(sawlog("cluster", "info", "-o", "json").stdout.splitlines()[0])["broker"]
        sawlog("topic", "create", topic, other, "--partitions", 1)
        plan = sawlog("config", "set", "--topic", topic, "retention.ms=3600000", "max.message.bytes=2000000", "--dry-run").stderr
        assert b"retention.ms 604800000 -> 3600000" in plan and b"could have changed" in plan, plan
        until(lambda: set_of(topic) == {})
        sawlog("config", "set", "--topic", topic, "retention.ms=3600000", "max.message.bytes=2000000")
        until(lambda: set_of(topic) == {"retention.ms": "3600000", "max.message.bytes": "2000000"})
        rows = {row["key"]: row for row in told("describe", "--topic", topic)}
        assert (rows["retention.ms"]["value"], rows["retention.ms"]["source"]) == ("3600000", "DYNAMIC_TOPIC_CONFIG"), rows
        said = [(said["source"], said["key"], said["value"]) for said in rows["max.message.bytes"]["synonyms"]]
        assert said == [("DYNAMIC_TOPIC_CONFIG", "max.message.bytes", "2000000"), ("DEFAULT_CONFIG", "message.max.bytes", "1048588")], said
        rows = {row["key"]: (row["left"], row["right"]) for row in told("diff", "--topics", topic, other, code=7)}
        assert rows["retention.ms"] == ("3600000", "604800000") and len(rows) == 2, rows
        sawlog("config", "set", "--topic", topic, "--append", "cleanup.policy=delete")
        assert b"INVALID_CONFIG" in sawlog("config", "set", "--topic", topic, "--append", "retention.ms=1", code=1).stderr
        assert b"INVALID_CONFIG" in sawlog("config", "set", "--topic", topic, "retention.mss=1", code=1).stderr
        sawlog("config", "delete", "--topic", topic, "max.message.bytes", "cleanup.policy", "retention.ms")
        until(lambda: set_of(topic) == {})
        sawlog("config", "diff", "--topics", topic, other)
        sawlog("config", "diff", node, node)
        sawlog("config", "set", "--topic", name(), "retention.ms=1", code=4)
        sawlog("config", "describe", "--broker", 4711, code=4)
        try:
            sawlog("config", "set", "--brokers-default", "log.retention.ms=86400000")
            until(lambda: [row["value"] for row in told("describe", "--brokers-default", "log.retention.ms")] == ["86400000"])
            sawlog("config", "set", "--broker", node, "log.retention.ms=7200000")
            until(lambda: [row["source"] for row in told("describe", "--broker", node, "log.retention.ms")] == ["DYNAMIC_BROKER_CONFIG"])
            assert b"7200000 -> 86400000 (DYNAMIC_DEFAULT_BROKER_CONFIG)" in sawlog("config", "delete", "--broker", node, "log.retention.ms", "--dry-run").stderr
        finally:
            sawlog("config", "delete", "--broker", node, "log.retention.ms")
            sawlog("config", "delete", "--brokers-default", "log.retention.ms")

    yield "sawlog config list, describe, set, delete, diff: of topics, of a broker, of all brokers", settings

    def bench():
        topic = name()
        figures = json.loads(sawlog("bench", "produce", topic, "--partitions", 4, "-n", "20k", "--size", 100, "-z", "zstd", "-o", "json").stdout)
        assert (figures["records"], figures["bytes"], figures["partitions"]) == (20_000, 2_000_000, 4), figures
        assert 0 < figures["latency_us"]["p50"] <= figures["latency_us"]["max"], figures
        figures = json.loads(sawlog("bench", "consume", topic, "-o", "json").stdout)
        assert (figures["records"], figures["bytes"]) == (20_000, 2_000_000), figures

    yield "sawlog bench produce and consume: what is told was sent is read", bench

    def pipes():
        topic = name()
        sawlog("topic", "create", topic, "--partitions", 1)
        sawlog("produce", topic, stdin=b"first\n" + b"more\n" * 50_000)
        script = f'set -o pipefail; "{binary}" consume {topic} -b {address} | head -n 1'
        got = subprocess.run(["bash", "-c", script], capture_output=True, timeout=60)
        assert (got.returncode, got.stdout, got.stderr) == (0, b"first\n", b""), got

    yield "sawlog consume into head: quiet, exit code 0", pipes

    def codes():
        topic = name()
        assert b"UNKNOWN_TOPIC_OR_PARTITION" in sawlog("consume", topic, "-e", code=4).stderr
        assert b"0 records were written" in sawlog("produce", topic, stdin=b"x\n", code=4).stderr
        nobody = subprocess.run([binary, "topic", "list", "-b", f"127.0.0.1:{free_port()}", "--timeout", "1"], capture_output=True, timeout=30)
        assert nobody.returncode == 5, nobody
        sawlog("consume", topic, "--from", "soon", code=2)

    yield "exit codes: 4 for no such topic, 5 for no broker, 2 for what cannot be meant", codes
