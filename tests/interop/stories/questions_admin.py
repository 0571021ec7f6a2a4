"""Doubtful questions about what changes topics: deletion, trimming, more partitions, settings.

Decides only what is asked; what Kafka answered stands in ../answers.tsv.
"""

import batch
from asking import ask, closes, until
from wire import name_of
from wire_admin import ALTER_CONFIGS, CREATE_PARTITIONS, DELETE_RECORDS, DELETE_TOPICS, INCREMENTAL_ALTER_CONFIGS

TOPIC, BROKER = 2, 4


def filled(b, records=10, **configs):
    """A topic of one partition with so many records, one in each batch."""
    name = b.topic(**configs)
    for _ in range(records):
        assert b.produce(name, batch.build())["error"] == 0
    return name


# --- DeleteTopics


def deleted(rows):
    return ", ".join(name_of(row["error"]) for row in rows)


def delete(b, *names, version=5, **fields):
    return b.call(DELETE_TOPICS, version, {"names": list(names), **fields})["topics"]


def delete_states(b, *states):
    return b.call(DELETE_TOPICS, 6, {"topics": list(states)})["topics"]


for version in range(1, 6):

    @ask(f"DeleteTopics v{version} of a topic, and of none")
    def _(b, version=version):
        rows = delete(b, b.topic(), version=version) + delete(b, b.name(), version=version)
        return deleted(rows)


@ask("DeleteTopics v6 by name: what is told")
def _(b):
    name = b.topic()
    row = delete_states(b, {"name": name})[0]
    return f"{name_of(row['error'])}, name {'given' if row['name'] == name else row['name']}, id {'given' if any(row['topic_id']) else 'zero'}"


@ask("DeleteTopics v6 by id: what is told")
def _(b):
    name = b.topic()
    row = delete_states(b, {"name": None, "topic_id": b.id_of(name)})[0]
    return f"{name_of(row['error'])}, name {'given' if row['name'] == name else row['name']}, id {'given' if any(row['topic_id']) else 'zero'}"


@ask("DeleteTopics v6 by an unknown id / by an unknown name")
def _(b):
    rows = delete_states(b, {"name": None, "topic_id": b"\x77" * 16}) + delete_states(b, {"name": b.name()})
    return " / ".join(f"{name_of(row['error'])}, name {'null' if row['name'] is None else 'given'}" for row in rows)


@ask("DeleteTopics v6, both name and id")
def _(b):
    name = b.topic()
    rows = delete_states(b, {"name": name, "topic_id": b.id_of(name)})
    return f"{deleted(rows)}; afterwards {name_of(b.metadata([name], auto=False)[0]['error'])}"


@ask("DeleteTopics v6, neither name nor id")
def _(b):
    return closes(lambda: deleted(delete_states(b, {"name": None})))


@ask("DeleteTopics, one name twice")
def _(b):
    name = b.topic()
    rows = delete(b, name, name)
    return f"{len(rows)} rows, {deleted(rows)}; afterwards {name_of(b.metadata([name], auto=False)[0]['error'])}"


@ask("DeleteTopics v6, one topic by name and by id")
def _(b):
    name = b.topic()
    rows = delete_states(b, {"name": name}, {"name": None, "topic_id": b.id_of(name)})
    return f"{len(rows)} rows, {deleted(rows)}; afterwards {name_of(b.metadata([name], auto=False)[0]['error'])}"


@ask("DeleteTopics v6, one unknown id twice")
def _(b):
    rows = delete_states(b, *[{"name": None, "topic_id": b"\x77" * 16}] * 2)
    return f"{len(rows)} rows, {deleted(rows)}"


@ask("DeleteTopics of no topics")
def _(b):
    return f"{len(delete(b))} rows"


@ask("DeleteTopics of an illegal name / of __cluster_metadata")
def _(b):
    return f"{deleted(delete(b, 'a b'))} / {deleted(delete(b, '__cluster_metadata'))}"


@ask("DeleteTopics, then Produce and Fetch by name, Fetch by the old id")
def _(b):
    name = filled(b, 1)
    topic = b.id_of(name)
    assert delete(b, name)[0]["error"] == 0
    until(lambda: b.metadata([name], auto=False)[0]["error"] != 0)
    until(lambda: b.produce(name, batch.build())["error"] == 3)
    by_name, by_id = b.fetch_part(name), b.fetch_part("", version=13, topic_id=topic)
    return f"{name_of(b.produce(name, batch.build())['error'])}, {name_of(by_name['error'])}, {name_of(by_id['error'])}"


@ask("DeleteTopics, then the same name again: the first offset, and whether the id is another")
def _(b):
    name = filled(b, 3)
    before = b.id_of(name)
    assert delete(b, name)[0]["error"] == 0
    until(lambda: b.create(name)["error"] == 0)
    until(lambda: b.metadata([name], auto=False)[0]["error"] == 0)
    got = until(lambda: (lambda part: part if part["error"] == 0 else None)(b.produce(name, batch.build())))
    return f"{got['base_offset']}, {'another' if b.id_of(name) != before else 'the same'}"


# --- CreatePartitions


def grow(b, name, count, version=3, validate=False, **fields):
    body = {"topics": [{"name": name, "count": count, **fields}], "validate_only": validate}
    return name_of(b.call(CREATE_PARTITIONS, version, body)["topics"][0]["error"])


def grown(b, name):
    return len(b.metadata([name], auto=False)[0]["partitions"])


for version in range(0, 4):

    @ask(f"CreatePartitions v{version}, from 1 to 3: answer, then how many")
    def _(b, version=version):
        name = b.topic()
        said = grow(b, name, 3, version)
        until(lambda: grown(b, name) == 3)
        return f"{said}, 3"


ask("CreatePartitions of no topic")(lambda b: grow(b, b.name(), 3))
ask("CreatePartitions, the count that is / one less / 0 / -1")(
    lambda b: " / ".join(grow(b, name, count) for name in [b.topic(partitions=2)] for count in (2, 1, 0, -1))
)
ask("CreatePartitions, 10001 more, validate only")(lambda b: grow(b, b.topic(), 10_002, validate=True))
ask("CreatePartitions, too few assignments")(lambda b: grow(b, b.topic(), 3, assignments=[{"brokers": [1]}]))
ask("CreatePartitions, too many assignments")(lambda b: grow(b, b.topic(), 2, assignments=[{"brokers": [1]}] * 2))
ask("CreatePartitions, assigned to an unknown broker")(lambda b: grow(b, b.topic(), 2, assignments=[{"brokers": [9]}]))
ask("CreatePartitions, assigned to one broker twice")(lambda b: grow(b, b.topic(), 2, assignments=[{"brokers": [1, 1]}]))
ask("CreatePartitions, assigned to nobody")(lambda b: grow(b, b.topic(), 2, assignments=[{"brokers": []}]))
ask("CreatePartitions, assigned well")(lambda b: grow(b, b.topic(), 2, assignments=[{"brokers": [1]}]))
ask("CreatePartitions, an empty list of assignments")(lambda b: grow(b, b.topic(), 2, assignments=[]))


@ask("CreatePartitions, validate only: answer, then how many")
def _(b):
    name = b.topic()
    return f"{grow(b, name, 3, validate=True)}, {grown(b, name)}"


@ask("CreatePartitions, one topic twice")
def _(b):
    name = b.topic()
    rows = b.call(CREATE_PARTITIONS, 3, {"topics": [{"name": name, "count": 2}, {"name": name, "count": 3}]})["topics"]
    return f"{len(rows)} rows, {', '.join(name_of(row['error']) for row in rows)}; afterwards {grown(b, name)}"


@ask("CreatePartitions, good and bad in one request")
def _(b):
    topics = [{"name": b.topic(), "count": 2}, {"name": b.name(), "count": 2}, {"name": b.topic(), "count": 1}]
    rows = b.call(CREATE_PARTITIONS, 3, {"topics": topics})["topics"]
    return " ".join(sorted(name_of(row["error"]) for row in rows))


# --- DeleteRecords


def trim(b, name, offset, version=2, index=0):
    body = {"topics": [{"name": name, "partitions": [{"index": index, "offset": offset}]}]}
    row = b.call(DELETE_RECORDS, version, body)["topics"][0]["partitions"][0]
    return f"{name_of(row['error'])} at {row['low_watermark']}"


def begins(b, name):
    return b.offsets(name, -2)["offset"]


for version in range(0, 3):

    @ask(f"DeleteRecords v{version}, 10 records, up to 4: answer, then the first offset")
    def _(b, version=version):
        name = filled(b)
        return f"{trim(b, name, 4, version)}, {begins(b, name)}"


ask("DeleteRecords up to -1 (all) of 10 records")(lambda b: trim(b, filled(b), -1))
ask("DeleteRecords up to -2")(lambda b: trim(b, filled(b), -2))
ask("DeleteRecords up to 10 of 10 / 11 of 10")(lambda b: " / ".join(trim(b, filled(b), n) for n in (10, 11)))
ask("DeleteRecords up to 0")(lambda b: trim(b, filled(b), 0))
ask("DeleteRecords of no topic / of no partition")(lambda b: f"{trim(b, b.name(), 1)} / {trim(b, filled(b, 1), 1, index=7)}")


@ask("DeleteRecords up to 6, then up to 2")
def _(b):
    name = filled(b)
    return f"{trim(b, name, 6)}, {trim(b, name, 2)}, {begins(b, name)}"


@ask("DeleteRecords, then Fetch below, at and in the middle of a batch")
def _(b):
    name = b.topic()
    for _ in range(2):
        assert b.produce(name, batch.build([batch.record(i) for i in range(4)]))["error"] == 0
    trimmed = trim(b, name, 2)
    below, at = b.fetch_part(name, offset=1), b.fetch_part(name, offset=2)
    heads = batch.headers_of(at["records"] or b"")
    return f"{trimmed}; {name_of(below['error'])}; {name_of(at['error'])} start {at['log_start_offset']}, {len(heads)} batches from {heads[0]['base']}"


@ask("DeleteRecords of everything, then Produce")
def _(b):
    name = filled(b, 3)
    trim(b, name, -1)
    got = b.produce(name, batch.build())
    return f"{name_of(got['error'])} at {got['base_offset']}, start {got['log_start_offset']}"


@ask("DeleteRecords, one partition twice")
def _(b):
    name = filled(b)
    body = {"topics": [{"name": name, "partitions": [{"index": 0, "offset": 3}, {"index": 0, "offset": 5}]}]}
    rows = [row for topic in b.call(DELETE_RECORDS, 2, body)["topics"] for row in topic["partitions"]]
    return f"{len(rows)} rows, {', '.join(name_of(row['error']) for row in rows)}; afterwards {begins(b, name)}"


# --- AlterConfigs and IncrementalAlterConfigs

SET, DELETE, APPEND, SUBTRACT = range(4)


def alter(b, name, *configs, version=1, kind=TOPIC, validate=False):
    rows = [{"name": key, "op": op, "value": value} for key, op, value in configs]
    body = {"resources": [{"type": kind, "name": name, "configs": rows}], "validate_only": validate}
    return name_of(b.call(INCREMENTAL_ALTER_CONFIGS, version, body)["results"][0]["error"])


def replace(b, name, *configs, version=2, kind=TOPIC, validate=False):
    rows = [{"name": key, "value": value} for key, value in configs]
    body = {"resources": [{"type": kind, "name": name, "configs": rows}], "validate_only": validate}
    return name_of(b.call(ALTER_CONFIGS, version, body)["results"][0]["error"])


for version in (0, 1):
    ask(f"IncrementalAlterConfigs v{version}, set retention.ms")(
        lambda b, version=version: alter(b, b.topic(), ("retention.ms", SET, "1234"), version=version)
    )
for version in (0, 1, 2):
    ask(f"AlterConfigs v{version}, retention.ms")(lambda b, version=version: replace(b, b.topic(), ("retention.ms", "1234"), version=version))

for label, change in {
    "set a key nobody knows": ("no.such.key", SET, "1"),
    "delete a key nobody knows": ("no.such.key", DELETE, None),
    "set to null": ("retention.ms", SET, None),
    "set to ''": ("retention.ms", SET, ""),
    "set to what is out of bounds": ("segment.bytes", SET, "1"),
    "set to no number": ("segment.bytes", SET, "many"),
    "delete what is not set": ("retention.ms", DELETE, None),
    "delete with a value": ("retention.ms", DELETE, "5"),
    "append to a number": ("retention.ms", APPEND, "5"),
    "subtract from a number": ("retention.ms", SUBTRACT, "5"),
    "append delete to cleanup.policy": ("cleanup.policy", APPEND, "delete"),
    "subtract compact from cleanup.policy": ("cleanup.policy", SUBTRACT, "compact"),
    "append what is none to cleanup.policy": ("cleanup.policy", APPEND, "often"),
    "append null to cleanup.policy": ("cleanup.policy", APPEND, None),
    "operation 7": ("retention.ms", 7, "5"),
    "a broker's key": ("num.partitions", SET, "5"),
}.items():
    ask(f"IncrementalAlterConfigs, {label}")(lambda b, change=change: closes(lambda: alter(b, b.topic(), change)))

ask("IncrementalAlterConfigs, one key twice")(lambda b: alter(b, b.topic(), ("retention.ms", SET, "5"), ("retention.ms", SET, "6")))
ask("IncrementalAlterConfigs of no topic / of a resource of type 9 / of type 0")(
    lambda b: " / ".join(
        closes(lambda kind=kind: alter(b, b.name(), ("retention.ms", SET, "5"), kind=kind)) for kind in (TOPIC, 9, 0)
    )
)
ask("IncrementalAlterConfigs of no keys at all")(lambda b: alter(b, b.topic()))
ask("AlterConfigs of no topic / set to null / a key nobody knows")(
    lambda b: f"{replace(b, b.name(), ('retention.ms', '5'))} / {closes(lambda: replace(b, b.topic(), ('retention.ms', None)))} / {replace(b, b.topic(), ('no.such.key', '5'))}"
)
ask("AlterConfigs, one key twice")(lambda b: closes(lambda: replace(b, b.topic(), ("retention.ms", "5"), ("retention.ms", "6"))))
ask("IncrementalAlterConfigs, broker 1, a key that is read at its start")(lambda b: alter(b, "1", ("num.partitions", SET, "5"), kind=BROKER))
ask("IncrementalAlterConfigs, broker 77")(lambda b: alter(b, "77", ("num.partitions", SET, "5"), kind=BROKER))


@ask("IncrementalAlterConfigs, one topic twice")
def _(b):
    name = b.topic()
    one = {"type": TOPIC, "name": name, "configs": [{"name": "retention.ms", "op": SET, "value": "5"}]}
    rows = b.call(INCREMENTAL_ALTER_CONFIGS, 1, {"resources": [one, one]})["results"]
    return f"{len(rows)} rows, {', '.join(name_of(row['error']) for row in rows)}"


@ask("IncrementalAlterConfigs, a good and a bad key in one topic, beside a good topic")
def _(b):
    def resource(*configs):
        return {"type": TOPIC, "name": b.topic(), "configs": [{"name": key, "op": SET, "value": value} for key, value in configs]}

    body = {"resources": [resource(("retention.ms", "5"), ("no.such.key", "1")), resource(("retention.ms", "5"))]}
    rows = b.call(INCREMENTAL_ALTER_CONFIGS, 1, body)["results"]
    return " ".join(sorted(name_of(row["error"]) for row in rows))


@ask("IncrementalAlterConfigs, max.message.bytes=100 acts on the next Produce")
def _(b):
    name = b.topic()
    assert alter(b, name, ("max.message.bytes", SET, "100")) == "NONE"
    large = batch.build([batch.record(0, value=b"x" * 200)])
    until(lambda: b.produce(name, large)["error"] != 0)
    return name_of(b.produce(name, large)["error"])
