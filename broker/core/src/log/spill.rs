//! Behind the ring: batches are read back, checked, and put into segment files and sidecars, whole batches of one log
//! in large blocks. Decides what is spilled, in which order files, sidecars and directories become durable, and when the
//! fold learns it; never what a file's bytes mean. Holds #1, #6, #94, #96, #99, #106.
//!
//! One cycle: walk the ring files in the order in which batches lie there, up to the point that is folded when the
//! cycle begins -> read -> check against the entry's checksum -> put -> sync files, sidecars, directories -> tell the
//! fold -> checkpoint. A log whose batches do not lie in offset order (some were moved forward, or both rings hold it)
//! is a straggler: it is read by offset once the walk is over.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use sawlog_wire::records::batch::BatchHeader;

use crate::file::{FaultKind, FileName, FileOp, How, Outcome, Piece, RingKind};
use crate::ids::{Generation, LogId, Offset, ProducerEpoch, ProducerId, Sequence};
use crate::log::checksum;
use crate::log::dirs::DirStep;
use crate::log::engine::{Engine, Why};
use crate::log::queue::{Class, Item};
use crate::log::ring::Lies;
use crate::log::sidecar::{self, SideEntry};
use crate::log::state::{
    BatchEntry, BatchKind, Entry, ProducerBatch, RingBatch, RingPoint, SegmentState, Spot,
};
use crate::log::told::Ops;
use crate::map::{Map, Set};
use crate::proof;

/// Most batches of one read, so that a step's work is bounded.
const BATCHES_PER_READ: usize = 512;
/// A read from the medium goes on over bytes that are not wanted if they are fewer than this. What this process wrote is
/// read commit by commit, for so it lies in the executor's memory.
const GAP: u32 = 16 << 10;
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

/// One read of a ring file and the batches that are wanted of it.
#[derive(Debug)]
struct Job {
    kind: RingKind,
    file: u64,
    at: u32,
    gap: u32,
    items: Vec<Lies>,
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
    runs: Vec<Run>,
    bytes: u64,
    pub(crate) ready: Ready,
    pub(crate) new_files: bool,
    pub(crate) new_dir: bool,
    straggler: bool,
}

/// Whether a log's directory may be written to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ready {
    No,
    Asked,
    Yes,
}

/// A run of batches for one segment file.
#[derive(Debug)]
struct Run {
    base: Offset,
    at: u64,
    first_entry: u32,
    pieces: Vec<Bytes>,
    side: Vec<u8>,
}

/// See the file's head.
#[derive(Debug, Default)]
pub(crate) struct Spill {
    pub(crate) phase: SpillPhase,
    /// Spill quiet logs as well: the node stops.
    pub(crate) everything: bool,
    /// The cycle under way does.
    all: bool,
    /// Up to where each ring is walked.
    durable: RingPoint,
    fast: RingPoint,
    job: Option<Job>,
    pub(crate) courses: Map<LogId, Course>,
    stragglers: VecDeque<LogId>,
    /// Logs whose order in the ring files was lost by a cycle that failed: read by offset next time.
    pub(crate) left: Set<LogId>,
    /// Read and not yet put.
    held: u64,
    /// Puts and directory steps under way.
    pub(crate) puts: u32,
    syncs: u32,
    failed: bool,
    /// How many cycles were completed.
    pub(crate) cycles: u64,
    /// Bytes of quiet logs copied forward in this cycle.
    moved: u64,
    /// Cycles run for a ring that is full, since a commit landed or a reader went away.
    pub(crate) relief: u32,
}

impl Engine {
    /// Begins a cycle if one is due.
    pub(crate) fn spill_if_due(&mut self, ops: &mut Ops) {
        if self.spill.phase != SpillPhase::Idle || self.full && !self.stalled() {
            return;
        }
        // A commit waits for a file, and files become free by spilling and checkpoints alone. That is tried again only
        // after something has changed.
        let relief = self.stalled() && self.spill.relief < RELIEF_MAX && !self.keeper.busy;
        let due = self.since_spill >= self.sizes.spill_every || self.spill.everything || relief;
        if due {
            if relief {
                proof::sometimes("ring-relieved");
                self.spill.relief += 1;
            }
            self.since_spill = 0;
            // A copy forward needs room itself: where there is none, quiet logs get their files.
            self.spill.all = core::mem::take(&mut self.spill.everything) || relief;
            self.spill.phase = SpillPhase::Walk;
            self.spill.durable = self.fold.durable;
            self.spill.fast = self.fold.fast;
            self.spill.failed = false;
            self.spill.moved = 0;
            self.spill.courses.clear();
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
                    // What was left there for being quiet is looked at again, now that the file is to be freed.
                    for lies in core::mem::take(&mut file.quiet).into_iter().rev() {
                        file.order.push_front(lies);
                    }
                }
            }
            self.spill_on(ops);
        }
    }

    fn stalled(&self) -> bool {
        self.lanes.iter().any(|lane| lane.ring.stalled)
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
            match self.spill.phase {
                SpillPhase::Idle => return,
                SpillPhase::Walk => match self.walk() {
                    Some(job) => self.read(job, ops),
                    None => self.spill.phase = SpillPhase::Stragglers,
                },
                SpillPhase::Stragglers => match self.straggle() {
                    Some(job) => self.read(job, ops),
                    None => self.spill.phase = SpillPhase::Drain,
                },
                SpillPhase::Drain => {
                    self.put_all(ops);
                    if self.spill.puts > 0 {
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

    /// Takes the next batches in the order in which they lie in the ring files, as one read.
    fn walk(&mut self) -> Option<Job> {
        if self.spill.failed {
            return None;
        }
        let mut job: Option<Job> = None;
        for kind in [RingKind::Durable, RingKind::Fast] {
            let until = if kind == RingKind::Durable {
                self.spill.durable
            } else {
                self.spill.fast
            };
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
                        let gap = self.gap(kind, sequence);
                        job.get_or_insert_with(|| Job {
                            kind,
                            file: sequence,
                            at: lies.at,
                            gap,
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

    fn gap(&self, kind: RingKind, file: u64) -> u32 {
        let own = self
            .lanes
            .get(kind)
            .is_some_and(|lane| file >= lane.ring.own);
        if own { 0 } else { GAP }
    }

    /// The next batch of a ring file that the walk has not met, if the fold knows it.
    fn next_lies(&self, kind: RingKind, index: usize, until: RingPoint) -> Option<(u64, Lies)> {
        let file = self.lanes.get(kind)?.ring.files.get(index)?;
        let lies = *file.order.front()?;
        let folded =
            file.sequence < until.file || (file.sequence == until.file && lies.at < until.at);
        folded.then_some((file.sequence, lies))
    }

    fn pop_lies(&mut self, kind: RingKind, index: usize) {
        if let Some(file) = self
            .lanes
            .get_mut(kind)
            .and_then(|lane| lane.ring.files.get_mut(index))
        {
            file.order.pop_front();
        }
    }

    /// Whether a batch that lies here is to be read: it is still the current copy, and its log is spilled in order, or
    /// copied forward. A quiet one is left where it lies.
    fn wanted(&mut self, lies: &Lies, spot: Spot, freed: bool, index: usize) -> bool {
        if self.current(lies, spot).is_none() {
            return false;
        }
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
    fn current(&self, lies: &Lies, spot: Spot) -> Option<RingBatch> {
        let ring = &self.fold.logs.get(&lies.log)?.ring;
        let at = ring.partition_point(|batch| batch.base < lies.base);
        ring.get(at)
            .copied()
            .filter(|batch| batch.base == lies.base && batch.spot == spot)
    }

    /// What is done with a log in this cycle: decided when it is first met.
    fn course(&mut self, log: LogId) -> &mut Course {
        if !self.spill.courses.contains_key(&log) {
            let course = self.choose(log);
            self.spill.courses.insert(log, course);
        }
        self.spill.courses.entry(log).or_insert(Course::Skip)
    }

    fn choose(&self, log: LogId) -> Course {
        let (Some(state), Some(live)) = (self.fold.logs.get(&log), self.live.get(&log)) else {
            return Course::Skip;
        };
        if live.offline.is_some() || live.dropping || state.is_torn() {
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

    /// The course of a log that gets, or has, its files.
    fn files_of(&self, log: LogId) -> Course {
        let (Some(state), Some(live)) = (self.fold.logs.get(&log), self.live.get(&log)) else {
            return Course::Skip;
        };
        if live.offline.is_some() || live.dropping || state.is_torn() {
            return Course::Skip;
        }
        let dir = match (&state.dir, &live.spec) {
            (Some(dir), _) => dir.clone(),
            (None, Some(spec)) => spec.dir.clone(),
            (None, None) => Arc::from(format!("unknown/{}-{}", log.topic.0, log.partition)),
        };
        if self.drops.holds(&dir, &self.fold) {
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
    fn straggle(&mut self) -> Option<Job> {
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
                            gap: self.gap(batch.spot.kind, batch.spot.file),
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

    fn read(&mut self, job: Job, ops: &mut Ops) {
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
        self.full = true;
    }

    /// Bytes of ring batches are here: each is checked, then belongs to its segment.
    fn spill_read(&mut self, outcome: Outcome, ops: &mut Ops) {
        let Some(job) = self.spill.job.take() else {
            return;
        };
        let bytes = match outcome {
            Outcome::Bytes(bytes) => bytes,
            Outcome::Failed(fault) => {
                for lies in &job.items {
                    let spot = Spot {
                        kind: job.kind,
                        file: job.file,
                        at: lies.at,
                    };
                    if self.current(lies, spot).is_some() {
                        let why = format!(
                            "{} cannot be read at byte {}: {}",
                            self.ring_name(&job),
                            lies.at,
                            fault.text
                        );
                        self.skip(lies.log, why, ops);
                    }
                }
                return;
            }
            _ => Bytes::new(),
        };
        for lies in &job.items {
            let spot = Spot {
                kind: job.kind,
                file: job.file,
                at: lies.at,
            };
            let Some(batch) = self.current(lies, spot) else {
                continue;
            };
            let at = (lies.at - job.at) as usize;
            let stored = if bytes.len() >= at + lies.len as usize {
                bytes.slice(at..at + lies.len as usize)
            } else {
                Bytes::new()
            };
            self.take(lies.log, batch, stored, &job, ops);
        }
        if self.spill.held >= self.conf.spill_bytes / 2 {
            self.put_all(ops);
        }
    }

    /// One batch, read back: checked against the checksum that its entry has carried since the append, never against
    /// one made of the bytes themselves.
    fn take(&mut self, log: LogId, mut batch: RingBatch, stored: Bytes, job: &Job, ops: &mut Ops) {
        let Some(live) = self.live.get(&log) else {
            return;
        };
        let seed = live.seed;
        let found = checksum::over(seed, &stored);
        let header = BatchHeader::parse(&stored).ok();
        let (Some(header), true) = (
            header,
            found == batch.checksum || proof::mutant("spill-recomputes-checksum"),
        ) else {
            let why = format!(
                "the batch at offset {} in {} at byte {} does not match its checksum",
                batch.base,
                self.ring_name(job),
                batch.spot.at
            );
            self.skip(log, why, ops);
            return;
        };
        if proof::mutant("spill-recomputes-checksum") {
            batch.checksum = found;
        }
        let entry = BatchEntry {
            kind: BatchKind::Moved,
            log,
            generation: live.generation,
            batch,
            producer: (header.producer_id >= 0).then_some(ProducerBatch {
                id: ProducerId(header.producer_id),
                epoch: ProducerEpoch(header.producer_epoch),
                base_sequence: Sequence(header.base_sequence),
            }),
            attributes: header.raw_attributes,
        };
        if matches!(self.spill.courses.get(&log), Some(Course::Quiet)) {
            self.copy_forward(entry, stored);
            return;
        }
        let Some(state) = self.fold.logs.get(&log) else {
            return;
        };
        let Some(Course::Files(files)) = self.spill.courses.get_mut(&log) else {
            return;
        };
        if files.generation != state.generation {
            return;
        }
        // Segments hold batches in offset order: one that lies out of it waits until the walk is over.
        let first = state
            .ring
            .partition_point(|other| other.next() <= files.next);
        if state
            .ring
            .get(first)
            .is_none_or(|other| other.base != batch.base)
        {
            if !files.straggler && batch.next() > files.next {
                proof::sometimes("moved-behind-newer");
                files.straggler = true;
                self.spill.stragglers.push_back(log);
            }
            return;
        }
        let Some(live) = self.live.get(&log) else {
            return;
        };
        let last = files.segments.last().or(state.segments.last());
        let base = live.segment_for(batch.base, last);
        if files
            .segments
            .last()
            .is_none_or(|segment| segment.base != base)
        {
            let segment = match state.segments.last() {
                Some(segment) if segment.base == base => *segment,
                _ => SegmentState {
                    base,
                    next: base,
                    first_timestamp: batch.max_timestamp,
                    max_timestamp: -1,
                    bytes: 0,
                    batches: 0,
                    chain: sidecar::first_chain(log, base),
                },
            };
            files.segments.push(segment);
        }
        let Some(segment) = files.segments.last_mut() else {
            return;
        };
        if files.runs.last().is_none_or(|run| run.base != base) {
            let (at, first_entry) = (segment.bytes, segment.batches);
            files.runs.push(Run {
                base,
                at,
                first_entry,
                pieces: Vec::new(),
                side: Vec::new(),
            });
        }
        let Some(run) = files.runs.last_mut() else {
            return;
        };
        let entry = SideEntry::of(&batch, &header, segment.bytes, segment.max_timestamp);
        segment.max_timestamp = segment.max_timestamp.max(batch.max_timestamp);
        segment.chain = sidecar::put(&mut run.side, &entry, segment.chain);
        segment.bytes += u64::from(batch.len);
        segment.batches += 1;
        segment.next = batch.next();
        files.next = batch.next();
        files.bytes += u64::from(batch.len);
        self.spill.held += u64::from(batch.len);
        run.pieces.push(stored);
        if files.bytes >= u64::from(self.conf.block_bytes) {
            self.put_block(log, ops);
        }
    }

    /// A quiet batch whose file is to be freed is written again at the head of the ring; the file waits until the copy
    /// is durable, for until then the fold names the old place.
    fn copy_forward(&mut self, entry: BatchEntry, stored: Bytes) {
        self.spill.moved += u64::from(entry.batch.len);
        if let Some(lane) = self.lanes.get_mut(RingKind::Durable) {
            lane.queue.push(
                Class::Moved,
                Item {
                    entry: Entry::Batch(entry),
                    bytes: stored,
                },
            );
        }
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

    fn ring_name(&self, job: &Job) -> FileName {
        FileName::Ring {
            kind: job.kind,
            shard: self.shard,
            sequence: job.file,
        }
    }

    /// Puts everything that was read.
    pub(crate) fn put_all(&mut self, ops: &mut Ops) {
        let logs: Vec<LogId> = self
            .spill
            .courses
            .iter()
            .filter(|(_, course)| matches!(course, Course::Files(files) if !files.runs.is_empty()))
            .map(|(log, _)| *log)
            .collect();
        for log in logs {
            self.put_block(log, ops);
        }
    }

    /// Puts what was read of one log, once its directory is ready.
    pub(crate) fn put_block(&mut self, log: LogId, ops: &mut Ops) {
        let Some(Course::Files(files)) = self.spill.courses.get_mut(&log) else {
            return;
        };
        match files.ready {
            Ready::Asked => return,
            Ready::No => {
                files.ready = Ready::Asked;
                self.make_ready(log, ops);
                return;
            }
            Ready::Yes => {}
        }
        let runs = core::mem::take(&mut files.runs);
        files.bytes = 0;
        let dir = files.dir.clone();
        files.new_files |= runs.iter().any(|run| run.first_entry == 0);
        let tails = self.tails();
        let Some(live) = self.live.get_mut(&log) else {
            return;
        };
        for run in runs {
            let bytes: u64 = run.pieces.iter().map(|piece| piece.len() as u64).sum();
            // Whole blocks may go around the page cache: the bytes of the last partial one are written again as they
            // were, from memory, so that the block is whole.
            let tail = core::mem::take(&mut live.tail);
            let rewrites = !tail.is_empty() && (run.at % 4096) == tail.len() as u64;
            let at = if rewrites {
                run.at - tail.len() as u64
            } else {
                run.at
            };
            live.tail = if tails < self.conf.tails_max {
                tail_of(&tail, rewrites, run.at, &run.pieces)
            } else {
                Vec::new()
            };
            let mut pieces: Vec<Piece> = Vec::with_capacity(run.pieces.len() + 1);
            if rewrites {
                pieces.push(Piece::Bytes(Bytes::from(tail)));
            }
            pieces.extend(run.pieces.into_iter().map(Piece::Bytes));
            let file = FileName::Segment {
                dir: dir.clone(),
                base: run.base,
            };
            let segment = ops.ask(FileOp::Put {
                file,
                at,
                pieces,
                how: How::Bulk,
            });
            let mut pieces = Vec::new();
            let mut at = sidecar::HEADER + u64::from(run.first_entry) * sidecar::ENTRY as u64;
            if run.first_entry == 0 {
                pieces.push(Piece::Bytes(Bytes::from(sidecar::header(log, run.base))));
                at = 0;
            }
            pieces.push(Piece::Bytes(Bytes::from(run.side)));
            let file = FileName::Sidecar {
                dir: dir.clone(),
                base: run.base,
            };
            let side = ops.ask(FileOp::Put {
                file,
                at,
                pieces,
                how: How::Cached,
            });
            self.waiting
                .insert(segment, Why::Spill(SpillWhy::Put(bytes)));
            self.waiting.insert(side, Why::Spill(SpillWhy::Put(0)));
            self.spill.puts += 2;
        }
    }

    fn tails(&self) -> usize {
        self.spill.courses.len()
    }

    /// Everything is put: files, sidecars and the directories that got new entries become durable, at once by a
    /// syncfs where they are many.
    fn sync_files(&mut self, ops: &mut Ops) {
        let mut wishes: Vec<FileOp> = Vec::new();
        let mut root = false;
        for course in self.spill.courses.values() {
            let Course::Files(files) = course else {
                continue;
            };
            for segment in &files.segments {
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
            while live.rolls.front().is_some_and(|roll| *roll < state.spilled) {
                live.rolls.pop_front();
            }
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
                || lane.ring.size() + u64::from(self.sizes.ring_file) > self.sizes.ring_max
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

impl Job {
    fn len(&self) -> u32 {
        self.items
            .last()
            .map_or(0, |last| last.at + last.len - self.at)
    }

    /// Whether one read can fetch this batch as well.
    fn takes(&self, kind: RingKind, file: u64, lies: &Lies, block: u32) -> bool {
        let end = self.at + self.len();
        self.kind == kind
            && self.file == file
            && self.items.len() < BATCHES_PER_READ
            && lies.at >= end
            && lies.at - end <= self.gap
            && lies.at + lies.len - self.at <= block
    }
}

/// The bytes of a file's last partial block after a run was put to it; none if they cannot be known without a read.
fn tail_of(old: &[u8], rewrites: bool, at: u64, pieces: &[Bytes]) -> Vec<u8> {
    let written: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
    let mut want = ((at + written) % 4096) as usize;
    let known = written + if rewrites { old.len() as u64 } else { 0 };
    if (want as u64) > known {
        return Vec::new();
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    for piece in pieces.iter().rev() {
        let take = want.min(piece.len());
        parts.push(piece.get(piece.len() - take..).unwrap_or_default());
        want -= take;
    }
    if want > 0 {
        parts.push(
            old.get(old.len().saturating_sub(want)..)
                .unwrap_or_default(),
        );
    }
    parts
        .iter()
        .rev()
        .flat_map(|part| part.iter().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_what_lies_in_the_last_partial_block() {
        let pieces = [
            Bytes::from(alloc::vec![1_u8; 5000]),
            Bytes::from(alloc::vec![2_u8; 10]),
        ];
        let tail = tail_of(&[], false, 0, &pieces);
        assert_eq!(tail.len(), 5010 - 4096);
        assert!(tail.ends_with(&[2; 10]));
        let more = [Bytes::from(alloc::vec![3_u8; 5])];
        let longer = tail_of(&tail, true, 5010, &more);
        assert_eq!(longer.len(), 5015 - 4096);
        assert_eq!(&longer[..tail.len()], &tail[..]);
        assert!(
            tail_of(&[], false, 5010, &more).is_empty(),
            "a tail that is not known is not made up"
        );
    }
}
