//! Key 0, Produce 3-13: appends batches (KIP-98, KIP-110, KIP-467, KIP-516, KIP-951).
//! Decides what is refused before it reaches a log, and says what became of the rest. A batch is judged here, on the
//! connection's thread, once (#27, #118), and goes on as it was sent, or as its topic wants it: in another codec, with the
//! broker's time. Never decides an offset. Gotchas 15 and 16.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use sawlog_wire::messages::ProduceResponse;
use sawlog_wire::messages::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse,
    TopicProduceResponse,
};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::records::batch::NO_TIMESTAMP;
use sawlog_wire::records::lookup::{Found, outside};
use sawlog_wire::records::rewrite::{Wish, to_store};
use sawlog_wire::records::{
    Batch, BatchFacts, BatchFault, BatchHeader, Caps, Rules, TimestampType, validate,
};
use sawlog_wire::views::{FirstBatch, ProducePartitionView, ProduceView};
use sawlog_wire::{Code, Reader};

use super::fields::{timeout, twice};
use super::job::{Begun, Call, Job as AnyJob, bounded};
use super::places::{Place, Places};
use super::{Host, hints};
use crate::answer::{Acks, AppendAnswer, AppendPart, Part};
use crate::cluster::image::{Image, Topic};
use crate::config::TopicConfig;
use crate::ids::LogId;
use crate::now::{Deadline, Wall};
use crate::proof;

/// No answer names more records of one batch than this, nor more than one for each [`NAMED_PER`] bytes that were sent: what
/// is said of a record takes memory (#128).
const NAMED_MAX: usize = 1_000;
const NAMED_PER: usize = 8;
/// What every partition is refused with where transactions are meant.
const TRANSACTIONAL: Code = Code::TransactionalIdAuthorizationFailed;

/// Waits for the logs. The response is put together in place.
pub(super) struct Job {
    pub(super) response: ProduceResponse,
    pub(super) places: Places,
}

/// To which log the first batch of a request goes whose first bytes these are, and how many of them lie before it.
pub fn first_batch(image: &Image, frame: &[u8]) -> Option<(LogId, usize)> {
    let first = FirstBatch::find(frame)?;
    let topic = hints::topic(image, first.topic).ok()?;
    let log = hints::log(topic, first.index).ok()?;
    Some((log, first.at))
}

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let request = ProduceView::decode(body.clone(), call.version)?;
    bounded(body.left(), || {
        request
            .topics
            .iter()
            .map(|topic| topic.partitions.len())
            .sum()
    })?;
    let acks = match request.acks {
        0 => Ok(Acks::None),
        1 => Ok(Acks::Leader),
        -1 => Ok(Acks::All),
        _ => Err(Code::InvalidRequiredAcks),
    };
    let all = All {
        acks,
        deadline: call.host.now.after(timeout(request.timeout_ms)),
        transactional: request.transactional_id.is_some(),
        twice: named_twice(call.host, &request),
    };
    let mut job = Job {
        response: ProduceResponse::default(),
        places: Places::default(),
    };
    job.response
        .responses
        .reserve_exact(least(request.topics.len()));
    for (at, data) in request.topics.iter().enumerate() {
        let topic = hints::topic(call.host.image, data.topic);
        let (name, topic_id) = hints::key(data.topic);
        let mut row = TopicProduceResponse {
            name,
            topic_id,
            ..TopicProduceResponse::default()
        };
        row.partition_responses
            .reserve_exact(least(data.partitions.len()));
        for (number, partition) in data.partitions.iter().enumerate() {
            let mut answer = PartitionProduceResponse {
                index: partition.index,
                base_offset: -1,
                ..PartitionProduceResponse::default()
            };
            match all.take(call, topic, &partition) {
                Ok(append) => {
                    if append.batch.attributes().map(|has| has.timestamp_type)
                        == Ok(TimestampType::LogAppend)
                    {
                        answer.log_append_time_ms = append.batch.max_timestamp;
                    }
                    let place = Place {
                        topic: at,
                        partition: number,
                        log: append.log,
                    };
                    job.places.ask(call, place, Part::Append(append));
                }
                Err(refusal) => refusal.tell(&mut answer),
            }
            row.partition_responses.push(answer);
        }
        job.response.responses.push(row);
    }
    if acks != Ok(Acks::None) {
        return Ok(Begun::Job(AnyJob::Produce(job)));
    }
    let mut rows = job
        .response
        .responses
        .iter()
        .flat_map(|topic| &topic.partition_responses);
    if rows.any(|row| !row.error_code.is_none()) {
        return Ok(Begun::Close(
            "a partition was refused and acks=0 leaves no other way to say so",
        ));
    }
    Ok(Begun::Silent)
}

/// Room to reserve for a list: it grows where it is longer, but no request reserves much by a count alone.
fn least(count: usize) -> usize {
    count.min(64)
}

/// What holds for all partitions of a request.
struct All {
    acks: Result<Acks, Code>,
    deadline: Deadline,
    transactional: bool,
    twice: Vec<LogId>,
}

impl All {
    /// The part for one partition, or why there is none. Refusals come first, in Kafka's order.
    fn take(
        &self,
        call: &mut Call<'_, '_>,
        topic: Result<&Arc<Topic>, Code>,
        partition: &ProducePartitionView<'_>,
    ) -> Result<AppendPart, Refusal> {
        let topic = topic.map_err(Refusal::of)?;
        let log = hints::log(topic, partition.index).map_err(Refusal::of)?;
        let acks = self.acks.map_err(Refusal::of)?;
        if self.transactional {
            return Err(Refusal::said(
                TRANSACTIONAL,
                "there are no transactions yet",
            ));
        }
        if self.twice.contains(&log) {
            return Err(Refusal::said(
                Code::InvalidRequest,
                "the partition is named twice in one request",
            ));
        }
        let Ok(sent) = partition.payload() else {
            return Err(Refusal::fault(&BatchFault::Empty));
        };
        let (batch, bytes) = judge(call, &topic.config, sent)?;
        Ok(AppendPart {
            log,
            acks,
            deadline: self.deadline,
            batch,
            bytes,
        })
    }
}

/// The partitions that a request names more than once. Kafka would append only one of the batches and answer for all.
fn named_twice(host: &Host<'_>, request: &ProduceView<'_>) -> Vec<LogId> {
    let mut logs = Vec::new();
    if request.topics.len() < 2
        && request
            .topics
            .iter()
            .all(|topic| topic.partitions.len() < 2)
    {
        return logs;
    }
    for data in &request.topics {
        if let Ok(topic) = hints::topic(host.image, data.topic) {
            logs.extend(
                data.partitions
                    .iter()
                    .filter_map(|part| hints::log(topic, part.index).ok()),
            );
        }
    }
    twice(logs)
}

/// The batch, walked and found whole, as it is to be stored.
fn judge(
    call: &mut Call<'_, '_>,
    topic: &TopicConfig,
    sent: Bytes,
) -> Result<(BatchHeader, Bytes), Refusal> {
    let host = &mut *call.host;
    let max = topic.max_message_bytes as usize;
    let rules = Rules::produce(call.version, max);
    let fault = |fault: BatchFault| Refusal::fault(&fault);
    let facts = validate(&sent, &rules, host.inflater, host.pool).map_err(fault)?;
    if facts.transactional {
        return Err(Refusal::said(
            TRANSACTIONAL,
            "there are no transactions yet",
        ));
    }
    let Wall(now) = host.now.wall;
    let append_time = match topic.timestamps {
        TimestampType::LogAppend => Some(now),
        TimestampType::Create => None,
    };
    if append_time.is_none() {
        in_time(host, topic, &sent, &facts)?;
    }
    let wish = Wish {
        codec: topic.codec,
        append_time,
    };
    let bytes = to_store(sent, &facts, &wish, host.inflater, host.pool).map_err(fault)?;
    if bytes.len() > max && !proof::mutant("grown-beyond-its-bound") {
        let size = bytes.len();
        return Err(Refusal::fault(&BatchFault::TooLarge { size, max }));
    }
    let header = BatchHeader::parse(&bytes).map_err(fault)?;
    Ok((header, bytes))
}

/// Refuses a batch with records that are too old or too far ahead, and names them.
fn in_time(
    host: &mut Host<'_>,
    topic: &TopicConfig,
    sent: &[u8],
    facts: &BatchFacts,
) -> Result<(), Refusal> {
    let Wall(now) = host.now.wall;
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let earliest = now.saturating_sub(millis(topic.age_max));
    let latest = now.saturating_add(millis(topic.ahead_max));
    let early = facts.min_timestamp != NO_TIMESTAMP && facts.min_timestamp < earliest;
    if !early && facts.max_timestamp <= latest {
        return Ok(());
    }
    let most = (sent.len() / NAMED_PER).clamp(1, NAMED_MAX);
    let found = Batch::first(sent).and_then(|batch| {
        let bounds = (earliest, latest);
        outside(
            &batch,
            bounds,
            most,
            Caps::DEFAULT,
            host.inflater,
            host.pool,
        )
    });
    let record = |found: Found| {
        let (key, bound) = if found.timestamp < earliest {
            ("before", earliest)
        } else {
            ("after", latest)
        };
        let text = format!(
            "its time is {}, the bound {bound} (message.timestamp.{key}.max.ms)",
            found.timestamp
        );
        (u32::try_from(found.offset).unwrap_or(u32::MAX), text)
    };
    Err(Refusal {
        code: Code::InvalidTimestamp,
        message: Some("records are older or further ahead than their topic allows".to_string()),
        // What cannot be walked a second time, for want of memory, is refused without names.
        records: found.unwrap_or_default().into_iter().map(record).collect(),
    })
}

/// Why a partition's batch is not stored: a definite error, nothing happened (#114).
struct Refusal {
    code: Code,
    message: Option<String>,
    /// The records at fault and what is wrong with each (KIP-467).
    records: Vec<(u32, String)>,
}

impl Refusal {
    fn of(code: Code) -> Refusal {
        Refusal {
            code,
            message: None,
            records: Vec::new(),
        }
    }

    fn said(code: Code, message: &str) -> Refusal {
        Refusal {
            code,
            message: Some(message.to_string()),
            records: Vec::new(),
        }
    }

    fn fault(fault: &BatchFault) -> Refusal {
        let text = fault.to_string();
        let record = fault.record().map(|index| (index, text.clone()));
        Refusal {
            code: fault.code(),
            message: Some(text),
            records: record.into_iter().collect(),
        }
    }

    fn tell(self, answer: &mut PartitionProduceResponse) {
        answer.error_code = self.code.into();
        let record = |(index, text)| BatchIndexAndErrorMessage {
            batch_index: i32::try_from(index).unwrap_or(i32::MAX),
            batch_index_error_message: Some(text),
            ..BatchIndexAndErrorMessage::default()
        };
        answer.record_errors = self.records.into_iter().map(record).collect();
        answer.error_message = self.message;
    }
}

impl Job {
    pub(super) fn hear(&mut self, call: &mut Call<'_, '_>, part: u32, answer: AppendAnswer) {
        let Some(place) = self.places.answered(part) else {
            return;
        };
        let topic = self.response.responses.get_mut(place.topic);
        let Some(row) = topic.and_then(|topic| topic.partition_responses.get_mut(place.partition))
        else {
            return;
        };
        row.error_code = answer.code.into();
        row.error_message = answer.message;
        row.log_start_offset = answer.start.0;
        if answer.code == Code::None {
            row.base_offset = answer.base.0;
        }
        // Of a repeat the time of the original counts, which is not kept: the client falls back on its own, as it does
        // where a topic has no times of the broker's.
        if answer.code != Code::None || answer.again {
            row.log_append_time_ms = -1;
        }
        if answer.code == Code::NotLeaderOrFollower && call.version >= 10 {
            self.point(call, place);
        }
    }

    /// Says who leads now, if that is known (KIP-951).
    fn point(&mut self, call: &Call<'_, '_>, place: Place) {
        let Some(leads) = hints::leader(call.host.image, call.door, place.log) else {
            return;
        };
        let row = self
            .response
            .responses
            .get_mut(place.topic)
            .and_then(|topic| topic.partition_responses.get_mut(place.partition));
        if let Some(row) = row {
            row.current_leader = LeaderIdAndEpoch {
                leader_id: leads.broker.0,
                leader_epoch: leads.epoch.0,
                ..LeaderIdAndEpoch::default()
            };
        }
        let known = self
            .response
            .node_endpoints
            .iter()
            .any(|node| node.node_id == leads.broker.0);
        if let Some((endpoint, broker)) = leads.at
            && !known
        {
            self.response.node_endpoints.push(NodeEndpoint {
                node_id: leads.broker.0,
                host: endpoint.host.clone(),
                port: i32::from(endpoint.port),
                rack: broker.rack.clone(),
                ..NodeEndpoint::default()
            });
        }
    }
}
