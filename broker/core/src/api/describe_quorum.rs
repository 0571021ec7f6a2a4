//! Key 55, DescribeQuorum 0-2 (KIP-595, KIP-836, KIP-853): who votes on the metadata, and how far they are.
//! Decides which log may be asked about; shard 0 knows how it stands.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sawlog_wire::message::Message;
use sawlog_wire::messages::describe_quorum::{
    Listener, Node, ReplicaState, ResponsePartitionData, ResponseTopicData,
};
use sawlog_wire::messages::{DescribeQuorumRequest, DescribeQuorumResponse};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::{Code, Reader, Uuid};

use super::job::{Begun, Call, Job as AnyJob, bounded};
use crate::answer::{Part, QuorumTold};
use crate::cluster::names;
use crate::ids::ShardId;

/// Waits for shard 0.
pub(super) struct Job {
    pub(super) response: DescribeQuorumResponse,
    pub(super) waiting: bool,
}

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let bytes = body.left();
    let request = DescribeQuorumRequest::decode(body, call.version)?;
    bounded(bytes, || {
        let topics = request.topics.iter();
        topics.map(|topic| 1 + topic.partitions.len()).sum()
    })?;
    let mut response = DescribeQuorumResponse::default();
    let only = match request.topics.as_slice() {
        [topic] if topic.topic_name == names::METADATA => match topic.partitions.as_slice() {
            [partition] => partition.partition_index == 0,
            _ => false,
        },
        _ => false,
    };
    if only {
        call.ask_shard(ShardId(0), 0, Part::Quorum);
    } else {
        let row = |index: i32| ResponsePartitionData {
            partition_index: index,
            error_code: Code::UnknownTopicOrPartition.into(),
            ..ResponsePartitionData::default()
        };
        let topics = request.topics.into_iter().map(|topic| ResponseTopicData {
            partitions: topic
                .partitions
                .iter()
                .map(|partition| row(partition.partition_index))
                .collect(),
            topic_name: topic.topic_name,
            ..ResponseTopicData::default()
        });
        response.topics = topics.collect();
    }
    let waiting = only;
    Ok(Begun::Job(AnyJob::DescribeQuorum(Box::new(Job {
        response,
        waiting,
    }))))
}

impl Job {
    pub(super) fn hear(&mut self, call: &Call<'_, '_>, told: Option<QuorumTold>) {
        self.waiting = false;
        let Some(told) = told else {
            self.response.error_code = Code::NotLeaderOrFollower.into();
            self.response.error_message = Some(String::from("the node does not serve now"));
            return;
        };
        let now = call.host.now.wall.0;
        let voter = ReplicaState {
            replica_id: told.leader.0,
            // Before version 2 there is no place for it.
            replica_directory_id: if call.version >= 2 {
                told.directory
            } else {
                Uuid::ZERO
            },
            log_end_offset: told.end.0,
            last_fetch_timestamp: now,
            last_caught_up_timestamp: now,
            ..ReplicaState::default()
        };
        let partition = ResponsePartitionData {
            partition_index: 0,
            leader_id: told.leader.0,
            leader_epoch: told.term.0,
            high_watermark: told.hw.0,
            current_voters: Vec::from([voter]),
            ..ResponsePartitionData::default()
        };
        self.response.topics = Vec::from([ResponseTopicData {
            topic_name: names::METADATA.to_string(),
            partitions: Vec::from([partition]),
            ..ResponseTopicData::default()
        }]);
        let controllers = call.host.image.controllers.iter();
        let nodes = controllers.map(|(id, controller)| Node {
            node_id: id.0,
            listeners: controller
                .endpoints
                .iter()
                .map(|at| Listener {
                    name: at.listener.clone(),
                    host: at.host.clone(),
                    port: at.port,
                    ..Listener::default()
                })
                .collect(),
            ..Node::default()
        });
        if call.version >= 2 {
            self.response.nodes = nodes.collect();
        }
    }
}
