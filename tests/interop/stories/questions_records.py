"""Doubtful records: Produce, Fetch and ListOffsets where a field lies, a mark is passed, or a version cannot carry it.

Decides what is asked; what is right is what Apache Kafka answered (../answers.tsv).
"""

import time

import batch
from asking import ask, batches, closes, said, until
from batch import build, record
from wire import FETCH, LIST_OFFSETS, PRODUCE, name_of

# --- Produce: the request around the records


@ask("Produce, unknown topic")
def _(b):
    return said(b.produce(b.name(), build()))


@ask("Produce, partition 99")
def _(b):
    return said(b.produce(b.topic(), build(), index=99))


@ask("Produce, partition -1")
def _(b):
    return said(b.produce(b.topic(), build(), index=-1))


@ask("Produce, topic 'a b'")
def _(b):
    return closes(lambda: said(b.produce("a b", build())))


@ask("Produce v13, unknown topic id")
def _(b):
    return said(b.produce(None, build(), version=13, topic_id=b"\x77" * 16))


@ask("Produce v13, zero topic id")
def _(b):
    return closes(lambda: said(b.produce(None, build(), version=13, topic_id=bytes(16))))


@ask("Produce, acks 2")
def _(b):
    return closes(lambda: said(b.produce(b.topic(), build(), acks=2)))


@ask("Produce, acks -2")
def _(b):
    return closes(lambda: said(b.produce(b.topic(), build(), acks=-2)))


@ask("Produce, acks 0: no reply, stored all the same (gotcha 16)")
def _(b):
    topic = b.topic()
    body = {"acks": 0, "topics": [{"name": topic, "partitions": [{"index": 0, "records": build()}]}]}
    b.connection.send(PRODUCE, 11, body)
    return f"end {until(lambda: b.offsets(topic, -1)['offset'])}"


@ask("Produce, acks 0 with an error")
def _(b):
    body = {"acks": 0, "topics": [{"name": b.name(), "partitions": [{"index": 0, "records": build()}]}]}

    def do():
        b.connection.send(PRODUCE, 11, body)
        b.metadata([])
        return "goes on"

    return closes(do)


@ask("Produce, records null")
def _(b):
    return closes(lambda: said(b.produce(b.topic(), None)))


@ask("Produce, records of 0 bytes")
def _(b):
    return closes(lambda: said(b.produce(b.topic(), b"")))


@ask("Produce, no topics")
def _(b):
    return f"{len(b.call(PRODUCE, 11, {'topics': []})['topics'])} rows"


@ask("Produce, one partition twice in a request")
def _(b):
    topic = b.topic()

    def do():
        parts = [{"index": 0, "records": build()}, {"index": 0, "records": build()}]
        got = b.call(PRODUCE, 11, {"topics": [{"name": topic, "partitions": parts}]})["topics"][0]["partitions"]
        return f"{len(got)} rows, {sorted(said(p) for p in got)}; end {b.offsets(topic, -1)['offset']}"

    return closes(do)


@ask("Produce, transactional id with a plain batch")
def _(b):
    return closes(lambda: said(b.produce(b.topic(), build(), txn="tx")))


@ask("Produce, good and bad partition in one request")
def _(b):
    topic = b.topic()
    parts = [{"index": 0, "records": build()}, {"index": 7, "records": build()}]
    got = b.call(PRODUCE, 11, {"topics": [{"name": topic, "partitions": parts}]})["topics"][0]["partitions"]
    return " ".join(f"{p['index']}:{said(p)}" for p in sorted(got, key=lambda p: p["index"]))


# --- Produce: the batch


def lies(label, make):
    """Asks with a batch on a new topic, and whether anything was stored."""

    def question(b):
        topic = b.topic()

        def do():
            got = said(b.produce(topic, make()))
            end = b.offsets(topic, -1)["offset"]
            return got if got.startswith("ok") or end == 0 else f"{got}, yet the end is {end}"

        return closes(do)

    ask(f"Produce, batch: {label}")(question)


two = lambda: [record(0), record(1)]
lies("honest", lambda: build())
lies("CRC wrong", lambda: build(crc=1))
lies("magic 0", lambda: batch.old_set(0))
lies("magic 1", lambda: batch.old_set(1))
lies("magic 3", lambda: build(magic=3))
lies("magic -1", lambda: build(magic=-1))
lies("length 1 too small", lambda: build(length=len(build()) - 13))
lies("length 1 too large", lambda: build(length=len(build()) - 11))
lies("length 10", lambda: build(length=10))
lies("length -1", lambda: build(length=-1))
lies("length 2^31-1", lambda: build(length=0x7FFFFFFF))
lies("cut after 40 bytes", lambda: build()[:40])
lies("cut in its last byte", lambda: build()[:-1])
lies("5 bytes of garbage after it", lambda: build() + b"extra")
lies("two batches in one partition", lambda: build() + build())
lies("two batches, the second with base offset 1", lambda: build() + build(base=1))
lies("base offset 5", lambda: build(base=5))
lies("base offset -1", lambda: build(base=-1))
lies("leader epoch 7", lambda: build(epoch=7))
lies("0 records", lambda: build(records=[]))
lies("0 records, last delta 0", lambda: build(records=[], last_delta=0))
lies("count 2 with 1 record", lambda: build(count=2))
lies("count 1 with 2 records, last delta 0", lambda: build(records=two(), count=1, last_delta=0))
lies("count 1 with 2 records, last delta 1", lambda: build(records=two(), count=1, last_delta=1))
lies("count -1", lambda: build(count=-1))
lies("count 2^31-1", lambda: build(count=0x7FFFFFFF))
lies("last delta 5 with 1 record", lambda: build(last_delta=5))
lies("last delta 0 with 2 records", lambda: build(records=two(), last_delta=0))
lies("last delta -1", lambda: build(last_delta=-1))
lies("last delta 2^31-1", lambda: build(last_delta=0x7FFFFFFF))
lies("record deltas 0, 2 with last delta 2", lambda: build(records=[record(0), record(2)], last_delta=2))
lies("record deltas 0, 2 with last delta 1", lambda: build(records=[record(0), record(2)]))
lies("record deltas 1, 2", lambda: build(records=[record(1), record(2)]))
lies("record deltas 0, 0", lambda: build(records=[record(0), record(0)]))
lies("record delta -1", lambda: build(records=[record(-1)]))
lies("codec 5", lambda: build(attributes=5))
lies("codec 7", lambda: build(attributes=7))
lies("attributes: LogAppendTime", lambda: build(attributes=8))
lies("attributes: transactional, no producer", lambda: build(attributes=0x10))
lies("attributes: transactional, producer 1 epoch 0", lambda: build(attributes=0x10, producer=1, producer_epoch=0, sequence=0))
lies("attributes: control", lambda: build(attributes=0x20))
lies("attributes: control and transactional", lambda: build(attributes=0x30, producer=1, producer_epoch=0, sequence=-1))
lies("attributes: delete horizon", lambda: build(attributes=0x40))
lies("attributes: unused bit 7", lambda: build(attributes=0x80))
lies("attributes: unused bit 14", lambda: build(attributes=0x4000))
lies("first time -1, largest time -1", lambda: build(first_time=-1, max_time=-1))
lies("first time -2", lambda: build(first_time=-2, max_time=-2))
lies("largest time too small", lambda: build(max_time=1))
lies("largest time too large by 1", lambda: build(max_time=1_760_000_000_001))
lies("largest time -1, first time real", lambda: build(max_time=-1))
lies("times one day ahead", lambda: build(now=int(time.time() * 1000) + 86_400_000))
lies("times two hours ahead", lambda: build(now=int(time.time() * 1000) + 7_200_000))
lies("times of 1970", lambda: build(now=1000))
lies("times that overflow (2^63-1, delta 5)", lambda: build(records=[record(0, time_delta=5)], first_time=2**63 - 1, max_time=2**63 - 1))
lies("a record's time below zero", lambda: build(records=[record(0, time_delta=-2_000)], first_time=1000, max_time=1000))
lies("producer 1 epoch 0, sequence -1", lambda: build(producer=1, producer_epoch=0, sequence=-1))
lies("producer 1 epoch -1, sequence 0", lambda: build(producer=1, producer_epoch=-1, sequence=0))
lies("producer -1, sequence 0", lambda: build(producer=-1, producer_epoch=-1, sequence=0))
lies("producer -2", lambda: build(producer=-2, producer_epoch=0, sequence=0))
lies("producer 1 epoch 0 sequence 0, never granted", lambda: build(producer=1, producer_epoch=0, sequence=0))
lies("record: key length -2", lambda: build(records=[b"\x0c\x00\x00\x00\x03\x02v"[:1] + b"\x00\x00\x00\x03\x02v"]))
lies("record: value longer than the batch", lambda: build(records=[batch.zigzag(8) + b"\x00\x00\x00\x01" + batch.zigzag(1000) + b"v"]))
lies("record: length too small by 1", lambda: build(records=[record(0, length=6)]))
lies("record: length too large by 1", lambda: build(records=[record(0, length=8)]))
lies("record: length -1", lambda: build(records=[record(0, length=-1)]))
lies("record: a byte left over inside", lambda: build(records=[record(0, tail=b"x")]))
lies("record: attributes 0x7f", lambda: build(records=[record(0, attributes=0x7F)]))
lies("record: header key null", lambda: build(records=[record(0, headers=[(None, b"x")])]))
lies("record: header value null", lambda: build(records=[record(0, headers=[(b"k", None)])]))
lies("record: header key '' and repeated", lambda: build(records=[record(0, headers=[(b"", b"1"), (b"", b"2")])]))
lies("record: header key not UTF-8", lambda: build(records=[record(0, headers=[(b"\xff\xfe", b"x")])]))
lies("record: header count -1", lambda: build(records=[record(0, header_count=-1)]))
lies("record: header count 2^31-1", lambda: build(records=[record(0, header_count=0x7FFFFFFF)]))
lies("record: key and value null", lambda: build(records=[record(0, key=None, value=None)]))
lies("bytes left over after the records", lambda: build(body=record(0) + b"extra"))
for codec in ("gzip", "snappy", "xerial", "lz4", "zstd"):
    lies(f"{codec}, honest", lambda codec=codec: build(two(), codec=codec))
    number = "snappy" if codec == "xerial" else codec
    lies(f"{codec}, body garbage", lambda number=number: build(codec=number, body=b"garbage of some length"))
    lies(f"{codec}, body empty, count 1", lambda number=number: build(codec=number, body=b""))
    lies(f"{codec}, cut in half", lambda codec=codec, number=number: (lambda whole: build(two(), codec=number, body=whole[: len(whole) // 2]))(batch.wrap(codec, b"".join(two()))))
    lies(f"{codec}, bytes after its end", lambda codec=codec, number=number: build(two(), codec=number, body=batch.wrap(codec, b"".join(two())) + b"extra"))
    lies(f"{codec}, bytes left over after the records inside", lambda codec=codec, number=number: build(two(), codec=number, body=batch.wrap(codec, b"".join(two()) + b"extra")))
    lies(f"{codec}, count 3 with 2 records", lambda codec=codec: build(two(), codec=codec, count=3, last_delta=2))
    lies(f"{codec}, record deltas 1, 2", lambda codec=codec: build([record(1), record(2)], codec=codec))
lies("gzip of the number lz4", lambda: build(two(), codec="lz4", body=batch.wrap("gzip", b"".join(two()))))
lies("two gzip members", lambda: build(two(), codec="gzip", body=batch.wrap("gzip", record(0)) + batch.wrap("gzip", record(1))))
lies("two zstd frames", lambda: build(two(), codec="zstd", body=batch.wrap("zstd", record(0)) + batch.wrap("zstd", record(1))))
lies("two lz4 frames", lambda: build(two(), codec="lz4", body=batch.wrap("lz4", record(0)) + batch.wrap("lz4", record(1))))


@ask("Produce, what is stored of base offset 5, epoch 7 in the batch")
def _(b):
    topic = b.topic()
    b.produce(topic, build())
    got = b.produce(topic, build(epoch=7))
    stored = batches(b.fetch_part(topic, 1))[0]
    return f"{said(got)}, stored base {stored['base']} epoch {stored['epoch']}, CRC right {stored['crc_ok']}"


@ask("Produce, batch of exactly max.message.bytes; one byte more (gotcha 16)")
def _(b):
    size = len(build())
    exact = said(b.produce(b.topic(max_message_bytes=str(size)), build()))
    return f"{exact}; {said(b.produce(b.topic(max_message_bytes=str(size - 1)), build()))}"


@ask("Produce, 2 MiB batch with default max.message.bytes (gotcha 16)")
def _(b):
    return said(b.produce(b.topic(), build([record(0, value=bytes(2 << 20))], crc=0)))


@ask("Produce v6, zstd batch")
def _(b):
    return closes(lambda: said(b.produce(b.topic(), build(codec="zstd"), version=6)))


@ask("Produce v7, zstd batch")
def _(b):
    return said(b.produce(b.topic(), build(codec="zstd"), version=7))


# --- Produce: idempotence


def idempotent(b, topic, pid, epoch, sequence, n=1):
    return said(b.produce(topic, build([record(i) for i in range(n)], producer=pid, producer_epoch=epoch, sequence=sequence)))


@ask("Idempotent: first batch with sequence 5 (nothing known of the producer)")
def _(b):
    return idempotent(b, b.topic(), *b.producer_id(), 5)


@ask("Idempotent: gap after sequence 0")
def _(b):
    topic, (pid, epoch) = b.topic(), b.producer_id()
    return f"{idempotent(b, topic, pid, epoch, 0)}; {idempotent(b, topic, pid, epoch, 2)}"


@ask("Idempotent: the same batch again (gotcha 15)")
def _(b):
    topic, (pid, epoch) = b.topic(), b.producer_id()
    b.produce(topic, build())
    got = [idempotent(b, topic, pid, epoch, 0, 2) for _ in range(2)]
    return f"{got[0]}; {got[1]}; end {b.offsets(topic, -1)['offset']}"


@ask("Idempotent: each of the last five again, then the sixth last (gotcha 15)")
def _(b):
    topic, (pid, epoch) = b.topic(), b.producer_id()
    for n in range(6):
        idempotent(b, topic, pid, epoch, n)
    return "; ".join(idempotent(b, topic, pid, epoch, n) for n in (5, 4, 3, 2, 1, 0)) + f"; end {b.offsets(topic, -1)['offset']}"


@ask("Idempotent: first sequence of a known batch, another last sequence")
def _(b):
    topic, (pid, epoch) = b.topic(), b.producer_id()
    return f"{idempotent(b, topic, pid, epoch, 0, 2)}; {idempotent(b, topic, pid, epoch, 0, 3)}; {idempotent(b, topic, pid, epoch, 1, 1)}"


@ask("Idempotent: a higher epoch from sequence 0; from sequence 3; then the old epoch")
def _(b):
    topic, (pid, epoch) = b.topic(), b.producer_id()
    idempotent(b, topic, pid, epoch, 0)
    return f"{idempotent(b, topic, pid, epoch + 1, 3)}; {idempotent(b, topic, pid, epoch + 1, 0)}; {idempotent(b, topic, pid, epoch, 1)}"


@ask("Idempotent: sequence goes from 2^31-1 to 0")
def _(b):
    topic, (pid, epoch) = b.topic(), b.producer_id()
    first = idempotent(b, topic, pid, epoch, 2**31 - 2, 2)
    return f"{first}; {idempotent(b, topic, pid, epoch, 0)}"


@ask("Idempotent: two batches of one producer in one request")
def _(b):
    topic, (pid, epoch) = b.topic(), b.producer_id()
    both = build(producer=pid, producer_epoch=epoch, sequence=0) + build(producer=pid, producer_epoch=epoch, sequence=1)
    return said(b.produce(topic, both))


@ask("Idempotent: five requests in flight keep their order (gotcha 15)")
def _(b):
    topic, (pid, epoch) = b.topic(), b.producer_id()
    sent = []
    for n in range(5):
        records = build(producer=pid, producer_epoch=epoch, sequence=n)
        sent.append(b.connection.send(PRODUCE, 11, {"topics": [{"name": topic, "partitions": [{"index": 0, "records": records}]}]}))
    return "; ".join(said(b.connection.answer(PRODUCE, 11, c)["topics"][0]["partitions"][0]) for c in sent)


# --- Fetch


def part_said(part):
    got = batches(part)
    return f"{name_of(part['error'])}, hw {part['high_watermark']}, {len(got)} batches"


@ask("Fetch, unknown topic")
def _(b):
    return part_said(b.fetch_part(b.name()))


@ask("Fetch, partition 99")
def _(b):
    return part_said(b.fetch_part(b.topic(), index=99))


@ask("Fetch v13, unknown topic id")
def _(b):
    answer = b.fetch(None, version=13, topic_id=b"\x77" * 16)
    return f"{name_of(answer['error'])}; " + "; ".join(part_said(p) for t in answer["topics"] for p in t["partitions"])


@ask("Fetch v13, zero topic id")
def _(b):
    def do():
        answer = b.fetch(None, version=13, topic_id=bytes(16))
        return f"{name_of(answer['error'])}; " + "; ".join(part_said(p) for t in answer["topics"] for p in t["partitions"])

    return closes(do)


@ask("Fetch, offset -1")
def _(b):
    return part_said(b.fetch_part(b.topic(), -1))


@ask("Fetch, one past the end")
def _(b):
    return part_said(b.fetch_part(b.topic(), 1))


@ask("Fetch, at the end: waits max_wait, then answers (gotcha 12)")
def _(b):
    topic, begun = b.topic(), time.monotonic()
    got = part_said(b.fetch_part(topic, 0, max_wait_ms=300, min_bytes=1))
    return f"{got}, waited {'yes' if 0.25 < time.monotonic() - begun < 2 else 'no'}"


@ask("Fetch, min_bytes never met though there is data: waits max_wait (gotcha 12)")
def _(b):
    topic = b.topic()
    b.produce(topic, build())
    begun = time.monotonic()
    got = part_said(b.fetch_part(topic, 0, max_wait_ms=300, min_bytes=1 << 20))
    return f"{got}, waited {'yes' if 0.25 < time.monotonic() - begun < 2 else 'no'}"


@ask("Fetch, min_bytes 0 at the end: at once")
def _(b):
    topic, begun = b.topic(), time.monotonic()
    got = part_said(b.fetch_part(topic, 0, max_wait_ms=3000, min_bytes=0))
    return f"{got}, waited {'yes' if time.monotonic() - begun > 0.25 else 'no'}"


@ask("Fetch with an error in one part answers at once")
def _(b):
    topic, begun = b.topic(), time.monotonic()
    got = part_said(b.fetch_part(topic, 7, max_wait_ms=3000))
    return f"{got}, waited {'yes' if time.monotonic() - begun > 0.25 else 'no'}"


@ask("Fetch, negative max_wait at the end")
def _(b):
    return closes(lambda: part_said(b.fetch_part(b.topic(), 0, max_wait_ms=-1)))


@ask("Fetch, at an offset inside a batch: base offset of what comes (gotcha 11)")
def _(b):
    topic = b.topic()
    b.produce(topic, build([record(i) for i in range(5)]))
    return str([h["base"] for h in batches(b.fetch_part(topic, 3))])


@ask("Fetch, partition max_bytes 1: the first batch comes whole (KIP-74)")
def _(b):
    topic = b.topic()
    for _ in range(2):
        b.produce(topic, build())
    return part_said(b.fetch_part(topic, 0, part={"max_bytes": 1}))


@ask("Fetch, partition max_bytes 0")
def _(b):
    topic = b.topic()
    b.produce(topic, build())
    return part_said(b.fetch_part(topic, 0, part={"max_bytes": 0}, max_wait_ms=100))


@ask("Fetch, max_bytes 1 over two partitions: batches per partition (KIP-74)")
def _(b):
    topic = b.topic(partitions=2)
    for index in (0, 1):
        b.produce(topic, build(), index=index)
    body = {"max_bytes": 1, "topics": [{"name": topic, "partitions": [{"index": 0}, {"index": 1}]}]}
    parts = b.call(FETCH, 12, body)["topics"][0]["partitions"]
    return str(sorted(len(batches(p)) for p in parts))


@ask("Fetch, no topics, min_bytes 1: answer and wait")
def _(b):
    begun = time.monotonic()
    got = b.call(FETCH, 12, {"topics": [], "max_wait_ms": 300})
    return f"{name_of(got['error'])}, {len(got['topics'])} topics, waited {'yes' if time.monotonic() - begun > 0.25 else 'no'}"


@ask("Fetch v12, leader epoch 99")
def _(b):
    return part_said(b.fetch_part(b.topic(), 0, part={"leader_epoch": 99}))


@ask("Fetch v12, leader epoch of Metadata")
def _(b):
    topic = b.topic()
    epoch = b.metadata([topic])[0]["partitions"][0]["leader_epoch"]
    return part_said(b.fetch_part(topic, 0, part={"leader_epoch": epoch}, max_wait_ms=1)) + f", epoch {epoch}"


@ask("Fetch, session 12345 with epoch 1 that never was")
def _(b):
    got = b.fetch(b.topic(), 0, session_id=12345, session_epoch=1)
    return f"{name_of(got['error'])}, {len(got['topics'])} topics"


@ask("Fetch, session 0 epoch -1 (sessionless)")
def _(b):
    got = b.fetch(b.topic(), 0, session_id=0, session_epoch=-1, max_wait_ms=1)
    return f"{name_of(got['error'])}, session {got['session_id']}, {len(got['topics'])} topics"


@ask("Fetch, isolation 7")
def _(b):
    return closes(lambda: name_of(b.fetch(b.topic(), 0, isolation=7, max_wait_ms=1)["error"]))


@ask("Fetch v11, replica id 5, which is not a replica")
def _(b):
    def do():
        return part_said(b.fetch_part(b.topic(), 0, version=11, replica_id=5, max_wait_ms=1))

    return closes(do)


@ask("Fetch, the same partition twice")
def _(b):
    topic = b.topic()
    b.produce(topic, build())

    def do():
        parts = b.call(FETCH, 12, {"topics": [{"name": topic, "partitions": [{"index": 0}, {"index": 0}]}]})["topics"]
        return str([len(t["partitions"]) for t in parts])

    return closes(do)


for version in (9, 10):

    @ask(f"Fetch v{version} of a zstd batch")
    def _(b, version=version):
        topic = b.topic()
        assert b.produce(topic, build(codec="zstd"))["error"] == 0
        return part_said(b.fetch_part(topic, 0, version=version))


@ask("Fetch, log_start_offset, stable offset and preferred replica (gotcha 13)")
def _(b):
    topic = b.topic()
    b.produce(topic, build())
    p = b.fetch_part(topic, 0, version=12)
    return f"start {p['log_start_offset']}, stable {p['last_stable_offset']}, preferred {p['preferred_replica']}, aborted {p['aborted']}"


@ask("Fetch v12, read_committed: the list of aborted transactions when there are none")
def _(b):
    topic = b.topic()
    b.produce(topic, build())
    return str(b.fetch_part(topic, 0, version=12, isolation=1)["aborted"])


for version in (4, 7, 11, 12, 13, 15, 16, 17, 18):

    @ask(f"Fetch v{version} gives one honest batch")
    def _(b, version=version):
        topic = b.topic()
        b.produce(topic, build())
        by_id = {"topic_id": b.id_of(topic)} if version >= 13 else {}
        return part_said(b.fetch_part(topic, 0, version=version, **by_id))


for version in (3, 5, 7, 8, 9, 10, 11, 12, 13):

    @ask(f"Produce v{version} takes one honest batch")
    def _(b, version=version):
        topic = b.topic()
        by_id = {"topic_id": b.id_of(topic)} if version >= 13 else {}
        got = b.produce(topic, build(), version=version, **by_id)
        return f"{said(got)}, append time {got.get('log_append_time')}, start {got.get('log_start_offset')}"


# --- ListOffsets


def offset_said(part):
    return f"{name_of(part['error'])}, offset {part['offset']}, timestamp {part['timestamp']}"


def three_times(b):
    topic = b.topic()
    for at in (1000, 3000, 2000):
        b.produce(topic, build([record(0), record(1, time_delta=10)], now=at, max_time=at + 10))
    return topic


for label, timestamp in {
    "-1 latest": -1, "-2 earliest": -2, "-3 largest time": -3, "-4 local start": -4, "-5 last tiered": -5, "-6 earliest pending": -6, "-7": -7,
    "0": 0, "1005 (inside the first batch)": 1005, "1011": 1011, "2005": 2005, "3010": 3010, "3011 (past all)": 3011,
}.items():

    @ask(f"ListOffsets v11 of {label}, batches at 1000, 3000, 2000 (+10) (gotcha 17)")
    def _(b, timestamp=timestamp):
        return closes(lambda: offset_said(b.offsets(three_times(b), timestamp, version=11)))


for version, timestamp in ((6, -3), (7, -4), (8, -5), (10, -6)):

    @ask(f"ListOffsets v{version} of {timestamp}, which that version does not know")
    def _(b, version=version, timestamp=timestamp):
        return closes(lambda: offset_said(b.offsets(three_times(b), timestamp, version=version)))


for label, timestamp in {"-1": -1, "-2": -2, "-3": -3, "0": 0}.items():

    @ask(f"ListOffsets v7 of {label}, empty log")
    def _(b, timestamp=timestamp):
        return offset_said(b.offsets(b.topic(), timestamp))


@ask("ListOffsets, unknown topic")
def _(b):
    return offset_said(b.offsets(b.name(), -1))


@ask("ListOffsets, partition 99")
def _(b):
    return offset_said(b.offsets(b.topic(), -1, index=99))


@ask("ListOffsets, leader epoch 99")
def _(b):
    return offset_said(b.offsets(b.topic(), -1, leader_epoch=99))


@ask("ListOffsets, the same partition twice")
def _(b):
    topic = b.topic()

    def do():
        parts = [{"index": 0, "timestamp": -1}, {"index": 0, "timestamp": -2}]
        got = b.call(LIST_OFFSETS, 7, {"topics": [{"name": topic, "partitions": parts}]})["topics"][0]["partitions"]
        return " ".join(offset_said(p) for p in got)

    return closes(do)


@ask("ListOffsets, leader epoch in the answer for -1, -2 and a time")
def _(b):
    topic = three_times(b)
    return str([b.offsets(topic, at)["leader_epoch"] for at in (-1, -2, 1000)])


for version in range(1, 12):

    @ask(f"ListOffsets v{version} of the end")
    def _(b, version=version):
        topic = b.topic()
        b.produce(topic, build())
        return offset_said(b.offsets(topic, -1, version=version))


for version in range(0, 14):

    @ask(f"Metadata v{version} of one topic: error, partitions, leader, replicas")
    def _(b, version=version):
        topic = b.topic(partitions=2)
        got = b.metadata([topic], version=version)[0]
        rows = [(p["leader"], p["replicas"], p["isr"]) for p in got["partitions"]]
        return f"{name_of(got['error'])} {rows}"
