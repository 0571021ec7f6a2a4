//! Faults on the wire: every key that is served is refused in every version; and the bound of a node's memory.
//! Held over loopback against the table of keys (`ROWS`); what clients make of faults is `tests/embedding`'s.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use sawlog_core::api::table::ROWS;
use sawlog_wire::header::ResponseHeader;
use sawlog_wire::message::{Message, Request};
use sawlog_wire::messages::produce::{PartitionProduceData, TopicProduceData};
use sawlog_wire::messages::*;
use sawlog_wire::records::{BatchBuilder, Codec, NewRecord};
use sawlog_wire::{ErrorCode, Reader, Uuid, Writer, frame};

use super::faults::Faults;
use super::trap::Trap;
use super::{ApiKey, Code, Fault, MEMORY_LEAST, Node};

/// A code that no part of the node answers with.
const ODD: Code = Code::ShareSessionNotFound;

fn node(run: impl AsyncFnOnce(Node)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let node = Node::builder()
            .set("num.partitions", "1")
            .start()
            .await
            .unwrap();
        run(node).await;
    });
}

/// One connection, one request at a time.
struct Wire(TcpStream);

impl Wire {
    fn to(node: &Node) -> Wire {
        let socket = TcpStream::connect(node.address()).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        Wire(socket)
    }

    fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let mut writer = Writer::new();
        frame::request(&mut writer, version, 7, Some("test"), request).unwrap();
        self.0.write_all(&writer.finish().into_bytes()).unwrap();
        let mut prefix = [0; frame::PREFIX];
        self.0.read_exact(&mut prefix).unwrap();
        let mut body = vec![0; frame::length(prefix, 1 << 20).unwrap()];
        self.0.read_exact(&mut body).unwrap();
        let body = Bytes::from(body);
        let mut reader = Reader::of(&body);
        let header = ResponseHeader::decode(&mut reader, R::KEY, version).unwrap();
        assert_eq!(header.correlation_id, 7);
        R::Response::decode_all(reader, version).unwrap()
    }

    /// The id of a topic, which is made if it is not there.
    fn topic(&mut self, name: &str) -> Uuid {
        let topics = vec![metadata::MetadataRequestTopic {
            name: Some(name.to_owned()),
            ..Default::default()
        }];
        let request = MetadataRequest {
            topics: Some(topics),
            ..Default::default()
        };
        self.call(12, &request).topics[0].topic_id
    }
}

fn batch(bytes: usize) -> Bytes {
    let value = vec![b'x'; bytes];
    let mut batch = BatchBuilder::new(Codec::None);
    let record = NewRecord {
        timestamp: i64::try_from(crate::clock::since_1970().as_millis()).unwrap(),
        value: Some(&value),
        ..NewRecord::default()
    };
    batch.push(record).unwrap();
    batch.build().unwrap().into()
}

fn produce(version: i16, id: Uuid, bytes: usize) -> ProduceRequest {
    let partition = PartitionProduceData {
        index: 0,
        records: Some(batch(bytes).into()),
        ..Default::default()
    };
    let named = version < 13;
    ProduceRequest {
        acks: -1,
        timeout_ms: 60_000,
        topic_data: vec![TopicProduceData {
            name: if named { "orders" } else { "" }.to_owned(),
            topic_id: if named { Uuid::ZERO } else { id },
            partition_data: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// The codes that an answer tells: its own, those of its rows, or those of the rows below these.
macro_rules! codes {
    () => {
        |answer| vec![answer.error_code]
    };
    ($rows:ident) => {
        |answer| answer.$rows.iter().map(|row| row.error_code).collect()
    };
    ($above:ident: $rows:ident) => {
        |answer| {
            let rows = answer.$above.iter().flat_map(|one| &one.$rows);
            rows.map(|row| row.error_code).collect()
        }
    };
}

/// Has each version of a key refused once, and looks for the code where the answer should have it.
fn refused<R: Request>(
    node: &Node,
    request: impl Fn(i16) -> R,
    codes: impl Fn(&R::Response) -> Vec<ErrorCode>,
) -> ApiKey {
    let row = ROWS.iter().find(|row| row.key == R::KEY).unwrap();
    let mut wire = Wire::to(node);
    for version in row.served.from..=row.served.to {
        let met = node.fail(Fault::on(R::KEY).with(ODD));
        let answer = wire.call(version, &request(version));
        let told = codes(&answer);
        assert_eq!(met.met(), 1, "{} {version}", R::KEY);
        assert!(!told.is_empty(), "{} {version} says nothing", R::KEY);
        assert!(
            told.iter().all(|code| code.code() == Some(ODD)),
            "{} {version}: {answer:?}",
            R::KEY
        );
        // And the next one is answered as ever, on the same connection.
        let answer = wire.call(version, &request(version));
        assert!(
            !codes(&answer).iter().any(|code| code.code() == Some(ODD)),
            "{} {version}: {answer:?}",
            R::KEY
        );
    }
    R::KEY
}

#[test]
fn every_key_that_is_served_can_be_refused_in_every_version() {
    node(async |node| {
        let mut wire = Wire::to(&node);
        let id = wire.topic("orders");
        let name = || "orders".to_owned();
        let keys = [
            refused(
                &node,
                |version| produce(version, id, 9),
                codes!(responses: partition_responses),
            ),
            refused(
                &node,
                |version| FetchRequest {
                    topics: vec![fetch::FetchTopic {
                        topic: if version < 13 { name() } else { String::new() },
                        topic_id: if version < 13 { Uuid::ZERO } else { id },
                        partitions: vec![fetch::FetchPartition {
                            partition_max_bytes: 1,
                            ..Default::default()
                        }],
                        ..Default::default()
                    }],
                    ..Default::default()
                },
                codes!(responses: partitions),
            ),
            refused(
                &node,
                |_| ListOffsetsRequest {
                    replica_id: -1,
                    topics: vec![list_offsets::ListOffsetsTopic {
                        name: name(),
                        partitions: vec![Default::default()],
                        ..Default::default()
                    }],
                    ..Default::default()
                },
                codes!(topics: partitions),
            ),
            refused(
                &node,
                |_| MetadataRequest {
                    topics: Some(vec![metadata::MetadataRequestTopic {
                        name: Some(name()),
                        ..Default::default()
                    }]),
                    ..Default::default()
                },
                codes!(topics),
            ),
            refused(
                &node,
                |version| FindCoordinatorRequest {
                    key: if version < 4 { name() } else { String::new() },
                    coordinator_keys: if version < 4 {
                        Vec::new()
                    } else {
                        vec![name()]
                    },
                    ..Default::default()
                },
                |answer| {
                    let rows = answer.coordinators.iter().map(|row| row.error_code);
                    let mut codes: Vec<ErrorCode> = rows.collect();
                    if codes.is_empty() {
                        codes.push(answer.error_code);
                    }
                    codes
                },
            ),
            refused(
                &node,
                |_| ApiVersionsRequest {
                    client_software_name: name(),
                    client_software_version: "1".to_owned(),
                    ..Default::default()
                },
                codes!(),
            ),
            refused(
                &node,
                |_| CreateTopicsRequest {
                    topics: vec![create_topics::CreatableTopic {
                        name: "new".to_owned(),
                        num_partitions: 1,
                        replication_factor: 1,
                        ..Default::default()
                    }],
                    ..Default::default()
                },
                codes!(topics),
            ),
            refused(
                &node,
                |version| DeleteTopicsRequest {
                    topics: match version {
                        ..6 => Vec::new(),
                        _ => vec![delete_topics::DeleteTopicState {
                            name: Some("old".to_owned()),
                            ..Default::default()
                        }],
                    },
                    topic_names: match version {
                        ..6 => vec!["old".to_owned()],
                        _ => Vec::new(),
                    },
                    ..Default::default()
                },
                codes!(responses),
            ),
            refused(
                &node,
                |_| DeleteRecordsRequest {
                    topics: vec![delete_records::DeleteRecordsTopic {
                        name: name(),
                        partitions: vec![Default::default()],
                        ..Default::default()
                    }],
                    timeout_ms: 60_000,
                    ..Default::default()
                },
                codes!(topics: partitions),
            ),
            refused(&node, |_| InitProducerIdRequest::default(), codes!()),
            refused(
                &node,
                |_| OffsetForLeaderEpochRequest {
                    topics: vec![offset_for_leader_epoch::OffsetForLeaderTopic {
                        topic: name(),
                        partitions: vec![Default::default()],
                        ..Default::default()
                    }],
                    ..Default::default()
                },
                codes!(topics: partitions),
            ),
            refused(
                &node,
                |_| DescribeConfigsRequest {
                    resources: vec![describe_configs::DescribeConfigsResource {
                        resource_type: 2,
                        resource_name: name(),
                        ..Default::default()
                    }],
                    ..Default::default()
                },
                codes!(results),
            ),
            refused(
                &node,
                |_| AlterConfigsRequest {
                    resources: vec![alter_configs::AlterConfigsResource {
                        resource_type: 2,
                        resource_name: name(),
                        ..Default::default()
                    }],
                    ..Default::default()
                },
                codes!(responses),
            ),
            refused(
                &node,
                |_| DescribeLogDirsRequest::default(),
                codes!(results),
            ),
            refused(
                &node,
                |_| CreatePartitionsRequest {
                    topics: vec![create_partitions::CreatePartitionsTopic {
                        name: name(),
                        count: 1,
                        ..Default::default()
                    }],
                    ..Default::default()
                },
                codes!(results),
            ),
            refused(
                &node,
                |_| IncrementalAlterConfigsRequest {
                    resources: vec![incremental_alter_configs::AlterConfigsResource {
                        resource_type: 2,
                        resource_name: name(),
                        ..Default::default()
                    }],
                    ..Default::default()
                },
                codes!(responses),
            ),
            refused(&node, |_| DescribeQuorumRequest::default(), codes!()),
            refused(&node, |_| DescribeClusterRequest::default(), codes!()),
            refused(
                &node,
                |_| DescribeProducersRequest {
                    topics: vec![describe_producers::TopicRequest {
                        name: name(),
                        partition_indexes: vec![0],
                        ..Default::default()
                    }],
                    ..Default::default()
                },
                codes!(topics: partitions),
            ),
            refused(&node, |_| ListConfigResourcesRequest::default(), codes!()),
            refused(
                &node,
                |_| DescribeTopicPartitionsRequest {
                    topics: vec![describe_topic_partitions::TopicRequest {
                        name: name(),
                        ..Default::default()
                    }],
                    ..Default::default()
                },
                codes!(topics),
            ),
        ];
        let served: Vec<ApiKey> = ROWS.iter().map(|row| row.key).collect();
        assert_eq!(keys.to_vec(), served, "every key has its request here");
    });
}

#[test]
fn a_node_whose_memory_is_used_up_refuses_records_and_serves_what_it_has() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let node = Node::builder()
            .memory_max(MEMORY_LEAST)
            .start()
            .await
            .unwrap();
        let mut wire = Wire::to(&node);
        let id = wire.topic("orders");
        let append = |wire: &mut Wire| {
            let answer = wire.call(12, &produce(12, id, 1_000_000));
            answer.responses[0].partition_responses[0].error_code.code()
        };
        // No more fits than there is memory for.
        let stored = (0..MEMORY_LEAST / 1_000_000)
            .take_while(|_| append(&mut wire) == Some(Code::None))
            .count();
        assert!(stored > 10, "{stored} MB of {MEMORY_LEAST}");
        assert_eq!(append(&mut wire), Some(Code::KafkaStorageError));
        assert!(node.space().free < node.space().total);
        let latest = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![list_offsets::ListOffsetsTopic {
                name: "orders".to_owned(),
                partitions: vec![list_offsets::ListOffsetsPartition {
                    timestamp: -1,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        let answer = wire.call(1, &latest);
        let row = &answer.topics[0].partitions[0];
        assert_eq!(
            (row.error_code.code(), row.offset),
            (Some(Code::None), stored as i64)
        );
    });
}

#[test]
fn a_fault_of_one_topic_is_not_spent_because_a_broad_one_before_it_was_used_up_by_another_shard() {
    let faults = Faults::new(Duration::ZERO);
    let broad = faults.give(Fault::on(ApiKey::Fetch).lost());
    let narrow = faults.give(Fault::on(ApiKey::Fetch).topic("orders").lost());
    let now = crate::clock::Clock::start().now();
    let trap = |candidates| Trap::new(faults.clone(), (ApiKey::Fetch, 12), candidates, now);
    // Two shards look at the same time; what their requests are about neither knows yet.
    let (one, other) = (
        faults.candidates(ApiKey::Fetch, None),
        faults.candidates(ApiKey::Fetch, None),
    );
    let _ = (trap(one), trap(other));
    assert_eq!((broad.met(), narrow.met()), (1, 0));
}
