//! What a frame may make a connection hold: a multiple of its length, whatever is written in it (#128, #129).
//! Decides the multiple for each key by the leanest rows that a client can write.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test says what it measured, and stops where it cannot"
)]

#[path = "../../../client/wire/fuzz/counting.rs"]
mod counting;

use std::sync::Arc;

use bytes::Bytes;
use sawlog_core::api::table::Audience;
use sawlog_core::api::{Conn, Door, FetchSessions, FetchWaits, Host, Outbox};
use sawlog_core::cluster::image::{Image, Partition, Topic};
use sawlog_core::config::{BrokerConfig, TopicConfig};
use sawlog_core::ids::{BrokerId, ConnId, LeaderEpoch, PartitionEpoch, ShardId, TopicId, Uuid};
use sawlog_core::now::Now;
use sawlog_wire::header::ResponseHeader;
use sawlog_wire::message::{Message, Request};
use sawlog_wire::messages::{
    ApiKey, CreateTopicsRequest, DeleteRecordsRequest, DescribeConfigsRequest,
    DescribeProducersRequest, DescribeTopicPartitionsRequest, FetchRequest, FetchResponse,
    FindCoordinatorRequest, ListOffsetsRequest, MetadataRequest, OffsetForLeaderEpochRequest,
    ProduceRequest, create_topics, delete_records, describe_configs, describe_producers,
    describe_topic_partitions, fetch, list_offsets, metadata, offset_for_leader_epoch, produce,
};
use sawlog_wire::records::{Inflater, Pool};
use sawlog_wire::{Reader, Writer, frame};

#[global_allocator]
static COUNTING: counting::Counting = counting::Counting;

/// Rows in each frame: enough for the constant part not to matter.
const ROWS: usize = 20_000;
const FLOOR: usize = 64 << 10;

/// One connection of a node that has no topics, unless it is given some.
struct Bench {
    config: BrokerConfig,
    image: Arc<Image>,
    sessions: FetchSessions,
    waits: Arc<FetchWaits>,
    conn: Conn,
    out: Outbox,
}

impl Bench {
    fn new() -> Bench {
        let config = BrokerConfig::default();
        let sessions = FetchSessions::new(&config, ShardId(0), 1);
        let (shard, number) = (ShardId(0), 1);
        let conn = Conn::new(
            ConnId { shard, number },
            Door::of("PLAINTEXT"),
            Audience::Clients,
            None,
        );
        let out = Outbox::default();
        Bench {
            config,
            image: Arc::default(),
            sessions,
            waits: Arc::default(),
            conn,
            out,
        }
    }

    fn frame(&mut self, frame: &Bytes) {
        let mut host = Host {
            now: Now::default(),
            image: &self.image,
            config: &self.config,
            shards: 1,
            sessions: &mut self.sessions,
            waits: &self.waits,
            inflater: &mut Inflater::new(),
            pool: &Arc::new(Pool::new(0)),
        };
        self.conn.frame(&mut host, frame.clone(), &mut self.out);
        assert_eq!(self.out.close, None);
    }
}

/// The most bytes that a connection and its response held at once, beyond the frame itself.
fn held(frame: &Bytes) -> usize {
    let mut bench = Bench::new();
    counting::peak_of(|| bench.frame(frame)).1
}

fn encoded<R: Request>(version: i16, request: &R) -> Bytes {
    let mut writer = Writer::new();
    frame::request(&mut writer, version, 1, None, request).unwrap();
    writer.finish().into_bytes().slice(4..)
}

fn check<R: Request>(versions: &[i16], multiple: usize, request: &R) {
    for &version in versions {
        let frame = encoded(version, request);
        let (held, length) = (held(&frame), frame.len());
        let seen = held.saturating_sub(FLOOR).div_ceil(length);
        println!(
            "{} v{version}: {seen} times the frame, {multiple} allowed",
            R::KEY
        );
        assert!(
            held <= multiple * length + FLOOR,
            "{} v{version}: {seen} times the frame",
            R::KEY
        );
    }
}

#[test]
fn a_frame_makes_a_connection_hold_a_bounded_multiple_of_its_length() {
    let name = || "t".to_string();

    let partition_data = vec![produce::PartitionProduceData::default(); ROWS];
    let topic = produce::TopicProduceData {
        name: name(),
        partition_data,
        ..Default::default()
    };
    check(
        &[3, 9, 13],
        64,
        &ProduceRequest {
            acks: 1,
            topic_data: vec![topic],
            ..Default::default()
        },
    );

    let partitions = vec![fetch::FetchPartition::default(); ROWS];
    let topic = fetch::FetchTopic {
        topic: name(),
        partitions,
        ..Default::default()
    };
    check(
        &[4, 12, 18],
        64,
        &FetchRequest {
            topics: vec![topic],
            ..Default::default()
        },
    );

    let partitions = vec![list_offsets::ListOffsetsPartition::default(); ROWS];
    let topic = list_offsets::ListOffsetsTopic {
        name: name(),
        partitions,
        ..Default::default()
    };
    check(
        &[1, 6, 11],
        64,
        &ListOffsetsRequest {
            topics: vec![topic],
            ..Default::default()
        },
    );

    let topic = metadata::MetadataRequestTopic {
        name: Some(name()),
        ..Default::default()
    };
    check(
        &[1, 9, 12],
        128,
        &MetadataRequest {
            topics: Some(vec![topic; ROWS]),
            ..Default::default()
        },
    );

    let topic = create_topics::CreatableTopic {
        name: name(),
        ..Default::default()
    };
    check(
        &[2, 7],
        64,
        &CreateTopicsRequest {
            topics: vec![topic; ROWS],
            ..Default::default()
        },
    );

    let coordinator_keys = vec![name(); ROWS];
    check(
        &[4, 6],
        128,
        &FindCoordinatorRequest {
            coordinator_keys,
            ..Default::default()
        },
    );

    let resource = describe_configs::DescribeConfigsResource {
        resource_type: 2,
        ..Default::default()
    };
    let resources = (0..16_000).map(|number| describe_configs::DescribeConfigsResource {
        resource_name: format!("{number:x}"),
        ..resource.clone()
    });
    check(
        &[1, 4],
        64,
        &DescribeConfigsRequest {
            resources: resources.collect(),
            ..Default::default()
        },
    );

    let partitions = vec![offset_for_leader_epoch::OffsetForLeaderPartition::default(); ROWS];
    let topic = offset_for_leader_epoch::OffsetForLeaderTopic {
        topic: name(),
        partitions,
        ..Default::default()
    };
    check(
        &[2, 4],
        64,
        &OffsetForLeaderEpochRequest {
            topics: vec![topic],
            ..Default::default()
        },
    );

    let topic = describe_producers::TopicRequest {
        name: name(),
        partition_indexes: vec![0; ROWS],
        ..Default::default()
    };
    check(
        &[0],
        64,
        &DescribeProducersRequest {
            topics: vec![topic],
            ..Default::default()
        },
    );

    let partitions = vec![delete_records::DeleteRecordsPartition::default(); ROWS];
    let topic = delete_records::DeleteRecordsTopic {
        name: name(),
        partitions,
        ..Default::default()
    };
    check(
        &[0, 2],
        64,
        &DeleteRecordsRequest {
            topics: vec![topic],
            ..Default::default()
        },
    );

    let topic = describe_topic_partitions::TopicRequest {
        name: name(),
        ..Default::default()
    };
    check(
        &[0],
        64,
        &DescribeTopicPartitionsRequest {
            topics: vec![topic; ROWS],
            ..Default::default()
        },
    );
}

/// A request of a session: topics with long names and these partitions each.
fn of_session(session: (i32, i32), topics: i32, indexes: &[i32], forgotten: &[i32]) -> Bytes {
    let named = |topic: i32| format!("{topic:0>60}");
    let wanted = |partition| fetch::FetchPartition {
        partition,
        ..Default::default()
    };
    let wanted = |topic| fetch::FetchTopic {
        topic: named(topic),
        partitions: indexes.iter().copied().map(wanted).collect(),
        ..Default::default()
    };
    let gone = |topic| fetch::ForgottenTopic {
        topic: named(topic),
        partitions: forgotten.to_vec(),
        ..Default::default()
    };
    let request = FetchRequest {
        session_id: session.0,
        session_epoch: session.1,
        topics: (0..topics).map(wanted).collect(),
        forgotten_topics_data: (0..topics).map(gone).collect(),
        ..Default::default()
    };
    encoded(12, &request)
}

#[test]
fn a_fetch_session_holds_no_more_than_it_is_counted_for_131() {
    for (topics, partitions) in [(1, 1), (1, 5_000), (5_000, 1), (70, 70)] {
        for forgets in [false, true] {
            let mut bench = Bench::new();
            let mut ask = |session, indexes: Vec<i32>, forgotten: Vec<i32>| {
                bench.frame(&of_session(session, topics, &indexes, &forgotten));
                let frame = bench.out.take_wire().into_bytes().slice(4..);
                let mut reader = Reader::of(&frame);
                ResponseHeader::decode(&mut reader, ApiKey::Fetch, 12).unwrap();
                let response = FetchResponse::decode_all(reader, 12).unwrap();
                assert!(response.error_code.is_none(), "{:?}", response.error_code);
                response.session_id
            };
            let id = ask((0, 0), (0..partitions).collect(), Vec::new());
            assert!(id > 0);
            if forgets {
                // Maps that lost two of three, one here and one there, are emptier than maps that only grew.
                let gone = (1..partitions).filter(|index| index % 3 != 0);
                ask((id, 1), Vec::new(), gone.collect());
            }
            let counted = bench.sessions.bytes();
            let (shard, number) = (ShardId(0), 1);
            let freed = counting::freed_by(|| bench.sessions.end(ConnId { shard, number }));
            println!("{topics} topics of {partitions}: {freed} bytes, counted for {counted}");
            assert!(
                freed > 0 && freed <= counted,
                "{freed} bytes, counted for {counted}"
            );
            assert_eq!(bench.sessions.bytes(), 0);
        }
    }
}

#[test]
fn an_open_fetch_holds_no_more_than_it_is_counted_for_131() {
    let partition = Partition {
        replicas: vec![BrokerId(1)],
        isr: vec![BrokerId(1)],
        leader: Some(BrokerId(1)),
        epoch: LeaderEpoch(0),
        partition_epoch: PartitionEpoch(0),
        directories: Vec::new(),
    };
    for (topics, partitions) in [(1, 5_000), (5_000, 1), (70, 70)] {
        let mut bench = Bench::new();
        let image = Arc::make_mut(&mut bench.image);
        for topic in 0..topics {
            let topic = Topic {
                id: TopicId(Uuid::from_u128(1 + topic as u128)),
                name: format!("{topic:0>60}").into(),
                partitions: vec![partition.clone(); partitions as usize],
                config: TopicConfig::default().into(),
            };
            image.topics.insert(topic.name.clone(), Arc::new(topic));
        }
        let indexes: Vec<i32> = (0..partitions).collect();
        // Of no session: what that holds is counted elsewhere.
        bench.frame(&of_session((0, -1), topics, &indexes, &[]));
        assert_eq!(
            (bench.conn.open(), bench.out.asks.len()),
            (1, (topics * partitions) as usize)
        );
        let counted = bench.waits.used();
        let Bench { conn, waits, .. } = bench;
        let freed = counting::freed_by(|| drop(conn));
        println!("{topics} topics of {partitions}: {freed} bytes, counted for {counted}");
        assert!(
            freed > 0 && freed <= counted,
            "{freed} bytes, counted for {counted}"
        );
        assert_eq!(waits.used(), 0);
    }
}
