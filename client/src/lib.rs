//! A client for Kafka-protocol brokers in pure Rust, on tokio.
//!
//! One [`Client`] handle, cheap to clone, keeps one pipelined connection to each broker that it needs; from it come the
//! things one works with. Every error says what is known of its effect: a timeout after a request may have been carried
//! out is [`Outcome::Unknown`], never folded into a refusal.
//!
//! ```no_run
//! # async fn first() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! use sawlog_client::{Assignment, Client, NewTopic, Outcome, Record};
//!
//! let kafka = Client::connect("localhost:9092").await?;
//! kafka.create_topics(vec![NewTopic::new("orders").partitions(3)]).await?;
//!
//! let producer = kafka.producer().await?;
//! let at = producer.send(Record::to("orders").key("42").value("paid")).await?; // waits for the acknowledgement
//! println!("{}@{}", at.partition, at.offset);
//! let ticket = producer.enqueue(Record::to("orders").value("x")).await?; // waits only for room
//! if let Err(unsent) = ticket.await {
//!     // The record comes back to its sender, with what is known of it.
//!     if unsent.outcome == Outcome::NotWritten {
//!         producer.send(unsent.record).await?;
//!     }
//! }
//!
//! let mut consumer = kafka.assign([Assignment::new("orders", 0)]).await?;
//! while let Some(batch) = consumer.next_batch().await? {
//!     for message in batch.messages {
//!         println!("{}: {:?}", message.offset, message.value);
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! Consumers read the partitions that they are given. Groups, share groups and transactions come with their own issues; the
//! rules they will share stand in `sawlog-engine` already.
#![forbid(unsafe_code)]

mod admin;
mod client;
mod conn;
mod consumer;
mod driver;
mod error;
mod fetcher;
mod metrics;
mod offsets;
mod producer;
mod record;
mod stream;
mod topics;

pub use admin::{
    Broker, Cluster, Config, ConfigChange, ConfigSource, DirPartition, LogDir, Mode, NewTopic,
    Resource, Synonym,
};
pub use client::{Builder, Client};
pub use consumer::{Assignment, Batch, Consumer, ConsumerBuilder, Start};
pub use error::{Error, Kind};
pub use metrics::{Latency, Metrics, Requests};
pub use offsets::{At, Place};
pub use producer::{Producer, ProducerBuilder, SendError, Sent, Ticket, Unfinished};
pub use record::{Header, Message, Record, TimeOf};
pub use sawlog_engine::connection::Outcome;
pub use sawlog_engine::partitioner::Partitioner;
pub use sawlog_engine::produce::Acks;
pub use sawlog_engine::{metadata, versions};
pub use sawlog_wire::records::Codec as Compression;
pub use stream::{Messages, Records};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_may_be_sent_shared_and_printed_while_debugging() {
        fn is<T: Send + Sync + std::fmt::Debug>() {}
        is::<(Client, Builder, Error, Kind, Outcome)>();
        is::<(Metrics, Requests, Latency)>();
        is::<(
            Producer,
            ProducerBuilder,
            Ticket,
            Sent,
            SendError,
            Unfinished,
            Records,
        )>();
        is::<(
            Consumer,
            ConsumerBuilder,
            Assignment,
            Batch,
            Messages,
            Message,
        )>();
        is::<(NewTopic, Cluster, Config, LogDir, Resource, At, Place)>();
    }
}
