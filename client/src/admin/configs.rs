//! Configurations of topics and brokers: read with the place each value comes from, changed key by key. Decides the shape of
//! the calls; what a key means is the broker's affair.

use std::collections::{BTreeMap, BTreeSet};

use sawlog_wire::messages::describe_configs::{
    DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsSynonym,
};
use sawlog_wire::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use sawlog_wire::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};

use super::{Mode, result};
use crate::client::{Client, Lane};
use crate::conn::Conn;
use crate::error::{Error, Kind};
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

    /// The one broker that can tell, where there is only one.
    fn asked(&self) -> Option<i32> {
        match self {
            Resource::Broker(id) => Some(*id),
            Resource::Topic(_) | Resource::Brokers => None,
        }
    }
}

/// How people call what the wire names so.
fn named((kind, name): &(i8, String)) -> String {
    match (kind, name.as_str()) {
        (4, "") => "all brokers".to_owned(),
        (4, id) => format!("broker {id}"),
        (_, name) => name.to_owned(),
    }
}

fn silent(resource: &Resource) -> Error {
    let text = format!("{}: the answer leaves it out", named(&resource.wire()));
    Error::new(Kind::Protocol, text)
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

/// So many are asked about in one request: each is told with all its settings.
const AT_ONCE: usize = 500;

/// A request to be made: who is asked, and which of the items are in it.
struct Lot<'r> {
    about: &'r Resource,
    named: BTreeSet<&'r Resource>,
    items: Vec<usize>,
}

/// Deals items out to requests. A resource is in a request once; of one that is named twice the later item comes later.
fn lots<'r>(resources: impl Iterator<Item = &'r Resource>) -> Vec<Lot<'r>> {
    let mut lots: Vec<Lot<'r>> = Vec::new();
    for (item, about) in resources.enumerate() {
        let fits = |lot: &&mut Lot<'r>| {
            lot.about.asked() == about.asked()
                && lot.items.len() < AT_ONCE
                && !lot.named.contains(about)
        };
        match lots.iter_mut().find(fits) {
            Some(lot) => {
                lot.named.insert(about);
                lot.items.push(item);
            }
            None => lots.push(Lot {
                about,
                named: [about].into(),
                items: vec![item],
            }),
        }
    }
    lots
}

impl Client {
    /// The configurations of these: a result for each, in their order. Kafka: DescribeConfigs. Cancel safe.
    pub async fn describe_configs(
        &self,
        resources: &[Resource],
    ) -> Vec<(Resource, Result<Vec<Config>, Error>)> {
        let mut told = BTreeMap::new();
        for lot in lots(BTreeSet::from_iter(resources).into_iter()) {
            match self.configs_of(&lot).await {
                Ok(mut configs) => told.append(&mut configs),
                Err(error) => {
                    let failed = lot.named.iter().map(|one| (one.wire(), Err(error.clone())));
                    told.extend(failed);
                }
            }
        }
        let result = |resource: &Resource| {
            let found = told.get(&resource.wire()).cloned();
            let found = found.unwrap_or_else(|| Err(silent(resource)));
            (resource.clone(), found)
        };
        resources.iter().map(result).collect()
    }

    async fn configs_of(
        &self,
        lot: &Lot<'_>,
    ) -> Result<BTreeMap<(i8, String), Result<Vec<Config>, Error>>, Error> {
        let wanted = lot.named.iter().map(|resource| {
            let (resource_type, resource_name) = resource.wire();
            DescribeConfigsResource {
                resource_type,
                resource_name,
                ..Default::default()
            }
        });
        let request = DescribeConfigsRequest {
            resources: wanted.collect(),
            include_synonyms: true,
            ..Default::default()
        };
        let conn = self.about(lot.about).await?;
        let answer = conn.ask(request, i16::MAX).await?;
        let results = answer.results.into_iter().map(|told| {
            let of = (told.resource_type, told.resource_name);
            let done = result(&named(&of), told.error_code, told.error_message.as_deref());
            (
                of,
                done.map(|()| told.configs.into_iter().map(config).collect()),
            )
        });
        Ok(results.collect())
    }

    /// Changes some keys and leaves the others: all of one resource or none. A result for each, in their order. Kafka:
    /// IncrementalAlterConfigs (KIP-339). When dropped, they may be changed all the same.
    pub async fn alter_configs(
        &self,
        changes: &[(Resource, Vec<ConfigChange>)],
        mode: Mode,
    ) -> Vec<(Resource, Result<(), Error>)> {
        let mut results = BTreeMap::new();
        for lot in lots(changes.iter().map(|(resource, _)| resource)) {
            let items = lot.items.iter();
            let wanted: Vec<_> = items
                .filter_map(|item| Some((*item, changes.get(*item)?)))
                .collect();
            let told = self.alter(lot.about, &wanted, mode).await;
            for (item, (resource, _)) in wanted {
                let done = match &told {
                    Ok(told) => told.get(&resource.wire()).cloned(),
                    Err(error) => Some(Err(error.clone())),
                };
                let done = done.unwrap_or_else(|| Err(silent(resource)));
                results.insert(item, (resource.clone(), done));
            }
        }
        results.into_values().collect()
    }

    async fn alter(
        &self,
        about: &Resource,
        wanted: &[(usize, &(Resource, Vec<ConfigChange>))],
        mode: Mode,
    ) -> Result<BTreeMap<(i8, String), Result<(), Error>>, Error> {
        let one = |(_, (resource, changes)): &(usize, &(Resource, Vec<ConfigChange>))| {
            let (resource_type, resource_name) = resource.wire();
            AlterConfigsResource {
                resource_type,
                resource_name,
                configs: changes.iter().map(ConfigChange::wire).collect(),
                ..Default::default()
            }
        };
        let request = IncrementalAlterConfigsRequest {
            resources: wanted.iter().map(one).collect(),
            validate_only: mode == Mode::Validate,
            ..Default::default()
        };
        let conn = self.about(about).await?;
        let answer = conn.ask(request, i16::MAX).await?;
        let results = answer.responses.into_iter().map(|told| {
            let of = (told.resource_type, told.resource_name);
            let done = result(&named(&of), told.error_code, told.error_message.as_deref());
            (of, done)
        });
        Ok(results.collect())
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
