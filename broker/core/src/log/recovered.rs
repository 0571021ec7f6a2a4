//! What a start hands to the live engine: everything in it is durable, and said to be so by a fact in the ring.
//! Decides nothing.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::file::{FileName, RingKind, Side};
use crate::ids::LogId;
use crate::log::commit::{Chain, RingSecret};
use crate::log::state::Fold;
use crate::log::told::{Broken, Report};
use crate::now::Wall;

/// How far a start has come.
#[derive(Debug)]
pub enum Progress {
    /// Operations are under way.
    More,
    /// The directory holds nothing of this shard.
    Fresh,
    /// Everything is read and judged; nothing was changed.
    Judged(Report),
    /// What was accepted is durable again.
    Up(Box<Recovered>),
    /// Nothing may be touched.
    Broken(Broken),
}

/// A file of a ring that exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoundFile {
    /// Of which ring.
    pub kind: RingKind,
    /// Its SEQUENCE.
    pub sequence: u64,
    /// Its length.
    pub len: u32,
}

/// Where a ring goes on.
#[derive(Debug)]
pub struct RingHead {
    /// The next commit's number and predecessor.
    pub chain: Chain,
    /// The file that is written to, fresh at this start: none has a higher sequence.
    pub file: u64,
    /// Its length.
    pub len: u32,
    /// Its bytes that are taken.
    pub used: u32,
    /// The highest commit, durable.
    pub last: u64,
}

/// See the file's head.
#[derive(Debug)]
pub struct Recovered {
    /// The logs.
    pub fold: Fold,
    /// The durable ring.
    pub durable: RingHead,
    /// The fast ring, if there is one.
    pub fast: Option<RingHead>,
    /// All files of this shard's rings.
    pub files: Vec<FoundFile>,
    /// The rings' secret.
    pub secret: RingSecret,
    /// The checkpoint to be written next: the older one.
    pub side: Side,
    /// The number of the newest checkpoint.
    pub number: u64,
    /// Whether the other checkpoint is damaged or missing.
    pub alone: bool,
    /// The wall clock as the newest checkpoint was told.
    pub wall: Wall,
    /// Logs that are damaged, with what and where.
    pub offline: Vec<(LogId, String)>,
    /// Files of shards that are no more: to be removed once two checkpoints hold what they held.
    pub foreign: Vec<FileName>,
}
