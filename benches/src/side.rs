//! Decides which brokers are compared and in which mode; what each mode promises before it acknowledges.
//! Never how a broker is started (`peer`), nor which sides a cell compares (`cells`).

use serde::{Deserialize, Serialize};

/// A process that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Broker {
    /// Ours.
    Sawlog,
    /// The least a correct broker could do; throws records away.
    LimitDiscard,
    /// The same, into the page cache.
    LimitWrite,
    /// The same, group commit by O_DIRECT and O_DSYNC.
    LimitDurable,
    /// Apache Kafka as it comes: acknowledges from the page cache.
    Kafka,
    /// Apache Kafka that syncs each append.
    KafkaFsync,
}

impl Broker {
    /// Whether it is one of the limit broker's modes.
    #[must_use]
    pub fn is_limit(self) -> bool {
        matches!(
            self,
            Self::LimitDiscard | Self::LimitWrite | Self::LimitDurable
        )
    }
}

/// A broker and the promise of the topic that is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Acknowledged when on stable storage.
    SawlogDurable,
    /// Acknowledged when in memory that the kernel owns.
    SawlogReplicated,
    /// Acknowledged and thrown away.
    LimitDiscard,
    /// Acknowledged from the page cache.
    LimitWrite,
    /// Acknowledged when on stable storage.
    LimitDurable,
    /// Acknowledged from the page cache.
    Kafka,
    /// Acknowledged when on stable storage.
    KafkaFsync,
}

impl Side {
    /// Who serves it.
    #[must_use]
    pub fn broker(self) -> Broker {
        match self {
            Self::SawlogDurable | Self::SawlogReplicated => Broker::Sawlog,
            Self::LimitDiscard => Broker::LimitDiscard,
            Self::LimitWrite => Broker::LimitWrite,
            Self::LimitDurable => Broker::LimitDurable,
            Self::Kafka => Broker::Kafka,
            Self::KafkaFsync => Broker::KafkaFsync,
        }
    }

    /// Configuration of the topic that is made for it.
    #[must_use]
    pub fn topic_configs(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::SawlogDurable => &[("sawlog.durability", "durable")],
            Self::SawlogReplicated => &[("sawlog.durability", "replicated")],
            _ => &[],
        }
    }

    /// What an acknowledgement of it means; every producer here asks for acks=all.
    #[must_use]
    pub fn promise(self) -> &'static str {
        match self {
            Self::SawlogDurable => {
                "`sawlog.durability=durable`: the record is on stable storage (O_DIRECT and O_DSYNC, or fdatasync where the file \
                 system refuses that) before the reply leaves; kill -9 and a cut of power lose nothing acknowledged"
            }
            Self::SawlogReplicated => {
                "`sawlog.durability=replicated`: the record is in the kernel's page cache, synced every 10 ms or 4 MiB; kill -9 loses \
                 nothing acknowledged, a cut of power of the only node may"
            }
            Self::LimitDiscard => {
                "a broker that does the least: the record was counted and thrown away"
            }
            Self::LimitWrite => {
                "a broker that does the least: the record is in the page cache and never synced"
            }
            Self::LimitDurable => {
                "a broker that does the least: the record is on stable storage (O_DIRECT and O_DSYNC, group commit), without index, \
                 recovery or anything else"
            }
            Self::Kafka => {
                "Apache Kafka as it comes: the record is in the page cache; a cut of power may lose it"
            }
            Self::KafkaFsync => {
                "Apache Kafka with `log.flush.interval.messages=1`: fsync of the partition's file before the reply"
            }
        }
    }

    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::SawlogDurable,
        Self::SawlogReplicated,
        Self::LimitDiscard,
        Self::LimitWrite,
        Self::LimitDurable,
        Self::Kafka,
        Self::KafkaFsync,
    ];

    /// How it is named in a table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SawlogDurable => "sawlog durable",
            Self::SawlogReplicated => "sawlog replicated",
            Self::LimitDiscard => "limit discard",
            Self::LimitWrite => "limit write",
            Self::LimitDurable => "limit durable",
            Self::Kafka => "Kafka",
            Self::KafkaFsync => "Kafka fsync",
        }
    }
}
