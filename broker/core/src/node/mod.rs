//! One shard of a node: everything of the core composed, the thing that the server runs and the simulator drives.
//! Decides only who is handed what; the rules stand in the modules that it composes. Holds #10 and #11: one owner per
//! log, and nothing is said to anybody before the completion that proves it.
//!
//! ```text
//! Event -> step -> parts (append, fetch, find)  \                      / told -> marks -> leader -> parked -> Reply
//!                  head  (metadata, shard 0)     > engine -> FileOp -> <
//!                  start, stop (chores)         /                      \ read -> Serve
//! ```

mod adopt;
mod append;
mod chore;
mod command;
mod describe;
mod elect;
mod found;
mod head;
pub mod identity;
mod life;
mod parts;
mod read;
mod snapshots;
mod start;
mod steer;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod trim;

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::effect::Effect;
use crate::event::{Event, News, Step};
use crate::ids::{LogId, ShardId};
use crate::node::life::Running;
use crate::now::Now;

/// What one thread owns.
#[derive(Debug)]
pub struct Shard {
    id: ShardId,
    shards: u16,
    running: Option<Box<Running>>,
}

impl Shard {
    /// A shard that waits for its [`Event::Start`], or for shard 0 to pass it on.
    pub fn new(id: ShardId, shards: u16) -> Shard {
        assert!(id.0 < shards, "shard {id} of {shards}");
        Shard {
            id,
            shards,
            running: None,
        }
    }

    /// Takes one event in. Wishes go to `out`; what was queued for the disk waits for [`Shard::flush`].
    pub fn step(&mut self, step: Step, out: &mut Vec<Effect>) {
        let Step { now, dice, event } = step;
        match (&mut self.running, event) {
            (None, Event::Start(found) | Event::News(_, News::Start(found))) => {
                let mut running = Box::new(Running::new(self.id, self.shards, *found));
                running.begin(now, dice, out);
                self.running = Some(running);
            }
            (None, Event::Stop) => life::stop_unstarted(self.id, out),
            (None, _) => {}
            (Some(running), event) => running.step(now, dice, event, out),
        }
    }

    /// Ends a batch of events: what they queued becomes at most two commits in flight.
    pub fn flush(&mut self, now: Now, out: &mut Vec<Effect>) {
        if let Some(running) = &mut self.running {
            running.flush(now, out);
        }
    }

    /// Bytes of commits that the spill has not put into segments: what the executor should still have in memory.
    pub fn behind(&self) -> u64 {
        self.running.as_ref().map_or(0, |running| running.behind())
    }

    /// Where in a file the next batch of a log will lie, as far as can be known: memory that lies there in the same way
    /// need not be copied. Nothing depends on its being right.
    pub fn next_direct(&self, log: LogId) -> Option<u64> {
        self.running.as_ref()?.next_direct(log)
    }
}
