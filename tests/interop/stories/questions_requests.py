"""Doubtful requests: frames, headers, versions, ApiVersions, Metadata, CreateTopics, coordinators and producer ids.

Decides what is asked; what is right is what Apache Kafka answered (../answers.tsv).
"""

import struct

from asking import ask, closes, created, until
from wire import (API_VERSIONS, CREATE_TOPICS, FETCH, FIND_COORDINATOR, INIT_PRODUCER_ID, METADATA, PRODUCE, Api, Reader, name_of)

# --- frames and headers


def raw(b, data):
    def do():
        b.connection.send_raw(data)
        b.connection.frame()
        return "answers"

    return closes(do)


@ask("frame: length -1")
def _(b):
    return raw(b, struct.pack(">i", -1))


@ask("frame: length 0")
def _(b):
    return raw(b, struct.pack(">i", 0))


@ask("frame: 3 bytes, less than a header")
def _(b):
    return raw(b, struct.pack(">i", 3) + b"\0\x12\0")


@ask("frame: length 100 MiB + 1")
def _(b):
    return raw(b, struct.pack(">i", 100 * 1024 * 1024 + 1))


@ask("header: API key 999")
def _(b):
    return closes(lambda: b.call(Api(999, "0-0", 99, "", ""), 0, b"") and "answers")


@ask("header: API key 4 (LeaderAndIsr, gone in 4.0)")
def _(b):
    return closes(lambda: b.call(Api(4, "0-7", 99, "", ""), 0, b"") and "answers")


@ask("header: API key 56 (AlterPartition) on the clients' listener")
def _(b):
    return closes(lambda: b.call(Api(56, "2-3", 0, "", ""), 2, b"") and "answers")


@ask("header: client id null")
def _(b):
    return f"{len(b.call(METADATA, 9, {'topics': []}, client=None)['topics'])} topics"


@ask("request: Metadata v99")
def _(b):
    return closes(lambda: b.call(METADATA, 99, b"\0\0\0\0\0\0\0\0") and "answers")


@ask("request: Produce v2")
def _(b):
    return closes(lambda: b.call(PRODUCE, 2, b"\0\1\0\0\0\0\0\0\0\0") and "answers")


@ask("request: Fetch v3")
def _(b):
    return closes(lambda: b.call(FETCH, 3, b"\0" * 20) and "answers")


@ask("request: Metadata v9 cut short")
def _(b):
    return closes(lambda: b.call(METADATA, 9, b"\2\5ab") and "answers")


@ask("request: Metadata v9 with a list of 2^31 topics and no bytes behind")
def _(b):
    return closes(lambda: b.call(METADATA, 9, b"\xff\xff\xff\xff\x07") and "answers")


@ask("request: Metadata v8 with a list of 2^31-1 topics and no bytes behind")
def _(b):
    return closes(lambda: b.call(METADATA, 8, b"\x7f\xff\xff\xff") and "answers")


@ask("request: Metadata v8 with a list of -2 topics")
def _(b):
    def do():
        return "answers" if b.call(METADATA, 8, struct.pack(">i", -2) + bytes(3)) else ""

    return closes(do)


@ask("request: Metadata v9 with 5 bytes left over")
def _(b):
    return closes(lambda: b.call(METADATA, 9, {"topics": []}, extra=b"extra") and "answers")


@ask("request: Metadata v9 with an unknown tagged field")
def _(b):
    return closes(lambda: b.call(METADATA, 9, b"\1\1\0\0" + b"\1\x63\3abc") and "answers")


@ask("request: Metadata v9, a topic name that is not UTF-8")
def _(b):
    def do():
        topic = b.call(METADATA, 9, b"\2\3\xff\xfe\0" + b"\0\0\0\0")["topics"][0]
        return name_of(topic["error"])

    return closes(do)


# --- ApiVersions


def versions_v0(b, version):
    correlation = b.connection.send(API_VERSIONS, version, b"\0" * 8, flexible=version >= 3)
    frame = Reader(b.connection.frame())
    assert frame.int("i") == correlation
    error, rows = frame.int("h"), frame.int("i")
    listed = [(frame.int("h"), frame.int("h"), frame.int("h")) for _ in range(rows)]
    left = len(frame.data) - frame.at
    what = "all keys" if rows > 1 else "key 18 from version " + str(next(low for key, low, _ in listed if key == 18))
    return f"{name_of(error)} in a v0 body that lists {what}, {left} bytes after"


@ask("ApiVersions v99 (gotcha 1)")
def _(b):
    return closes(lambda: versions_v0(b, 99))


@ask("ApiVersions v32767 (gotcha 1)")
def _(b):
    return closes(lambda: versions_v0(b, 32767))


@ask("ApiVersions v-1")
def _(b):
    return closes(lambda: versions_v0(b, -1))


def software(b, name, version):
    got = b.call(API_VERSIONS, 3, {"software_name": name, "software_version": version})
    return f"{name_of(got['error'])}, keys {'listed' if got['keys'] else 'not listed'}"


for label, pair in {
    "empty": ("", ""),
    "name '-a'": ("-a", "1"),
    "name 'a b'": ("a b", "1"),
    "name 'a.b-c'": ("a.b-c", "1.0-x"),
    "version 'v 1'": ("a", "v 1"),
    "name 'é'": ("é", "1"),
}.items():
    ask(f"ApiVersions v3, software {label} (gotcha 2)")(lambda b, pair=pair: closes(lambda: software(b, *pair)))


@ask("ApiVersions v3: ranges of the keys served (gotcha 3)")
def _(b):
    rows = {k["key"]: k for k in b.call(API_VERSIONS, 3, {})["keys"]}
    return "; ".join(f"{key}: {rows[key]['min']}-{rows[key]['max']}" for key in (0, 1, 2, 3, 10, 19, 22))


@ask("ApiVersions v3 against v4: features with a minimum of 0 (KAFKA-17011)")
def _(b):
    count = lambda v: sum(1 for f in b.call(API_VERSIONS, v, {}).get("supported_features", []) if f["min"] == 0)
    return f"v3 lists {'some' if count(3) else 'none'}, v4 lists {'some' if count(4) else 'none'}"


# --- Metadata


def meta(b, name, version=12, auto=True):
    return name_of(b.metadata([name], version=version, auto=auto)[0]["error"])


ILLEGAL = {
    "''": "", "'.'": ".", "'..'": "..", "'a b'": "a b", "'a/b'": "a/b", "'ä'": "ä", "'a:b'": "a:b", "'a\\0b'": "a\0b", "250 letters": "x" * 250,
}
for label, name in ILLEGAL.items():
    ask(f"Metadata v12 auto-create, topic {label}")(lambda b, name=name: closes(lambda: meta(b, name)))
    ask(f"Metadata v12 without auto-create, topic {label}")(lambda b, name=name: closes(lambda: meta(b, name, auto=False)))
    ask(f"CreateTopics, topic {label}")(lambda b, name=name: closes(lambda: created(b.create(name))))


@ask("CreateTopics, topic of 249 letters")
def _(b):
    return created(b.create(b.name().ljust(249, "x")))


@ask("Metadata v12 auto-create, new topic: first answer, later answer (gotcha 8)")
def _(b):
    name = b.name("auto")
    first = meta(b, name)
    topic = until(lambda: next((t for t in b.metadata([name]) if t["error"] == 0), None))
    return f"{first}, then NONE with {len(topic['partitions'])} partitions"


@ask("Metadata v3 (always auto-creates), unknown topic")
def _(b):
    first = b.call(METADATA, 3, {"topics": [{"name": b.name("auto")}]})["topics"][0]["error"]
    return "creates" if name_of(first) in ("LEADER_NOT_AVAILABLE", "NONE", "UNKNOWN_TOPIC_OR_PARTITION") else name_of(first)


@ask("Metadata v12 without auto-create, unknown topic")
def _(b):
    return meta(b, b.name(), auto=False)


@ask("Metadata v12 auto-create of a name that collides in '.' and '_'")
def _(b):
    stem = b.name("c")
    assert b.create(f"{stem}.x")["error"] == 0
    return meta(b, f"{stem}_x")


@ask("CreateTopics of a name that collides in '.' and '_'")
def _(b):
    stem = b.name("c")
    assert b.create(f"{stem}.x")["error"] == 0
    return created(b.create(f"{stem}_x"))


@ask("CreateTopics of two names that collide, in one request")
def _(b):
    stem = b.name("c")
    got = b.call(CREATE_TOPICS, 7, {"topics": [{"name": f"{stem}.x"}, {"name": f"{stem}_x"}]})["topics"]
    return " ".join(sorted(created(t) for t in got))


@ask("Metadata v0, empty list / v1, empty list / v1, null list")
def _(b):
    b.topic()
    count = lambda version, topics: "all" if b.call(METADATA, version, {"topics": topics})["topics"] else "none"
    return f"{count(0, [])} / {count(1, [])} / {count(1, None)}"


@ask("Metadata v12 by id of a known topic")
def _(b):
    name = b.topic()
    got = b.call(METADATA, 12, {"topics": [{"topic_id": b.id_of(name), "name": None}]})["topics"][0]
    return f"{name_of(got['error'])}, name {'given' if got['name'] == name else got['name']}"


@ask("Metadata v12 by an unknown id")
def _(b):
    got = b.call(METADATA, 12, {"topics": [{"topic_id": b"\x77" * 16, "name": None}]})["topics"][0]
    return f"{name_of(got['error'])}, name {got['name']}"


@ask("Metadata v10 by id of a known topic (gotcha 5)")
def _(b):
    topic = b.id_of(b.topic())
    return closes(lambda: name_of(b.call(METADATA, 10, {"topics": [{"topic_id": topic, "name": ""}]})["topics"][0]["error"]))


@ask("Metadata v10, a topic's name null (gotcha 5)")
def _(b):
    return closes(lambda: b.call(METADATA, 10, {"topics": [{"topic_id": b"\x77" * 16, "name": None}]}) and "answers")


@ask("Metadata v12, name null and id zero")
def _(b):
    def do():
        got = b.call(METADATA, 12, {"topics": [{"name": None}]})["topics"]
        return f"{len(got)} topics" if not got else name_of(got[0]["error"])

    return closes(do)


@ask("Metadata v12, both name and id of a known topic")
def _(b):
    name = b.topic()
    return closes(lambda: name_of(b.call(METADATA, 12, {"topics": [{"topic_id": b.id_of(name), "name": name}]})["topics"][0]["error"]))


@ask("Metadata v12, the same name twice")
def _(b):
    name = b.topic()
    return f"{len(b.metadata([name, name]))} rows"


@ask("Metadata: authorized operations when asked for, v12; when not")
def _(b):
    name = b.topic()
    asked = b.call(METADATA, 12, {"topics": [{"name": name}], "topic_operations": True})["topics"][0]["operations"]
    return f"{asked}; {b.metadata([name])[0]['operations']}"


# --- CreateTopics


def create(b, **fields):
    return closes(lambda: created(b.create(b.name(), **fields)))


def with_config(key, value):
    return lambda b: create(b, configs=[{"name": key, "value": value}])


ask("CreateTopics, 0 partitions")(lambda b: create(b, partitions=0))
ask("CreateTopics, -2 partitions")(lambda b: create(b, partitions=-2))
ask("CreateTopics, replication 0")(lambda b: create(b, replication=0))
ask("CreateTopics, replication 2 on one broker")(lambda b: create(b, replication=2))
ask("CreateTopics v4, -1 partitions and replication -1 (KIP-464)")(lambda b: create(b, version=4, partitions=-1, replication=-1))
ask("CreateTopics v3, -1 partitions and replication -1")(lambda b: create(b, version=3, partitions=-1, replication=-1))
ask("CreateTopics, assignment [0: 1] with -1 and -1")(
    lambda b: create(b, partitions=-1, replication=-1, assignments=[{"index": 0, "brokers": [1]}])
)
ask("CreateTopics, assignment beside a partition count")(
    lambda b: create(b, partitions=1, replication=1, assignments=[{"index": 0, "brokers": [1]}])
)
ask("CreateTopics, assignment that starts at partition 1")(
    lambda b: create(b, partitions=-1, replication=-1, assignments=[{"index": 1, "brokers": [1]}])
)
ask("CreateTopics, assignment to an unknown broker")(
    lambda b: create(b, partitions=-1, replication=-1, assignments=[{"index": 0, "brokers": [9]}])
)
ask("CreateTopics, assignment with the same broker twice")(
    lambda b: create(b, partitions=-1, replication=-1, assignments=[{"index": 0, "brokers": [1, 1]}])
)
ask("CreateTopics, 100001 partitions")(lambda b: create(b, partitions=100_001))
ask("CreateTopics, unknown config key")(with_config("no.such.key", "1"))
ask("CreateTopics, broker's config key (num.partitions)")(with_config("num.partitions", "1"))
ask("CreateTopics, segment.bytes=abc")(with_config("segment.bytes", "abc"))
ask("CreateTopics, segment.bytes=0")(with_config("segment.bytes", "0"))
ask("CreateTopics, segment.bytes=1048575")(with_config("segment.bytes", "1048575"))
ask("CreateTopics, segment.bytes=1048576")(with_config("segment.bytes", "1048576"))
ask("CreateTopics, segment.bytes=2147483648")(with_config("segment.bytes", "2147483648"))
ask("CreateTopics, segment.bytes=' 1048576 '")(with_config("segment.bytes", " 1048576 "))
ask("CreateTopics, segment.ms=0")(with_config("segment.ms", "0"))
ask("CreateTopics, segment.ms=1")(with_config("segment.ms", "1"))
ask("CreateTopics, retention.ms=-1")(with_config("retention.ms", "-1"))
ask("CreateTopics, retention.ms=-2")(with_config("retention.ms", "-2"))
ask("CreateTopics, retention.bytes=-2")(with_config("retention.bytes", "-2"))
ask("CreateTopics, max.message.bytes=-1")(with_config("max.message.bytes", "-1"))
ask("CreateTopics, max.message.bytes=0")(with_config("max.message.bytes", "0"))
ask("CreateTopics, config value null")(with_config("retention.ms", None))
ask("CreateTopics, config value ''")(with_config("retention.ms", ""))
ask("CreateTopics, config key ''")(with_config("", "1"))


@ask("CreateTopics, the same config key twice")
def _(b):
    return create(b, configs=[{"name": "retention.ms", "value": "1"}, {"name": "retention.ms", "value": "2"}])


@ask("CreateTopics, a topic that exists")
def _(b):
    return created(b.create(b.topic()))


@ask("CreateTopics, the same name twice in one request")
def _(b):
    name = b.name()
    got = b.call(CREATE_TOPICS, 7, {"topics": [{"name": name}, {"name": name}]})["topics"]
    after = b.metadata([name], auto=False)[0]["error"]
    return f"{len(got)} row, {created(got[0])}; afterwards {name_of(after)}"


@ask("CreateTopics, good and bad in one request (gotcha 27)")
def _(b):
    got = b.call(CREATE_TOPICS, 7, {"topics": [{"name": b.name()}, {"name": "a b"}, {"name": b.name(), "partitions": 0}]})["topics"]
    return " ".join(sorted(created(t) for t in got))


@ask("CreateTopics, validate only: answer, and is it there afterwards")
def _(b):
    name = b.name()
    got = b.call(CREATE_TOPICS, 7, {"topics": [{"name": name, "partitions": 3}], "validate_only": True})["topics"][0]
    after = b.metadata([name], auto=False)[0]["error"]
    return f"{created(got)} {got['partitions']}x{got['replication']}, id {'given' if any(got['topic_id']) else 'zero'}; afterwards {name_of(after)}"


@ask("CreateTopics v7, no topics at all")
def _(b):
    return f"{len(b.call(CREATE_TOPICS, 7, {'topics': []})['topics'])} rows"


@ask("CreateTopics v7 answers with id, counts and configs")
def _(b):
    got = b.create(b.name(), partitions=2, configs=[{"name": "retention.ms", "value": "1234"}])
    mine = [(c["value"], c["source"]) for c in got["configs"] if c["name"] == "retention.ms"]
    return f"{got['partitions']}x{got['replication']}, id {'given' if any(got['topic_id']) else 'zero'}, retention.ms {mine}"




@ask("CreateTopics, topic __cluster_metadata")
def _(b):
    return closes(lambda: created(b.create("__cluster_metadata")))


@ask("Metadata v12 auto-create, topic __cluster_metadata: first, then")
def _(b):
    first = meta(b, "__cluster_metadata")
    b.topic()  # whatever was asked for before has happened once a later topic stands
    return f"{first}; {meta(b, '__cluster_metadata')}"



# --- coordinators and producer ids


def coordinator(b, version, key, kind=0):
    if version >= 4:
        got = b.call(FIND_COORDINATOR, version, {"keys": [key], "key_type": kind})["coordinators"][0]
    else:
        got = b.call(FIND_COORDINATOR, version, {"key": key, "key_type": kind} if version else {"key": key})
    return name_of(got["error"])


ask("FindCoordinator v3, key type 9")(lambda b: closes(lambda: coordinator(b, 3, "g", 9)))
ask("FindCoordinator v4, key type 9")(lambda b: closes(lambda: coordinator(b, 4, "g", 9)))
ask("FindCoordinator v4, no keys")(lambda b: closes(lambda: f"{len(b.call(FIND_COORDINATOR, 4, {'keys': []})['coordinators'])} rows"))
ask("FindCoordinator v4, key type 2 (share needs v6)")(lambda b: closes(lambda: coordinator(b, 4, "g", 2)))


def init(b, version, **fields):
    b.producer_id()  # once one was granted, no coordinator is still loading
    got = b.call(INIT_PRODUCER_ID, version, fields)
    given = "a new id, epoch" if got["producer_id"] >= 0 else f"id {got['producer_id']}, epoch"
    return f"{name_of(got['error'])}, {given} {got['producer_epoch']}"


for version in range(0, 6):
    ask(f"InitProducerId v{version}, plain idempotence")(lambda b, version=version: closes(lambda: init(b, version)))
ask("InitProducerId v4, transactional id ''")(lambda b: closes(lambda: init(b, 4, transactional_id="")))
ask("InitProducerId v4, no transactional id, timeout 0")(lambda b: closes(lambda: init(b, 4, timeout_ms=0)))
ask("InitProducerId v4, no transactional id, timeout -1")(lambda b: closes(lambda: init(b, 4, timeout_ms=-1)))
ask("InitProducerId v4, no transactional id, producer 5 epoch 3")(lambda b: closes(lambda: init(b, 4, producer_id=5, producer_epoch=3)))
ask("InitProducerId v4, no transactional id, producer 5 epoch -1")(lambda b: closes(lambda: init(b, 4, producer_id=5, producer_epoch=-1)))


@ask("InitProducerId twice gives two ids")
def _(b):
    return str(b.producer_id()[0] != b.producer_id()[0])
