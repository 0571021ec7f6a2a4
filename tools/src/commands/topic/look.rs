//! Topics as they are: lists, partitions, settings, offsets, bytes. Decides what is shown; changes nothing.

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
    for name in &arguments.topics {
        let topic = known(&kafka, name).await;
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

async fn known(kafka: &Client, name: &str) -> Result<Topic, Error> {
    kafka.partitions(name).await?;
    let known = kafka.known().await;
    Ok(known.topics.get(name).cloned().unwrap_or_default())
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
    for name in &arguments.topics {
        let what = format!("cannot find the offsets of {name}");
        let partitions = kafka.partitions(name).await;
        tally.count(
            &what,
            &partitions.as_ref().map(|_| ()).map_err(Clone::clone),
        );
        let topic: Arc<str> = name.as_str().into();
        let places: Vec<Place> = partitions
            .into_iter()
            .flatten()
            .map(|number| (topic.clone(), number))
            .collect();
        let ask = |at| {
            places
                .iter()
                .map(move |place| (place.clone(), at))
                .collect::<Vec<_>>()
        };
        let first = kafka.offsets(&ask(At::Earliest)).await;
        let end = kafka.offsets(&ask(At::Latest)).await;
        for place in &places {
            let found = first.get(place).zip(end.get(place));
            let (Some((Ok(first), Ok(end))), (_, partition)) = (found, place) else {
                let error = found.and_then(|(first, end)| first.clone().and(end.clone()).err());
                tally.count(&what, &error.map_or(Ok(()), Err));
                continue;
            };
            table.row(
                name,
                json!({"topic": name, "partition": partition, "first": first, "end": end, "records": end - first}),
            );
        }
    }
    table.end()?;
    Ok(tally.exit())
}

pub(super) async fn size(arguments: &Size) -> Result<Exit, Failure> {
    let kafka = arguments.cluster.connect().await?;
    let mut tally = Tally::default();
    for name in &arguments.topics {
        let found = kafka.partitions(name).await.map(|_| ());
        tally.count(&format!("cannot measure {name}"), &found);
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
