//! A client for Kafka-protocol brokers in pure Rust, on tokio.
//!
//! One [`Client`] handle, cheap to clone, keeps one pipelined connection to each broker that it needs; from it come the
//! things one works with. Every error says what is known of its effect: a timeout after a request may have been carried
//! out is [`Outcome::Unknown`], never folded into a refusal.
//!
//! ```no_run
//! # async fn first() -> Result<(), sawlog_client::Error> {
//! use sawlog_client::{At, Client, NewTopic, Record};
//!
//! let kafka = Client::connect("localhost:9092").await?;
//! kafka.create_topics(vec![NewTopic::new("orders").partitions(3)]).await?;
//! let orders = kafka.partition("orders", 0);
//! let offset = orders.append(vec![Record::value("paid").key("42")]).await?;
//! for record in orders.fetch(orders.offset(At::Earliest).await?).await?.records {
//!     println!("{}: {:?}", record.offset, record.value);
//! }
//! # let _ = offset; Ok(()) }
//! ```
//!
//! What is here works by partition. Producers that batch and partition by themselves, and consumers, come with their own
//! issue; the rules they will share stand in `sawlog-engine` already.
#![forbid(unsafe_code)]

mod admin;
mod client;
mod conn;
mod error;
mod partition;
mod record;

pub use admin::NewTopic;
pub use client::{Builder, Client};
pub use error::{Error, Kind};
pub use partition::{At, Fetched, Partition};
pub use record::{Header, Record, Stored};
pub use sawlog_engine::connection::Outcome;
pub use sawlog_engine::metadata;
