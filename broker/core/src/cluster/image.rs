//! The image: all committed metadata at one offset, immutable, shared by every shard and connection.
//! Decides nothing by itself; equal offset means equal image on every node (#41).

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::{BrokerConfig, Connections, Layers, TopicConfig};
use crate::ids::{
    BrokerEpoch, BrokerId, Endpoint, LeaderEpoch, LogId, Offset, PartitionEpoch, PartitionId, Term,
    TopicId, Uuid,
};
use crate::map::Map;

/// `ConfigRecord.resource_type` of a topic.
pub const TOPIC_RESOURCE: i8 = 2;
/// `ConfigRecord.resource_type` of a broker; all of them where the name is empty.
pub const BROKER_RESOURCE: i8 = 4;

/// Everything that the metadata log says, up to `offset`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Image {
    /// End of the metadata log that this is the fold of.
    pub offset: Offset,
    /// The quorum's term at that offset.
    pub term: Term,
    /// The active controller; none until one is known.
    pub controller: Option<BrokerId>,
    /// The cluster's id, as Kafka prints it. Not from the log: from `meta.properties`.
    pub cluster: Arc<str>,
    /// Registered brokers.
    pub brokers: Map<BrokerId, Broker>,
    /// Registered controllers (KIP-919).
    pub controllers: Map<BrokerId, Controller>,
    /// Topics by name.
    pub topics: Map<Arc<str>, Arc<Topic>>,
    /// Names by topic id.
    pub names: Map<TopicId, Arc<str>>,
    /// Finalized feature levels (KIP-584).
    pub features: Map<String, i16>,
    /// Topic settings by topic name, then key, as they were given.
    pub configs: Map<Arc<str>, Map<String, String>>,
    /// Settings of other resources than topics by type and name, then key, as they were given: of one broker by its id, of
    /// all brokers by the empty name. Those of types that this build does not serve are kept for one that does.
    pub settings: Map<(i8, String), Map<String, String>>,
    /// This node's own settings as its start was given them. Not from the log.
    pub node: Arc<BrokerConfig>,
    /// What topics get on this node that say nothing themselves: its own settings, and those given while it runs.
    pub defaults: Arc<TopicConfig>,
    /// How many connections this node takes, by the same words.
    pub connections: Arc<Connections>,
    /// The first producer id that no block has granted yet, and who got the last block.
    pub producer_ids: ProducerIds,
    /// Deleted topics of which a shard may still have something: only what stands here is ever removed (#40). In no
    /// snapshot, so none is written while there are any.
    pub removed: Map<TopicId, Removed>,
}

/// A deleted topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Removed {
    /// Its name: a shard that never wrote down where it began to put a partition's files looks for them by it.
    pub name: Arc<str>,
    /// The end of the metadata log that the deletion lies below.
    pub end: Offset,
}

/// How far producer ids have been given out (#73).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ProducerIds {
    /// The first id of the next block.
    pub next: i64,
    /// Who got the last block, under which registration; none before the first.
    pub holder: Option<(BrokerId, BrokerEpoch)>,
}

/// A feature and the levels of it that a node can run at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FeatureRange {
    /// Kafka's name.
    pub name: String,
    /// Lowest level.
    pub min: i16,
    /// Highest level.
    pub max: i16,
}

/// One registered broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broker {
    /// Its registration.
    pub epoch: BrokerEpoch,
    /// Which life of its process registered.
    pub incarnation: Uuid,
    /// Whether it may not lead.
    pub fenced: bool,
    /// Where clients reach it.
    pub endpoints: Vec<Endpoint>,
    /// What it can run at.
    pub features: Vec<FeatureRange>,
    /// Its rack.
    pub rack: Option<String>,
    /// Its log directories (#19).
    pub directories: Vec<Uuid>,
}

/// One registered controller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Controller {
    /// Which life of its process registered.
    pub incarnation: Uuid,
    /// Where the quorum reaches it.
    pub endpoints: Vec<Endpoint>,
    /// What it can run at.
    pub features: Vec<FeatureRange>,
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
    pub config: Arc<TopicConfig>,
}

/// One partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partition {
    /// Brokers that hold it, preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// In which log directory each holds it.
    pub directories: Vec<Uuid>,
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

    /// No shard has anything left of topics whose deletion lies below this offset.
    pub fn forget_removed(&mut self, upto: Offset) {
        self.removed.retain(|_, removed| removed.end > upto);
    }

    /// What was given while it runs for one broker, or for all of them where none is named.
    pub fn broker_settings(&self, broker: Option<BrokerId>) -> Option<&Map<String, String>> {
        let name = broker.map_or_else(String::new, |id| id.to_string());
        self.settings.get(&(BROKER_RESOURCE, name))
    }

    /// Who says what of this node's settings.
    pub fn layers(&self) -> Layers<'_> {
        Layers {
            one: self.broker_settings(Some(self.node.node_id)),
            all: self.broker_settings(None),
            given: &self.node.given,
        }
    }

    /// One partition of a topic.
    pub fn partition(&self, log: LogId) -> Option<&Partition> {
        self.topic_by_id(log.topic)?.partition(log.partition)
    }

    /// Every partition of every topic, by topic name and number.
    pub fn partitions(&self) -> impl Iterator<Item = (LogId, &Arc<Topic>, &Partition)> {
        self.topics.values().flat_map(|topic| {
            (0..)
                .zip(&topic.partitions)
                .map(move |(number, partition)| {
                    (
                        LogId {
                            topic: topic.id,
                            partition: PartitionId(number),
                        },
                        topic,
                        partition,
                    )
                })
        })
    }
}

impl Topic {
    /// One of its partitions.
    pub fn partition(&self, id: PartitionId) -> Option<&Partition> {
        self.partitions.get(usize::try_from(id.0).ok()?)
    }
}
