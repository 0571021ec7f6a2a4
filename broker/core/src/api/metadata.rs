//! Key 3, Metadata 0-13: brokers, topics, leaders (KIP-4, KIP-430, KIP-516, KIP-1102).
//! Decides what each version may ask and how the image is told in it, and that a topic that may be created by its use is
//! wanted from the controller (gotcha 8). Never creates one itself. Gotchas 5, 7 and 10.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use sawlog_wire::message::Message;
use sawlog_wire::messages::create_topics::CreatableTopic;
use sawlog_wire::messages::metadata::{
    MetadataRequestTopic, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use sawlog_wire::messages::{
    CreateTopicsRequest, CreateTopicsResponse, MetadataRequest, MetadataResponse,
};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::{Code, Reader, Uuid};

use super::job::{Begun, Call, Job as AnyJob, bounded};
use super::{command, hints};
use crate::answer::Command;
use crate::cluster::image::{Partition, Topic};
use crate::cluster::names;
use crate::ids::{BrokerId, PartitionId, TopicId};
use crate::map::Set;

/// How long a topic's creation may take before the client is told to ask again.
const CREATION_MAX: Duration = Duration::from_secs(5);
/// READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS (KIP-430): nothing is forbidden yet.
pub(super) const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;
/// CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE.
pub(super) const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;

/// Waits for topics to be created, if any are to be.
pub(super) struct Job {
    pub(super) response: MetadataResponse,
    /// What is to be told once they are there.
    waiting: Option<Asked>,
}

/// What a client wants to know.
struct Asked {
    topics: Topics,
    topic_operations: bool,
    cluster_operations: bool,
}

enum Topics {
    All,
    /// Each once, in the order of the request.
    Named(Vec<String>),
    ById(Vec<Uuid>),
}

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let bytes = body.left();
    let request = MetadataRequest::decode(body, call.version)?;
    bounded(bytes, || request.topics.as_ref().map_or(0, Vec::len))?;
    let job = match refusal(&request, call.version) {
        Some(code) => Job {
            response: refused(request, code),
            waiting: None,
        },
        None => begin(call, request),
    };
    Ok(Begun::Job(AnyJob::Metadata(Box::new(job))))
}

/// Gotcha 5: before version 12 a topic is asked for by name only, though versions 10 and 11 have a field for its id.
fn refusal(request: &MetadataRequest, version: i16) -> Option<Code> {
    let wrong = |topic: &MetadataRequestTopic| match (&topic.name, topic.topic_id.is_zero()) {
        (None, true) => true,
        (None, false) | (Some(_), false) => version < 12,
        (Some(_), true) => false,
    };
    request
        .topics
        .iter()
        .flatten()
        .any(wrong)
        .then_some(Code::InvalidRequest)
}

fn refused(request: MetadataRequest, code: Code) -> MetadataResponse {
    let row = |topic: MetadataRequestTopic| MetadataResponseTopic {
        error_code: code.into(),
        name: Some(topic.name.unwrap_or_default()),
        topic_id: topic.topic_id,
        ..MetadataResponseTopic::default()
    };
    MetadataResponse {
        topics: request.topics.into_iter().flatten().map(row).collect(),
        error_code: code.into(),
        ..MetadataResponse::default()
    }
}

fn begin(call: &mut Call<'_, '_>, request: MetadataRequest) -> Job {
    let creates = request.allow_auto_topic_creation && call.host.config.auto_create_topics;
    let topics = match request.topics {
        None => Topics::All,
        Some(none) if none.is_empty() && call.version == 0 => Topics::All,
        Some(topics) if topics.iter().any(|topic| !topic.topic_id.is_zero()) => Topics::ById(
            topics
                .into_iter()
                .map(|topic| topic.topic_id)
                .filter(|id| !id.is_zero())
                .collect(),
        ),
        Some(topics) => {
            let mut seen = Set::new();
            let names = topics.into_iter().filter_map(|topic| topic.name);
            Topics::Named(names.filter(|name| seen.insert(name.clone())).collect())
        }
    };
    let wanted = match &topics {
        Topics::Named(names) if creates => missing(call, names),
        _ => Vec::new(),
    };
    let asked = Asked {
        topics,
        topic_operations: request.include_topic_authorized_operations,
        cluster_operations: request.include_cluster_authorized_operations,
    };
    if wanted.is_empty() {
        return Job {
            response: asked.tell(call, &[]),
            waiting: None,
        };
    }
    let request = CreateTopicsRequest {
        topics: wanted,
        timeout_ms: 0,
        ..CreateTopicsRequest::default()
    };
    command::send(call, Command::CreateTopics(request), CREATION_MAX);
    Job {
        response: MetadataResponse::default(),
        waiting: Some(asked),
    }
}

/// The topics that do not exist and may.
fn missing(call: &Call<'_, '_>, names: &[String]) -> Vec<CreatableTopic> {
    let may = |name: &&String| {
        call.host.image.topic(name).is_none()
            && names::fault(name).is_none()
            && !names::internal(name)
            && **name != names::METADATA
    };
    let topic = |name: &String| CreatableTopic {
        name: name.clone(),
        num_partitions: -1,
        replication_factor: -1,
        ..CreatableTopic::default()
    };
    names.iter().filter(may).map(topic).collect()
}

impl Job {
    pub(super) fn ready(&self) -> bool {
        self.waiting.is_none()
    }

    pub(super) fn rows(&self) -> usize {
        match &self.waiting {
            Some(Asked {
                topics: Topics::Named(names),
                ..
            }) => names.len(),
            _ => self.response.topics.len(),
        }
    }

    /// The topics are there, or will not be: the image says which, the answer says why not.
    pub(super) fn hear(&mut self, call: &mut Call<'_, '_>, answer: &CreateTopicsResponse) {
        let Some(asked) = self.waiting.take() else {
            return;
        };
        let codes: Vec<(&str, Code)> = answer
            .topics
            .iter()
            .map(|topic| {
                (
                    &*topic.name,
                    topic.error_code.code().unwrap_or(Code::UnknownServerError),
                )
            })
            .collect();
        self.response = asked.tell(call, &codes);
    }
}

impl Asked {
    /// The answer, as of the image of now. `created` says what became of the topics that were to be created.
    fn tell(&self, call: &Call<'_, '_>, created: &[(&str, Code)]) -> MetadataResponse {
        let image = call.host.image;
        let reached = |id: &BrokerId| hints::endpoint(image, call.door, *id);
        let brokers: Vec<MetadataResponseBroker> = image
            .brokers
            .keys()
            .filter_map(|id| reached(id).map(|(endpoint, broker)| (id, endpoint, broker)))
            .map(|(id, endpoint, broker)| MetadataResponseBroker {
                node_id: id.0,
                host: endpoint.host.clone(),
                port: i32::from(endpoint.port),
                rack: broker.rack.clone(),
                ..MetadataResponseBroker::default()
            })
            .collect();
        let controller = image
            .controller
            .filter(|id| reached(id).is_some())
            .map(|id| id.0);
        let told = |topic: &Topic| self.topic(call, topic);
        let topics = match &self.topics {
            Topics::All => image.topics.values().map(|topic| told(topic)).collect(),
            Topics::Named(names) => names
                .iter()
                .map(|name| match image.topic(name) {
                    Some(topic) => told(topic),
                    None => absent(name, created),
                })
                .collect(),
            Topics::ById(ids) => ids
                .iter()
                .map(|id| match image.topic_by_id(TopicId(*id)) {
                    Some(topic) => told(topic),
                    None => MetadataResponseTopic {
                        error_code: Code::UnknownTopicId.into(),
                        topic_id: *id,
                        name: None,
                        ..MetadataResponseTopic::default()
                    },
                })
                .collect(),
        };
        let operations = if self.cluster_operations {
            CLUSTER_OPERATIONS
        } else {
            i32::MIN
        };
        MetadataResponse {
            controller_id: controller
                .or_else(|| brokers.first().map(|broker| broker.node_id))
                .unwrap_or(-1),
            brokers,
            cluster_id: Some(image.cluster.to_string()),
            topics,
            cluster_authorized_operations: if call.version <= 10 {
                operations
            } else {
                i32::MIN
            },
            ..MetadataResponse::default()
        }
    }

    fn topic(&self, call: &Call<'_, '_>, topic: &Topic) -> MetadataResponseTopic {
        let partitions = (0..)
            .zip(&topic.partitions)
            .map(|(index, one)| partition(call, PartitionId(index), one));
        MetadataResponseTopic {
            name: Some(topic.name.to_string()),
            topic_id: topic.id.0,
            is_internal: names::internal(&topic.name),
            partitions: partitions.collect(),
            topic_authorized_operations: if self.topic_operations {
                TOPIC_OPERATIONS
            } else {
                i32::MIN
            },
            ..MetadataResponseTopic::default()
        }
    }
}

/// A topic that is not there, and whether it is worth asking again.
fn absent(name: &str, created: &[(&str, Code)]) -> MetadataResponseTopic {
    let code = match created.iter().find(|(other, _)| *other == name) {
        // It is committed, and this node is about to hear of it.
        Some((_, Code::None | Code::TopicAlreadyExists)) => Code::LeaderNotAvailable,
        Some((_, code)) => *code,
        None if names::fault(name).is_some() => Code::InvalidTopicException,
        None => Code::UnknownTopicOrPartition,
    };
    MetadataResponseTopic {
        error_code: code.into(),
        name: Some(name.to_owned()),
        is_internal: names::internal(name),
        ..MetadataResponseTopic::default()
    }
}

pub(super) fn partition(
    call: &Call<'_, '_>,
    id: PartitionId,
    partition: &Partition,
) -> MetadataResponsePartition {
    let image = call.host.image;
    let reached = |id: BrokerId| hints::endpoint(image, call.door, id).is_some();
    let leader = partition.leader.filter(|leader| reached(*leader));
    let code = match partition.leader {
        Some(_) if leader.is_some() => Code::None,
        // It leads, but not where this client could reach it.
        Some(leader)
            if call.version >= 6
                && image
                    .brokers
                    .get(&leader)
                    .is_some_and(|broker| !broker.fenced) =>
        {
            Code::ListenerNotFound
        }
        _ => Code::LeaderNotAvailable,
    };
    let numbers = |ids: &[BrokerId]| ids.iter().map(|id| id.0).collect::<Vec<i32>>();
    let offline = partition
        .replicas
        .iter()
        .filter(|id| !reached(**id))
        .map(|id| id.0);
    MetadataResponsePartition {
        error_code: code.into(),
        partition_index: id.0,
        leader_id: leader.map_or(-1, |leader| leader.0),
        leader_epoch: partition.epoch.0,
        replica_nodes: numbers(&partition.replicas),
        isr_nodes: numbers(&partition.isr),
        offline_replicas: offline.collect(),
        ..MetadataResponsePartition::default()
    }
}
