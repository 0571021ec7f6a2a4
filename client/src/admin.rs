//! Administration: topics are made here. Decides the shape of the call; one result per item, whatever the others became.

use sawlog_wire::messages::CreateTopicsRequest;
use sawlog_wire::messages::create_topics::{CreatableTopic, CreatableTopicConfig};

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

impl Client {
    /// Makes topics: a result for each, by name. Kafka: CreateTopics. When dropped, they may be made all the same.
    pub async fn create_topics(
        &self,
        topics: Vec<NewTopic>,
    ) -> Result<Vec<(String, Result<(), Error>)>, Error> {
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
            timeout_ms: 30_000,
            ..Default::default()
        };
        let answer = self.any().await?.ask(request, i16::MAX).await?;
        let results = answer.topics.into_iter().map(|told| {
            let result = if told.error_code.is_none() {
                Ok(())
            } else {
                Err(Error::refused(
                    &told.name,
                    told.error_code,
                    told.error_message.as_deref(),
                ))
            };
            (told.name, result)
        });
        Ok(results.collect())
    }
}
