//! Key 61, DescribeProducers 0 (KIP-664): the idempotent producers that a partition remembers.
//! Decides which logs a request means; each log's shard knows its producers.

use alloc::boxed::Box;
use alloc::vec::Vec;

use sawlog_wire::message::Message;
use sawlog_wire::messages::describe_producers::{PartitionResponse, ProducerState, TopicResponse};
use sawlog_wire::messages::{DescribeProducersRequest, DescribeProducersResponse};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::views::TopicKey;
use sawlog_wire::{Code, Reader};

use super::hints;
use super::job::{Begun, Call, Job as AnyJob, bounded};
use super::places::{Place, Places};
use crate::answer::{Part, ProducerTold};

/// Waits for the logs.
pub(super) struct Job {
    pub(super) response: DescribeProducersResponse,
    pub(super) places: Places,
}

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let bytes = body.left();
    let request = DescribeProducersRequest::decode(body, call.version)?;
    bounded(bytes, || {
        let topics = request.topics.iter();
        topics.map(|topic| topic.partition_indexes.len()).sum()
    })?;
    let mut job = Job {
        response: DescribeProducersResponse::default(),
        places: Places::default(),
    };
    for (at, topic) in request.topics.iter().enumerate() {
        let known = hints::topic(call.host.image, TopicKey::Name(&topic.name));
        let mut row = TopicResponse {
            name: topic.name.clone(),
            ..TopicResponse::default()
        };
        for (number, index) in topic.partition_indexes.iter().enumerate() {
            let log = known.and_then(|topic| hints::log(topic, *index));
            if let Ok(log) = log {
                let place = Place {
                    topic: at,
                    partition: number,
                    log,
                };
                job.places.ask(call, place, Part::Producers(log));
            }
            row.partitions.push(PartitionResponse {
                partition_index: *index,
                error_code: log.err().unwrap_or(Code::None).into(),
                ..PartitionResponse::default()
            });
        }
        job.response.topics.push(row);
    }
    Ok(Begun::Job(AnyJob::DescribeProducers(Box::new(job))))
}

impl Job {
    pub(super) fn hear(&mut self, part: u32, code: Code, producers: Vec<ProducerTold>) {
        let topics = &mut self.response.topics;
        if let Some(row) = self.places.row(part, topics, |topic| &mut topic.partitions) {
            row.error_code = code.into();
            row.active_producers = producers.iter().map(state).collect();
        }
    }

    pub(super) fn rows(&self) -> usize {
        let topics = self.response.topics.iter();
        topics.map(|topic| topic.partitions.len()).sum()
    }
}

fn state(told: &ProducerTold) -> ProducerState {
    ProducerState {
        producer_id: told.id.0,
        producer_epoch: i32::from(told.epoch.0),
        last_sequence: told.last_sequence,
        last_timestamp: told.last_timestamp,
        // There are no transactions yet, so no coordinator wrote a marker.
        coordinator_epoch: -1,
        current_txn_start_offset: -1,
        ..ProducerState::default()
    }
}
