//! Behind the ring: whole batches of one log are put into segment files and sidecars, in large blocks. Decides when a
//! cycle runs, in which order files, sidecars and directories become durable, and when the fold learns it; never which
//! bytes are read (`walk`), nor what becomes of them (`pour`). Holds #94, #96, #101.
//!
//! One cycle: walk the ring files in the order in which batches lie there, a little behind what is folded, so that the
//! bytes are still in the executor's memory -> read -> check against the entry's checksum -> put -> sync files, sidecars, directories -> tell the
//! fold -> checkpoint. A log whose batches do not lie in offset order (some were moved forward, or both rings hold it)
//! is a straggler: it is read by offset once the walk is over.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::file::{FaultKind, FileName, FileOp, Outcome, RingKind};
use crate::ids::{Generation, LogId, Offset};
use crate::log::dirs::DirStep;
use crate::log::engine::{Engine, Why};
use crate::log::pour::Run;
use crate::log::rise::Phase;
use crate::log::state::SegmentState;
use crate::log::told::Ops;
use crate::log::walk::Job;
use crate::map::{Map, Set};
use crate::proof;

/// Cycles for a ring that stays full. Two checkpoints free a file; a third finds what was moved meanwhile.
const RELIEF_MAX: u32 = 3;

/// A step of the spill.
#[derive(Clone, Debug)]
pub(crate) enum SpillWhy {
    /// The read of the job.
    Read,
    /// A put into a segment or a sidecar, of a block of so many bytes.
    Put(u64),
    /// A step of making this log's directory ready.
    Dir(LogId, DirStep),
    /// A sync.
    Sync,
}

/// Where a cycle is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum SpillPhase {
    /// Nothing is being spilled.
    #[default]
    Idle,
    /// Ring files are walked.
    Walk,
    /// Logs out of order are read.
    Stragglers,
    /// Everything is read; puts are awaited.
    Drain,
    /// Files and directories are being synced.
    Sync,
}

/// What happens to a log in this cycle.
#[derive(Debug)]
pub(crate) enum Course {
    /// It stays in the ring; batches in files that are to be freed are copied forward.
    Quiet,
    /// It is spilled.
    Files(Files),
    /// It is left alone: damaged, or on its way out.
    Skip,
}

/// A log that is being spilled.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) dir: Arc<str>,
    pub(crate) generation: Generation,
    /// Everything below is put.
    pub(crate) next: Offset,
    /// Segments touched in this cycle, as they will be; the last one is put to.
    pub(crate) segments: Vec<SegmentState>,
    /// Read, checked, not yet put.
    pub(crate) runs: Vec<Run>,
    pub(crate) bytes: u64,
    pub(crate) ready: Ready,
    pub(crate) new_files: bool,
    pub(crate) new_dir: bool,
    pub(crate) straggler: bool,
}

/// Whether a log's directory may be written to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ready {
    No,
    Asked,
    Yes,
}

/// See the file's head.
#[derive(Debug, Default)]
pub(crate) struct Spill {
    pub(crate) phase: SpillPhase,
    /// Spill quiet logs as well: the node stops.
    pub(crate) everything: bool,
    /// The cycle under way does.
    pub(crate) all: bool,
    /// Bytes read in this cycle.
    pub(crate) poured: u64,
    /// And after how many it ends, even if there is more.
    pub(crate) goal: u64,
    /// Batches read in this cycle, and after how many it ends.
    pub(crate) batches: u32,
    pub(crate) batches_goal: u32,
    pub(crate) job: Option<Job>,
    /// Parts of a read that failed, to be asked before anything else.
    pub(crate) again: VecDeque<Job>,
    pub(crate) courses: Map<LogId, Course>,
    pub(crate) stragglers: VecDeque<LogId>,
    /// Logs whose order in the ring files was lost by a cycle that failed: read by offset next time.
    pub(crate) left: Set<LogId>,
    /// Read and not yet put.
    pub(crate) held: u64,
    /// Puts and directory steps under way.
    pub(crate) puts: u32,
    pub(crate) syncs: u32,
    pub(crate) failed: bool,
    /// How many cycles were completed.
    pub(crate) cycles: u64,
    /// Bytes of quiet logs copied forward in this cycle.
    pub(crate) moved: u64,
    /// Cycles run for a ring that is full, since a commit landed or a reader went away.
    pub(crate) relief: u32,
}

impl Spill {
    /// Whether the cycle ends, even if there is more.
    fn has_enough(&self) -> bool {
        let many = self.batches >= self.batches_goal && !proof::mutant("cycle-of-any-batches");
        self.poured >= self.goal || many
    }
}

impl Engine {
    /// Begins a cycle if one is due.
    pub(crate) fn spill_if_due(&mut self, ops: &mut Ops) {
        if self.spill.phase == SpillPhase::Walk {
            // A cycle that has caught up goes on when there is more, or ends when something waits for its end.
            if self.lags() || self.must_end() {
                self.since_spill = 0;
                self.spill_on(ops);
            }
            return;
        }
        if self.spill.phase != SpillPhase::Idle || self.starved {
            return;
        }
        // A commit waits for a file, and files become free by spilling and checkpoints alone. That is tried again only
        // after something has changed.
        let relief = self.stuck() && self.relief_helps() && !self.keeper.busy;
        let due = self.lags() || self.spill.everything;
        if relief || due && !self.full {
            if relief {
                proof::sometimes("ring-relieved");
                self.spill.relief += 1;
            }
            self.since_spill = 0;
            // A copy forward needs room itself: where there is none, quiet logs get their files.
            self.spill.all = core::mem::take(&mut self.spill.everything) || relief;
            self.spill.phase = SpillPhase::Walk;
            self.spill.poured = 0;
            let whole = self.lanes.iter().map(|lane| lane.ring.size()).sum();
            self.spill.batches = 0;
            (self.spill.goal, self.spill.batches_goal) = if self.spill.all {
                (whole, u32::MAX)
            } else {
                (self.sizes.spill_every, self.sizes.spill_batches)
            };
            self.spill.failed = false;
            self.spill.moved = 0;
            self.spill.courses.clear();
            if self.spill.all {
                // A copy that waits in the queue stands in no file's order any more, and keeps its file all the same.
                self.unmove();
            }
            for log in core::mem::take(&mut self.spill.left) {
                match self.files_of(log) {
                    Course::Files(mut files) => {
                        files.straggler = true;
                        self.spill.courses.insert(log, Course::Files(files));
                        self.spill.stragglers.push_back(log);
                    }
                    // Damaged or going: it is asked again, for damage may be mended by a start only.
                    Course::Skip | Course::Quiet => {
                        if self.fold.logs.contains_key(&log) {
                            self.spill.left.insert(log);
                        }
                    }
                }
            }
            for lane in [self.lanes.durable.as_mut(), self.lanes.fast.as_mut()]
                .into_iter()
                .flatten()
            {
                let sealed = lane.ring.files.len().saturating_sub(1);
                let freed = if self.spill.all {
                    lane.ring.files.len()
                } else {
                    sealed
                };
                for file in lane.ring.files.iter_mut().take(freed) {
                    // The file is to be freed.
                    file.again();
                }
            }
            self.spill_on(ops);
        }
    }

    /// Whether a cycle that has caught up is not to wait for more.
    fn must_end(&self) -> bool {
        self.spill.all
            || self.spill.failed
            || self.spill.everything
            || matches!(self.phase, Phase::Stopping(_))
            || self.full
            || self.stalled()
            || self.closing()
            || self.spill.held > 0 && self.far_behind()
            || self
                .fold
                .dropped
                .keys()
                .any(|log| !self.drops.going.contains(log))
    }

    /// Whether there is enough to go on with: while sockets rest, anything that can be read.
    fn lags(&self) -> bool {
        self.closing_waits()
            || self.since_spill >= self.sizes.spill_lag
            || self.holding && self.walkable()
    }

    /// Whether the walk would find a batch.
    fn walkable(&self) -> bool {
        [RingKind::Durable, RingKind::Fast].into_iter().any(|kind| {
            let until = self.fold.point(kind);
            let files = self.lanes.get(kind).map_or(0, |lane| lane.ring.files.len());
            (0..files).any(|index| self.next_lies(kind, index, until).is_some())
        })
    }

    /// Bytes that were written and not yet put into segments, as far as this process has them in memory.
    pub fn behind(&self) -> u64 {
        let waiting: u64 = self.lanes.iter().map(|lane| lane.ring.behind()).sum();
        let jobs = self.spill.job.iter().chain(&self.spill.again);
        let read: u64 = jobs.map(|job| u64::from(job.len())).sum();
        waiting + read + self.spill.held
    }

    /// Whether sockets rest until the spill has caught up: a cycle that waits for more would wait for ever.
    pub(crate) fn far_behind(&self) -> bool {
        let max = self.conf.behind_max;
        self.behind() > if self.holding { max / 4 * 3 } else { max }
    }

    fn stalled(&self) -> bool {
        self.lanes.iter().any(|lane| lane.ring.stalled)
    }

    /// Whether a commit waits for a file that only a spill can free. One that waits for a file under way needs nothing:
    /// quiet logs do not pay for a disk that is slow to make files.
    pub(crate) fn stuck(&self) -> bool {
        if proof::mutant("relief-while-a-file-is-made") {
            return self.stalled();
        }
        self.lanes.iter().any(|lane| lane.ring.stuck())
    }

    /// Whether another cycle may free what the last ones could not.
    pub(crate) fn relief_helps(&self) -> bool {
        self.spill.relief < RELIEF_MAX
    }

    /// Copies forward that are not written yet are given up: their logs are read by offset in this cycle.
    fn unmove(&mut self) {
        if proof::mutant("relief-forgets-copies") {
            return;
        }
        for lane in [self.lanes.durable.as_mut(), self.lanes.fast.as_mut()]
            .into_iter()
            .flatten()
        {
            self.spill.left.extend(lane.queue.unmove());
        }
    }

    /// Goes on until something must be awaited.
    pub(crate) fn spill_on(&mut self, ops: &mut Ops) {
        loop {
            if self.spill.job.is_some() {
                return;
            }
            if self.spill.held >= self.conf.spill_bytes && self.spill.puts > 0 {
                return;
            }
            if let Some(job) = self.spill.again.pop_front() {
                self.read(job, ops);
                continue;
            }
            match self.spill.phase {
                SpillPhase::Idle => return,
                SpillPhase::Walk if self.spill.has_enough() => {
                    self.spill.phase = SpillPhase::Stragglers;
                }
                SpillPhase::Walk => match self.walk() {
                    Some(job) => self.read(job, ops),
                    None if !self.must_end() => return,
                    None => self.spill.phase = SpillPhase::Stragglers,
                },
                SpillPhase::Stragglers => match self.straggle() {
                    Some(job) => self.read(job, ops),
                    None => self.spill.phase = SpillPhase::Drain,
                },
                SpillPhase::Drain => {
                    if self.spill.all {
                        self.tidy_direct(ops);
                    }
                    self.put_all(ops);
                    if self.spill.puts > 0 && !proof::mutant("spilled-before-put") {
                        return;
                    }
                    if self.spill.failed {
                        self.give_up();
                        return;
                    }
                    self.spill.phase = SpillPhase::Sync;
                    self.sync_files(ops);
                    if self.spill.syncs > 0 {
                        return;
                    }
                    self.spilled(ops);
                    return;
                }
                SpillPhase::Sync => return,
            }
        }
    }

    /// A step of the cycle came back.
    pub(crate) fn spill_done(&mut self, why: SpillWhy, outcome: Outcome, ops: &mut Ops) {
        match why {
            SpillWhy::Read => self.spill_read(outcome, ops),
            SpillWhy::Put(bytes) => {
                self.spill.puts -= 1;
                self.spill.held -= bytes;
                if let Outcome::Failed(fault) = outcome {
                    if fault.kind == FaultKind::Full {
                        self.spill_full();
                    } else {
                        self.broken("a segment could not be written", fault.text, ops);
                        return;
                    }
                }
            }
            SpillWhy::Dir(log, step) => {
                self.spill.puts -= 1;
                self.dir_done(log, step, outcome, ops);
            }
            SpillWhy::Sync => {
                self.spill.syncs -= 1;
                if let Outcome::Failed(fault) = outcome
                    && !proof::mutant("retry-after-eio")
                {
                    self.broken("segments could not be synced", fault.text, ops);
                    return;
                }
                if self.spill.syncs == 0 {
                    self.spilled(ops);
                }
            }
        }
        self.spill_on(ops);
    }

    /// The file system is full: this cycle ends without effect, and what was put is cut before the next one.
    pub(crate) fn spill_full(&mut self) {
        proof::sometimes("spill-met-a-full-disk");
        self.spill.failed = true;
        self.starve();
    }

    /// What a cycle under way has done for this log no longer fits the fold: it is left as it is, and its directory is
    /// tidied before it is written to again.
    pub(crate) fn void_course(&mut self, log: LogId) {
        let Some(course @ Course::Files(_)) = self.spill.courses.get_mut(&log) else {
            return;
        };
        proof::sometimes("trimmed-while-spilled");
        if let Course::Files(files) = core::mem::replace(course, Course::Skip) {
            self.spill.held -= files.bytes;
        }
        self.spill.left.insert(log);
        self.drops.ready.remove(&log);
        self.drops.tidying.remove(&log);
        if let Some(live) = self.live.get_mut(&log) {
            live.tail.clear();
        }
    }

    /// Damage: the log is taken out of service and its bytes stay where they are.
    pub(crate) fn skip(&mut self, log: LogId, why: alloc::string::String, ops: &mut Ops) {
        if let Some(Course::Files(files)) = self.spill.courses.insert(log, Course::Skip) {
            self.spill.held -= files.bytes;
        }
        self.take_offline(log, why, ops);
    }

    /// Everything is put: files, sidecars and the directories that got new entries become durable, at once by a
    /// syncfs where they are many.
    fn sync_files(&mut self, ops: &mut Ops) {
        let mut wishes: Vec<FileOp> = Vec::new();
        let mut root = false;
        for (log, course) in &self.spill.courses {
            let Course::Files(files) = course else {
                continue;
            };
            // One that was only tidied: its last file was cut, and what indexes it was never synced.
            let state = self.fold.logs.get(log);
            let tidied = state.and_then(|state| state.segments.last());
            let tidied = tidied.filter(|_| files.segments.is_empty() && files.ready == Ready::Yes);
            for segment in files.segments.iter().chain(tidied) {
                wishes.push(FileOp::Sync(FileName::Segment {
                    dir: files.dir.clone(),
                    base: segment.base,
                }));
                wishes.push(FileOp::Sync(FileName::Sidecar {
                    dir: files.dir.clone(),
                    base: segment.base,
                }));
            }
            if !proof::mutant("no-dir-fsync") {
                if files.new_files {
                    wishes.push(FileOp::SyncDir(FileName::Named(files.dir.clone())));
                }
                root |= files.new_dir;
                if let (true, Some((parent, _))) = (files.new_dir, files.dir.split_once('/')) {
                    wishes.push(FileOp::SyncDir(FileName::named(parent)));
                }
            }
        }
        if root {
            wishes.push(FileOp::SyncDir(FileName::named("")));
        }
        if wishes.len() > self.conf.sync_all_above && !proof::mutant("no-dir-fsync") {
            wishes = Vec::from([FileOp::SyncAll]);
        }
        for wish in wishes {
            let ticket = ops.ask(wish);
            self.waiting.insert(ticket, Why::Spill(SpillWhy::Sync));
            self.spill.syncs += 1;
        }
    }

    /// All of it is durable: the fold may name it, and the next checkpoint.
    fn spilled(&mut self, ops: &mut Ops) {
        proof::sometimes("spill-synced-and-checkpoint-not");
        for (log, course) in core::mem::take(&mut self.spill.courses) {
            let Course::Files(files) = course else {
                continue;
            };
            let (Some(state), Some(live)) = (self.fold.logs.get_mut(&log), self.live.get_mut(&log))
            else {
                continue;
            };
            if state.generation != files.generation || files.segments.is_empty() {
                continue;
            }
            for segment in files.segments {
                match state
                    .segments
                    .iter_mut()
                    .find(|known| known.base == segment.base)
                {
                    Some(known) => *known = segment,
                    None => state.segments.push(segment),
                }
            }
            state.dir = Some(files.dir);
            state.spilled = state.spilled.max(files.next);
            while state
                .ring
                .front()
                .is_some_and(|batch| batch.next() <= state.spilled)
            {
                state.ring.pop_front();
            }
            live.forget_rolls(state.spilled);
            self.windows.grown(log);
        }
        self.spill.phase = SpillPhase::Idle;
        self.spill.cycles += 1;
        self.keeper.wanted = self.keeper.wanted.max(if self.cramped() { 2 } else { 1 });
        self.keep_if_due(ops);
        self.drop_on(ops);
    }

    /// Whether a ring cannot grow any more, so that its oldest file must be free soon.
    fn cramped(&self) -> bool {
        self.lanes.iter().any(|lane| {
            lane.ring.stalled
                || lane
                    .ring
                    .counted(&self.keeper.newest().ring(lane.ring.kind).kept)
                    + u64::from(self.sizes.ring_file)
                    > self.sizes.ring_max
        })
    }

    /// The cycle failed for lack of space: nothing of it counts, and directories are tidied before they are used again.
    fn give_up(&mut self) {
        for (log, course) in core::mem::take(&mut self.spill.courses) {
            let Course::Files(_) = course else { continue };
            self.drops.ready.remove(&log);
            if let Some(live) = self.live.get_mut(&log) {
                live.tail.clear();
            }
            self.spill.left.insert(log);
        }
        self.since_spill = self.since_spill.max(self.sizes.spill_every);
        self.spill.stragglers.clear();
        self.spill.held = 0;
        self.spill.phase = SpillPhase::Idle;
    }
}
