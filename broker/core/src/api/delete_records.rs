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

use super::command::patience;
use super::hints;
use super::job::{Begun, Call, Job as AnyJob, bounded};
use crate::answer::{Part, TrimPart};
use crate::ids::{LogId, Offset};
use crate::map::Map;

/// Waits for the logs.
pub(super) struct Job {
    pub(super) response: DeleteRecordsResponse,
    /// The place in the response of each part asked.
    places: Vec<(usize, usize)>,
    pub(super) left: usize,
}

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let bytes = body.left();
    let request = DeleteRecordsRequest::decode(body, call.version)?;
    bounded(bytes, || {
        let topics = request.topics.iter();
        topics.map(|topic| topic.partitions.len()).sum()
    })?;
    let deadline = call.host.now.after(patience(request.timeout_ms));
    // Of a partition that is named again the last word holds, as in Kafka: no answer could be told from the other.
    let mut job = Job {
        response: DeleteRecordsResponse::default(),
        places: Vec::new(),
        left: 0,
    };
    let mut wanted: Map<LogId, TrimPart> = Map::new();
    let mut asked: Vec<(LogId, usize, usize)> = Vec::new();
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
                    asked.push((log, at, number));
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
    for (log, topic, partition) in asked {
        let Some(part) = wanted.get(&log) else {
            continue;
        };
        let number = u32::try_from(job.places.len()).unwrap_or(u32::MAX);
        job.places.push((topic, partition));
        job.left += 1;
        call.ask(log, number, Part::Trim(*part));
    }
    Ok(Begun::Job(AnyJob::DeleteRecords(Box::new(job))))
}

impl Job {
    pub(super) fn hear(&mut self, part: u32, code: Code, start: Offset) {
        let place = self.places.get(part as usize).copied();
        let row = place.and_then(|(topic, partition)| {
            let topic = self.response.topics.get_mut(topic)?;
            topic.partitions.get_mut(partition)
        });
        if let Some(row) = row {
            row.error_code = code.into();
            row.low_watermark = start.0;
            self.left -= 1;
        }
    }

    pub(super) fn rows(&self) -> usize {
        let topics = self.response.topics.iter();
        topics.map(|topic| topic.partitions.len()).sum()
    }
}
