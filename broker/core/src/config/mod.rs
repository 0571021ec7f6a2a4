//! The typed settings of a broker and of a topic, and how pairs of names and values become them.
//! Decides what is taken and what is refused, by name; never where a value came from (`sawlog-broker` reads files and
//! flags). The names stand in `table`: a name in no row is refused, so that no setting is taken that does nothing.

mod connections;
mod entries;
mod kafka;
mod layers;
mod listeners;
mod moot;
mod nearest;
mod shown;
pub mod table;
#[cfg(test)]
mod tests;
mod topics;
mod value;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::time::Duration;

use sawlog_wire::code::Code;
use sawlog_wire::records::{Codec, TimestampType};

use crate::complaint::Complaint;
use crate::ids::{BrokerId, Endpoint};
use crate::marks::Durability;

pub use connections::Connections;
pub use entries::{Entry, Scope, Standing, alike, entries};
pub use layers::{Layers, Said};
pub use listeners::{Sockets, Told};
pub use moot::{MOOT, MootKey};
pub use shown::{SHOWN, SHOWN_OF_BROKER, ShownKey};
pub use table::{BROKER, BrokerKey, Source, When};
pub use topics::{TOPIC, TopicKey};
pub use value::{Kind, Value};

/// What a broker runs by.
#[derive(Clone, PartialEq, Debug)]
pub struct BrokerConfig {
    /// `node.id`.
    pub node_id: BrokerId,
    /// `listeners`: where sockets are bound. Port 0 lets the system choose.
    pub listeners: Vec<Endpoint>,
    /// `advertised.listeners`: where clients are told to connect; of a listener that is not here, where it is bound.
    pub advertised: Vec<Endpoint>,
    /// `controller.listener.names`: listeners that are not for clients.
    pub controller_listeners: Vec<String>,
    /// `controller.quorum.bootstrap.servers`: where the quorum is asked for, by host and port.
    pub quorum_servers: Vec<(String, u16)>,
    /// `listener.security.protocol.map`: names with another protocol than PLAINTEXT. No listener may bear one.
    pub other_protocols: Vec<(String, String)>,
    /// `socket.send.buffer.bytes` and the like.
    pub sockets: Sockets,
    /// `inter.broker.listener.name`: the listener on which other nodes have their powers (#116).
    pub node_listener: Option<String>,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// `log.dirs` or `log.dir`: the one directory of all data.
    pub log_dir: String,
    /// `sawlog.shards`: threads that own partitions; none leaves it to the number of cores.
    pub shards: Option<u16>,
    /// `num.partitions`: for topics that are created without a number.
    pub num_partitions: i32,
    /// `default.replication.factor`: for topics that are created without one.
    pub replication_factor: i16,
    /// `auto.create.topics.enable`.
    pub auto_create_topics: bool,
    /// `socket.request.max.bytes`: a longer frame closes its connection before it is read (#129).
    pub frame_max_bytes: u32,
    /// Bytes that requests of all connections may hold together (#131).
    pub frames_max_bytes: u64,
    /// `fetch.max.bytes`: no answer to a Fetch holds more, but for one batch (KIP-74).
    pub fetch_max_bytes: u32,
    /// `max.incremental.fetch.session.cache.slots`: fetch sessions of all connections (KIP-227, #132).
    pub session_slots: u32,
    /// `connections.max.idle.ms`: a connection on which nothing moves for longer is ended; none keeps all.
    pub idle_max: Option<Duration>,
    /// `max.connections` and the like.
    pub connections: Connections,
    /// `log.retention.check.interval.ms`.
    pub retention_check: Duration,
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub snapshot_bytes: u64,
    /// `metadata.log.max.snapshot.interval.ms`.
    pub snapshot_interval: Duration,
    /// `sawlog.cache.bytes`: memory for what was written last.
    pub cache_bytes: u64,
    /// `sawlog.direct.ms`: how fast large batches come that go straight to their segment.
    pub direct_within: Duration,
    /// `sawlog.recovery.doubt`.
    pub doubt: Doubt,
    /// What topics get that say nothing themselves.
    pub topic: TopicConfig,
    /// All settings that were given, by name, for display.
    pub given: Vec<(String, String)>,
}

/// What to do with a last commit that may be torn or rotten (`sawlog.recovery.doubt`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Doubt {
    /// Cut it, keep its bytes aside, say so.
    #[default]
    Cut,
    /// Do not start; the operator decides.
    Stop,
}

/// What a topic runs by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicConfig {
    /// `sawlog.durability`.
    pub durability: Durability,
    /// `segment.bytes`.
    pub segment_bytes: u64,
    /// `segment.ms`.
    pub segment_time: Duration,
    /// `retention.ms`; none keeps for ever.
    pub retention_time: Option<Duration>,
    /// `retention.bytes`; none keeps all.
    pub retention_bytes: Option<u64>,
    /// `max.message.bytes`.
    pub max_message_bytes: u32,
    /// `message.timestamp.type`.
    pub timestamps: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub age_max: Duration,
    /// `message.timestamp.after.max.ms`.
    pub ahead_max: Duration,
    /// `compression.type`; none stores batches as they were sent.
    pub codec: Option<Codec>,
    /// `min.insync.replicas`.
    pub min_in_sync: u32,
}

impl Default for TopicConfig {
    fn default() -> TopicConfig {
        TopicConfig {
            durability: Durability::Durable,
            segment_bytes: 1 << 30,
            segment_time: Duration::from_secs(7 * 24 * 3600),
            retention_time: Some(Duration::from_secs(7 * 24 * 3600)),
            retention_bytes: None,
            max_message_bytes: 1_048_588,
            timestamps: TimestampType::Create,
            age_max: Duration::from_millis(u64::MAX >> 1),
            ahead_max: Duration::from_secs(3600),
            codec: None,
            min_in_sync: 1,
        }
    }
}

impl Default for BrokerConfig {
    fn default() -> BrokerConfig {
        let client = Endpoint {
            listener: "PLAINTEXT".to_string(),
            host: "localhost".to_string(),
            port: 9092,
        };
        BrokerConfig {
            node_id: BrokerId(1),
            listeners: vec![client],
            advertised: Vec::new(),
            controller_listeners: vec!["CONTROLLER".to_string()],
            quorum_servers: Vec::new(),
            other_protocols: Vec::new(),
            sockets: Sockets::default(),
            node_listener: None,
            rack: None,
            log_dir: "./data".to_string(),
            shards: None,
            num_partitions: 1,
            replication_factor: 1,
            auto_create_topics: true,
            frame_max_bytes: 100 << 20,
            frames_max_bytes: 256 << 20,
            fetch_max_bytes: 55 << 20,
            session_slots: 1000,
            idle_max: Some(Duration::from_secs(600)),
            connections: Connections::default(),
            retention_check: Duration::from_secs(300),
            snapshot_bytes: 20 << 20,
            snapshot_interval: Duration::from_secs(3600),
            cache_bytes: 64 << 20,
            direct_within: Duration::from_millis(125),
            doubt: Doubt::Cut,
            topic: TopicConfig::default(),
            given: Vec::new(),
        }
    }
}

/// Settings of a broker from names and values, later ones before earlier ones of the same name.
/// All that is wrong is told at once.
pub fn broker<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<BrokerConfig, Vec<Complaint>> {
    let mut given: Vec<(&str, &str)> = Vec::new();
    for (name, value) in pairs {
        given.retain(|(other, _)| *other != name);
        given.push((name, value));
    }
    let mut config = BrokerConfig::default();
    let mut wrong: Vec<Complaint> = given
        .iter()
        .filter(|(name, _)| !BROKER.iter().any(|key| key.name == *name))
        .filter_map(|(name, value)| match moot::of(name) {
            Some(key) => {
                let parsed = key.kind.parse(value);
                parsed.err().map(|why| refused(name, value, &why, key.kind))
            }
            None => inert(name, value).err(),
        })
        .collect();
    // In the order of the rows: of two keys for one thing the finer one stands later and wins, as in Kafka.
    for key in BROKER {
        let Some((_, value)) = given.iter().find(|(name, _)| *name == key.name) else {
            continue;
        };
        let set = key
            .kind
            .parse(value)
            .and_then(|value| (key.set)(&mut config, value));
        if let Err(why) = set {
            wrong.push(refused(key.name, value, &why, key.kind));
        }
    }
    wrong.extend(two_numbers(&given));
    if wrong.is_empty() {
        wrong.extend(listeners::agree(&config));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    config.given = given
        .into_iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    Ok(config)
}

/// A node has one number, whichever of its two names gives it.
fn two_numbers(given: &[(&str, &str)]) -> Option<Complaint> {
    let said = |name| given.iter().find(|(other, _)| *other == name);
    let (older, newer) = (said("broker.id")?.1.trim(), said("node.id")?.1.trim());
    (older != newer).then(|| Complaint {
        what: format!("broker.id={older} cannot be used"),
        why: format!("it is the older name of node.id, which is {newer}"),
        attempt: "Leave it out".to_string(),
        code: Some(Code::InvalidConfig),
    })
}

/// Settings of a topic from names and values over the broker's, later ones before earlier ones of the same name.
pub fn topic<'a>(
    broker: &TopicConfig,
    pairs: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<TopicConfig, Complaint> {
    let mut config = broker.clone();
    for (name, value) in pairs {
        if let Some(key) = SHOWN.iter().find(|key| key.name == name) {
            shown(key, value.unwrap_or_default())?;
            continue;
        }
        let Some(key) = TOPIC.iter().find(|key| key.name == name) else {
            let ours = TOPIC.iter().map(|key| key.name);
            return Err(unknown(
                name,
                ours.chain(SHOWN.iter().map(|key| key.name)),
                kafka::TOPIC,
                ("topic setting", "`sawlog topic describe --configs TOPIC`"),
            ));
        };
        let text = value.unwrap_or_default();
        let set = key
            .kind
            .parse(text)
            .map(|value| (key.set)(&mut config, value));
        if let Err(why) = set {
            return Err(refused(name, text, &why, key.kind));
        }
    }
    Ok(config)
}

/// Whether a running broker may be given this; any refusal is definite. What it refuses, and why, is said as at the start.
pub fn running(name: &str, value: &str) -> Result<(), Complaint> {
    let at_start = |when| {
        if when == When::Running {
            return Ok(());
        }
        Err(Complaint {
            what: format!("{name} cannot be changed while the broker runs"),
            why: "it is read once, at the start".to_string(),
            attempt: "Change the broker's file or flags and start it again".to_string(),
            code: Some(Code::InvalidRequest),
        })
    };
    if let Some(key) = SHOWN_OF_BROKER.iter().find(|key| key.name == name) {
        at_start(key.when)?;
    }
    if moot::of(name).is_some() {
        at_start(When::AtStart)?;
    }
    match BROKER.iter().find(|key| key.name == name) {
        Some(key) => {
            at_start(key.when)?;
            let parsed = key.kind.parse(value);
            let set = parsed.and_then(|value| (key.set)(&mut BrokerConfig::default(), value));
            set.map_err(|why| refused(name, value, &why, key.kind))
        }
        None => inert(name, value),
    }
}

/// A setting of the broker that does not act: taken where it is one that is shown and says what holds.
fn inert(name: &str, value: &str) -> Result<(), Complaint> {
    if let Some(key) = SHOWN_OF_BROKER.iter().find(|key| key.name == name) {
        return shown(key, value);
    }
    let ours = BROKER.iter().map(|key| key.name);
    let ours = ours.chain(SHOWN_OF_BROKER.iter().map(|key| key.name));
    let ours = ours.chain(MOOT.iter().map(|key| key.name));
    Err(unknown(
        name,
        ours,
        kafka::BROKER,
        ("setting", "`sawlog broker --print-config`"),
    ))
}

/// The items of a setting in this list that is itself a list, with commas between; none of any other.
pub fn list(shown: &[ShownKey], name: &str) -> Option<&'static str> {
    let key = shown.iter().find(|key| key.name == name)?;
    matches!(key.kind, Kind::List | Kind::Words(_)).then_some(key.value)
}

/// Takes a setting that is only shown where it says what holds.
fn shown(key: &ShownKey, text: &str) -> Result<(), Complaint> {
    let value = key
        .kind
        .parse(text)
        .map_err(|why| refused(key.name, text, &why, key.kind))?;
    if Ok(value) == key.kind.parse(key.value) {
        return Ok(());
    }
    Err(Complaint {
        what: format!(
            "{}={} cannot be used",
            key.name,
            text.chars().take(80).collect::<String>()
        ),
        why: format!(
            "Sawlog knows only {}: {}",
            key.value,
            key.text.trim_end_matches('.')
        ),
        attempt: "Leave it out".to_string(),
        code: Some(Code::InvalidConfig),
    })
}

/// The value of every topic setting, as text, in the order of the table.
pub fn topic_values(config: &TopicConfig) -> impl Iterator<Item = (&'static TopicKey, String)> {
    TOPIC.iter().map(|key| (key, (key.get)(config)))
}

fn refused(name: &str, value: &str, why: &str, kind: Kind) -> Complaint {
    let value: String = value.chars().take(80).collect();
    Complaint {
        what: format!("{name}={value} cannot be used"),
        why: why.to_string(),
        attempt: format!("Give {kind}"),
        code: Some(Code::InvalidConfig),
    }
}

fn unknown<'a>(
    name: &str,
    ours: impl Iterator<Item = &'a str> + Clone,
    theirs: &'a str,
    (what, listed): (&str, &str),
) -> Complaint {
    let shown: String = name.chars().take(80).collect();
    let mut theirs = theirs.split_whitespace();
    if theirs.clone().any(|known| known == name) {
        return Complaint {
            what: format!("{shown} cannot be used"),
            why: format!("Kafka knows this {what}, Sawlog does not act on it yet"),
            attempt: "Leave it out: its absence changes nothing here".to_string(),
            code: Some(Code::InvalidConfig),
        };
    }
    let attempt = match nearest::nearest(name, ours.clone().chain(&mut theirs)) {
        Some(near) => format!("Did you mean {near}?"),
        None => match nearest::sharing(name, ours) {
            near if near.is_empty() => format!("{listed} lists those there are"),
            near => format!("Like it in a part are {}", near.join(", ")),
        },
    };
    Complaint {
        what: format!("{shown} cannot be used"),
        why: format!("there is no {what} of this name"),
        attempt,
        code: Some(Code::InvalidConfig),
    }
}
