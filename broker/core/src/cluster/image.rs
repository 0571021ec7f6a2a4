//! The image: all committed metadata at one offset, immutable, shared by every shard and connection.
//! Decides nothing by itself; equal offset means equal image on every node (#41).

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::TopicConfig;
use crate::ids::{
    BrokerEpoch, BrokerId, Endpoint, LeaderEpoch, LogId, Offset, PartitionEpoch, PartitionId, Term,
    TopicId,
};
use crate::map::Map;

/// Everything that the metadata log says, up to `offset`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Image {
    /// End of the metadata log that this is the fold of.
    pub offset: Offset,
    /// The quorum's term at that offset.
    pub term: Term,
    /// The active controller; none until one is known.
    pub controller: Option<BrokerId>,
    /// The cluster's id, as Kafka prints it.
    pub cluster: Arc<str>,
    /// Registered brokers.
    pub brokers: Map<BrokerId, Broker>,
    /// Topics by name.
    pub topics: Map<Arc<str>, Arc<Topic>>,
    /// Names by topic id.
    pub names: Map<TopicId, Arc<str>>,
    /// Finalized feature levels (KIP-584).
    pub features: Map<String, i16>,
    /// Topic settings by topic name, then key, as they were given.
    pub configs: Map<Arc<str>, Map<String, String>>,
    /// The first producer id that no block has granted yet.
    pub next_producer_id: i64,
}

/// One registered broker.
#[derive(Clone, PartialEq, Debug)]
pub struct Broker {
    /// Its registration.
    pub epoch: BrokerEpoch,
    /// Whether it may lead.
    pub fenced: bool,
    /// Where clients reach it.
    pub endpoints: Vec<Endpoint>,
    /// Its rack.
    pub rack: Option<String>,
}

/// One topic.
#[derive(Clone, PartialEq, Debug)]
pub struct Topic {
    /// Its id (#45).
    pub id: TopicId,
    /// Its name.
    pub name: Arc<str>,
    /// Its partitions, by number.
    pub partitions: Vec<Partition>,
    /// Its settings, with defaults.
    pub config: TopicConfig,
}

/// One partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partition {
    /// Brokers that hold it, preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// Those in sync.
    pub isr: Vec<BrokerId>,
    /// Who leads; none if nobody may.
    pub leader: Option<BrokerId>,
    /// Which leadership.
    pub epoch: LeaderEpoch,
    /// Which state of the replica set.
    pub partition_epoch: PartitionEpoch,
}

impl Image {
    /// A topic by name.
    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(name)
    }

    /// A topic by id.
    pub fn topic_by_id(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.get(self.names.get(&id)?)
    }

    /// One partition of a topic.
    pub fn partition(&self, log: LogId) -> Option<&Partition> {
        self.topic_by_id(log.topic)?.partition(log.partition)
    }
}

impl Topic {
    /// One of its partitions.
    pub fn partition(&self, id: PartitionId) -> Option<&Partition> {
        self.partitions.get(usize::try_from(id.0).ok()?)
    }
}
