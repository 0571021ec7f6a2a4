//! What holds for every request of a connection: order, bounds, versions, and the words when it is closed.
//! What one key means stands in the file of that key; that every row of the table is answered is held here.

use sawlog_wire::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, DescribeClusterRequest, InitProducerIdRequest,
    ListOffsetsRequest, MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse,
};

use super::producing::produce;
use sawlog_wire::messages;

use super::*;
use crate::api::OPEN_MAX;

fn versions(name: &str, version: &str) -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: name.into(),
        client_software_version: version.into(),
        ..ApiVersionsRequest::default()
    }
}

fn head(key: i16, version: i16, tail: &[u8]) -> Bytes {
    let mut frame = [key.to_be_bytes(), version.to_be_bytes()].concat();
    frame.extend([0, 0, 0, 7, 0, 4]);
    frame.extend(b"kcat");
    frame.extend(tail);
    frame.into()
}

#[test]
fn gotcha_01_an_unknown_version_of_api_versions_gets_error_35_in_a_v0_body_with_the_keys_own_range()
{
    for version in [6, 99, i16::MAX, -1] {
        let mut bench = Bench::new(&[]);
        // The body is of a form that nobody knows yet, so it is not looked at.
        bench.raw(head(18, version, &[0xff; 40]));
        let (correlation, told) = bench.response::<ApiVersionsResponse>(ApiKey::ApiVersions, 0);
        assert_eq!((correlation, told.error_code.0), (7, 35));
        let ranges: Vec<_> = told
            .api_keys
            .iter()
            .map(|key| (key.api_key, key.min_version, key.max_version))
            .collect();
        assert_eq!(ranges, [(18, 0, 5)]);
        // The client steps down on the same connection.
        let told = bench.ask(0, &ApiVersionsRequest::default());
        assert!(told.error_code.is_none() && told.api_keys.len() > 1);
    }
}

#[test]
fn gotcha_02_illegal_software_names_get_invalid_request_and_the_connection_lives() {
    for (name, version) in [
        ("", "1"),
        ("-a", "1"),
        ("a b", "1"),
        ("é", "1"),
        ("a", "v 1"),
        ("a", ""),
        ("a", "1-"),
    ] {
        for api_version in 3..=5 {
            let mut bench = Bench::new(&[]);
            let told = bench.ask(api_version, &versions(name, version));
            assert_eq!(
                told.error_code,
                Code::InvalidRequest,
                "{name:?} {version:?}"
            );
            assert!(told.api_keys.is_empty());
            assert_eq!(bench.conn.software(), None);
            assert!(
                bench
                    .ask(api_version, &versions("a.b-c", "1.2-rc1"))
                    .error_code
                    .is_none()
            );
            assert_eq!(bench.conn.software(), Some("a.b-c 1.2-rc1"));
        }
    }
    // Before version 3 there is no name to be wrong.
    assert!(
        Bench::new(&[])
            .ask(2, &ApiVersionsRequest::default())
            .error_code
            .is_none()
    );
}

#[test]
fn gotcha_03_the_ranges_told_are_those_of_the_table_and_produce_starts_at_0() {
    let told = Bench::new(&[]).ask(3, &versions("a", "1"));
    let ranges: Vec<_> = told
        .api_keys
        .iter()
        .map(|key| (key.api_key, key.min_version, key.max_version))
        .collect();
    let expected = [
        (0, 0, 13),
        (1, 4, 18),
        (2, 1, 11),
        (3, 0, 13),
        (10, 0, 6),
        (18, 0, 5),
        (19, 2, 7),
        (20, 1, 6),
        (21, 0, 2),
        (22, 0, 5),
        (23, 2, 4),
        (32, 1, 4),
        (33, 0, 2),
        (35, 1, 5),
        (37, 0, 3),
        (44, 0, 1),
        (55, 0, 2),
        (60, 0, 2),
        (61, 0, 0),
        (74, 0, 1),
        (75, 0, 0),
    ];
    assert_eq!(ranges, expected);
}

#[test]
fn features_whose_least_level_is_0_are_told_from_version_4_on() {
    let names = |version| {
        let told = Bench::new(&[]).ask(version, &versions("a", "1"));
        assert_eq!(told.finalized_features_epoch, 77);
        let finalized = told
            .finalized_features
            .iter()
            .map(|feature| (feature.name.clone(), feature.max_version_level));
        let expected = [
            ("kraft.version".to_string(), 1),
            ("metadata.version".to_string(), 30),
        ];
        assert_eq!(finalized.collect::<Vec<_>>(), expected);
        told.supported_features
            .into_iter()
            .map(|feature| feature.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(3), ["metadata.version"]);
    assert_eq!(names(4), ["kraft.version", "metadata.version"]);
}

#[test]
fn a_client_that_means_another_cluster_or_node_is_sent_to_its_bootstrap_addresses() {
    let told = |cluster: Option<&str>, node_id| {
        let cluster_id = cluster.map(Into::into);
        let request = ApiVersionsRequest {
            cluster_id,
            node_id,
            ..versions("a", "1")
        };
        Bench::new(&[]).ask(5, &request).error_code
    };
    assert_eq!(told(Some("another"), -1), Code::RebootstrapRequired);
    assert_eq!(told(Some("cluster"), 2), Code::RebootstrapRequired);
    assert_eq!(told(Some("cluster"), 1), Code::None);
    assert_eq!(told(None, -1), Code::None);
}

#[test]
fn gotcha_09_an_unknown_key_or_version_closes_and_the_line_names_key_version_and_client() {
    for (key, version, name) in [
        (0, 2, "Produce"),
        (1, 3, "Fetch"),
        (3, 99, "Metadata"),
        (3, -1, "Metadata"),
        (999, 0, "unknown"),
        (56, 2, "AlterPartition"),
    ] {
        let mut bench = Bench::new(&[]);
        bench.ask(3, &versions("librdkafka", "2.8.0"));
        bench.raw(head(key, version, &[0; 30]));
        let why = bench.closed();
        let wanted =
            format!("{name} (key {key}) version {version} of client \"kcat\" (librdkafka 2.8.0)");
        assert!(why.starts_with(&wanted), "{why}");
        assert!(bench.frames().is_empty());
        // What follows on a connection that is closed is not looked at.
        bench.raw(head(3, 0, &[0; 4]));
        assert!(bench.frames().is_empty() && bench.asks().is_empty());
    }
}

#[test]
fn keys_between_nodes_are_not_on_a_clients_listener() {
    for key in [4, 5, 6, 7, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 83] {
        let mut bench = Bench::new(&[]);
        bench.raw(head(key, 0, &[0; 8]));
        assert!(bench.closed().contains("not served here"));
    }
}

#[test]
fn a_listener_for_controllers_serves_what_asks_the_quorum_and_nothing_of_records() {
    let mut bench = Bench::new(&[]);
    bench.change(|image| {
        let at = Endpoint {
            listener: "CONTROLLER".into(),
            host: "quorum.example".into(),
            port: 9093,
        };
        let controller = crate::cluster::image::Controller {
            incarnation: Uuid::ONE,
            endpoints: vec![at],
            features: Vec::new(),
        };
        image.controllers.insert(BrokerId(1), controller);
    });
    let to = |bench: &mut Bench, listener: &str, audience| {
        let id = ConnId {
            shard: ShardId(1),
            number: 6,
        };
        bench.conn = Conn::new(id, Door::of(listener), audience, None);
    };
    let asks = |endpoint_type| DescribeClusterRequest {
        endpoint_type,
        ..Default::default()
    };
    let mismatched = Some(Code::MismatchedEndpointType);
    assert_eq!(bench.ask(1, &asks(2)).error_code.code(), mismatched);
    to(&mut bench, "CONTROLLER", Audience::Controllers);
    let told = bench.ask(1, &asks(2));
    assert!(told.error_code.is_none(), "{told:?}");
    assert_eq!((told.endpoint_type, told.controller_id), (2, 1));
    let at = &told.brokers[0];
    assert_eq!(
        (at.broker_id, &*at.host, at.port),
        (1, "quorum.example", 9093)
    );
    assert_eq!(bench.ask(1, &asks(1)).error_code.code(), mismatched);
    let told = bench.ask(3, &versions("tester", "1"));
    let keys: Vec<i16> = told.api_keys.iter().map(|row| row.api_key).collect();
    assert_eq!(keys, [18, 19, 20, 32, 33, 37, 44, 55, 60]);
    for key in [ApiKey::Produce, ApiKey::Fetch, ApiKey::Metadata] {
        to(&mut bench, "CONTROLLER", Audience::Controllers);
        bench.raw(head(key.number(), 12, &[0; 8]));
        assert!(bench.closed().contains("this key is not served here"));
    }
}

#[test]
fn replies_leave_in_the_order_of_requests_whatever_the_order_of_answers() {
    let mut bench = Bench::new(&[("t", 1)]);
    bench.send(9, &produce(&[("t", 0)], -1));
    bench.send(9, &produce(&[("t", 0)], -1));
    bench.send(12, &MetadataRequest::default());
    let waiters: Vec<Waiter> = bench
        .asks()
        .into_iter()
        .map(|(_, waiter, _)| waiter)
        .collect();
    assert!(
        bench.frames().is_empty(),
        "the third request was ready and had to wait"
    );
    bench.answer(waiters[1], stored(1));
    assert!(bench.frames().is_empty());
    bench.answer(waiters[0], stored(0));
    let frames = bench.frames();
    assert_eq!(frames.len(), 3);
    assert_eq!(read::<ProduceResponse>(&frames[0], ApiKey::Produce, 9).0, 1);
    let (second, told) = read::<ProduceResponse>(&frames[1], ApiKey::Produce, 9);
    assert_eq!(
        (second, told.responses[0].partition_responses[0].base_offset),
        (2, 1)
    );
    assert_eq!(
        read::<MetadataResponse>(&frames[2], ApiKey::Metadata, 12).0,
        3
    );
}

#[test]
pub(super) fn at_most_64_requests_are_open_and_room_says_so() {
    let mut bench = Bench::new(&[("t", 1)]);
    for open in 0..OPEN_MAX {
        assert!(bench.conn.room(), "{open}");
        bench.send(9, &produce(&[("t", 0)], 1));
    }
    assert!(!bench.conn.room());
    let first = bench.asks()[0].1;
    bench.answer(first, stored(0));
    assert!(bench.conn.room());
    bench.send(9, &produce(&[("t", 0)], 1));
    // A driver that reads on although there is no room is told so.
    bench.send(9, &produce(&[("t", 0)], 1));
    assert!(bench.closed().contains("64 requests are open"));
}

#[test]
pub(super) fn an_answer_for_a_request_that_is_gone_or_never_was_is_dropped() {
    let mut bench = Bench::new(&[("t", 1)]);
    bench.send(9, &produce(&[("t", 0)], 1));
    let (waiter, _) = bench.asked();
    for odd in [
        Waiter {
            request: waiter.request + 1,
            ..waiter
        },
        Waiter {
            request: u64::MAX - 1,
            ..waiter
        },
        Waiter { part: 1, ..waiter },
        Waiter {
            part: u32::MAX,
            ..waiter
        },
    ] {
        bench.answer(odd, stored(5));
        bench.answer(odd, Response::Watched);
    }
    bench.answer(waiter, Response::Watched);
    bench.answer(waiter, not_there(Code::OffsetOutOfRange));
    assert!(bench.frames().is_empty());
    bench.answer(waiter, stored(0));
    bench.send(9, &produce(&[("t", 0)], 1));
    // The first request is answered and gone; the second one waits in its place.
    bench.answer(waiter, stored(9));
    let (_, told) = bench.response::<ProduceResponse>(ApiKey::Produce, 9);
    assert_eq!(told.responses[0].partition_responses[0].base_offset, 0);
    assert_eq!(bench.conn.open(), 1);
}

#[test]
fn bytes_that_are_no_request_close_with_a_line_that_names_them() {
    for frame in [
        &[][..],
        &[0],
        &[0, 3, 0, 9],
        &[0, 3, 0, 9, 0, 0, 0, 1, 0, 9, 1],
    ] {
        let mut bench = Bench::new(&[]);
        bench.raw(Bytes::copy_from_slice(frame));
        assert!(bench.closed().contains("has no header"));
    }
    let mut bench = Bench::new(&[]);
    bench.raw(head(3, 8, &i32::MAX.to_be_bytes()));
    assert!(
        bench
            .closed()
            .starts_with("Metadata (key 3) version 8 of client \"kcat\" cannot be read: ")
    );
}

#[test]
fn a_producer_id_comes_from_shard_0_and_transactions_are_refused_for_good() {
    let mut bench = Bench::new(&[]);
    bench.send(
        4,
        &InitProducerIdRequest {
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        },
    );
    let asks = bench.asks();
    assert!(
        matches!(asks[..], [(ShardId(0), _, Part::ProducerId(_))]),
        "{asks:?}"
    );
    let (id, epoch) = (crate::ids::ProducerId(9), crate::ids::ProducerEpoch(0));
    bench.answer(
        asks[0].1,
        Response::ProducerId {
            code: Code::None,
            id,
            epoch,
        },
    );
    let (_, told) =
        bench.response::<sawlog_wire::messages::InitProducerIdResponse>(ApiKey::InitProducerId, 4);
    assert_eq!(
        (told.error_code.0, told.producer_id, told.producer_epoch),
        (0, 9, 0)
    );

    for (transactional_id, producer_id, producer_epoch) in [
        (Some("t"), -1, -1),
        (Some(""), -1, -1),
        (None, 5, -1),
        (None, -1, 5),
    ] {
        let transactional_id = transactional_id.map(Into::into);
        let request = InitProducerIdRequest {
            transactional_id,
            producer_id,
            producer_epoch,
            ..Default::default()
        };
        let told = bench.ask(4, &request);
        assert_eq!(told.error_code, Code::InvalidRequest);
        assert!(!Code::InvalidRequest.retriable());
        assert_eq!((told.producer_id, told.producer_epoch), (-1, -1));
    }
    assert_eq!(bench.out.warn.len(), 1);
}

#[test]
fn every_key_and_version_served_is_answered() {
    for row in super::super::table::ROWS {
        for version in row.served.iter() {
            let mut bench = Bench::new(&[("t", 1)]);
            match row.key {
                ApiKey::ListOffsets => bench.send(version, &ListOffsetsRequest::default()),
                ApiKey::Produce => bench.send(
                    version,
                    &ProduceRequest {
                        acks: 1,
                        ..ProduceRequest::default()
                    },
                ),
                ApiKey::Fetch => {
                    bench.send(version, &sawlog_wire::messages::FetchRequest::default())
                }
                ApiKey::Metadata => bench.send(
                    version,
                    &MetadataRequest {
                        topics: Some(vec![]),
                        ..Default::default()
                    },
                ),
                ApiKey::FindCoordinator => {
                    bench.send(
                        version,
                        &sawlog_wire::messages::FindCoordinatorRequest::default(),
                    );
                }
                ApiKey::ApiVersions => bench.send(version, &versions("a", "1")),
                ApiKey::CreateTopics => bench.send(
                    version,
                    &sawlog_wire::messages::CreateTopicsRequest::default(),
                ),
                ApiKey::InitProducerId => {
                    let transactional_id = Some(String::new());
                    bench.send(
                        version,
                        &InitProducerIdRequest {
                            transactional_id,
                            ..Default::default()
                        },
                    );
                }
                ApiKey::DeleteTopics => {
                    bench.send(version, &messages::DeleteTopicsRequest::default())
                }
                ApiKey::DeleteRecords => {
                    bench.send(version, &messages::DeleteRecordsRequest::default())
                }
                ApiKey::AlterConfigs => {
                    bench.send(version, &messages::AlterConfigsRequest::default())
                }
                ApiKey::CreatePartitions => {
                    bench.send(version, &messages::CreatePartitionsRequest::default())
                }
                ApiKey::IncrementalAlterConfigs => bench.send(
                    version,
                    &messages::IncrementalAlterConfigsRequest::default(),
                ),
                ApiKey::OffsetForLeaderEpoch => {
                    bench.send(version, &messages::OffsetForLeaderEpochRequest::default())
                }
                ApiKey::DescribeConfigs => {
                    bench.send(version, &messages::DescribeConfigsRequest::default())
                }
                ApiKey::DescribeLogDirs => {
                    bench.send(version, &messages::DescribeLogDirsRequest::default())
                }
                ApiKey::DescribeQuorum => {
                    bench.send(version, &messages::DescribeQuorumRequest::default())
                }
                ApiKey::DescribeCluster => {
                    bench.send(version, &messages::DescribeClusterRequest::default())
                }
                ApiKey::DescribeProducers => {
                    bench.send(version, &messages::DescribeProducersRequest::default())
                }
                ApiKey::ListConfigResources => {
                    bench.send(version, &messages::ListConfigResourcesRequest::default())
                }
                ApiKey::DescribeTopicPartitions => bench.send(
                    version,
                    &messages::DescribeTopicPartitionsRequest::default(),
                ),
                key => panic!("{key:?} is served, and this test does not send it"),
            }
            for (_, waiter, part) in bench.asks() {
                bench.answer(waiter, nothing_told(&part));
            }
            assert_eq!(
                bench.frames().len(),
                1,
                "{} {version}: {:?}",
                row.key,
                bench.out.close
            );
        }
    }
}
