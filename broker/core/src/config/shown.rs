//! Settings of Kafka's whose one value here says what holds anyway. Decides nothing else: each row's text says what that
//! means, and `config` refuses any other value.

use super::table::{I32_MAX, When};
use super::value::Kind;

/// A setting of Kafka's whose only value here is the one that says what happens anyway. It is told, and taken where it
/// says just that: tools write back what they read, and many name the default when they create a topic.
pub struct ShownKey {
    /// Kafka's name.
    pub name: &'static str,
    /// Kafka's type of it.
    pub kind: Kind,
    /// What holds.
    pub value: &'static str,
    /// When it may be given.
    pub when: When,
    /// What that means here.
    pub text: &'static str,
    /// What the setting is of, where that is not there yet: whoever gives it is told so at the start.
    pub awaits: Option<&'static str>,
}

const fn shown(
    name: &'static str,
    kind: Kind,
    value: &'static str,
    text: &'static str,
) -> ShownKey {
    ShownKey {
        name,
        kind,
        value,
        when: When::Running,
        text,
        awaits: None,
    }
}

const fn shown_at_start(
    name: &'static str,
    kind: Kind,
    value: &'static str,
    text: &'static str,
) -> ShownKey {
    ShownKey {
        name,
        kind,
        value,
        when: When::AtStart,
        text,
        awaits: None,
    }
}

/// Of something that is not there yet, with the one value that a node alone can keep once it is.
const fn awaited(
    name: &'static str,
    value: &'static str,
    awaits: &'static str,
    text: &'static str,
) -> ShownKey {
    ShownKey {
        name,
        kind: INT,
        value,
        when: When::AtStart,
        text,
        awaits: Some(awaits),
    }
}

const GROUPS: &str = "consumer groups";
const TRANSACTIONS: &str = "transactions";
const SHARE_GROUPS: &str = "share groups";

const INT: Kind = Kind::Int(i32::MIN as i64, I32_MAX);
const LONG: Kind = Kind::Int(i64::MIN, i64::MAX);

/// Of topics, and of the broker for topics that do not say it.
const GZIP_LEVEL: ShownKey = shown(
    "compression.gzip.level",
    Kind::Int(-1, 9),
    "-1",
    "Where compression.type makes gzip of a batch, its level is gzip's usual one.",
);
const ZSTD_LEVEL: ShownKey = shown(
    "compression.zstd.level",
    Kind::Int(-131_072, 22),
    "3",
    "Where compression.type makes zstd of a batch, its level is zstd's usual one.",
);
const UNCLEAN: ShownKey = shown(
    "unclean.leader.election.enable",
    Kind::Bool,
    "false",
    "Nobody leads who lacks what was acknowledged.",
);

/// The settings of topics that are shown, by name.
pub const SHOWN: &[ShownKey] = &[
    shown(
        "cleanup.policy",
        Kind::Words(&["delete"]),
        "delete",
        "Old segments are deleted; compaction is not there yet.",
    ),
    GZIP_LEVEL,
    ZSTD_LEVEL,
    shown(
        "file.delete.delay.ms",
        LONG,
        "0",
        "A file goes as soon as nobody reads it.",
    ),
    shown(
        "flush.messages",
        LONG,
        "9223372036854775807",
        "sawlog.durability says when records are synced.",
    ),
    shown(
        "flush.ms",
        LONG,
        "9223372036854775807",
        "sawlog.durability says when records are synced.",
    ),
    shown("index.interval.bytes", INT, "0", "Each batch is indexed."),
    shown(
        "preallocate",
        Kind::Bool,
        "false",
        "Segments grow as they are written.",
    ),
    shown(
        "remote.storage.enable",
        Kind::Bool,
        "false",
        "There are no tiers.",
    ),
    shown(
        "segment.index.bytes",
        INT,
        "2147483647",
        "An index grows with its segment; nothing bounds it.",
    ),
    shown(
        "segment.jitter.ms",
        LONG,
        "0",
        "Segments are closed at their age, without chance.",
    ),
    UNCLEAN,
];

/// The settings of the broker that are shown, by name.
pub const SHOWN_OF_BROKER: &[ShownKey] = &[
    GZIP_LEVEL,
    ZSTD_LEVEL,
    shown_at_start(
        "delete.topic.enable",
        Kind::Bool,
        "true",
        "A topic that somebody deletes is deleted.",
    ),
    awaited(
        "group.initial.rebalance.delay.ms",
        "0",
        GROUPS,
        "There are no consumer groups yet; nothing waits for their members.",
    ),
    shown(
        "log.cleanup.policy",
        Kind::Words(&["delete"]),
        "delete",
        "Old segments are deleted; compaction is not there yet.",
    ),
    shown(
        "log.flush.interval.messages",
        LONG,
        "9223372036854775807",
        "sawlog.durability says when records are synced.",
    ),
    shown(
        "log.index.interval.bytes",
        INT,
        "0",
        "Each batch is indexed.",
    ),
    shown(
        "log.index.size.max.bytes",
        INT,
        "2147483647",
        "An index grows with its segment; nothing bounds it.",
    ),
    shown(
        "log.preallocate",
        Kind::Bool,
        "false",
        "Segments grow as they are written.",
    ),
    shown(
        "log.roll.jitter.ms",
        LONG,
        "0",
        "Segments are closed at their age, without chance.",
    ),
    shown(
        "log.segment.delete.delay.ms",
        LONG,
        "0",
        "A file goes as soon as nobody reads it.",
    ),
    awaited(
        "offsets.topic.replication.factor",
        "1",
        GROUPS,
        "There are no consumer groups yet, and one node keeps one replica.",
    ),
    shown_at_start(
        "remote.log.storage.system.enable",
        Kind::Bool,
        "false",
        "There are no tiers.",
    ),
    shown_at_start(
        "security.inter.broker.protocol",
        Kind::Text,
        "PLAINTEXT",
        "Only PLAINTEXT is there yet.",
    ),
    awaited(
        "share.coordinator.state.topic.min.isr",
        "1",
        SHARE_GROUPS,
        "There are no share groups yet, and one node keeps one replica.",
    ),
    awaited(
        "share.coordinator.state.topic.replication.factor",
        "1",
        SHARE_GROUPS,
        "There are no share groups yet, and one node keeps one replica.",
    ),
    awaited(
        "transaction.state.log.min.isr",
        "1",
        TRANSACTIONS,
        "There are no transactions yet, and one node keeps one replica.",
    ),
    awaited(
        "transaction.state.log.replication.factor",
        "1",
        TRANSACTIONS,
        "There are no transactions yet, and one node keeps one replica.",
    ),
    UNCLEAN,
];
