"""Doubtful questions about settings that act on records, and about a broker's own settings at run time.

Decides only what is asked; what Kafka answered stands in ../answers.tsv. Whatever a question sets on the broker it takes
back: the questions after it are asked of the same one.
"""

import time

import batch
from asking import ask, closes, said, until
from questions_admin import APPEND, BROKER, DELETE, SET, alter
from questions_describe import settings
from wire import name_of

NOW = 1_760_000_000_000


def close_to_now(ms):
    return "now" if abs(ms - time.time() * 1000) < 60_000 else ms


def stored(b, name):
    return batch.headers_of(b.fetch_part(name)["records"])


# --- message.timestamp.type


@ask("LogAppendTime: what Produce answers, and the stored batch's attributes and times")
def _(b):
    name = b.topic(message_timestamp_type="LogAppendTime")
    got = b.produce(name, batch.build([batch.record(0), batch.record(1, time_delta=5)], now=NOW, max_time=NOW + 5))
    head = stored(b, name)[0]
    return f"{said(got)} at {close_to_now(got['log_append_time'])}, attributes {head['attributes']}, first {head['first_time']}, max {close_to_now(head['max_time'])}, answered {'the same' if head['max_time'] == got['log_append_time'] else 'another'}, crc {head['crc_ok']}"


@ask("LogAppendTime: a batch of last year / of next year / without times")
def _(b):
    name = b.topic(message_timestamp_type="LogAppendTime", message_timestamp_before_max_ms="1000", message_timestamp_after_max_ms="1000")
    year = 365 * 24 * 3_600_000
    times = [int(time.time() * 1000) + delta for delta in (-year, year)] + [-1]
    return " / ".join(said(b.produce(name, batch.build(now=now))) for now in times)


@ask("LogAppendTime: a batch that says so itself")
def _(b):
    return said(b.produce(b.topic(message_timestamp_type="LogAppendTime"), batch.build(flags=8)))


@ask("LogAppendTime: an idempotent batch sent twice: the time answered the second time")
def _(b):
    name, (pid, epoch) = b.topic(message_timestamp_type="LogAppendTime"), b.producer_id()
    sent = batch.build(producer=pid, producer_epoch=epoch, sequence=0)
    first = b.produce(name, sent)
    time.sleep(0.02)
    again = b.produce(name, sent)
    return f"{said(again)}, {'the first' if again['log_append_time'] == first['log_append_time'] else close_to_now(again['log_append_time'])}"


@ask("CreateTime: an idempotent batch sent twice: the time answered the second time")
def _(b):
    name, (pid, epoch) = b.topic(), b.producer_id()
    sent = batch.build(producer=pid, producer_epoch=epoch, sequence=0)
    b.produce(name, sent)
    return str(b.produce(name, sent)["log_append_time"])


@ask("LogAppendTime: ListOffsets by time, after the records' own times")
def _(b):
    name = b.topic(message_timestamp_type="LogAppendTime")
    b.produce(name, batch.build([batch.record(0), batch.record(1)]))
    by_own, later, largest = b.offsets(name, NOW + 1), b.offsets(name, int(time.time() * 1000) + 60_000), b.offsets(name, -3)
    return f"{by_own['offset']} {close_to_now(by_own['timestamp'])} / {later['offset']} / {largest['offset']} {close_to_now(largest['timestamp'])}"


# --- message.timestamp.before.max.ms and after.max.ms


@ask("message.timestamp.before.max.ms=1000: three records, of which the second and third are too old")
def _(b):
    name, now = b.topic(message_timestamp_before_max_ms="1000"), int(time.time() * 1000)
    got = b.produce(name, batch.build([batch.record(0), batch.record(1, time_delta=-60_000), batch.record(2, time_delta=-61_000)], now=now))
    return f"{said(got)}; {len(got['record_errors'])} of them in words"


@ask("message.timestamp.after.max.ms=1000: three records, of which the first is too far ahead")
def _(b):
    name, now = b.topic(message_timestamp_after_max_ms="1000"), int(time.time() * 1000)
    got = b.produce(name, batch.build([batch.record(0, time_delta=60_000), batch.record(1), batch.record(2)], now=now, max_time=now + 60_000))
    return f"{said(got)}; {len(got['record_errors'])} of them in words"


@ask("message.timestamp.before.max.ms=1000: gzip, all records too old / a record without a time")
def _(b):
    name, now = b.topic(message_timestamp_before_max_ms="1000"), int(time.time() * 1000)
    old = b.produce(name, batch.build([batch.record(0), batch.record(1)], codec="gzip", now=now - 60_000))
    return f"{said(old)} / {said(b.produce(name, batch.build(now=-1)))}"


# --- compression.type

for want in ("uncompressed", "gzip", "snappy", "lz4", "zstd", "producer"):
    for sent in ("none", "gzip", "zstd"):

        @ask(f"compression.type={want}, sent {sent}: the codec stored, its count, times and whether its sum is right")
        def _(b, want=want, sent=sent):
            name = b.topic(compression_type=want)
            got = b.produce(name, batch.build([batch.record(i, value=b"x" * 50, time_delta=i) for i in range(9)], codec=sent, max_time=NOW + 8))
            head = stored(b, name)[0]
            return f"{said(got)}, {head['codec']}, {head['count']} records, {head['first_time'] - NOW} to {head['max_time'] - NOW}, {head['crc_ok']}"


@ask("compression.type=uncompressed, max.message.bytes=300, sent gzip of 3000 bytes that are alike")
def _(b):
    return said(b.produce(b.topic(compression_type="uncompressed", max_message_bytes="300"), batch.build([batch.record(0, value=b"x" * 3000)], codec="gzip")))


@ask("compression.type=gzip, max.message.bytes=300, sent 3000 bytes that are alike")
def _(b):
    return said(b.produce(b.topic(compression_type="gzip", max_message_bytes="300"), batch.build([batch.record(0, value=b"x" * 3000)])))


@ask("compression.type=gzip with LogAppendTime: attributes and times of the stored batch")
def _(b):
    name = b.topic(compression_type="gzip", message_timestamp_type="LogAppendTime")
    b.produce(name, batch.build([batch.record(0), batch.record(1)]))
    head = stored(b, name)[0]
    return f"attributes {head['attributes']}, max {close_to_now(head['max_time'])}, crc {head['crc_ok']}"


@ask("compression.type=none / of no codec / ZSTD")
def _(b):
    return " / ".join(name_of(b.create(b.name(), configs=[{"name": "compression.type", "value": value}])["error"]) for value in ("none", "brotli", "ZSTD"))


# --- min.insync.replicas

for acks in (-1, 1):

    @ask(f"min.insync.replicas=2 with one replica, acks={acks}")
    def _(b, acks=acks):
        name = b.topic(min_insync_replicas="2")
        return said(b.produce(name, batch.build(), acks=acks))


@ask("min.insync.replicas=0 / -1 / 1000")
def _(b):
    return " / ".join(name_of(b.create(b.name(), configs=[{"name": "min.insync.replicas", "value": value}])["error"]) for value in ("0", "-1", "1000"))


# --- bounds of other keys that act or are shown

for key, values in {
    "message.timestamp.type": ("CreateTime", "logappendtime", "x"),
    "message.timestamp.before.max.ms": ("0", "-1"),
    "message.timestamp.after.max.ms": ("0", "-1", "9223372036854775807"),
    "index.interval.bytes": ("0", "-1"),
    "segment.index.bytes": ("3", "4"),
    "file.delete.delay.ms": ("0", "-1"),
}.items():

    @ask(f"CreateTopics, {key}={' / '.join(values)}")
    def _(b, key=key, values=values):
        return " / ".join(name_of(b.create(b.name(), configs=[{"name": key, "value": value}])["error"]) for value in values)


# --- A broker's settings at run time


def told(b, name, kind, key):
    """Value, read only, source, and who says what."""
    row = settings(b, name, kind=kind, keys=[key], synonyms=True)["configs"]
    if not row:
        return "nothing"
    row = row[0]
    return f"{row['value']} {'read only' if row['read_only'] else 'may change'} source {row['source']} {[(s['name'], s['value'], s['source']) for s in row['synonyms']]}"


def while_set(b, name, key, value, then):
    """What `then` says while the broker has this setting."""
    said = alter(b, name, (key, SET, value), kind=BROKER)
    if said != "NONE":
        return said
    try:
        mine = f"('{key}', '{value}', {2 if name else 3})"
        until(lambda: mine in told(b, "1", BROKER, key))
        return then()
    finally:
        alter(b, name, (key, DELETE, None), kind=BROKER)
        until(lambda: mine not in told(b, "1", BROKER, key))


for who, where in (("", "all brokers"), ("1", "broker 1")):
    for key, value in {
        "log.retention.ms": "12345678",
        "log.segment.bytes": "2097152",
        "message.max.bytes": "2000000",
        "log.message.timestamp.type": "LogAppendTime",
        "compression.type": "lz4",
    }.items():

        @ask(f"Broker settings: {key}={value} of {where}: as it is told of broker 1")
        def _(b, who=who, key=key, value=value):
            return while_set(b, who, key, value, lambda: told(b, "1", BROKER, key))

    @ask(f"Broker settings: log.retention.ms of {where}: as it is told of a topic, of one that says so itself, and afterwards")
    def _(b, who=who):
        plain, own = b.topic(), b.topic(retention_ms="77")
        during = while_set(b, who, "log.retention.ms", "12345678", lambda: f"{told(b, plain, 2, 'retention.ms')}; {told(b, own, 2, 'retention.ms')}")
        return f"{during}; {told(b, plain, 2, 'retention.ms')}"


@ask("Broker settings: message.max.bytes=100 of all brokers acts on the next Produce of a plain topic, not of one that says so itself")
def _(b):
    plain, own = b.topic(), b.topic(max_message_bytes="10000")
    large = batch.build([batch.record(0, value=b"x" * 200)])

    def then():
        until(lambda: b.produce(plain, large)["error"] != 0)
        return f"{said(b.produce(plain, large))}, {said(b.produce(own, large))}"

    return while_set(b, "", "message.max.bytes", "100", then)


@ask("Broker settings: broker 1 before all brokers")
def _(b):
    return while_set(b, "", "log.segment.bytes", "2097152", lambda: while_set(b, "1", "log.segment.bytes", "3145728", lambda: told(b, "1", BROKER, "log.segment.bytes")))


for who, where in (("", "all brokers"), ("1", "broker 1")):
    for key, value in {
        "num.partitions": "5",
        "log.retention.hours": "5",
        "log.retention.minutes": "5",
        "log.roll.hours": "5",
        "log.retention.check.interval.ms": "1000",
        "node.id": "5",
        "listeners": "PLAINTEXT://127.0.0.1:1",
        "advertised.listeners": "PLAINTEXT://h:1",
        "auto.create.topics.enable": "false",
        "no.such.key": "5",
        "retention.ms": "5",
        "log.retention.ms": "much",
        "log.segment.bytes": "0",
        "log.message.timestamp.type": "x",
        "max.connections": "0",
        "log.cleanup.policy": "often",
    }.items():

        @ask(f"Broker settings: {key}={value} of {where}")
        def _(b, who=who, key=key, value=value):
            got = alter(b, who, (key, SET, value), kind=BROKER)
            alter(b, who, (key, DELETE, None), kind=BROKER)
            return got


ask("Broker settings: delete what is not set / what nobody knows / what is read at the start")(
    lambda b: " / ".join(alter(b, "1", (key, DELETE, None), kind=BROKER) for key in ("log.retention.ms", "no.such.key", "num.partitions"))
)
ask("Broker settings: null / '' / append to a number")(
    lambda b: " / ".join(
        closes(lambda op=op, value=value: alter(b, "1", ("log.retention.ms", op, value), kind=BROKER)) for op, value in ((SET, None), (SET, ""), (APPEND, "5"))
    )
)
ask("Broker settings: of broker 77 / of 'x' / validate only, then as it is told")(
    lambda b: " / ".join(
        [alter(b, name, ("log.retention.ms", SET, "5"), kind=BROKER) for name in ("77", "x")]
        + [alter(b, "1", ("log.retention.ms", SET, "5"), kind=BROKER, validate=True), told(b, "1", BROKER, "log.retention.ms")]
    )
)


@ask("Broker settings: what DescribeConfigs tells of all brokers while log.retention.ms is set")
def _(b):
    def then():
        rows = [(c["name"], c["value"], c["source"], c["read_only"]) for c in settings(b, "", kind=BROKER)["configs"]]
        return str([row for row in rows if row[0] == "log.retention.ms"])

    return while_set(b, "", "log.retention.ms", "12345678", then)


for key in ("log.retention.ms", "log.retention.hours", "num.partitions", "log.cleanup.policy", "min.insync.replicas"):
    ask(f"Broker settings: {key} as it is told")(lambda b, key=key: told(b, "1", BROKER, key))
