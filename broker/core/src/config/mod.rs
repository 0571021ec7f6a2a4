//! The typed settings of a broker and of a topic, and how pairs of names and values become them.
//! Decides what is taken and what is refused, by name; never where a value came from (`sawlog-broker` reads files and
//! flags). The names stand in `table`: a name in no row is refused, so that no setting is taken that does nothing.

mod kafka;
mod listeners;
mod nearest;
pub mod table;
mod value;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::time::Duration;

use sawlog_wire::code::Code;

use crate::complaint::Complaint;
use crate::ids::{BrokerId, Endpoint};
use crate::marks::Durability;

pub use table::{BROKER, BrokerKey, SHOWN, ShownKey, Source, TOPIC, TopicKey};
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
    /// `inter.broker.listener.name`: the listener on which other nodes have their powers (#116).
    pub node_listener: Option<String>,
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
    /// `log.retention.check.interval.ms`.
    pub retention_check: Duration,
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub snapshot_bytes: u64,
    /// `metadata.log.max.snapshot.interval.ms`.
    pub snapshot_interval: Duration,
    /// `sawlog.cache.bytes`: memory for what was written last.
    pub cache_bytes: u64,
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
            node_listener: None,
            log_dir: "./data".to_string(),
            shards: None,
            num_partitions: 1,
            replication_factor: 1,
            auto_create_topics: true,
            frame_max_bytes: 100 << 20,
            frames_max_bytes: 256 << 20,
            fetch_max_bytes: 55 << 20,
            session_slots: 1000,
            retention_check: Duration::from_secs(300),
            snapshot_bytes: 20 << 20,
            snapshot_interval: Duration::from_secs(3600),
            cache_bytes: 64 << 20,
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
        .map(|(name, _)| {
            unknown(
                name,
                BROKER.iter().map(|key| key.name),
                kafka::BROKER,
                "setting",
            )
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
                "topic setting",
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

/// The items of a topic setting that is a list, with commas between; none of any other.
pub fn list(name: &str) -> Option<&'static str> {
    let key = SHOWN.iter().find(|key| key.name == name)?;
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
    what: &str,
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
        None => format!("Known are {}", ours.collect::<Vec<_>>().join(", ")),
    };
    Complaint {
        what: format!("{shown} cannot be used"),
        why: format!("there is no {what} of this name"),
        attempt,
        code: Some(Code::InvalidConfig),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(pairs: &[(&'static str, &'static str)]) -> Vec<String> {
        match broker(pairs.iter().copied()) {
            Ok(config) => panic!("taken: {config:?}"),
            Err(wrong) => wrong.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn the_default_of_every_key_is_what_its_row_says() {
        let none = broker([]).unwrap();
        assert_eq!(none, BrokerConfig::default());
        for key in BROKER.iter().filter(|key| !key.default.is_empty()) {
            let mut config =
                broker([(key.name, key.default)]).unwrap_or_else(|wrong| panic!("{wrong:?}"));
            assert_eq!(
                core::mem::take(&mut config.given),
                [(key.name.to_string(), key.default.to_string())]
            );
            assert_eq!(config, none, "{}", key.name);
        }
        for key in TOPIC {
            assert_eq!(
                (key.get)(&TopicConfig::default()),
                key.default,
                "{}",
                key.name
            );
            let config = topic(&TopicConfig::default(), [(key.name, Some(key.default))]).unwrap();
            assert_eq!(config, TopicConfig::default(), "{}", key.name);
        }
    }

    #[test]
    fn every_key_acts_on_something() {
        for key in BROKER.iter().filter(|key| !key.other.is_empty()) {
            let mut config =
                broker([(key.name, key.other)]).unwrap_or_else(|wrong| panic!("{wrong:?}"));
            config.given.clear();
            assert_ne!(config, BrokerConfig::default(), "{}", key.name);
        }
        for key in TOPIC {
            let config = topic(&TopicConfig::default(), [(key.name, Some(key.other))]).unwrap();
            assert_ne!(config, TopicConfig::default(), "{}", key.name);
            assert_eq!((key.get)(&config), key.other, "{}", key.name);
        }
    }

    #[test]
    fn one_letter_missing_in_any_key_is_answered_with_that_key() {
        let known = |name: &str| BROKER.iter().any(|key| key.name == name);
        let slips = |name: &'static str| {
            [0, name.len() / 2, name.len() - 1]
                .into_iter()
                .map(move |at| format!("{}{}", &name[..at], &name[at + 1..]))
        };
        for name in BROKER.iter().map(|key| key.name) {
            // What lies between log.dir and log.dirs may mean either: they are one thing.
            let twins = |slip: &String| known(slip) || slip == "log.dis";
            for slip in slips(name).filter(|slip| !twins(slip)) {
                let said = broker([(&*slip, "1")]).unwrap_err()[0].to_string();
                assert!(
                    said.contains(&format!("Did you mean {name}?")),
                    "{slip}: {said}"
                );
            }
        }
        for name in TOPIC.iter().map(|key| key.name) {
            for slip in slips(name) {
                let said = topic(&TopicConfig::default(), [(&*slip, Some("1"))]).unwrap_err();
                assert!(
                    said.attempt.contains(&format!("Did you mean {name}?")),
                    "{slip}: {said}"
                );
            }
        }
    }

    #[test]
    fn a_key_of_kafka_that_does_nothing_here_is_refused_by_name() {
        let said = wrong(&[("log.cleaner.threads", "2"), ("min.insync.replicas", "1")]);
        assert_eq!(said.len(), 2);
        assert!(
            said[0].starts_with("log.cleaner.threads cannot be used: Kafka knows this setting"),
            "{said:?}"
        );
        let ours: Vec<&str> = BROKER.iter().map(|key| key.name).collect();
        for name in kafka::BROKER.split_whitespace() {
            assert!(!ours.contains(&name), "{name} is in both tables");
        }
        let ours: Vec<&str> = TOPIC.iter().map(|key| key.name).collect();
        for name in kafka::TOPIC.split_whitespace() {
            assert!(!ours.contains(&name), "{name} is in both tables");
        }
        let refused =
            topic(&TopicConfig::default(), [("local.retention.ms", Some("5"))]).unwrap_err();
        assert!(
            refused
                .to_string()
                .starts_with("local.retention.ms cannot be used"),
            "{refused}"
        );
    }

    #[test]
    fn a_setting_that_is_only_shown_is_taken_where_it_says_what_holds() {
        let plain = TopicConfig::default();
        for key in SHOWN {
            assert_eq!(
                topic(&plain, [(key.name, Some(key.value))]),
                Ok(plain.clone())
            );
            for other in ["5", "compact", "true", "LogAppendTime", ""] {
                let refused = topic(&plain, [(key.name, Some(other))]).unwrap_err();
                assert!(refused.to_string().starts_with(key.name), "{refused}");
            }
            assert!(TOPIC.iter().all(|acts| acts.name != key.name));
            assert!(kafka::TOPIC.split_whitespace().all(|name| name != key.name));
        }
    }

    #[test]
    fn more_than_one_directory_is_refused_by_name() {
        let said = wrong(&[("log.dirs", "/a,/b")]);
        assert!(
            said[0].starts_with("log.dirs=/a,/b cannot be used: "),
            "{said:?}"
        );
        assert_eq!(broker([("log.dirs", "/a")]).unwrap().log_dir, "/a");
        assert_eq!(
            broker([("log.dirs", "/a"), ("log.dir", "/b")])
                .unwrap()
                .log_dir,
            "/a",
            "as in Kafka"
        );
    }

    #[test]
    fn the_finer_unit_of_time_wins() {
        let pairs = [
            ("log.retention.ms", "5"),
            ("log.retention.hours", "2"),
            ("log.retention.minutes", "3"),
        ];
        assert_eq!(
            broker(pairs).unwrap().topic.retention_time,
            Some(Duration::from_millis(5))
        );
        assert_eq!(
            broker([("log.retention.hours", "-1")])
                .unwrap()
                .topic
                .retention_time,
            None
        );
        assert_eq!(
            broker([("log.roll.hours", "2"), ("log.roll.ms", "7")])
                .unwrap()
                .topic
                .segment_time
                .as_millis(),
            7
        );
    }

    #[test]
    fn topic_values_are_bounded_as_kafkas_are() {
        let takes = |name, value| topic(&TopicConfig::default(), [(name, value)]).is_ok();
        for (name, value) in [
            ("segment.bytes", "1048576"),
            ("segment.bytes", " 1048576 "),
            ("segment.ms", "1"),
            ("retention.ms", "-1"),
            ("retention.bytes", "-2"),
            ("max.message.bytes", "0"),
            ("sawlog.durability", "replicated"),
        ] {
            assert!(takes(name, Some(value)), "{name}={value}");
        }
        for (name, value) in [
            ("segment.bytes", Some("abc")),
            ("segment.bytes", Some("0")),
            ("segment.bytes", Some("1048575")),
            ("segment.bytes", Some("2147483648")),
            ("segment.ms", Some("0")),
            ("retention.ms", Some("-2")),
            ("max.message.bytes", Some("-1")),
            ("max.message.bytes", Some("")),
            ("max.message.bytes", None),
            ("sawlog.durability", Some("fsync")),
            ("num.partitions", Some("1")),
            ("", Some("1")),
        ] {
            assert!(!takes(name, value), "{name}={value:?}");
        }
    }

    #[test]
    fn listeners_are_taken_apart_and_must_agree() {
        let config = broker([
            ("listeners", "PLAINTEXT://:9092, INTERNAL://[::1]:0"),
            ("advertised.listeners", "PLAINTEXT://broker.example:19092"),
            (
                "listener.security.protocol.map",
                "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT",
            ),
            ("inter.broker.listener.name", "INTERNAL"),
        ])
        .unwrap();
        let told: Vec<_> = config
            .listeners
            .iter()
            .map(|at| (&*at.listener, &*at.host, at.port))
            .collect();
        assert_eq!(told, [("PLAINTEXT", "", 9092), ("INTERNAL", "::1", 0)]);
        assert_eq!(config.advertised[0].host, "broker.example");
        for (name, value) in [
            ("listeners", "9092"),
            ("listeners", "PLAINTEXT://h:70000"),
            ("listeners", "PLAINTEXT://h:1,PLAINTEXT://h:2"),
            ("listeners", "SSL://h:1"),
            ("listeners", ""),
            ("advertised.listeners", "OTHER://h:1"),
            ("advertised.listeners", "PLAINTEXT://0.0.0.0:1"),
            ("advertised.listeners", "PLAINTEXT://h:0"),
            ("listeners", "PLAINTEXT://0.0.0.0:1"),
            ("listeners", "PLAINTEXT://[::]:1"),
            ("inter.broker.listener.name", "OTHER"),
            ("listener.security.protocol.map", "PLAINTEXT:SASL_SSL"),
            ("process.roles", "broker"),
            ("controller.quorum.voters", "1@a:1,2@b:1"),
            ("controller.quorum.voters", "2@a:1"),
        ] {
            assert_eq!(wrong(&[(name, value)]).len(), 1, "{name}={value}");
        }
        assert!(broker([("listeners", "PLAINTEXT://:1")]).is_ok());
    }

    #[test]
    fn a_listener_on_every_address_needs_one_that_clients_are_told() {
        let listeners = ("listeners", "PLAINTEXT://0.0.0.0:9092");
        let told = ("advertised.listeners", "PLAINTEXT://broker.example:9092");
        let wrong = wrong(&[listeners]).remove(0).to_string();
        assert!(
            wrong.contains("Add advertised.listeners=PLAINTEXT://HOST:9092"),
            "{wrong}"
        );
        assert!(broker([listeners, told]).is_ok());
    }

    #[test]
    fn one_log_directory_is_asked_for_where_several_are_given() {
        let wrong = wrong(&[("log.dirs", "/a,/b")]).remove(0).to_string();
        assert!(
            wrong.contains("there is one log directory, not several. Give one directory"),
            "{wrong}"
        );
    }
}
