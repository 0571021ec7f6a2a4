"""Round trips through librdkafka (confluent-kafka), with every codec checked in the bytes that the broker stored.

Decides that what comes back equals what was sent, in order, once; the codec is read from the stored batch, never believed.
"""

import random
import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from asking import Broker, batches, until
from wire import name_of

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
DICE = random.Random(3)


def sample(n):
    """Records whose every field is odd in turn: null, empty, binary, repeated headers."""
    rows = []
    for i in range(n):
        key = [None, b"", b"key", bytes(DICE.randrange(256) for _ in range(i % 40))][i % 4]
        value = [b"value %d " % i * (i % 50), None, b"", bytes(DICE.randrange(256) for _ in range(i % 300))][i % 4]
        headers = [None, [("a", b"1"), ("a", b"2"), ("b", None)], [("", b"")], [("k%d" % j, b"x" * j) for j in range(i % 5)]][i // 4 % 4]
        rows.append((key, value, headers or None, 1_700_000_000_000 + i * 7))
    return rows


def produce(address, topic, rows, partition=0, **config):
    failures = []
    producer = Producer({"bootstrap.servers": address, "linger.ms": 20, **config})
    for key, value, headers, at in rows:
        producer.produce(topic, key=key, value=value, headers=headers, timestamp=at, partition=partition, on_delivery=lambda e, _: e and failures.append(e))
        producer.poll(0)
    left = producer.flush(30)
    assert left == 0, f"{left} messages still wait"
    return failures


def consume(address, topic, n, partition=0, offset=0, **config):
    consumer = Consumer({"bootstrap.servers": address, "group.id": "none", "enable.auto.commit": False, "auto.offset.reset": "error", "enable.partition.eof": False, **config})
    consumer.assign([TopicPartition(topic, partition, offset)])
    got, deadline = [], time.monotonic() + 30
    while len(got) < n and time.monotonic() < deadline:
        for message in consumer.consume(1000, 0.5):
            if not no_groups(message):
                assert message.error() is None, message.error()
                got.append(message)
    consumer.close()
    return got


def no_groups(message):
    """confluent-kafka insists on a group and asks for its coordinator even when partitions are assigned by hand."""
    return message.error() is not None and "no consumer groups yet" in message.error().str()


def row(message):
    return (message.key(), message.value(), message.headers() or None, message.timestamp()[1])


def stored(target, topic, index=0):
    """Every batch that the broker holds of a partition."""
    broker, found, at = Broker(target.address), [], 0
    try:
        while at < broker.offsets(topic, -1, index=index)["offset"]:
            def look():
                return batches(broker.fetch_part(topic, at, index=index, part={"max_bytes": 1 << 26}, max_bytes=1 << 26))

            # Kafka may answer with nothing once more where it has just told of an end behind it.
            got = until(look) if target.kind == "kafka" else look()
            assert got, f"nothing at {at}"
            found += got
            at = got[-1]["base"] + got[-1]["last_delta"] + 1
        return found
    finally:
        broker.close()


def new_topic(target, **fields):
    broker = Broker(target.address)
    try:
        return broker.topic(**fields)
    finally:
        broker.close()


def stories(target, asked):
    address = target.address

    def round_trip(codec):
        topic, rows = new_topic(target), sample(400)
        # One batch: librdkafka sends one plain that compression would not make smaller.
        assert produce(address, topic, rows, **{"compression.type": codec, "linger.ms": 2000}) == []
        got = consume(address, topic, len(rows), **{"check.crcs": True})
        assert [m.offset() for m in got] == list(range(len(rows)))
        assert [row(m) for m in got] == rows
        held = stored(target, topic)
        assert all(b["crc_ok"] for b in held)
        assert {b["codec"] for b in held} == {codec}, {b["codec"] for b in held}

    for codec in CODECS:
        yield f"round trip, {codec}: keys, nulls, empties, repeated headers, times; codec stored", lambda codec=codec: round_trip(codec)

    def large(codec):
        topic = new_topic(target)
        value = bytes(DICE.randrange(256) for _ in range(1000)) * 1000
        assert produce(address, topic, [(b"k", value, None, 5)], **{"compression.type": codec, "message.max.bytes": 2_000_000}) == []
        (got,) = consume(address, topic, 1, **{"check.crcs": True})
        assert got.value() == value
        assert [b["codec"] for b in stored(target, topic)] == [codec]

    for codec in CODECS:
        yield f"one record of 1 MB, {codec}", lambda codec=codec: large(codec)

    def too_large():
        topic = new_topic(target)
        (error,) = produce(address, topic, [(None, bytes(1_200_000), None, 5)], **{"message.max.bytes": 3_000_000})
        assert error.code() == KafkaError.MSG_SIZE_TOO_LARGE, error
        assert produce(address, topic, [(None, b"after", None, 5)]) == []

    yield "a record over max.message.bytes is refused by name, the next one is taken", too_large

    def idempotent():
        topic = new_topic(target)
        rows = [(None, b"%d" % i, None, 1 + i) for i in range(20_000)]
        assert produce(address, topic, rows, **{"enable.idempotence": True, "linger.ms": 0, "batch.num.messages": 50}) == []
        got = consume(address, topic, len(rows))
        assert [m.value() for m in got] == [r[1] for r in rows]
        assert all(b["producer"] >= 0 for b in stored(target, topic))

    yield "idempotent producer, five in flight: 20,000 records in order, each once", idempotent

    def refused_first():
        topic = new_topic(target)
        rows = [(None, bytes(1_200_000), None, 1), *((None, b"%d" % i, None, 2 + i) for i in range(100))]
        config = {"enable.idempotence": True, "enable.gapless.guarantee": False, "linger.ms": 0, "batch.num.messages": 1, "message.max.bytes": 3_000_000}
        failures = produce(address, topic, rows, **config)
        assert [e.code() for e in failures] == [KafkaError.MSG_SIZE_TOO_LARGE], failures
        assert [m.value() for m in consume(address, topic, 100)] == [r[1] for r in rows[1:]]

    yield "idempotent producer whose first batch is refused: the others in order, each once", refused_first

    def partitions():
        topic = new_topic(target, partitions=16)
        for p in range(16):
            assert produce(address, topic, [(None, b"%d-%d" % (p, i), None, 1) for i in range(20)], partition=p) == []
        for p in range(16):
            assert [m.value() for m in consume(address, topic, 20, partition=p)] == [b"%d-%d" % (p, i) for i in range(20)]

    yield "16 partitions stay apart", partitions

    def acks(value):
        topic = new_topic(target)
        assert produce(address, topic, sample(50), acks=value) == []
        assert len(consume(address, topic, 50)) == 50

    for value in ("0", "1", "all"):
        yield f"acks={value}", lambda value=value: acks(value)

    def auto_create():
        broker = Broker(address)
        topic = broker.name("auto")
        broker.close()
        assert produce(address, topic, [(None, b"first", None, 1)]) == []
        assert [m.value() for m in consume(address, topic, 1)] == [b"first"]

    yield "a producer makes its topic by writing to it (gotcha 8)", auto_create

    def watermarks():
        topic = new_topic(target)
        assert produce(address, topic, [(None, b"x", None, 1000 * i) for i in range(1, 11)], **{"linger.ms": 0}) == []
        consumer = Consumer({"bootstrap.servers": address, "group.id": "none"})
        assert consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10) == (0, 10)
        (found,) = consumer.offsets_for_times([TopicPartition(topic, 0, 5500)], timeout=10)
        assert found.offset == 5, found
        (past,) = consumer.offsets_for_times([TopicPartition(topic, 0, 99_000)], timeout=10)
        assert past.offset == -1, past
        consumer.close()

    yield "watermarks, and offsets by time", watermarks

    def out_of_range():
        topic = new_topic(target)
        assert produce(address, topic, [(None, b"x", None, 1)]) == []
        consumer = Consumer({"bootstrap.servers": address, "group.id": "none", "auto.offset.reset": "earliest"})
        consumer.assign([TopicPartition(topic, 0, 500)])
        got = consumer.poll(15)
        while got is not None and no_groups(got):
            got = consumer.poll(15)
        assert got is not None and got.error() is None and got.offset() == 0, got and got.error()
        consumer.close()

    yield "an offset out of range resets by the consumer's own policy", out_of_range

    def admin():
        broker = Broker(address)
        topic = broker.name("admin")
        broker.close()
        client = AdminClient({"bootstrap.servers": address})
        client.create_topics([NewTopic(topic, 3, 1, config={"retention.ms": "60000"})])[topic].result(15)
        assert len(client.list_topics(topic, timeout=10).topics[topic].partitions) == 3
        for make, code in (
            (NewTopic(topic, 1, 1), KafkaError.TOPIC_ALREADY_EXISTS),
            (NewTopic("a b", 1, 1), KafkaError.TOPIC_EXCEPTION),
            (NewTopic(topic + "x", 1, 1, config={"no.such.key": "1"}), KafkaError.INVALID_CONFIG),
        ):
            try:
                client.create_topics([make])[make.topic].result(15)
            except Exception as why:
                assert why.args[0].code() == code, why
                assert why.args[0].str(), "an error has a text for people"
            else:
                raise AssertionError(f"{make} was made")

    yield "admin: create, list, and errors by name with a text", admin

    def long_poll():
        topic = new_topic(target)
        consumer = Consumer({"bootstrap.servers": address, "group.id": "none", "fetch.wait.max.ms": 5000, "fetch.min.bytes": 1})
        consumer.assign([TopicPartition(topic, 0, 0)])
        got = consumer.poll(0.5)
        assert got is None or no_groups(got)
        begun = time.monotonic()
        assert produce(address, topic, [(None, b"wake", None, 1)], **{"linger.ms": 0}) == []
        got = consumer.poll(10)
        while got is not None and no_groups(got):
            got = consumer.poll(10)
        took = time.monotonic() - begun
        assert got is not None and got.value() == b"wake"
        assert took < 3, f"woke after {took:.1f} s only"
        consumer.close()

    yield "a waiting fetch is woken by the next record", long_poll

    if target.kind == "sawlog":

        def groups():
            from wire import FIND_COORDINATOR

            broker = Broker(address)
            old = broker.call(FIND_COORDINATOR, 2, {"key": "g"})
            new = broker.call(FIND_COORDINATOR, 4, {"keys": ["g"]})["coordinators"][0]
            broker.close()
            for got in (old, new):
                assert name_of(got["error"]) not in ("NONE", "COORDINATOR_NOT_AVAILABLE", "COORDINATOR_LOAD_IN_PROGRESS", "NOT_COORDINATOR"), got
                assert "group" in (got["message"] or ""), got

        yield "FindCoordinator: a definite error that says that groups are not there yet (gotcha 3)", groups
