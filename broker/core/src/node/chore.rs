//! The node's own file work: small files and directories, one operation after the other.
//! Decides the order of operations of each chore; never what follows from it (`start`, `head`, `snapshots`).
//! Holds #39 and #102: what replaces a file is written aside, synced, renamed, and the directory synced.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use bytes::Bytes;

use crate::file::{Fault, FileName, FileOp, How, Outcome, Piece};
use crate::ids::Ticket;
use crate::log::Ops;
use crate::map::Map;

/// What a chore is for; told when its last operation is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Chore {
    /// Look at the log directory.
    Root,
    /// Look into a directory of what may be an unfinished founding.
    Remains(&'static str),
    /// Look whether a ring file holds a commit.
    Ring(String),
    /// Remove an unfinished founding.
    Cleared,
    /// Read `meta.properties`.
    Identity,
    /// Look at the metadata log's directory.
    MetadataDir,
    /// Read `quorum-state`.
    QuorumState,
    /// Read the next block of a snapshot.
    SnapshotBlock,
    /// Lay out the files of a new node.
    Founded,
    /// Make everything that was laid out durable, then `meta.properties` the proof of it.
    Proved,
    /// Write `quorum-state`.
    Voted,
    /// Write a snapshot.
    Snapshot,
    /// Remove files that nothing needs any more.
    Tidy,
}

/// Chores under way: one operation of each.
#[derive(Debug, Default)]
pub(crate) struct Chores {
    under_way: Map<Ticket, (Chore, VecDeque<FileOp>)>,
}

/// How an operation of a chore ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// More of it follows, or it is nobody's.
    Not,
    /// The last operation of the chore is done.
    Done(Chore, Outcome),
    /// An operation failed; the rest was not begun.
    Failed(Chore, Fault),
}

impl Chores {
    /// Begins a chore.
    pub(crate) fn begin(&mut self, chore: Chore, steps: Vec<FileOp>, ops: &mut Ops) {
        let mut steps = VecDeque::from(steps);
        if let Some(first) = steps.pop_front() {
            let ticket = ops.ask(first);
            self.under_way.insert(ticket, (chore, steps));
        }
    }

    /// Whether this operation is of a chore.
    pub(crate) fn owns(&self, ticket: Ticket) -> bool {
        self.under_way.contains_key(&ticket)
    }

    /// An operation came back.
    pub(crate) fn done(&mut self, ticket: Ticket, outcome: Outcome, ops: &mut Ops) -> Ended {
        let Some((chore, mut steps)) = self.under_way.remove(&ticket) else {
            return Ended::Not;
        };
        if let Outcome::Failed(fault) = outcome {
            return Ended::Failed(chore, fault);
        }
        match steps.pop_front() {
            Some(next) => {
                let ticket = ops.ask(next);
                self.under_way.insert(ticket, (chore, steps));
                Ended::Not
            }
            None => Ended::Done(chore, outcome),
        }
    }
}

/// Replaces a file so that at any moment either the old bytes or the new ones are whole.
pub(crate) fn replace(dir: &str, name: &str, bytes: Vec<Bytes>) -> Vec<FileOp> {
    let path = if dir.is_empty() {
        String::from(name)
    } else {
        format!("{dir}/{name}")
    };
    let (file, aside) = (
        FileName::named(&path),
        FileName::named(&format!("{path}.part")),
    );
    let pieces = bytes.into_iter().map(Piece::Bytes).collect();
    vec![
        // Bytes of an earlier attempt must not stand behind the new ones.
        FileOp::Unlink(aside.clone()),
        FileOp::Put {
            file: aside.clone(),
            at: 0,
            pieces,
            how: How::Cached,
        },
        FileOp::Sync(aside.clone()),
        FileOp::Rename {
            from: aside,
            to: file,
        },
        FileOp::SyncDir(FileName::named(dir)),
    ]
}

/// Writes a file where nothing depends on it yet.
pub(crate) fn lay(path: &str, bytes: Vec<Bytes>) -> FileOp {
    let pieces = bytes.into_iter().map(Piece::Bytes).collect();
    FileOp::Put {
        file: FileName::named(path),
        at: 0,
        pieces,
        how: How::Cached,
    }
}

/// Reads a block of a file.
pub(crate) fn read(path: &str, at: u64, len: u32) -> FileOp {
    FileOp::Read {
        file: FileName::named(path),
        at,
        len,
    }
}
