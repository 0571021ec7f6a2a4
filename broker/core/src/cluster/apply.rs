//! What each record of the metadata log changes in the image: the same code live and at load (#41, #44).
//! Decides nothing about whether a record should be; a record that fits nothing is told, never skipped.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use sawlog_wire::metadata::{
    BrokerRegistrationChangeRecord, ConfigRecord, FeatureLevelRecord, PartitionChangeRecord,
    PartitionRecord, ProducerIdsRecord, RegisterBrokerRecord, RegisterControllerRecord,
    RemoveTopicRecord, TopicRecord,
};

use crate::cluster::image::{
    BROKER_RESOURCE, Broker, Controller, FeatureRange, Image, Partition, ProducerIds, Removed,
    TOPIC_RESOURCE, Topic,
};
use crate::cluster::record::Record;
use crate::config::{self, TopicConfig};
use crate::ids::{
    BrokerEpoch, BrokerId, Endpoint, LeaderEpoch, Offset, PartitionEpoch, Term, TopicId, Uuid,
};
use crate::map::Map;

/// A record that does not fit the records before it: damage, or a bug, but never to be guessed around.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Misfit {
    /// It speaks of a topic that no record made.
    NoTopic(Uuid),
    /// It speaks of a partition that no record made.
    NoPartition(Uuid, i32),
    /// It makes a partition out of order.
    PartitionGap(Uuid, i32),
    /// It makes a topic whose name or id is taken.
    TopicTaken(String),
    /// It speaks of a registration that does not hold.
    NoBroker(i32, i64),
    /// It is of a kind that this build does not act on: a later build, or Apache Kafka, wrote it.
    NotServed(&'static str),
    /// It gives out producer ids a second time (#73).
    ProducerIdsFell {
        /// The first id that was free.
        had: i64,
        /// The one it says.
        got: i64,
    },
}

impl core::fmt::Display for Misfit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Misfit::NoTopic(id) => write!(f, "a record names topic {id}, which no record made"),
            Misfit::NoPartition(id, number) => {
                write!(
                    f,
                    "a record names partition {number} of topic {id}, which no record made"
                )
            }
            Misfit::PartitionGap(id, number) => {
                write!(
                    f,
                    "a record makes partition {number} of topic {id} before those below it"
                )
            }
            Misfit::TopicTaken(name) => {
                write!(f, "a record makes topic {name}, whose name or id is taken")
            }
            Misfit::NoBroker(id, epoch) => {
                write!(
                    f,
                    "a record names registration {epoch} of broker {id}, which does not hold"
                )
            }
            Misfit::NotServed(kind) => {
                write!(f, "a {kind} stands in it, which this build does not act on")
            }
            Misfit::ProducerIdsFell { had, got } => {
                write!(
                    f,
                    "a record lets producer ids begin at {got}, which were given out up to {had}"
                )
            }
        }
    }
}

impl Image {
    /// Changes the image by one record.
    pub fn apply(&mut self, record: &Record) -> Result<(), Misfit> {
        match record {
            Record::RegisterBroker(record) => self.register_broker(record),
            Record::BrokerRegistrationChange(record) => return self.change_registration(record),
            Record::RegisterController(record) => self.register_controller(record),
            Record::Topic(record) => return self.add_topic(record),
            Record::RemoveTopic(record) => return self.remove_topic(record),
            Record::Partition(record) => return self.add_partition(record),
            Record::PartitionChange(record) => return self.change_partition(record),
            Record::Config(record) => self.set_config(record),
            Record::FeatureLevel(record) => self.set_feature(record),
            Record::ProducerIds(record) => return self.give_producer_ids(record),
            Record::NoOp(_) => {}
            // What this build neither writes nor acts on. Refused rather than skipped: a snapshot would lose it.
            other => return Err(Misfit::NotServed(other.name())),
        }
        Ok(())
    }

    /// A term began under this leader: the control record at its head says so.
    pub fn elected(&mut self, term: Term, leader: BrokerId) {
        assert!(
            self.term <= term,
            "#33: terms fall from {} to {term}",
            self.term
        );
        self.term = term;
        self.controller = Some(leader);
    }

    fn register_broker(&mut self, record: &RegisterBrokerRecord) {
        let broker = Broker {
            epoch: BrokerEpoch(record.broker_epoch),
            incarnation: record.incarnation_id,
            fenced: record.fenced,
            endpoints: record
                .end_points
                .iter()
                .map(|at| Endpoint {
                    listener: at.name.clone(),
                    host: at.host.clone(),
                    port: at.port,
                })
                .collect(),
            features: record
                .features
                .iter()
                .map(|f| FeatureRange {
                    name: f.name.clone(),
                    min: f.min_supported_version,
                    max: f.max_supported_version,
                })
                .collect(),
            rack: record.rack.clone(),
            directories: record.log_dirs.clone(),
        };
        self.brokers.insert(BrokerId(record.broker_id), broker);
    }

    fn change_registration(
        &mut self,
        record: &BrokerRegistrationChangeRecord,
    ) -> Result<(), Misfit> {
        let known = self.brokers.get_mut(&BrokerId(record.broker_id));
        let broker = known
            .filter(|broker| broker.epoch == BrokerEpoch(record.broker_epoch))
            .ok_or(Misfit::NoBroker(record.broker_id, record.broker_epoch))?;
        match record.fenced {
            1 => broker.fenced = true,
            -1 => broker.fenced = false,
            _ => {}
        }
        if !record.log_dirs.is_empty() {
            broker.directories.clone_from(&record.log_dirs);
        }
        Ok(())
    }

    fn register_controller(&mut self, record: &RegisterControllerRecord) {
        let controller = Controller {
            incarnation: record.incarnation_id,
            endpoints: record
                .end_points
                .iter()
                .map(|at| Endpoint {
                    listener: at.name.clone(),
                    host: at.host.clone(),
                    port: at.port,
                })
                .collect(),
            features: record
                .features
                .iter()
                .map(|f| FeatureRange {
                    name: f.name.clone(),
                    min: f.min_supported_version,
                    max: f.max_supported_version,
                })
                .collect(),
        };
        self.controllers
            .insert(BrokerId(record.controller_id), controller);
    }

    fn add_topic(&mut self, record: &TopicRecord) -> Result<(), Misfit> {
        let (name, id) = (
            Arc::<str>::from(record.name.as_str()),
            TopicId(record.topic_id),
        );
        if self.topics.contains_key(&name) || self.names.contains_key(&id) {
            return Err(Misfit::TopicTaken(record.name.clone()));
        }
        let config = self.settings_of(&name);
        self.names.insert(id, name.clone());
        self.topics.insert(
            name.clone(),
            Arc::new(Topic {
                id,
                name,
                partitions: Vec::new(),
                config: config.into(),
            }),
        );
        Ok(())
    }

    fn remove_topic(&mut self, record: &RemoveTopicRecord) -> Result<(), Misfit> {
        let name = self
            .names
            .remove(&TopicId(record.topic_id))
            .ok_or(Misfit::NoTopic(record.topic_id))?;
        self.topics.remove(&name);
        self.configs.remove(&name);
        // The batch that holds the record ends behind the image's offset, wherever that is.
        let end = Offset(self.offset.0.saturating_add(1));
        self.removed
            .insert(TopicId(record.topic_id), Removed { name, end });
        Ok(())
    }

    fn add_partition(&mut self, record: &PartitionRecord) -> Result<(), Misfit> {
        let (id, number) = (record.topic_id, record.partition_id);
        let topic = self.topic_mut(id)?;
        let partition = Partition {
            replicas: brokers(&record.replicas),
            directories: record.directories.clone(),
            isr: brokers(&record.isr),
            leader: leader(record.leader),
            epoch: LeaderEpoch(record.leader_epoch),
            partition_epoch: PartitionEpoch(record.partition_epoch),
        };
        let at = usize::try_from(number).map_err(|_| Misfit::PartitionGap(id, number))?;
        if at == topic.partitions.len() {
            topic.partitions.push(partition);
            return Ok(());
        }
        let known = topic
            .partitions
            .get_mut(at)
            .ok_or(Misfit::PartitionGap(id, number))?;
        *known = partition;
        Ok(())
    }

    fn change_partition(&mut self, record: &PartitionChangeRecord) -> Result<(), Misfit> {
        const NO_CHANGE: i32 = -2;
        let (id, number) = (record.topic_id, record.partition_id);
        let topic = self.topic_mut(id)?;
        let known = usize::try_from(number)
            .ok()
            .and_then(|at| topic.partitions.get_mut(at));
        let partition = known.ok_or(Misfit::NoPartition(id, number))?;
        if let Some(isr) = &record.isr {
            partition.isr = brokers(isr);
        }
        if let Some(replicas) = &record.replicas {
            partition.replicas = brokers(replicas);
        }
        if let Some(directories) = &record.directories {
            partition.directories.clone_from(directories);
        }
        if record.leader != NO_CHANGE {
            partition.leader = leader(record.leader);
            // Naming a leader, even the same one again, begins a leadership (#3).
            partition.epoch = LeaderEpoch(partition.epoch.0.saturating_add(1));
        }
        partition.partition_epoch = PartitionEpoch(partition.partition_epoch.0.saturating_add(1));
        Ok(())
    }

    fn set_config(&mut self, record: &ConfigRecord) {
        if record.resource_type != TOPIC_RESOURCE {
            let resource = (record.resource_type, record.resource_name.clone());
            put(&mut self.settings, resource, record);
            if record.resource_type == BROKER_RESOURCE {
                self.settle();
            }
            return;
        }
        let name = Arc::<str>::from(record.resource_name.as_str());
        put(&mut self.configs, name.clone(), record);
        let config = self.settings_of(&name);
        if let Some(topic) = self.topics.get_mut(&name) {
            Arc::make_mut(topic).config = config.into();
        }
    }

    /// The brokers' settings changed, and with them those of topics that say nothing themselves.
    fn settle(&mut self) {
        let said = [None, Some(self.node.node_id)].map(|whose| self.broker_settings(whose));
        let running = self.node.running(said.into_iter().flatten());
        if running.connections != *self.connections {
            self.connections = Arc::new(running.connections);
        }
        if running.topic == *self.defaults {
            return;
        }
        self.defaults = Arc::new(running.topic);
        let changed: Vec<(Arc<str>, TopicConfig)> = self
            .topics
            .values()
            .map(|topic| (topic.name.clone(), self.settings_of(&topic.name)))
            .collect();
        for (name, config) in changed {
            if let Some(topic) = self.topics.get_mut(&name)
                && *topic.config != config
            {
                Arc::make_mut(topic).config = config.into();
            }
        }
    }

    fn set_feature(&mut self, record: &FeatureLevelRecord) {
        match record.feature_level {
            0 => self.features.remove(&record.name),
            level => self.features.insert(record.name.clone(), level),
        };
    }

    fn give_producer_ids(&mut self, record: &ProducerIdsRecord) -> Result<(), Misfit> {
        let (had, got) = (self.producer_ids.next, record.next_producer_id);
        if got < had {
            return Err(Misfit::ProducerIdsFell { had, got });
        }
        let holder = (BrokerId(record.broker_id), BrokerEpoch(record.broker_epoch));
        self.producer_ids = ProducerIds {
            next: got,
            holder: Some(holder),
        };
        Ok(())
    }

    fn topic_mut(&mut self, id: Uuid) -> Result<&mut Topic, Misfit> {
        let name = self.names.get(&TopicId(id)).ok_or(Misfit::NoTopic(id))?;
        let topic = self.topics.get_mut(name).ok_or(Misfit::NoTopic(id))?;
        Ok(Arc::make_mut(topic))
    }

    /// What a topic runs by. A setting that this build does not take (a later one wrote it) falls back to the default;
    /// its text stays in `configs`.
    fn settings_of(&self, topic: &str) -> TopicConfig {
        let mut settled = TopicConfig::clone(&self.defaults);
        for (name, value) in self.configs.get(topic).into_iter().flatten() {
            if let Ok(with) = config::topic(&settled, [(name.as_str(), Some(value.as_str()))]) {
                settled = with;
            }
        }
        settled
    }
}

/// Puts one setting among its resource's, or takes it away; a resource without any is not kept.
fn put<K: Ord + Clone>(all: &mut Map<K, Map<String, String>>, key: K, record: &ConfigRecord) {
    let given = all.entry(key.clone()).or_default();
    match &record.value {
        Some(value) => given.insert(record.name.clone(), value.clone()),
        None => given.remove(&record.name),
    };
    if given.is_empty() {
        all.remove(&key);
    }
}

fn brokers(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

fn leader(id: i32) -> Option<BrokerId> {
    (id >= 0).then_some(BrokerId(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(record: Record) -> Misfit {
        let mut image = Image::default();
        let before = image.clone();
        let misfit = image.apply(&record).expect_err("it fits nothing");
        assert_eq!(image, before, "a record that does not fit changes nothing");
        assert!(!alloc::format!("{misfit}").is_empty());
        misfit
    }

    #[test]
    fn a_record_that_fits_nothing_is_told_and_changes_nothing() {
        let id = Uuid::from_u128(777);
        let partition = PartitionRecord {
            topic_id: id,
            partition_id: 0,
            ..Default::default()
        };
        assert_eq!(refused(partition.into()), Misfit::NoTopic(id));
        let change = PartitionChangeRecord {
            topic_id: id,
            partition_id: 0,
            ..Default::default()
        };
        assert_eq!(refused(change.into()), Misfit::NoTopic(id));
        let removed = RemoveTopicRecord {
            topic_id: id,
            ..Default::default()
        };
        assert_eq!(refused(removed.into()), Misfit::NoTopic(id));
        let registration = BrokerRegistrationChangeRecord {
            broker_id: 1,
            broker_epoch: 5,
            ..Default::default()
        };
        assert_eq!(refused(registration.into()), Misfit::NoBroker(1, 5));
        let ids = ProducerIdsRecord {
            next_producer_id: -5,
            ..Default::default()
        };
        assert_eq!(
            refused(ids.into()),
            Misfit::ProducerIdsFell { had: 0, got: -5 },
            "#73"
        );
        let acl = sawlog_wire::metadata::AccessControlEntryRecord::default();
        assert_eq!(
            refused(acl.into()),
            Misfit::NotServed("AccessControlEntryRecord"),
            "#46"
        );
    }

    #[test]
    fn a_topic_made_again_under_its_name_is_another_topic() {
        let mut image = Image::default();
        let topic = |id: u128| TopicRecord {
            name: "a".into(),
            topic_id: Uuid::from_u128(id),
            ..Default::default()
        };
        let config = ConfigRecord {
            resource_type: TOPIC_RESOURCE,
            resource_name: "a".into(),
            name: "retention.ms".into(),
            value: Some("5".into()),
            ..Default::default()
        };
        image.apply(&topic(700).into()).unwrap();
        image.apply(&config.into()).unwrap();
        assert_eq!(
            image.apply(&topic(800).into()),
            Err(Misfit::TopicTaken("a".into()))
        );
        image
            .apply(
                &RemoveTopicRecord {
                    topic_id: Uuid::from_u128(700),
                    ..Default::default()
                }
                .into(),
            )
            .unwrap();
        image.apply(&topic(800).into()).unwrap();
        assert_eq!(
            image.topic("a").unwrap().id,
            TopicId(Uuid::from_u128(800)),
            "#45"
        );
        assert_eq!(
            *image.topic("a").unwrap().config,
            TopicConfig::default(),
            "#45: settings go with the topic"
        );
        assert_eq!(
            image.topic_by_id(TopicId(Uuid::from_u128(700))),
            None,
            "#45"
        );
    }

    #[test]
    fn what_brokers_are_told_while_they_run_reaches_topics_that_say_nothing_themselves() {
        let mut image = Image::default();
        let topic = |id: u128, name: &str| TopicRecord {
            name: name.into(),
            topic_id: Uuid::from_u128(id),
            ..Default::default()
        };
        let set = |kind: i8, resource: &str, key: &str, value: Option<&str>| ConfigRecord {
            resource_type: kind,
            resource_name: resource.into(),
            name: key.into(),
            value: value.map(Into::into),
            ..Default::default()
        };
        image.apply(&topic(700, "plain").into()).unwrap();
        image.apply(&topic(800, "own").into()).unwrap();
        let own = set(TOPIC_RESOURCE, "own", "max.message.bytes", Some("5"));
        image.apply(&own.into()).unwrap();
        let say = |image: &mut Image, whose: &str, value: Option<&str>| {
            let said = set(BROKER_RESOURCE, whose, "message.max.bytes", value);
            image.apply(&said.into()).unwrap();
            ["plain", "own"].map(|name| image.topic(name).unwrap().config.max_message_bytes)
        };
        assert_eq!(say(&mut image, "", Some("100")), [100, 5]);
        assert_eq!(
            say(&mut image, "1", Some("200")),
            [200, 5],
            "one before all"
        );
        assert_eq!(
            say(&mut image, "2", Some("300")),
            [200, 5],
            "another broker"
        );
        assert_eq!(say(&mut image, "", Some("400")), [200, 5]);
        let group = set(32, "g", "consumer.session.timeout.ms", Some("9"));
        image.apply(&group.into()).unwrap();

        let mut again = Image::default();
        for record in image.records() {
            again.apply(&record).unwrap();
        }
        assert_eq!(
            again.settings, image.settings,
            "a snapshot loses none (#41)"
        );
        assert_eq!(again.topics, image.topics, "in whatever order they come");
        assert_eq!(say(&mut image, "1", None), [400, 5]);
        assert_eq!(say(&mut image, "", Some("no number")), [1_048_588, 5]);
        assert_eq!(say(&mut image, "", None), [1_048_588, 5]);
        assert_eq!(image.broker_settings(None), None);
    }
}
