//! Configurations of topics and brokers: read with the place each value comes from, changed key by key. Decides the shape of
//! the calls; what a key means is the broker's affair.

use sawlog_wire::messages::describe_configs::{
    DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsSynonym,
};
use sawlog_wire::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use sawlog_wire::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};

use super::{Mode, result};
use crate::client::{Client, Lane};
use crate::conn::Conn;
use crate::error::Error;
use sawlog_engine::metadata::BrokerId;

/// What has a configuration.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Resource {
    /// A topic, by name.
    Topic(String),
    /// A broker, by id: only it can tell its own.
    Broker(i32),
    /// All brokers: what each of them has that was given nothing of its own (KIP-226).
    Brokers,
}

impl Resource {
    fn wire(&self) -> (i8, String) {
        match self {
            Resource::Topic(name) => (2, name.clone()),
            Resource::Broker(id) => (4, id.to_string()),
            Resource::Brokers => (4, String::new()),
        }
    }

    fn name(&self) -> String {
        match self {
            Resource::Topic(name) => name.clone(),
            Resource::Broker(id) => format!("broker {id}"),
            Resource::Brokers => "all brokers".to_owned(),
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConfigSource {
    /// Set at the topic.
    Topic,
    /// Set at run time, at one broker.
    Broker,
    /// Set at run time, for all brokers.
    Cluster,
    /// Of the file or the command line that the broker was started with.
    Started,
    /// Nobody set it.
    Default,
    /// One that this client does not know.
    Other(i8),
}

impl ConfigSource {
    fn of(number: i8) -> ConfigSource {
        match number {
            1 => ConfigSource::Topic,
            2 => ConfigSource::Broker,
            3 => ConfigSource::Cluster,
            4 => ConfigSource::Started,
            5 => ConfigSource::Default,
            other => ConfigSource::Other(other),
        }
    }

    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            ConfigSource::Topic => "DYNAMIC_TOPIC_CONFIG",
            ConfigSource::Broker => "DYNAMIC_BROKER_CONFIG",
            ConfigSource::Cluster => "DYNAMIC_DEFAULT_BROKER_CONFIG",
            ConfigSource::Started => "STATIC_BROKER_CONFIG",
            ConfigSource::Default => "DEFAULT_CONFIG",
            ConfigSource::Other(_) => "UNKNOWN",
        }
    }
}

/// A key and its value.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Kafka's name.
    pub name: String,
    /// The value; `None` where it is secret, or there is none.
    pub value: Option<String>,
    /// Where it comes from.
    pub source: ConfigSource,
    /// It cannot be changed at run time.
    pub read_only: bool,
    /// It is a secret.
    pub sensitive: bool,
    /// All that was said of it, the word that counts first; under other names too, where a broker's setting stands in.
    pub synonyms: Vec<Synonym>,
}

/// What was said of a key in one place.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Synonym {
    /// The name it was said under.
    pub name: String,
    /// The value; `None` where it is secret, or there is none.
    pub value: Option<String>,
    /// Where it was said.
    pub source: ConfigSource,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConfigChange {
    /// Set to a value.
    Set(String, String),
    /// Nobody set it: the default acts again.
    Unset(String),
    /// A value more in a list.
    Append(String, String),
    /// A value less in a list.
    Subtract(String, String),
}

impl ConfigChange {
    fn wire(&self) -> AlterableConfig {
        let (name, config_operation, value) = match self {
            ConfigChange::Set(name, value) => (name, 0, Some(value)),
            ConfigChange::Unset(name) => (name, 1, None),
            ConfigChange::Append(name, value) => (name, 2, Some(value)),
            ConfigChange::Subtract(name, value) => (name, 3, Some(value)),
        };
        AlterableConfig {
            name: name.clone(),
            config_operation,
            value: value.cloned(),
            ..Default::default()
        }
    }
}

impl Client {
    /// The configurations of these: a result for each, in their order. Kafka: DescribeConfigs. Cancel safe.
    pub async fn describe_configs(
        &self,
        resources: &[Resource],
    ) -> Vec<(Resource, Result<Vec<Config>, Error>)> {
        let mut results = Vec::new();
        for resource in resources {
            results.push((resource.clone(), self.configs_of(resource).await));
        }
        results
    }

    async fn configs_of(&self, resource: &Resource) -> Result<Vec<Config>, Error> {
        let (resource_type, resource_name) = resource.wire();
        let request = DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type,
                resource_name,
                ..Default::default()
            }],
            include_synonyms: true,
            ..Default::default()
        };
        let conn = self.about(resource).await?;
        let answer = conn.ask(request, i16::MAX).await?;
        let mut configs = Vec::new();
        for told in answer.results {
            result(
                &resource.name(),
                told.error_code,
                told.error_message.as_deref(),
            )?;
            configs.extend(told.configs.into_iter().map(config));
        }
        Ok(configs)
    }

    /// Changes some keys and leaves the others: all of one resource or none. A result for each, in their order. Kafka:
    /// IncrementalAlterConfigs (KIP-339). When dropped, they may be changed all the same.
    pub async fn alter_configs(
        &self,
        changes: &[(Resource, Vec<ConfigChange>)],
        mode: Mode,
    ) -> Result<Vec<(Resource, Result<(), Error>)>, Error> {
        let mut results = Vec::new();
        for (resource, changes) in changes {
            let (resource_type, resource_name) = resource.wire();
            let configs = changes.iter().map(ConfigChange::wire).collect();
            let request = IncrementalAlterConfigsRequest {
                resources: vec![AlterConfigsResource {
                    resource_type,
                    resource_name,
                    configs,
                    ..Default::default()
                }],
                validate_only: mode == Mode::Validate,
                ..Default::default()
            };
            let conn = self.about(resource).await?;
            let answer = conn.ask(request, i16::MAX).await?;
            let told = answer.responses.first();
            let done = told.map_or(Ok(()), |told| {
                result(
                    &resource.name(),
                    told.error_code,
                    told.error_message.as_deref(),
                )
            });
            results.push((resource.clone(), done));
        }
        Ok(results)
    }

    /// A connection to who can speak of it.
    async fn about(&self, resource: &Resource) -> Result<Conn, Error> {
        match resource {
            Resource::Broker(id) => self.broker(BrokerId(*id), Lane::Calls).await,
            Resource::Topic(_) | Resource::Brokers => self.any().await,
        }
    }
}

fn config(told: DescribeConfigsResourceResult) -> Config {
    Config {
        name: told.name,
        value: told.value,
        source: ConfigSource::of(told.config_source),
        read_only: told.read_only,
        sensitive: told.is_sensitive,
        synonyms: told.synonyms.into_iter().map(synonym).collect(),
    }
}

fn synonym(told: DescribeConfigsSynonym) -> Synonym {
    Synonym {
        name: told.name,
        value: told.value,
        source: ConfigSource::of(told.source),
    }
}
