//! Metadata and CreateTopics: how the image is told in each version, and how topics come to be.
//! Held against the image that the test gives; the controller's verdict on a topic is held beside the controller.

use sawlog_wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreatableTopicResult,
};
use sawlog_wire::messages::metadata::MetadataRequestTopic;
use sawlog_wire::messages::{
    ApiKey, CreateTopicsRequest, CreateTopicsResponse, MetadataRequest, MetadataResponse,
};

use super::*;

fn named(names: &[&str]) -> MetadataRequest {
    let topic = |name: &&str| MetadataRequestTopic {
        name: Some((*name).into()),
        ..Default::default()
    };
    MetadataRequest {
        topics: Some(names.iter().map(topic).collect()),
        ..MetadataRequest::default()
    }
}

fn by_id(id: Uuid) -> MetadataRequest {
    let topic = MetadataRequestTopic {
        name: None,
        topic_id: id,
        ..Default::default()
    };
    MetadataRequest {
        topics: Some(vec![topic]),
        ..MetadataRequest::default()
    }
}

fn codes(told: &MetadataResponse) -> Vec<(Option<&str>, i16)> {
    told.topics
        .iter()
        .map(|topic| (topic.name.as_deref(), topic.error_code.0))
        .collect()
}

/// What was asked of the controller.
fn wanted(bench: &mut Bench) -> (Waiter, CreateTopicsRequest) {
    let mut asks = bench.asks();
    assert_eq!(asks.len(), 1, "{asks:?}");
    match asks.remove(0) {
        (ShardId(0), waiter, Part::Command(part)) => match part.command {
            Command::CreateTopics(request) => (waiter, request),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// The controller says so.
fn results(rows: &[(&str, Code)]) -> Response {
    let row = |&(name, code): &(&str, Code)| CreatableTopicResult {
        name: name.into(),
        topic_id: id_of(name).0,
        error_code: code.into(),
        num_partitions: 1,
        replication_factor: 1,
        ..CreatableTopicResult::default()
    };
    let topics = rows.iter().map(row).collect();
    Response::Command(Box::new(Commanded::CreateTopics(CreateTopicsResponse {
        topics,
        ..CreateTopicsResponse::default()
    })))
}

#[test]
fn the_image_is_told_in_every_version() {
    for version in 0..=13 {
        let mut bench = Bench::new(&[("t", 2)]);
        let told = bench.ask(version, &named(&["t"]));
        let broker = &told.brokers[0];
        assert_eq!(
            (broker.node_id, &*broker.host, broker.port),
            (1, "here.example", 9092)
        );
        assert_eq!(
            told.cluster_id.as_deref(),
            (version >= 2).then_some("cluster")
        );
        assert_eq!(told.controller_id, if version >= 1 { 1 } else { -1 });
        let topic = &told.topics[0];
        assert_eq!((topic.error_code.0, topic.name.as_deref()), (0, Some("t")));
        assert_eq!(
            topic.topic_id,
            if version >= 10 {
                id_of("t").0
            } else {
                Uuid::ZERO
            }
        );
        assert_eq!(topic.partitions.len(), 2);
        for (index, partition) in (0..).zip(&topic.partitions) {
            let epoch = if version >= 7 { 4 } else { -1 };
            assert_eq!(
                (
                    partition.partition_index,
                    partition.leader_id,
                    partition.leader_epoch
                ),
                (index, 1, epoch)
            );
            assert_eq!(
                (&*partition.replica_nodes, &*partition.isr_nodes),
                (&[1][..], &[1][..])
            );
            assert!(partition.offline_replicas.is_empty());
        }
    }
}

#[test]
fn all_topics_are_an_empty_list_in_version_0_and_null_from_1_on() {
    let told = |version, topics| {
        let request = MetadataRequest {
            topics,
            ..MetadataRequest::default()
        };
        let told = Bench::new(&[("a", 1), ("b", 1)]).ask(version, &request);
        codes(&told).len()
    };
    assert_eq!(told(0, Some(vec![])), 2);
    for version in 1..=13 {
        assert_eq!((told(version, Some(vec![])), told(version, None)), (0, 2));
    }
}

#[test]
fn gotcha_05_topics_are_looked_up_by_id_from_version_12_on_only() {
    for version in 10..=13 {
        let mut bench = Bench::new(&[("t", 1)]);
        let told = bench.ask(version, &by_id(id_of("t").0));
        let unknown = bench.ask(version, &by_id(id_of("nowhere").0));
        if version < 12 {
            assert_eq!(codes(&told), [(Some(""), 42)]);
            continue;
        }
        assert_eq!(codes(&told), [(Some("t"), 0)]);
        assert_eq!(codes(&unknown), [(None, Code::UnknownTopicId.number())]);
    }
    // Neither name nor id names nothing; version 13 says so for the whole answer too.
    let told = Bench::new(&[]).ask(13, &by_id(Uuid::ZERO));
    assert_eq!(
        (told.error_code, codes(&told)),
        (Code::InvalidRequest.into(), vec![(Some(""), 42)])
    );
}

#[test]
fn gotcha_08_a_topic_that_is_asked_for_is_created_when_client_and_broker_allow_it() {
    let mut bench = Bench::new(&[("t", 1)]);
    bench.send(12, &named(&["t", "new", "new"]));
    let (waiter, request) = wanted(&mut bench);
    assert_eq!(request.topics.len(), 1);
    let topic = &request.topics[0];
    assert_eq!(
        (&*topic.name, topic.num_partitions, topic.replication_factor),
        ("new", -1, -1)
    );
    assert!(bench.frames().is_empty());
    bench.change(|image| *image = super::image(&[("t", 1), ("new", 3)]));
    bench.answer(waiter, results(&[("new", Code::None)]));
    let (_, told) = bench.response::<MetadataResponse>(ApiKey::Metadata, 12);
    assert_eq!(codes(&told), [(Some("t"), 0), (Some("new"), 0)]);
    assert_eq!(told.topics[1].partitions.len(), 3);

    // Older clients cannot forbid it.
    let forbids = MetadataRequest {
        allow_auto_topic_creation: false,
        ..named(&["new"])
    };
    let mut bench = Bench::new(&[]);
    bench.send(3, &named(&["new"]));
    wanted(&mut bench);
    assert_eq!(codes(&Bench::new(&[]).ask(4, &forbids)), [(Some("new"), 3)]);
    let mut bench = Bench::new(&[]);
    bench.config.auto_create_topics = false;
    assert_eq!(codes(&bench.ask(12, &named(&["new"]))), [(Some("new"), 3)]);
}

#[test]
fn gotcha_08_names_that_cannot_be_are_refused_and_never_wanted() {
    for name in ["", ".", "..", "a b", "a/b", "ä", "a\0b", &*"x".repeat(250)] {
        for allow_auto_topic_creation in [true, false] {
            let request = MetadataRequest {
                allow_auto_topic_creation,
                ..named(&[name])
            };
            assert_eq!(
                codes(&Bench::new(&[]).ask(12, &request)),
                [(Some(name), 17)]
            );
        }
    }
    for name in [
        "__cluster_metadata",
        "__consumer_offsets",
        "__transaction_state",
    ] {
        assert_eq!(
            codes(&Bench::new(&[]).ask(12, &named(&[name]))),
            [(Some(name), 3)]
        );
    }
}

#[test]
fn a_topic_that_could_not_be_created_says_why_and_one_not_seen_yet_is_worth_asking_for_again() {
    for (said, told_code) in [
        (Code::InvalidTopicException, Code::InvalidTopicException),
        (
            Code::InvalidReplicationFactor,
            Code::InvalidReplicationFactor,
        ),
        (Code::RequestTimedOut, Code::RequestTimedOut),
        (Code::None, Code::LeaderNotAvailable),
        (Code::TopicAlreadyExists, Code::LeaderNotAvailable),
    ] {
        let mut bench = Bench::new(&[]);
        bench.send(12, &named(&["new"]));
        let (waiter, _) = wanted(&mut bench);
        bench.answer(waiter, results(&[("new", said)]));
        let (_, told) = bench.response::<MetadataResponse>(ApiKey::Metadata, 12);
        assert_eq!(codes(&told), [(Some("new"), told_code.number())]);
    }
}

#[test]
fn a_leader_that_is_not_to_be_reached_is_an_error_of_its_partition() {
    let told = |version, change: fn(&mut Image)| {
        let mut bench = Bench::new(&[("t", 1)]);
        bench.change(change);
        let told = bench.ask(version, &named(&["t"]));
        let partition = &told.topics[0].partitions[0];
        (
            partition.error_code.0,
            partition.leader_id,
            partition.offline_replicas.len(),
            told.controller_id,
        )
    };
    let fenced: fn(&mut Image) = |image| {
        image
            .brokers
            .values_mut()
            .for_each(|broker| broker.fenced = true)
    };
    let elsewhere: fn(&mut Image) = |image| {
        image
            .brokers
            .values_mut()
            .for_each(|broker| broker.endpoints[0].listener = "OTHER".into());
    };
    assert_eq!(told(12, fenced), (5, -1, 1, -1));
    assert_eq!(told(12, elsewhere), (72, -1, 1, -1));
    assert_eq!(told(5, elsewhere), (5, -1, 1, -1));
}

#[test]
fn authorized_operations_are_told_when_asked_for() {
    let told = |version, asks| {
        let mut request = named(&["t"]);
        request.include_topic_authorized_operations = asks;
        request.include_cluster_authorized_operations = asks && version <= 10;
        let told = Bench::new(&[("t", 1)]).ask(version, &request);
        (
            told.topics[0].topic_authorized_operations,
            told.cluster_authorized_operations,
        )
    };
    assert_eq!(told(10, true), (3576, 8096));
    assert_eq!(told(12, true), (3576, i32::MIN));
    assert_eq!(told(12, false), (i32::MIN, i32::MIN));
}

fn creatable(name: &str, configs: &[(&str, Option<&str>)]) -> CreatableTopic {
    let config = |&(name, value): &(&str, Option<&str>)| CreatableTopicConfig {
        name: name.into(),
        value: value.map(Into::into),
        ..CreatableTopicConfig::default()
    };
    CreatableTopic {
        name: name.into(),
        num_partitions: 1,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..CreatableTopic::default()
    }
}

fn create(topics: Vec<CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest {
        topics,
        ..CreateTopicsRequest::default()
    }
}

#[test]
fn gotcha_27_the_controllers_results_are_told_in_its_order_with_the_settings_that_each_topic_got() {
    for version in 2..=7 {
        let mut bench = Bench::new(&[]);
        bench.change(|image| {
            let node = crate::config::broker([("log.segment.bytes", "2097152")]).unwrap();
            image.defaults = Arc::new(node.topic.clone());
            image.node = Arc::new(node);
        });
        let topics = vec![
            creatable(
                "good",
                &[
                    ("retention.ms", Some("1")),
                    ("retention.ms", Some(" 1234 ")),
                ],
            ),
            creatable("a b", &[]),
            creatable("typo", &[("retention.mss", Some("1"))]),
        ];
        let asked = create(topics);
        bench.send(version, &asked);
        let (waiter, request) = wanted(&mut bench);
        assert_eq!(request, asked);
        let codes = [Code::None, Code::InvalidTopicException, Code::InvalidConfig];
        bench.answer(
            waiter,
            results(&[("good", codes[0]), ("a b", codes[1]), ("typo", codes[2])]),
        );
        let (_, told) = bench.response::<CreateTopicsResponse>(ApiKey::CreateTopics, version);
        let rows: Vec<_> = told
            .topics
            .iter()
            .map(|topic| (&*topic.name, topic.error_code.0))
            .collect();
        assert_eq!(rows, [("good", 0), ("a b", 17), ("typo", 40)]);
        let good = &told.topics[0];
        if version >= 5 {
            assert_eq!((good.num_partitions, good.replication_factor), (1, 1));
            let configs = good.configs.as_ref().unwrap();
            let named = |name: &str| {
                let config = configs.iter().find(|config| config.name == name).unwrap();
                (config.value.as_deref().unwrap(), config.config_source)
            };
            assert_eq!(named("retention.ms"), ("1234", 1));
            assert_eq!(named("segment.bytes"), ("2097152", 4));
            assert_eq!(named("sawlog.durability"), ("durable", 5));
        }
        assert_eq!(
            good.topic_id,
            if version >= 7 {
                id_of("good").0
            } else {
                Uuid::ZERO
            }
        );
    }
}
