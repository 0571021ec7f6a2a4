//! The Sawlog broker: sockets, files and threads around `sawlog-core`.
//!
//! This crate owns everything that the core must not know: the clock, the runtime, the file system, the sockets.
//! It decides nothing about data. `boot::run` is the whole process; `shard_loop` is the heart of each thread.

pub mod boot;
pub mod clock;
pub mod disk;
pub mod eager;
pub mod environment;
pub mod holds;
pub mod lock;
pub mod memory;
pub mod net;
pub mod properties;
pub mod serving;
pub mod shard_loop;
