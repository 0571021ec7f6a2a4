"""Doubtful questions about fetch sessions (KIP-227). Decides only what is asked; what Kafka answered stands in ../answers.tsv."""

import batch
from asking import ask
from wire import FETCH, name_of


def fetch(b, session, topics=(), forgotten=(), version=12):
    """topics: [(name, index, offset)]."""
    rows = [{"name": name, "partitions": [{"index": index, "offset": offset}]} for name, index, offset in topics]
    gone = [{"name": name, "partitions": [index]} for name, index in forgotten]
    body = {"session_id": session[0], "session_epoch": session[1], "topics": rows, "forgotten": gone, "min_bytes": 0, "max_wait_ms": 0}
    return b.call(FETCH, version, body)


def told(got):
    """Which rows an answer has: partition, error if any, watermark, batches."""
    if got["error"]:
        return f"{name_of(got['error'])}, session {'kept' if got['session_id'] else 0}"
    rows = [row for topic in got["topics"] for row in topic["partitions"]]
    words = [
        f"{row['index']}{' ' + name_of(row['error']) if row['error'] else ''} hw {row['high_watermark']} {len(batch.headers_of(row['records'] or b''))} batches"
        for row in sorted(rows, key=lambda row: row["index"])
    ]
    return f"session {'given' if got['session_id'] else 0}: {'; '.join(words) or 'nothing'}"


def begun(b, partitions=2):
    name = b.topic(partitions=partitions)
    got = fetch(b, (0, 0), [(name, index, 0) for index in range(partitions)])
    return name, got["session_id"], got


ask("Fetch session: the first answer")(lambda b: told(begun(b)[2]))
ask("Fetch session: nothing is new")(lambda b: told(fetch(b, (begun(b)[1], 1))))
ask("Fetch session begun with no partitions")(lambda b: told(fetch(b, (0, 0))))
ask("Fetch session nobody has")(lambda b: told(fetch(b, (12345, 1))))
ask("Fetch session 0 with epoch 1")(lambda b: told(fetch(b, (0, 1))))
ask("Fetch session, an epoch too far / the same again / epoch -2")(
    lambda b: " / ".join(told(fetch(b, (begun(b)[1], epoch))) for epoch in (2, 0, -2))
)


@ask("Fetch session: one partition got records, then nothing, then the next offset is named")
def _(b):
    name, session, _ = begun(b)
    assert b.produce(name, batch.build(), index=1)["error"] == 0
    return " | ".join(told(fetch(b, (session, epoch), topics)) for epoch, topics in ((1, []), (2, []), (3, [(name, 1, 1)]), (4, [])))


@ask("Fetch session: one partition is forgotten, then all are")
def _(b):
    name, session, _ = begun(b)
    for index in (0, 1):
        assert b.produce(name, batch.build(), index=index)["error"] == 0
    return " | ".join(told(fetch(b, (session, epoch), forgotten=gone)) for epoch, gone in ((1, [(name, 0)]), (2, [(name, 1)]), (3, [])))


@ask("Fetch session: a partition that is not there, each time")
def _(b):
    name = b.topic()
    got = fetch(b, (0, 0), [(name, 0, 0), (name, 7, 0)])
    return " | ".join([told(got)] + [told(fetch(b, (got["session_id"], epoch))) for epoch in (1, 2)])


@ask("Fetch session: an offset out of range, then a good one")
def _(b):
    name = b.topic()
    got = fetch(b, (0, 0), [(name, 0, 5)])
    session = got["session_id"]
    return " | ".join([told(got), told(fetch(b, (session, 1))), told(fetch(b, (session, 2), [(name, 0, 0)])), told(fetch(b, (session, 3)))])


@ask("Fetch session ended by epoch -1, then meant again")
def _(b):
    name, session, _ = begun(b)
    return f"{told(fetch(b, (session, -1), [(name, 0, 0)]))} | {told(fetch(b, (session, 1)))}"


@ask("Fetch session replaced by another, then meant again")
def _(b):
    name, session, _ = begun(b)
    return f"{told(fetch(b, (session, 0), [(name, 0, 0)]))} | {told(fetch(b, (session, 1)))}"
