"""Every key that is served, in every version that Kafka 4.3.1 has too: one plain request, and its answer field by field.

Decides only what is asked, and which fields are nobody's to compare: ids, addresses, clocks and words for people. What
Kafka answered stands in ../answers.tsv.
"""

import batch
from asking import ask
from wire import (API_VERSIONS, CREATE_TOPICS, FETCH, INIT_PRODUCER_ID, LIST_OFFSETS, METADATA, PRODUCE)
from wire_admin import (ALTER_CONFIGS, CREATE_PARTITIONS, DELETE_RECORDS, DELETE_TOPICS, DESCRIBE_CLUSTER, DESCRIBE_CONFIGS, DESCRIBE_LOG_DIRS,
                        DESCRIBE_PRODUCERS, DESCRIBE_QUORUM, DESCRIBE_TOPIC_PARTITIONS, INCREMENTAL_ALTER_CONFIGS, LIST_CONFIG_RESOURCES,
                        OFFSET_FOR_LEADER_EPOCH)

TOPIC, BROKER = 2, 4
# A value that is another in each run or of each broker: only whether there is one is told.
SOME = {"topic_id", "cluster_id", "host", "port", "path", "message", "timestamp", "log_append_time", "last_timestamp", "producer_id", "id", "session_id",
        "size", "total", "usable", "end", "last_fetch", "last_caught_up", "high_watermark of quorum", "epoch of quorum", "features_epoch",
        "operations", "cluster_operations", "documentation"}
# Lists that are as long as a broker has of them.
MANY = {"keys", "supported_features", "finalized_features", "configs of made", "nodes", "endpoints"}
# What differs with the address that was asked, or is told to be of no use; a quorum that was named in a file has no directories.
LEFT_OUT = {"throttle_ms", "zk_ready", "controller_id", "directory"}
NOTHING = (None, "", 0, -1, b"", bytes(16), -(2**31))


def told(value, names, field="", of=""):
    if field in SOME or f"{field} of {of}" in SOME:
        return "none" if value in NOTHING else "some"
    if field in MANY or f"{field} of {of}" in MANY:
        return "many" if value else "none"
    if field == "records":
        return f"{len(batch.headers_of(value or b''))} batches"
    if isinstance(value, dict):
        rows = (f"{name}: {told(each, names, name, of)}" for name, each in value.items() if name not in LEFT_OUT)
        return "{" + ", ".join(rows) + "}"
    if isinstance(value, list):
        # Of what was there before, nothing is told.
        rows = [row for row in value if not (isinstance(row, dict) and row.get("name") and row["name"] not in names and "partitions" in row)]
        # Kafka has them in the order of a hash table, where nothing says otherwise.
        return "[" + ", ".join(sorted(told(row, names, "", of) for row in rows)) + "]"
    return names.get(value, repr(value)) if isinstance(value, str) else repr(value)


def by_name(version, last, name, topic_id):
    return {"name": name} if version <= last else {"topic_id": topic_id}


# A key, its versions, the body of its request; `t` is a topic with three records in its first partition.
ASKED = {
    "Produce": (PRODUCE, range(3, 14), lambda v, t, i, b: {"topics": [{**by_name(v, 12, t, i), "partitions": [{"index": 0, "records": batch.build()}]}]}),
    "Fetch": (FETCH, range(4, 19), lambda v, t, i, b: {"session_epoch": -1, "topics": [{**by_name(v, 12, t, i), "partitions": [{"index": 0, "offset": 1}]}]}),
    "ListOffsets": (LIST_OFFSETS, range(1, 12), lambda v, t, i, b: {"topics": [{"name": t, "partitions": [{"index": 0, "timestamp": -1}, {"index": 1, "timestamp": -2}]}]}),
    "Metadata": (METADATA, range(14), lambda v, t, i, b: {"topics": [{"name": t}], "auto_create": False, "topic_operations": v >= 8}),
    "ApiVersions": (API_VERSIONS, range(5), lambda v, t, i, b: {}),
    "CreateTopics": (CREATE_TOPICS, range(2, 8), lambda v, t, i, b: {"topics": [{"name": b.name(), "partitions": 2}, {"name": t}], "validate_only": True}),
    "DeleteTopics": (DELETE_TOPICS, range(1, 7), lambda v, t, i, b: {"names": [t], "topics": [{"name": t}]}),
    "DeleteRecords": (DELETE_RECORDS, range(3), lambda v, t, i, b: {"topics": [{"name": t, "partitions": [{"index": 0, "offset": 2}, {"index": 9, "offset": 0}]}]}),
    "InitProducerId": (INIT_PRODUCER_ID, range(6), lambda v, t, i, b: {}),
    "OffsetForLeaderEpoch": (OFFSET_FOR_LEADER_EPOCH, range(2, 5), lambda v, t, i, b: {"topics": [{"name": t, "partitions": [{"index": 0, "epoch": 0}, {"index": 9}]}]}),
    "DescribeConfigs": (DESCRIBE_CONFIGS, range(1, 5), lambda v, t, i, b: {"resources": [{"type": TOPIC, "name": t, "keys": ["retention.ms", "max.message.bytes"]}], "synonyms": True}),
    "AlterConfigs": (ALTER_CONFIGS, range(3), lambda v, t, i, b: {"resources": [{"type": TOPIC, "name": t, "configs": [{"name": "retention.ms", "value": "5000"}]}]}),
    "DescribeLogDirs": (DESCRIBE_LOG_DIRS, range(1, 6), lambda v, t, i, b: {"topics": [{"name": t, "partitions": [0, 1]}]}),
    "CreatePartitions": (CREATE_PARTITIONS, range(4), lambda v, t, i, b: {"topics": [{"name": t, "count": 3}]}),
    "IncrementalAlterConfigs": (INCREMENTAL_ALTER_CONFIGS, range(2), lambda v, t, i, b: {"resources": [{"type": TOPIC, "name": t, "configs": [{"name": "retention.ms", "op": 0, "value": "5000"}]}]}),
    "DescribeQuorum": (DESCRIBE_QUORUM, range(3), lambda v, t, i, b: {"topics": [{"name": "__cluster_metadata", "partitions": [{"index": 0}]}]}),
    "DescribeCluster": (DESCRIBE_CLUSTER, range(3), lambda v, t, i, b: {"operations": True}),
    "DescribeProducers": (DESCRIBE_PRODUCERS, range(1), lambda v, t, i, b: {"topics": [{"name": t, "partitions": [0, 9]}]}),
    "ListConfigResources": (LIST_CONFIG_RESOURCES, range(2), lambda v, t, i, b: {"types": [BROKER]}),
    "DescribeTopicPartitions": (DESCRIBE_TOPIC_PARTITIONS, range(1), lambda v, t, i, b: {"topics": [{"name": t}]}),
}
# Where a field of this name means another thing.
OF = {"DescribeQuorum": "quorum", "CreateTopics": "made"}


def answer(b, key, version):
    api, _, body = ASKED[key]
    name = b.topic(partitions=2)
    b.producer_id()  # the first one may have to wait for a block of them
    b.produce(name, batch.build([batch.record(n) for n in range(3)]))
    request = body(version, name, b.id_of(name), b)
    known = {name: "T", "__cluster_metadata": "__cluster_metadata"}
    for row in request.get("topics") or []:
        known.setdefault(row.get("name", ""), "another")
    return told(b.call(api, version, request), known, of=OF.get(key, ""))


for key, (_, versions, _) in ASKED.items():
    for version in versions:
        ask(f"{key} v{version}, field by field")(lambda b, key=key, version=version: answer(b, key, version))
