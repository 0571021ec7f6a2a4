//! Clients that read one partition from its start. Decides what a careful reader makes of an answer: it compares every
//! record with what was sent under its value (#2, #7).

use bytes::Bytes;
use sawlog_core::proof;
use sawlog_wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use sawlog_wire::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use sawlog_wire::records::{Batches, Caps, Codec, Inflater, Pool, Record, Records};
use sawlog_wire::{Code, Pieces};

use crate::client::{Base, Client, Target, Want, answer, correlation_of, record_of};
use crate::history::{CORRUPT, Ev, Item, Op};
use crate::rng::Rng;

pub(super) const FETCH_VERSION: i16 = 11;
pub(super) const LIST_VERSION: i16 = 3;

/// How a partition is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reads {
    /// On and on, each request for itself.
    On,
    /// On and on, in a session: only what changes is said (KIP-227).
    InASession,
    /// To its end, once.
    ToTheEnd,
}

/// A fetch session as its client knows it.
#[derive(Clone, Copy, Debug, Default)]
struct Session {
    /// 0: it is asked for.
    id: i32,
    epoch: i32,
    /// The offset that was named last.
    named: i64,
}

/// Reads one partition from its start.
#[derive(Debug)]
pub struct Consumer {
    pub(super) base: Base,
    target: Target,
    offset: i64,
    waiting: Option<i32>,
    session: Option<Session>,
    /// What it wanted is below the log's start, for which it asks first.
    lost: bool,
    /// It reads to the end once, and is done then.
    pub last: bool,
    /// It has read to the end.
    pub done: bool,
    /// The broker says that the partition cannot be read.
    pub offline: bool,
}

impl Client {
    /// One that reads.
    pub fn consumer(base: Base, target: Target, how: Reads) -> Client {
        let (offset, waiting) = (0, None);
        let session = (how == Reads::InASession).then(Session::default);
        let last = how == Reads::ToTheEnd;
        Client::Consumer(Box::new(Consumer {
            base,
            target,
            offset,
            waiting,
            session,
            lost: false,
            last,
            done: false,
            offline: false,
        }))
    }
}

impl Consumer {
    pub(super) fn poll(&mut self, t: u64, wants: &mut Vec<Want>) {
        if self.waiting.is_some() || self.done {
            return;
        }
        if self.lost {
            let (correlation, want) = self.base.request(LIST_VERSION, &earliest(&self.target));
            self.waiting = Some(correlation);
            return wants.push(want);
        }
        let mut request = fetch(&self.target, self.offset);
        if let Some(session) = &mut self.session {
            (request.session_id, request.session_epoch) = (session.id, session.epoch);
            if session.epoch > 0 && session.named == self.offset {
                request.topics.clear();
            }
            session.named = self.offset;
        }
        let (correlation, want) = self.base.request(FETCH_VERSION, &request);
        self.waiting = Some(correlation);
        self.base.operation += 1;
        wants.push(
            self.base
                .line(t, self.base.operation, Ev::Invoke, Op::Poll, Vec::new()),
        );
        wants.push(want);
    }

    pub(super) fn cut(&mut self, t: u64, wants: &mut Vec<Want>) {
        if self.waiting.take().is_some() && !self.lost {
            wants.push(
                self.base
                    .line(t, self.base.operation, Ev::Info, Op::Poll, Vec::new()),
            );
        }
    }

    pub(super) fn answered(&mut self, t: u64, frame: &Bytes, rng: &mut Rng, wants: &mut Vec<Want>) {
        if self.waiting != correlation_of(frame) {
            return;
        }
        self.waiting = None;
        if self.lost {
            return self.found(t, frame, rng, wants);
        }
        let answer = answer::<FetchRequest>(frame, FETCH_VERSION);
        let answer = answer.as_ref().ok();
        if let (Some(session), Some(answer)) = (&mut self.session, answer) {
            if !answer.error_code.is_none() {
                proof::sometimes("fetch-session-was-lost");
                *session = Session::default();
                return self.nothing(t, Ev::Info, rng, wants);
            }
            if session.epoch > 0 {
                proof::sometimes("fetch-session-went-on");
            }
            // Who gets none is answered in full, and asks again.
            session.epoch = if answer.session_id == 0 {
                0
            } else {
                session.epoch + 1
            };
            session.id = answer.session_id;
            if session.epoch > 1 && answer.responses.is_empty() {
                proof::sometimes("fetch-session-had-no-news");
                return self.nothing(t, Ev::Ok, rng, wants);
            }
        }
        let part = answer.and_then(|answer| answer.responses.first()?.partitions.first());
        let Some(part) = part else {
            return wants.push(Want::Hang);
        };
        if part.error_code.is_none() {
            let Some(items) =
                read_items(&self.target.name(), &mut self.offset, part.records.clone())
            else {
                let operation = self.base.operation;
                let v = vec![Item {
                    partition: self.target.name(),
                    offset: Some(self.offset),
                    value: 0,
                }];
                let line = self
                    .base
                    .line_with(t, operation, Ev::Info, Op::Poll, v, Some(CORRUPT));
                wants.extend([line, Want::Hang]);
                self.offline = true;
                return;
            };
            if items.is_empty() && self.last && self.offset >= part.high_watermark {
                self.done = true;
            }
            wants.push(
                self.base
                    .line(t, self.base.operation, Ev::Ok, Op::Poll, items),
            );
            if self.done {
                wants.push(Want::Hang)
            } else {
                self.poll(t, wants)
            }
            return;
        }
        wants.push(
            self.base
                .line(t, self.base.operation, Ev::Info, Op::Poll, Vec::new()),
        );
        self.lost = part.error_code == Code::OffsetOutOfRange;
        if part.error_code == Code::KafkaStorageError {
            self.offline = true;
        }
        wants.push(Want::Tick(rng.delay(20_000_000)));
    }
}

impl Consumer {
    /// There was no record for it.
    fn nothing(&mut self, t: u64, ev: Ev, rng: &mut Rng, wants: &mut Vec<Want>) {
        let line = self
            .base
            .line(t, self.base.operation, ev, Op::Poll, Vec::new());
        wants.push(line);
        match ev {
            Ev::Ok => self.poll(t, wants),
            _ => wants.push(Want::Tick(rng.delay(20_000_000))),
        }
    }

    /// Where the log starts: a new assignment begins there.
    fn found(&mut self, t: u64, frame: &Bytes, rng: &mut Rng, wants: &mut Vec<Want>) {
        let answer = answer::<ListOffsetsRequest>(frame, LIST_VERSION);
        let part = answer.as_ref().ok();
        let part = part.and_then(|answer| answer.topics.first()?.partitions.first());
        let code = part.map(|part| part.error_code);
        self.offline |= code.is_some_and(|code| code == Code::KafkaStorageError);
        let Some(part) = part.filter(|part| part.error_code.is_none()) else {
            return wants.push(Want::Tick(rng.delay(20_000_000)));
        };
        self.lost = false;
        self.offset = part.offset;
        self.base.operation += 1;
        let operation = self.base.operation;
        wants.push(
            self.base
                .line(t, operation, Ev::Invoke, Op::Assign, Vec::new()),
        );
        self.poll(t, wants);
    }
}

/// Asks where a partition starts.
pub(super) fn earliest(target: &Target) -> ListOffsetsRequest {
    let partition = ListOffsetsPartition {
        partition_index: target.partition,
        timestamp: -2,
        ..Default::default()
    };
    let topic = ListOffsetsTopic {
        name: target.topic.clone(),
        partitions: vec![partition],
        ..Default::default()
    };
    ListOffsetsRequest {
        replica_id: -1,
        topics: vec![topic],
        ..Default::default()
    }
}

/// Asks for one partition from `offset` on.
pub(super) fn fetch(target: &Target, offset: i64) -> FetchRequest {
    let partition = FetchPartition {
        partition: target.partition,
        fetch_offset: offset,
        partition_max_bytes: 20_000,
        ..Default::default()
    };
    let topic = FetchTopic {
        topic: target.topic.clone(),
        partitions: vec![partition],
        ..Default::default()
    };
    FetchRequest {
        max_wait_ms: 50,
        min_bytes: 1,
        max_bytes: 50_000,
        topics: vec![topic],
        ..Default::default()
    }
}

/// The records of a partition from the wanted offset on; moves the offset behind them. `None` if the bytes are not what a
/// producer can have sent.
pub(super) fn read_items(
    name: &str,
    wanted: &mut i64,
    records: Option<Pieces>,
) -> Option<Vec<Item>> {
    let bytes = records.unwrap_or_default().into_bytes();
    let mut items = Vec::new();
    for batch in Batches::new(&bytes).flatten() {
        batch.check_crc().ok()?;
        let mut plain = Vec::new();
        let codec = batch
            .header
            .attributes()
            .map_or(Codec::None, |attributes| attributes.codec);
        let pool = Pool::new(1 << 24);
        Inflater::new()
            .read_all(codec, batch.payload(), Caps::default(), &pool, &mut plain)
            .ok()?;
        for record in Records::new(&plain).flatten() {
            let offset = record.offset(&batch.header);
            if offset < *wanted {
                continue;
            }
            let timestamp = record.timestamp(&batch.header);
            items.push(Item {
                partition: name.to_owned(),
                offset: Some(offset),
                value: value_of(&record, timestamp)?,
            });
            *wanted = offset + 1;
        }
    }
    Some(items)
}

/// The value of a record, if the rest of it is what was sent under that value.
fn value_of(record: &Record<'_>, timestamp: i64) -> Option<u64> {
    let bytes = record.value?;
    let value = u64::from_be_bytes(*bytes.first_chunk::<8>()?);
    let whole = (timestamp, bytes.to_vec()) == record_of(value);
    (whole && record.key.is_none()).then_some(value)
}
