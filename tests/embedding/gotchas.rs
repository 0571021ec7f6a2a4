//! What other brokers told clients that was not so (gotchas 4, 6 and 7 of the protocol), asked of a node as a client asks it:
//! by bytes, over a connection. What one key does by itself stands beside that key, in `sawlog-core`.

use std::collections::BTreeSet;

use sawlog_broker::memory::{ApiKey, Code, Node};
use sawlog_wire::messages::create_topics::CreatableTopic;
use sawlog_wire::messages::fetch::{FetchPartition, FetchTopic};
use sawlog_wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use sawlog_wire::messages::metadata::{MetadataRequestTopic, MetadataResponseTopic};
use sawlog_wire::messages::offset_for_leader_epoch::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use sawlog_wire::messages::{
    ApiVersionsRequest, ApiVersionsResponse, CreateTopicsRequest, FetchRequest, ListOffsetsRequest,
    MetadataRequest, OffsetForLeaderEpochRequest,
};
use sawlog_wire::records::BatchHeader;
use sawlog_wire::{Request, Uuid};
use tests::client::{Connection, Place};

use crate::story;

fn ask<R: Request>(wire: &mut Connection, version: i16, request: &R) -> R::Response {
    wire.send(version, request).unwrap();
    wire.receive::<R>(version).unwrap()
}

fn versions(wire: &mut Connection, version: i16) -> ApiVersionsResponse {
    let request = ApiVersionsRequest {
        client_software_name: "gotchas".to_owned(),
        client_software_version: "1".to_owned(),
        ..Default::default()
    };
    ask(wire, version, &request)
}

/// The newest version of a key that is offered; none where the key is not.
fn newest(told: &ApiVersionsResponse, key: ApiKey) -> Option<i16> {
    let mut rows = told.api_keys.iter();
    rows.find(|row| row.api_key == key.number())
        .map(|row| row.max_version)
}

fn all_topics(wire: &mut Connection) -> Vec<MetadataResponseTopic> {
    let all = MetadataRequest {
        topics: None,
        ..Default::default()
    };
    ask(wire, 12, &all).topics
}

#[test]
fn gotcha_04_versions_by_topic_id_are_offered_with_metadata_12_and_every_topic_has_an_id() {
    story(async {
        let mut node = Node::start().await.unwrap();
        let mut wire = Connection::open(node.address()).unwrap();
        let told = versions(&mut wire, 3);
        let by_id = [(ApiKey::Fetch, 13), (ApiKey::Produce, 13)];
        assert!(
            by_id
                .iter()
                .all(|(key, from)| newest(&told, *key) >= Some(*from))
        );
        assert!(newest(&told, ApiKey::Metadata) >= Some(12));
        // By the oldest request that there is, by the newest, and by whoever first asks for it in the oldest words.
        for (version, name) in [(2, "old"), (7, "new")] {
            let topic = CreatableTopic {
                name: name.to_owned(),
                num_partitions: 2,
                replication_factor: 1,
                ..Default::default()
            };
            let request = CreateTopicsRequest {
                topics: vec![topic],
                timeout_ms: 60_000,
                ..Default::default()
            };
            let made = ask(&mut wire, version, &request);
            assert!(made.topics[0].error_code.is_none(), "{made:?}");
        }
        let by_use = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic {
                name: Some("by-use".to_owned()),
                ..Default::default()
            }]),
            ..Default::default()
        };
        ask(&mut wire, 1, &by_use);
        let ids = |topics: &[MetadataResponseTopic]| -> BTreeSet<Uuid> {
            topics.iter().map(|topic| topic.topic_id).collect()
        };
        let topics = all_topics(&mut wire);
        assert_eq!((topics.len(), ids(&topics).len()), (3, 3), "{topics:?}");
        assert!(!ids(&topics).contains(&Uuid::ZERO));
        node.restart().await.unwrap();
        let mut wire = Connection::open(node.address()).unwrap();
        assert_eq!(ids(&all_topics(&mut wire)), ids(&topics));
        // One that is deleted and made again is another.
        wire.delete_topic("old").unwrap();
        wire.create_topic("old", 2, &[]).unwrap();
        let again = all_topics(&mut wire);
        assert_eq!(ids(&again).intersection(&ids(&topics)).count(), 2);
        let nobodys = FetchRequest {
            topics: vec![FetchTopic {
                partitions: vec![FetchPartition::default()],
                ..Default::default()
            }],
            ..Default::default()
        };
        let told = ask(&mut wire, 13, &nobodys);
        let code = told.responses[0].partitions[0].error_code;
        assert_eq!(code.code(), Some(Code::UnknownTopicId));
    });
}

#[test]
fn gotcha_06_transactions_of_the_second_kind_are_claimed_only_where_they_are_offered() {
    story(async {
        let node = Node::start().await.unwrap();
        let mut wire = Connection::open(node.address()).unwrap();
        for version in 3..=5 {
            let told = versions(&mut wire, version);
            assert!(told.finalized_features_epoch >= 0, "{told:?}");
            let mut finalized = told.finalized_features.iter();
            let level = finalized
                .find(|feature| feature.name == "transaction.version")
                .map_or(0, |feature| feature.max_version_level);
            let ends = newest(&told, ApiKey::EndTxn);
            assert_eq!(
                level >= 2,
                ends >= Some(5),
                "level {level}, EndTxn {ends:?}"
            );
            let known = told.finalized_features.iter().all(|one| {
                let mut supported = told.supported_features.iter();
                let range = supported.find(|feature| feature.name == one.name);
                // Before version 4 what begins at level 0 is not told as supported (KAFKA-17011).
                range.map_or(version < 4, |range| {
                    range.max_version >= one.max_version_level
                })
            });
            assert!(known, "{told:?}");
        }
    });
}

#[test]
fn gotcha_07_whatever_has_a_leader_epoch_tells_the_real_one() {
    story(async {
        let mut node = Node::start().await.unwrap();
        let place = Place::first("orders");
        let mut before = 0;
        for life in 0..2 {
            let mut wire = Connection::open(node.address()).unwrap();
            if life == 0 {
                wire.create_topic("orders", 1, &[]).unwrap();
            }
            let end = wire.append(&place, &[b"paid"]).unwrap() + 1;
            let epoch = all_topics(&mut wire)[0].partitions[0].leader_epoch;
            assert!(epoch >= before, "{epoch} after {before}");
            before = epoch;
            let latest = ListOffsetsRequest {
                replica_id: -1,
                topics: vec![ListOffsetsTopic {
                    name: "orders".to_owned(),
                    partitions: vec![ListOffsetsPartition {
                        current_leader_epoch: epoch,
                        timestamp: -1,
                        ..Default::default()
                    }],
                    ..Default::default()
                }],
                ..Default::default()
            };
            for version in [4, 7, 11] {
                let told = ask(&mut wire, version, &latest);
                let row = &told.topics[0].partitions[0];
                assert!(row.error_code.is_none(), "{row:?}");
                assert_eq!((row.offset, row.leader_epoch), (end, epoch));
            }
            // The batch carries it too: by that a consumer that comes back knows whose record it read last.
            let (_, bytes) = wire.fetch(&place, end - 1).unwrap();
            assert_eq!(BatchHeader::parse(&bytes).unwrap().leader_epoch, epoch);
            let asks = |current: i32| OffsetForLeaderEpochRequest {
                replica_id: -1,
                topics: vec![OffsetForLeaderTopic {
                    topic: "orders".to_owned(),
                    partitions: vec![OffsetForLeaderPartition {
                        current_leader_epoch: current,
                        leader_epoch: epoch,
                        ..Default::default()
                    }],
                    ..Default::default()
                }],
                ..Default::default()
            };
            for version in 2..=4 {
                let told = ask(&mut wire, version, &asks(epoch));
                let row = &told.topics[0].partitions[0];
                assert!(row.error_code.is_none(), "{row:?}");
                assert_eq!((row.leader_epoch, row.end_offset), (epoch, end));
                let told = ask(&mut wire, version, &asks(epoch + 1));
                let code = told.topics[0].partitions[0].error_code.code();
                assert_eq!(code, Some(Code::UnknownLeaderEpoch));
            }
            node.restart().await.unwrap();
        }
    });
}
