//! Clients that send: plain ones, and idempotent ones that send the same sequence again until they know. Decides what a
//! careful producer may believe of an answer, and writes down those that no right broker gives.

use std::collections::VecDeque;

use bytes::Bytes;
use sawlog_wire::messages::init_producer_id::InitProducerIdRequest;
use sawlog_wire::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use sawlog_wire::records::{BatchBuilder, Codec, NewRecord};
use sawlog_wire::{Code, ErrorCode, Pieces};

use crate::client::{Base, Client, Target, Want, answer, correlation_of, record_of};
use crate::history::{Ev, Item, Op, REFUSED_RETRY, UNNAMED};
use crate::rng::Rng;

/// Requests of a producer in flight.
const IN_FLIGHT: usize = 5;
/// How often a producer tries the same sequence before it takes a new id.
const PATIENCE: u32 = 12;
/// How long a producer typically thinks between two windows, in nanoseconds.
const THINK: u64 = 20_000_000;
pub(super) const PRODUCE_VERSION: i16 = 9;
const ID_VERSION: i16 = 3;

/// Sends records to a few partitions.
#[derive(Debug)]
pub struct Producer {
    pub(super) base: Base,
    targets: Vec<Target>,
    once: bool,
    acks: i16,
    id: Option<(i64, i16)>,
    asked_id: Option<i32>,
    sequences: Vec<i32>,
    /// Not yet answered, in order; the first `sent` of them are on the connection.
    open: VecDeque<Sending>,
    sent: usize,
    next_value: u64,
    tries: u32,
    /// It starts no further sends.
    pub quiet: bool,
    /// It starts none before this time.
    rest: u64,
}

#[derive(Debug)]
struct Sending {
    operation: u64,
    target: usize,
    values: Vec<u64>,
    sequence: i32,
    codec: Codec,
    correlation: i32,
}

impl Client {
    /// One that sends, idempotently if `once`; values are unique from `values` on.
    pub fn producer(
        base: Base,
        targets: Vec<Target>,
        once: bool,
        acks: i16,
        values: u64,
    ) -> Client {
        let sequences = vec![0; targets.len()];
        Client::Producer(Box::new(Producer {
            base,
            targets,
            once,
            acks,
            id: None,
            asked_id: None,
            sequences,
            open: VecDeque::new(),
            sent: 0,
            next_value: values,
            tries: 0,
            quiet: false,
            rest: 0,
        }))
    }
}

impl Producer {
    /// Whether no answer is awaited.
    pub fn drained(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn send(&mut self, t: u64, rng: &mut Rng, wants: &mut Vec<Want>) {
        if self.once && self.id.is_none() {
            if self.asked_id.is_none() {
                let request = InitProducerIdRequest {
                    transaction_timeout_ms: 1000,
                    ..Default::default()
                };
                let (correlation, want) = self.base.request(ID_VERSION, &request);
                self.asked_id = Some(correlation);
                wants.push(want);
            }
            return;
        }
        if t >= self.rest {
            // It fills its window, then thinks for a while.
            self.rest = t + rng.delay(THINK);
            while !self.quiet && self.open.len() < IN_FLIGHT {
                self.make(t, rng, wants);
            }
        }
        if !self.quiet {
            wants.push(Want::Tick(self.rest - t));
        }
        while self.sent < self.open.len() {
            let Some(want) = self.encode(self.sent) else {
                break;
            };
            wants.push(want);
            self.sent += 1;
        }
    }

    /// Decides what to send next, and writes down that it begins.
    fn make(&mut self, t: u64, rng: &mut Rng, wants: &mut Vec<Want>) {
        let target = usize::try_from(rng.below(self.targets.len() as u64)).unwrap_or(0);
        let count = if rng.chance(700) {
            rng.between(1, 3)
        } else {
            rng.between(4, 30)
        };
        let values: Vec<u64> = (self.next_value..self.next_value + count).collect();
        self.next_value += count;
        let codec = if rng.chance(200) {
            rng.pick(&Codec::ALL).copied()
        } else {
            None
        };
        let sequence = self.sequences.get(target).copied().unwrap_or(0);
        if let Some(next) = self.sequences.get_mut(target) {
            *next += i32::try_from(count).unwrap_or(0);
        }
        self.base.operation += 1;
        let operation = self.base.operation;
        let items = self.items(target, &values, None);
        wants.push(self.base.line(t, operation, Ev::Invoke, self.op(), items));
        let codec = codec.unwrap_or(Codec::None);
        self.open.push_back(Sending {
            operation,
            target,
            values,
            sequence,
            codec,
            correlation: 0,
        });
    }

    fn op(&self) -> Op {
        if self.once { Op::SendOnce } else { Op::Send }
    }

    fn items(&self, target: usize, values: &[u64], base: Option<i64>) -> Vec<Item> {
        let partition = self
            .targets
            .get(target)
            .map(Target::name)
            .unwrap_or_default();
        let item = |(value, n): (&u64, i64)| Item {
            partition: partition.clone(),
            offset: base.map(|base| base + n),
            value: *value,
        };
        values.iter().zip(0..).map(item).collect()
    }

    fn encode(&mut self, index: usize) -> Option<Want> {
        let sending = self.open.get(index)?;
        let target = self.targets.get(sending.target)?.clone();
        let mut builder = BatchBuilder::new(sending.codec);
        if let (true, Some((id, epoch))) = (self.once, self.id) {
            builder = builder.producer(id, epoch, sending.sequence);
        }
        let batch = fill(builder, &sending.values)?;
        let request = produce(&target, batch, self.acks);
        let (correlation, want) = self.base.request(PRODUCE_VERSION, &request);
        self.open.get_mut(index)?.correlation = correlation;
        Some(want)
    }

    pub(super) fn answered(&mut self, t: u64, frame: &Bytes, rng: &mut Rng, wants: &mut Vec<Want>) {
        let correlation = correlation_of(frame);
        if self.asked_id.is_some() && self.asked_id == correlation {
            self.asked_id = None;
            match answer::<InitProducerIdRequest>(frame, ID_VERSION) {
                Ok(granted) if granted.error_code.is_none() => {
                    self.id = Some((granted.producer_id, granted.producer_epoch));
                    self.base.operation += 1;
                    let operation = self.base.operation;
                    let id = Item {
                        partition: "producer-id".to_owned(),
                        offset: Some(granted.producer_id),
                        value: u64::from(granted.producer_epoch.unsigned_abs()),
                    };
                    let line = |ev, v| self.base.line(t, operation, ev, Op::Grant, v);
                    wants.extend([line(Ev::Invoke, Vec::new()), line(Ev::Ok, vec![id])]);
                    self.send(t, rng, wants);
                }
                _ => wants.push(Want::Tick(rng.delay(20_000_000))),
            }
            return;
        }
        let expected = self.open.front().map(|sending| sending.correlation);
        if self.sent == 0 || expected != correlation {
            // An answer to something that was given up.
            return;
        }
        let Ok(answer) = answer::<ProduceRequest>(frame, PRODUCE_VERSION) else {
            return wants.push(Want::Hang);
        };
        let Some(part) = answer
            .responses
            .first()
            .and_then(|topic| topic.partition_responses.first())
        else {
            return wants.push(Want::Hang);
        };
        if part.error_code.is_none() {
            if let Some(sending) = self.open.pop_front() {
                self.sent -= 1;
                self.tries = 0;
                let items = self.items(sending.target, &sending.values, Some(part.base_offset));
                wants.push(
                    self.base
                        .line(t, sending.operation, Ev::Ok, self.op(), items),
                );
            }
            self.send(t, rng, wants);
        } else if self.once {
            self.tries += 1;
            if let Some(rule) = self.wrong(part.error_code) {
                let sending = self.open.front();
                let items =
                    sending.map(|sending| self.items(sending.target, &sending.values, None));
                let line = self.base.line_with(
                    t,
                    u64::MAX,
                    Ev::Info,
                    self.op(),
                    items.unwrap_or_default(),
                    Some(rule),
                );
                wants.push(line);
            }
            if self.tries > PATIENCE {
                self.new_session(t, wants);
            }
            // The connection is given up, and everything that is open is sent again, in order.
            wants.push(Want::Hang);
        } else if let Some(sending) = self.open.pop_front() {
            self.sent -= 1;
            let ev = if definite(part.error_code) {
                Ev::Fail
            } else {
                Ev::Info
            };
            let items = self.items(sending.target, &sending.values, None);
            wants.push(self.base.line(t, sending.operation, ev, self.op(), items));
            self.rest = t + rng.delay(20_000_000);
            wants.push(Want::Tick(self.rest - t));
        }
    }

    /// An answer to the oldest open batch, everything before which was acknowledged, that no right broker gives.
    fn wrong(&self, code: ErrorCode) -> Option<&'static str> {
        let refusals = [
            Code::OutOfOrderSequenceNumber,
            Code::UnknownProducerId,
            Code::InvalidProducerEpoch,
        ];
        if code == Code::UnknownServerError {
            Some(UNNAMED)
        } else if refusals.iter().any(|refusal| code == *refusal) {
            Some(REFUSED_RETRY)
        } else {
            None
        }
    }

    /// Nobody knows what became of what is open; the next sends are another producer's.
    fn new_session(&mut self, t: u64, wants: &mut Vec<Want>) {
        for sending in std::mem::take(&mut self.open) {
            let items = self.items(sending.target, &sending.values, None);
            wants.push(
                self.base
                    .line(t, sending.operation, Ev::Info, self.op(), items),
            );
        }
        self.sent = 0;
        self.tries = 0;
        self.id = None;
        self.sequences.fill(0);
        self.base.process += self.base.step;
    }

    pub(super) fn cut(&mut self, t: u64, wants: &mut Vec<Want>) {
        self.asked_id = None;
        if !self.once {
            // A plain producer may not send again what may be there already.
            for sending in std::mem::take(&mut self.open) {
                let items = self.items(sending.target, &sending.values, None);
                wants.push(
                    self.base
                        .line(t, sending.operation, Ev::Info, self.op(), items),
                );
            }
        }
        self.sent = 0;
    }
}

/// Whether an error says that nothing happened.
pub(super) fn definite(code: ErrorCode) -> bool {
    [
        Code::CorruptMessage,
        Code::InvalidRecord,
        Code::MessageTooLarge,
        Code::UnknownTopicOrPartition,
        Code::NotLeaderOrFollower,
        Code::InvalidRequiredAcks,
        Code::OutOfOrderSequenceNumber,
        Code::UnsupportedCompressionType,
    ]
    .iter()
    .any(|definite| code == *definite)
}

fn fill(mut builder: BatchBuilder, values: &[u64]) -> Option<Bytes> {
    for value in values {
        let (timestamp, bytes) = record_of(*value);
        let record = NewRecord {
            timestamp,
            key: None,
            value: Some(&bytes),
            headers: &[],
        };
        builder.push(record).ok()?;
    }
    Some(Bytes::from(builder.build().ok()?))
}

/// A plain batch of these values.
pub(super) fn batch_of(values: &[u64]) -> Bytes {
    fill(BatchBuilder::new(Codec::None), values).unwrap_or_default()
}

/// Sends one batch to one partition.
pub(super) fn produce(target: &Target, batch: Bytes, acks: i16) -> ProduceRequest {
    let data = PartitionProduceData {
        index: target.partition,
        records: Some(Pieces::from(batch)),
        ..Default::default()
    };
    let topic = TopicProduceData {
        name: target.topic.clone(),
        partition_data: vec![data],
        ..Default::default()
    };
    ProduceRequest {
        acks,
        timeout_ms: 3_000,
        topic_data: vec![topic],
        ..Default::default()
    }
}
