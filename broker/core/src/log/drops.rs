//! The end of a log: once the fact `dropped` is durable its directory is renamed, the parent synced, the files removed.
//! Decides the order of that and what must be waited for; a log nobody dropped by a committed record is never touched
//! (#40).

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::file::{FaultKind, FileName, FileOp, Outcome, RingKind};
use crate::ids::LogId;
use crate::log::engine::{Engine, Why};
use crate::log::spill::{Course, SpillPhase};
use crate::log::state::{Fact, Fold};
use crate::log::steady::Steady;
use crate::log::told::{Ops, Told};
use crate::map::{Map, Set};

/// Each names the operation whose completion is awaited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DropStep {
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

impl Drops {
    /// Whether a directory of this name still belongs to a log that was dropped.
    pub(crate) fn holds(&self, dir: &Arc<str>, fold: &Fold) -> bool {
        fold.dropped
            .values()
            .any(|dropped| dropped.as_ref() == Some(dir))
    }
}

impl Engine {
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
            self.drops.going.insert(log);
            match self.dropped_dir(log) {
                Some(dir) => {
                    let op = FileOp::Rename {
                        from: FileName::Named(dir.clone()),
                        to: going_name(&dir, log),
                    };
                    self.drop_ask(log, DropStep::Rename, op, ops);
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
        // A spill under way may be making the directory just now.
        if let (Some(Course::Files(files)), Some(dir)) = (
            self.spill.courses.get(&log),
            self.fold.dropped.get_mut(&log),
        ) {
            *dir = Some(files.dir.clone());
        }
        self.void_course(log);
        self.live.remove(&log);
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
        if let Outcome::Failed(fault) = outcome {
            // Absent: an earlier life of the process came this far.
            if matches!(step, DropStep::Dir | DropStep::Gone) {
                self.broken("a directory could not be synced", fault.text, ops);
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
            DropStep::Rename => {
                let parent = parent_of(&dir);
                self.drop_ask(
                    log,
                    DropStep::Dir,
                    FileOp::SyncDir(FileName::named(parent)),
                    ops,
                );
            }
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

    fn gone(&mut self, log: LogId, ops: &mut Ops) {
        self.fold.dropped.remove(&log);
        self.drops.going.remove(&log);
        self.drops.ready.remove(&log);
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
