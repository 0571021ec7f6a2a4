//! Clients as small state machines that speak real bytes: what they send, what they make of the answers, and what
//! they write down. Decides what a careful client may believe; knows nothing of the broker but its protocol.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use sawlog_wire::header::ResponseHeader;
use sawlog_wire::message::Request;
use sawlog_wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use sawlog_wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use sawlog_wire::messages::init_producer_id::InitProducerIdRequest;
use sawlog_wire::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use sawlog_wire::primitives::{DecodeError, Reader, Writer};
use sawlog_wire::records::{
    BatchBuilder, Batches, Caps, Codec, Inflater, NewRecord, Pool, Records,
};
use sawlog_wire::{Code, ErrorCode, Message, Pieces, frame};

use crate::history::{Ev, Item, Line, Op};
use crate::rng::Rng;

/// Requests of a producer in flight.
const IN_FLIGHT: usize = 5;
/// How often a producer tries the same sequence before it takes a new id.
const PATIENCE: u32 = 12;
/// How long a producer typically thinks between two windows, in nanoseconds.
const THINK: u64 = 8_000_000;

/// What a client wants.
#[derive(Debug)]
pub enum Want {
    /// A connection.
    Connect,
    /// Bytes on its connection.
    Send(Bytes),
    /// The end of its connection.
    Hang,
    /// To be asked again after so many nanoseconds.
    Tick(u64),
    /// A line in the history.
    Note(Line),
}

/// Where records go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
}

impl Target {
    /// As the history names it.
    pub fn name(&self) -> String {
        format!("{}-{}", self.topic, self.partition)
    }
}

/// What all clients share.
#[derive(Debug)]
pub struct Base {
    correlation: i32,
    buffer: BytesMut,
    connected: bool,
    /// Next process number to be used; handed out by the world's clients in steps, so that none is used twice.
    process: u32,
    step: u32,
    operation: u64,
}

/// One client.
#[derive(Debug)]
pub enum Client {
    /// Creates the topics, then is done.
    Admin(Admin),
    /// Sends records.
    Producer(Box<Producer>),
    /// Reads one partition.
    Consumer(Box<Consumer>),
    /// Sends bytes that are no request.
    Noise(Base),
}

/// Creates topics.
#[derive(Debug)]
pub struct Admin {
    base: Base,
    topics: Vec<(String, i32, bool)>,
    /// Whether all of them exist.
    pub done: bool,
}

/// Sends records to a few partitions.
#[derive(Debug)]
pub struct Producer {
    base: Base,
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
    /// Acknowledged records.
    pub acknowledged: u64,
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

/// Reads one partition from its start.
#[derive(Debug)]
pub struct Consumer {
    base: Base,
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

impl Base {
    /// A client that uses the process numbers `process`, `process + step`, ...
    pub fn new(process: u32, step: u32) -> Base {
        Base {
            correlation: 0,
            buffer: BytesMut::new(),
            connected: false,
            process,
            step,
            operation: 0,
        }
    }

    fn request<R: Request>(&mut self, version: i16, body: &R) -> (i32, Want) {
        self.correlation += 1;
        let mut writer = Writer::new();
        let written = frame::request(&mut writer, version, self.correlation, Some("sim"), body);
        assert!(
            written.is_ok(),
            "a client of ours encodes what it made: {written:?}"
        );
        (self.correlation, Want::Send(writer.finish().into_bytes()))
    }

    fn line(&self, t: u64, i: u64, ev: Ev, op: Op, v: Vec<Item>) -> Want {
        Want::Note(Line {
            t,
            p: self.process,
            i,
            ev,
            op,
            v,
            e: None,
        })
    }

    fn frame(&mut self) -> Option<Bytes> {
        let prefix = self.buffer.first_chunk::<4>()?;
        let length = usize::try_from(i32::from_be_bytes(*prefix)).ok()?;
        if self.buffer.len() < 4 + length {
            return None;
        }
        self.buffer.advance(4);
        Some(self.buffer.split_to(length).freeze())
    }
}

/// Takes an answer apart, behind its correlation id.
fn answer<R: Request>(frame: &Bytes, version: i16) -> Result<R::Response, DecodeError> {
    let mut reader = Reader::of(frame);
    ResponseHeader::decode(&mut reader, R::KEY, version)?;
    R::Response::decode_all(reader, version)
}

fn correlation_of(frame: &Bytes) -> Option<i32> {
    frame
        .first_chunk::<4>()
        .map(|bytes| i32::from_be_bytes(*bytes))
}

impl Client {
    /// One that creates topics: name, partitions, whether `replicated`.
    pub fn admin(base: Base, topics: Vec<(String, i32, bool)>) -> Client {
        Client::Admin(Admin {
            base,
            topics,
            done: false,
        })
    }

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
            acknowledged: 0,
            quiet: false,
            rest: 0,
        }))
    }

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

    fn base(&mut self) -> &mut Base {
        match self {
            Client::Admin(admin) => &mut admin.base,
            Client::Producer(producer) => &mut producer.base,
            Client::Consumer(consumer) => &mut consumer.base,
            Client::Noise(base) => base,
        }
    }

    /// Whether it has nothing left to wait for.
    pub fn drained(&self) -> bool {
        match self {
            Client::Admin(admin) => admin.done,
            Client::Producer(producer) => producer.open.is_empty(),
            Client::Consumer(consumer) => !consumer.last || consumer.done || consumer.offline,
            Client::Noise(_) => true,
        }
    }

    /// It has a connection now.
    pub fn connected(&mut self, t: u64, rng: &mut Rng, wants: &mut Vec<Want>) {
        let base = self.base();
        base.connected = true;
        base.buffer.clear();
        self.tick(t, rng, wants);
    }

    /// Its connection is gone, or none could be had.
    pub fn cut(&mut self, t: u64, rng: &mut Rng, wants: &mut Vec<Want>) {
        self.base().connected = false;
        match self {
            Client::Producer(producer) => producer.cut(t, wants),
            Client::Consumer(consumer) => consumer.cut(t, wants),
            Client::Admin(_) | Client::Noise(_) => {}
        }
        wants.push(Want::Tick(rng.delay(5_000_000)));
    }

    /// Time passed.
    pub fn tick(&mut self, t: u64, rng: &mut Rng, wants: &mut Vec<Want>) {
        if !self.base().connected {
            let rests = match self {
                Client::Producer(producer) => producer.quiet && producer.open.is_empty(),
                Client::Consumer(consumer) => consumer.done,
                Client::Admin(admin) => admin.done,
                Client::Noise(_) => false,
            };
            if !rests {
                wants.push(Want::Connect);
            }
            return;
        }
        match self {
            Client::Admin(admin) => admin.ask(wants),
            Client::Producer(producer) => producer.send(t, rng, wants),
            Client::Consumer(consumer) => consumer.poll(t, wants),
            Client::Noise(_) => {
                let noise: Vec<u8> = (0..rng.between(1, 200))
                    .map(|_| rng.below(256) as u8)
                    .collect();
                let mut framed = (noise.len() as u32).to_be_bytes().to_vec();
                framed.extend(noise);
                wants.push(Want::Send(Bytes::from(framed)));
                wants.push(Want::Tick(rng.delay(50_000_000)));
            }
        }
    }

    /// Bytes arrive.
    pub fn bytes(&mut self, t: u64, bytes: &[u8], rng: &mut Rng, wants: &mut Vec<Want>) {
        self.base().buffer.extend_from_slice(bytes);
        while let Some(frame) = self.base().frame() {
            match self {
                Client::Admin(admin) => admin.answered(&frame, rng, wants),
                Client::Producer(producer) => producer.answered(t, &frame, rng, wants),
                Client::Consumer(consumer) => consumer.answered(t, &frame, rng, wants),
                Client::Noise(_) => {}
            }
        }
    }
}

const CREATE_VERSION: i16 = 5;

impl Admin {
    fn ask(&mut self, wants: &mut Vec<Want>) {
        let topic = |(name, partitions, replicated): &(String, i32, bool)| {
            let mut configs = vec![("max.message.bytes", "12000")];
            if *replicated {
                configs.push(("sawlog.durability", "replicated"));
            }
            let config = |(name, value): (&str, &str)| CreatableTopicConfig {
                name: name.into(),
                value: Some(value.into()),
                ..Default::default()
            };
            CreatableTopic {
                name: name.clone(),
                num_partitions: *partitions,
                replication_factor: 1,
                configs: configs.into_iter().map(config).collect(),
                ..Default::default()
            }
        };
        let topics = self.topics.iter().map(topic).collect();
        let request = CreateTopicsRequest {
            topics,
            timeout_ms: 5_000,
            ..Default::default()
        };
        let (_, want) = self.base.request(CREATE_VERSION, &request);
        wants.push(want);
    }

    fn answered(&mut self, frame: &Bytes, rng: &mut Rng, wants: &mut Vec<Want>) {
        let there = |code: ErrorCode| code.is_none() || code == Code::TopicAlreadyExists;
        match answer::<CreateTopicsRequest>(frame, CREATE_VERSION) {
            Ok(answer) if answer.topics.iter().all(|topic| there(topic.error_code)) => {
                self.done = true;
                wants.push(Want::Hang);
            }
            _ => wants.push(Want::Tick(rng.delay(20_000_000))),
        }
    }
}

const PRODUCE_VERSION: i16 = 9;
const ID_VERSION: i16 = 3;

impl Producer {
    fn send(&mut self, t: u64, rng: &mut Rng, wants: &mut Vec<Want>) {
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
        for value in &sending.values {
            // Some records are longer than others, so that batches end at all places of a sector.
            let mut bytes = value.to_be_bytes().to_vec();
            bytes.resize(8 + (*value as usize * 37) % 300, *value as u8);
            let record = NewRecord {
                timestamp: 1_000 + *value as i64,
                key: None,
                value: Some(&bytes),
                headers: &[],
            };
            builder.push(record).ok()?;
        }
        let batch = Bytes::from(builder.build().ok()?);
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
        let request = ProduceRequest {
            acks: self.acks,
            timeout_ms: 3_000,
            topic_data: vec![topic],
            ..Default::default()
        };
        let (correlation, want) = self.base.request(PRODUCE_VERSION, &request);
        self.open.get_mut(index)?.correlation = correlation;
        Some(want)
    }

    fn answered(&mut self, t: u64, frame: &Bytes, rng: &mut Rng, wants: &mut Vec<Want>) {
        let correlation = correlation_of(frame);
        if self.asked_id.is_some() && self.asked_id == correlation {
            self.asked_id = None;
            match answer::<InitProducerIdRequest>(frame, ID_VERSION) {
                Ok(granted) if granted.error_code.is_none() => {
                    self.id = Some((granted.producer_id, granted.producer_epoch));
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
                self.acknowledged += sending.values.len() as u64;
                let items = self.items(sending.target, &sending.values, Some(part.base_offset));
                wants.push(
                    self.base
                        .line(t, sending.operation, Ev::Ok, self.op(), items),
                );
            }
            self.send(t, rng, wants);
        } else if self.once {
            self.tries += 1;
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

    fn cut(&mut self, t: u64, wants: &mut Vec<Want>) {
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
fn definite(code: ErrorCode) -> bool {
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

const FETCH_VERSION: i16 = 11;

impl Consumer {
    fn poll(&mut self, t: u64, wants: &mut Vec<Want>) {
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

    fn cut(&mut self, t: u64, wants: &mut Vec<Want>) {
        if self.waiting.take().is_some() {
            wants.push(
                self.base
                    .line(t, self.base.operation, Ev::Info, Op::Poll, Vec::new()),
            );
        }
    }

    fn answered(&mut self, t: u64, frame: &Bytes, rng: &mut Rng, wants: &mut Vec<Want>) {
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
            let items = self.items(part.records.clone());
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

    /// The records from the wanted offset on; moves the offset behind them.
    fn items(&mut self, records: Option<Pieces>) -> Vec<Item> {
        let bytes = records.unwrap_or_default().into_bytes();
        let mut items = Vec::new();
        for batch in Batches::new(&bytes).flatten() {
            assert!(
                batch.check_crc().is_ok(),
                "#7: a batch with a wrong CRC left the node: {:?}",
                batch.header
            );
            let mut plain = Vec::new();
            let codec = batch
                .header
                .attributes()
                .map_or(Codec::None, |attributes| attributes.codec);
            let pool = Pool::new(1 << 24);
            let read = Inflater::new()
                .read_all(codec, batch.payload(), Caps::default(), &pool, &mut plain)
                .is_ok();
            assert!(
                read,
                "#7: a batch that cannot be decompressed left the node: {:?}",
                batch.header
            );
            for record in Records::new(&plain).flatten() {
                let offset = record.offset(&batch.header);
                let value = record.value.and_then(|value| value.first_chunk::<8>());
                if offset < self.offset {
                    continue;
                }
                let Some(value) = value.map(|bytes| u64::from_be_bytes(*bytes)) else {
                    continue;
                };
                items.push(Item {
                    partition: self.target.name(),
                    offset: Some(offset),
                    value,
                });
                self.offset = offset + 1;
            }
        }
        items
    }
}
