//! Key 75, DescribeTopicPartitions 0 (KIP-966): topics by name, a page of partitions at a time.
//! Decides where a page begins and ends; what is told of a partition is what Metadata tells.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Bound;

use sawlog_wire::message::Message;
use sawlog_wire::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use sawlog_wire::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::{Code, Reader};

use super::job::{Begun, Call, Job, bounded};
use super::metadata::{self, TOPIC_OPERATIONS};
use crate::cluster::image::Topic;
use crate::cluster::names;
use crate::ids::PartitionId;
use crate::map::Set;

/// `max.request.partition.size.limit`: no page is longer.
const PAGE_MAX: usize = 2000;

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let bytes = body.left();
    let request = DescribeTopicPartitionsRequest::decode(body, call.version)?;
    bounded(bytes, || request.topics.len())?;
    if request
        .cursor
        .as_ref()
        .is_some_and(|cursor| cursor.partition_index < 0)
    {
        let row = |name: String| unknown(name, Code::InvalidRequest);
        let names = request.topics.into_iter().map(|topic| topic.name);
        let response = DescribeTopicPartitionsResponse {
            topics: names.map(row).collect(),
            ..DescribeTopicPartitionsResponse::default()
        };
        return Ok(Begun::Job(Job::DescribeTopicPartitions(Box::new(response))));
    }
    let limit = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let mut page = Page {
        room: limit.clamp(1, PAGE_MAX),
        response: DescribeTopicPartitionsResponse::default(),
    };
    let from = request.cursor.as_ref();
    let image = call.host.image;
    if request.topics.is_empty() {
        let begin = from.map_or(Bound::Unbounded, |from| {
            Bound::Included(from.topic_name.as_str())
        });
        for (_, topic) in image.topics.range::<str, _>((begin, Bound::Unbounded)) {
            if !page.add(call, topic, begins(from, &topic.name)) {
                break;
            }
        }
    } else {
        let names: Set<&str> = request.topics.iter().map(|topic| &*topic.name).collect();
        let behind = |name: &&str| from.is_none_or(|from| *name >= from.topic_name.as_str());
        for name in names.into_iter().filter(behind) {
            match image.topic(name) {
                Some(topic) => {
                    if !page.add(call, topic, begins(from, name)) {
                        break;
                    }
                }
                None => {
                    let code = match names::fault(name) {
                        Some(_) => Code::InvalidTopicException,
                        None => Code::UnknownTopicOrPartition,
                    };
                    page.response.topics.push(unknown(name.to_string(), code));
                }
            }
        }
    }
    let response = Box::new(page.response);
    Ok(Begun::Job(Job::DescribeTopicPartitions(response)))
}

/// At which partition a topic begins on this page.
fn begins(from: Option<&Cursor>, name: &str) -> usize {
    match from {
        Some(from) if from.topic_name == name => usize::try_from(from.partition_index).unwrap_or(0),
        _ => 0,
    }
}

fn unknown(name: String, code: Code) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        error_code: code.into(),
        is_internal: names::internal(&name),
        name: Some(name),
        topic_authorized_operations: i32::MIN,
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}

/// What is told so far.
struct Page {
    room: usize,
    response: DescribeTopicPartitionsResponse,
}

impl Page {
    /// Adds a topic from this partition on; false when the page ends before the topic does.
    fn add(&mut self, call: &Call<'_, '_>, topic: &Topic, from: usize) -> bool {
        let left = topic.partitions.len().saturating_sub(from);
        let told = left.min(self.room);
        if told < left {
            self.response.next_cursor = Some(Cursor {
                topic_name: topic.name.to_string(),
                partition_index: i32::try_from(from + told).unwrap_or(i32::MAX),
                ..Cursor::default()
            });
            if told == 0 {
                return false;
            }
        }
        self.room -= told;
        let partitions: Vec<_> = (0..)
            .zip(&topic.partitions)
            .skip(from)
            .take(told)
            .map(|(index, one)| row(metadata::partition(call, PartitionId(index), one)))
            .collect();
        let row = DescribeTopicPartitionsResponseTopic {
            name: Some(topic.name.to_string()),
            topic_id: topic.id.0,
            is_internal: names::internal(&topic.name),
            partitions,
            topic_authorized_operations: TOPIC_OPERATIONS,
            ..DescribeTopicPartitionsResponseTopic::default()
        };
        self.response.topics.push(row);
        told == left
    }
}

fn row(
    told: sawlog_wire::messages::metadata::MetadataResponsePartition,
) -> DescribeTopicPartitionsResponsePartition {
    DescribeTopicPartitionsResponsePartition {
        error_code: told.error_code,
        partition_index: told.partition_index,
        leader_id: told.leader_id,
        leader_epoch: told.leader_epoch,
        replica_nodes: told.replica_nodes,
        isr_nodes: told.isr_nodes,
        // Nobody is eligible beside the in-sync set: that begins with clusters.
        eligible_leader_replicas: Some(Vec::new()),
        last_known_elr: Some(Vec::new()),
        offline_replicas: told.offline_replicas,
        ..DescribeTopicPartitionsResponsePartition::default()
    }
}
