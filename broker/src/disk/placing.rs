//! Writes that go straight to segments, and what indexes them, on threads of their own.
//! Decides which log a thread turns to, and that what waits for one segment becomes one write; never an order within a file.
//!
//! A durable write that makes a file longer waits for the file system's journal, however short it is. So one log's writes
//! are joined while an earlier one is under way, and those of several logs wait for the journal together.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sawlog_core::file::{FileName, FileOp, Outcome};

use super::buffer::PAGE;
use super::files::Files;

/// Logs of one shard that are written to at a time.
const THREADS: usize = 4;
/// One write takes no more than this, unless it is one that was asked for.
const MOST: usize = 4 << 20;

/// What is to be done when a write is.
pub type Then = Box<dyn FnOnce(Outcome) + Send>;

/// A write that was asked for.
pub struct Job {
    /// Whose: jobs of one log are done one after the other.
    pub dir: Arc<str>,
    /// What.
    pub work: Work,
    /// And then.
    pub then: Then,
}

/// What a job writes.
pub enum Work {
    /// These slices of aligned memory, durably, from this byte of a segment on.
    Segment(FileName, u64, Vec<Bytes>),
    /// Some bytes of an index.
    Index(FileOp),
}

impl Job {
    fn len(&self) -> usize {
        match &self.work {
            Work::Segment(_, _, slices) => slices.iter().map(Bytes::len).sum(),
            Work::Index(_) => 0,
        }
    }
}

/// The threads and what waits for them.
pub struct Placing {
    files: Arc<Files>,
    waiting: Arc<Waiting>,
    threads: usize,
}

#[derive(Default)]
struct Waiting {
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Logs that a thread is busy with.
    busy: BTreeSet<Arc<str>>,
    /// Threads that wait.
    idle: usize,
    over: bool,
}

impl Placing {
    /// Threads are started as they are needed, and end with this.
    pub fn new(files: Arc<Files>) -> Placing {
        Placing {
            files,
            waiting: Arc::default(),
            threads: 0,
        }
    }

    /// Does this after all that was asked for of the same log.
    pub fn push(&mut self, job: Job) {
        let mut queue = self.waiting.lock();
        let behind = queue.busy.contains(&job.dir);
        queue.jobs.push_back(job);
        if behind {
            return;
        }
        // One too many looks and waits again; one too few would have a log wait for another's write.
        if queue.idle > 0 {
            self.waiting.more.notify_one();
        } else if self.threads < THREADS {
            drop(queue);
            self.threads += 1;
            let (files, waiting) = (self.files.clone(), self.waiting.clone());
            let thread = std::thread::Builder::new().name("place".to_owned());
            let started = thread.spawn(move || waiting.serve(&files));
            assert!(
                started.is_ok(),
                "a broker that gets no thread for its disk cannot keep any promise"
            );
        }
    }
}

impl Drop for Placing {
    fn drop(&mut self) {
        self.waiting.lock().over = true;
        self.waiting.more.notify_all();
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the end, and then whatever is still to be done.
    fn serve(&self, files: &Files) {
        let mut queue = self.lock();
        loop {
            let Some((dir, jobs)) = queue.take() else {
                if queue.over {
                    return;
                }
                queue.idle += 1;
                queue = self
                    .more
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
                queue.idle -= 1;
                continue;
            };
            drop(queue);
            carry_out(files, jobs);
            queue = self.lock();
            queue.busy.remove(&dir);
        }
    }
}

impl Queue {
    /// The first job of a log that nobody is busy with, and what else waits for that log, as much as one write takes.
    fn take(&mut self) -> Option<(Arc<str>, Vec<Job>)> {
        let first = |job: &Job| !self.busy.contains(&job.dir);
        let mut index = self.jobs.iter().position(first)?;
        let dir = self.jobs.get(index)?.dir.clone();
        let (mut jobs, mut bytes) = (Vec::new(), 0);
        while let Some(job) = self.jobs.get(index) {
            if job.dir != dir {
                index += 1;
                continue;
            }
            bytes += job.len();
            if bytes > MOST && !jobs.is_empty() {
                break;
            }
            jobs.extend(self.jobs.remove(index));
        }
        self.busy.insert(dir.clone());
        Some((dir, jobs))
    }
}

/// Segments before what indexes them: those are what appends wait for longest.
fn carry_out(files: &Files, jobs: Vec<Job>) {
    let mut run: Vec<Write> = Vec::new();
    let mut indexes = Vec::new();
    for Job { work, then, .. } in jobs {
        match work {
            Work::Index(op) => indexes.push((op, then)),
            Work::Segment(file, at, slices) => {
                let next = Write {
                    file,
                    at,
                    slices,
                    then,
                };
                if run.last().is_some_and(|last| !last.goes_on_with(&next)) {
                    write(files, std::mem::take(&mut run));
                }
                run.push(next);
            }
        }
    }
    write(files, run);
    for (op, then) in indexes {
        let (outcome, _) = files.run(&op);
        then(outcome);
    }
}

struct Write {
    file: FileName,
    at: u64,
    slices: Vec<Bytes>,
    then: Then,
}

impl Write {
    fn end(&self) -> u64 {
        let len: usize = self.slices.iter().map(Bytes::len).sum();
        self.at + len as u64
    }

    /// Whether the other begins where this one ends, or writes its last block again, with more in it.
    fn goes_on_with(&self, next: &Write) -> bool {
        let end = self.end();
        self.file == next.file && (next.at == end || next.at + PAGE as u64 == end)
    }
}

/// Writes that go on with each other, as one. Of a block that two of them write, what the later one has is all.
fn write(files: &Files, run: Vec<Write>) {
    let Some(first) = run.first() else {
        return;
    };
    let mut slices = Vec::new();
    for (index, one) in run.iter().enumerate() {
        let end = run.get(index + 1).map_or(one.end(), |next| next.at);
        let mut left = usize::try_from(end - one.at).unwrap_or(usize::MAX);
        for slice in &one.slices {
            let part = slice.slice(..slice.len().min(left));
            left -= part.len();
            // All of it may be in the block that the next write has, too.
            if !part.is_empty() {
                slices.push(part);
            }
        }
    }
    let outcome = files.write_slices(&first.file, first.at, &slices);
    for one in run {
        (one.then)(outcome.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::buffer::Pool;

    fn job(dir: &str, at: u64, len: usize, with: u8) -> Job {
        let file = FileName::Segment {
            dir: dir.into(),
            base: sawlog_core::ids::Offset(0),
        };
        let mut bytes = Pool::new(0).take(len);
        bytes.push(&vec![with; len]);
        Job {
            dir: dir.into(),
            work: Work::Segment(file, at, vec![bytes.freeze()]),
            then: Box::new(|outcome| assert_eq!(outcome, Outcome::Done)),
        }
    }

    fn begins(jobs: &[Job]) -> Vec<u64> {
        let begin = |job: &Job| match &job.work {
            Work::Segment(_, at, _) => *at,
            Work::Index(_) => 0,
        };
        jobs.iter().map(begin).collect()
    }

    #[test]
    fn what_waits_for_one_log_is_taken_together_and_a_log_has_one_thread_at_a_time() {
        let mut queue = Queue::default();
        for (dir, at) in [("a", 0), ("b", 0), ("a", 1), ("a", 2), ("b", 1)] {
            queue.jobs.push_back(job(dir, at, PAGE, 0));
        }
        let (a, jobs) = queue.take().unwrap();
        assert_eq!((&*a, begins(&jobs)), ("a", vec![0, 1, 2]));
        queue.jobs.push_back(job("a", 3, PAGE, 0));
        let (b, jobs) = queue.take().unwrap();
        assert_eq!((&*b, begins(&jobs)), ("b", vec![0, 1]));
        assert!(queue.take().is_none(), "both are being written");
        queue.busy.remove(&a);
        assert_eq!(begins(&queue.take().unwrap().1), [3]);
    }

    #[test]
    fn a_write_takes_what_is_its_share_and_in_order() {
        let mut queue = Queue::default();
        for at in 0..4 {
            queue.jobs.push_back(job("a", at, MOST / 3, 0));
        }
        let (a, jobs) = queue.take().unwrap();
        assert_eq!(begins(&jobs), [0, 1, 2]);
        queue.busy.remove(&a);
        queue.jobs.push_front(job("a", 9, 2 * MOST, 0));
        let (_, jobs) = queue.take().unwrap();
        assert_eq!(begins(&jobs), [9], "a long one is written all the same");
    }

    /// Blocks of one byte each, written by jobs that begin with the block in which the one before ends.
    #[test]
    fn writes_that_are_joined_leave_what_they_would_leave_one_by_one() {
        let dir = std::env::temp_dir().join(format!("sawlog-placing-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("a")).unwrap();
        let files = Files::open(&dir, Pool::new(0)).unwrap();
        let page = PAGE as u64;
        let jobs = vec![
            job("a", 0, 3 * PAGE, 1),
            job("a", 2 * page, 2 * PAGE, 2),
            job("a", 4 * page, PAGE, 3),
            // A hole is never filled by joining.
            job("a", 7 * page, PAGE, 4),
            // Nothing is left of this one.
            job("a", 7 * page, PAGE, 5),
        ];
        carry_out(&files, jobs);
        let bytes = std::fs::read(dir.join("a/00000000000000000000.log")).unwrap();
        let blocks: Vec<u8> = bytes.chunks(PAGE).map(|block| block[PAGE - 1]).collect();
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(blocks, [1, 1, 2, 2, 3, 0, 0, 5]);
        assert_eq!(bytes.len(), 8 * PAGE);
    }
}
