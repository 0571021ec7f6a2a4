//! The table of configuration keys, and the typed settings that come of it.
//! Decides names, types, defaults and bounds; never where a value came from (`sawlog-broker` reads files and flags).

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::ids::BrokerId;
use crate::marks::Durability;

/// What a broker runs by.
#[derive(Clone, PartialEq, Debug)]
pub struct BrokerConfig {
    /// `node.id`.
    pub node_id: BrokerId,
    /// `num.partitions`: for topics that are created without a number.
    pub num_partitions: i32,
    /// `auto.create.topics.enable`.
    pub auto_create_topics: bool,
    /// `sawlog.cache.bytes`: memory for what was written last.
    pub cache_bytes: u64,
    /// `sawlog.recovery.doubt`.
    pub doubt: Doubt,
    /// What topics get that say nothing themselves.
    pub topic: TopicConfig,
    /// All settings that were given, by name, for display.
    pub given: Vec<(String, String)>,
}

/// What to do with a last commit that may be torn or rotten (`sawlog.recovery.doubt`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Doubt {
    /// Cut it, keep its bytes aside, say so.
    #[default]
    Cut,
    /// Do not start; the operator decides.
    Stop,
}

/// What a topic runs by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicConfig {
    /// `sawlog.durability`.
    pub durability: Durability,
    /// `segment.bytes`.
    pub segment_bytes: u64,
    /// `segment.ms`.
    pub segment_time: Duration,
    /// `retention.ms`; none keeps for ever.
    pub retention_time: Option<Duration>,
    /// `retention.bytes`; none keeps all.
    pub retention_bytes: Option<u64>,
    /// `max.message.bytes`.
    pub max_message_bytes: u32,
}

impl Default for TopicConfig {
    fn default() -> TopicConfig {
        TopicConfig {
            durability: Durability::Durable,
            segment_bytes: 1 << 30,
            segment_time: Duration::from_secs(7 * 24 * 3600),
            retention_time: Some(Duration::from_secs(7 * 24 * 3600)),
            retention_bytes: None,
            max_message_bytes: 1_048_588,
        }
    }
}

impl Default for BrokerConfig {
    fn default() -> BrokerConfig {
        BrokerConfig {
            node_id: BrokerId(1),
            num_partitions: 1,
            auto_create_topics: true,
            cache_bytes: 64 << 20,
            doubt: Doubt::Cut,
            topic: TopicConfig::default(),
            given: Vec::new(),
        }
    }
}
