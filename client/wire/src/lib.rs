//! The Kafka wire protocol as plain values, level Apache Kafka 4.4.
//!
//! This crate decides what every byte on a Kafka connection means: primitive types, messages in
//! all their versions, headers, frames, record batches and error codes. It never opens a socket,
//! reads a clock or knows what a broker does with a message.
//!
//! * A message is declared once, by `message!`, in `messages/NAME.rs`; the declaration is the
//!   schema, and `layout.snap` is a readable print of all of them.
//! * Decoding is bounded: what a frame may make us allocate follows from its length, not from the
//!   numbers written in it ([`primitives::Budget`], #128, #129).
//! * Encoding is one pass into a [`primitives::Writer`]; large payloads are spliced in, not copied.
//!
//! ```
//! use sawlog_wire::{Code, primitives::Uuid};
//!
//! let code = Code::from_number(6).expect("a code of Kafka 4.4");
//! assert_eq!(code.name(), "NOT_LEADER_OR_FOLLOWER");
//! assert!(code.retriable());
//!
//! let id: Uuid = "AAAAAAAAAAAAAAAAAAAAAQ".parse().expect("22 characters of URL-safe base64");
//! assert_eq!(id, Uuid::METADATA_TOPIC);
//! ```
#![forbid(unsafe_code)]

#[macro_use]
pub mod message;

pub mod code;
pub mod consumer_protocol;
pub mod control;
pub mod coordinator;
pub mod frame;
pub mod header;
pub mod layout;
pub mod messages;
pub mod metadata;
pub mod primitives;
pub mod proof;
#[cfg(any(test, feature = "random"))]
pub mod random;
pub mod records;
#[cfg(any(test, feature = "random"))]
pub mod registry;
pub mod versioned;
pub mod views;

pub use code::{Code, ErrorCode};
pub use header::{RequestHeader, ResponseHeader};
pub use message::{Message, Request};
pub use messages::ApiKey;
pub use primitives::{Budget, DecodeError, EncodeError, Pieces, Reader, Uuid, Writer};
