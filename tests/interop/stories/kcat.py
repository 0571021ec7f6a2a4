"""kcat as a person uses it: -P and -C by partition, a real file through it and back, each codec, keys, headers, offsets.

Decides that what kcat prints equals what it was given. kcat of Debian 12 carries librdkafka 2.0, which drops compression
silently when an old version range is missing (gotcha 3), so the stored codec is read from the broker.
"""

import json
import os
import subprocess
import time

from asking import Broker
from clients import new_topic, stored
from target import ROOT

PARTITIONS = 16


def kcat(target, *words, stdin=b"", check=True):
    got = subprocess.run(["kcat", "-b", target.address, *map(str, words)], input=stdin, capture_output=True, timeout=60)
    if check:
        assert got.returncode == 0, f"kcat {' '.join(map(str, words))}: {got.stderr.decode(errors='replace')[-600:]}"
    return got


def read(target, topic, partition, *words):
    return kcat(target, "-C", "-t", topic, "-p", partition, "-e", "-q", *words).stdout


def stories(target, asked):
    def listing():
        topic = new_topic(target, partitions=3)
        told = json.loads(kcat(target, "-L", "-J", "-t", topic).stdout)
        assert told["brokers"][0]["name"] == target.address, told
        (found,) = [t for t in told["topics"] if t["topic"] == topic]
        assert sorted(p["partition"] for p in found["partitions"]) == [0, 1, 2]

    yield "-L lists broker, topic and partitions", listing

    def codec(name):
        topic = new_topic(target, partitions=PARTITIONS)
        lines = b"".join(b"line %d of the same kind of text\n" % i for i in range(2000))
        kcat(target, "-P", "-t", topic, "-p", 1, "-z", name, "-X", "linger.ms=500", stdin=lines)
        got, held = read(target, topic, 1, "-o", "beginning"), stored(target, topic, 1)
        assert got == lines, f"{len(got)} of {len(lines)} bytes; stored are {[(b['base'], b['count'], b['codec']) for b in held]}"
        assert all(read(target, topic, p, "-o", "beginning") == b"" for p in range(PARTITIONS) if p != 1)
        # librdkafka sends plain what compression would not make smaller: a record or two that it sent ahead.
        assert {b["codec"] for b in held if b["count"] > 9} == {name}, [(b["base"], b["count"], b["codec"]) for b in held]

    for name in ("none", "gzip", "snappy", "lz4", "zstd"):
        yield f"-P and -C by partition, {name}: equal, and stored as {name}", lambda name=name: codec(name)

    def each_partition():
        topic = new_topic(target, partitions=PARTITIONS)
        lines = [b"".join(b"%d of %d\n" % (i, p) for i in range(100)) for p in range(PARTITIONS)]
        for p in range(PARTITIONS):
            kcat(target, "-P", "-t", topic, "-p", p, stdin=lines[p])
        # All of them at once, with the partition beside each record.
        told = kcat(target, "-C", "-t", topic, "-e", "-q", "-o", "beginning", "-f", "%p %s\n").stdout.splitlines(keepends=True)
        for p in range(PARTITIONS):
            assert b"".join(line.split(b" ", 1)[1] for line in told if line.startswith(b"%d " % p)) == lines[p], f"partition {p}"

    yield "16 partitions, written one by one and read all at once", each_partition

    def large(name):
        topic, path = new_topic(target), target.folder / f"large-{name}"
        path.write_bytes((os.urandom(1000) * 1000)[:1_000_000])
        kcat(target, "-P", "-t", topic, "-p", 0, "-z", name, "-X", "message.max.bytes=2000000", path)
        assert read(target, topic, 0, "-o", "beginning", "-D", "") == path.read_bytes()
        assert [b["codec"] for b in stored(target, topic, 0)] == [name]

    for name in ("none", "gzip", "snappy", "lz4", "zstd"):
        yield f"one record of 1 MB, {name}", lambda name=name: large(name)

    def as_the_topic_wants():
        broker = Broker(target.address)
        topic = broker.topic(message_timestamp_type="LogAppendTime", compression_type="lz4")
        broker.close()
        kcat(target, "-P", "-t", topic, "-p", 0, "-z", "gzip", stdin=b"a\nb\n")
        rows = [json.loads(line) for line in read(target, topic, 0, "-o", "beginning", "-J").splitlines()]
        assert [row["payload"] for row in rows] == ["a", "b"], rows
        assert {row["tstype"] for row in rows} == {"logappend"}, rows
        assert all(abs(row["ts"] - time.time() * 1000) < 60_000 for row in rows), rows
        assert {b["codec"] for b in stored(target, topic, 0)} == {"lz4"}

    yield "a topic of LogAppendTime and lz4: gzip goes in, lz4 with the broker's time comes out", as_the_topic_wants

    def by_lines():
        topic, path = new_topic(target), target.folder / "lines"
        # kcat sends no record for an empty line.
        path.write_bytes(b"".join(line for line in (ROOT / "Cargo.lock").open("rb") if line.strip()))
        kcat(target, "-P", "-t", topic, "-p", 0, "-l", path)
        assert read(target, topic, 0, "-o", "beginning") == path.read_bytes()

    yield "a real file by lines comes back equal", by_lines

    def whole():
        topic, path = new_topic(target), target.folder / "file"
        path.write_bytes(os.urandom(900_000))
        kcat(target, "-P", "-t", topic, "-p", 0, path)
        assert read(target, topic, 0, "-o", "beginning", "-D", "") == path.read_bytes()

    yield "a binary file as one record comes back equal", whole

    def fields():
        topic = new_topic(target)
        kcat(target, "-P", "-t", topic, "-p", 0, "-K:", "-Z", "-H", "h=1", "-H", "h=2", stdin=b"k:v\nk2:\n:v3\n")
        rows = [json.loads(line) for line in read(target, topic, 0, "-o", "beginning", "-J").splitlines()]
        assert [(r["key"], r["payload"]) for r in rows] == [("k", "v"), ("k2", None), (None, "v3")], rows
        assert all(r["headers"] == ["h", "1", "h", "2"] for r in rows), rows

    yield "keys, nulls and repeated headers", fields

    def offsets():
        topic = new_topic(target)
        kcat(target, "-P", "-t", topic, "-p", 0, stdin=b"".join(b"%d\n" % i for i in range(10)))
        assert read(target, topic, 0, "-o", 7) == b"7\n8\n9\n"
        assert read(target, topic, 0, "-o", -2) == b"8\n9\n"
        assert read(target, topic, 0, "-o", "beginning", "-c", 1) == b"0\n"
        assert kcat(target, "-Q", "-t", f"{topic}:0:-1").stdout.strip().endswith(b"offset 10")
        assert kcat(target, "-Q", "-t", f"{topic}:0:-2").stdout.strip().endswith(b"offset 0")

    yield "absolute and relative offsets, and -Q", offsets

    def unknown():
        broker = Broker(target.address)
        topic = broker.name("kcat")
        broker.close()
        kcat(target, "-P", "-t", topic, "-p", 0, stdin=b"made by kcat\n")
        assert read(target, topic, 0, "-o", "beginning") == b"made by kcat\n"

    yield "an unknown topic is made by producing to it (gotcha 8)", unknown

    def no_partition():
        topic = new_topic(target)
        got = kcat(target, "-P", "-t", topic, "-p", 9, stdin=b"x\n", check=False)
        assert got.returncode != 0 and b"nknown partition" in got.stderr, got.stderr

    yield "a partition that is not there is an error", no_partition
