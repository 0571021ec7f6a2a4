//! Writes that go straight to segments, and what indexes them, on two threads of their own.
//! Decides which log is next, what becomes one write, and when completions are told; never an order within a file.
//!
//! A durable write that makes a file longer waits for the file system's journal, however short it is, and whatever is
//! told wakes the shard, its commit and its clients. So one log's writes are joined while others are under way, one log
//! is written while another waits for the journal if it has much to write, and what was done is told together.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sawlog_core::file::{FileName, FileOp, Outcome, Piece};

use super::buffer::PAGE;
use super::files::Files;

/// One write takes no more than this, unless it is one that was asked for.
const MOST: usize = 4 << 20;
/// While one thread writes, so many bytes of other logs have to wait for another to be worth waking: less is joined with what comes next,
/// and written by whichever is awake. Each wake-up takes a processor from clients on the same machine, and from the shard.
const WORTH_A_THREAD: usize = 2 << 20;
/// What was done is told when there is nothing else to do, or before it would have waited for so long: a quick disk writes
/// a few megabytes in it, and a slow one lets nobody wait for another log's write.
const TOLD_WITHIN: Duration = Duration::from_millis(8);

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

/// Threads of a shard, each with a log of its own. While one waits for the file system's journal, the disk has the other's
/// bytes to write; with more than two, each would write less at a time.
const THREADS: usize = 2;

/// The threads and what waits for them.
pub struct Placer {
    files: Arc<Files>,
    waiting: Arc<Waiting>,
    started: usize,
}

#[derive(Default)]
struct Waiting {
    queue: Mutex<Queue>,
    more: Condvar,
    /// What is done and nobody was told of. Whoever tells has it until all of it is told, so that the completions of
    /// one log come in the order in which it was written.
    done: Mutex<Done>,
}

struct Queue {
    jobs: VecDeque<Job>,
    /// Logs that are being written.
    busy: Vec<Arc<str>>,
    over: bool,
    /// [`WORTH_A_THREAD`], but for tests.
    worth: usize,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue {
            jobs: VecDeque::new(),
            busy: Vec::new(),
            over: false,
            worth: WORTH_A_THREAD,
        }
    }
}

impl Placer {
    /// The threads are started when they are needed, and end with this.
    pub fn new(files: Arc<Files>) -> Placer {
        Placer {
            files,
            waiting: Arc::default(),
            started: 0,
        }
    }

    /// Does this after all that was asked for of the same log.
    pub fn push(&mut self, job: Job) {
        let mut queue = self.waiting.lock();
        let all_busy = queue.busy.len() == self.started;
        // Where nobody is busy and something waited before, somebody is on his way to it.
        let first = queue.jobs.is_empty();
        queue.jobs.push_back(job);
        let wake = queue.worth_a_thread() && (first || !queue.busy.is_empty());
        drop(queue);
        if wake {
            self.waiting.more.notify_one();
        }
        if wake && all_busy && self.started < THREADS {
            self.started += 1;
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

impl Drop for Placer {
    fn drop(&mut self) {
        self.waiting.lock().over = true;
        self.waiting.more.notify_all();
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done(&self) -> MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the end, and then whatever is still to be done.
    fn serve(&self, files: &Files) {
        let mut queue = self.lock();
        let mut told = true;
        loop {
            let Some((dir, jobs)) = queue.take() else {
                if !told {
                    // Another log's write may last: nobody waits for it who need not.
                    drop(queue);
                    self.done().tell();
                    told = true;
                    queue = self.lock();
                } else if queue.over && queue.jobs.is_empty() {
                    return;
                } else {
                    queue = self
                        .more
                        .wait(queue)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                continue;
            };
            // Each wakes the next.
            if queue.worth_a_thread() {
                self.more.notify_one();
            }
            drop(queue);
            let begun = Instant::now();
            let outcomes = carry_out(files, jobs);
            let now = Instant::now();
            let mut done = self.done();
            done.add(now, outcomes);
            self.lock().written(&dir);
            // The next write may take as long as this one.
            told = done.is_due(now, now - begun);
            if told {
                done.tell();
            }
            drop(done);
            queue = self.lock();
            // What waited for this log is taken now; who waits for the end may have seen it busy.
            if queue.over {
                self.more.notify_all();
            }
        }
    }
}

impl Queue {
    /// What waits for logs that nobody writes.
    fn free(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| !self.busy.contains(&job.dir))
    }

    /// Whether there is something to do for one thread more than there are at work.
    fn worth_a_thread(&self) -> bool {
        if self.busy.is_empty() {
            return !self.jobs.is_empty();
        }
        let mut bytes = 0;
        self.free().any(|job| {
            bytes += job.len();
            bytes >= self.worth
        })
    }

    /// The first job of a log that nobody writes, and what else waits for the same log, as much as one write takes.
    fn take(&mut self) -> Option<(Arc<str>, Vec<Job>)> {
        if !self.worth_a_thread() {
            return None;
        }
        let (mut jobs, mut bytes, mut index) = (Vec::new(), 0, 0);
        let dir = self.free().next()?.dir.clone();
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
        self.busy.push(dir.clone());
        Some((dir, jobs))
    }

    /// Others may write this log again.
    fn written(&mut self, dir: &Arc<str>) {
        self.busy.retain(|busy| busy != dir);
    }
}

/// What is done, and nobody was told of.
#[derive(Default)]
struct Done {
    outcomes: Vec<(Then, Outcome)>,
    since: Option<Instant>,
}

impl Done {
    fn add(&mut self, now: Instant, outcomes: Vec<(Then, Outcome)>) {
        self.since.get_or_insert(now);
        self.outcomes.extend(outcomes);
    }

    /// Whether somebody would wait too long if another write came first, one that takes so long.
    fn is_due(&self, now: Instant, next: Duration) -> bool {
        self.since
            .is_some_and(|since| now.duration_since(since) + next >= TOLD_WITHIN)
    }

    fn tell(&mut self) {
        self.since = None;
        for (then, outcome) in self.outcomes.drain(..) {
            then(outcome);
        }
    }
}

/// Segments before what indexes them: those are what appends wait for longest.
fn carry_out(files: &Files, jobs: Vec<Job>) -> Vec<(Then, Outcome)> {
    let mut done = Vec::new();
    let mut run: Vec<Write> = Vec::new();
    let mut indexes: Vec<(FileOp, Vec<Then>)> = Vec::new();
    for Job { work, then, .. } in jobs {
        match work {
            Work::Index(op) => {
                if let Some((last, thens)) = indexes.last_mut()
                    && lengthen(last, &op)
                {
                    thens.push(then);
                } else {
                    indexes.push((op, vec![then]));
                }
            }
            Work::Segment(file, at, slices) => {
                let next = Write {
                    file,
                    at,
                    slices,
                    then,
                };
                if run.last().is_some_and(|last| !last.goes_on_with(&next)) {
                    write(files, std::mem::take(&mut run), &mut done);
                }
                run.push(next);
            }
        }
    }
    write(files, run, &mut done);
    for (op, thens) in indexes {
        let (outcome, _) = files.run(&op);
        for then in thens {
            done.push((then, outcome.clone()));
        }
    }
    done
}

/// Makes one write of two, if the second begins where the first ends.
fn lengthen(first: &mut FileOp, second: &FileOp) -> bool {
    let FileOp::Put {
        file,
        at,
        pieces,
        how,
    } = first
    else {
        return false;
    };
    let end = *at + pieces.iter().map(Piece::len).sum::<usize>() as u64;
    match second {
        FileOp::Put {
            file: other,
            at,
            pieces: more,
            how: same,
        } if file == other && how == same && *at == end => {
            pieces.extend(more.iter().cloned());
            true
        }
        _ => false,
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
fn write(files: &Files, run: Vec<Write>, done: &mut Vec<(Then, Outcome)>) {
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
        done.push((one.then, outcome.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::buffer::Pool;
    use sawlog_core::file::How;

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

    /// Where the jobs begin that one thread takes, and has done at once.
    fn taken(queue: &mut Queue) -> Vec<u64> {
        let Some((dir, jobs)) = queue.take() else {
            return Vec::new();
        };
        queue.written(&dir);
        begins(&jobs)
    }

    fn begins(jobs: &[Job]) -> Vec<u64> {
        let begin = |job: &Job| match &job.work {
            Work::Segment(_, at, _) => *at,
            Work::Index(_) => 0,
        };
        jobs.iter().map(begin).collect()
    }

    #[test]
    fn what_waits_for_one_log_is_taken_together_and_logs_take_turns() {
        let mut queue = Queue::default();
        for (dir, at) in [("a", 0), ("b", 0), ("a", 1), ("a", 2), ("b", 1)] {
            queue.jobs.push_back(job(dir, at, PAGE, 0));
        }
        assert_eq!(taken(&mut queue), [0, 1, 2]);
        queue.jobs.push_back(job("a", 3, PAGE, 0));
        assert_eq!(taken(&mut queue), [0, 1], "the next log's turn");
        assert_eq!(taken(&mut queue), [3]);
        assert!(queue.take().is_none());
    }

    #[test]
    fn a_log_that_is_being_written_is_taken_by_nobody_else() {
        let mut queue = Queue::default();
        for (dir, at) in [("a", 0), ("b", 0)] {
            queue.jobs.push_back(job(dir, at, WORTH_A_THREAD, 0));
        }
        let (a, _) = queue.take().unwrap();
        queue.jobs.push_front(job("a", 1, WORTH_A_THREAD, 0));
        let (b, jobs) = queue.take().unwrap();
        assert_eq!((&*a, &*b, begins(&jobs)), ("a", "b", vec![0]));
        assert!(queue.take().is_none(), "its turn has not come");
        queue.written(&b);
        assert!(queue.take().is_none(), "a is still written");
        queue.written(&a);
        let (a, jobs) = queue.take().unwrap();
        assert_eq!(begins(&jobs), [1]);
        queue.written(&a);
        assert!(queue.busy.is_empty());
    }

    #[test]
    fn another_thread_comes_only_where_much_waits_and_nothing_waits_for_it() {
        let mut queue = Queue::default();
        queue.jobs.push_back(job("a", 0, PAGE, 0));
        assert!(queue.worth_a_thread(), "nobody is at work");
        let (a, _) = queue.take().unwrap();
        assert!(!queue.worth_a_thread(), "there is nothing to do");
        queue.jobs.push_back(job("a", 1, 2 * WORTH_A_THREAD, 0));
        queue.jobs.push_back(job("b", 0, WORTH_A_THREAD - PAGE, 0));
        assert!(!queue.worth_a_thread(), "a is being written");
        assert!(queue.take().is_none());
        queue.jobs.push_back(job("c", 0, PAGE, 0));
        assert!(queue.worth_a_thread());
        let (b, _) = queue.take().unwrap();
        assert!(queue.take().is_none(), "too little for a third");
        for dir in [a, b] {
            queue.written(&dir);
        }
        assert_eq!(begins(&queue.take().unwrap().1), [1]);
        queue.written(&"a".into());
        assert_eq!(taken(&mut queue), [0], "the last one takes what is left");
    }

    /// Fifty blocks of each of three logs, pushed in turn to threads of which another is woken for so many bytes.
    fn written_and_told(name: &str, worth: usize) {
        let name = format!("sawlog-placers-{name}-{}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        let logs = ["a", "b", "c"];
        for log in logs {
            std::fs::create_dir_all(dir.join(log)).unwrap();
        }
        let files = Arc::new(Files::open(&dir, Pool::new(0)).unwrap());
        let (told, heard) = std::sync::mpsc::channel();
        let mut placer = Placer::new(files);
        placer.waiting.lock().worth = worth;
        let count = 50_u64;
        for number in 0..count {
            for log in logs {
                let mut job = job(log, number * PAGE as u64, PAGE, number as u8);
                let told = told.clone();
                job.then = Box::new(move |outcome| told.send((log, number, outcome)).unwrap());
                placer.push(job);
            }
        }
        // What waits when its owner goes is done all the same.
        drop((placer, told));
        let next = || heard.recv_timeout(Duration::from_secs(60)).unwrap();
        let told: Vec<_> = (0..logs.len() * count as usize).map(|_| next()).collect();
        for log in logs {
            let of_log = told.iter().filter(|(name, ..)| *name == log);
            let expected = (0..count).map(|number| (log, number, Outcome::Done));
            assert!(of_log.cloned().eq(expected), "{log}");
            let bytes = std::fs::read(dir.join(log).join("00000000000000000000.log")).unwrap();
            let blocks = bytes.chunks(PAGE).map(|block| u64::from(block[PAGE - 1]));
            assert!(blocks.eq(0..count), "{log}");
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn all_logs_are_told_of_all_writes_in_their_order() {
        written_and_told("one", WORTH_A_THREAD);
        written_and_told("two", PAGE);
    }

    #[test]
    fn a_write_takes_what_is_its_share_and_in_order() {
        let mut queue = Queue::default();
        for at in 0..4 {
            queue.jobs.push_back(job("a", at, MOST / 3, 0));
        }
        assert_eq!(taken(&mut queue), [0, 1, 2]);
        queue.jobs.push_front(job("a", 9, 2 * MOST, 0));
        let long = taken(&mut queue);
        assert_eq!(long, [9], "a long one is written all the same");
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
        let mut done = Done::default();
        done.add(Instant::now(), carry_out(&files, jobs));
        assert_eq!(done.outcomes.len(), 5);
        done.tell();
        let bytes = std::fs::read(dir.join("a/00000000000000000000.log")).unwrap();
        let blocks: Vec<u8> = bytes.chunks(PAGE).map(|block| block[PAGE - 1]).collect();
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(blocks, [1, 1, 2, 2, 3, 0, 0, 5]);
        assert_eq!(bytes.len(), 8 * PAGE);
    }

    #[test]
    fn nobody_waits_for_another_write_that_would_last_too_long() {
        let mut done = Done::default();
        let begun = Instant::now();
        assert!(!done.is_due(begun, TOLD_WITHIN), "there is nobody to tell");
        done.add(begun, vec![(Box::new(|_| {}), Outcome::Done)]);
        let since = done.since.unwrap();
        let (most, least) = (TOLD_WITHIN, Duration::from_millis(1));
        assert!(!done.is_due(since, most - least));
        assert!(done.is_due(since, most), "a slow disk");
        assert!(!done.is_due(since + most - 2 * least, least));
        assert!(
            done.is_due(since + most - least, least),
            "many quick writes"
        );
        done.tell();
        assert!(!done.is_due(since + most, most), "all were told");
    }

    #[test]
    fn what_goes_on_in_an_index_is_written_at_once_and_all_who_asked_are_told() {
        let name = format!("sawlog-placing-index-{}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let files = Files::open(&dir, Pool::new(0)).unwrap();
        let put = |at: u64, bytes: &'static [u8]| FileOp::Put {
            file: FileName::named("index"),
            at,
            pieces: vec![Piece::Bytes(Bytes::from_static(bytes))],
            how: How::Cached,
        };
        let mut first = put(0, b"ab");
        assert!(lengthen(&mut first, &put(2, b"cd")));
        assert!(!lengthen(&mut first, &put(5, b"f")), "there is a gap");
        assert!(!lengthen(&mut first, &put(0, b"a")), "it is written again");
        let other = FileOp::Sync(FileName::named("index"));
        assert!(!lengthen(&mut first, &other));
        let (told, heard) = std::sync::mpsc::channel();
        let asked = [put(0, b"ab"), put(2, b"cd"), put(5, b"f"), put(1, b"B")];
        let jobs = asked.into_iter().enumerate().map(|(number, op)| {
            let told = told.clone();
            Job {
                dir: "a".into(),
                work: Work::Index(op),
                then: Box::new(move |outcome| told.send((number, outcome)).unwrap()),
            }
        });
        let mut done = Done::default();
        done.add(Instant::now(), carry_out(&files, jobs.collect()));
        done.tell();
        let heard: Vec<_> = heard.try_iter().collect();
        let bytes = std::fs::read(dir.join("index")).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(heard, [0, 1, 2, 3].map(|number| (number, Outcome::Done)));
        assert_eq!(bytes, b"aBcd\0f");
    }
}
