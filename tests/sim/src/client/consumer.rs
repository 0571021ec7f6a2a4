//! Clients that read one partition from its start. Decides what a careful reader makes of an answer: it compares every
//! record with what was sent under its value (#2, #7).

use bytes::Bytes;
use sawlog_wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use sawlog_wire::records::{Batches, Caps, Codec, Inflater, Pool, Record, Records};
use sawlog_wire::{Code, Pieces};

use crate::client::{Base, Client, Target, Want, answer, correlation_of, record_of};
use crate::history::{CORRUPT, Ev, Item, Op};
use crate::rng::Rng;

const FETCH_VERSION: i16 = 11;

/// Reads one partition from its start.
#[derive(Debug)]
pub struct Consumer {
    pub(super) base: Base,
    target: Target,
    offset: i64,
    waiting: Option<i32>,
    /// It reads to the end once, and is done then.
    pub last: bool,
    /// It has read to the end.
    pub done: bool,
    /// The broker says that the partition cannot be read.
    pub offline: bool,
}

impl Client {
    /// One that reads; if `last` to the end, once.
    pub fn consumer(base: Base, target: Target, last: bool) -> Client {
        let (offset, waiting) = (0, None);
        Client::Consumer(Box::new(Consumer {
            base,
            target,
            offset,
            waiting,
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
        let partition = FetchPartition {
            partition: self.target.partition,
            fetch_offset: self.offset,
            partition_max_bytes: 20_000,
            ..Default::default()
        };
        let topic = FetchTopic {
            topic: self.target.topic.clone(),
            partitions: vec![partition],
            ..Default::default()
        };
        let request = FetchRequest {
            max_wait_ms: 50,
            min_bytes: 1,
            max_bytes: 50_000,
            topics: vec![topic],
            ..Default::default()
        };
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
        if self.waiting.take().is_some() {
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
        let answer = answer::<FetchRequest>(frame, FETCH_VERSION);
        let part = answer
            .as_ref()
            .ok()
            .and_then(|answer| answer.responses.first()?.partitions.first());
        let Some(part) = part else {
            return wants.push(Want::Hang);
        };
        if part.error_code.is_none() {
            let Some(items) = self.items(part.records.clone()) else {
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
        if part.error_code == Code::OffsetOutOfRange {
            self.offset = part.log_start_offset.max(0);
            self.base.operation += 1;
            wants.push(
                self.base
                    .line(t, self.base.operation, Ev::Invoke, Op::Assign, Vec::new()),
            );
        }
        if part.error_code == Code::KafkaStorageError {
            self.offline = true;
        }
        wants.push(Want::Tick(rng.delay(20_000_000)));
    }

    /// The records from the wanted offset on; moves the offset behind them. `None` if the bytes are not what a producer
    /// can have sent.
    fn items(&mut self, records: Option<Pieces>) -> Option<Vec<Item>> {
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
                if offset < self.offset {
                    continue;
                }
                let timestamp = record.timestamp(&batch.header);
                items.push(Item {
                    partition: self.target.name(),
                    offset: Some(offset),
                    value: value_of(&record, timestamp)?,
                });
                self.offset = offset + 1;
            }
        }
        Some(items)
    }
}

/// The value of a record, if the rest of it is what was sent under that value.
fn value_of(record: &Record<'_>, timestamp: i64) -> Option<u64> {
    let bytes = record.value?;
    let value = u64::from_be_bytes(*bytes.first_chunk::<8>()?);
    let whole = (timestamp, bytes.to_vec()) == record_of(value);
    (whole && record.key.is_none()).then_some(value)
}
