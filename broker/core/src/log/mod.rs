//! The storage engine, sans-IO: it decides every byte on disk, its name and its order, and never touches a file.
//! One per shard. It emits file operations and learns from their completions what is written and what is durable.

pub mod checkpoint;
pub mod checksum;
pub mod commit;
pub mod epochs;
pub mod fold;
mod hash;
pub mod producers;
mod raw;
pub mod refusal;
pub mod sidecar;
pub mod state;
pub mod told;
