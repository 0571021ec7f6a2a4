//! Topics as they are: lists, partitions, settings, offsets, bytes.
//! Decides what is asked and shown; changes nothing, and the form of it is `table`'s.

use std::collections::BTreeMap;
use std::sync::Arc;

use sawlog_client::metadata::{BrokerId, Topic};
use sawlog_client::{At, Client, Error, Place, Resource};
use serde_json::{Value, json};

use super::{Describe, List, Offsets, Size};
use crate::cluster::failure;
use crate::exit::{Exit, Failure};
use crate::table::Table;
use crate::tally::Tally;

pub(super) async fn list(arguments: &List) -> Result<Exit, Failure> {
    let kafka = arguments.cluster.connect().await?;
    let known = kafka.metadata(None).await;
    let known = known.map_err(|error| failure("cannot list topics", &error))?;
    let mut table = Table::new(arguments.output, &["topic", "partitions", "replicas"]);
    let shown = |topic: &Topic| arguments.internal || !topic.internal;
    for (name, topic) in known.topics.iter().filter(|(_, topic)| shown(topic)) {
        table.row(
            name,
            json!({"topic": name, "topic_id": topic.id.to_string(), "partitions": topic.partitions.len(),
                "replicas": replicas(topic), "internal": topic.internal}),
        );
    }
    table.end_or("there are no topics")?;
    Ok(Exit::Done)
}

fn replicas(topic: &Topic) -> usize {
    let count = topic
        .partitions
        .values()
        .map(|partition| partition.replicas.len());
    count.max().unwrap_or(0)
}

pub(super) async fn describe(arguments: &Describe) -> Result<Exit, Failure> {
    if arguments.configs {
        return configs(arguments).await;
    }
    let kafka = arguments.cluster.connect().await?;
    let mut tally = Tally::default();
    let mut table = Table::new(
        arguments.output,
        &[
            "topic",
            "partition",
            "leader",
            "leader_epoch",
            "replicas",
            "isr",
        ],
    );
    let mut found = topics(&kafka, &arguments.topics).await;
    for name in &arguments.topics {
        // Named twice is told once.
        let Some(topic) = found.remove(name) else {
            continue;
        };
        tally.count(
            &format!("cannot describe {name}"),
            &topic.as_ref().map(|_| ()).map_err(Clone::clone),
        );
        let Ok(topic) = topic else { continue };
        for (number, partition) in &topic.partitions {
            table.row(
                name,
                json!({"topic": name, "topic_id": topic.id.to_string(), "partition": number,
                    "leader": partition.leader.map(|id| id.0), "leader_epoch": partition.epoch,
                    "replicas": numbers(&partition.replicas), "isr": numbers(&partition.isr)}),
            );
        }
    }
    table.end()?;
    Ok(tally.exit())
}

/// Topics by name, asked for together.
pub(super) async fn topics(kafka: &Client, names: &[String]) -> Topics {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    kafka.topics(&names).await
}

/// Topics by name, or why there is none.
pub(super) type Topics = BTreeMap<String, Result<Topic, Error>>;

/// All partitions of those that are there.
pub(super) fn places(topics: &Topics) -> Vec<Place> {
    let mut places = Vec::new();
    for (name, topic) in topics {
        let name: Arc<str> = name.as_str().into();
        let partitions = topic.iter().flat_map(|topic| topic.partitions.keys());
        places.extend(partitions.map(|number| (name.clone(), *number)));
    }
    places
}

/// Where partitions begin and end.
pub(super) struct Ends {
    first: BTreeMap<Place, Result<i64, Error>>,
    end: BTreeMap<Place, Result<i64, Error>>,
}

impl Ends {
    pub(super) async fn of(kafka: &Client, places: &[Place]) -> Ends {
        let ask = |at| {
            let each = places.iter().map(move |place| (place.clone(), at));
            each.collect::<Vec<_>>()
        };
        Ends {
            first: kafka.offsets(&ask(At::Earliest)).await,
            end: kafka.offsets(&ask(At::Latest)).await,
        }
    }

    fn both(&self, place: &Place) -> Result<Option<(i64, i64)>, Error> {
        let first = self.first.get(place).cloned().transpose()?;
        let end = self.end.get(place).cloned().transpose()?;
        Ok(first.zip(end))
    }

    /// How many offsets lie between, if that is known.
    pub(super) fn records(&self, place: &Place) -> Option<i64> {
        let (first, end) = self.both(place).ok()??;
        Some(end - first)
    }
}

fn numbers(ids: &[BrokerId]) -> Vec<Value> {
    ids.iter().map(|id| json!(id.0)).collect()
}

async fn configs(arguments: &Describe) -> Result<Exit, Failure> {
    let kafka = arguments.cluster.connect().await?;
    let mut tally = Tally::default();
    let mut table = Table::new(arguments.output, &["topic", "key", "value", "source"]);
    let resources: Vec<Resource> = arguments
        .topics
        .iter()
        .cloned()
        .map(Resource::Topic)
        .collect();
    let found = kafka.describe_configs(&resources).await;
    for (name, (_, found)) in arguments.topics.iter().zip(found) {
        tally.count(
            &format!("cannot describe {name}"),
            &found.as_ref().map(|_| ()).map_err(Clone::clone),
        );
        for config in found.into_iter().flatten() {
            table.row(
                &config.name,
                json!({"topic": name, "key": config.name, "value": config.value, "source": config.source.name(),
                    "read_only": config.read_only, "sensitive": config.sensitive}),
            );
        }
    }
    table.end()?;
    Ok(tally.exit())
}

pub(super) async fn offsets(arguments: &Offsets) -> Result<Exit, Failure> {
    let kafka = arguments.cluster.connect().await?;
    let mut tally = Tally::default();
    let mut table = Table::new(
        arguments.output,
        &["topic", "partition", "first", "end", "records"],
    );
    let mut found = topics(&kafka, &arguments.topics).await;
    let ends = Ends::of(&kafka, &places(&found)).await;
    for name in &arguments.topics {
        // Named twice is told once.
        let Some(topic) = found.remove(name) else {
            continue;
        };
        let what = format!("cannot find the offsets of {name}");
        tally.count(&what, &topic.as_ref().map(|_| ()).map_err(Clone::clone));
        let topic = topic.unwrap_or_default();
        let place: Arc<str> = name.as_str().into();
        for partition in topic.partitions.keys() {
            match ends.both(&(place.clone(), *partition)) {
                Ok(Some((first, end))) => table.row(
                    name,
                    json!({"topic": name, "partition": partition, "first": first, "end": end, "records": end - first}),
                ),
                Ok(None) => {}
                Err(error) => drop(tally.count(&what, &Err(error))),
            }
        }
    }
    table.end()?;
    Ok(tally.exit())
}

pub(super) async fn size(arguments: &Size) -> Result<Exit, Failure> {
    let kafka = arguments.cluster.connect().await?;
    let mut tally = Tally::default();
    for (name, found) in topics(&kafka, &arguments.topics).await {
        tally.count(&format!("cannot measure {name}"), &found.map(|_| ()));
    }
    let names: Vec<&str> = arguments.topics.iter().map(String::as_str).collect();
    let wanted = (!names.is_empty()).then_some(names.as_slice());
    let dirs = kafka.log_dirs(wanted).await;
    let dirs = dirs.map_err(|error| failure("cannot measure topics", &error))?;
    if arguments.topics.is_empty() {
        let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        for partition in dirs.iter().flat_map(|dir| &dir.partitions) {
            let (count, bytes) = sums.entry(&partition.topic).or_default();
            *count += 1;
            *bytes += partition.bytes;
        }
        let mut table = Table::new(arguments.output, &["topic", "replicas", "bytes"]);
        for (name, (replicas, bytes)) in sums {
            table.row(
                name,
                json!({"topic": name, "replicas": replicas, "bytes": bytes}),
            );
        }
        table.end()?;
        return Ok(tally.exit());
    }
    let mut table = Table::new(arguments.output, &["topic", "partition", "broker", "bytes"]);
    for dir in &dirs {
        for partition in &dir.partitions {
            table.row(
                &partition.topic,
                json!({"topic": partition.topic, "partition": partition.partition, "broker": dir.broker,
                    "bytes": partition.bytes, "directory": dir.path}),
            );
        }
    }
    table.end()?;
    Ok(tally.exit())
}
