//! What one request may cost: names and partitions are bounded, and so is what a connection has open of them.
//! Held on both sides of each bound: what is just too much is refused or waits, what just fits is answered.

use sawlog_wire::messages::find_coordinator::FindCoordinatorRequest;
use sawlog_wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use sawlog_wire::messages::metadata::MetadataRequestTopic;
use sawlog_wire::messages::produce::{PartitionProduceData, TopicProduceData};
use sawlog_wire::messages::{ListOffsetsRequest, MetadataRequest, ProduceRequest};

use super::*;
use crate::api::job::ROWS_MAX;

fn offsets(partitions: usize) -> ListOffsetsRequest {
    let partitions = vec![ListOffsetsPartition::default(); partitions];
    let topic = ListOffsetsTopic {
        name: "t".into(),
        partitions,
        ..Default::default()
    };
    ListOffsetsRequest {
        topics: vec![topic],
        ..Default::default()
    }
}

fn produced(partitions: usize) -> ProduceRequest {
    let partition_data = vec![PartitionProduceData::default(); partitions];
    let topic = TopicProduceData {
        name: "t".into(),
        partition_data,
        ..Default::default()
    };
    ProduceRequest {
        acks: 1,
        topic_data: vec![topic],
        ..Default::default()
    }
}

#[test]
fn a_request_that_names_too_much_is_refused_before_anything_is_put_together() {
    let over = ROWS_MAX + 1;
    let refused = |send: &dyn Fn(&mut Bench)| {
        let mut bench = Bench::new(&[("t", 1)]);
        send(&mut bench);
        assert!(bench.closed().contains("cannot be read"));
        assert!(bench.asks().is_empty() && bench.frames().is_empty());
    };
    refused(&|bench| bench.send(7, &offsets(over)));
    refused(&|bench| bench.send(9, &produced(over)));
    let coordinator_keys = vec!["g".to_string(); over];
    refused(&|bench| {
        bench.send(
            4,
            &FindCoordinatorRequest {
                coordinator_keys: coordinator_keys.clone(),
                ..Default::default()
            },
        );
    });
    let topics = vec![
        MetadataRequestTopic {
            name: Some("x".into()),
            ..Default::default()
        };
        over
    ];
    refused(&|bench| {
        bench.send(
            9,
            &MetadataRequest {
                topics: Some(topics.clone()),
                ..Default::default()
            },
        )
    });
    // As many as may be are answered.
    let told = Bench::new(&[]).ask(9, &produced(ROWS_MAX));
    assert_eq!(told.responses[0].partition_responses.len(), ROWS_MAX);
}

#[test]
fn what_is_open_of_one_connection_is_bounded_by_what_it_is_about() {
    let mut bench = Bench::new(&[("t", 1)]);
    bench.send(9, &super::producing::produce(&[("t", 0)], 1));
    let (waiter, _) = bench.asked();
    // Each waits for the first, and is about half of what may be.
    for room in [true, false] {
        bench.send(9, &produced(ROWS_MAX / 2));
        assert_eq!(bench.conn.room(), room);
    }
    bench.answer(waiter, stored(0));
    assert!(bench.conn.room());
    assert_eq!(bench.frames().len(), 3);
}

#[test]
pub(super) fn what_the_open_fetches_of_a_connection_may_bring_is_bounded_132() {
    let mut bench = Bench::new(&[("t", 1)]);
    // Each may bring 1 MiB.
    for open in 0..4 {
        assert!(bench.conn.room(), "{open}");
        bench.send(12, &super::fetching::fetch(&[("t", 0, 0)]));
    }
    assert!(!bench.conn.room(), "four times 1 MiB is as much as may be");
    // They are read one after another.
    let batch = batch(Codec::None, 3);
    for open in [3, 2] {
        let asks = bench.asks();
        assert_eq!((asks.len(), bench.conn.open()), (1, open + 1));
        bench.answer(asks[0].1, there(3, core::slice::from_ref(&batch)));
        assert_eq!((bench.conn.held(), bench.conn.open()), (0, open));
        assert!(bench.conn.room());
    }
    assert_eq!(bench.frames().len(), 2);
}

#[test]
fn a_fetch_that_may_bring_much_is_the_last_one_that_is_read() {
    let mut bench = Bench::new(&[("t", 1)]);
    let mut large = super::fetching::fetch(&[("t", 0, 0)]);
    large.topics[0].partitions[0].partition_max_bytes = 50 << 20;
    bench.send(12, &large);
    assert!(!bench.conn.room());
    let (waiter, _) = bench.asked();
    bench.answer(waiter, there(3, &[batch(Codec::None, 3)]));
    assert!(bench.conn.room());
    // Whoever asks for one byte gets a whole batch.
    large.topics[0].partitions[0].partition_max_bytes = 1;
    for open in 0..4 {
        assert!(bench.conn.room(), "{open}");
        bench.send(12, &large);
    }
    assert!(!bench.conn.room());
}
