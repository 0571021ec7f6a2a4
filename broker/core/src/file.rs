//! The closed list of things that can be asked of a file system, and what may come back.
//! Decides names and shapes only; `log` and `node` decide when, an executor (real lane, memory, faulty disk) does them.
//!
//! What an executor promises, and nothing more:
//! * Operations of one shard may complete in any order, except that operations on one file take effect in the order
//!   they were asked for. A put into a ring file does not wait for a sync or a read of it that was asked for earlier:
//!   those are about what was complete by then, and a commit never writes over anything (#96).
//! * `Done` of a [`FileOp::Put`] with [`How::Durable`], of `Sync`, `SyncDir`, `SyncAll` means: it survives a power cut.
//!   Of anything else: it survives the death of the process.
//! * After a failed sync or durable write nothing about that directory may be believed any more (#101).

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::ids::{LeaderEpoch, LogId, Offset, ShardId};

/// Which of a shard's two commit logs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RingKind {
    /// Synchronous writes past the page cache: what is written is durable.
    Durable,
    /// Through the page cache, synced at the flush bound: for topics that are `replicated`.
    Fast,
}

/// Checkpoints are written in turn to two files, so that one is whole at any time (#102).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

/// A file below the log directory. Cheap to clone, and for ring files free.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FileName {
    /// `commit/SHARD-SEQUENCE.log` or `commit/fast-SHARD-SEQUENCE.log`.
    Ring {
        /// Durable or fast.
        kind: RingKind,
        /// Whose.
        shard: ShardId,
        /// Counts the lives of ring files; a recycled file is renamed to a higher one.
        sequence: u64,
    },
    /// `checkpoint.SHARD.a` or `.b`.
    Checkpoint {
        /// Whose.
        shard: ShardId,
        /// Which of the two.
        side: Side,
    },
    /// `DIR/BASEOFFSET.log`: Kafka batches and nothing else.
    Segment {
        /// `TOPIC-PARTITION`.
        dir: Arc<str>,
        /// First offset that the file may hold.
        base: Offset,
    },
    /// `DIR/BASEOFFSET.side`: what we know about each batch of the segment.
    Sidecar {
        /// `TOPIC-PARTITION`.
        dir: Arc<str>,
        /// As its segment's.
        base: Offset,
    },
    /// Any other file or directory, by its path below the log directory; the empty path is the log directory itself.
    Named(Arc<str>),
}

impl FileName {
    /// A file or directory by its path below the log directory.
    pub fn named(path: &str) -> FileName {
        FileName::Named(Arc::from(path))
    }
}

impl fmt::Display for FileName {
    /// The path below the log directory.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileName::Ring {
                kind: RingKind::Durable,
                shard,
                sequence,
            } => {
                write!(f, "commit/{shard}-{sequence:020}.log")
            }
            FileName::Ring {
                kind: RingKind::Fast,
                shard,
                sequence,
            } => {
                write!(f, "commit/fast-{shard}-{sequence:020}.log")
            }
            FileName::Checkpoint {
                shard,
                side: Side::A,
            } => write!(f, "checkpoint.{shard}.a"),
            FileName::Checkpoint {
                shard,
                side: Side::B,
            } => write!(f, "checkpoint.{shard}.b"),
            FileName::Segment { dir, base } => write!(f, "{dir}/{base:020}.log", base = base.0),
            FileName::Sidecar { dir, base } => write!(f, "{dir}/{base:020}.side", base = base.0),
            FileName::Named(path) => f.write_str(path),
        }
    }
}

/// What the log stamps into a batch as it is copied to disk: both lie outside Kafka's own checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// Offset of the batch's first record.
    pub base: Offset,
    /// Leadership under which it was appended.
    pub epoch: LeaderEpoch,
}

/// A run of bytes to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece {
    /// As they are.
    Bytes(Bytes),
    /// A record batch as a client sent it, to be stamped in the copy.
    Batch(Bytes, Stamp),
    /// So many zeros.
    Zeros(usize),
}

impl Piece {
    /// How many bytes it becomes.
    pub fn len(&self) -> usize {
        match self {
            Piece::Bytes(bytes) | Piece::Batch(bytes, _) => bytes.len(),
            Piece::Zeros(n) => *n,
        }
    }

    /// Whether it becomes none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What the completion of a write proves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// It survives a power cut: O_DIRECT with O_DSYNC, or a write and fdatasync.
    Durable,
    /// It survives the death of the process: it is in the page cache. In a ring file the rest of the last block may be
    /// zeroed with it.
    Cached,
    /// As `Cached`, in large blocks that nobody will read soon: the executor may go around the page cache.
    Bulk,
}

/// Something to be done to the log directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileOp {
    /// Creates a file and writes zeros up to `len` (so that later writes change no file-system metadata).
    Alloc {
        /// Must not exist, or is made anew.
        file: FileName,
        /// Its length from then on.
        len: u64,
    },
    /// Writes the pieces one after another from `at` on; creates the file if it is not there.
    Put {
        /// Into which.
        file: FileName,
        /// From which byte on.
        at: u64,
        /// What.
        pieces: Vec<Piece>,
        /// What its completion proves.
        how: How,
    },
    /// Makes a file's bytes and length durable.
    Sync(FileName),
    /// Makes a directory's entries durable.
    SyncDir(FileName),
    /// Makes everything below the log directory durable (syncfs).
    SyncAll,
    /// Shortens a file.
    Cut {
        /// Which.
        file: FileName,
        /// Its length from then on.
        len: u64,
    },
    /// Renames a file or a directory, replacing what is there.
    Rename {
        /// Its name until then.
        from: FileName,
        /// Its name from then on.
        to: FileName,
    },
    /// Removes a file; one that is not there is no error.
    Unlink(FileName),
    /// Creates a directory; one that is there is no error.
    MakeDir(FileName),
    /// Removes a directory and the files in it; one that is not there is no error.
    RemoveDir(FileName),
    /// Reads up to `len` bytes; fewer where the file ends.
    Read {
        /// From which.
        file: FileName,
        /// From which byte on.
        at: u64,
        /// How many at most.
        len: u32,
    },
    /// The same for bytes that were not what they should be, or could not be read: from the medium itself, whatever memory
    /// holds of them (#7).
    Reread {
        /// From which.
        file: FileName,
        /// From which byte on.
        at: u64,
        /// How many at most.
        len: u32,
    },
    /// Lists a directory.
    List(FileName),
}

/// What a directory holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Name within the directory.
    pub name: String,
    /// Length in bytes; 0 for a directory.
    pub len: u64,
    /// Whether it is a directory.
    pub dir: bool,
}

/// What a file operation came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is done.
    Done,
    /// What was read.
    Bytes(Bytes),
    /// What was listed, ordered by name.
    Listing(Vec<Entry>),
    /// It failed; whether it had an effect is unknown.
    Failed(Fault),
}

/// What the operating system said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What kind of error: all that decisions depend on.
    pub kind: FaultKind,
    /// The system's words, for people.
    pub text: String,
}

/// Kinds of errors of the file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// There is no such file.
    Absent,
    /// No space, no inodes, over quota.
    Full,
    /// The file system takes no writes.
    ReadOnly,
    /// Permission.
    Denied,
    /// The medium failed, or anything else.
    Broken,
}

/// One batch that is to be read, and how it is known to be the right one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Index into [`ReadPlan::files`].
    pub file: u16,
    /// Where in the file.
    pub at: u64,
    /// How many bytes, header included.
    pub len: u32,
    /// Checksum over all its bytes as stored, bound to topic id and partition (#8).
    pub checksum: u32,
}

/// Where the bytes lie that a reader may have, in offset order. Pins the files it names until it is given back (#7).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadPlan {
    /// Whose bytes.
    pub log: LogId,
    /// Of which generation: a plan of an older one is not judged.
    pub pin: u64,
    /// The files named by `places`.
    pub files: Vec<FileName>,
    /// The batches.
    pub places: Vec<Place>,
}

/// What became of a plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Served {
    /// All bytes were there and right, and went to the waiter.
    Whole,
    /// The reader is gone, or no longer waits.
    Dropped,
    /// The bytes of this place (index) do not match their checksum; nothing was sent.
    Rotten(usize),
    /// The bytes of this place could not be read; nothing was sent.
    Unreadable(usize, Fault),
}

/// Space of the file system that holds the log directory, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Free {
    /// In all.
    pub total: u64,
    /// What an unprivileged writer may still take.
    pub free: u64,
}
