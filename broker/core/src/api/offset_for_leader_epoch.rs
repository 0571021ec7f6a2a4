//! Key 23, OffsetForLeaderEpoch 2-4 (KIP-101, KIP-320): where the records of a leadership end.
//! Decides which logs a request means; each log's shard knows its history. A replica has no more powers here than a
//! client (#116): there is nothing to be had by saying one is one.

use alloc::boxed::Box;

use sawlog_wire::message::Message;
use sawlog_wire::messages::offset_for_leader_epoch::{EpochEndOffset, OffsetForLeaderTopicResult};
use sawlog_wire::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::views::TopicKey;
use sawlog_wire::{Code, Reader};

use super::fields::epoch;
use super::hints;
use super::job::{Begun, Call, Job as AnyJob, bounded};
use super::places::{Place, Places};
use crate::answer::{EpochPart, Part};
use crate::ids::{LeaderEpoch, Offset};

/// Waits for the logs.
pub(super) struct Job {
    pub(super) response: OffsetForLeaderEpochResponse,
    pub(super) places: Places,
}

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let bytes = body.left();
    let request = OffsetForLeaderEpochRequest::decode(body, call.version)?;
    bounded(bytes, || {
        let topics = request.topics.iter();
        topics.map(|topic| topic.partitions.len()).sum()
    })?;
    let mut job = Job {
        response: OffsetForLeaderEpochResponse::default(),
        places: Places::default(),
    };
    for (at, topic) in request.topics.iter().enumerate() {
        let known = hints::topic(call.host.image, TopicKey::Name(&topic.topic));
        let mut row = OffsetForLeaderTopicResult {
            topic: topic.topic.clone(),
            ..OffsetForLeaderTopicResult::default()
        };
        for (number, partition) in topic.partitions.iter().enumerate() {
            let log = known.and_then(|topic| hints::log(topic, partition.partition));
            let code = match log {
                Ok(log) => {
                    let part = EpochPart {
                        log,
                        current: epoch(partition.current_leader_epoch),
                        epoch: LeaderEpoch(partition.leader_epoch),
                    };
                    let place = Place {
                        topic: at,
                        partition: number,
                        log,
                    };
                    job.places.ask(call, place, Part::EpochEnd(part));
                    Code::None
                }
                Err(code) => code,
            };
            row.partitions.push(EpochEndOffset {
                error_code: code.into(),
                partition: partition.partition,
                ..EpochEndOffset::default()
            });
        }
        job.response.topics.push(row);
    }
    Ok(Begun::Job(AnyJob::OffsetForLeaderEpoch(Box::new(job))))
}

impl Job {
    pub(super) fn hear(&mut self, part: u32, code: Code, epoch: LeaderEpoch, end: Offset) {
        let topics = &mut self.response.topics;
        if let Some(row) = self.places.row(part, topics, |topic| &mut topic.partitions) {
            row.error_code = code.into();
            row.leader_epoch = epoch.0;
            row.end_offset = end.0;
        }
    }

    pub(super) fn rows(&self) -> usize {
        let topics = self.response.topics.iter();
        topics.map(|topic| topic.partitions.len()).sum()
    }
}
