//! Carries one shard's file operations to the real directory: in line where that is quickest, else on threads.
//! Decides where an operation runs, never what it is; keeps what was written last as the tail. Holds #7 for reads.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sawlog_core::file::{FileName, FileOp, How, Outcome, Piece, RingKind, Served};
use sawlog_core::ids::Ticket;

use super::ahead::{Ahead, AtHand, Came, Job as AheadJob};
use super::buffer::{Aligned, Shared};
use super::files::Files;
use super::placing::{self, Placer, Work};
use super::reading::Reading;
use super::tail::{Least, Tail};

/// A ring write longer than this goes to the commit thread, so that sockets are read meanwhile.
const INLINE_MAX: usize = 64 << 10;
/// While short ring writes take no longer than this on average, the next one runs in line: a hop to another thread and back
/// wakes two, which costs more than what the shard could do meanwhile.
const QUICK: Duration = Duration::from_micros(400);
/// One that took longer says no more than this of those to come.
const SLOWEST: Duration = Duration::from_millis(16);
/// The last one counts for one in so many.
const WEIGHT: u32 = 64;

/// What comes back from a thread.
#[derive(Debug)]
pub enum Back {
    /// An operation.
    Done(Ticket, Outcome, Landed),
    /// A run of a plan was read; none: there is more to read.
    Read(Box<Reading>, Option<Served>),
    /// Something was read ahead.
    Ahead(Came),
}

/// What the lane itself wants to know of an operation that came back.
#[derive(Debug)]
pub struct Landed {
    desk: Desk,
    names: Vec<FileName>,
    /// What came of a ring write, or of one that went straight to a segment.
    kept: Vec<Kept>,
    /// How long a short ring write took.
    took: Option<(RingKind, Duration)>,
}

/// Where a ring or a segment was written, and the bytes that are part of the tail now; none if the write failed.
#[derive(Debug)]
pub struct Kept {
    file: FileName,
    at: u64,
    bytes: Option<Shared>,
}

impl Landed {
    fn of(desk: Desk, names: Vec<FileName>, kept: Vec<Kept>) -> Landed {
        Landed {
            desk,
            names,
            kept,
            took: None,
        }
    }
}

/// Where completions of threads go: the shard's inbox.
pub type Inbox = Arc<dyn Fn(Back) + Send + Sync>;

/// The threads of a lane: what would otherwise wait for something slower has one of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Desk {
    /// Ring writes that are too long or too slow to be done in line.
    Commit,
    /// Syncs of ring files.
    Flush,
    /// Pre-writing of files, which takes long and which nobody waits for.
    Alloc,
    /// Checkpoints and the life of ring files: few bytes, but the ring goes round only as fast as they do.
    Keep,
    /// Large batches that go straight to their segments, and what indexes them: appends wait for these.
    Place,
    /// Reads that the core asked for.
    Read,
    /// Everything else: segments and sidecars.
    Bulk,
}

const DESKS: usize = 7;

/// One shard's way to its directory.
pub struct Lane {
    files: Arc<Files>,
    tail: Tail,
    inbox: Inbox,
    desks: [Worker; DESKS],
    reader: Worker,
    ahead: Ahead,
    ahead_reader: Worker,
    placer: Placer,
    /// Writes whose pieces were copied since somebody last asked.
    copied: Vec<(Ticket, Vec<Bytes>)>,
    /// Names that operations on threads work on: how many at which desk. Later operations on a name queue behind, so
    /// that operations on one file take effect in the order they were asked for.
    away: BTreeMap<FileName, [usize; DESKS]>,
    /// Operations that wait for one on another thread.
    held: VecDeque<(Ticket, FileOp, Vec<FileName>)>,
    /// How the durable and the fast ring's writes went.
    paces: [Pace; 2],
    /// The last commit was written in line into the page cache.
    cheap: bool,
}

/// How long the last writes took, on average: a later one weighs more.
#[derive(Debug, Default)]
struct Pace {
    average: Duration,
}

impl Pace {
    fn note(&mut self, took: Duration) {
        self.average -= self.average / WEIGHT;
        self.average += took.min(SLOWEST) / WEIGHT;
    }

    fn quick(&self) -> bool {
        self.average <= QUICK
    }
}

impl Lane {
    /// A lane over an open directory. `inbox` takes completions from other threads.
    pub fn new(files: Arc<Files>, cache_bytes: u64, inbox: Inbox) -> Lane {
        Lane {
            tail: Tail::new(cache_bytes, Least::BROKER, files.pool()),
            placer: Placer::new(files.clone()),
            copied: Vec::new(),
            ahead: Ahead::new(files.ahead()),
            files,
            inbox,
            desks: ["commit", "flush", "alloc", "keep", "place", "read", "bulk"].map(Worker::new),
            reader: Worker::new("reader"),
            ahead_reader: Worker::new("ahead"),
            away: BTreeMap::new(),
            held: VecDeque::new(),
            paces: Default::default(),
            cheap: false,
        }
    }

    /// Does an operation now and gives its outcome, or sends it to a thread, whose completion comes by the inbox.
    pub fn submit(&mut self, ticket: Ticket, op: FileOp) -> Option<Outcome> {
        if let Some(outcome) = self.commit_now(&op) {
            return Some(outcome);
        }
        if let FileOp::Read { file, at, len } = &op
            && let Some(bytes) = self.tail.find(file, *at, u64::from(*len))
        {
            return Some(Outcome::Bytes(bytes));
        }
        match &op {
            FileOp::Rename { from, .. } | FileOp::Unlink(from) => self.tail.forget(from),
            FileOp::Cut { file, len } => self.tail.cut(file, *len),
            _ => {}
        }
        self.ahead.forget(&op);
        let names = names(&op);
        if self.may_go(desk_of(&op), &names) && !self.behind_held(&names, self.held.len()) {
            self.send(ticket, op, names);
        } else {
            self.held.push_back((ticket, op, names));
        }
        None
    }

    /// Writes a small commit on this thread, out of the window in which it stays to be read.
    fn commit_now(&mut self, op: &FileOp) -> Option<Outcome> {
        let kind = ring(op)?;
        let FileOp::Put {
            file,
            at,
            pieces,
            how,
        } = op
        else {
            return None;
        };
        if !is_short(op) || !self.quick(kind, file) {
            return None;
        }
        let started = Instant::now();
        let files = self.files.clone();
        let bytes = self.tail.add(kind, file, *at, pieces);
        let outcome = files.write(file, *at, bytes, *how);
        if outcome != Outcome::Done {
            self.tail.lost(file, *at);
        }
        self.pace(kind).note(started.elapsed());
        self.cheap = *how == How::Cached;
        Some(outcome)
    }

    /// How far the spill is behind: so much stays in memory.
    pub fn owe(&mut self, bytes: u64) {
        self.tail.owe(bytes);
    }

    /// Writes whose pieces lie in memory of their own since somebody last asked: the same bytes.
    pub fn copied(&mut self) -> Vec<(Ticket, Vec<Bytes>)> {
        std::mem::take(&mut self.copied)
    }

    /// Whether the last commit cost little: a write in line into the page cache.
    pub fn is_cheap(&self) -> bool {
        self.cheap
    }

    /// Takes notice of an operation that came back from a thread.
    pub fn landed(&mut self, back: Landed) {
        let Landed {
            desk,
            names,
            kept,
            took,
        } = back;
        for name in names {
            let Some(counts) = self.away.get_mut(&name) else {
                continue;
            };
            if let Some(count) = counts.get_mut(desk as usize) {
                *count -= 1;
            }
            if *counts == [0; DESKS] {
                self.away.remove(&name);
            }
        }
        for kept in kept {
            match kept {
                Kept {
                    file,
                    at,
                    bytes: Some(bytes),
                } => self.tail.keep(&file, at, bytes),
                Kept { file, at, .. } => self.tail.lost(&file, at),
            }
        }
        if let Some((kind, took)) = took {
            self.pace(kind).note(took);
        }
        let mut index = 0;
        while let Some((_, op, names)) = self.held.get(index) {
            if self.may_go(desk_of(op), names) && !self.behind_held(names, index) {
                if let Some((ticket, op, names)) = self.held.remove(index) {
                    self.send(ticket, op, names);
                }
            } else {
                index += 1;
            }
        }
    }

    /// Whether nothing at another desk that must come first works on any of these names.
    fn may_go(&self, desk: Desk, names: &[FileName]) -> bool {
        !names.iter().any(|name| self.busy(desk, name))
    }

    fn busy(&self, desk: Desk, name: &FileName) -> bool {
        let Some(counts) = self.away.get(name) else {
            return false;
        };
        // A sync or a read is about what was there when it was asked for. Commits, which never write over anything, do
        // not wait for it: all acknowledgements would.
        let passed = |other| {
            let harmless = other == Desk::Flush as usize || other == Desk::Read as usize;
            other == desk as usize || harmless && desk == Desk::Commit
        };
        let counts = counts.iter().enumerate();
        counts
            .into_iter()
            .any(|(other, count)| *count > 0 && !passed(other))
    }

    /// Whether one of the first `n` held operations works on any of these names.
    fn behind_held(&self, names: &[FileName], n: usize) -> bool {
        self.held
            .iter()
            .take(n)
            .any(|(_, _, held)| held.iter().any(|name| names.contains(name)))
    }

    fn send(&mut self, ticket: Ticket, op: FileOp, names: Vec<FileName>) {
        let desk = desk_of(&op);
        self.cheap &= desk != Desk::Commit;
        for name in &names {
            let counts = self.away.entry(name.clone()).or_default();
            if let Some(count) = counts.get_mut(desk as usize) {
                *count += 1;
            }
        }
        let (files, inbox) = (self.files.clone(), self.inbox.clone());
        if let FileOp::Put {
            file, at, pieces, ..
        } = &op
            && is_direct(&op)
            && let Some(dir) = dir_of(&op)
        {
            // What must be copied is copied here, where the bytes were looked at a moment ago: another processor would
            // fetch them anew.
            let (file, at, padding) = (file.clone(), *at, padding(pieces));
            let runs = files.pool().lay(at, pieces);
            let bytes: Vec<Bytes> = runs.iter().map(|run| run.bytes.clone()).collect();
            self.copied.push((ticket, bytes.clone()));
            let work = Work::Segment(file.clone(), at, bytes);
            let then = Box::new(move |outcome| {
                let kept = match outcome {
                    Outcome::Done => kept_runs(&file, at, runs, padding),
                    _ => Vec::new(),
                };
                inbox(Back::Done(ticket, outcome, Landed::of(desk, names, kept)));
            });
            self.placer.push(placing::Job { dir, work, then });
            return;
        }
        if let (Desk::Place, Some(dir)) = (desk, dir_of(&op)) {
            let then = Box::new(move |outcome| {
                let landed = Landed::of(desk, names, Vec::new());
                inbox(Back::Done(ticket, outcome, landed));
            });
            let work = Work::Index(op);
            self.placer.push(placing::Job { dir, work, then });
            return;
        }
        let Some(worker) = self.desks.get_mut(desk as usize) else {
            return;
        };
        worker.send(Box::new(move || {
            let started = Instant::now();
            let (outcome, written) = files.run(&op);
            let took = started.elapsed();
            let took = ring(&op).filter(|_| is_short(&op)).map(|kind| (kind, took));
            let kept = kept(op, written).into_iter().collect();
            let landed = Landed {
                desk,
                names,
                kept,
                took,
            };
            inbox(Back::Done(ticket, outcome, landed));
        }));
    }

    /// Takes the bytes of a plan from memory, if they are there.
    pub fn at_hand(&mut self, reading: &mut Reading) -> AtHand {
        if reading.remembered(&self.tail) {
            self.ahead.passed(&reading.plan);
            return AtHand::All;
        }
        self.ahead(|ahead, jobs| ahead.take(reading, jobs))
    }

    /// Has the reader read the next run of a plan; it comes back as [`Back::Read`].
    pub fn read(&mut self, mut reading: Box<Reading>) {
        let (files, inbox) = (self.files.clone(), self.inbox.clone());
        self.reader.send(Box::new(move || {
            let served = reading.go_on(&files);
            inbox(Back::Read(reading, served));
        }));
    }

    /// A plan was read to its end: what follows it may be wanted next.
    pub fn was_read(&mut self, reading: &Reading) {
        self.ahead(|ahead, jobs| ahead.noticed(&reading.plan, jobs));
    }

    /// Something was read ahead.
    pub fn came_ahead(&mut self, came: Came) {
        self.ahead(|ahead, jobs| ahead.came(came, jobs));
    }

    /// Gives back what was read ahead and nobody came for.
    pub fn tidy(&mut self) {
        self.ahead.tidy();
    }

    fn ahead<T>(&mut self, act: impl FnOnce(&mut Ahead, &mut Vec<AheadJob>) -> T) -> T {
        let mut jobs = Vec::new();
        let result = act(&mut self.ahead, &mut jobs);
        for job in jobs {
            let (files, inbox) = (self.files.clone(), self.inbox.clone());
            self.ahead_reader.send(Box::new(move || {
                inbox(Back::Ahead(job.run(&files)));
            }));
        }
        result
    }

    fn quick(&mut self, kind: RingKind, file: &FileName) -> bool {
        let behind = || self.held.iter().any(|(_, _, names)| names.contains(file));
        let commits = self.away.get(file);
        let commits = commits.and_then(|counts| counts.first().copied());
        commits.unwrap_or(0) == 0
            && !self.busy(Desk::Commit, file)
            && !behind()
            && self.pace(kind).quick()
    }

    fn pace(&mut self, kind: RingKind) -> &mut Pace {
        let [durable, fast] = &mut self.paces;
        match kind {
            RingKind::Durable => durable,
            RingKind::Fast => fast,
        }
    }
}

/// Whether a write is short enough for the shard's thread.
fn is_short(op: &FileOp) -> bool {
    match op {
        FileOp::Put { pieces, .. } => pieces.iter().map(Piece::len).sum::<usize>() <= INLINE_MAX,
        _ => false,
    }
}

/// The files and directories whose order an operation takes part in.
fn names(op: &FileOp) -> Vec<FileName> {
    match op {
        FileOp::Alloc { file, .. } | FileOp::Put { file, .. } | FileOp::Cut { file, .. } => {
            vec![file.clone()]
        }
        FileOp::Read { file, .. }
        | FileOp::Reread { file, .. }
        | FileOp::Sync(file)
        | FileOp::Unlink(file) => vec![file.clone()],
        FileOp::Rename { from, to } => vec![from.clone(), to.clone()],
        FileOp::SyncDir(dir)
        | FileOp::MakeDir(dir)
        | FileOp::RemoveDir(dir)
        | FileOp::List(dir) => vec![dir.clone()],
        FileOp::SyncAll => Vec::new(),
    }
}

fn desk_of(op: &FileOp) -> Desk {
    match op {
        FileOp::Alloc { .. } => Desk::Alloc,
        op if ring(op).is_some() => Desk::Commit,
        FileOp::Sync(FileName::Ring { .. }) => Desk::Flush,
        op if is_placed(op) => Desk::Place,
        FileOp::Read { .. } | FileOp::Reread { .. } => Desk::Read,
        FileOp::SyncAll => Desk::Bulk,
        op if names(op).iter().all(is_kept) => Desk::Keep,
        _ => Desk::Bulk,
    }
}

/// Durable bytes of a segment.
fn is_direct(op: &FileOp) -> bool {
    matches!(
        op,
        FileOp::Put {
            file: FileName::Segment { .. },
            how: How::Durable,
            ..
        }
    )
}

/// The directory of the log that a write belongs to.
fn dir_of(op: &FileOp) -> Option<Arc<str>> {
    match op {
        FileOp::Put {
            file: FileName::Segment { dir, .. } | FileName::Sidecar { dir, .. },
            ..
        } => Some(dir.clone()),
        _ => None,
    }
}

/// Those, and entries of a sidecar.
fn is_placed(op: &FileOp) -> bool {
    let side = matches!(
        op,
        FileOp::Put {
            file: FileName::Sidecar { .. },
            how: How::Cached,
            ..
        }
    );
    side || is_direct(op)
}

/// Ring files, checkpoints, also the one that is written aside, and the directories they lie in.
fn is_kept(name: &FileName) -> bool {
    match name {
        FileName::Ring { .. } | FileName::Checkpoint { .. } => true,
        FileName::Named(path) => {
            path.is_empty() || &**path == "commit" || path.starts_with("checkpoint.")
        }
        FileName::Segment { .. } | FileName::Sidecar { .. } => false,
    }
}

/// The ring that this is a commit of.
fn ring(op: &FileOp) -> Option<RingKind> {
    match op {
        FileOp::Put {
            file: FileName::Ring { kind, .. },
            how: How::Durable | How::Cached,
            ..
        } => Some(*kind),
        _ => None,
    }
}

fn kept(op: FileOp, written: Option<Aligned>) -> Option<Kept> {
    match op {
        FileOp::Put {
            file: file @ FileName::Ring { .. },
            at,
            ..
        } => Some(Kept {
            file,
            at,
            bytes: written.map(Aligned::share),
        }),
        _ => None,
    }
}

/// A write that went straight to a segment, without the zeros at its end: what is written next lies where they are now.
fn kept_runs(file: &FileName, at: u64, runs: Vec<Shared>, padding: usize) -> Vec<Kept> {
    let mut left = runs.iter().map(|run| run.bytes.len()).sum::<usize>() - padding;
    let mut next = at;
    let mut kept = Vec::with_capacity(runs.len());
    for mut run in runs {
        let at = next;
        next += run.bytes.len() as u64;
        run.bytes.truncate(left);
        left -= run.bytes.len();
        if !run.bytes.is_empty() {
            kept.push(Kept {
                file: file.clone(),
                at,
                bytes: Some(run),
            });
        }
    }
    kept
}

/// Zeros at the end of a write.
fn padding(pieces: &[Piece]) -> usize {
    match pieces.last() {
        Some(Piece::Zeros(n)) => *n,
        _ => 0,
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// A thread that is started with its first job and ends with its owner.
struct Worker {
    name: &'static str,
    jobs: Option<mpsc::Sender<Job>>,
}

impl Worker {
    fn new(name: &'static str) -> Worker {
        Worker { name, jobs: None }
    }

    fn send(&mut self, job: Job) {
        let jobs = self.jobs.get_or_insert_with(|| {
            let (jobs, queue) = mpsc::channel::<Job>();
            let thread = std::thread::Builder::new().name(self.name.to_owned());
            let started = thread.spawn(move || queue.into_iter().for_each(|job| job()));
            assert!(
                started.is_ok(),
                "a broker that gets no thread for its disk cannot keep any promise"
            );
            jobs
        });
        assert!(
            jobs.send(job).is_ok(),
            "the thread of a disk ends only with its owner"
        );
    }
}

#[cfg(test)]
mod tests;
