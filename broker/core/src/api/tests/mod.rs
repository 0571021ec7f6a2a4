//! Frames in, frames out, on shards that answer what the test says.
//! Decides how a test speaks to one connection; what is true of each key stands in its own file.

mod admin;
mod bounds;
mod connection;
mod fetching;
mod hostile;
mod lookups;
#[cfg(feature = "mutants")]
mod mutants;
mod producing;
mod sessions;
mod topics;

use alloc::sync::Arc;

use bytes::Bytes;
use sawlog_wire::header::ResponseHeader;
use sawlog_wire::message::{Message, Request};
use sawlog_wire::messages::ApiKey;
use sawlog_wire::primitives::Uuid;
use sawlog_wire::records::{BatchBuilder, Codec, Inflater, NewRecord, Pool};
use sawlog_wire::{Code, Reader, Writer, frame};

use super::table::Audience;
use super::{Conn, Door, FetchSessions, FetchWaits, Host, Outbox};
use crate::answer::{AppendAnswer, Command, Commanded, FetchAnswer, Part, Response};
use crate::cluster::image::{Broker, Image, Partition, Topic};
use crate::config::{BrokerConfig, TopicConfig};
use crate::ids::{
    BrokerEpoch, BrokerId, ConnId, Endpoint, LeaderEpoch, LogId, Offset, PartitionEpoch,
    PartitionId, ShardId, TopicId, Waiter,
};
use crate::now::{Mono, Now, Wall};

const SHARDS: u16 = 2;
const NOW_MS: i64 = 1_800_000_000_000;

/// One connection, and all that it may know.
struct Bench {
    image: Arc<Image>,
    config: BrokerConfig,
    now: Now,
    sessions: FetchSessions,
    waits: Arc<FetchWaits>,
    inflater: Inflater,
    pool: Arc<Pool>,
    conn: Conn,
    out: Outbox,
    correlation: i32,
}

/// An id that a topic of this name has here.
fn id_of(name: &str) -> TopicId {
    let number = name.bytes().fold(7u128, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u128::from(byte))
    });
    TopicId(Uuid::from_u128(number))
}

fn topic(name: &str, partitions: i32) -> Topic {
    let one = Partition {
        replicas: vec![BrokerId(1)],
        isr: vec![BrokerId(1)],
        leader: Some(BrokerId(1)),
        epoch: LeaderEpoch(4),
        partition_epoch: PartitionEpoch(0),
        directories: vec![Uuid::ONE],
    };
    Topic {
        id: id_of(name),
        name: name.into(),
        partitions: (0..partitions).map(|_| one.clone()).collect(),
        config: TopicConfig::default().into(),
    }
}

fn image(topics: &[(&str, i32)]) -> Image {
    let endpoint = Endpoint {
        listener: "PLAINTEXT".into(),
        host: "here.example".into(),
        port: 9092,
    };
    let broker = Broker {
        epoch: BrokerEpoch(9),
        incarnation: Uuid::ONE,
        features: Vec::new(),
        directories: Vec::new(),
        fenced: false,
        endpoints: vec![endpoint],
        rack: None,
    };
    let mut image = Image {
        offset: Offset(77),
        controller: Some(BrokerId(1)),
        cluster: "cluster".into(),
        ..Image::default()
    };
    image.brokers.insert(BrokerId(1), broker);
    image.features.insert("metadata.version".into(), 30);
    for &(name, partitions) in topics {
        let topic = topic(name, partitions);
        image.names.insert(topic.id, topic.name.clone());
        image.topics.insert(topic.name.clone(), Arc::new(topic));
    }
    image
}

impl Bench {
    fn new(topics: &[(&str, i32)]) -> Bench {
        let id = ConnId {
            shard: ShardId(1),
            number: 5,
        };
        Bench {
            image: Arc::new(image(topics)),
            config: BrokerConfig::default(),
            now: Now {
                mono: Mono(1_000_000_000),
                wall: Wall(NOW_MS),
            },
            sessions: FetchSessions::new(&BrokerConfig::default(), ShardId(0), SHARDS),
            waits: Arc::default(),
            inflater: Inflater::new(),
            pool: Arc::new(Pool::new(64 << 20)),
            conn: Conn::new(id, Door::of("PLAINTEXT"), Audience::Clients, None),
            out: Outbox::default(),
            correlation: 0,
        }
    }

    /// Changes what the cluster looks like.
    fn change(&mut self, change: impl FnOnce(&mut Image)) {
        let mut image = Image::clone(&self.image);
        change(&mut image);
        self.image = Arc::new(image);
    }

    /// Lends the host to one call of the connection.
    fn with<T>(&mut self, call: impl FnOnce(&mut Conn, &mut Host<'_>, &mut Outbox) -> T) -> T {
        let mut host = Host {
            now: self.now,
            image: &self.image,
            config: &self.config,
            shards: SHARDS,
            sessions: &mut self.sessions,
            waits: &self.waits,
            inflater: &mut self.inflater,
            pool: &self.pool,
        };
        call(&mut self.conn, &mut host, &mut self.out)
    }

    /// Sends a frame as it is.
    fn raw(&mut self, frame: Bytes) {
        self.with(|conn, host, out| conn.frame(host, frame, out));
    }

    /// Sends a request; correlation ids count from 1.
    fn send<R: Request>(&mut self, version: i16, request: &R) {
        self.correlation += 1;
        let mut writer = Writer::new();
        frame::request(
            &mut writer,
            version,
            self.correlation,
            Some("tester"),
            request,
        )
        .unwrap();
        self.raw(writer.finish().into_bytes().slice(4..));
    }

    /// What was asked of shards since the last look.
    fn asks(&mut self) -> Vec<(ShardId, Waiter, Part)> {
        core::mem::take(&mut self.out.asks)
    }

    /// The one thing asked since the last look.
    fn asked(&mut self) -> (Waiter, Part) {
        let mut asks = self.asks();
        assert_eq!(asks.len(), 1, "{asks:?}");
        let (_, waiter, part) = asks.remove(0);
        (waiter, part)
    }

    /// A shard answers.
    fn answer(&mut self, waiter: Waiter, response: Response) {
        self.with(|conn, host, out| conn.reply(host, waiter, response, out));
    }

    /// So much time passes.
    fn pass(&mut self, millis: u64) {
        self.now.mono.0 += millis * 1_000_000;
        self.now.wall.0 += millis as i64;
        self.with(|conn, host, out| conn.tick(host, out));
    }

    /// Whole frames sent since the last look, without their lengths.
    fn frames(&mut self) -> Vec<Bytes> {
        let mut rest = self.out.take_wire().into_bytes();
        let mut frames = Vec::new();
        while !rest.is_empty() {
            let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
            let _prefix = rest.split_to(4);
            frames.push(rest.split_to(length));
        }
        frames
    }

    /// The one response sent since the last look, and which request it answers.
    fn response<M: Message>(&mut self, key: ApiKey, version: i16) -> (i32, M) {
        let frames = self.frames();
        assert_eq!(frames.len(), 1, "closed: {:?}", self.out.close);
        read(&frames[0], key, version)
    }

    /// Asks and is answered without any shard.
    fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.send(version, request);
        let asks = self.asks();
        assert!(asks.is_empty(), "{asks:?}");
        let (correlation, response) = self.response(R::KEY, version);
        assert_eq!(correlation, self.correlation);
        response
    }

    /// Why the connection is closed.
    fn closed(&mut self) -> String {
        assert!(!self.conn.room());
        self.out.close.take().expect("closed")
    }
}

fn read<M: Message>(frame: &Bytes, key: ApiKey, version: i16) -> (i32, M) {
    let mut reader = Reader::of(frame);
    let header = ResponseHeader::decode(&mut reader, key, version).unwrap();
    (
        header.correlation_id,
        M::decode_all(reader, version).unwrap(),
    )
}

/// A batch of `count` records.
fn batch(codec: Codec, count: usize) -> Bytes {
    let mut builder = BatchBuilder::new(codec);
    for _ in 0..count {
        let (timestamp, value) = (NOW_MS, Some(&[b'v'; 100][..]));
        builder
            .push(NewRecord {
                timestamp,
                value,
                ..NewRecord::default()
            })
            .unwrap();
    }
    builder.build().unwrap().into()
}

fn log(name: &str, partition: i32) -> LogId {
    LogId {
        topic: id_of(name),
        partition: PartitionId(partition),
    }
}

fn stored(base: i64) -> Response {
    let (base, start) = (Offset(base), Offset(0));
    Response::Append(AppendAnswer {
        code: Code::None,
        base,
        again: false,
        start,
        message: None,
    })
}

fn not_stored(code: Code) -> Response {
    let (base, start) = (Offset(-1), Offset(-1));
    Response::Append(AppendAnswer {
        code,
        base,
        again: false,
        start,
        message: None,
    })
}

/// What a log with this high watermark has to read.
fn there(hw: i64, records: &[Bytes]) -> Response {
    Response::Fetch(FetchAnswer {
        code: Code::None,
        hw: Offset(hw),
        stable: Offset(hw),
        start: Offset(0),
        diverging: None,
        records: records.to_vec(),
    })
}

fn not_there(code: Code) -> Response {
    let (hw, stable, start) = (Offset(-1), Offset(-1), Offset(-1));
    Response::Fetch(FetchAnswer {
        code,
        hw,
        stable,
        start,
        diverging: None,
        records: Vec::new(),
    })
}

/// A shard that knows nothing of what is asked beside records.
fn nothing_told(part: &Part) -> Response {
    let code = Code::None;
    match part {
        Part::Trim(_) => Response::Trimmed {
            code,
            start: Offset(0),
        },
        Part::EpochEnd(_) => Response::EpochEnd {
            code,
            epoch: LeaderEpoch(0),
            end: Offset(0),
        },
        Part::Producers(_) => Response::Producers {
            code,
            producers: Vec::new(),
        },
        Part::Sizes => Response::Sizes {
            code,
            logs: Vec::new(),
            space: Default::default(),
        },
        Part::Quorum => Response::Quorum(None),
        Part::Command(part) => nothing_done(&part.command),
        other => panic!("{other:?}"),
    }
}

/// A controller that did nothing and says so of nothing.
fn nothing_done(command: &Command) -> Response {
    let answer = match command {
        Command::CreateTopics(_) => Commanded::CreateTopics(Default::default()),
        Command::DeleteTopics(_) => Commanded::DeleteTopics(Default::default()),
        Command::CreatePartitions(_) => Commanded::CreatePartitions(Default::default()),
        Command::AlterConfigs(_) => Commanded::AlterConfigs(Default::default()),
        Command::IncrementalAlterConfigs(_) => {
            Commanded::IncrementalAlterConfigs(Default::default())
        }
    };
    Response::Command(Box::new(answer))
}
