//! One row per setting: name, kind with bounds, default, scope, when it takes effect, what it does.
//! A name of Kafka's stands in one of three places: here or in `topics` where it acts, in `shown` where its one value says
//! what holds anyway, or in `kafka`, where it is refused. The parser, DescribeConfigs and the reference are read from these.

use alloc::string::{String, ToString};
use core::time::Duration;

use super::topics::{
    CODECS, DURABILITIES, TIMESTAMP_TYPES, codec, durability, lasting, timestamps,
};
use super::value::{Kind, Value};
use super::{BrokerConfig, Doubt, connections, listeners};
use crate::ids::BrokerId;

/// Where a value comes from, in Kafka's numbers (DescribeConfigs, CreateTopics).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub enum Source {
    /// Given for the topic.
    Topic = 1,
    /// Given for this broker while it runs (KIP-226).
    Running = 2,
    /// Given for all brokers while they run.
    RunningForAll = 3,
    /// Given to the broker at its start.
    Broker = 4,
    /// Nobody said anything.
    Default = 5,
}

/// When a broker's setting may change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// It is read once.
    AtStart,
    /// At any time, for one broker or for all of them (KIP-226).
    Running,
}

/// A setting of the broker that acts.
pub struct BrokerKey {
    /// Kafka's name, or ours below `sawlog.`.
    pub name: &'static str,
    /// Its kind and bounds.
    pub kind: Kind,
    /// Its default as text; empty if its absence has no text.
    pub default: &'static str,
    /// Some other value, as an example.
    pub other: &'static str,
    /// When it may change.
    pub when: When,
    /// What it does.
    pub text: &'static str,
    /// Where it goes; an error is a reason that its kind cannot know.
    pub set: fn(&mut BrokerConfig, Value) -> Result<(), String>,
}

/// Broker's keys for one thing in several units: the finest, which alone may change while the broker runs, then the others
/// from fine to coarse.
pub const COARSER: &[(&str, &[&str])] = &[
    (
        "log.retention.ms",
        &["log.retention.minutes", "log.retention.hours"],
    ),
    ("log.roll.ms", &["log.roll.hours"]),
];

pub(super) const I32_MAX: i64 = i32::MAX as i64;
const HOURS_MAX: i64 = I32_MAX;

/// The broker's settings. Of two rows for one thing the later one wins.
pub const BROKER: &[BrokerKey] = &[
    BrokerKey {
        name: "broker.id",
        kind: Kind::Int(0, I32_MAX),
        default: "",
        other: "2",
        when: When::AtStart,
        text: "As node.id, under its older name. Where both are given they say the same.",
        set: node_id,
    },
    BrokerKey {
        name: "node.id",
        kind: Kind::Int(0, I32_MAX),
        default: "1",
        other: "2",
        when: When::AtStart,
        text: "The number of this node in its cluster. It may not change once the log directory exists.",
        set: node_id,
    },
    BrokerKey {
        name: "process.roles",
        kind: Kind::List,
        default: "broker,controller",
        other: "",
        when: When::AtStart,
        text: "What this node is. A node is broker and controller at once; other divisions are not there yet.",
        set: |_, value| {
            let mut roles = value.list().to_vec();
            roles.sort();
            let both = roles == ["broker", "controller"];
            both.then_some(())
                .ok_or_else(|| "a node is both broker and controller for now".to_string())
        },
    },
    BrokerKey {
        name: "controller.quorum.voters",
        kind: Kind::List,
        default: "",
        other: "",
        when: When::AtStart,
        text: "The nodes that keep the metadata log, as ID@HOST:PORT. For now that is this node alone.",
        set: |config, value| match value.list() {
            [only]
                if only.split_once('@').and_then(|(id, _)| id.parse().ok())
                    == Some(config.node_id.0) =>
            {
                Ok(())
            }
            [_] => Err("it does not name this node's node.id".to_string()),
            _ => Err("clusters of several nodes are not there yet".to_string()),
        },
    },
    BrokerKey {
        name: "controller.quorum.bootstrap.servers",
        kind: Kind::List,
        default: "",
        other: "",
        when: When::AtStart,
        text: "Where nodes ask for the quorum, as HOST:PORT. For now that is this node's own listener for controllers.",
        set: |config, value| listeners::servers(&value).map(|all| config.quorum_servers = all),
    },
    BrokerKey {
        name: "controller.listener.names",
        kind: Kind::List,
        default: "CONTROLLER",
        other: "QUORUM",
        when: When::AtStart,
        text: "The listeners that are for controllers, not for clients.",
        set: |config, value| {
            config.controller_listeners = value
                .list()
                .iter()
                .map(|name| name.to_ascii_uppercase())
                .collect();
            Ok(())
        },
    },
    BrokerKey {
        name: "listeners",
        kind: Kind::List,
        default: "PLAINTEXT://localhost:9092",
        other: "PLAINTEXT://127.0.0.1:0",
        when: When::AtStart,
        text: "Where sockets are bound, as NAME://HOST:PORT. The host localhost means the loopback addresses of both IP \
               versions, no host means every address, port 0 any free port.",
        set: |config, value| listeners::parse(&value).map(|all| config.listeners = all),
    },
    BrokerKey {
        name: "advertised.listeners",
        kind: Kind::List,
        default: "",
        other: "PLAINTEXT://broker.example:9092",
        when: When::AtStart,
        text: "Where clients are told to connect, as NAME://HOST:PORT, for NAT and containers. The host auto tells each client the \
               address that it reached, port 0 the port. A listener that is not named here is told as bound, one on every \
               address as auto.",
        set: |config, value| listeners::parse(&value).map(|all| config.advertised = all),
    },
    BrokerKey {
        name: "listener.security.protocol.map",
        kind: Kind::List,
        default: "PLAINTEXT:PLAINTEXT",
        other: "PLAINTEXT:PLAINTEXT,SSL:SSL",
        when: When::AtStart,
        text: "The protocol of each listener, as NAME:PROTOCOL. Only PLAINTEXT is there yet; names that no listener bears \
               may have any that Kafka knows.",
        set: |config, value| {
            listeners::protocols(&value).map(|others| config.other_protocols = others)
        },
    },
    BrokerKey {
        name: "inter.broker.listener.name",
        kind: Kind::Text,
        default: "",
        other: "PLAINTEXT",
        when: When::AtStart,
        text: "The listener on which other nodes of the cluster have their powers.",
        set: |config, value| {
            config.node_listener = Some(value.text().to_ascii_uppercase());
            Ok(())
        },
    },
    BrokerKey {
        name: "log.dir",
        kind: Kind::OneDirectory,
        default: "./data",
        other: "/var/lib/sawlog",
        when: When::AtStart,
        text: "The directory of all data. As log.dirs, which wins where both are given.",
        set: log_dir,
    },
    BrokerKey {
        name: "log.dirs",
        kind: Kind::OneDirectory,
        default: "./data",
        other: "/var/lib/sawlog",
        when: When::AtStart,
        text: "The directory of all data. Kafka takes several, here there is one.",
        set: log_dir,
    },
    BrokerKey {
        name: "num.partitions",
        kind: Kind::Int(1, I32_MAX),
        default: "1",
        other: "6",
        when: When::AtStart,
        text: "Partitions of a topic that is created without a number, by its first use for instance.",
        set: |config, value| {
            config.num_partitions = i32::try_from(value.int()).unwrap_or(i32::MAX);
            Ok(())
        },
    },
    BrokerKey {
        name: "default.replication.factor",
        kind: Kind::Int(1, i16::MAX as i64),
        default: "1",
        other: "3",
        when: When::AtStart,
        text: "Replicas of a topic that is created without a number.",
        set: |config, value| {
            config.replication_factor = i16::try_from(value.int()).unwrap_or(i16::MAX);
            Ok(())
        },
    },
    BrokerKey {
        name: "auto.create.topics.enable",
        kind: Kind::Bool,
        default: "true",
        other: "false",
        when: When::AtStart,
        text: "Whether a topic that a client asks for is created, if the client allows it.",
        set: |config, value| {
            config.auto_create_topics = value == Value::Bool(true);
            Ok(())
        },
    },
    BrokerKey {
        name: "socket.request.max.bytes",
        kind: Kind::Int(1024, I32_MAX),
        default: "104857600",
        other: "1048576",
        when: When::AtStart,
        text: "The largest request. A connection that sends a larger one is closed.",
        set: |config, value| {
            config.frame_max_bytes = u32::try_from(value.int()).unwrap_or(u32::MAX);
            Ok(())
        },
    },
    BrokerKey {
        name: "queued.max.request.bytes",
        kind: Kind::Int(1 << 20, i64::MAX),
        default: "268435456",
        other: "67108864",
        when: When::AtStart,
        text: "Memory that requests of more than 64 KiB may hold together, of all connections; one of them may pass it, so that \
               halves do not wait for each other. A request beyond it waits; one that waits for 10 seconds, or that others wait for while it hardly moves, ends its connection. What is \
               already on its way to the disk is bounded per shard: sockets rest above 16 MiB of it.",
        set: |config, value| {
            config.frames_max_bytes = value.unsigned();
            Ok(())
        },
    },
    BrokerKey {
        name: "fetch.max.bytes",
        kind: Kind::Int(1024, I32_MAX),
        default: "57671680",
        other: "1048576",
        when: When::AtStart,
        text: "The most bytes of records in one answer, but for a single larger batch.",
        set: |config, value| {
            config.fetch_max_bytes = u32::try_from(value.int()).unwrap_or(u32::MAX);
            Ok(())
        },
    },
    BrokerKey {
        name: "max.incremental.fetch.session.cache.slots",
        kind: Kind::Int(0, I32_MAX),
        default: "1000",
        other: "100",
        when: When::AtStart,
        text: "How many connections may have a fetch session at once. The others are answered in full each time; a session \
               that was not used for 2 minutes makes room.",
        set: |config, value| {
            config.session_slots = u32::try_from(value.int()).unwrap_or(u32::MAX);
            Ok(())
        },
    },
    BrokerKey {
        name: "connections.max.idle.ms",
        kind: Kind::Int(-1, i64::MAX),
        default: "600000",
        other: "60000",
        when: When::AtStart,
        text: "A connection on which no byte came or went for so long is closed, unless it waits for an answer. -1 closes none.",
        set: |config, value| {
            let millis = u64::try_from(value.int()).ok();
            config.idle_max = millis.map(Duration::from_millis);
            Ok(())
        },
    },
    BrokerKey {
        name: "max.connections",
        kind: Kind::Int(1, I32_MAX),
        default: "2147483647",
        other: "1000",
        when: When::Running,
        text: "How many connections there may be at once. There are no more than the limit on open files allows in any case. \
               One beyond that is closed at once; a smaller number closes none that is open.",
        set: |config, value| {
            config.connections.all = u32::try_from(value.int()).unwrap_or(u32::MAX);
            Ok(())
        },
    },
    BrokerKey {
        name: "max.connections.per.ip",
        kind: Kind::Int(1, I32_MAX),
        default: "2147483647",
        other: "100",
        when: When::Running,
        text: "How many connections there may be from one address. One beyond that is closed at once; a smaller number closes \
               none that is open.",
        set: |config, value| {
            config.connections.per_address = u32::try_from(value.int()).unwrap_or(u32::MAX);
            Ok(())
        },
    },
    BrokerKey {
        name: "max.connections.per.ip.overrides",
        kind: Kind::Text,
        default: "",
        other: "10.0.0.7:200",
        when: When::Running,
        text: "Addresses for which another number holds than max.connections.per.ip, as ADDRESS:NUMBER with commas between. \
               Kafka takes names of hosts too; here they are not looked up. From an address with 0 nobody gets in, tools that \
               would change it included: that is done from another one, and a change that would shut out the address it \
               comes from is refused.",
        set: |config, value| {
            connections::overrides(value.text()).map(|all| config.connections.overrides = all)
        },
    },
    BrokerKey {
        name: "socket.send.buffer.bytes",
        kind: Kind::Int(-1, I32_MAX),
        default: "-1",
        other: "102400",
        when: When::AtStart,
        text: "What the system keeps of an answer until its client has it (SO_SNDBUF). -1 leaves it to the system, which \
               gives a fast connection more; Kafka's own default is 102400.",
        set: |config, value| {
            config.sockets.send_bytes = u32::try_from(value.int()).ok();
            Ok(())
        },
    },
    BrokerKey {
        name: "socket.receive.buffer.bytes",
        kind: Kind::Int(-1, I32_MAX),
        default: "-1",
        other: "102400",
        when: When::AtStart,
        text: "What the system keeps of requests until they are read (SO_RCVBUF). -1 leaves it to the system, which gives a \
               fast connection more; Kafka's own default is 102400.",
        set: |config, value| {
            config.sockets.receive_bytes = u32::try_from(value.int()).ok();
            Ok(())
        },
    },
    BrokerKey {
        name: "socket.listen.backlog.size",
        kind: Kind::Int(1, I32_MAX),
        default: "1024",
        other: "50",
        when: When::AtStart,
        text: "How many connections may wait to be accepted; the system bounds it too (net.core.somaxconn). Kafka's own \
               default is 50.",
        set: |config, value| {
            config.sockets.backlog = u32::try_from(value.int()).unwrap_or(u32::MAX);
            Ok(())
        },
    },
    BrokerKey {
        name: "broker.rack",
        kind: Kind::Text,
        default: "",
        other: "eu-west-1a",
        when: When::AtStart,
        text: "Where this node stands, in words that clients are told.",
        set: |config, value| {
            config.rack = Some(value.text().to_string());
            Ok(())
        },
    },
    BrokerKey {
        name: "message.max.bytes",
        kind: Kind::Int(0, I32_MAX),
        default: "1048588",
        other: "2097152",
        when: When::Running,
        text: "The largest record batch of a topic that does not say max.message.bytes itself.",
        set: |config, value| {
            config.topic.max_message_bytes = u32::try_from(value.int()).unwrap_or(u32::MAX);
            Ok(())
        },
    },
    BrokerKey {
        name: "log.segment.bytes",
        kind: Kind::Int(1 << 20, I32_MAX),
        default: "1073741824",
        other: "1048576",
        when: When::Running,
        text: "The size at which a segment is closed, of a topic that does not say segment.bytes itself.",
        set: |config, value| {
            config.topic.segment_bytes = value.unsigned();
            Ok(())
        },
    },
    BrokerKey {
        name: "log.roll.hours",
        kind: Kind::Int(1, HOURS_MAX),
        default: "168",
        other: "1",
        when: When::AtStart,
        text: "As log.roll.ms, in hours.",
        set: |config, value| {
            config.topic.segment_time = Duration::from_secs(value.unsigned() * 3600);
            Ok(())
        },
    },
    BrokerKey {
        name: "log.roll.ms",
        kind: Kind::Int(1, i64::MAX),
        default: "",
        other: "60000",
        when: When::Running,
        text: "The age at which a segment is closed, of a topic that does not say segment.ms itself.",
        set: |config, value| {
            config.topic.segment_time = Duration::from_millis(value.unsigned());
            Ok(())
        },
    },
    BrokerKey {
        name: "log.retention.hours",
        kind: Kind::Int(-1, HOURS_MAX),
        default: "168",
        other: "1",
        when: When::AtStart,
        text: "As log.retention.ms, in hours.",
        set: |config, value| {
            config.topic.retention_time = lasting(&value, Duration::from_secs(3600));
            Ok(())
        },
    },
    BrokerKey {
        name: "log.retention.minutes",
        kind: Kind::Int(-1, I32_MAX),
        default: "",
        other: "1",
        when: When::AtStart,
        text: "As log.retention.ms, in minutes.",
        set: |config, value| {
            config.topic.retention_time = lasting(&value, Duration::from_secs(60));
            Ok(())
        },
    },
    BrokerKey {
        name: "log.retention.ms",
        kind: Kind::Int(-1, i64::MAX),
        default: "",
        other: "60000",
        when: When::Running,
        text: "How long records are kept, of a topic that does not say retention.ms itself; -1 keeps them for ever.",
        set: |config, value| {
            config.topic.retention_time = lasting(&value, Duration::from_millis(1));
            Ok(())
        },
    },
    BrokerKey {
        name: "log.retention.bytes",
        kind: Kind::Int(i64::MIN, i64::MAX),
        default: "-1",
        other: "1073741824",
        when: When::Running,
        text: "How much of each partition is kept, of a topic that does not say retention.bytes itself; -1 keeps all.",
        set: |config, value| {
            config.topic.retention_bytes = u64::try_from(value.int()).ok();
            Ok(())
        },
    },
    BrokerKey {
        name: "log.message.timestamp.type",
        kind: Kind::OneOf(TIMESTAMP_TYPES),
        default: "CreateTime",
        other: "LogAppendTime",
        when: When::Running,
        text: "Whose time records have, of a topic that does not say message.timestamp.type itself.",
        set: |config, value| {
            config.topic.timestamps = timestamps(&value);
            Ok(())
        },
    },
    BrokerKey {
        name: "log.message.timestamp.before.max.ms",
        kind: Kind::Int(0, i64::MAX),
        default: "9223372036854775807",
        other: "60000",
        when: When::Running,
        text: "How old a record may be, of a topic that does not say message.timestamp.before.max.ms itself.",
        set: |config, value| {
            config.topic.age_max = Duration::from_millis(value.unsigned());
            Ok(())
        },
    },
    BrokerKey {
        name: "log.message.timestamp.after.max.ms",
        kind: Kind::Int(0, i64::MAX),
        default: "3600000",
        other: "60000",
        when: When::Running,
        text: "How far ahead a record may be, of a topic that does not say message.timestamp.after.max.ms itself.",
        set: |config, value| {
            config.topic.ahead_max = Duration::from_millis(value.unsigned());
            Ok(())
        },
    },
    BrokerKey {
        name: "compression.type",
        kind: Kind::OneOf(CODECS),
        default: "producer",
        other: "zstd",
        when: When::Running,
        text: "In which codec batches are stored, of a topic that does not say compression.type itself.",
        set: |config, value| {
            config.topic.codec = codec(&value);
            Ok(())
        },
    },
    BrokerKey {
        name: "min.insync.replicas",
        kind: Kind::Int(1, I32_MAX),
        default: "1",
        other: "2",
        when: When::Running,
        text: "How many replicas must be in sync for acks=all, of a topic that does not say min.insync.replicas itself.",
        set: |config, value| {
            config.topic.min_in_sync = u32::try_from(value.int()).unwrap_or(u32::MAX);
            Ok(())
        },
    },
    BrokerKey {
        name: "log.retention.check.interval.ms",
        kind: Kind::Int(1, i64::MAX),
        default: "300000",
        other: "1000",
        when: When::AtStart,
        text: "How often the node looks for segments to close or to delete.",
        set: |config, value| {
            config.retention_check = Duration::from_millis(value.unsigned());
            Ok(())
        },
    },
    BrokerKey {
        name: "metadata.log.max.record.bytes.between.snapshots",
        kind: Kind::Int(1, i64::MAX),
        default: "20971520",
        other: "4096",
        when: When::AtStart,
        text: "After how many bytes of the metadata log a snapshot of the metadata is written.",
        set: |config, value| {
            config.snapshot_bytes = value.unsigned();
            Ok(())
        },
    },
    BrokerKey {
        name: "metadata.log.max.snapshot.interval.ms",
        kind: Kind::Int(1, i64::MAX),
        default: "3600000",
        other: "1000",
        when: When::AtStart,
        text: "After how long a snapshot of the metadata is written, if anything has changed.",
        set: |config, value| {
            config.snapshot_interval = Duration::from_millis(value.unsigned());
            Ok(())
        },
    },
    BrokerKey {
        name: "sawlog.durability",
        kind: Kind::OneOf(DURABILITIES),
        default: "durable",
        other: "replicated",
        when: When::Running,
        text: "When a record counts as written, of a topic that does not say sawlog.durability itself.",
        set: |config, value| {
            config.topic.durability = durability(&value);
            Ok(())
        },
    },
    BrokerKey {
        name: "sawlog.recovery.doubt",
        kind: Kind::OneOf(&["cut", "stop"]),
        default: "cut",
        other: "stop",
        when: When::AtStart,
        text: "What to do when the last commit before a power cut is damaged and may have been acknowledged: cut it, keep \
               its bytes aside and say so, or stop and leave it to you.",
        set: |config, value| {
            config.doubt = if value.text() == "stop" {
                Doubt::Stop
            } else {
                Doubt::Cut
            };
            Ok(())
        },
    },
    BrokerKey {
        name: "sawlog.cache.bytes",
        kind: Kind::Int(4 << 20, i64::MAX),
        default: "67108864",
        other: "134217728",
        when: When::AtStart,
        text: "Memory for the records written last, from which consumers at the end of a log are served.",
        set: |config, value| {
            config.cache_bytes = value.unsigned();
            Ok(())
        },
    },
    BrokerKey {
        name: "sawlog.direct.ms",
        kind: Kind::Int(1, i64::MAX),
        default: "125",
        other: "1000",
        when: When::AtStart,
        text: "Within how long a partition of a durable topic has to bring 4 MiB in batches of 32 KiB or more for the next ones \
               to be written once, straight to its segment, instead of first to the commit log that it shares with all \
               others. Longer, and fewer bytes are written twice; shorter, and fewer partitions wait for writes of their own.",
        set: |config, value| {
            config.direct_within = Duration::from_millis(value.unsigned());
            Ok(())
        },
    },
    BrokerKey {
        name: "sawlog.shards",
        kind: Kind::Int(1, 1024),
        default: "",
        other: "2",
        when: When::AtStart,
        text: "Threads that own partitions. Left out, one for up to four cores. A log directory may be opened with any number.",
        set: |config, value| {
            config.shards = u16::try_from(value.int()).ok();
            Ok(())
        },
    },
];

fn node_id(config: &mut BrokerConfig, value: Value) -> Result<(), String> {
    config.node_id = BrokerId(i32::try_from(value.int()).unwrap_or(i32::MAX));
    Ok(())
}

fn log_dir(config: &mut BrokerConfig, value: Value) -> Result<(), String> {
    config.log_dir = value.text().to_string();
    Ok(())
}
