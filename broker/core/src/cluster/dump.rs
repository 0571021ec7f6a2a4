//! The image as the records that make it again: what a snapshot holds, and what two nodes compare (#39, #41).
//! Decides their order, which is Kafka's: features, topics with settings and partitions, brokers, controllers, ids.

use alloc::string::String;
use alloc::vec::Vec;

use sawlog_wire::metadata::brokers::{BrokerEndpoint, BrokerFeature};
use sawlog_wire::metadata::controllers::{ControllerEndpoint, ControllerFeature};
use sawlog_wire::metadata::{
    ConfigRecord, FeatureLevelRecord, PartitionRecord, ProducerIdsRecord, RegisterBrokerRecord,
    RegisterControllerRecord, TopicRecord,
};

use crate::cluster::image::{Broker, Controller, Image, Partition, TOPIC_RESOURCE, Topic};
use crate::cluster::record::{self, Record};
use crate::ids::BrokerId;

/// Kafka's number for a listener without TLS and SASL.
const PLAINTEXT: i16 = 0;

impl Image {
    /// Records that, applied to an empty image, make this one.
    pub fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        // `metadata.version` goes first: it says how to read the rest.
        let (first, rest): (Vec<_>, Vec<_>) = self
            .features
            .iter()
            .partition(|(name, _)| *name == METADATA_VERSION);
        for (name, level) in first.into_iter().chain(rest) {
            records.push(
                FeatureLevelRecord {
                    name: name.clone(),
                    feature_level: *level,
                    ..Default::default()
                }
                .into(),
            );
        }
        for topic in self.topics.values() {
            records.push(topic_record(topic).into());
            records.extend(
                (0..)
                    .zip(&topic.partitions)
                    .map(|(number, p)| partition_record(topic, number, p).into()),
            );
        }
        for (topic, given) in &self.configs {
            records.extend(
                given
                    .iter()
                    .map(|(name, value)| config_record(topic, name, value).into()),
            );
        }
        for ((kind, resource), given) in &self.settings {
            let record = |(name, value): (&String, &String)| ConfigRecord {
                resource_type: *kind,
                ..config_record(resource, name, value)
            };
            records.extend(given.iter().map(|row| record(row).into()));
        }
        records.extend(
            self.brokers
                .iter()
                .map(|(id, broker)| broker_record(*id, broker).into()),
        );
        records.extend(
            self.controllers
                .iter()
                .map(|(id, controller)| controller_record(*id, controller).into()),
        );
        if let Some((broker, epoch)) = self.producer_ids.holder {
            records.push(
                ProducerIdsRecord {
                    broker_id: broker.0,
                    broker_epoch: epoch.0,
                    next_producer_id: self.producer_ids.next,
                    ..Default::default()
                }
                .into(),
            );
        }
        records
    }

    /// A hash of everything that comes from the log: equal offset, equal digest (#41).
    pub fn digest(&self) -> u32 {
        let mut sum = crc32c::crc32c(&self.offset.0.to_be_bytes());
        sum = crc32c::crc32c_append(sum, &self.term.0.to_be_bytes());
        for record in self.records() {
            sum = crc32c::crc32c_append(sum, &record::encode(&record));
        }
        sum
    }
}

/// The feature that says in which formats metadata is written.
pub const METADATA_VERSION: &str = "metadata.version";

/// A topic, without its partitions.
pub fn topic_record(topic: &Topic) -> TopicRecord {
    TopicRecord {
        name: topic.name.as_ref().into(),
        topic_id: topic.id.0,
        ..Default::default()
    }
}

/// One setting of a topic.
pub fn config_record(topic: &str, name: &str, value: &str) -> ConfigRecord {
    ConfigRecord {
        resource_type: TOPIC_RESOURCE,
        resource_name: topic.into(),
        name: name.into(),
        value: Some(value.into()),
        ..Default::default()
    }
}

/// One partition of a topic.
pub fn partition_record(topic: &Topic, number: i32, partition: &Partition) -> PartitionRecord {
    PartitionRecord {
        partition_id: number,
        topic_id: topic.id.0,
        replicas: partition.replicas.iter().map(|id| id.0).collect(),
        isr: partition.isr.iter().map(|id| id.0).collect(),
        leader: partition.leader.map_or(-1, |id| id.0),
        leader_epoch: partition.epoch.0,
        partition_epoch: partition.partition_epoch.0,
        directories: partition.directories.clone(),
        ..Default::default()
    }
}

/// One registration of a broker.
pub fn broker_record(id: BrokerId, broker: &Broker) -> RegisterBrokerRecord {
    RegisterBrokerRecord {
        broker_id: id.0,
        incarnation_id: broker.incarnation,
        broker_epoch: broker.epoch.0,
        end_points: broker
            .endpoints
            .iter()
            .map(|at| BrokerEndpoint {
                name: at.listener.clone(),
                host: at.host.clone(),
                port: at.port,
                security_protocol: PLAINTEXT,
                ..Default::default()
            })
            .collect(),
        features: broker
            .features
            .iter()
            .map(|f| BrokerFeature {
                name: f.name.clone(),
                min_supported_version: f.min,
                max_supported_version: f.max,
                ..Default::default()
            })
            .collect(),
        rack: broker.rack.clone(),
        fenced: broker.fenced,
        log_dirs: broker.directories.clone(),
        ..Default::default()
    }
}

/// One registration of a controller.
pub fn controller_record(id: BrokerId, controller: &Controller) -> RegisterControllerRecord {
    RegisterControllerRecord {
        controller_id: id.0,
        incarnation_id: controller.incarnation,
        end_points: controller
            .endpoints
            .iter()
            .map(|at| ControllerEndpoint {
                name: at.listener.clone(),
                host: at.host.clone(),
                port: at.port,
                security_protocol: PLAINTEXT,
                ..Default::default()
            })
            .collect(),
        features: controller
            .features
            .iter()
            .map(|f| ControllerFeature {
                name: f.name.clone(),
                min_supported_version: f.min,
                max_supported_version: f.max,
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    }
}
