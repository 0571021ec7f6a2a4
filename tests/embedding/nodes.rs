//! Nodes in memory: a hundred of them in one process, each serving; what they refuse, how they end and come back.
//! Held over loopback by our client; the kinds of faults and the clock have files of their own.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use sawlog_broker::memory::{ApiKey, Code, Fault, Node};
use sawlog_client::{At, Client, NewTopic, Record};

use crate::{client, send, story, values};

#[test]
fn a_hundred_nodes_are_up_in_one_process_and_each_serves_its_own_records() {
    story(async {
        let begun = Instant::now();
        let mut nodes = Vec::new();
        for _ in 0..100 {
            nodes.push(Node::start().await.unwrap());
        }
        let up = begun.elapsed();
        println!("{} nodes up in {} ms", nodes.len(), up.as_millis());
        for (number, node) in nodes.iter().enumerate() {
            let kafka = client(node).await;
            let value = format!("of node {number}").leak();
            assert_eq!(send(&kafka, value).await, 0);
            assert_eq!(values(&kafka).await, [&*value]);
        }
        println!("and used after {} ms", begun.elapsed().as_millis());
        // Five seconds are promised and a tenth of that is usual; a machine that is busy with other things is no fault.
        assert!(up < Duration::from_secs(50), "{up:?}");
    });
}

#[test]
fn a_node_that_is_dropped_has_closed_its_port() {
    story(async {
        let node = Node::start().await.unwrap();
        let address = node.address();
        TcpStream::connect(address).unwrap();
        drop(node);
        assert!(TcpStream::connect(address).is_err());
    });
}

#[test]
fn a_node_that_is_killed_and_started_again_has_its_port_and_what_it_acknowledged() {
    story(async {
        let mut node = Node::start().await.unwrap();
        let (kafka, address) = (client(&node).await, node.address());
        send(&kafka, "before").await;
        node.kill();
        assert!(TcpStream::connect(address).is_err());
        node.restart().await.unwrap();
        assert_eq!(node.address(), address);
        assert_eq!(values(&kafka).await, ["before"]);
        send(&kafka, "after").await;
        assert_eq!(values(&kafka).await, ["before", "after"]);
    });
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    story(async {
        let error = Node::builder().set("num.partition", "3").start().await;
        assert!(error.unwrap_err().why.contains("num.partitions"));
        let node = Node::start().await.unwrap();
        let taken = Node::builder().listen(&node.brokers()).start().await;
        assert!(taken.unwrap_err().what.contains(&node.brokers()));
    });
}

#[test]
fn a_node_of_two_shards_serves_and_fails_on_both() {
    story(async {
        let node = Node::builder().set("sawlog.shards", "2");
        let node = node.start().await.unwrap();
        let kafka = Client::connect(&node.brokers()).await.unwrap();
        let topic = NewTopic::new("orders").partitions(8);
        kafka.create_topics(vec![topic]).await.unwrap();
        let producer = kafka.producer().await.unwrap();
        for partition in 0..8 {
            // Whichever shard has it, the answer comes back by way of the connection's.
            let fault = Fault::on(ApiKey::Produce).partition("orders", partition);
            let met = node.fail(fault.applied_with(Code::RequestTimedOut));
            let record = Record::to("orders").partition(partition).value("x");
            producer.send(record).await.unwrap();
            assert_eq!(met.met(), 1);
            let end = kafka.offset("orders", partition, At::Latest).await;
            assert_eq!(end.unwrap(), 1, "stored once");
        }
    });
}
