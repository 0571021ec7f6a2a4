//! Carries one shard's file operations to the real directory: in line where that is quickest, else on threads.
//! Decides where an operation runs, never what it is; keeps what was written last as the tail. Holds #7 for reads.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sawlog_core::answer::FetchAnswer;
use sawlog_core::file::{FileName, FileOp, How, Outcome, Piece, Place, ReadPlan, Served};
use sawlog_core::ids::{Ticket, Waiter};
use sawlog_core::log::checksum;

use super::files::{Files, kind};
use super::tail::Tail;

/// A ring write longer than this goes to the commit thread, so that sockets are read meanwhile.
const INLINE_MAX: usize = 64 << 10;
/// How many ring writes are remembered, and how slow the slowest of them may be, for the next to run in line:
/// a hop to another thread costs more than a write of a quick disk.
const RECENT: usize = 100;
const QUICK: Duration = Duration::from_millis(1);

/// What comes back from a thread.
#[derive(Debug)]
pub enum Back {
    /// An operation, with the buffer that was written if it was a ring write, and how long a ring write took.
    Done(
        Ticket,
        Vec<FileName>,
        Outcome,
        Option<Kept>,
        Option<Duration>,
    ),
    /// A plan was read.
    Read(Waiter, ReadPlan, FetchAnswer, Served),
}

/// A buffer that is part of the tail now.
#[derive(Debug)]
pub struct Kept {
    file: FileName,
    at: u64,
    bytes: Bytes,
}

/// Where completions of threads go: the shard's inbox.
pub type Inbox = Arc<dyn Fn(Back) + Send + Sync>;

/// The threads of a lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Desk {
    /// Ring writes that are too long or too slow to be done in line.
    Commit,
    /// Pre-writing of files, which takes long and which nobody waits for.
    Alloc,
    /// Everything else.
    Bulk,
}

/// One shard's way to its directory.
pub struct Lane {
    files: Arc<Files>,
    tail: Tail,
    inbox: Inbox,
    commit: Worker,
    alloc: Worker,
    bulk: Worker,
    reader: Worker,
    /// Names that operations on threads work on: where, and how many of them. Later operations on a name queue
    /// behind, so that operations on one file take effect in the order they were asked for.
    away: BTreeMap<FileName, (Desk, usize)>,
    /// Operations that wait for one on another thread.
    held: VecDeque<(Ticket, FileOp, Vec<FileName>)>,
    recent: VecDeque<Duration>,
}

impl Lane {
    /// A lane over an open directory. `inbox` takes completions from other threads.
    pub fn new(files: Arc<Files>, cache_bytes: u64, inbox: Inbox) -> Lane {
        Lane {
            files,
            tail: Tail::new(cache_bytes),
            inbox,
            commit: Worker::new("commit"),
            alloc: Worker::new("alloc"),
            bulk: Worker::new("bulk"),
            reader: Worker::new("reader"),
            away: BTreeMap::new(),
            held: VecDeque::new(),
            recent: VecDeque::with_capacity(RECENT),
        }
    }

    /// Does an operation now and gives its outcome, or sends it to a thread, whose completion comes by the inbox.
    pub fn submit(&mut self, ticket: Ticket, op: FileOp) -> Option<Outcome> {
        if is_commit(&op) && self.quick(&op) {
            let started = Instant::now();
            let (outcome, written) = self.files.run(&op);
            self.took(started.elapsed());
            if let Some(kept) = kept(op, written) {
                self.keep(kept);
            }
            return Some(outcome);
        }
        if let FileOp::Read { file, at, len } = &op
            && let Some(bytes) = self.tail.get(file, *at, u64::from(*len))
        {
            return Some(Outcome::Bytes(bytes));
        }
        if let FileOp::Rename { from, .. } | FileOp::Unlink(from) = &op {
            self.tail.forget(from);
        }
        let names = names(&op);
        if self.may_go(desk(&op), &names) && !self.behind_held(&names, self.held.len()) {
            self.send(ticket, op, names);
        } else {
            self.held.push_back((ticket, op, names));
        }
        None
    }

    /// Takes notice of an operation that came back from a thread.
    pub fn landed(&mut self, names: Vec<FileName>, kept: Option<Kept>, took: Option<Duration>) {
        for name in names {
            if let Some((_, count)) = self.away.get_mut(&name) {
                *count -= 1;
                if *count == 0 {
                    self.away.remove(&name);
                }
            }
        }
        if let Some(kept) = kept {
            self.keep(kept);
        }
        if let Some(took) = took {
            self.took(took);
        }
        let mut index = 0;
        while let Some((_, op, names)) = self.held.get(index) {
            if self.may_go(desk(op), names) && !self.behind_held(names, index) {
                if let Some((ticket, op, names)) = self.held.remove(index) {
                    self.send(ticket, op, names);
                }
            } else {
                index += 1;
            }
        }
    }

    /// Whether nothing on another thread works on any of these names.
    fn may_go(&self, desk: Desk, names: &[FileName]) -> bool {
        let elsewhere = |name| self.away.get(name).is_some_and(|(busy, _)| *busy != desk);
        !names.iter().any(elsewhere)
    }

    /// Whether one of the first `n` held operations works on any of these names.
    fn behind_held(&self, names: &[FileName], n: usize) -> bool {
        self.held
            .iter()
            .take(n)
            .any(|(_, _, held)| held.iter().any(|name| names.contains(name)))
    }

    fn send(&mut self, ticket: Ticket, op: FileOp, names: Vec<FileName>) {
        let desk = desk(&op);
        for name in &names {
            self.away.entry(name.clone()).or_insert((desk, 0)).1 += 1;
        }
        let (files, inbox) = (self.files.clone(), self.inbox.clone());
        let worker = match desk {
            Desk::Commit => &mut self.commit,
            Desk::Alloc => &mut self.alloc,
            Desk::Bulk => &mut self.bulk,
        };
        worker.send(Box::new(move || {
            let started = Instant::now();
            let (outcome, written) = files.run(&op);
            let took = (desk == Desk::Commit).then(|| started.elapsed());
            inbox(Back::Done(ticket, names, outcome, kept(op, written), took));
        }));
    }

    /// Gives the bytes of a plan if all of them are in memory; else sends it to the reader, and it comes back as
    /// [`Back::Read`].
    pub fn serve(
        &mut self,
        waiter: Waiter,
        plan: ReadPlan,
        mut answer: FetchAnswer,
    ) -> Option<(Waiter, ReadPlan, FetchAnswer)> {
        let mut records = Vec::with_capacity(plan.places.len());
        for place in &plan.places {
            let bytes = plan
                .files
                .get(usize::from(place.file))
                .and_then(|file| self.tail.get(file, place.at, u64::from(place.len)));
            match bytes {
                Some(bytes) => records.push(bytes),
                None => {
                    let (files, inbox) = (self.files.clone(), self.inbox.clone());
                    self.reader.send(Box::new(move || {
                        let served = match read(&files, &plan) {
                            Ok(bytes) => {
                                answer.records = bytes;
                                Served::Whole
                            }
                            Err(served) => served,
                        };
                        inbox(Back::Read(waiter, plan, answer, served));
                    }));
                    return None;
                }
            }
        }
        answer.records = records;
        Some((waiter, plan, answer))
    }

    fn quick(&self, op: &FileOp) -> bool {
        let FileOp::Put { file, pieces, .. } = op else {
            return false;
        };
        let len: usize = pieces.iter().map(Piece::len).sum();
        let busy = !self.away.is_empty() && (self.away.contains_key(file) || !self.held.is_empty());
        len <= INLINE_MAX && !busy && self.recent.iter().all(|took| *took < QUICK)
    }

    fn took(&mut self, took: Duration) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(took);
    }

    fn keep(&mut self, kept: Kept) {
        self.tail.keep(&kept.file, kept.at, kept.bytes);
    }
}

/// The files and directories whose order an operation takes part in.
fn names(op: &FileOp) -> Vec<FileName> {
    match op {
        FileOp::Alloc { file, .. } | FileOp::Put { file, .. } | FileOp::Cut { file, .. } => {
            vec![file.clone()]
        }
        FileOp::Read { file, .. } | FileOp::Sync(file) | FileOp::Unlink(file) => vec![file.clone()],
        FileOp::Rename { from, to } => vec![from.clone(), to.clone()],
        FileOp::SyncDir(dir)
        | FileOp::MakeDir(dir)
        | FileOp::RemoveDir(dir)
        | FileOp::List(dir) => vec![dir.clone()],
        FileOp::SyncAll => Vec::new(),
    }
}

fn desk(op: &FileOp) -> Desk {
    match op {
        FileOp::Alloc { .. } => Desk::Alloc,
        op if is_commit(op) => Desk::Commit,
        _ => Desk::Bulk,
    }
}

fn is_commit(op: &FileOp) -> bool {
    matches!(
        op,
        FileOp::Put {
            file: FileName::Ring { .. },
            how: How::Durable | How::Cached,
            ..
        }
    )
}

fn kept(op: FileOp, written: Option<Bytes>) -> Option<Kept> {
    match op {
        FileOp::Put {
            file: file @ FileName::Ring { .. },
            at,
            ..
        } => written.map(|bytes| Kept { file, at, bytes }),
        _ => None,
    }
}

/// Reads the places of a plan, neighbours in one call, and checks each batch against its checksum (#7).
fn read(files: &Files, plan: &ReadPlan) -> Result<Vec<Bytes>, Served> {
    let mut records = Vec::new();
    let mut rest = plan.places.as_slice();
    let mut index = 0;
    while let Some(first) = rest.first() {
        let run = run_length(rest);
        let (places, after) = rest.split_at(run);
        rest = after;
        let len: u64 = places.iter().map(|place| u64::from(place.len)).sum();
        let file = plan
            .files
            .get(usize::from(first.file))
            .ok_or(Served::Rotten(index))?;
        let len = u32::try_from(len).map_err(|_| Served::Rotten(index))?;
        let bytes = files.read(file, first.at, len).map_err(|error| {
            let text = format!("read {file}: {error}");
            Served::Unreadable(
                index,
                sawlog_core::file::Fault {
                    kind: kind(&error),
                    text,
                },
            )
        })?;
        let mut at = 0;
        for place in places {
            let end = at + place.len as usize;
            let batch = bytes.get(at..end).ok_or(Served::Rotten(index))?;
            if checksum::over(checksum::seed(plan.log), batch) != place.checksum {
                return Err(Served::Rotten(index));
            }
            at = end;
            index += 1;
        }
        records.push(bytes);
    }
    Ok(records)
}

/// How many places from the first on lie behind each other in one file, up to 4 MiB.
fn run_length(places: &[Place]) -> usize {
    let Some(first) = places.first() else {
        return 0;
    };
    let mut end = first.at;
    places
        .iter()
        .take_while(|place| {
            let next = place.file == first.file && place.at == end;
            let fits = place.at == first.at || end - first.at + u64::from(place.len) <= 4 << 20;
            end += u64::from(place.len);
            next && fits
        })
        .count()
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
