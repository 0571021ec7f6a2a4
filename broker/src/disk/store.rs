//! Where a node keeps its log directory: on a disk, or in memory. Decides which executor a shard's operations go to, never
//! what they are; memory carries each out where it is asked for, and nobody ever waits for it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sawlog_core::file::{Fault, FaultKind, FileOp, Free, Outcome, Served};
use sawlog_core::ids::Ticket;

use super::ahead::{AtHand, Came};
use super::buffer::Pool;
use super::files::Files;
use super::lane::{self, Back, Inbox, Landed};
use super::memory::Memory;
use super::reading::Reading;

/// Memory of frames that a node in memory keeps for the next ones.
const FRAMES_IDLE: usize = 1 << 20;

/// A log directory, shared by the shards of a node.
#[derive(Clone, Debug)]
pub enum Store {
    /// On a disk.
    Files(Arc<Files>),
    /// In memory: it is gone with the node.
    Memory(Arc<Mutex<Memory>>),
}

impl Store {
    /// Space of the file system, or below the bound of the memory.
    pub fn space(&self) -> io::Result<Free> {
        match self {
            Store::Files(files) => files.space(),
            Store::Memory(memory) => Ok(lock(memory).space()),
        }
    }

    /// Where memory for frames comes from: the same that file operations take theirs from, where they take any.
    pub fn pool(&self) -> Pool {
        match self {
            Store::Files(files) => files.pool(),
            Store::Memory(_) => Pool::new(FRAMES_IDLE),
        }
    }

    /// A shard's way to it. `cache_bytes` is how much may be kept of what was written to a disk last; `inbox` takes what
    /// comes back later.
    pub fn lane(&self, cache_bytes: u64, inbox: Inbox) -> Lane {
        match self {
            Store::Files(files) => {
                Lane::Files(Box::new(lane::Lane::new(files.clone(), cache_bytes, inbox)))
            }
            Store::Memory(memory) => Lane::Memory(memory.clone(), inbox),
        }
    }
}

/// One shard's way to its directory.
pub enum Lane {
    /// On a disk.
    Files(Box<lane::Lane>),
    /// In memory.
    Memory(Arc<Mutex<Memory>>, Inbox),
}

impl Lane {
    /// Does an operation now and gives its outcome, or has it done, and the outcome comes by the inbox.
    pub fn submit(&mut self, ticket: Ticket, op: FileOp) -> Option<Outcome> {
        match self {
            Lane::Files(lane) => lane.submit(ticket, op),
            Lane::Memory(memory, _) => Some(lock(memory).run(&op)),
        }
    }

    /// How far the spill is behind: so much stays in memory.
    pub fn owe(&mut self, bytes: u64) {
        if let Lane::Files(lane) = self {
            lane.owe(bytes);
        }
    }

    /// Writes whose pieces lie in memory of their own since somebody last asked: the same bytes.
    pub fn copied(&mut self) -> Vec<(Ticket, Vec<Bytes>)> {
        match self {
            Lane::Files(lane) => lane.copied(),
            Lane::Memory(..) => Vec::new(),
        }
    }

    /// Whether the last commit cost little.
    pub fn is_cheap(&self) -> bool {
        match self {
            Lane::Files(lane) => lane.is_cheap(),
            Lane::Memory(..) => true,
        }
    }

    /// Takes notice of an operation that came back by the inbox.
    pub fn landed(&mut self, back: Landed) {
        if let Lane::Files(lane) = self {
            lane.landed(back);
        }
    }

    /// Takes the bytes of a plan at once, if they are at hand.
    pub fn at_hand(&mut self, reading: &mut Reading) -> AtHand {
        match self {
            Lane::Files(lane) => lane.at_hand(reading),
            Lane::Memory(memory, _) => {
                let memory = lock(memory);
                if reading.taken(|file, at, len| memory.get(file, at, len)) {
                    AtHand::All
                } else {
                    AtHand::Nothing
                }
            }
        }
    }

    /// A plan was read to its end.
    pub fn was_read(&mut self, reading: &Reading) {
        if let Lane::Files(lane) = self {
            lane.was_read(reading);
        }
    }

    /// Something was read ahead.
    pub fn came_ahead(&mut self, came: Came) {
        if let Lane::Files(lane) = self {
            lane.came_ahead(came);
        }
    }

    /// Gives back what was read ahead and nobody came for.
    pub fn tidy(&mut self) {
        if let Lane::Files(lane) = self {
            lane.tidy();
        }
    }

    /// Has the next run of a plan read, whose bytes were not at hand; it comes back as [`Back::Read`].
    pub fn read(&mut self, reading: Box<Reading>) {
        match self {
            Lane::Files(lane) => lane.read(reading),
            Lane::Memory(_, inbox) => {
                let fault = Fault {
                    kind: FaultKind::Absent,
                    text: "the bytes of a plan are not in memory".to_owned(),
                };
                inbox(Back::Read(reading, Some(Served::Unreadable(0, fault))));
            }
        }
    }
}

/// A thread that died with it has changed it wholly or not at all.
fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}
