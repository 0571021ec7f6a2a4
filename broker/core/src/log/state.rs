//! What is known of the logs of one shard: the shapes of the fold, of the entries that are folded, and of places.
//! Decides nothing: `fold` changes a [`Fold`] by commits, the spill by what it has made durable, `checkpoint` keeps it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::file::RingKind;
use crate::ids::{
    BrokerEpoch, Generation, LeaderEpoch, LogId, Offset, ProducerEpoch, ProducerId, Sequence,
};
use crate::log::epochs::Epochs;
use crate::log::producers::Producers;
use crate::log::sidecar::{self, SideEntry};
use crate::map::Map;

/// Where bytes lie in a ring: which file of which ring, and from which byte on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Spot {
    /// Which ring.
    pub kind: RingKind,
    /// Which of its files, by the file's SEQUENCE.
    pub file: u64,
    /// Byte within the file.
    pub at: u32,
}

/// A batch whose bytes lie in a ring: what a reader, the spill and a look-up by time need to know of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RingBatch {
    /// Offset of its first record.
    pub base: Offset,
    /// Its last record's offset, relative to `base`.
    pub delta: u32,
    /// The leadership that appended it.
    pub epoch: LeaderEpoch,
    /// Bytes, header included.
    pub len: u32,
    /// Over all its bytes as stored, bound to topic id and partition (#8).
    pub checksum: u32,
    /// Its largest timestamp, -1 if it has none.
    pub max_timestamp: i64,
    /// Where it lies.
    pub spot: Spot,
}

impl RingBatch {
    /// Offset after its last record.
    pub fn next(&self) -> Offset {
        self.base.plus(i64::from(self.delta) + 1)
    }

    /// Whether both name the same batch, wherever its bytes lie.
    pub fn same_bytes(&self, other: &RingBatch) -> bool {
        (self.base, self.delta, self.len, self.checksum)
            == (other.base, other.delta, other.len, other.checksum)
    }
}

/// Who sent a batch, if the producer is idempotent (KIP-98).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerBatch {
    /// Which producer.
    pub id: ProducerId,
    /// Which of its lives.
    pub epoch: ProducerEpoch,
    /// Sequence of the batch's first record.
    pub base_sequence: Sequence,
}

/// Why a batch stands in a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BatchKind {
    /// Appended for the first time.
    New,
    /// Copied forward to free a ring file: placed by offset, never folded into producers or epochs.
    Moved,
    /// Accepted by a recovery above the mark and written again (#98): folded like `New`, once per (log, generation, base).
    Again,
}

/// A batch as a commit's entries name it, with what the batch's own header adds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchEntry {
    /// Why it is there.
    pub kind: BatchKind,
    /// Whose.
    pub log: LogId,
    /// How often that log had been cut.
    pub generation: Generation,
    /// The batch and its place.
    pub batch: RingBatch,
    /// Its attributes, as in its header.
    pub attributes: i16,
    /// Who sent it.
    pub producer: Option<ProducerBatch>,
    /// Where its bytes lie, if not in the commit: they were durable there before this entry was written.
    pub home: Option<Home>,
}

/// A place in a segment file that was written without going through the ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Home {
    /// Base offset of the segment.
    pub base: Offset,
    /// Byte within it.
    pub at: u64,
}

impl BatchEntry {
    /// Bytes of it that follow in the commit.
    pub fn stored_len(&self) -> u32 {
        if self.home.is_some() {
            0
        } else {
            self.batch.len
        }
    }

    /// Whether it is a control batch (bit 5 of the attributes): those carry no sequence numbers.
    pub fn is_control(&self) -> bool {
        self.attributes & 0x20 != 0
    }
}

/// A durable change of one log that is not a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fact {
    /// The log now starts here; what lies below may be removed (#89).
    Start(Offset),
    /// The log was cut: it ends here, and its generation is now this.
    Cut(Offset, Generation),
    /// A committed delete named the log; its bytes may be removed (#40).
    Dropped,
    /// This producer was silent for longer than the limit: all it wrote below this offset is forgotten (#74).
    Expired(ProducerId, Offset),
    /// A leadership began at this offset, whether or not it writes anything (#4).
    Epoch(LeaderEpoch, Offset),
}

/// What a ring says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeFact {
    /// A start begins: the last commit at or below the mark of this ring. What lies behind it is written again, then
    /// `Ready` follows; without that the start's file is void.
    Resumed {
        /// Of which ring.
        kind: RingKind,
        /// Where its accepted commits ended.
        point: RingPoint,
        /// First sequence used in that ring after the start, greater than any seen there: what lies between is void.
        next: u64,
    },
    /// Everything accepted above the marks is written again and durable: what lies behind a `Resumed` point is void.
    Ready,
    /// Rot took the end of the log of this checksum seed: it had reached this offset. A start says so together with what
    /// it writes again, for what told of it is void once that is durable (#99).
    Lost(u32, Offset),
    /// Everything is spilled and the process ends; counts only as the last commit of the ring (#103).
    Stopped(BrokerEpoch),
}

/// One entry of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// A batch, whose bytes follow in the same commit unless it has a home.
    Batch(BatchEntry),
    /// A change of one log.
    Fact(LogId, Generation, Fact),
    /// A statement about the ring itself.
    Node(NodeFact),
}

/// A place between two commits of one ring: all commits before it are folded, none behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RingPoint {
    /// Sequence of the last commit before the place; 0 if there is none.
    pub commit: u64,
    /// Hash of that commit's header, which the next commit names.
    pub hash: u64,
    /// SEQUENCE of the file that it lies in.
    pub file: u64,
    /// The byte after its padding.
    pub at: u32,
}

/// A segment file: whole batches, described one by one in its sidecar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentState {
    /// Offset that its name says.
    pub base: Offset,
    /// Offset after its last batch.
    pub next: Offset,
    /// Bytes of whole batches; whatever lies past them is cut before the next spill.
    pub bytes: u64,
    /// Batches, and so entries of the sidecar.
    pub batches: u32,
    /// The sidecar's chain value after its last entry.
    pub chain: u32,
    /// Largest timestamp of all its batches, -1 if none has one.
    pub max_timestamp: i64,
    /// Largest timestamp of its first batch: its age begins here.
    pub first_timestamp: i64,
}

/// One log, as the commits folded so far and the spills made durable so far tell it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogState {
    /// How often it was cut.
    pub generation: Generation,
    /// First offset still there.
    pub start: Offset,
    /// Offset after the last batch.
    pub next: Offset,
    /// Batches below lie in segment files, batches from here on in `ring`.
    pub spilled: Offset,
    /// Where the log is known to have ended once, if rot took what lies between `next` and there (#99); else zero.
    pub reached: Offset,
    /// Its directory, from the first spill on.
    pub dir: Option<Arc<str>>,
    /// Its segment files, in offset order.
    pub segments: Vec<SegmentState>,
    /// Batches may have gone straight to its last segment: that one is kept even if all of it lies below the start, for
    /// a replay learns of the start before it learns of them.
    pub direct: bool,
    /// Where each leadership began.
    pub epochs: Epochs,
    /// Idempotent producers.
    pub producers: Producers,
    /// Batches that lie in a ring only, in offset order; `spot`s need not rise, for some were moved.
    pub ring: VecDeque<RingBatch>,
    /// Batches behind a gap that rot has torn: kept and named, never served. Empty for every log in order (#99).
    pub beyond: Vec<BatchEntry>,
}

/// The fold: every log of a shard up to one point of each of its rings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fold {
    /// The durable ring is folded up to here.
    pub durable: RingPoint,
    /// The fast ring is folded up to here.
    pub fast: RingPoint,
    /// The logs. Nodes of a map that grows at its end are half empty: they hold no more than where each lies.
    pub logs: Map<LogId, Box<LogState>>,
    /// Logs that were dropped and whose directory may still be there.
    pub dropped: Map<LogId, Option<Arc<str>>>,
    /// Ends that rot took of logs which nothing that can be read names: by the log's checksum seed, until the metadata
    /// names a log of that seed (#99).
    pub lost: Map<u32, Offset>,
}

impl LogState {
    /// Whether rot took batches that were durable: the log is kept as it is and served to nobody (#99).
    pub fn is_torn(&self) -> bool {
        self.reached > self.next || !self.beyond.is_empty()
    }
}

impl SegmentState {
    /// A file that nothing was put to yet; it begins with a batch of this timestamp.
    pub(crate) fn begin(log: LogId, base: Offset, first_timestamp: i64) -> SegmentState {
        SegmentState {
            base,
            next: base,
            bytes: 0,
            batches: 0,
            chain: sidecar::first_chain(log, base),
            max_timestamp: -1,
            first_timestamp,
        }
    }

    /// A batch is put behind the others; its entry goes to the end of `side`.
    pub(crate) fn add(&mut self, entry: &SideEntry, side: &mut Vec<u8>) {
        self.max_timestamp = self.max_timestamp.max(entry.max_timestamp);
        self.chain = sidecar::put(side, entry, self.chain);
        self.bytes += u64::from(entry.len);
        self.batches += 1;
        self.next = entry.next();
    }
}

impl Fold {
    /// How far one ring is folded.
    pub fn point(&self, kind: RingKind) -> RingPoint {
        match kind {
            RingKind::Durable => self.durable,
            RingKind::Fast => self.fast,
        }
    }

    /// Moves on how far one ring is folded.
    pub fn set_point(&mut self, kind: RingKind, point: RingPoint) {
        match kind {
            RingKind::Durable => self.durable = point,
            RingKind::Fast => self.fast = point,
        }
    }
}
