//! The clock of a node in memory: what waits for time waits until it is moved on, and then happens.
//! Held on both sides of the moment: not yet, and then. How the clock is kept is `broker/src/memory/clock.rs`'s.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use sawlog_broker::memory::{ApiKey, Fault, Node};
use sawlog_client::{At, Client, NewTopic};
use sawlog_wire::messages::FetchRequest;
use sawlog_wire::messages::fetch::{FetchPartition, FetchTopic};
use sawlog_wire::{Writer, frame};

use crate::{client, send, story};

const HOUR: Duration = Duration::from_secs(3600);

/// Sends a Fetch for what `orders` holds from `offset` on, which waits up to an hour; returns when the node has it.
async fn poll(node: &Node, offset: i64) -> TcpStream {
    let partition = FetchPartition {
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let request = FetchRequest {
        max_wait_ms: i32::try_from(HOUR.as_millis()).unwrap(),
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![FetchTopic {
            topic: "orders".to_owned(),
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    };
    let mut writer = Writer::new();
    frame::request(&mut writer, 4, 7, None, &request).unwrap();
    let mut socket = TcpStream::connect(node.address()).unwrap();
    let before = node.requests(ApiKey::Fetch);
    socket.write_all(&writer.finish().into_bytes()).unwrap();
    while node.requests(ApiKey::Fetch) == before {
        tokio::task::yield_now().await;
    }
    node.clock().settled().await;
    socket
}

/// Whether the answer has come by now.
fn has_come(socket: &TcpStream) -> bool {
    socket.set_nonblocking(true).unwrap();
    match socket.peek(&mut [0; 8]) {
        Ok(n) => n > 0,
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Err(error) => panic!("{error}"),
    }
}

/// Whether the connection has ended by now.
fn has_ended(socket: &TcpStream) -> bool {
    socket.set_nonblocking(true).unwrap();
    match socket.peek(&mut [0; 8]) {
        Ok(n) => n == 0,
        // The node had not read all that was sent to it.
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// Waits for the answer.
fn comes(mut socket: &TcpStream) {
    socket.set_nonblocking(false).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    socket.read_exact(&mut [0; 8]).unwrap();
}

#[test]
fn a_long_poll_ends_when_the_clock_is_moved_past_its_time_and_not_before() {
    story(async {
        let node = Node::builder().paused().start().await.unwrap();
        client(&node).await;
        let socket = poll(&node, 0).await;
        node.clock().advance(HOUR - Duration::from_millis(1)).await;
        assert!(!has_come(&socket));
        node.clock().advance(Duration::from_millis(1)).await;
        comes(&socket);
    });
}

#[test]
fn a_long_poll_ends_with_the_record_that_it_waits_for_while_the_clock_stands() {
    story(async {
        let node = Node::builder().paused().start().await.unwrap();
        let kafka = client(&node).await;
        let socket = poll(&node, 0).await;
        assert!(!has_come(&socket));
        send(&kafka, "x").await;
        comes(&socket);
        assert!(node.clock().is_paused());
    });
}

#[test]
fn records_grow_too_old_by_the_nodes_clock_alone() {
    story(async {
        let node = Node::builder().paused();
        let node = node.set("log.retention.check.interval.ms", "60000");
        let node = node.start().await.unwrap();
        let kafka = Client::connect(&node.brokers()).await.unwrap();
        let topic = NewTopic::new("orders").config("retention.ms", "3600000");
        let topic = topic.config("segment.ms", "600000");
        let topic = topic.config("message.timestamp.type", "LogAppendTime");
        kafka.create_topics(vec![topic]).await.unwrap();
        let written = node.clock().wall();
        send(&kafka, "x").await;
        let start = async || kafka.offset("orders", 0, At::Earliest).await.unwrap();
        node.clock().advance(HOUR - Duration::from_secs(60)).await;
        assert_eq!(start().await, 0, "it is an hour old in a minute");
        let stamped = kafka
            .offset("orders", 0, At::Time(written.as_millis() as i64))
            .await;
        assert_eq!(stamped.unwrap(), 0, "it has the time of the node");
        for _ in 0..3 {
            node.clock().advance(Duration::from_secs(60)).await;
        }
        assert_eq!(start().await, 1);
    });
}

#[test]
fn a_clock_that_runs_can_be_stopped_and_one_that_stands_let_go() {
    story(async {
        let node = Node::start().await.unwrap();
        client(&node).await;
        let clock = node.clock();
        assert!(!clock.is_paused());
        clock.pause();
        let stood = clock.wall();
        let socket = poll(&node, 0).await;
        assert_eq!(clock.wall(), stood);
        clock.resume();
        clock.advance(HOUR).await;
        comes(&socket);
        assert!(clock.wall() >= stood + HOUR);
    });
}

#[test]
fn connections_that_are_idle_are_gone_when_the_clock_has_moved_past_their_time() {
    story(async {
        let idle_max = Duration::from_secs(600);
        let node = Node::builder().paused().start().await.unwrap();
        client(&node).await;
        let silent = TcpStream::connect(node.address()).unwrap();
        let polls = poll(&node, 0).await;
        node.clock()
            .advance(idle_max - Duration::from_millis(1))
            .await;
        assert!(!has_ended(&silent));
        node.clock().advance(Duration::from_millis(1)).await;
        assert!(has_ended(&silent));
        assert!(!has_ended(&polls), "it waits for an answer");
        node.clock().advance(HOUR).await;
        comes(&polls);
    });
}

#[test]
fn a_connection_whose_answer_is_held_back_for_longer_than_it_may_be_idle_has_it() {
    story(async {
        let node = Node::builder().paused().start().await.unwrap();
        client(&node).await;
        node.fail(Fault::on(ApiKey::Fetch).late(3 * HOUR));
        let socket = poll(&node, 0).await;
        // The node is done with it after an hour; then its answer waits.
        for _ in 0..2 {
            node.clock().advance(HOUR).await;
        }
        assert!(!has_come(&socket) && !has_ended(&socket));
        node.clock().advance(HOUR).await;
        comes(&socket);
    });
}

#[test]
fn a_connection_that_a_fault_of_one_topic_closes_late_ends_late() {
    story(async {
        let node = Node::builder().paused().start().await.unwrap();
        client(&node).await;
        let fault = Fault::on(ApiKey::Fetch).topic("orders").closed();
        let given = node.fail(fault.late(HOUR));
        let mut socket = poll(&node, 0).await;
        node.clock().advance(HOUR - Duration::from_millis(1)).await;
        assert_eq!(given.met(), 1);
        assert!(!has_ended(&socket), "it ended before its time");
        node.clock().advance(Duration::from_millis(1)).await;
        socket.set_nonblocking(false).unwrap();
        let patience = Some(Duration::from_secs(60));
        socket.set_read_timeout(patience).unwrap();
        assert_eq!(socket.read(&mut [0; 8]).unwrap(), 0);
    });
}

/// The first bytes of a Fetch.
fn begins_a_frame(node: &Node) -> TcpStream {
    let mut socket = TcpStream::connect(node.address()).unwrap();
    socket.write_all(&[0, 0, 4, 0, 0, 1, 0, 4]).unwrap();
    socket
}

#[test]
fn a_peer_that_brings_a_frame_byte_by_byte_is_cut_and_one_that_brings_enough_is_not_133() {
    story(async {
        // One thread reads all sockets: what came before a request is read when that is answered.
        let node = Node::builder().paused().set("sawlog.shards", "1");
        let node = node.start().await.unwrap();
        let kafka = client(&node).await;
        let mut dribbles = begins_a_frame(&node);
        let mut brings = TcpStream::connect(node.address()).unwrap();
        brings.write_all(&(4_i32 << 20).to_be_bytes()).unwrap();
        let silent = TcpStream::connect(node.address()).unwrap();
        let waits = poll(&node, 0).await;
        // The node has begun to count when it was here.
        send(&kafka, "x").await;
        comes(&waits);
        for second in 0..24 {
            node.clock().advance(Duration::from_secs(1)).await;
            assert!(!has_ended(&dribbles), "cut after {second} s");
            brings.set_nonblocking(false).unwrap();
            dribbles.set_nonblocking(false).unwrap();
            dribbles.write_all(&[0]).unwrap();
            brings.write_all(&[0; 8 << 10]).unwrap();
            send(&kafka, "x").await;
        }
        let mut cut = false;
        for _ in 0..6 {
            node.clock().advance(Duration::from_secs(6)).await;
            cut |= has_ended(&dribbles);
            brings.set_nonblocking(false).unwrap();
            brings.write_all(&[0; 24 << 10]).unwrap();
            send(&kafka, "x").await;
        }
        assert!(cut, "a byte a second");
        for socket in [&brings, &silent, &waits] {
            assert!(!has_ended(socket));
        }
    });
}
