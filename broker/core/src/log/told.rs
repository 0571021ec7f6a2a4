//! What the engine wishes and what it tells: file operations, alarms, and statements that are proved when they are made.
//! Decides nothing; `node` carries wishes out as effects and acts on what it is told.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::file::FileOp;
use crate::ids::{BrokerEpoch, LeaderEpoch, LogId, Offset, Ticket};
use crate::log::refusal::ReadRefusal;
use crate::now::{Deadline, Wall};
use crate::timers::AlarmKey;

/// Wishes and statements of one step. Emptied by `node` after each call; the ticket counter stays.
#[derive(Debug, Default)]
pub struct Ops {
    /// To be done to the log directory, in this order per file.
    pub ops: Vec<(Ticket, FileOp)>,
    /// Alarms wished for.
    pub alarms: Vec<(AlarmKey, Deadline)>,
    /// What became true.
    pub told: Vec<Told>,
    /// How many operations were asked for: the last ticket given out.
    pub tickets: u64,
}

impl Ops {
    /// Asks for one file operation.
    pub fn ask(&mut self, op: FileOp) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.ops.push((ticket, op));
        ticket
    }

    /// Wishes to be woken.
    pub fn wake(&mut self, key: AlarmKey, deadline: Deadline) {
        self.alarms.push((key, deadline));
    }

    /// Says something that is true now.
    pub fn tell(&mut self, told: Told) {
        self.told.push(told);
    }
}

/// What the engine says. Each is said only after the completion that proves it.
#[derive(Clone, PartialEq, Debug)]
pub enum Told {
    /// The directory holds nothing of this shard: `found` lays it out.
    Fresh,
    /// The layout is written, not yet synced.
    Laid,
    /// The reading is over; nothing was changed on disk. `accept` goes on.
    Judged(Report),
    /// What was recovered is durable again; logs may be opened.
    Ready,
    /// This log survives the death of the process up to this end.
    Written(LogId, Offset),
    /// This log survives a power cut up to this end.
    Durable(LogId, Offset),
    /// This log durably starts here.
    Started(LogId, Offset),
    /// Something that a plan of this log waited for was loaded: plan again.
    Look(LogId),
    /// The answer to `load` with this tag: whole, checked batches.
    Loaded(u64, Result<Vec<Bytes>, ReadRefusal>),
    /// The answer to `find` with this tag.
    Found(u64, Result<Option<FoundAt>, ReadRefusal>),
    /// This log's bytes are damaged or cannot be read; it serves no more until a start, all others do (#99, #106).
    Offline(LogId, String),
    /// Whether sockets should rest because the ring is full until spilling catches up.
    Hold(bool),
    /// This log's files are gone.
    Gone(LogId),
    /// Worth knowing for people.
    Note(String),
    /// Everything is spilled and the ring says so.
    Stopped,
    /// The directory is finished for this process (#101), or must not be touched.
    Broken(Broken),
}

/// A record that was looked for by time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoundAt {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp: Wall,
    /// The leadership that appended it.
    pub epoch: LeaderEpoch,
}

/// Why nothing may go on, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    /// What could not be done.
    pub what: String,
    /// Why, as a fact.
    pub why: String,
    /// What to try.
    pub attempt: String,
}

/// How a start went.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Report {
    /// The registration that ended cleanly, if the last commit says so (#103).
    pub clean: Option<BrokerEpoch>,
    /// Logs that have data.
    pub logs: u64,
    /// Commits replayed.
    pub commits: u64,
    /// Bytes of the rings that were read.
    pub bytes: u64,
    /// Verdicts, for people.
    pub warnings: Vec<String>,
    /// First offset and end of the metadata log, if it has data: whether a snapshot reaches it is judged before anything
    /// is changed (#39).
    pub metadata: Option<(Offset, Offset)>,
    /// From where on the metadata log is whole, if it is damaged (#99): a whole snapshot that reaches it covers the damage.
    pub metadata_whole_from: Option<Offset>,
    /// Logs whose bytes are damaged at or below the mark.
    pub offline: Vec<(LogId, String)>,
    /// Set when the operator asked to be asked (`sawlog.recovery.doubt=stop`) and there is doubt.
    pub doubt: Option<String>,
    /// The number of shards that the node had, if it changes: shard 0 alone brings the directory to the new one.
    pub reshaped: Option<u16>,
}
