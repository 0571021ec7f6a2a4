"""Where Sawlog answers otherwise than Apache Kafka 4.3.1, on purpose: the answers allowed, and the reason.

Decides nothing else; what is not listed here must be answered as Kafka answers it.
"""

OURS = {}


def ours(reason, answers, *questions):
    for question in questions:
        assert question not in OURS, question
        OURS[question] = (answers, reason)


REFUSED = ["INVALID_RECORD", "CORRUPT_MESSAGE"]

ours(
    "Kafka names a batch that it cannot decompress UNKNOWN_SERVER_ERROR; a state that can be named is named (#72).",
    REFUSED,
    *(f"Produce, batch: {codec}, {what}" for codec in ("gzip", "snappy", "xerial", "lz4", "zstd") for what in ("body garbage", "body empty, count 1")),
    *(f"Produce, batch: {codec}, cut in half" for codec in ("gzip", "snappy", "xerial", "lz4", "zstd")),
    *(f"Produce, batch: {codec}, record deltas 1, 2" for codec in ("gzip", "snappy", "xerial", "lz4", "zstd")),
    "Produce, batch: snappy, bytes after its end",
    "Produce, batch: xerial, bytes after its end",
    "Produce, batch: zstd, bytes after its end",
    "Produce, batch: gzip of the number lz4",
    "Produce, batch: length 2^31-1",
)
ours("An unknown codec has an error of its own.", [*REFUSED, "UNSUPPORTED_COMPRESSION_TYPE"], "Produce, batch: codec 5", "Produce, batch: codec 7")
ours(
    "Kafka does not look inside an uncompressed batch for this; a reader would meet it for ever, so it is refused at the door.",
    REFUSED,
    "Produce, batch: record deltas 0, 2 with last delta 1",
    "Produce, batch: record deltas 1, 2",
    "Produce, batch: record deltas 0, 0",
    "Produce, batch: record delta -1",
)
ours(
    "A largest timestamp that is not the largest makes every look-up by time wrong; Kafka mends it silently or not at all.",
    [*REFUSED, "INVALID_TIMESTAMP"],
    "Produce, batch: largest time too small",
    "Produce, batch: largest time too large by 1",
    "Produce, batch: largest time -1, first time real",
)
ours("KIP-110: a client that old cannot read zstd, and is told so; Kafka 4 sends it all the same.", ["UNSUPPORTED_COMPRESSION_TYPE, hw 1, 0 batches", "UNSUPPORTED_COMPRESSION_TYPE, hw -1, 0 batches"], "Fetch v9 of a zstd batch")
ours("Kafka never answers, and the client waits out its timeout; a definite refusal is answered.", [*REFUSED, "INVALID_REQUEST", "closes"], "Produce, records null")
ours(
    "Two names of one request that collide in '.' and '_' are as bad as any two; Kafka compares with existing topics only.",
    ["INVALID_TOPIC_EXCEPTION NONE", "NONE NONE"],
    "CreateTopics of two names that collide, in one request",
)
