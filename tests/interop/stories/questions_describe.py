"""Doubtful questions of those who only look: settings, the cluster, pages of partitions, epochs, producers, sizes, the quorum.

Decides only what is asked; what Kafka answered stands in ../answers.tsv.
"""

import batch
from asking import ask, closes, until
from questions_admin import BROKER, SET, TOPIC, alter, filled
from wire import name_of
from wire_admin import (DESCRIBE_CLUSTER, DESCRIBE_CONFIGS, DESCRIBE_LOG_DIRS, DESCRIBE_PRODUCERS, DESCRIBE_QUORUM, DESCRIBE_TOPIC_PARTITIONS,
                        LIST_CONFIG_RESOURCES, OFFSET_FOR_LEADER_EPOCH)

# --- DescribeConfigs


def settings(b, name, version=4, kind=TOPIC, keys=None, **fields):
    body = {"resources": [{"type": kind, "name": name, "keys": keys}], **fields}
    return b.call(DESCRIBE_CONFIGS, version, body)["results"][0]


def setting(b, name, key, version=4, **fields):
    rows = settings(b, name, version, keys=[key], **fields)["configs"]
    return [(row["value"], row["read_only"], row["source"], row.get("type"), len(row["synonyms"])) for row in rows]


for version in range(1, 5):

    @ask(f"DescribeConfigs v{version}, retention.ms that is set: value, read only, source, type, synonyms")
    def _(b, version=version):
        return str(setting(b, b.topic(retention_ms="1234"), "retention.ms", version))


ask("DescribeConfigs, segment.bytes that nobody set, with synonyms")(lambda b: str(setting(b, b.topic(), "segment.bytes", synonyms=True)))
ask("DescribeConfigs, retention.ms that is set, with synonyms: their sources")(
    lambda b: str([s["source"] for row in settings(b, b.topic(retention_ms="1234"), keys=["segment.bytes"], synonyms=True)["configs"] for s in row["synonyms"]])
)
for key in ("cleanup.policy", "compression.type", "min.insync.replicas", "message.timestamp.type", "max.message.bytes"):
    ask(f"DescribeConfigs, {key} of a plain topic")(lambda b, key=key: str(setting(b, b.topic(), key)))
ask("DescribeConfigs, a key that nobody knows")(lambda b: str(setting(b, b.topic(), "no.such.key")))
ask("DescribeConfigs, an empty list of keys: all of them?")(lambda b: "all" if len(settings(b, b.topic(), keys=[])["configs"]) > 5 else "none")
ask("DescribeConfigs of no topic / of an illegal name / of a resource of type 9 / of type 0")(
    lambda b: " / ".join(
        closes(lambda name=name, kind=kind: name_of(settings(b, name, kind=kind)["error"]))
        for name, kind in ((b.name(), TOPIC), ("a b", TOPIC), ("x", 9), ("x", 0))
    )
)
ask("DescribeConfigs of broker 1: num.partitions")(
    lambda b: str([(row["value"], row["type"]) for row in settings(b, "1", kind=BROKER, keys=["num.partitions"])["configs"]])
)
ask("DescribeConfigs of broker 77 / of all brokers")(
    lambda b: " / ".join(closes(lambda name=name: name_of(settings(b, name, kind=BROKER)["error"])) for name in ("77", ""))
)


@ask("DescribeConfigs after IncrementalAlterConfigs: retention.ms")
def _(b):
    name = b.topic()
    assert alter(b, name, ("retention.ms", SET, " 1234 ")) == "NONE"
    until(lambda: setting(b, name, "retention.ms")[0][2] == 1)
    return str(setting(b, name, "retention.ms"))


# --- DescribeCluster


def cluster(b, version=2, **fields):
    got = b.call(DESCRIBE_CLUSTER, version, fields)
    return f"{name_of(got['error'])}, controller {got['controller_id']}, {len(got['brokers'])} brokers, operations {got['operations']}"


for version in range(0, 3):
    ask(f"DescribeCluster v{version}")(lambda b, version=version: cluster(b, version))
ask("DescribeCluster v2 with operations")(lambda b: cluster(b, operations=True))
for kind in (0, 2, 7):
    ask(f"DescribeCluster v2, endpoints of type {kind}")(lambda b, kind=kind: closes(lambda: cluster(b, endpoint_type=kind)))


# --- DescribeTopicPartitions


def page(b, names, **fields):
    got = b.call(DESCRIBE_TOPIC_PARTITIONS, 0, {"topics": [{"name": name} for name in names], **fields})
    rows = [f"{name_of(t['error'])} {[p['index'] for p in t['partitions']]}" for t in got["topics"]]
    cursor = got["cursor"]
    return f"{'; '.join(rows)}; {'no more' if cursor is None else 'more from ' + str(cursor['index'])}"


ask("DescribeTopicPartitions of 3 partitions")(lambda b: page(b, [b.topic(partitions=3)]))
ask("DescribeTopicPartitions of no topic / of an illegal name")(lambda b: f"{page(b, [b.name()])} / {page(b, ['a b'])}")
ask("DescribeTopicPartitions, pages of 2 / of 0 / of -1")(
    lambda b: " / ".join(closes(lambda n=n: page(b, [name], limit=n)) for name in [b.topic(partitions=3)] for n in (2, 0, -1))
)
ask("DescribeTopicPartitions, from partition 1 / 3 / 9")(
    lambda b: " / ".join(
        closes(lambda n=n: page(b, [name], cursor={"name": name, "index": n})) for name in [b.topic(partitions=3)] for n in (1, 3, 9)
    )
)
ask("DescribeTopicPartitions, the same name twice")(lambda b: page(b, [b.topic()] * 2))
ask("DescribeTopicPartitions, a cursor behind all that is asked for")(lambda b: page(b, [b.topic()], cursor={"name": "zzz", "index": 0}))


@ask("DescribeTopicPartitions: leader, its epoch, replicas, in sync, eligible, offline")
def _(b):
    got = b.call(DESCRIBE_TOPIC_PARTITIONS, 0, {"topics": [{"name": b.topic()}]})["topics"][0]
    p = got["partitions"][0]
    return f"{p['leader']} {p['leader_epoch']} {p['replicas']} {p['isr']} {p['elr']} {p['last_elr']} {p['offline']}; operations {got['operations']}"


# --- OffsetForLeaderEpoch


def epoch_end(b, name, epoch, version=4, **fields):
    body = {"topics": [{"name": name, "partitions": [{"index": 0, "epoch": epoch, **fields}]}]}
    got = b.call(OFFSET_FOR_LEADER_EPOCH, version, body)["topics"][0]["partitions"][0]
    return f"{name_of(got['error'])} {got['epoch']} ends at {got['end_offset']}"


for version in range(2, 5):
    ask(f"OffsetForLeaderEpoch v{version}, epoch 0 of 3 records")(lambda b, version=version: epoch_end(b, filled(b, 3), 0, version))
ask("OffsetForLeaderEpoch, epoch 0 of no records / epoch 5 / epoch -1")(
    lambda b: " / ".join(epoch_end(b, name, epoch) for name in [b.topic()] for epoch in (0, 5, -1))
)
ask("OffsetForLeaderEpoch of no topic")(lambda b: epoch_end(b, b.name(), 0))
ask("OffsetForLeaderEpoch, the leader's epoch said to be 0 / 9")(
    lambda b: " / ".join(epoch_end(b, name, 0, current_epoch=now) for name in [filled(b, 3)] for now in (0, 9))
)


# --- DescribeProducers, DescribeLogDirs, DescribeQuorum, ListConfigResources


def producers(b, name, index=0):
    row = b.call(DESCRIBE_PRODUCERS, 0, {"topics": [{"name": name, "partitions": [index]}]})["topics"][0]["partitions"][0]
    return row


@ask("DescribeProducers after two batches of a producer: epoch, last sequence, last time, coordinator epoch, transaction")
def _(b):
    name = b.topic()
    producer, epoch = b.producer_id()
    for sequence in (0, 1):
        assert b.produce(name, batch.build(producer=producer, producer_epoch=epoch, sequence=sequence))["error"] == 0
    row = producers(b, name)
    one = row["producers"][0]
    assert one["id"] == producer
    return f"{len(row['producers'])}: {one['epoch']} {one['last_sequence']} {one['last_timestamp']} {one['coordinator_epoch']} {one['txn_start']}"


ask("DescribeProducers of no topic / of no partition / of nobody")(
    lambda b: f"{name_of(producers(b, b.name())['error'])} / {name_of(producers(b, b.topic(), 7)['error'])} / {len(producers(b, b.topic())['producers'])}"
)


@ask("DescribeLogDirs of one topic with records: partitions with bytes, lag, future")
def _(b):
    name = filled(b, 3)
    got = b.call(DESCRIBE_LOG_DIRS, 4, {"topics": [{"name": name, "partitions": [0]}]})["dirs"]
    rows = [(p["index"], p["size"] > 0, p["lag"], p["future"]) for d in got for t in d["topics"] for p in t["partitions"]]
    return f"{len(got)} dirs, {rows}, space {'told' if got[0]['total'] > got[0]['usable'] > 0 else 'not told'}"


ask("DescribeLogDirs of no topic: how many rows")(
    lambda b: str([len(d["topics"]) for d in b.call(DESCRIBE_LOG_DIRS, 4, {"topics": [{"name": b.name(), "partitions": [0]}]})["dirs"]])
)


def quorum(b, name, index, version=2):
    got = b.call(DESCRIBE_QUORUM, version, {"topics": [{"name": name, "partitions": [{"index": index}]}]})
    rows = [p for t in got["topics"] for p in t["partitions"]]
    words = [f"{name_of(p['error'])} leader {p['leader']}, voters {[v['id'] for v in p['voters']]}" for p in rows]
    return f"{name_of(got['error'])}: {'; '.join(words) or 'nothing'}"


for version in range(0, 3):
    ask(f"DescribeQuorum v{version}")(lambda b, version=version: quorum(b, "__cluster_metadata", 0, version))
ask("DescribeQuorum of another topic / of partition 1")(lambda b: f"{quorum(b, 'x', 0)} / {quorum(b, '__cluster_metadata', 1)}")


def resources(b, version=1, **fields):
    got = b.call(LIST_CONFIG_RESOURCES, version, fields)
    return f"{name_of(got['error'])}: types {sorted({r.get('type', 16) for r in got['resources']})}"


@ask("ListConfigResources v0 / v1 of all / of topics / of type 9")
def _(b):
    b.topic()
    said = [closes(lambda fields=fields: resources(b, *fields[0], **fields[1])) for fields in (((0,), {}), ((), {}), ((), {"types": [TOPIC]}), ((), {"types": [9]}))]
    return " / ".join(said)
