//! What the answers so far say of the cluster: brokers, topics, leaders. Decides which answer counts when two differ: the
//! one of the higher leader epoch, for answers of lagging brokers arrive late too (KIP-320); never when to ask.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use sawlog_wire::messages::MetadataResponse;
use sawlog_wire::messages::metadata::MetadataResponseTopic;
use sawlog_wire::{ErrorCode, Uuid};

use crate::time::Mono;

/// A broker's id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BrokerId(pub i32);

/// Where a broker listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broker {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The rack, if it has one.
    pub rack: Option<String>,
}

/// A partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partition {
    /// Who leads, if anybody does.
    pub leader: Option<BrokerId>,
    /// In which leadership; -1 from a broker too old to say.
    pub epoch: i32,
    /// Who holds a replica.
    pub replicas: Vec<BrokerId>,
    /// Who of them is in sync.
    pub isr: Vec<BrokerId>,
}

/// A topic that exists.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Topic {
    /// Its id; zero from a broker too old to say.
    pub id: Uuid,
    /// Whether it is one of Kafka's own.
    pub internal: bool,
    /// Its partitions by number.
    pub partitions: BTreeMap<i32, Partition>,
}

/// The cluster, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    /// The cluster's id, once a broker has said it.
    pub cluster: Option<String>,
    /// Who takes requests for the controller.
    pub controller: Option<BrokerId>,
    /// The brokers of the last answer.
    pub brokers: BTreeMap<BrokerId, Broker>,
    /// The topics that were asked about and exist.
    pub topics: BTreeMap<String, Topic>,
    /// What the last answer said instead of a topic, by name.
    pub errors: BTreeMap<String, ErrorCode>,
    at: Option<Mono>,
}

impl Metadata {
    /// Takes an answer in. `all` says that it was about every topic: those that it leaves out are gone.
    pub fn learn(&mut self, answer: &MetadataResponse, all: bool, now: Mono) {
        self.at = Some(now);
        self.cluster = answer.cluster_id.clone().or_else(|| self.cluster.take());
        self.controller = known(answer.controller_id);
        self.brokers = answer
            .brokers
            .iter()
            .filter_map(|broker| {
                let port = u16::try_from(broker.port).ok()?;
                Some((
                    BrokerId(broker.node_id),
                    Broker {
                        host: broker.host.clone(),
                        port,
                        rack: broker.rack.clone(),
                    },
                ))
            })
            .collect();
        let mut before = core::mem::take(&mut self.topics);
        self.errors.clear();
        for told in &answer.topics {
            let Some(name) = told.name.clone() else {
                continue;
            };
            let old = before.remove(&name);
            if told.error_code.is_none() {
                self.topics.insert(name, topic(told, old));
            } else {
                self.errors.insert(name, told.error_code);
            }
        }
        if !all {
            self.topics.extend(before);
        }
    }

    /// Who leads a partition, and in which leadership.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<(BrokerId, i32)> {
        let partition = self.topics.get(topic)?.partitions.get(&partition)?;
        Some((partition.leader?, partition.epoch))
    }

    /// Whether the last answer is older than `metadata.max.age.ms`, or there is none.
    pub fn stale(&self, age: Duration, now: Mono) -> bool {
        self.at.is_none_or(|at| now.since(at) >= age)
    }
}

fn known(id: i32) -> Option<BrokerId> {
    (id >= 0).then_some(BrokerId(id))
}

fn topic(told: &MetadataResponseTopic, old: Option<Topic>) -> Topic {
    // Another id is another topic of the same name: its epochs begin anew (KIP-516).
    let old = old.filter(|old| old.id == told.topic_id);
    let mut topic = Topic {
        id: told.topic_id,
        internal: told.is_internal,
        partitions: BTreeMap::new(),
    };
    for told in &told.partitions {
        let ids = |ids: &[i32]| ids.iter().map(|id| BrokerId(*id)).collect();
        let new = Partition {
            leader: known(told.leader_id),
            epoch: told.leader_epoch,
            replicas: ids(&told.replica_nodes),
            isr: ids(&told.isr_nodes),
        };
        let before = old
            .as_ref()
            .and_then(|old| old.partitions.get(&told.partition_index));
        let newer = before.filter(|before| new.epoch >= 0 && before.epoch > new.epoch);
        topic
            .partitions
            .insert(told.partition_index, newer.cloned().unwrap_or(new));
    }
    topic
}

#[cfg(test)]
mod tests {
    use super::*;
    use sawlog_wire::Code;
    use sawlog_wire::messages::metadata::{MetadataResponseBroker, MetadataResponsePartition};

    const NOW: Mono = Mono(5);

    fn told(name: &str, id: u128, leader: i32, epoch: i32) -> MetadataResponseTopic {
        let partition = MetadataResponsePartition {
            leader_id: leader,
            leader_epoch: epoch,
            replica_nodes: vec![1, 2],
            ..Default::default()
        };
        MetadataResponseTopic {
            name: Some(name.into()),
            topic_id: Uuid::from_u128(id),
            partitions: vec![partition],
            ..Default::default()
        }
    }

    fn answer(topics: Vec<MetadataResponseTopic>) -> MetadataResponse {
        let broker = |node_id, port| MetadataResponseBroker {
            node_id,
            host: "h".into(),
            port,
            ..Default::default()
        };
        MetadataResponse {
            brokers: vec![broker(1, 9092), broker(2, 70_000)],
            controller_id: 1,
            topics,
            ..Default::default()
        }
    }

    fn leader(known: &Metadata, topic: &str) -> Option<(i32, i32)> {
        known.leader(topic, 0).map(|(id, epoch)| (id.0, epoch))
    }

    #[test]
    fn a_late_answer_of_an_older_leadership_changes_nothing_kip_320() {
        let mut known = Metadata::default();
        known.learn(&answer(vec![told("a", 7, 2, 4)]), true, NOW);
        known.learn(&answer(vec![told("a", 7, 1, 3)]), true, NOW);
        assert_eq!(leader(&known, "a"), Some((2, 4)));
        known.learn(&answer(vec![told("a", 7, 1, 5)]), true, NOW);
        assert_eq!(leader(&known, "a"), Some((1, 5)));
    }

    #[test]
    fn a_topic_made_anew_under_its_name_begins_anew_kip_516() {
        let mut known = Metadata::default();
        known.learn(&answer(vec![told("a", 7, 2, 4)]), true, NOW);
        known.learn(&answer(vec![told("a", 8, 1, 0)]), true, NOW);
        assert_eq!(leader(&known, "a"), Some((1, 0)));
    }

    #[test]
    fn a_topic_that_an_answer_about_all_leaves_out_is_gone() {
        let mut known = Metadata::default();
        known.learn(
            &answer(vec![told("a", 7, 1, 0), told("b", 8, 1, 0)]),
            true,
            NOW,
        );
        known.learn(&answer(vec![told("a", 7, 1, 0)]), false, NOW);
        assert!(leader(&known, "b").is_some());
        known.learn(&answer(vec![told("a", 7, 1, 0)]), true, NOW);
        assert_eq!(leader(&known, "b"), None);
    }

    #[test]
    fn an_error_takes_the_topics_place_and_an_impossible_port_no_broker() {
        let mut known = Metadata::default();
        known.learn(&answer(vec![told("a", 7, 1, 0)]), false, NOW);
        let gone = MetadataResponseTopic {
            name: Some("a".into()),
            error_code: Code::UnknownTopicOrPartition.into(),
            ..Default::default()
        };
        known.learn(&answer(vec![gone]), false, NOW);
        assert_eq!(leader(&known, "a"), None);
        assert_eq!(
            known.errors["a"].code(),
            Some(Code::UnknownTopicOrPartition)
        );
        assert_eq!(known.brokers.keys().collect::<Vec<_>>(), [&BrokerId(1)]);
    }

    #[test]
    fn a_partition_without_a_leader_has_none() {
        let mut known = Metadata::default();
        known.learn(&answer(vec![told("a", 7, -1, 3)]), false, NOW);
        assert_eq!(leader(&known, "a"), None);
        assert_eq!(leader(&known, "none"), None);
    }

    #[test]
    fn metadata_goes_stale_with_its_age() {
        let mut known = Metadata::default();
        let age = Duration::from_secs(300);
        assert!(known.stale(age, NOW), "there is none");
        known.learn(&answer(Vec::new()), true, NOW);
        assert!(!known.stale(age, NOW));
        assert!(known.stale(age, NOW.after(age)));
    }
}
