//! What administrators ask: settings, the cluster, pages of partitions, trimming, sizes, producers, epochs, the quorum.
//! Held by the rows that come back. The shards' answers are the test's; what a shard knows is the node's.

use sawlog_wire::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use sawlog_wire::messages::describe_configs::{
    DescribeConfigsResource, DescribeConfigsResourceResult,
};
use sawlog_wire::messages::describe_topic_partitions::{Cursor, TopicRequest};
use sawlog_wire::messages::*;

use super::*;
use crate::answer::{ProducerTold, QuorumTold};
use crate::config::{SHOWN, TOPIC};
use crate::file::Free;
use crate::ids::{ProducerEpoch, ProducerId, Term};

fn describe(
    bench: &mut Bench,
    kind: i8,
    name: &str,
    keys: Option<&[&str]>,
) -> (Code, Vec<DescribeConfigsResourceResult>) {
    let keys = keys.map(|keys| keys.iter().map(ToString::to_string).collect());
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: kind,
            resource_name: name.into(),
            configuration_keys: keys,
            ..Default::default()
        }],
        include_synonyms: true,
        ..Default::default()
    };
    let mut told = bench.ask(4, &request);
    let result = told.results.remove(0);
    (result.error_code.code().unwrap(), result.configs)
}

#[test]
fn gotcha_28_every_setting_of_a_topic_is_told_with_its_source_and_synonyms() {
    let mut bench = Bench::new(&[("t", 1)]);
    bench.change(|image| {
        let node = crate::config::broker([("log.retention.bytes", "77")]).unwrap();
        image.defaults = Arc::new(node.topic.clone());
        image.node = Arc::new(node);
        let given = [("segment.bytes".to_string(), "1048576".to_string())];
        image.configs.insert("t".into(), given.into());
        let mut topic = Topic::clone(&image.topics["t"]);
        let config = Arc::make_mut(&mut topic.config);
        config.segment_bytes = 1 << 20;
        config.retention_bytes = Some(77);
        image.topics.insert("t".into(), Arc::new(topic));
    });
    let (code, configs) = describe(&mut bench, 2, "t", None);
    assert_eq!(code, Code::None);
    assert_eq!(configs.len(), TOPIC.len() + SHOWN.len());
    let one = |name: &str| {
        let told = configs.iter().find(|config| config.name == name).unwrap();
        let synonyms: Vec<_> = told
            .synonyms
            .iter()
            .map(|synonym| (synonym.name.as_str(), synonym.source))
            .collect();
        let value = told.value.as_deref().unwrap();
        (value, told.config_source, told.config_type, synonyms)
    };
    let own = vec![("segment.bytes", 1), ("log.segment.bytes", 5)];
    assert_eq!(one("segment.bytes"), ("1048576", 1, 3, own));
    let brokers = vec![("log.retention.bytes", 4), ("log.retention.bytes", 5)];
    assert_eq!(one("retention.bytes"), ("77", 4, 5, brokers));
    let shown = vec![("cleanup.policy", 5)];
    assert_eq!(one("cleanup.policy"), ("delete", 5, 7, shown));
    let (_, some) = describe(&mut bench, 2, "t", Some(&["segment.ms", "no.such.key"]));
    assert_eq!(some.len(), 1);
}

#[test]
fn settings_are_told_of_what_there_is_and_of_this_broker() {
    let mut bench = Bench::new(&[("t", 1)]);
    let codes = [
        (2, "absent", Code::UnknownTopicOrPartition),
        (2, "a b", Code::InvalidTopicException),
        (4, "1", Code::None),
        (4, "", Code::None),
        (4, "2", Code::InvalidRequest),
        (9, "t", Code::InvalidRequest),
        (4, "01", Code::InvalidRequest),
    ];
    for (kind, name, code) in codes {
        assert_eq!(
            describe(&mut bench, kind, name, None).0,
            code,
            "{kind} {name}"
        );
    }
    let (_, told) = describe(&mut bench, 4, "1", Some(&["num.partitions"]));
    assert_eq!(told[0].value.as_deref(), Some("1"));
    assert!(told[0].read_only, "it is read at the start");
}

#[test]
fn gotcha_28_a_brokers_setting_is_told_with_everybody_who_says_something_of_it() {
    let mut bench = Bench::new(&[("t", 1)]);
    bench.change(|image| {
        let given = [
            ("log.retention.hours", "5"),
            ("log.segment.bytes", "2097152"),
        ];
        image.node = Arc::new(crate::config::broker(given).unwrap());
    });
    let told = |bench: &mut Bench, kind: i8, name: &str, key: &str| {
        let (_, mut told) = describe(bench, kind, name, Some(&[key]));
        let told = told.pop()?;
        let said: Vec<(String, String, i8)> = told
            .synonyms
            .into_iter()
            .map(|one| (one.name, one.value.unwrap(), one.source))
            .collect();
        Some((told.value, told.read_only, told.config_source, said))
    };
    let said = |all: &[(&str, &str, i8)]| -> Vec<(String, String, i8)> {
        let one = |(name, value, source): &(&str, &str, i8)| {
            ((*name).to_string(), (*value).to_string(), *source)
        };
        all.iter().map(one).collect()
    };
    let hours = [
        ("log.retention.hours", "5", 4),
        ("log.retention.hours", "168", 5),
    ];
    let retention = |bench: &mut Bench, kind, name| {
        let key = if kind == 2 {
            "retention.ms"
        } else {
            "log.retention.ms"
        };
        told(bench, kind, name, key)
    };
    let expected = Some((None, false, 4, said(&hours)));
    assert_eq!(retention(&mut bench, 4, "1"), expected);
    assert_eq!(
        retention(&mut bench, 4, ""),
        None,
        "nobody said anything of all"
    );
    bench.change(|image| {
        let say = |whose: &str, value: &str| {
            let given = [("log.retention.ms".to_string(), value.to_string())];
            ((4, whose.to_string()), given.into())
        };
        image.settings = [say("", "7000"), say("1", "8000"), say("2", "9000")].into();
    });
    let all = [
        ("log.retention.ms", "8000", 2),
        ("log.retention.ms", "7000", 3),
        hours[0],
        hours[1],
    ];
    let expected = Some((Some("8000".to_string()), false, 2, said(&all)));
    assert_eq!(retention(&mut bench, 4, "1"), expected);
    let expected = Some((Some("7000".to_string()), false, 3, said(&all[1..2])));
    assert_eq!(retention(&mut bench, 4, ""), expected);
    let topic = retention(&mut bench, 2, "t").unwrap();
    assert_eq!((topic.2, topic.3), (2, said(&all)));
    let segment = [
        ("log.segment.bytes", "2097152", 4),
        ("log.segment.bytes", "1073741824", 5),
    ];
    let expected = Some((Some("2097152".to_string()), false, 4, said(&segment)));
    assert_eq!(told(&mut bench, 4, "1", "log.segment.bytes"), expected);
    let shown = Some((
        Some("delete".to_string()),
        false,
        5,
        said(&[("log.cleanup.policy", "delete", 5)]),
    ));
    assert_eq!(told(&mut bench, 4, "1", "log.cleanup.policy"), shown);
}

#[test]
pub(super) fn a_resource_named_without_end_is_refused_before_it_is_told_128() {
    let named = |times: usize| DescribeConfigsRequest {
        resources: vec![
            DescribeConfigsResource {
                resource_type: 4,
                resource_name: "1".into(),
                ..Default::default()
            };
            times
        ],
        include_documentation: true,
        ..Default::default()
    };
    let mut bench = Bench::new(&[("t", 1)]);
    let told = bench.ask(4, &named(65));
    assert!(told.results.iter().all(|result| result.configs.len() > 20));
    assert_eq!(told.results.len(), 65, "as Kafka does");
    bench.send(4, &named(66));
    assert!(bench.closed().contains("cannot be read"));
}

#[test]
fn the_cluster_is_told_and_other_endpoints_are_refused() {
    let mut bench = Bench::new(&[]);
    let told = bench.ask(2, &DescribeClusterRequest::default());
    assert_eq!(
        (told.cluster_id.as_str(), told.controller_id),
        ("cluster", 1)
    );
    assert_eq!(told.brokers[0].host, "here.example");
    for (endpoint_type, code) in [
        (2, Code::MismatchedEndpointType),
        (7, Code::UnsupportedEndpointType),
    ] {
        let request = DescribeClusterRequest {
            endpoint_type,
            ..Default::default()
        };
        let told = bench.ask(2, &request);
        assert_eq!(told.error_code, code);
    }
}

#[test]
fn partitions_are_told_by_pages_that_together_are_whole() {
    let mut bench = Bench::new(&[("a", 3), ("b", 1), ("c", 4)]);
    for limit in 1..=9 {
        let (mut cursor, mut seen): (Option<Cursor>, Vec<(String, i32)>) = Default::default();
        loop {
            let request = DescribeTopicPartitionsRequest {
                response_partition_limit: limit,
                cursor: cursor.take(),
                ..Default::default()
            };
            let page = bench.ask(0, &request);
            let mut rows = 0;
            for topic in page.topics {
                for partition in topic.partitions {
                    assert_eq!((partition.leader_id, partition.leader_epoch), (1, 4));
                    seen.push((topic.name.clone().unwrap(), partition.partition_index));
                    rows += 1;
                }
            }
            assert!(rows <= limit, "{rows} of {limit}");
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        let all = [("a", 3), ("b", 1), ("c", 4)];
        let expected: Vec<_> = all
            .iter()
            .flat_map(|(name, n)| (0..*n).map(move |i| (name.to_string(), i)))
            .collect();
        assert_eq!(seen, expected, "pages of {limit}");
    }
    let topic = |name: &str| TopicRequest {
        name: name.into(),
        ..Default::default()
    };
    let request = DescribeTopicPartitionsRequest {
        topics: vec![topic("z"), topic("b")],
        response_partition_limit: 10,
        ..Default::default()
    };
    let codes: Vec<_> = bench
        .ask(0, &request)
        .topics
        .iter()
        .map(|topic| {
            (
                topic.name.clone().unwrap(),
                topic.error_code.code().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("b".to_string(), Code::None),
        ("z".to_string(), Code::UnknownTopicOrPartition),
    ];
    assert_eq!(codes, expected);
}

#[test]
fn each_log_is_trimmed_by_its_shard_and_each_row_is_answered() {
    let mut bench = Bench::new(&[("t", 2)]);
    let row = |partition_index, offset| DeleteRecordsPartition {
        partition_index,
        offset,
        ..Default::default()
    };
    let request = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name: "t".into(),
            partitions: vec![row(0, 5), row(1, -1), row(7, 5), row(0, -2)],
            ..Default::default()
        }],
        timeout_ms: 1000,
        ..Default::default()
    };
    bench.send(2, &request);
    let asks = bench.asks();
    assert_eq!(asks.len(), 2);
    for (_, waiter, part) in asks {
        let Part::Trim(part) = part else {
            panic!("{part:?}")
        };
        let start = part.to.unwrap_or(Offset(9));
        let code = Code::None;
        bench.answer(waiter, Response::Trimmed { code, start });
    }
    let (_, told) = bench.response::<DeleteRecordsResponse>(ApiKey::DeleteRecords, 2);
    let rows: Vec<_> = told.topics[0]
        .partitions
        .iter()
        .map(|row| (row.low_watermark, row.error_code.code().unwrap()))
        .collect();
    let expected = [
        (5, Code::None),
        (9, Code::None),
        (-1, Code::UnknownTopicOrPartition),
        (-1, Code::OffsetOutOfRange),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn sizes_of_all_shards_are_told_of_the_topics_asked_for() {
    let mut bench = Bench::new(&[("a", 2), ("b", 1)]);
    for (topics, expected) in [
        (
            None,
            vec![("a", vec![(0, 10), (1, 20)]), ("b", vec![(0, 30)])],
        ),
        (
            Some(vec![describe_log_dirs::DescribableLogDirTopic {
                topic: "a".into(),
                partitions: vec![1, 9],
                ..Default::default()
            }]),
            vec![("a", vec![(1, 20)])],
        ),
    ] {
        bench.send(
            5,
            &DescribeLogDirsRequest {
                topics,
                ..Default::default()
            },
        );
        let asks = bench.asks();
        assert_eq!(asks.len(), usize::from(SHARDS));
        let logs = [
            vec![(log("a", 1), 20), (log("b", 0), 30)],
            vec![(log("a", 0), 10)],
        ];
        for ((_, waiter, _), logs) in asks.into_iter().zip(logs) {
            let space = Free {
                total: 1000,
                free: 400,
            };
            let code = Code::None;
            bench.answer(waiter, Response::Sizes { code, logs, space });
        }
        let (_, told) = bench.response::<DescribeLogDirsResponse>(ApiKey::DescribeLogDirs, 5);
        let dir = &told.results[0];
        assert_eq!((dir.total_bytes, dir.usable_bytes), (1000, 400));
        let sizes: Vec<_> = dir
            .topics
            .iter()
            .map(|topic| {
                let sizes = topic.partitions.iter();
                let sizes = sizes.map(|row| (row.partition_index, row.partition_size));
                (topic.name.as_str(), sizes.collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(sizes, expected);
    }
}

#[test]
fn epochs_producers_and_the_quorum_are_told_as_their_shards_know_them() {
    let mut bench = Bench::new(&[("t", 1)]);
    let partition = offset_for_leader_epoch::OffsetForLeaderPartition {
        current_leader_epoch: 4,
        leader_epoch: 3,
        ..Default::default()
    };
    let topic = offset_for_leader_epoch::OffsetForLeaderTopic {
        topic: "t".into(),
        partitions: vec![partition],
        ..Default::default()
    };
    let request = OffsetForLeaderEpochRequest {
        topics: vec![topic],
        ..Default::default()
    };
    bench.send(4, &request);
    let (waiter, part) = bench.asked();
    let Part::EpochEnd(part) = part else {
        panic!("{part:?}")
    };
    assert_eq!(
        (part.current, part.epoch),
        (Some(LeaderEpoch(4)), LeaderEpoch(3))
    );
    let (code, epoch, end) = (Code::None, LeaderEpoch(2), Offset(17));
    bench.answer(waiter, Response::EpochEnd { code, epoch, end });
    let (_, told) = bench.response::<OffsetForLeaderEpochResponse>(ApiKey::OffsetForLeaderEpoch, 4);
    let row = &told.topics[0].partitions[0];
    assert_eq!((row.leader_epoch, row.end_offset), (2, 17));

    let topic = describe_producers::TopicRequest {
        name: "t".into(),
        partition_indexes: vec![0],
        ..Default::default()
    };
    let request = DescribeProducersRequest {
        topics: vec![topic],
        ..Default::default()
    };
    bench.send(0, &request);
    let (waiter, _) = bench.asked();
    let producer = ProducerTold {
        id: ProducerId(8),
        epoch: ProducerEpoch(2),
        last_sequence: 41,
        last_timestamp: 99,
    };
    let producers = vec![producer];
    bench.answer(waiter, Response::Producers { code, producers });
    let (_, told) = bench.response::<DescribeProducersResponse>(ApiKey::DescribeProducers, 0);
    let row = &told.topics[0].partitions[0].active_producers[0];
    assert_eq!((row.producer_id, row.producer_epoch), (8, 2));
    assert_eq!((row.last_sequence, row.last_timestamp), (41, 99));

    let topic = describe_quorum::RequestTopicData {
        topic_name: "__cluster_metadata".into(),
        partitions: vec![Default::default()],
        ..Default::default()
    };
    let request = DescribeQuorumRequest {
        topics: vec![topic],
        ..Default::default()
    };
    let told = QuorumTold {
        leader: BrokerId(1),
        directory: Uuid::ONE,
        term: Term(6),
        hw: Offset(30),
        end: Offset(31),
    };
    for version in 0..=2 {
        bench.send(version, &request);
        let (waiter, _) = bench.asked();
        bench.answer(waiter, Response::Quorum(Some(told)));
        let (_, told) = bench.response::<DescribeQuorumResponse>(ApiKey::DescribeQuorum, version);
        let row = &told.topics[0].partitions[0];
        assert_eq!(
            (row.leader_id, row.leader_epoch, row.high_watermark),
            (1, 6, 30)
        );
        assert_eq!(row.current_voters[0].log_end_offset, 31);
    }
}
