//! CreatePartitions: how many partitions a topic has from now on, and where the new ones lie.
//! Decides each topic by itself; what exists is never moved, and a topic never has fewer than before.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sawlog_wire::Code;
use sawlog_wire::messages::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsTopic, CreatePartitionsTopicResult,
};
use sawlog_wire::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use crate::answer::Commanded;
use crate::cluster::dump::partition_record;
use crate::cluster::image::{Image, Topic};
use crate::cluster::record::Record;
use crate::controller::topics::partition;
use crate::controller::{PARTITIONS_MAX, Refused};
use crate::ids::BrokerId;
use crate::map::{Map, Set};

pub(super) fn decide(image: &Image, request: &CreatePartitionsRequest) -> (Vec<Record>, Commanded) {
    let mut times: Map<&str, usize> = Map::new();
    for topic in &request.topics {
        *times.entry(topic.name.as_str()).or_default() += 1;
    }
    let (mut log, mut results): (Vec<Record>, Vec<CreatePartitionsTopicResult>) =
        Default::default();
    let mut answered: Set<&str> = Set::new();
    for asked in &request.topics {
        if !answered.insert(asked.name.as_str()) {
            continue;
        }
        let grown = if times.get(asked.name.as_str()).copied() > Some(1) {
            let text = "the request names this topic more than once";
            Err(Refused(Code::InvalidRequest, text.to_string()))
        } else {
            grow(image, asked, PARTITIONS_MAX.saturating_sub(log.len()))
        };
        let (code, error_message) = match grown {
            Ok(records) => {
                log.extend(records);
                (Code::None, None)
            }
            Err(Refused(code, text)) => (code, Some(text)),
        };
        results.push(CreatePartitionsTopicResult {
            name: asked.name.clone(),
            error_code: code.into(),
            error_message,
            ..Default::default()
        });
    }
    if request.validate_only {
        log.clear();
    }
    let response = CreatePartitionsResponse {
        results,
        ..Default::default()
    };
    (log, Commanded::CreatePartitions(response))
}

fn grow(image: &Image, asked: &CreatePartitionsTopic, room: usize) -> Result<Vec<Record>, Refused> {
    let Some(topic) = image.topic(&asked.name) else {
        let text = format!("there is no topic '{}'", asked.name);
        return Err(Refused(Code::UnknownTopicOrPartition, text));
    };
    let have = topic.partitions.len();
    let more = usize::try_from(asked.count).unwrap_or(0).checked_sub(have);
    let Some(more) = more.filter(|more| *more > 0) else {
        let text = format!(
            "the topic has {have} partitions and {} were asked for; a topic only grows",
            asked.count
        );
        return Err(Refused(Code::InvalidPartitions, text));
    };
    if more > room {
        let text =
            format!("one request may make {PARTITIONS_MAX} partitions, this one asks for more");
        return Err(Refused(Code::PolicyViolation, text));
    }
    let replicas = match &asked.assignments {
        Some(assignments) => assigned(image, topic, assignments, more)?,
        None => place(image, topic, more)?,
    };
    Ok((have..)
        .zip(replicas)
        .map(|(number, replicas)| {
            let number = i32::try_from(number).unwrap_or(i32::MAX);
            partition_record(topic, number, &partition(image, replicas)).into()
        })
        .collect())
}

/// How many replicas each partition of a topic has.
fn factor(topic: &Topic) -> usize {
    topic.partitions.first().map_or(1, |one| one.replicas.len())
}

fn place(image: &Image, topic: &Topic, more: usize) -> Result<Vec<Vec<BrokerId>>, Refused> {
    let alive: Vec<BrokerId> = image
        .brokers
        .iter()
        .filter(|(_, broker)| !broker.fenced)
        .map(|(id, _)| *id)
        .collect();
    let factor = factor(topic);
    if factor > alive.len() {
        let text = format!(
            "each partition has {factor} replicas, and {} broker(s) can hold one",
            alive.len()
        );
        return Err(Refused(Code::InvalidReplicationFactor, text));
    }
    // The first replica goes on round from where the partitions before stopped.
    let turn = |number: usize| {
        alive
            .iter()
            .cycle()
            .skip(number % alive.len())
            .take(factor)
            .copied()
            .collect()
    };
    let have = topic.partitions.len();
    Ok((have..have + more).map(turn).collect())
}

fn assigned(
    image: &Image,
    topic: &Topic,
    assignments: &[CreatePartitionsAssignment],
    more: usize,
) -> Result<Vec<Vec<BrokerId>>, Refused> {
    let wrong = |text: String| Err(Refused(Code::InvalidReplicaAssignment, text));
    if assignments.len() != more {
        return wrong(format!(
            "{more} partitions are to be made, and {} are assigned",
            assignments.len()
        ));
    }
    let factor = factor(topic);
    let mut all = Vec::with_capacity(more);
    for assignment in assignments {
        let replicas: Vec<BrokerId> = assignment
            .broker_ids
            .iter()
            .copied()
            .map(BrokerId)
            .collect();
        if replicas.len() != factor {
            return wrong(format!(
                "a partition is assigned to {} broker(s), where the topic's have {factor} replicas",
                replicas.len()
            ));
        }
        let distinct: Set<&BrokerId> = replicas.iter().collect();
        if distinct.len() != replicas.len() {
            return wrong("a partition is assigned to one broker twice".to_string());
        }
        if let Some(unknown) = replicas.iter().find(|id| !image.brokers.contains_key(*id)) {
            return wrong(format!(
                "a partition is assigned to broker {unknown}, which is not registered"
            ));
        }
        all.push(replicas);
    }
    Ok(all)
}
