//! One row per setting of topics that acts, and how its words become values. Decides nothing else; a topic that does not say
//! one itself has what the broker's setting beside it says.

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use sawlog_wire::records::{Codec, TimestampType};

use super::TopicConfig;
use super::table::I32_MAX;
use super::value::{Kind, Value};
use crate::marks::Durability;

/// A setting of a topic, given when it is created.
pub struct TopicKey {
    /// Kafka's name, or ours below `sawlog.`.
    pub name: &'static str,
    /// The broker's setting that gives its default.
    pub broker: &'static str,
    /// Its kind and bounds.
    pub kind: Kind,
    /// Its default as text.
    pub default: &'static str,
    /// Some other value, as an example.
    pub other: &'static str,
    /// What it does.
    pub text: &'static str,
    /// Where it goes.
    pub set: fn(&mut TopicConfig, Value),
    /// Its value as text.
    pub get: fn(&TopicConfig) -> String,
}

pub(super) const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];
pub(super) const TIMESTAMP_TYPES: &[&str] = &["CreateTime", "LogAppendTime"];
pub(super) const DURABILITIES: &[&str] = &["durable", "replicated"];

/// The topics' settings.
pub const TOPIC: &[TopicKey] = &[
    TopicKey {
        name: "compression.type",
        broker: "compression.type",
        kind: Kind::OneOf(CODECS),
        default: "producer",
        other: "zstd",
        text: "In which codec batches are stored: producer stores each as it was sent, any other recompresses those that \
               came otherwise, at the level that Kafka's producer has by default.",
        set: |config, value| config.codec = codec(&value),
        get: |config| match config.codec {
            None => "producer".to_string(),
            Some(Codec::None) => "uncompressed".to_string(),
            Some(codec) => codec.name().to_string(),
        },
    },
    TopicKey {
        name: "max.message.bytes",
        broker: "message.max.bytes",
        kind: Kind::Int(0, I32_MAX),
        default: "1048588",
        other: "2097152",
        text: "The largest record batch, compressed if it is compressed. None is larger than a quarter of a file of the commit log: \
               16 MiB, less on a small file system.",
        set: |config, value| {
            config.max_message_bytes = u32::try_from(value.int()).unwrap_or(u32::MAX)
        },
        get: |config| config.max_message_bytes.to_string(),
    },
    TopicKey {
        name: "message.timestamp.after.max.ms",
        broker: "log.message.timestamp.after.max.ms",
        kind: Kind::Int(0, i64::MAX),
        default: "3600000",
        other: "60000",
        text: "How far ahead of the broker's clock a record may be. A batch with one that is further ahead is refused.",
        set: |config, value| config.ahead_max = Duration::from_millis(value.unsigned()),
        get: |config| config.ahead_max.as_millis().to_string(),
    },
    TopicKey {
        name: "message.timestamp.before.max.ms",
        broker: "log.message.timestamp.before.max.ms",
        kind: Kind::Int(0, i64::MAX),
        default: "9223372036854775807",
        other: "60000",
        text: "How old by the broker's clock a record may be. A batch with an older one is refused.",
        set: |config, value| config.age_max = Duration::from_millis(value.unsigned()),
        get: |config| config.age_max.as_millis().to_string(),
    },
    TopicKey {
        name: "message.timestamp.type",
        broker: "log.message.timestamp.type",
        kind: Kind::OneOf(TIMESTAMP_TYPES),
        default: "CreateTime",
        other: "LogAppendTime",
        text: "Whose time records have: CreateTime, their producer's; LogAppendTime, the broker's when it took the batch.",
        set: |config, value| config.timestamps = timestamps(&value),
        get: |config| match config.timestamps {
            TimestampType::Create => "CreateTime".to_string(),
            TimestampType::LogAppend => "LogAppendTime".to_string(),
        },
    },
    TopicKey {
        name: "min.insync.replicas",
        broker: "min.insync.replicas",
        kind: Kind::Int(1, I32_MAX),
        default: "1",
        other: "2",
        text: "How many replicas must be in sync for a Produce with acks=all to be taken; where the topic has fewer, all \
               of them, as in Kafka.",
        set: |config, value| config.min_in_sync = u32::try_from(value.int()).unwrap_or(u32::MAX),
        get: |config| config.min_in_sync.to_string(),
    },
    TopicKey {
        name: "retention.bytes",
        broker: "log.retention.bytes",
        kind: Kind::Int(i64::MIN, i64::MAX),
        default: "-1",
        other: "1073741824",
        text: "How much of each partition is kept; -1 keeps all.",
        set: |config, value| config.retention_bytes = u64::try_from(value.int()).ok(),
        get: |config| {
            config
                .retention_bytes
                .map_or_else(|| "-1".to_string(), |bytes| bytes.to_string())
        },
    },
    TopicKey {
        name: "retention.ms",
        broker: "log.retention.ms",
        kind: Kind::Int(-1, i64::MAX),
        default: "604800000",
        other: "-1",
        text: "How long records are kept; -1 keeps them for ever.",
        set: |config, value| config.retention_time = lasting(&value, Duration::from_millis(1)),
        get: |config| {
            config
                .retention_time
                .map_or_else(|| "-1".to_string(), |time| format!("{}", time.as_millis()))
        },
    },
    TopicKey {
        name: "sawlog.durability",
        broker: "sawlog.durability",
        kind: Kind::OneOf(DURABILITIES),
        default: "durable",
        other: "replicated",
        text: "When a record counts as written: durable, once it would survive a power cut; replicated, once it would \
               survive the death of the process.",
        set: |config, value| config.durability = durability(&value),
        get: |config| {
            match config.durability {
                Durability::Durable => "durable",
                Durability::Replicated => "replicated",
            }
            .to_string()
        },
    },
    TopicKey {
        name: "segment.bytes",
        broker: "log.segment.bytes",
        kind: Kind::Int(1 << 20, I32_MAX),
        default: "1073741824",
        other: "1048576",
        text: "The size at which a segment is closed.",
        set: |config, value| config.segment_bytes = value.unsigned(),
        get: |config| config.segment_bytes.to_string(),
    },
    TopicKey {
        name: "segment.ms",
        broker: "log.roll.ms",
        kind: Kind::Int(1, i64::MAX),
        default: "604800000",
        other: "60000",
        text: "The age at which a segment is closed.",
        set: |config, value| config.segment_time = Duration::from_millis(value.unsigned()),
        get: |config| format!("{}", config.segment_time.as_millis()),
    },
];

/// -1 is for ever.
pub(super) fn lasting(value: &Value, unit: Duration) -> Option<Duration> {
    let count = u64::try_from(value.int()).ok()?;
    Some(Duration::from_millis(count.saturating_mul(
        u64::try_from(unit.as_millis()).unwrap_or(1),
    )))
}

pub(super) fn timestamps(value: &Value) -> TimestampType {
    if value.text() == "LogAppendTime" {
        TimestampType::LogAppend
    } else {
        TimestampType::Create
    }
}

pub(super) fn codec(value: &Value) -> Option<Codec> {
    match value.text() {
        "uncompressed" => Some(Codec::None),
        name => Codec::ALL
            .into_iter()
            .filter(|codec| *codec != Codec::None)
            .find(|codec| codec.name() == name),
    }
}

pub(super) fn durability(value: &Value) -> Durability {
    if value.text() == "replicated" {
        Durability::Replicated
    } else {
        Durability::Durable
    }
}
