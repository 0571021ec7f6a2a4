//! Key 21, DeleteRecords 0-2 (KIP-107): logs start later, because a client says so.
//! Decides which logs a request means; whether and when they start there, each log's shard says (#89, #95).

use alloc::boxed::Box;
use alloc::vec::Vec;

use sawlog_wire::message::Message;
use sawlog_wire::messages::delete_records::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use sawlog_wire::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::views::TopicKey;
use sawlog_wire::{Code, Reader};

use super::fields::timeout;
use super::hints;
use super::job::{Begun, Call, Job as AnyJob, bounded};
use super::places::{Place, Places};
use crate::answer::{Part, TrimPart};
use crate::ids::{LogId, Offset};
use crate::map::Map;

/// Waits for the logs.
pub(super) struct Job {
    pub(super) response: DeleteRecordsResponse,
    pub(super) places: Places,
}

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let bytes = body.left();
    let request = DeleteRecordsRequest::decode(body, call.version)?;
    bounded(bytes, || {
        let topics = request.topics.iter();
        topics.map(|topic| topic.partitions.len()).sum()
    })?;
    let deadline = call.host.now.after(timeout(request.timeout_ms));
    // Of a partition that is named again the last word holds, as in Kafka: no answer could be told from the other.
    let mut job = Job {
        response: DeleteRecordsResponse::default(),
        places: Places::default(),
    };
    let mut wanted: Map<LogId, TrimPart> = Map::new();
    let mut asked: Vec<Place> = Vec::new();
    for (at, topic) in request.topics.iter().enumerate() {
        let known = hints::topic(call.host.image, TopicKey::Name(&topic.name));
        let mut row = DeleteRecordsTopicResult {
            name: topic.name.clone(),
            ..DeleteRecordsTopicResult::default()
        };
        for (number, partition) in topic.partitions.iter().enumerate() {
            let log = known.and_then(|topic| hints::log(topic, partition.partition_index));
            let to = match partition.offset {
                -1 => Ok(None),
                ..-1 => Err(Code::OffsetOutOfRange),
                offset => Ok(Some(Offset(offset))),
            };
            let code = match (log, to) {
                (Ok(log), Ok(to)) => {
                    wanted.insert(log, TrimPart { log, to, deadline });
                    asked.push(Place {
                        topic: at,
                        partition: number,
                        log,
                    });
                    Code::None
                }
                (Err(code), _) | (_, Err(code)) => code,
            };
            row.partitions.push(DeleteRecordsPartitionResult {
                partition_index: partition.partition_index,
                low_watermark: -1,
                error_code: code.into(),
                ..DeleteRecordsPartitionResult::default()
            });
        }
        job.response.topics.push(row);
    }
    for place in asked {
        if let Some(part) = wanted.get(&place.log) {
            job.places.ask(call, place, Part::Trim(*part));
        }
    }
    Ok(Begun::Job(AnyJob::DeleteRecords(Box::new(job))))
}

impl Job {
    pub(super) fn hear(&mut self, part: u32, code: Code, start: Offset) {
        let topics = &mut self.response.topics;
        if let Some(row) = self.places.row(part, topics, |topic| &mut topic.partitions) {
            row.error_code = code.into();
            row.low_watermark = start.0;
        }
    }

    pub(super) fn rows(&self) -> usize {
        let topics = self.response.topics.iter();
        topics.map(|topic| topic.partitions.len()).sum()
    }
}
