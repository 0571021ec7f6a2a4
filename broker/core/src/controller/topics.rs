//! CreateTopics: which topics come to be, with which partitions, replicas and settings, and why others do not.
//! Decides each topic by itself, so that one bad name spoils nothing (gotcha 27); never places more than one broker holds.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use sawlog_wire::Code;
use sawlog_wire::messages::create_topics::{
    CreatableTopic, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};

use crate::answer::Commanded;
use crate::cluster::dump::{config_record, partition_record, topic_record};
use crate::cluster::image::{Image, Partition, Topic};
use crate::cluster::names;
use crate::cluster::record::Record;
use crate::config::{self, BrokerConfig};
use crate::controller::{PARTITIONS_MAX, Refused};
use crate::ids::{BrokerId, LeaderEpoch, PartitionEpoch, TopicId, Uuid};
use crate::map::{Map, Set};
use crate::now::Dice;

/// A topic that is made: its records, and what the client is told.
struct Made {
    records: Vec<Record>,
    partitions: usize,
    replicas: usize,
    id: TopicId,
}

pub(super) fn decide(
    image: &Image,
    config: &BrokerConfig,
    request: &CreateTopicsRequest,
    dice: Dice,
) -> (Vec<Record>, Commanded) {
    let mut times: Map<&str, usize> = Map::new();
    for topic in &request.topics {
        *times.entry(topic.name.as_str()).or_default() += 1;
    }
    let (mut log, mut topics, mut partitions) = (Vec::new(), Vec::new(), 0);
    let mut answered: Set<&str> = Set::new();
    // The names made by this request, as metrics would have them.
    let mut begun: Map<String, &str> = Map::new();
    for (place, asked) in request.topics.iter().enumerate() {
        if !answered.insert(asked.name.as_str()) {
            continue;
        }
        let made = if times.get(asked.name.as_str()).copied() > Some(1) {
            Err(Refused(
                Code::InvalidRequest,
                String::from("the request names this topic more than once"),
            ))
        } else if let Some(other) = begun.get(&names::collapsed(&asked.name)) {
            Err(collides(&asked.name, other))
        } else {
            make(
                image,
                config,
                asked,
                topic_id(image, dice, place),
                PARTITIONS_MAX.saturating_sub(partitions),
            )
        };
        topics.push(result(&asked.name, &made));
        if let Ok(made) = made {
            partitions += made.partitions;
            begun.insert(names::collapsed(&asked.name), &asked.name);
            log.extend(made.records);
        }
    }
    if request.validate_only {
        log.clear();
    }
    let response = CreateTopicsResponse {
        topics,
        ..Default::default()
    };
    (log, Commanded::CreateTopics(response))
}

fn make(
    image: &Image,
    config: &BrokerConfig,
    asked: &CreatableTopic,
    id: TopicId,
    room: usize,
) -> Result<Made, Refused> {
    let name = asked.name.as_str();
    if let Some(fault) = names::fault(name) {
        return Err(Refused(Code::InvalidTopicException, String::from(fault)));
    }
    if name == names::METADATA || names::internal(name) {
        return Err(Refused(
            Code::InvalidRequest,
            format!("{name} is for the brokers' own use"),
        ));
    }
    if image.topics.contains_key(name) {
        return Err(Refused(
            Code::TopicAlreadyExists,
            format!("topic '{name}' exists already"),
        ));
    }
    if name.contains(['.', '_'])
        && let Some(other) = image
            .topics
            .keys()
            .filter(|other| other.len() == name.len())
            .find(|other| alike(other, name))
    {
        return Err(collides(name, other));
    }
    let given = settings(asked)?;
    let settled = config::topic(
        &image.defaults,
        given
            .iter()
            .map(|(key, value)| (key.as_str(), Some(value.as_str()))),
    )
    .map_err(|complaint| Refused(Code::InvalidConfig, complaint.to_string()))?;
    let replicas = if asked.assignments.is_empty() {
        place(image, config, asked, room)?
    } else {
        assigned(image, asked, room)?
    };

    let partitions: Vec<Partition> = replicas
        .into_iter()
        .map(|replicas| partition(image, replicas))
        .collect();
    let topic = Topic {
        id,
        name: Arc::from(name),
        partitions: Vec::new(),
        config: settled.into(),
    };
    let mut records = Vec::with_capacity(1 + given.len() + partitions.len());
    records.push(topic_record(&topic).into());
    records.extend(
        given
            .iter()
            .map(|(key, value)| Record::from(config_record(name, key, value))),
    );
    records.extend(
        (0..)
            .zip(&partitions)
            .map(|(number, p)| Record::from(partition_record(&topic, number, p))),
    );
    Ok(Made {
        records,
        replicas: partitions.first().map_or(0, |p| p.replicas.len()),
        partitions: partitions.len(),
        id,
    })
}

fn collides(name: &str, other: &str) -> Refused {
    let text =
        format!("topic '{name}' collides with '{other}': '.' and '_' count as one in metric names");
    Refused(Code::InvalidTopicException, text)
}

/// Whether the metrics of two topics would have one name (KAFKA-2337).
fn alike(a: &str, b: &str) -> bool {
    names::collapsed(a) == names::collapsed(b)
}

/// The settings of the request, the last word winning where a key stands twice (as in Kafka).
fn settings(asked: &CreatableTopic) -> Result<Map<String, String>, Refused> {
    let mut given = Map::new();
    for setting in &asked.configs {
        match &setting.value {
            Some(value) => given.insert(setting.name.clone(), value.trim().to_string()),
            None => {
                return Err(Refused(
                    Code::InvalidConfig,
                    format!("{}: a value is missing", setting.name),
                ));
            }
        };
    }
    Ok(given)
}

/// Replicas by the broker's own choice.
fn place(
    image: &Image,
    config: &BrokerConfig,
    asked: &CreatableTopic,
    room: usize,
) -> Result<Vec<Vec<BrokerId>>, Refused> {
    let partitions = match asked.num_partitions {
        -1 => config.num_partitions,
        n => n,
    };
    let partitions = usize::try_from(partitions)
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(|| {
            let text = format!(
                "{} partitions were asked for; at least 1, or -1 for the default",
                asked.num_partitions
            );
            Refused(Code::InvalidPartitions, text)
        })?;
    let factor = match asked.replication_factor {
        -1 => config.replication_factor,
        n => n,
    };
    let factor = usize::try_from(factor)
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(|| {
            let text = format!(
                "replication factor {} was asked for; at least 1, or -1",
                asked.replication_factor
            );
            Refused(Code::InvalidReplicationFactor, text)
        })?;
    let alive: Vec<BrokerId> = image
        .brokers
        .iter()
        .filter(|(_, b)| !b.fenced)
        .map(|(id, _)| *id)
        .collect();
    if factor > alive.len() {
        let text = format!(
            "replication factor {factor} was asked for, and {} broker(s) can hold it",
            alive.len()
        );
        return Err(Refused(Code::InvalidReplicationFactor, text));
    }
    fits(partitions, room)?;
    // The first replica goes round; with one broker that is all the placing there is.
    let turn = |partition: usize| {
        alive
            .iter()
            .cycle()
            .skip(partition % alive.len())
            .take(factor)
            .copied()
            .collect()
    };
    Ok((0..partitions).map(turn).collect())
}

/// Replicas as the client wants them.
fn assigned(
    image: &Image,
    asked: &CreatableTopic,
    room: usize,
) -> Result<Vec<Vec<BrokerId>>, Refused> {
    if asked.num_partitions != -1 || asked.replication_factor != -1 {
        let text = "an assignment stands beside a number of partitions or a replication factor; those must be -1";
        return Err(Refused(Code::InvalidRequest, String::from(text)));
    }
    fits(asked.assignments.len(), room)?;
    let wrong = |text: String| Err(Refused(Code::InvalidReplicaAssignment, text));
    let mut by_number: Map<i32, &[i32]> = Map::new();
    for assignment in &asked.assignments {
        if by_number
            .insert(assignment.partition_index, &assignment.broker_ids)
            .is_some()
        {
            return wrong(format!(
                "partition {} is assigned twice",
                assignment.partition_index
            ));
        }
    }
    let mut all = Vec::with_capacity(by_number.len());
    let mut factor = None;
    for (expected, (number, ids)) in (0..).zip(by_number) {
        if number != expected {
            return wrong(format!(
                "partitions must run from 0 without a gap; partition {expected} is missing"
            ));
        }
        if ids.is_empty() {
            return wrong(format!("partition {number} is assigned to no broker"));
        }
        if *factor.get_or_insert(ids.len()) != ids.len() {
            return wrong(format!(
                "partition {number} has another number of replicas than partition 0"
            ));
        }
        let replicas: Vec<BrokerId> = ids.iter().copied().map(BrokerId).collect();
        let distinct: Set<&BrokerId> = replicas.iter().collect();
        if distinct.len() != replicas.len() {
            return wrong(format!(
                "partition {number} is assigned to one broker twice"
            ));
        }
        if let Some(unknown) = replicas.iter().find(|id| !image.brokers.contains_key(*id)) {
            return wrong(format!(
                "partition {number} is assigned to broker {unknown}, which is not registered"
            ));
        }
        all.push(replicas);
    }
    Ok(all)
}

fn fits(partitions: usize, room: usize) -> Result<(), Refused> {
    if partitions > room {
        let text =
            format!("one request may make {PARTITIONS_MAX} partitions, this one asks for more");
        return Err(Refused(Code::PolicyViolation, text));
    }
    Ok(())
}

/// A new partition: all its replicas are in sync, for there is nothing yet that one could lack.
pub(super) fn partition(image: &Image, replicas: Vec<BrokerId>) -> Partition {
    let directory = |id: &BrokerId| {
        image
            .brokers
            .get(id)
            .and_then(|b| b.directories.first())
            .copied()
    };
    let isr: Vec<BrokerId> = replicas
        .iter()
        .filter(|id| image.brokers.get(id).is_some_and(|b| !b.fenced))
        .copied()
        .collect();
    Partition {
        directories: replicas
            .iter()
            .map(|id| directory(id).unwrap_or(Uuid::ZERO))
            .collect(),
        leader: isr.first().copied(),
        isr,
        replicas,
        epoch: LeaderEpoch(0),
        partition_epoch: PartitionEpoch(0),
    }
}

/// An id that no topic has, from the dice and the topic's place in the request. Ids that begin with '-' are skipped,
/// for a tool would take them for an option; the first hundred are reserved, as in Kafka.
fn topic_id(image: &Image, dice: Dice, place: usize) -> TopicId {
    let mut turn = u64::try_from(place).unwrap_or(u64::MAX).wrapping_shl(16);
    loop {
        let id = TopicId(dice.id(turn));
        if !id.0.to_string().starts_with('-')
            && id.0.as_u128() >= 100
            && !image.names.contains_key(&id)
        {
            return id;
        }
        turn = turn.wrapping_add(1);
    }
}

fn result(name: &str, made: &Result<Made, Refused>) -> CreatableTopicResult {
    match made {
        Ok(made) => CreatableTopicResult {
            name: name.to_owned(),
            topic_id: made.id.0,
            num_partitions: i32::try_from(made.partitions).unwrap_or(i32::MAX),
            replication_factor: i16::try_from(made.replicas).unwrap_or(i16::MAX),
            ..Default::default()
        },
        Err(Refused(code, text)) => CreatableTopicResult {
            name: name.to_owned(),
            error_code: (*code).into(),
            error_message: Some(text.clone()),
            num_partitions: -1,
            replication_factor: -1,
            ..Default::default()
        },
    }
}
