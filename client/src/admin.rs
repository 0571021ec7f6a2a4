//! Administration: topics are made, grown and deleted here; configurations, records and the cluster have files of their own.
//! Decides the shape of the calls; one result per item, whatever the others became.

mod cluster;
mod configs;
mod records;

use sawlog_wire::ErrorCode;
use sawlog_wire::messages::create_partitions::CreatePartitionsTopic;
use sawlog_wire::messages::create_topics::{CreatableTopic, CreatableTopicConfig};
use sawlog_wire::messages::delete_topics::DeleteTopicState;
use sawlog_wire::messages::{CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest};

pub use cluster::{Broker, Cluster};
pub use configs::{Config, ConfigChange, ConfigSource, Resource, Synonym};
pub use records::{DirPartition, LogDir};

use crate::client::Client;
use crate::error::Error;

/// A topic to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewTopic {
    name: String,
    partitions: i32,
    replication: i16,
    configs: Vec<(String, String)>,
}

impl NewTopic {
    /// With as many partitions and replicas as the broker's defaults say (KIP-464).
    pub fn new(name: &str) -> NewTopic {
        NewTopic {
            name: name.to_owned(),
            partitions: -1,
            replication: -1,
            configs: Vec::new(),
        }
    }

    /// With that many partitions.
    #[must_use]
    pub fn partitions(mut self, partitions: i32) -> NewTopic {
        self.partitions = partitions;
        self
    }

    /// With that many replicas.
    #[must_use]
    pub fn replication(mut self, replicas: i16) -> NewTopic {
        self.replication = replicas;
        self
    }

    /// With one setting, by Kafka's name.
    #[must_use]
    pub fn config(mut self, key: &str, value: &str) -> NewTopic {
        self.configs.push((key.to_owned(), value.to_owned()));
        self
    }
}

/// A result for each, by name.
type Results = Vec<(String, Result<(), Error>)>;

/// Whether a call does what it says, or only finds out whether it could.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// It is done.
    #[default]
    Do,
    /// Only judged: nothing changes.
    Validate,
}

fn result(name: &str, error: ErrorCode, said: Option<&str>) -> Result<(), Error> {
    match error.is_none() {
        true => Ok(()),
        false => Err(Error::refused(name, error, said)),
    }
}

impl Client {
    /// How long a broker may take, in milliseconds.
    fn patience(&self) -> i32 {
        i32::try_from(self.request_timeout().as_millis()).unwrap_or(i32::MAX)
    }

    /// Makes topics: a result for each, by name. Kafka: CreateTopics. When dropped, they may be made all the same.
    pub async fn create_topics(&self, topics: Vec<NewTopic>) -> Result<Results, Error> {
        self.create_or_judge(topics, Mode::Do).await
    }

    /// The same, or only whether they could be made.
    pub async fn create_or_judge(
        &self,
        topics: Vec<NewTopic>,
        mode: Mode,
    ) -> Result<Results, Error> {
        let wanted = topics.into_iter().map(|topic| {
            let configs = topic.configs.into_iter();
            let config = |(name, value)| CreatableTopicConfig {
                name,
                value: Some(value),
                ..Default::default()
            };
            CreatableTopic {
                name: topic.name,
                num_partitions: topic.partitions,
                replication_factor: topic.replication,
                configs: configs.map(config).collect(),
                ..Default::default()
            }
        });
        let request = CreateTopicsRequest {
            topics: wanted.collect(),
            timeout_ms: self.patience(),
            validate_only: mode == Mode::Validate,
            ..Default::default()
        };
        let answer = self.any().await?.ask(request, i16::MAX).await?;
        let results = answer.topics.into_iter().map(|told| {
            let result = result(&told.name, told.error_code, told.error_message.as_deref());
            (told.name, result)
        });
        Ok(results.collect())
    }

    /// Deletes topics with all their records: a result for each, by name. Kafka: DeleteTopics. When dropped, they may be
    /// deleted all the same.
    pub async fn delete_topics(&self, names: &[&str]) -> Result<Results, Error> {
        let by_name = |name: &&str| DeleteTopicState {
            name: Some((*name).to_owned()),
            ..Default::default()
        };
        let request = DeleteTopicsRequest {
            topics: names.iter().map(by_name).collect(),
            topic_names: names.iter().map(|name| (*name).to_owned()).collect(),
            timeout_ms: self.patience(),
            ..Default::default()
        };
        let answer = self.any().await?.ask(request, i16::MAX).await?;
        for name in names {
            self.forget(name).await;
        }
        let results = answer.responses.into_iter().map(|told| {
            let name = told.name.unwrap_or_default();
            let result = result(&name, told.error_code, told.error_message.as_deref());
            (name, result)
        });
        Ok(results.collect())
    }

    /// Gives topics more partitions: so many each, in all. A result for each, by name. Kafka: CreatePartitions. When
    /// dropped, they may be made all the same.
    pub async fn create_partitions(
        &self,
        topics: &[(&str, i32)],
        mode: Mode,
    ) -> Result<Results, Error> {
        let topic = |(name, count): &(&str, i32)| CreatePartitionsTopic {
            name: (*name).to_owned(),
            count: *count,
            ..Default::default()
        };
        let request = CreatePartitionsRequest {
            topics: topics.iter().map(topic).collect(),
            timeout_ms: self.patience(),
            validate_only: mode == Mode::Validate,
            ..Default::default()
        };
        let answer = self.any().await?.ask(request, i16::MAX).await?;
        for (name, _) in topics {
            self.forget(name).await;
        }
        let results = answer.results.into_iter().map(|told| {
            let result = result(&told.name, told.error_code, told.error_message.as_deref());
            (told.name, result)
        });
        Ok(results.collect())
    }
}
