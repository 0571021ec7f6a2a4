//! What carries out file operations: the real lanes, and memory for tests and embedding.
//! Decides nothing about what is written or when (`sawlog_core::log` does); holds the promises of `sawlog_core::file`.

pub mod ahead;
pub mod buffer;
pub mod files;
pub mod gone;
pub mod lane;
pub mod laying;
pub mod memory;
pub mod placing;
pub mod reading;
pub mod region;
pub mod store;
pub mod tail;
