//! A node in memory (`sawlog_broker::memory`), as those meet it who test with it: many of them, its clock, its bound, its end.
//! Everything goes over loopback, by our client.

#![expect(
    clippy::unwrap_used,
    reason = "a test says by a panic what it could not do"
)]

mod clock;
mod faults;
mod gotchas;
mod many;
mod nodes;

use std::future::Future;

use sawlog_broker::memory::Node;
use sawlog_client::{Assignment, At, Client, NewTopic, Record};

/// Runs a story on a runtime of its own.
fn story(story: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(story);
}

/// A client of a node, which has one topic of one partition: `orders`.
async fn client(node: &Node) -> Client {
    let kafka = Client::connect(&node.brokers()).await.unwrap();
    let topic = NewTopic::new("orders").partitions(1);
    for (_, made) in kafka.create_topics(vec![topic]).await.unwrap() {
        made.unwrap();
    }
    kafka
}

/// Sends one record, and gives its offset.
async fn send(kafka: &Client, value: &'static str) -> i64 {
    let producer = kafka.producer().await.unwrap();
    let record = Record::to("orders").partition(0).value(value);
    producer.send(record).await.unwrap().offset
}

/// Everything that `orders` holds now.
async fn values(kafka: &Client) -> Vec<String> {
    let end = kafka.offset("orders", 0, At::Latest).await.unwrap();
    let all = Assignment::new("orders", 0).until(end);
    let mut consumer = kafka.assign([all]).await.unwrap();
    let mut values = Vec::new();
    while let Some(batch) = consumer.next_batch().await.unwrap() {
        for message in batch.messages {
            let value = message.value.unwrap_or_default();
            values.push(String::from_utf8(value.to_vec()).unwrap());
        }
    }
    values
}
