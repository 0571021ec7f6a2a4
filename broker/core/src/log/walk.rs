//! Which bytes the spill reads next: the ring files in the order in which batches lie there, then by offset what does not
//! lie in that order. Decides what happens to each log of a cycle, and when a batch's place is still its current one;
//! never looks at a byte. Holds #1, #94.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::file::{FileName, FileOp, RingKind};
use crate::ids::LogId;
use crate::log::engine::{Engine, Why};
use crate::log::live::Live;
use crate::log::ring::Lies;
use crate::log::spill::{Course, Files, Ready, SpillWhy};
use crate::log::state::{RingBatch, RingPoint, Spot};
use crate::log::told::Ops;
use crate::proof;

/// Most batches of one read, so that a step's work is bounded.
const BATCHES_PER_READ: usize = 512;
/// A read goes on over bytes that are not wanted if they are fewer than this.
const GAP: u32 = 16 << 10;
/// What this process wrote lies in the executor's memory, small commits side by side and large ones by themselves: there
/// a read of this many bytes ends with its commit, so that it need not be put together.
const ENOUGH: u32 = 64 << 10;
/// One read of a ring file and the batches that are wanted of it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) kind: RingKind,
    pub(crate) file: u64,
    pub(crate) at: u32,
    /// Whether this process wrote it.
    pub(crate) own: bool,
    pub(crate) items: Vec<Lies>,
}

impl Engine {
    /// Takes the next batches in the order in which they lie in the ring files, as one read.
    pub(crate) fn walk(&mut self) -> Option<Job> {
        if self.spill.failed {
            return None;
        }
        let mut job: Option<Job> = None;
        for kind in [RingKind::Durable, RingKind::Fast] {
            let until = self.fold.point(kind);
            let count = self.lanes.get(kind).map_or(0, |lane| lane.ring.files.len());
            for index in 0..count {
                let freed = index + 1 < count || self.spill.all;
                while let Some((sequence, lies)) = self.next_lies(kind, index, until) {
                    if job
                        .as_ref()
                        .is_some_and(|job| !job.takes(kind, sequence, &lies, self.conf.block_bytes))
                    {
                        return job;
                    }
                    self.pop_lies(kind, index);
                    let spot = Spot {
                        kind,
                        file: sequence,
                        at: lies.at,
                    };
                    if self.wanted(&lies, spot, freed, index) {
                        let own = self.own(kind, sequence);
                        job.get_or_insert_with(|| Job {
                            kind,
                            file: sequence,
                            at: lies.at,
                            own,
                            items: Vec::new(),
                        })
                        .items
                        .push(lies);
                    }
                }
                if job.is_some() {
                    return job;
                }
            }
        }
        job
    }

    fn own(&self, kind: RingKind, file: u64) -> bool {
        let lane = self.lanes.get(kind);
        lane.is_some_and(|lane| file >= lane.ring.own)
    }

    /// The next batch of a ring file that the walk has not met, if the fold knows it.
    pub(crate) fn next_lies(
        &self,
        kind: RingKind,
        index: usize,
        until: RingPoint,
    ) -> Option<(u64, Lies)> {
        let file = self.lanes.get(kind)?.ring.files.get(index)?;
        let lies = file.next_lies()?;
        let folded =
            file.sequence < until.file || (file.sequence == until.file && lies.at < until.at);
        folded.then_some((file.sequence, lies))
    }

    pub(crate) fn pop_lies(&mut self, kind: RingKind, index: usize) {
        if let Some(file) = self
            .lanes
            .get_mut(kind)
            .and_then(|lane| lane.ring.files.get_mut(index))
        {
            file.lift();
        }
    }

    /// Whether a batch that lies here is to be read: it is still the current copy, and its log is spilled in order, or
    /// copied forward. A quiet one is left where it lies.
    pub(crate) fn wanted(&mut self, lies: &Lies, spot: Spot, freed: bool, index: usize) -> bool {
        if self.current(lies, spot).is_none() {
            return false;
        }
        self.course_again(lies.log);
        match self.course(lies.log) {
            Course::Skip => {
                // Its place in the walk is lost: should it be spilled after all, it is read by offset.
                self.spill.left.insert(lies.log);
                false
            }
            Course::Quiet if freed => true,
            Course::Quiet => {
                if let Some(file) = self
                    .lanes
                    .get_mut(spot.kind)
                    .and_then(|lane| lane.ring.files.get_mut(index))
                {
                    file.quiet.push(*lies);
                }
                false
            }
            Course::Files(files) if files.straggler => false,
            Course::Files(_) => true,
        }
    }

    /// The batch, if this is where it lies.
    pub(crate) fn current(&self, lies: &Lies, spot: Spot) -> Option<RingBatch> {
        let ring = &self.fold.logs.get(&lies.log)?.ring;
        let at = ring.partition_point(|batch| batch.base < lies.base);
        ring.get(at)
            .copied()
            .filter(|batch| batch.base == lies.base && batch.spot == spot)
    }

    /// A log that was quiet when it was first met may have become busy: it is then spilled from its beginning.
    fn course_again(&mut self, log: LogId) {
        if !matches!(self.spill.courses.get(&log), Some(Course::Quiet)) {
            return;
        }
        if let Course::Files(mut files) = self.choose(log) {
            files.straggler = true;
            self.spill.courses.insert(log, Course::Files(files));
            self.spill.stragglers.push_back(log);
        }
    }

    /// What is done with a log in this cycle: decided when it is first met.
    pub(crate) fn course(&mut self, log: LogId) -> &mut Course {
        if !self.spill.courses.contains_key(&log) {
            let course = self.choose(log);
            self.spill.courses.insert(log, course);
        }
        self.spill.courses.entry(log).or_insert(Course::Skip)
    }

    pub(crate) fn choose(&self, log: LogId) -> Course {
        let (Some(state), Some(live)) = (self.fold.logs.get(&log), self.live.get(&log)) else {
            return Course::Skip;
        };
        if live.offline.is_some() || state.is_torn() || self.keeps_its_files(live) {
            return Course::Skip;
        }
        // Bytes are summed only as far as the question needs.
        let mut bytes = 0;
        let quiet = !self.spill.all
            && state.ring.iter().all(|batch| {
                bytes += u64::from(batch.len);
                bytes <= self.conf.quiet_bytes
            });
        // Within a bounded share of the ring: beyond it even a quiet log gets its file.
        if quiet && self.spill.moved + bytes <= self.sizes.ring_max / 8 {
            return Course::Quiet;
        }
        self.files_of(log)
    }

    /// The known bug: a log on its way out is like any other until the fact says that it is gone, and that fact may wait
    /// for the very ring files that the log's batches hold.
    fn keeps_its_files(&self, live: &Live) -> bool {
        live.dropping && proof::mutant("leaver-keeps-ring-files")
    }

    /// The course of a log that gets, or has, its files.
    pub(crate) fn files_of(&self, log: LogId) -> Course {
        let (Some(state), Some(live)) = (self.fold.logs.get(&log), self.live.get(&log)) else {
            return Course::Skip;
        };
        if live.offline.is_some() || state.is_torn() || self.keeps_its_files(live) {
            return Course::Skip;
        }
        let named = live.spec.as_ref().map(|spec| &spec.dir);
        let named = named.or_else(|| self.drops.leaving.get(&log));
        let dir = match state.dir.as_ref().or(named) {
            Some(dir) => dir.clone(),
            None if self.names_follow => return Course::Skip,
            None => Arc::from(format!("unknown/{}-{}", log.topic.0, log.partition)),
        };
        // One that has its files there already keeps them.
        if state.dir.is_none() && self.is_leavers(log, &dir) {
            proof::sometimes("topic-deleted-and-made-again");
            return Course::Skip;
        }
        Course::Files(Files {
            dir,
            generation: state.generation,
            next: state.spilled,
            segments: Vec::new(),
            runs: Vec::new(),
            bytes: 0,
            ready: Ready::No,
            new_files: false,
            new_dir: false,
            straggler: false,
        })
    }

    /// The next batches, by offset, of a log whose batches do not lie in that order.
    pub(crate) fn straggle(&mut self) -> Option<Job> {
        if self.spill.failed {
            return None;
        }
        while let Some(log) = self.spill.stragglers.front().copied() {
            let next = match self.spill.courses.get(&log) {
                Some(Course::Files(files)) => files.next,
                _ => {
                    self.spill.stragglers.pop_front();
                    continue;
                }
            };
            let Some(state) = self.fold.logs.get(&log) else {
                self.spill.stragglers.pop_front();
                continue;
            };
            let first = state.ring.partition_point(|batch| batch.next() <= next);
            let mut job: Option<Job> = None;
            for batch in state.ring.iter().skip(first) {
                let lies = Lies {
                    log,
                    base: batch.base,
                    at: batch.spot.at,
                    len: batch.len,
                };
                match &mut job {
                    None => {
                        job = Some(Job {
                            kind: batch.spot.kind,
                            file: batch.spot.file,
                            at: batch.spot.at,
                            own: self.own(batch.spot.kind, batch.spot.file),
                            items: Vec::from([lies]),
                        });
                    }
                    Some(job)
                        if job.takes(
                            batch.spot.kind,
                            batch.spot.file,
                            &lies,
                            self.conf.block_bytes,
                        ) =>
                    {
                        job.items.push(lies);
                    }
                    Some(_) => break,
                }
            }
            if job.is_some() {
                return job;
            }
            self.spill.stragglers.pop_front();
        }
        None
    }

    pub(crate) fn read(&mut self, job: Job, ops: &mut Ops) {
        let Some(lane) = self.lanes.get(job.kind) else {
            return;
        };
        let ticket = ops.ask(FileOp::Read {
            file: lane.ring.name(job.file),
            at: u64::from(job.at),
            len: job.len(),
        });
        self.waiting.insert(ticket, Why::Spill(SpillWhy::Read));
        self.spill.job = Some(job);
    }

    pub(crate) fn ring_name(&self, job: &Job) -> FileName {
        FileName::Ring {
            kind: job.kind,
            shard: self.shard,
            sequence: job.file,
        }
    }
}

impl Job {
    pub(crate) fn len(&self) -> u32 {
        self.items
            .last()
            .map_or(0, |last| last.at + last.len - self.at)
    }

    /// The same batches as two reads.
    pub(crate) fn halves(mut self) -> (Job, Job) {
        let rest = self.items.split_off(self.items.len() / 2);
        let second = Job {
            at: rest.first().map_or(self.at, |lies| lies.at),
            items: rest,
            ..self
        };
        (self, second)
    }

    /// Whether one read can fetch this batch as well.
    fn takes(&self, kind: RingKind, file: u64, lies: &Lies, block: u32) -> bool {
        let end = self.at + self.len();
        let gap = if self.own && self.len() >= ENOUGH {
            0
        } else {
            GAP
        };
        self.kind == kind
            && self.file == file
            && self.items.len() < BATCHES_PER_READ
            && lies.at >= end
            && lies.at - end <= gap
            && lies.at + lies.len - self.at <= block
    }
}
