//! The Sawlog client without I/O: what a connection does next, which broker leads, when to try again.
//!
//! Nothing here opens a socket, reads a clock or rolls dice: bytes, time and chance come in as arguments, bytes to send
//! and deadlines go out. `sawlog-client` drives it with tokio, the simulator with a fake network; both run the same rules.
//!
//! * [`connection`]: one connection, from the first ApiVersions to its end, with its requests in order.
//! * [`versions`]: which keys and versions a broker serves, and which of them to speak.
//! * [`metadata`]: brokers, topics, leaders, as the answers so far tell them.
//! * [`presence`]: whether a topic is still the one that reading began with.
//! * [`trouble`]: when errors that may pass have lasted.
//! * [`backoff`]: how long to wait before the next attempt.
//! * [`partitioner`]: which partition a record goes to.
//! * [`session`]: what a Fetch must name, when the broker remembers the last one.
//! * [`produce`]: from records to requests, and again, until each is decided.
#![cfg_attr(not(any(test, feature = "mutants")), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod backoff;
pub mod connection;
pub mod metadata;
pub mod partitioner;
pub mod presence;
pub mod produce;
mod proof;
pub mod session;
pub mod time;
pub mod trouble;
pub mod versions;
