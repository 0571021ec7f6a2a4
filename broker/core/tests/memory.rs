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
use sawlog_core::api::{Conn, Host, Outbox};
use sawlog_core::cluster::image::Image;
use sawlog_core::config::BrokerConfig;
use sawlog_core::ids::{ConnId, ShardId};
use sawlog_core::now::Now;
use sawlog_wire::message::Request;
use sawlog_wire::messages::{
    CreateTopicsRequest, FetchRequest, FindCoordinatorRequest, ListOffsetsRequest, MetadataRequest,
    ProduceRequest, create_topics, fetch, list_offsets, metadata, produce,
};
use sawlog_wire::records::{Inflater, Pool};
use sawlog_wire::{Writer, frame};

#[global_allocator]
static COUNTING: counting::Counting = counting::Counting;

/// Rows in each frame: enough for the constant part not to matter.
const ROWS: usize = 20_000;
const FLOOR: usize = 64 << 10;

/// The most bytes that a connection and its response held at once, beyond the frame itself.
fn held(frame: &Bytes) -> usize {
    let image = Arc::new(Image::default());
    let config = BrokerConfig::default();
    let (mut inflater, pool) = (Inflater::new(), Pool::new(0));
    let id = ConnId {
        shard: ShardId(0),
        number: 1,
    };
    let mut conn = Conn::new(id, "PLAINTEXT".into(), Audience::Clients);
    let mut out = Outbox::default();
    let ((), held) = counting::peak_of(|| {
        let now = Now::default();
        let (image, config) = (&image, &config);
        let (inflater, pool) = (&mut inflater, &pool);
        let mut host = Host {
            now,
            image,
            config,
            shards: 1,
            inflater,
            pool,
        };
        conn.frame(&mut host, frame.clone(), &mut out);
        assert_eq!(out.close, None);
    });
    held
}

fn check<R: Request>(versions: &[i16], multiple: usize, request: &R) {
    for &version in versions {
        let mut writer = Writer::new();
        frame::request(&mut writer, version, 1, None, request).unwrap();
        let frame = writer.finish().into_bytes().slice(4..);
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
}
