//! The table of settings walked whole, and what may be said of each.
//! Held for every key: its default, that it acts, when it may change. Kafka's own server.properties is taken as it is.

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

/// Gives a setting to a broker at its start, to a running one, or to a topic: what each says to it.
fn given(scope: Scope, name: &str, value: &str) -> [Result<(), String>; 2] {
    let told = |complaint: &Complaint| complaint.to_string();
    match scope {
        Scope::Broker => [
            broker([(name, value)])
                .map(|_| ())
                .map_err(|wrong| told(&wrong[0])),
            running(name, value).map_err(|wrong| told(&wrong)),
        ],
        Scope::Topic => {
            let taken = topic(&TopicConfig::default(), [(name, Some(value))]);
            let taken = taken.map(|_| ()).map_err(|wrong| told(&wrong));
            [taken.clone(), taken]
        }
    }
}

#[test]
fn every_key_acts_or_is_shown_or_is_refused_and_none_is_taken_that_does_nothing() {
    let mut seen = alloc::collections::BTreeSet::new();
    let mut counts = [0; 4];
    for entry in entries() {
        let name = entry.name;
        assert!(seen.insert((entry.scope, name)), "{name} stands twice");
        match entry.standing {
            // That it does something when it is taken, `every_key_acts_on_something` shows.
            Standing::Acts => counts[0] += 1,
            Standing::Shown => {
                counts[1] += 1;
                let [start, while_running] = given(entry.scope, name, entry.default);
                assert_eq!(start, Ok(()), "{name}");
                assert_eq!(while_running.is_ok(), entry.when == When::Running, "{name}");
                for other in ["5", "compact", "x", ""] {
                    for said in given(entry.scope, name, other) {
                        assert!(said.unwrap_err().starts_with(name), "{name}={other}");
                    }
                }
            }
            Standing::Moot => {
                counts[3] += 1;
                let value = "7";
                let [start, while_running] = given(entry.scope, name, value);
                assert_eq!(start, Ok(()), "{name}");
                assert!(while_running.unwrap_err().starts_with(name), "{name}");
                let mut config = broker([(name, value)]).unwrap();
                config.given.clear();
                assert_eq!(config, BrokerConfig::default(), "{name} acts");
                for said in given(entry.scope, name, "x") {
                    assert!(said.unwrap_err().starts_with(name), "{name}");
                }
            }
            Standing::Refused => {
                counts[2] += 1;
                for value in ["1", "true", "PLAINTEXT", ""] {
                    for said in given(entry.scope, name, value) {
                        let said = said.unwrap_err();
                        let by_name = format!("{name} cannot be used: Kafka knows this");
                        assert!(said.starts_with(&by_name), "{said}");
                    }
                }
            }
        }
    }
    assert!(counts.iter().all(|count| *count > 7), "{counts:?} (#144)");
}

#[test]
fn a_running_broker_takes_what_may_change_and_says_of_the_rest_when_it_is_read() {
    for key in BROKER {
        let said = running(key.name, key.other);
        match key.when {
            When::Running => assert_eq!(said, Ok(()), "{}", key.name),
            When::AtStart => {
                let said = said.unwrap_err();
                assert_eq!(said.code, Some(Code::InvalidRequest));
                assert!(said.to_string().contains("it is read once, at the start"));
            }
        }
        if key.when == When::Running {
            let all = [(key.name.to_string(), key.other.to_string())].into();
            let config = BrokerConfig::default().running([&all].into_iter());
            let reached = (config.topic, config.connections);
            // What the image carries of a running broker's settings, and nothing else is looked at again.
            let before = (TopicConfig::default(), Connections::default());
            assert_ne!(reached, before, "{} reaches nobody", key.name);
            assert!(running(key.name, "?").is_err());
        }
    }
    for (fine, coarse) in table::COARSER {
        let when = |name: &str| BROKER.iter().find(|key| key.name == name).unwrap().when;
        assert_eq!(when(fine), When::Running);
        assert!(coarse.iter().all(|name| when(name) == When::AtStart));
    }
    for key in TOPIC {
        assert!(
            BROKER.iter().any(|broker| broker.name == key.broker),
            "{}",
            key.name
        );
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
fn a_node_has_one_number_under_either_name() {
    let id = |pairs: &[(&'static str, &'static str)]| broker(pairs.iter().copied());
    assert_eq!(id(&[("broker.id", "7")]).unwrap().node_id, BrokerId(7));
    let both = [("node.id", "7"), ("broker.id", "7")];
    assert_eq!(id(&both).unwrap().node_id, BrokerId(7));
    let said = wrong(&[("node.id", "7"), ("broker.id", "8")]);
    assert!(said[0].contains("the older name of node.id, which is 7"));
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
        ("inter.broker.listener.name", "OTHER"),
        ("listener.security.protocol.map", "PLAINTEXT:SASL_SSL"),
        ("process.roles", "broker"),
        ("controller.quorum.voters", "1@a:1,2@b:1"),
        ("controller.quorum.voters", "2@a:1"),
        ("controller.quorum.bootstrap.servers", "a"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
        ("listener.security.protocol.map", "OTHER:TLS"),
        // Values of a cluster of several nodes, for things that are not there yet.
        ("offsets.topic.replication.factor", "3"),
        ("transaction.state.log.min.isr", "2"),
        ("share.coordinator.state.topic.replication.factor", "3"),
        ("group.initial.rebalance.delay.ms", "3000"),
    ] {
        assert_eq!(wrong(&[(name, value)]).len(), 1, "{name}={value}");
    }
    assert!(broker([("listeners", "PLAINTEXT://:1")]).is_ok());
}

#[test]
fn clients_of_a_listener_on_every_address_are_told_the_one_that_they_reached() {
    let told = |listener: &str, advertised: &str| {
        let mut pairs = vec![("listeners", listener)];
        if !advertised.is_empty() {
            pairs.push(("advertised.listeners", advertised));
        }
        let config = broker(pairs).unwrap();
        match config.told(&config.listeners[0]) {
            Told::AsBound => "bound".to_string(),
            Told::Here(at) => format!("{}:{}", at.host, at.port),
            Told::AsReached(port) => format!("reached {port:?}"),
        }
    };
    for every in [
        "PLAINTEXT://:9092",
        "PLAINTEXT://0.0.0.0:9092",
        "PLAINTEXT://[::]:9092",
    ] {
        assert_eq!(told(every, ""), "reached None");
        assert_eq!(
            told(every, "PLAINTEXT://broker.example:1"),
            "broker.example:1"
        );
    }
    let one = "PLAINTEXT://10.0.0.1:9092";
    assert_eq!(told(one, ""), "bound");
    assert_eq!(told(one, "PLAINTEXT://auto:0"), "reached None");
    assert_eq!(told(one, "PLAINTEXT://auto:19092"), "reached Some(19092)");
    for half in ["auto", "PLAINTEXT://auto"] {
        let wrong = wrong(&[("listeners", one), ("advertised.listeners", half)]).remove(0);
        assert!(wrong.contains("PLAINTEXT://auto:0"), "{wrong}");
    }
}

#[test]
fn a_name_like_no_other_is_not_answered_with_all_of_them() {
    let unlike = [
        ("bogus.key", "`sawlog broker --print-config`"),
        ("retention.lenght.of.all.ms", "log.retention.ms"),
    ];
    for (name, said) in unlike {
        let of_broker = wrong(&[(name, "1")]).remove(0);
        let of_topic = topic(&TopicConfig::default(), [(name, Some("1"))]).unwrap_err();
        assert!(of_broker.contains(said), "{of_broker}");
        for told in [of_broker, of_topic.to_string()] {
            assert!(told.len() < 300, "{told}");
        }
    }
}

#[test]
fn one_log_directory_is_asked_for_where_several_are_given() {
    let wrong = wrong(&[("log.dirs", "/a,/b")]).remove(0).to_string();
    assert!(
        wrong.contains("there is one log directory, not several. Give one directory"),
        "{wrong}"
    );
}

/// The settings of the server.properties that Apache Kafka 4.3 comes with.
const STOCK: &[(&str, &str)] = &[
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    ("controller.quorum.bootstrap.servers", "localhost:9093"),
    ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
    ("inter.broker.listener.name", "PLAINTEXT"),
    (
        "advertised.listeners",
        "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
    ),
    ("controller.listener.names", "CONTROLLER"),
    (
        "listener.security.protocol.map",
        "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
    ),
    ("num.network.threads", "3"),
    ("num.io.threads", "8"),
    ("socket.send.buffer.bytes", "102400"),
    ("socket.receive.buffer.bytes", "102400"),
    ("socket.request.max.bytes", "104857600"),
    ("log.dirs", "/tmp/kraft-combined-logs"),
    ("num.partitions", "1"),
    ("num.recovery.threads.per.data.dir", "1"),
    ("offsets.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("log.retention.hours", "168"),
    ("log.segment.bytes", "1073741824"),
    ("log.retention.check.interval.ms", "300000"),
];

/// The file with one line said otherwise: what is refused of it.
fn stock_but(name: &'static str, value: &'static str) -> Result<BrokerConfig, Vec<Complaint>> {
    broker(STOCK.iter().copied().chain([(name, value)]))
}

#[test]
fn kafkas_own_file_is_taken_as_it_is() {
    let config = broker(STOCK.iter().copied()).unwrap();
    assert_eq!(config.listeners.len(), 2);
    assert_eq!(config.sockets.send_bytes, Some(102_400));
    assert_eq!(config.quorum_servers, [("localhost".to_string(), 9093)]);
}

#[test]
fn the_quorum_is_this_node_alone_under_a_name_that_is_certainly_its_own() {
    let servers = "controller.quorum.bootstrap.servers";
    for own in ["localhost:9093", "127.0.0.1:9093", "[::1]:9093"] {
        assert!(stock_but(servers, own).is_ok(), "{own}");
    }
    // One that listens on every address cannot know whose name this is: in a cluster it is another node's.
    for (other, why) in [
        ("kafka-1:9093", "it names none of this node's own listeners"),
        (
            "localhost:9092",
            "it names none of this node's own listeners",
        ),
        ("localhost:9093,kafka-2:9093", "clusters of several nodes"),
        ("localhost", "is not of the form HOST:PORT"),
        (":9093", "is not of the form HOST:PORT"),
    ] {
        let said = stock_but(servers, other).unwrap_err();
        assert_eq!(said.len(), 1);
        let said = said[0].to_string();
        assert!(said.starts_with(servers) && said.contains(why), "{said}");
    }
    let advertised = "PLAINTEXT://kafka-1:9092,CONTROLLER://kafka-1:9093";
    let pairs = STOCK.iter().copied().chain([
        ("advertised.listeners", advertised),
        (servers, "kafka-1:9093"),
    ]);
    assert!(broker(pairs).is_ok());
}

#[test]
fn a_protocol_that_is_not_there_yet_may_have_a_name_that_no_listener_bears() {
    let map = "listener.security.protocol.map";
    assert!(stock_but(map, "PLAINTEXT:PLAINTEXT,EXTERNAL:SASL_SSL").is_ok());
    let said = stock_but(map, "plaintext:SASL_SSL").unwrap_err()[0].to_string();
    let expected = "listener.security.protocol.map=PLAINTEXT:SASL_SSL cannot be used";
    assert!(said.starts_with(expected), "{said}");
    assert!(stock_but(map, "EXTERNAL:TLS").is_err());
}

#[test]
fn names_and_protocols_of_listeners_are_the_same_in_capitals_or_without_as_in_kafka() {
    let map = "listener.security.protocol.map";
    assert!(
        stock_but(
            map,
            "Plaintext : plaintext, controller:PlainText, x:sasl_ssl"
        )
        .is_ok()
    );
    let said = stock_but(map, "plaintext:ssl").unwrap_err()[0].to_string();
    assert!(said.starts_with("listener.security.protocol.map=PLAINTEXT:SSL"));
    let twice = "PLAINTEXT:PLAINTEXT,plaintext:SSL";
    let said = stock_but(map, twice).unwrap_err()[0].to_string();
    assert!(said.contains("PLAINTEXT is named twice"), "{said}");
}
