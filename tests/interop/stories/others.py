"""Seven more client libraries, each through a small program of its own (../clients): what one writes, librdkafka and the same
one read back.

Decides that records come back equal, in order, once, and in the codec that was asked for, as it is stored; where a library
itself cannot say a thing, `CLIENTS` says which.
"""

import base64
import json
import subprocess
import time

from confluent_kafka import Consumer, TopicPartition

from asking import Broker
from clients import consume, new_topic, no_groups, row, sample, stored
from target import HERE

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
PARTITIONS = 16


class Client:
    """A library, and what it cannot say."""

    def __init__(self, name, reads=True, idempotent=True, null_headers=True, empty_is_null=False, append_time=True, time_type=True):
        self.name, self.reads, self.idempotent = name, reads, idempotent
        # It sends headers whose value is null; reads empty as null; gives a record the broker's time; says whose time it is.
        self.null_headers, self.empty_is_null, self.append_time, self.time_type = null_headers, empty_is_null, append_time, time_type

    def run(self, verb, **job):
        got = subprocess.run([HERE / "clients/client", self.name, verb], input=json.dumps(job), capture_output=True, text=True, timeout=120)
        assert got.returncode == 0, f"{self.name} {verb} ended with {got.returncode}: {got.stderr[-1500:]}"
        return [json.loads(line) for line in got.stdout.splitlines() if line.startswith("{")]

    def here(self):
        """Whether the host could build it; what it could not, `client fetch` says."""
        return subprocess.run([HERE / "clients/client", "has", self.name], timeout=60).returncode == 0


CLIENTS = [
    Client("java"),
    Client("franz"),
    Client("sarama", time_type=False),
    Client("segmentio", idempotent=False, empty_is_null=True, append_time=False, time_type=False),
    Client("kafka-python", null_headers=False),
    Client("aiokafka"),
    Client("kafkajs", reads=False, null_headers=False),
]


def text(data):
    return None if data is None else base64.b64encode(data).decode()


def data(written):
    return None if written is None else base64.b64decode(written)


def records(client, n):
    """The odd records of `sample`, over all partitions, the first with the most."""
    rows = []
    for i, (key, value, headers, at) in enumerate(sample(n)):
        headers = [(name, content) for name, content in headers or () if client.null_headers or content is not None]
        rows.append((0 if i % 2 else i // 2 % PARTITIONS, key, value, headers or None, at))
    return rows


def as_job(rows):
    return [{"partition": p, "key": text(key), "value": text(value), "headers": [[text(name.encode()), text(content)] for name, content in headers or ()], "time": at} for p, key, value, headers, at in rows]


def as_read(told):
    headers = [(data(name).decode(), data(content)) for name, content in told["headers"] or ()]
    return (told["partition"], data(told["key"]), data(told["value"]), headers or None, told["time"])


def plain(rows):
    """Without the difference between null and empty, for who cannot tell them apart."""
    return [(p, key or b"", value or b"", [(name, content or b"") for name, content in headers or ()] or None, at) for p, key, value, headers, at in rows]


def read(address, topic, counts):
    """All records through librdkafka, by partition, with their partitions."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "none", "enable.auto.commit": False, "auto.offset.reset": "error", "check.crcs": True})
    consumer.assign([TopicPartition(topic, p, 0) for p, count in enumerate(counts) if count])
    got, deadline = [[] for _ in counts], time.monotonic() + 30
    while sum(map(len, got)) < sum(counts) and time.monotonic() < deadline:
        for message in consumer.consume(1000, 0.1):
            if not no_groups(message):
                assert message.error() is None, message.error()
                got[message.partition()].append((message.partition(), *row(message)))
    consumer.close()
    return got


def stories(target, asked):
    address = target.address
    known = [client for client in CLIENTS if client.here()]

    def round_trip(client, codec):
        topic, rows = new_topic(target, partitions=PARTITIONS), records(client, 320)
        client.run("produce", address=address, topic=topic, codec=codec, idempotent=False, records=as_job(rows))
        counts = [sum(each[0] == p for each in rows) for p in range(PARTITIONS)]
        for p, got in enumerate(read(address, topic, counts)):
            assert got == [each for each in rows if each[0] == p], f"{client.name} wrote partition {p} otherwise: {got[:2]}"
        held = {batch["codec"] for batch in stored(target, topic, 0)}
        assert held == {codec}, held
        if not client.reads:
            return
        told = client.run("consume", address=address, topic=topic, codec=codec, counts=counts)
        for p, count in enumerate(counts):
            part = [each for each in told if each["partition"] == p]
            assert [each["offset"] for each in part] == list(range(count)), f"partition {p}"
            got, wrote = [as_read(each) for each in part], [each for each in rows if each[0] == p]
            if client.empty_is_null:
                got, wrote = plain(got), plain(wrote)
            assert got == wrote, f"{client.name} read partition {p} otherwise: {next((a, b) for a, b in zip(got, wrote) if a != b)}"

    for client in known:
        for codec in CODECS:
            yield f"{client.name}: 16 partitions, {codec}: keys, nulls, empties, repeated headers, times, as librdkafka and itself read them", lambda client=client, codec=codec: round_trip(client, codec)

    def large(client):
        topic, value = new_topic(target), bytes(range(256)) * 4096
        value = value[: 1_000_000]
        client.run("produce", address=address, topic=topic, codec="none", idempotent=client.idempotent, records=as_job([(0, b"k", value, None, 5)]))
        (got,) = consume(address, topic, 1, **{"check.crcs": True})
        assert got.value() == value
        (batch,) = stored(target, topic)
        assert (batch["producer"] >= 0) == client.idempotent, batch["producer"]
        if client.reads:
            (told,) = client.run("consume", address=address, topic=topic, codec="none", counts=[1])
            assert as_read(told) == (0, b"k", value, None, 5)

    for client in known:
        yield f"{client.name}: one record of 1 MB{', idempotent' if client.idempotent else ''}", lambda client=client: large(client)

    def broker_time(client):
        broker = Broker(address)
        topic = broker.topic(message_timestamp_type="LogAppendTime")
        broker.close()
        client.run("produce", address=address, topic=topic, codec="gzip", idempotent=False, records=as_job([(0, None, b"%d" % i, None, 5 + i) for i in range(3)]))
        assert all(abs(row(message)[3] - time.time() * 1000) < 120_000 for message in consume(address, topic, 3))
        if not client.reads:
            return
        told = client.run("consume", address=address, topic=topic, codec="none", counts=[3])
        assert [data(each["value"]) for each in told] == [b"0", b"1", b"2"]
        assert not client.append_time or all(abs(each["time"] - time.time() * 1000) < 120_000 for each in told), told
        assert not client.time_type or {each["time_type"] for each in told} == {"append"}, told

    for client in known:
        yield f"{client.name}: a topic of LogAppendTime, whose records have the broker's time", lambda client=client: broker_time(client)

    def admin(client):
        broker = Broker(address)
        topic = broker.name("admin")
        broker.close()
        (told,) = client.run("admin", address=address, topic=topic)
        also = {"quorum": True, "cluster": True, "dirs": 5} if client.name == "java" else {}
        assert told == {"exists": True, "retention": "60000", "partitions": 5, "end": 0, "gone": True, **also}, told

    for client in known:
        yield f"{client.name}: a topic made, described, widened, asked for offsets, removed; and what exists or does not", lambda client=client: admin(client)
