//! The end of a log: once the fact `dropped` is durable its directory is renamed, the parent synced, the files removed.
//! Decides the order of that, what must be waited for, and who may use the name meanwhile; a log nobody dropped by a
//! committed record is never touched, nor a directory that carries another id than the dropped log's (#40, #45).

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::file::{FaultKind, FileName, FileOp, Outcome, RingKind};
use crate::ids::LogId;
use crate::log::dirs;
use crate::log::engine::{Engine, Why};
use crate::log::spill::SpillPhase;
use crate::log::state::Fact;
use crate::log::steady::Steady;
use crate::log::told::{Ops, Told};
use crate::map::{Map, Set};
use crate::proof;

/// Each names the operation whose completion is awaited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DropStep {
    /// Whose is the directory of that name?
    Tag,
    /// It has no whole tag: does it hold anything?
    List,
    /// The directory gets the name that says so.
    Rename,
    /// The directory above it is synced.
    Dir,
    /// The files are removed.
    Remove,
    /// And that is durable.
    Gone,
}

/// Logs on their way out, and what is known of directories in this life of the process.
#[derive(Debug, Default)]
pub(crate) struct Drops {
    /// Told to go; their last batches are still on their way.
    pub(crate) wanted: Vec<LogId>,
    /// Told to go, and not gone yet: the names of their directories are theirs until then.
    pub(crate) leaving: Map<LogId, Arc<str>>,
    /// Being removed.
    pub(crate) going: Set<LogId>,
    /// Logs whose directory was made ready for writing.
    pub(crate) ready: Set<LogId>,
    /// Directories being tidied: operations still awaited.
    pub(crate) tidying: Map<LogId, usize>,
    /// Segment files that go as soon as nobody reads them.
    pub(crate) pinned: Set<FileName>,
    pub(crate) steady: Steady,
}

impl Engine {
    /// Whether a directory of this name still belongs to another log, which is on its way out. From the wish on, not from the
    /// fact on: until that is durable the next log of the name would find the directory, and lose its own to the drop.
    pub(crate) fn is_leavers(&self, of: LogId, dir: &Arc<str>) -> bool {
        let named = |(log, named): (&LogId, &Arc<str>)| {
            let state = self.fold.logs.get(log).and_then(|state| state.dir.as_ref());
            state.unwrap_or(named) == dir
        };
        if proof::mutant("drop-by-name") {
            return false;
        }
        let mut dropped = self.fold.dropped.values();
        let mut others = self.drops.leaving.iter().filter(|(log, _)| **log != of);
        dropped.any(|dropped| dropped.as_ref() == Some(dir)) || others.any(named)
    }

    /// Goes on with the logs that are to go.
    pub(crate) fn drop_on(&mut self, ops: &mut Ops) {
        let wanted = core::mem::take(&mut self.drops.wanted);
        for log in wanted {
            let Some(live) = self.live.get(&log) else {
                continue;
            };
            if live.pending > 0 {
                self.drops.wanted.push(log);
                if self.lanes.get(RingKind::Fast).is_some() {
                    self.sync_fast(ops);
                }
            } else {
                self.queue_fact(log, Fact::Dropped);
            }
        }
        // A first spill may be making the directory just now, or was cut short: whether it did, its tag will say.
        for (log, dir) in &mut self.fold.dropped {
            if dir.is_none() {
                *dir = self.drops.leaving.get(log).cloned();
            }
        }
        // A spill under way may be writing into the directory; its files are not moved from under it.
        if self.spill.phase != SpillPhase::Idle {
            return;
        }
        let dropped: Vec<LogId> = self
            .fold
            .dropped
            .keys()
            .filter(|log| !self.drops.going.contains(log))
            .copied()
            .collect();
        for log in dropped {
            match self.dropped_dir(log) {
                // The metadata still knows the name, if anything may be left.
                None if self.names_follow && !proof::mutant("drop-forgets-the-name") => {}
                Some(dir) => {
                    self.drops.going.insert(log);
                    let op = FileOp::Read {
                        file: dirs::metadata_name(&dir),
                        at: 0,
                        len: 4096,
                    };
                    self.drop_ask(log, DropStep::Tag, op, ops);
                }
                None => self.gone(log, ops),
            }
        }
    }

    fn dropped_dir(&self, log: LogId) -> Option<Arc<str>> {
        self.fold.dropped.get(&log).cloned().flatten()
    }

    fn drop_ask(&mut self, log: LogId, step: DropStep, op: FileOp, ops: &mut Ops) {
        let ticket = ops.ask(op);
        self.waiting.insert(ticket, Why::Drop(log, step));
    }

    /// The fact is durable.
    pub(crate) fn dropped(&mut self, log: LogId, ops: &mut Ops) {
        self.void_course(log);
        self.live.remove(&log);
        // What a reader still holds goes with the directory: by the time it is let go, the name may be another topic's.
        if let Some(dir) = self.dropped_dir(log)
            && !proof::mutant("pinned-by-name")
        {
            let of =
                |file: &FileName| matches!(file, FileName::Segment { dir: of, .. } if *of == dir);
            self.drops.pinned.retain(|file| !of(file));
        }
        self.windows.forget(log);
        self.drop_on(ops);
    }

    /// A step came back.
    pub(crate) fn drop_done(
        &mut self,
        log: LogId,
        step: DropStep,
        outcome: Outcome,
        ops: &mut Ops,
    ) {
        let Some(dir) = self.dropped_dir(log) else {
            return;
        };
        if let Outcome::Failed(fault) = &outcome {
            // Absent: an earlier life of the process came this far.
            if matches!(step, DropStep::Dir | DropStep::Gone) {
                self.broken("a directory could not be synced", fault.text.clone(), ops);
                return;
            }
            if fault.kind != FaultKind::Absent {
                ops.tell(Told::Note(format!(
                    "The directory {dir} of a deleted topic could not be removed: {}",
                    fault.text
                )));
                return;
            }
        }
        match step {
            DropStep::Tag => match outcome {
                Outcome::Bytes(text)
                    if dirs::is_tagged(&text, log.topic.0) || proof::mutant("drop-by-name") =>
                {
                    self.leave(log, &dir, ops);
                }
                Outcome::Bytes(text) if !dirs::is_begun(&text, log.topic.0) => {
                    // The next topic's of this name.
                    self.renamed(log, &dir, ops);
                }
                // Gone already, never made, or made and not tagged.
                _ => {
                    let op = FileOp::List(FileName::Named(dir));
                    self.drop_ask(log, DropStep::List, op, ops);
                }
            },
            DropStep::List => match outcome {
                Outcome::Listing(entries) if dirs::is_empty(&entries) => self.leave(log, &dir, ops),
                _ => self.renamed(log, &dir, ops),
            },
            DropStep::Rename => self.renamed(log, &dir, ops),
            DropStep::Dir => {
                self.drop_ask(
                    log,
                    DropStep::Remove,
                    FileOp::RemoveDir(going_name(&dir, log)),
                    ops,
                );
            }
            DropStep::Remove => {
                let parent = FileName::named(parent_of(&dir));
                self.drop_ask(log, DropStep::Gone, FileOp::SyncDir(parent), ops);
            }
            DropStep::Gone => self.gone(log, ops),
        }
    }

    fn leave(&mut self, log: LogId, dir: &Arc<str>, ops: &mut Ops) {
        let op = FileOp::Rename {
            from: FileName::Named(dir.clone()),
            to: going_name(dir, log),
        };
        self.drop_ask(log, DropStep::Rename, op, ops);
    }

    fn renamed(&mut self, log: LogId, dir: &str, ops: &mut Ops) {
        let parent = FileName::named(parent_of(dir));
        self.drop_ask(log, DropStep::Dir, FileOp::SyncDir(parent), ops);
    }

    fn gone(&mut self, log: LogId, ops: &mut Ops) {
        self.fold.dropped.remove(&log);
        self.drops.going.remove(&log);
        self.drops.ready.remove(&log);
        self.drops.leaving.remove(&log);
        // The next log of this name may have waited for it, and the ring for that one.
        self.spill.relief = 0;
        ops.tell(Told::Gone(log));
    }
}

/// The directory above.
fn parent_of(dir: &str) -> &str {
    dir.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// `TOPIC-PARTITION.ID-delete`, as Kafka names it.
fn going_name(dir: &str, log: LogId) -> FileName {
    FileName::named(&format!("{dir}.{}-delete", log.topic.0))
}
