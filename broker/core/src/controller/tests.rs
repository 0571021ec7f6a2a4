//! What the controller decides, on images made by its own records.
//! Held against Kafka's answers (`tests/interop/answers.tsv`), and by the image made again from its records (#41).

use alloc::sync::Arc;

use sawlog_wire::Code;
use sawlog_wire::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreatableTopicResult,
    CreateTopicsRequest,
};

use super::{Ask, Controller, Registration, Reply};
use crate::answer::{Command, Commanded};
use crate::cluster::image::Image;
use crate::config::BrokerConfig;
use crate::ids::{BrokerEpoch, BrokerId, Endpoint, LeaderEpoch, Offset, Uuid};
use crate::machine::Machine;
use crate::now::{Dice, Now};

/// A controller whose node is registered.
fn active() -> Controller {
    let mut controller = Controller::new(Image::default(), Arc::new(BrokerConfig::default()));
    let epoch = activate(&mut controller, Offset(3));
    assert_eq!(epoch, BrokerEpoch(5), "#42: the offset of its record");
    controller
}

fn activate(controller: &mut Controller, at: Offset) -> BrokerEpoch {
    let endpoints = vec![Endpoint {
        listener: "PLAINTEXT".into(),
        host: "h".into(),
        port: 9092,
    }];
    let registration = Registration {
        rack: None,
        node: BrokerId(1),
        incarnation: Uuid::from_u128(1000),
        directory: Uuid::from_u128(2000),
        endpoints,
        at,
    };
    match decide(controller, at, Ask::Activate(Box::new(registration))) {
        Reply::Active(epoch) => epoch,
        other => panic!("{other:?}"),
    }
}

/// Decides, and applies what was decided.
fn decide(controller: &mut Controller, at: Offset, ask: Ask) -> Reply {
    let decision = controller.decide(Now::default(), &ask);
    for (at, record) in (at.0..).zip(&decision.log) {
        controller.apply(Offset(at), record);
    }
    decision.reply
}

fn create(controller: &mut Controller, topics: Vec<CreatableTopic>) -> Vec<CreatableTopicResult> {
    let request = CreateTopicsRequest {
        topics,
        ..Default::default()
    };
    let at = controller.ahead().offset;
    let dice = Dice([at.0 as u8; 16]);
    let command = Command::CreateTopics(request);
    match decide(controller, at, Ask::Command(Box::new(command), None, dice)) {
        Reply::Command(answer) => match *answer {
            Commanded::CreateTopics(response) => response.topics,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn topic(name: &str) -> CreatableTopic {
    CreatableTopic {
        name: name.into(),
        num_partitions: -1,
        replication_factor: -1,
        ..Default::default()
    }
}

/// What one topic is answered.
fn judged(topic: CreatableTopic) -> Code {
    let results = create(&mut active(), vec![topic]);
    assert_eq!(results.len(), 1);
    results[0].error_code.code().unwrap()
}

fn assigned(rows: &[(i32, &[i32])]) -> CreatableTopic {
    let row = |(number, brokers): &(i32, &[i32])| CreatableReplicaAssignment {
        partition_index: *number,
        broker_ids: brokers.to_vec(),
        ..Default::default()
    };
    CreatableTopic {
        assignments: rows.iter().map(row).collect(),
        ..topic("a")
    }
}

fn set(name: &str, value: Option<&str>) -> CreatableTopic {
    CreatableTopic {
        configs: vec![CreatableTopicConfig {
            name: name.into(),
            value: value.map(Into::into),
            ..Default::default()
        }],
        ..topic("a")
    }
}

/// Each as Apache Kafka 4.3.1 answers it (`tests/interop/answers.tsv`).
#[test]
fn topics_are_judged_as_kafka_judges_them() {
    let partitions = |num_partitions| CreatableTopic {
        num_partitions,
        ..topic("a")
    };
    let factor = |replication_factor| CreatableTopic {
        replication_factor,
        ..topic("a")
    };
    assert_eq!(
        judged(topic("a")),
        Code::None,
        "gotcha 27: -1 is the default"
    );
    assert_eq!(judged(partitions(0)), Code::InvalidPartitions);
    assert_eq!(judged(partitions(-2)), Code::InvalidPartitions);
    assert_eq!(judged(partitions(100_001)), Code::PolicyViolation);
    assert_eq!(judged(factor(0)), Code::InvalidReplicationFactor);
    assert_eq!(judged(factor(2)), Code::InvalidReplicationFactor);
    assert_eq!(judged(topic("__cluster_metadata")), Code::InvalidRequest);
    assert_eq!(
        judged(set("num.partitions", Some("1"))),
        Code::InvalidConfig
    );
    assert_eq!(judged(set("retention.ms", None)), Code::InvalidConfig);
    assert_eq!(judged(set("retention.ms", Some("-2"))), Code::InvalidConfig);
    assert_eq!(judged(set("segment.bytes", Some(" 1048576 "))), Code::None);
}

#[test]
fn manual_assignments_are_judged_as_kafka_judges_them() {
    assert_eq!(judged(assigned(&[(0, &[1])])), Code::None);
    assert_eq!(judged(assigned(&[(1, &[1]), (0, &[1])])), Code::None);
    let beside = CreatableTopic {
        num_partitions: 1,
        ..assigned(&[(0, &[1])])
    };
    assert_eq!(judged(beside), Code::InvalidRequest);
    for wrong in [
        assigned(&[(1, &[1])]),
        assigned(&[(0, &[1]), (0, &[1])]),
        assigned(&[(0, &[1]), (2, &[1])]),
        assigned(&[(0, &[])]),
        assigned(&[(0, &[1, 1])]),
        assigned(&[(0, &[7])]),
        assigned(&[(-1, &[1])]),
    ] {
        assert_eq!(
            judged(wrong.clone()),
            Code::InvalidReplicaAssignment,
            "{wrong:?}"
        );
    }
}

#[test]
fn a_topic_that_is_proposed_and_not_committed_is_there_for_the_next_command() {
    let mut controller = active();
    assert_eq!(
        create(&mut controller, vec![topic("a.b")])[0].error_code,
        Code::None
    );
    let again = create(
        &mut controller,
        vec![topic("a.b"), topic("a_b"), topic("a-b")],
    );
    let codes: Vec<Code> = again
        .iter()
        .map(|row| row.error_code.code().unwrap())
        .collect();
    assert_eq!(
        codes,
        [
            Code::TopicAlreadyExists,
            Code::InvalidTopicException,
            Code::None
        ],
        "#44"
    );
}

#[test]
fn a_name_asked_for_twice_is_one_row_and_no_topic() {
    let mut controller = active();
    let rows = create(&mut controller, vec![topic("a"), topic("b"), topic("a")]);
    let told: Vec<_> = rows
        .iter()
        .map(|row| (&*row.name, row.error_code.code().unwrap()))
        .collect();
    assert_eq!(told, [("a", Code::InvalidRequest), ("b", Code::None)]);
    assert!(!controller.ahead().topics.contains_key("a"));
}

#[test]
fn one_request_makes_no_more_partitions_than_one_batch_holds() {
    let many = |name: &str| CreatableTopic {
        num_partitions: 6000,
        ..topic(name)
    };
    let rows = create(&mut active(), vec![many("a"), many("b")]);
    assert_eq!(rows[0].error_code, Code::None);
    assert_eq!(rows[1].error_code, Code::PolicyViolation);
}

#[test]
fn topic_ids_are_new_and_no_tool_takes_them_for_an_option() {
    let mut controller = active();
    for round in 0..200 {
        let rows = create(
            &mut controller,
            vec![topic(&format!("a{round}")), topic(&format!("b{round}"))],
        );
        for row in rows {
            assert!(!row.topic_id.to_string().starts_with('-'));
        }
    }
    assert_eq!(controller.ahead().names.len(), 400, "#45");
}

#[test]
fn every_registration_begins_the_leaderships_anew() {
    let mut controller = active();
    create(&mut controller, vec![assigned(&[(0, &[1]), (1, &[1])])]);
    for life in 1..4 {
        let at = controller.ahead().offset;
        let epoch = activate(&mut controller, at);
        assert!(epoch.0 > at.0, "#42: {epoch} at {at}");
        let topic = controller.ahead().topic("a").unwrap();
        for partition in &topic.partitions {
            assert_eq!(partition.epoch, LeaderEpoch(life), "#3");
            assert_eq!(partition.leader, Some(BrokerId(1)));
        }
        assert!(!controller.ahead().brokers[&BrokerId(1)].fenced);
    }
}

#[test]
fn blocks_of_producer_ids_never_overlap() {
    let mut controller = active();
    let mut next = 0;
    for _ in 0..5 {
        let at = controller.ahead().offset;
        match decide(
            &mut controller,
            at,
            Ask::ProducerIds(BrokerId(1), BrokerEpoch(5)),
        ) {
            Reply::ProducerIds(first) => assert_eq!(first, next, "#73"),
            other => panic!("{other:?}"),
        }
        next += super::PRODUCER_ID_BLOCK;
    }
}

/// The image as a snapshot's records and the image as the log's records are one.
#[test]
fn an_image_made_again_from_its_own_records_is_the_same() {
    let mut controller = active();
    create(
        &mut controller,
        vec![set("retention.ms", Some("77")), topic("b")],
    );
    let at = controller.ahead().offset;
    decide(
        &mut controller,
        at,
        Ask::ProducerIds(BrokerId(1), BrokerEpoch(5)),
    );
    let at = controller.ahead().offset;
    activate(&mut controller, at);
    let image = controller.ahead();
    let mut again = Image {
        offset: image.offset,
        ..Image::default()
    };
    for record in image.records() {
        again
            .apply(&record)
            .unwrap_or_else(|misfit| panic!("#41: {misfit}"));
    }
    assert_eq!(&again, image, "#41");
    assert_eq!(again.digest(), image.digest(), "#41");
    assert_eq!(
        again.topic("a").unwrap().config.retention_time,
        Some(core::time::Duration::from_millis(77))
    );
}

/// What a command about topics `a.b` and `c` is answered.
fn commanded(command: Command) -> (Commanded, Controller) {
    let mut controller = active();
    create(&mut controller, vec![topic("a.b"), topic("c")]);
    let ask = Ask::Command(Box::new(command), None, Dice([9; 16]));
    let at = controller.ahead().offset;
    match decide(&mut controller, at, ask) {
        Reply::Command(answer) => (*answer, controller),
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_two_names_of_one_request_that_collide_the_first_is_made() {
    let mut controller = active();
    let results = create(
        &mut controller,
        vec![topic("x_y"), topic("x.y"), topic("x-y")],
    );
    let codes: Vec<_> = results
        .iter()
        .map(|row| row.error_code.code().unwrap())
        .collect();
    assert_eq!(codes, [Code::None, Code::InvalidTopicException, Code::None]);
    assert!(controller.ahead().topic("x.y").is_none());
}

#[test]
fn topics_are_deleted_by_name_or_by_id_once_or_not_at_all_45() {
    use sawlog_wire::messages::DeleteTopicsRequest;
    use sawlog_wire::messages::delete_topics::DeleteTopicState;
    let mut controller = active();
    create(
        &mut controller,
        vec![topic("a"), topic("b"), topic("c"), topic("d")],
    );
    let id = |name: &str| controller.ahead().topic(name).unwrap().id.0;
    let state = |name: Option<&str>, topic_id| DeleteTopicState {
        name: name.map(Into::into),
        topic_id,
        ..Default::default()
    };
    let topics = vec![
        state(Some("a"), Uuid::ZERO),
        state(None, id("b")),
        state(Some("c"), id("c")),
        state(None, Uuid::ZERO),
        state(Some("d"), Uuid::ZERO),
        state(None, id("d")),
        state(Some("e"), Uuid::ZERO),
        state(None, Uuid::from_u128(5000)),
    ];
    let request = DeleteTopicsRequest {
        topics,
        ..Default::default()
    };
    let at = controller.ahead().offset;
    let ask = Ask::Command(
        Box::new(Command::DeleteTopics(request)),
        None,
        Dice([9; 16]),
    );
    let answer = decide(&mut controller, at, ask);
    let Reply::Command(answer) = answer else {
        panic!("{answer:?}")
    };
    let Commanded::DeleteTopics(answer) = *answer else {
        panic!("{answer:?}")
    };
    let codes: Vec<_> = answer
        .responses
        .iter()
        .map(|row| row.error_code.code().unwrap())
        .collect();
    let expected = [
        Code::None,
        Code::None,
        Code::InvalidRequest,
        Code::InvalidRequest,
        Code::InvalidRequest,
        Code::InvalidRequest,
        Code::UnknownTopicOrPartition,
        Code::UnknownTopicId,
    ];
    assert_eq!(codes, expected);
    let left: Vec<_> = controller
        .ahead()
        .topics
        .keys()
        .map(|name| name.to_string())
        .collect();
    assert_eq!(left, ["c", "d"]);
    assert_eq!(
        controller.ahead().removed.len(),
        2,
        "#40: what a shard may remove"
    );
}

#[test]
fn settings_change_wholly_or_not_at_all() {
    use sawlog_wire::messages::IncrementalAlterConfigsRequest;
    use sawlog_wire::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
    let change = |name: &str, config_operation, value: Option<&str>| AlterableConfig {
        name: name.into(),
        config_operation,
        value: value.map(Into::into),
        ..Default::default()
    };
    let judged = |configs: Vec<AlterableConfig>| {
        let resource = AlterConfigsResource {
            resource_type: 2,
            resource_name: "c".into(),
            configs,
            ..Default::default()
        };
        let request = IncrementalAlterConfigsRequest {
            resources: vec![resource],
            ..Default::default()
        };
        let (answer, controller) = commanded(Command::IncrementalAlterConfigs(request));
        let Commanded::IncrementalAlterConfigs(answer) = answer else {
            panic!("{answer:?}")
        };
        let given = controller
            .ahead()
            .configs
            .get("c")
            .cloned()
            .unwrap_or_default();
        (answer.responses[0].error_code.code().unwrap(), given.len())
    };
    let (set, unset, append) = (0, 1, 2);
    assert_eq!(
        judged(vec![change("retention.ms", set, Some("5"))]),
        (Code::None, 1)
    );
    assert_eq!(
        judged(vec![change("retention.ms", unset, None)]),
        (Code::None, 0)
    );
    assert_eq!(
        judged(vec![change("cleanup.policy", append, Some("delete"))]),
        (Code::None, 1)
    );
    let bad = change("no.such.key", set, Some("5"));
    assert_eq!(
        judged(vec![change("retention.ms", set, Some("5")), bad]),
        (Code::InvalidConfig, 0)
    );
    for (wrong, code) in [
        (
            change("cleanup.policy", append, Some("compact")),
            Code::InvalidConfig,
        ),
        (
            change("retention.ms", append, Some("5")),
            Code::InvalidConfig,
        ),
        (change("retention.ms", set, None), Code::InvalidRequest),
        (change("retention.ms", 9, Some("5")), Code::InvalidRequest),
    ] {
        assert_eq!(judged(vec![wrong]), (code, 0));
    }
}

#[test]
fn a_running_brokers_settings_change_where_they_may_and_go_back_when_they_are_taken_away() {
    use sawlog_wire::messages::IncrementalAlterConfigsRequest;
    use sawlog_wire::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
    let mut controller = active();
    let mut change = |whose: &str, key: &str, value: Option<&str>, validate_only| {
        let config = AlterableConfig {
            name: key.into(),
            config_operation: i8::from(value.is_none()),
            value: value.map(Into::into),
            ..Default::default()
        };
        let resource = AlterConfigsResource {
            resource_type: 4,
            resource_name: whose.into(),
            configs: vec![config],
            ..Default::default()
        };
        let request = IncrementalAlterConfigsRequest {
            resources: vec![resource],
            validate_only,
            ..Default::default()
        };
        let command = Command::IncrementalAlterConfigs(request);
        let ask = Ask::Command(Box::new(command), None, Dice([9; 16]));
        let at = controller.ahead().offset;
        let Reply::Command(answer) = decide(&mut controller, at, ask) else {
            panic!("another reply")
        };
        let Commanded::IncrementalAlterConfigs(answer) = *answer else {
            panic!("another answer")
        };
        let code = answer.responses[0].error_code.code().unwrap();
        (code, controller.ahead().defaults.segment_bytes)
    };
    let key = "log.segment.bytes";
    let (none, invalid) = (Code::None, Code::InvalidRequest);
    assert_eq!(change("", key, Some("2097152"), true), (none, 1 << 30));
    assert_eq!(change("", key, Some(" 2097152 "), false), (none, 2 << 20));
    assert_eq!(change("1", key, Some("3145728"), false), (none, 3 << 20));
    for (whose, key, value) in [
        ("1", key, "1"),
        ("1", "num.partitions", "5"),
        ("", "log.retention.hours", "5"),
        ("", "max.connections", "0"),
        ("1", "max.connections.per.ip.overrides", "localhost:5"),
        ("", "log.cleanup.policy", "compact"),
        ("", "retention.ms", "5"),
        ("77", key, "2097152"),
        ("01", key, "2097152"),
        ("x", key, "2097152"),
    ] {
        let refused = change(whose, key, Some(value), false);
        assert_eq!(refused, (invalid, 3 << 20), "{whose} {key}={value}");
    }
    let taken = change("", "log.cleanup.policy", Some("delete"), false);
    assert_eq!(taken, (none, 3 << 20), "it says what holds");
    assert_eq!(change("1", "no.such.key", None, false), (none, 3 << 20));
    assert_eq!(change("1", key, None, false), (none, 2 << 20));
    assert_eq!(change("", key, None, false), (none, 1 << 30));
}

#[test]
fn nobody_shuts_out_the_address_that_he_asks_from_134() {
    use sawlog_wire::messages::IncrementalAlterConfigsRequest;
    use sawlog_wire::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
    let mut controller = active();
    let key = "max.connections.per.ip.overrides";
    // A request of several resources, each with one value or none.
    let mut change = |from: &str, resources: &[(&str, Option<&str>)]| {
        let resource = |&(whose, value): &(&str, Option<&str>)| AlterConfigsResource {
            resource_type: 4,
            resource_name: whose.into(),
            configs: vec![AlterableConfig {
                name: key.into(),
                config_operation: i8::from(value.is_none()),
                value: value.map(Into::into),
                ..Default::default()
            }],
            ..Default::default()
        };
        let request = IncrementalAlterConfigsRequest {
            resources: resources.iter().map(resource).collect(),
            ..Default::default()
        };
        let command = Box::new(Command::IncrementalAlterConfigs(request));
        let ask = Ask::Command(command, from.parse().ok(), Dice([9; 16]));
        let at = controller.ahead().offset;
        let Reply::Command(answer) = decide(&mut controller, at, ask) else {
            panic!("another reply")
        };
        let Commanded::IncrementalAlterConfigs(answer) = *answer else {
            panic!("another answer")
        };
        let rows = answer.responses.into_iter();
        let codes = rows.map(|row| {
            let why = row.error_message.unwrap_or_default();
            assert_eq!(
                why.is_empty(),
                !why.contains("where this request comes from"),
                "{why}"
            );
            row.error_code.code().unwrap()
        });
        codes.collect::<Vec<_>>()
    };
    let (none, refused) = (Code::None, Code::InvalidRequest);
    let (here, there) = ("127.0.0.1", "10.0.0.7");
    let both = Some("127.0.0.1:0,10.0.0.7:0");
    for whose in ["", "1"] {
        assert_eq!(change(here, &[(whose, Some("127.0.0.1:0"))]), [refused]);
        assert_eq!(change("::ffff:127.0.0.1", &[(whose, both)]), [refused]);
        assert_eq!(change(there, &[(whose, both)]), [refused]);
        assert_eq!(change(here, &[(whose, Some("127.0.0.1:1"))]), [none]);
        assert_eq!(change(here, &[(whose, None)]), [none]);
    }
    // What all brokers are told counts where this one is told nothing, and comes to count when that is taken away.
    assert_eq!(change(here, &[("1", Some("127.0.0.1:9"))]), [none]);
    assert_eq!(change(here, &[("", Some("127.0.0.1:0"))]), [none]);
    assert_eq!(change(here, &[("1", None)]), [refused]);
    assert_eq!(change(here, &[("", None), ("1", None)]), [none, none]);
    let steps = [("1", Some("127.0.0.1:9")), ("", Some("127.0.0.1:0"))];
    assert_eq!(change(here, &steps), [none, none]);
    assert_eq!(change(there, &[("1", None)]), [none], "he gets in himself");
    // Who is shut out, and has a connection from before, may change other things, and let himself in again.
    assert_eq!(change(here, &[("1", both)]), [none]);
    assert_eq!(change(here, &[("1", Some("127.0.0.1:2"))]), [none]);
    // Nobody who did not come over a network is shut out.
    assert_eq!(change("", &[("1", both)]), [none]);
}

#[cfg(feature = "mutants")]
#[test]
fn an_asker_who_may_shut_himself_out_is_caught_134() {
    crate::proof::caught(
        "asker-shut-out",
        nobody_shuts_out_the_address_that_he_asks_from_134,
    );
}
