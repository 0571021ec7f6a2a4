//! The storage engine: what lies on disk, in which order it is written, and how a shard comes back. It is sans-IO: it
//! emits file operations and is told what became of them; it never touches a file.
//!
//! Front: `engine` (append, trim, open), `write` (commits), `read` (plans), `find` (by time), `rebuild` (a lost index).
//! Behind: `ring` (files of the commit log), `spill`, `walk`, `pour` (segments and sidecars), `direct` (large batches,
//! which go around the ring), `keep` (checkpoints), `retain`,
//! `steady` (its clock), `drops`, `space`. Bytes: `commit`, `sidecar`, `checkpoint`, `checksum`. Coming up: `rise`, `recover`,
//! `scan`, `judge`, `prove`, `again`, `reshape`. The fold of commits: `state`, `fold`, `producers`,
//! `epochs`.

mod again;
pub mod checkpoint;
pub mod checksum;
pub mod commit;
mod conf;
mod cut;
mod describe;
mod direct;
mod dirs;
mod drops;
mod engine;
pub mod epochs;
mod find;
pub mod fold;
mod hash;
pub mod judge;
mod keep;
mod lane;
mod live;
#[cfg(all(test, feature = "mutants"))]
mod mutants;
mod pour;
pub mod producers;
mod prove;
mod queue;
mod raw;
mod read;
mod rebuild;
pub mod recover;
pub mod recovered;
pub mod refusal;
mod reshape;
mod retain;
mod ring;
mod rise;
mod row;
pub mod scan;
pub mod sidecar;
mod space;
mod spill;
pub mod state;
mod steady;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod told;
#[cfg(test)]
mod torture;
mod walk;
mod windows;
mod write;

pub use conf::{EngineConf, Sizes};
pub use engine::{Appended, Engine};
pub use live::LogSpec;
pub use read::{Measured, Planned};
pub use refusal::{AppendRefusal, CutRefusal, ReadRefusal, TrimRefusal};
pub use told::{Broken, FoundAt, Ops, Report, Told};

use crate::ids::LogId;

/// What [`Place::checksum`](crate::file::Place::checksum) is compared with: over a batch as it is stored.
pub fn checksum(log: LogId, stored: &[u8]) -> u32 {
    checksum::over(checksum::seed(log), stored)
}
