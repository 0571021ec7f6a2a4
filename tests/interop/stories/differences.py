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
ours("A batch whose largest timestamp lies ahead of its records hides them from look-ups by time.", [*REFUSED, "INVALID_TIMESTAMP"], "Produce, batch: largest time too large by 1")
ours(
    "A timestamp type that the topic does not have, and times below zero, are lies about time.",
    ["INVALID_TIMESTAMP"],
    "LogAppendTime: a batch that says so itself",
    "Produce, batch: attributes: LogAppendTime",
    "Produce, batch: a record's time below zero",
)
ours(
    "A flag that has no meaning for a producer, or none at all yet, is refused rather than stored for a later reader to wonder at.",
    REFUSED,
    "Produce, batch: attributes: delete horizon",
    "Produce, batch: attributes: unused bit 7",
    "Produce, batch: attributes: unused bit 14",
    "Produce, batch: producer 1 epoch -1, sequence 0",
    "Produce, batch: producer -2",
)
ours(
    "What no reader would ever see is not stored: bytes behind a batch or behind a compressed stream.",
    REFUSED,
    "Produce, batch: 5 bytes of garbage after it",
    "Produce, batch: gzip, bytes after its end",
    "Produce, batch: lz4, bytes after its end",
)
ours(
    "Transactions are not there yet; Kafka, with nobody authenticated, says that the id is not allowed.",
    ["INVALID_RECORD", "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"],
    "Produce, transactional id with a plain batch",
    "Produce, batch: attributes: transactional, no producer",
    "Produce, batch: attributes: transactional, producer 1 epoch 0",
    "Produce, batch: attributes: control and transactional",
)
ours("A count that no batch of the allowed size could hold is too large before it is wrong.", [*REFUSED, "MESSAGE_TOO_LARGE"], "Produce, batch: count 2^31-1")
ours(
    "Of a producer that nothing is known of, only a beginning is taken: a later batch may be one of several in flight whose first was refused (#70, decision 0008).",
    ["UNKNOWN_PRODUCER_ID"],
    "Idempotent: first batch with sequence 5 (nothing known of the producer)",
)
ours("As above: this question begins in the middle.", ["UNKNOWN_PRODUCER_ID; ok at 0"], "Idempotent: sequence goes from 2^31-1 to 0")
ours("Which of two appends to one partition comes first is nowhere said; Kafka drops one of them silently.", ["2 rows, ['INVALID_REQUEST', 'INVALID_REQUEST']; end 0"], "Produce, one partition twice in a request")
ours("A negative length other than -1 is a lie, and what is not UTF-8 is no string.", ["closes"], "request: Metadata v8 with a list of -2 topics", "request: Metadata v9, a topic name that is not UTF-8")
ours("The answer waits until the topic that was made serves.", ["NONE, then NONE with 1 partitions"], "Metadata v12 auto-create, new topic: first answer, later answer (gotcha 8)")
ours("A name that can never be made is named as such, as CreateTopics does.", ["INVALID_TOPIC_EXCEPTION"], "Metadata v12 auto-create of a name that collides in '.' and '_'")
ours("A state that can be named is named (#72).", ["INVALID_REQUEST"], "Metadata v12, name null and id zero", "Fetch, isolation 7")
ours(
    "Each row that was asked is answered.",
    ["INVALID_REQUEST, offset -1, timestamp -1 INVALID_REQUEST, offset -1, timestamp -1"],
    "ListOffsets, the same partition twice",
)
ours("KIP-110: a client that old cannot read zstd, and is told so; Kafka 4 sends it all the same.", ["UNSUPPORTED_COMPRESSION_TYPE, hw 1, 0 batches", "UNSUPPORTED_COMPRESSION_TYPE, hw -1, 0 batches"], "Fetch v9 of a zstd batch")
ours("Kafka never answers, and the client waits out its timeout; a definite refusal is answered.", [*REFUSED, "INVALID_REQUEST", "closes"], "Produce, records null")
ours(
    "Two names of one request that collide in '.' and '_' are as bad as any two, for their metrics would have one name; Kafka compares with "
    "existing topics only. The first is made, the second is refused: what one request does is what two would do.",
    ["INVALID_TOPIC_EXCEPTION NONE"],
    "CreateTopics of two names that collide, in one request",
)
ours("Each row that was asked is answered.", ["2 rows, NONE, NONE; afterwards 5"], "DeleteRecords, one partition twice")
ours("A state that can be named is named (#72).", ["POLICY_VIOLATION"], "CreatePartitions, 10001 more, validate only")
ours("A state that can be named is named (#72).", ["INVALID_REQUEST"], "IncrementalAlterConfigs, operation 7")
ours("Each row that was asked is answered.", ["2 rows, INVALID_REQUEST, INVALID_REQUEST; afterwards NONE"], "DeleteTopics v6, one topic by name and by id")
ours("No quorum of brokers has said so: it is the default.", ["[('1', False, 5, 3, 0)]"], "DescribeConfigs, min.insync.replicas of a plain topic")
ours("A page behind the last topic is empty, not wrong.", ["; no more"], "DescribeTopicPartitions, a cursor behind all that is asked for")
ours("A session of nothing remembers nothing: there is none (decision 0007).", ["session 0: nothing"], "Fetch session begun with no partitions")
ours(
    "As above: epoch 0 without partitions begins a session of nothing.",
    ["INVALID_FETCH_SESSION_EPOCH, session 0 / session 0: nothing / INVALID_FETCH_SESSION_EPOCH, session 0"],
    "Fetch session, an epoch too far / the same again / epoch -2",
)
ours(
    "What nobody knows does nothing: it is refused, where Kafka keeps it for plug-ins and says nothing.",
    ["INVALID_REQUEST"],
    *(f"Broker settings: {what} of {where}" for what in ("no.such.key=5", "retention.ms=5") for where in ("all brokers", "broker 1")),
)
ours("No quorum of brokers has said so: it is the default.", ["1 may change source 5 [('min.insync.replicas', '1', 5)]"], "Broker settings: min.insync.replicas as it is told")
ours(
    "The time of the original is not kept with a producer's last batches; a client that is told -1 takes its own, and nothing was stored anew.",
    ["ok at 0, -1"],
    "LogAppendTime: an idempotent batch sent twice: the time answered the second time",
)
ours("The topic has no time of the broker's, for a repeat no more than for the first.", ["-1"], "CreateTime: an idempotent batch sent twice: the time answered the second time")
ours(
    "What is only shown has the one value that holds here (segments are indexed batch by batch, files go at once).",
    ["INVALID_CONFIG / INVALID_CONFIG", "NONE / INVALID_CONFIG"],
    "CreateTopics, index.interval.bytes=0 / -1",
    "CreateTopics, segment.index.bytes=3 / 4",
    "CreateTopics, file.delete.delay.ms=0 / -1",
)
