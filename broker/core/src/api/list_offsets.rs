//! Key 2, ListOffsets 1-11: where a log begins, ends, or reaches a time (KIP-79, KIP-734, KIP-405, KIP-1005, KIP-1023).
//! Decides which questions each version may ask; the logs answer them. Gotcha 17.

use alloc::vec::Vec;

use sawlog_wire::message::Message;
use sawlog_wire::messages::list_offsets::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use sawlog_wire::messages::{ListOffsetsRequest, ListOffsetsResponse};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::views::TopicKey;
use sawlog_wire::{Code, Reader};

use super::fields::{epoch, isolation, twice};
use super::hints;
use super::job::{Begun, Call, Job as AnyJob, bounded};
use super::places::{Place, Places};
use crate::answer::{Find, FindAnswer, FindPart, Isolation, Part};
use crate::now::Wall;

/// Waits for the logs. The response is put together in place.
pub(super) struct Job {
    pub(super) response: ListOffsetsResponse,
    pub(super) places: Places,
}

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let bytes = body.left();
    let request = ListOffsetsRequest::decode(body, call.version)?;
    bounded(bytes, || {
        request
            .topics
            .iter()
            .map(|topic| topic.partitions.len())
            .sum()
    })?;
    let image = call.host.image;
    let isolation = isolation(request.isolation_level);
    let mut named = Vec::new();
    for data in &request.topics {
        if let Some(topic) = image.topic(&data.name) {
            named.extend(
                data.partitions
                    .iter()
                    .filter_map(|part| hints::log(topic, part.partition_index).ok()),
            );
        }
    }
    let twice = twice(named);

    let mut job = Job {
        response: ListOffsetsResponse::default(),
        places: Places::default(),
    };
    for (at, data) in request.topics.into_iter().enumerate() {
        let topic = hints::topic(image, TopicKey::Name(&data.name));
        let mut row = ListOffsetsTopicResponse {
            name: data.name,
            ..ListOffsetsTopicResponse::default()
        };
        for (number, partition) in data.partitions.into_iter().enumerate() {
            let index = partition.partition_index;
            let asked = topic.and_then(|topic| {
                let log = hints::log(topic, index)?;
                if twice.contains(&log) {
                    return Err(Code::InvalidRequest);
                }
                // Only replicas may say who they are, and there are none on this listener (#116).
                if request.replica_id >= 0 {
                    return Err(Code::NotLeaderOrFollower);
                }
                let find = find(partition.timestamp, call.version, isolation?)
                    .ok_or(Code::UnsupportedVersion)?;
                Ok(FindPart {
                    log,
                    epoch: epoch(partition.current_leader_epoch),
                    find,
                })
            });
            let mut answer = ListOffsetsPartitionResponse {
                partition_index: index,
                ..Default::default()
            };
            match asked {
                Ok(part) => {
                    let place = Place {
                        topic: at,
                        partition: number,
                        log: part.log,
                    };
                    job.places.ask(call, place, Part::Find(part));
                }
                Err(code) => answer.error_code = code.into(),
            }
            row.partitions.push(answer);
        }
        job.response.topics.push(row);
    }
    Ok(Begun::Job(AnyJob::ListOffsets(job)))
}

impl Job {
    pub(super) fn hear(&mut self, call: &Call<'_, '_>, part: u32, answer: FindAnswer) {
        let topics = &mut self.response.topics;
        let Some(row) = self.places.row(part, topics, |topic| &mut topic.partitions) else {
            return;
        };
        row.error_code = answer.code.into();
        if answer.code == Code::None {
            (row.offset, row.timestamp) = (answer.offset.0, answer.timestamp.0);
            if call.version >= 4 {
                row.leader_epoch = answer.epoch.0;
            }
        }
    }
}

/// What a timestamp asks for in a version; nothing if the version does not know this special one.
fn find(timestamp: i64, version: i16, isolation: Isolation) -> Option<Find> {
    match timestamp {
        0.. => Some(Find::At(Wall(timestamp))),
        -1 => Some(Find::Latest(isolation)),
        -2 => Some(Find::Earliest),
        -3 if version >= 7 => Some(Find::MaxTimestamp),
        // Nothing is tiered, so the local log starts where the log does.
        -4 if version >= 8 => Some(Find::Earliest),
        -5 if version >= 9 => Some(Find::LastTiered),
        -6 if version >= 11 => Some(Find::EarliestPendingUpload),
        _ => None,
    }
}
