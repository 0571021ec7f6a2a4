//! Key 23, OffsetForLeaderEpoch 2-4 (KIP-101, KIP-320): where the records of a leadership end.
//! Decides which logs a request means; each log's shard knows its history. A replica has no more powers here than a
//! client (#116): there is nothing to be had by saying one is one.

use alloc::boxed::Box;
use alloc::vec::Vec;

use sawlog_wire::message::Message;
use sawlog_wire::messages::offset_for_leader_epoch::{EpochEndOffset, OffsetForLeaderTopicResult};
use sawlog_wire::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::views::TopicKey;
use sawlog_wire::{Code, Reader};

use super::hints;
use super::job::{Begun, Call, Job as AnyJob, bounded};
use super::list_offsets::epoch;
use crate::answer::{EpochPart, Part};
use crate::ids::{LeaderEpoch, Offset};

/// Waits for the logs.
pub(super) struct Job {
    pub(super) response: OffsetForLeaderEpochResponse,
    places: Vec<(usize, usize)>,
    pub(super) left: usize,
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
        places: Vec::new(),
        left: 0,
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
                    let place = u32::try_from(job.places.len()).unwrap_or(u32::MAX);
                    job.places.push((at, number));
                    job.left += 1;
                    call.ask(log, place, Part::EpochEnd(part));
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
        let place = self.places.get(part as usize).copied();
        let row = place.and_then(|(topic, partition)| {
            let topic = self.response.topics.get_mut(topic)?;
            topic.partitions.get_mut(partition)
        });
        if let Some(row) = row {
            row.error_code = code.into();
            row.leader_epoch = epoch.0;
            row.end_offset = end.0;
            self.left -= 1;
        }
    }

    pub(super) fn rows(&self) -> usize {
        let topics = self.response.topics.iter();
        topics.map(|topic| topic.partitions.len()).sum()
    }
}
