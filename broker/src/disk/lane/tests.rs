//! Drawn histories of one lane on real files: commits in line and through threads, short and long, of both rings, that
//! complete late; files that are synced, recycled and removed; spills; reads. After each step everything that the tail
//! gives for what was written is compared with a model, and in the end the files are too (#7).

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use sawlog_core::file::Stamp;
use sawlog_core::ids::{LeaderEpoch, Offset, ShardId};

use super::super::buffer::{PAGE, Pool, stamp_batch};
use super::*;

const RING_FILE: u64 = 1 << 20;
/// A ring has at most so many files, and at most so many commits are on their way, as in the core.
const FILES_MAX: usize = 3;
const IN_FLIGHT: usize = 2;

/// Splitmix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn index(&mut self, n: usize) -> usize {
        self.below(n as u64) as usize
    }

    fn bytes(&mut self, n: usize) -> Vec<u8> {
        // Never a zero: zeros are what a gap is made of.
        (0..n).map(|_| self.next() as u8 | 1).collect()
    }
}

/// What the test knows of a file: its bytes as all operations that were asked for leave them, and the commits in it.
#[derive(Default)]
struct Model {
    bytes: Vec<u8>,
    commits: Vec<Range<u64>>,
}

impl Model {
    fn put(&mut self, at: u64, bytes: &[u8]) {
        let range = at as usize..at as usize + bytes.len();
        if self.bytes.len() < range.end {
            self.bytes.resize(range.end, 0);
        }
        self.bytes[range].copy_from_slice(bytes);
    }

    fn slice(&self, range: &Range<u64>) -> &[u8] {
        &self.bytes[range.start as usize..range.end as usize]
    }
}

/// One ring as the core sees it.
struct Ring {
    kind: RingKind,
    /// Oldest first; the last one is written to.
    files: Vec<u64>,
    next: u64,
    /// Where the next commit goes.
    at: u64,
    /// Its disk is slow just now: all commits go through the thread.
    slow: bool,
}

impl Ring {
    fn name(&self, sequence: u64) -> FileName {
        FileName::Ring {
            kind: self.kind,
            shard: ShardId(0),
            sequence,
        }
    }
}

struct Rig {
    seed: u64,
    chance: Chance,
    root: PathBuf,
    lane: Lane,
    arrivals: mpsc::Receiver<Back>,
    /// Came back from a thread; the lane was not told yet.
    came: BTreeMap<Ticket, (Outcome, Landed)>,
    /// Not done as far as the core knows, and what a read must bring.
    asked: BTreeMap<Ticket, (FileOp, Vec<u8>)>,
    ticket: u64,
    rings: [Ring; 2],
    models: BTreeMap<FileName, Model>,
    /// Handed out earlier: must never change.
    held: Vec<(Bytes, Vec<u8>)>,
    segment: u64,
    /// Readers look at what was written last only, and nothing is spilled: the tail may keep its least.
    near: bool,
    least: u64,
    /// What must not be missing from a test that proves anything (#144).
    seen: Seen,
}

#[derive(Default, Debug)]
struct Seen {
    in_line: u64,
    threaded: u64,
    recycled: u64,
    remembered: u64,
    forgotten: u64,
    reads: u64,
    /// Steps in which no more than the least was kept although the budget is larger, and in which more was.
    at_least: u64,
    beyond: u64,
}

impl Rig {
    fn new(seed: u64) -> Rig {
        let mut chance = Chance(seed);
        static MADE: AtomicU64 = AtomicU64::new(0);
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("sawlog-lane-{}-{made}", std::process::id());
        let root = std::env::temp_dir().join(name);
        std::fs::create_dir_all(root.join("commit")).unwrap();
        std::fs::create_dir_all(root.join("t-0")).unwrap();
        let pool = Pool::new([0, 1 << 20][chance.index(2)]);
        let files = Arc::new(Files::open(&root, pool).unwrap());
        let (post, arrivals) = mpsc::channel();
        let post = Mutex::new(post);
        // A thread may outlive the test.
        let inbox = Arc::new(move |back| drop(post.lock().unwrap().send(back)));
        let near = chance.below(2) == 0;
        let (cache, least) = if near {
            // Some windows, each of which may hold few bytes.
            (64 << 20, 2 << 20)
        } else {
            let cache = [0, 300 << 10, 1 << 20, 64 << 20][chance.index(4)];
            (cache, [64 << 10, 16 << 20][chance.index(2)])
        };
        let mut lane = Lane::new(files, cache, inbox);
        lane.tail = tail_of(cache, least, &lane);
        let ring = |kind| Ring {
            kind,
            files: Vec::new(),
            next: 1,
            at: 0,
            slow: false,
        };
        let mut rig = Rig {
            seed,
            chance,
            root,
            lane,
            arrivals,
            came: BTreeMap::new(),
            asked: BTreeMap::new(),
            ticket: 0,
            rings: [RingKind::Durable, RingKind::Fast].map(ring),
            models: BTreeMap::new(),
            held: Vec::new(),
            segment: 0,
            near,
            least,
            seen: Seen::default(),
        };
        rig.turn_over(0);
        rig.turn_over(1);
        rig
    }

    /// Asks the lane for something, as the core does; the model has it at once.
    fn ask(&mut self, op: FileOp) {
        self.ticket += 1;
        let ticket = Ticket(self.ticket);
        let mut wanted = Vec::new();
        match &op {
            FileOp::Alloc { file, len } => {
                let model = self.models.entry(file.clone()).or_default();
                model.bytes = vec![0; *len as usize];
            }
            FileOp::Put {
                file,
                at,
                pieces,
                how,
            } => {
                let mut bytes = flat(pieces);
                let end = at + bytes.len() as u64;
                let block = end / PAGE as u64 * PAGE as u64;
                if super::ring(&op).is_some() && *how == How::Cached && block >= *at {
                    // The rest of a block that is begun is zeroed with it.
                    let rest = end.next_multiple_of(PAGE as u64) - end;
                    bytes.resize(bytes.len() + rest as usize, 0);
                }
                let model = self.models.entry(file.clone()).or_default();
                model.put(*at, &bytes);
            }
            FileOp::Cut { file, len } => {
                let model = self.models.entry(file.clone()).or_default();
                model.bytes.resize(*len as usize, 0);
            }
            FileOp::Rename { from, to } => {
                let mut model = self.models.remove(from).unwrap_or_default();
                model.commits.clear();
                self.models.insert(to.clone(), model);
            }
            FileOp::Unlink(file) => {
                self.models.remove(file);
            }
            FileOp::Read { file, at, len } => {
                let model = &self.models[file].bytes;
                let to = model.len().min(*at as usize + *len as usize);
                wanted = model[*at as usize..to].to_vec();
            }
            _ => {}
        }
        let outcome = self.lane.submit(ticket, op.clone());
        self.seen.in_line += u64::from(outcome.is_some() && matches!(op, FileOp::Put { .. }));
        self.seen.threaded += u64::from(outcome.is_none() && super::ring(&op).is_some());
        self.asked.insert(ticket, (op, wanted));
        if let Some(outcome) = outcome {
            self.done(ticket, outcome);
        }
    }

    fn done(&mut self, ticket: Ticket, outcome: Outcome) {
        let (op, wanted) = self.asked.remove(&ticket).unwrap();
        match (op, outcome) {
            (FileOp::Read { file, at, .. }, Outcome::Bytes(bytes)) => {
                assert!(
                    bytes[..] == wanted[..],
                    "seed {}: #7: a read of {file} at {at} brought other bytes",
                    self.seed
                );
                self.seen.reads += 1;
                self.hold(bytes);
            }
            (
                FileOp::Put {
                    file, at, pieces, ..
                },
                Outcome::Done,
            ) => {
                let len: usize = pieces.iter().map(Piece::len).sum();
                let model = self.models.get_mut(&file);
                if let Some(model) = model.filter(|_| matches!(file, FileName::Ring { .. })) {
                    model.commits.push(at..at + len as u64);
                    model.commits.sort_by_key(|commit| commit.start);
                }
            }
            (_, Outcome::Done) => {}
            (op, outcome) => panic!("seed {}: {op:?} came to {outcome:?}", self.seed),
        }
    }

    fn hold(&mut self, bytes: Bytes) {
        let copy = bytes.to_vec();
        match self.held.len() {
            0..8 => self.held.push((bytes, copy)),
            n => {
                let at = self.chance.index(n);
                self.held[at] = (bytes, copy);
            }
        }
    }

    /// Waits until every thread has done what it was given. In which order the lane hears of it is drawn: how quick
    /// the threads are decides nothing.
    fn gather(&mut self) {
        while self.came.len() + self.lane.held.len() < self.asked.len() {
            match self.arrivals.recv_timeout(Duration::from_secs(60)) {
                Ok(Back::Done(ticket, outcome, landed)) => {
                    self.came.insert(ticket, (outcome, landed));
                }
                other => panic!("seed {}: {other:?}", self.seed),
            }
        }
    }

    /// The core hears of one completion.
    fn land(&mut self) {
        self.gather();
        let tickets: Vec<Ticket> = self.came.keys().copied().collect();
        let Some(ticket) = tickets.get(self.chance.index(tickets.len().max(1))) else {
            return;
        };
        let (outcome, landed) = self.came.remove(ticket).unwrap();
        self.lane.landed(landed);
        self.done(*ticket, outcome);
        self.gather();
    }

    fn settle(&mut self) {
        while !self.asked.is_empty() {
            self.land();
        }
    }

    fn busy(&self, file: &FileName) -> usize {
        let on = |(op, _): &&(FileOp, Vec<u8>)| names(op).contains(file);
        self.asked.values().filter(on).count()
    }

    /// A ring goes on in another file: a new one, or its oldest under a higher number.
    fn turn_over(&mut self, which: usize) {
        let ring = &mut self.rings[which];
        let to = ring.name(ring.next);
        ring.next += 1;
        ring.at = 0;
        if ring.files.len() < FILES_MAX {
            ring.files.push(ring.next - 1);
            return self.ask(FileOp::Alloc {
                file: to,
                len: RING_FILE,
            });
        }
        let oldest = ring.files.remove(0);
        let from = ring.name(oldest);
        ring.files.push(ring.next - 1);
        // Nobody may need what lies in it any more: neither a spill nor a commit that is not done.
        while self.busy(&from) > 0 {
            self.land();
        }
        self.seen.recycled += 1;
        self.ask(FileOp::Rename { from, to });
        if self.chance.below(4) == 0 && self.rings[which].files.len() > 1 {
            let ring = &mut self.rings[which];
            let oldest = ring.files.remove(0);
            let gone = ring.name(oldest);
            while self.busy(&gone) > 0 {
                self.land();
            }
            self.ask(FileOp::Unlink(gone));
        }
    }

    fn commit(&mut self) {
        // A durable commit waits for the disk: most are of the fast ring.
        let which = usize::from(self.chance.below(5) != 0);
        let kind = self.rings[which].kind;
        let long = self.chance.below(24) == 0;
        let mut pieces = Vec::new();
        for _ in 0..=self.chance.below(4) {
            let len = match (long, self.chance.below(8)) {
                (true, _) => 20_000 + self.chance.below(60_000),
                (false, 0) => 61 + self.chance.below(9_000),
                (false, _) => 61 + self.chance.below(300),
            };
            let bytes = Bytes::from(self.chance.bytes(len as usize));
            let stamp = Stamp {
                base: Offset(self.chance.next() as i64),
                epoch: LeaderEpoch(self.chance.next() as i32),
            };
            pieces.push(match self.chance.below(2) {
                0 => Piece::Bytes(bytes),
                _ => Piece::Batch(bytes, stamp),
            });
        }
        let len: usize = pieces.iter().map(Piece::len).sum();
        let step = [PAGE, 8][which];
        pieces.push(Piece::Zeros(len.next_multiple_of(step) - len));
        let len = len.next_multiple_of(step) as u64;
        if self.rings[which].at + len > RING_FILE {
            self.turn_over(which);
        }
        let ring = &mut self.rings[which];
        let file = ring.name(*ring.files.last().unwrap());
        let at = ring.at;
        ring.at += len;
        let slow = ring.slow;
        let put = |(op, _): &&(FileOp, Vec<u8>)| super::ring(op) == Some(kind);
        while self.asked.values().filter(put).count() >= IN_FLIGHT {
            self.land();
        }
        // What the last writes took would be the machine's business: the seed says it.
        self.lane.pace(kind).average = if slow { SLOWEST } else { Duration::ZERO };
        let how = [How::Durable, How::Cached][which];
        self.ask(FileOp::Put {
            file,
            at,
            pieces,
            how,
        });
    }

    /// What was written of a file so far becomes durable; the next commit of the fast ring begins a block.
    fn sync(&mut self) {
        let ring = &mut self.rings[1];
        ring.at = ring.at.next_multiple_of(PAGE as u64);
        let file = ring.name(*ring.files.last().unwrap());
        self.ask(FileOp::Sync(file));
    }

    /// Takes commits that lie behind each other, as a spill does, and puts them into a segment.
    fn spill(&mut self) {
        let Some((file, range)) = self.range() else {
            return;
        };
        let len = range.end - range.start;
        self.ask(FileOp::Read {
            file,
            at: range.start,
            len: len as u32,
        });
        let segment = FileName::Segment {
            dir: "t-0".into(),
            base: Offset(self.segment as i64),
        };
        let end = self
            .models
            .get(&segment)
            .map_or(0, |model| model.bytes.len()) as u64;
        match self.chance.below(8) {
            0 => self.segment += 1,
            1 if end > 0 => self.ask(FileOp::Cut {
                file: segment,
                len: self.chance.0 % end,
            }),
            2 if end > 0 => self.ask(FileOp::Sync(segment)),
            3 if end > 0 => self.ask(FileOp::Read {
                file: segment,
                at: 0,
                len: 1 << 20,
            }),
            // The last block is written again, with what follows it.
            _ => {
                let at = end / PAGE as u64 * PAGE as u64;
                let len = 1 + self.chance.index(20_000);
                let pieces = vec![Piece::Bytes(self.chance.bytes(len).into())];
                let how = [How::Bulk, How::Cached][self.chance.index(2)];
                self.ask(FileOp::Put {
                    file: segment,
                    at,
                    pieces,
                    how,
                });
            }
        }
    }

    /// From the head of one commit to the end of another in the same file, all done between the two.
    fn range(&mut self) -> Option<(FileName, Range<u64>)> {
        let full: Vec<&FileName> = self
            .models
            .iter()
            .filter(|(_, model)| !model.commits.is_empty())
            .map(|(file, _)| file)
            .collect();
        let file = (*full.get(self.chance.index(full.len().max(1)))?).clone();
        let model = &self.models[&file];
        let from = self.chance.index(model.commits.len());
        let to = from + self.chance.index((model.commits.len() - from).min(12));
        let range = model.commits[from].start..model.commits[to].end;
        whole(&model.commits[from..=to]).then_some((file, range))
    }

    /// Compares what the tail gives with the model: every run of the last commits of each file, and some others.
    fn compare(&mut self) {
        let mut ranges = Vec::new();
        let current = self.rings.each_ref();
        let current = current.map(|ring| ring.name(ring.next - 1));
        for (file, model) in &self.models {
            if self.near && !current.contains(file) {
                continue;
            }
            let last = if self.near { 1 } else { 6 };
            let last = model.commits.len().saturating_sub(last);
            let commits = &model.commits[last..];
            for from in 0..commits.len() {
                for to in from..commits.len() {
                    if whole(&commits[from..=to]) {
                        ranges.push((file.clone(), commits[from].start..commits[to].end));
                    }
                }
            }
        }
        for _ in 0..if self.near { 0 } else { 4 } {
            if let Some((file, range)) = self.range() {
                // Somewhere within, too: batches begin behind the head of their commit.
                let len = range.end - range.start;
                let from = range.start + self.chance.below(len);
                let to = from + 1 + self.chance.below(range.end - from);
                ranges.extend([(file.clone(), range), (file, from..to)]);
            }
        }
        for (file, range) in ranges {
            let len = range.end - range.start;
            let Some(found) = self.lane.tail.get(&file, range.start, len) else {
                self.seen.forgotten += 1;
                continue;
            };
            self.seen.remembered += 1;
            assert!(
                found[..] == *self.models[&file].slice(&range),
                "seed {}: #7: the tail has other bytes for {file} {range:?}",
                self.seed
            );
            if self.chance.below(64) == 0 {
                self.hold(found);
            }
        }
    }

    /// Compares the files themselves.
    fn compare_files(&mut self) {
        self.settle();
        for (file, model) in &self.models {
            let on_disk = std::fs::read(self.root.join(file.to_string())).unwrap();
            assert!(
                on_disk.len() == model.bytes.len(),
                "seed {}: {file} has {} bytes",
                self.seed,
                on_disk.len()
            );
            let differs = on_disk.iter().zip(&model.bytes).position(|(a, b)| a != b);
            assert!(
                differs.is_none(),
                "seed {}: {file} has another byte at {differs:?}",
                self.seed
            );
        }
        for (bytes, copy) in &self.held {
            assert!(bytes[..] == copy[..], "seed {}: bytes changed", self.seed);
        }
    }

    fn step(&mut self) {
        match self.chance.below(100) {
            0..60 => self.commit(),
            60..80 => self.land(),
            80..88 if self.near => self.land(),
            80..88 => self.spill(),
            88..91 => self.sync(),
            91..96 => {
                let ring = &mut self.rings[self.chance.index(2)];
                ring.slow = !ring.slow;
            }
            96..98 => {
                let which = self.chance.index(2);
                self.turn_over(which);
            }
            _ => self.settle(),
        }
        self.compare();
        let (room, held) = (self.lane.tail.room(), self.lane.tail.held());
        self.seen.at_least += u64::from(room == self.least && held > self.least / 2);
        self.seen.beyond += u64::from(room > self.least);
    }
}

/// A tail that keeps no more of the rings than of all else.
fn tail_of(budget: u64, all: u64, lane: &Lane) -> Tail {
    Tail::new(budget, Least { all, rings: 0 }, lane.files.pool())
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

fn flat(pieces: &[Piece]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(piece) => bytes.extend_from_slice(piece),
            Piece::Zeros(n) => bytes.resize(bytes.len() + n, 0),
            Piece::Batch(piece, stamp) => {
                let at = bytes.len();
                bytes.extend_from_slice(piece);
                stamp_batch(&mut bytes[at..], *stamp);
            }
        }
    }
    bytes
}

/// Whether commits follow each other, but for what is left of a block behind a sync.
fn whole(commits: &[Range<u64>]) -> bool {
    let follows = |pair: &[Range<u64>]| {
        let block = pair[0].end.next_multiple_of(PAGE as u64);
        pair[1].start == pair[0].end || pair[1].start == block
    };
    commits.windows(2).all(follows)
}

fn histories(seeds: Range<u64>, steps: u32) {
    let mut seen = Seen::default();
    for seed in seeds {
        let mut rig = Rig::new(seed);
        for _ in 0..steps {
            rig.step();
        }
        rig.compare_files();
        let own = std::mem::take(&mut rig.seen);
        seen.in_line += own.in_line;
        seen.threaded += own.threaded;
        seen.recycled += own.recycled;
        seen.remembered += own.remembered;
        seen.forgotten += own.forgotten;
        seen.reads += own.reads;
        seen.at_least += own.at_least;
        seen.beyond += own.beyond;
    }
    let least = u64::from(steps);
    for (what, n) in [
        ("commits in line", seen.in_line),
        ("commits by a thread", seen.threaded),
        ("reads", seen.reads),
        ("ranges in memory", seen.remembered),
        ("ranges not in memory", seen.forgotten),
        ("files recycled", seen.recycled * 8),
        ("steps with the least kept", seen.at_least),
        ("steps with more than the least kept", seen.beyond),
    ] {
        assert!(n >= least, "#144: {what}: {seen:?}");
    }
}

#[test]
fn whatever_is_read_from_memory_lies_in_the_file_7() {
    histories(0..48, 200);
}

#[cfg(feature = "mutants")]
#[test]
fn a_window_that_goes_on_behind_what_a_thread_wrote_is_caught_7() {
    use sawlog_core::proof;
    proof::choose(Some("window-over-a-gap"));
    // Seen only where the tail forgets what the thread wrote before the window.
    let told = std::panic::catch_unwind(|| histories(0..1000, 200));
    let fired = proof::fired();
    proof::choose(None);
    assert!(fired > 0, "it never had its way");
    let told = told.expect_err("it was not noticed");
    let told = told.downcast::<String>().expect("an assertion");
    assert!(told.contains("the tail has other bytes"), "{told}");
}

#[test]
fn what_goes_straight_to_a_segment_is_remembered_as_it_lies_there_without_its_padding_7() {
    let mut rig = Rig::new(3);
    rig.settle();
    rig.lane.tail = tail_of(64 << 20, 16 << 20, &rig.lane);
    let dir: Arc<str> = "t-0".into();
    let base = Offset(77);
    let file = FileName::Segment { dir, base };
    let (mut model, mut lead) = (Vec::new(), Vec::new());
    for len in [(5 << 20) / 2 + 100, 70_000, 4096, 1, 1 << 20] {
        let bytes = rig.chance.bytes(len);
        let at = model.len() as u64 / PAGE as u64 * PAGE as u64;
        model.extend_from_slice(&bytes);
        let padding = model.len().next_multiple_of(PAGE) - model.len();
        let pieces = vec![
            Piece::Bytes(std::mem::take(&mut lead).into()),
            Piece::Bytes(bytes.into()),
            Piece::Zeros(padding),
        ];
        lead = model[model.len() / PAGE * PAGE..].to_vec();
        let op = FileOp::Put {
            file: file.clone(),
            at,
            pieces,
            how: How::Durable,
        };
        assert!(rig.lane.submit(Ticket(1 << 40), op).is_none());
        let Ok(Back::Done(_, Outcome::Done, landed)) = rig.arrivals.recv() else {
            panic!("it was not written")
        };
        rig.lane.landed(landed);
        let end = model.len() as u64;
        let stored = std::fs::read(rig.root.join(file.to_string())).unwrap();
        assert_eq!(stored[..model.len()], model, "#104");
        assert_eq!(stored.len(), model.len() + padding);
        assert_eq!(rig.lane.tail.get(&file, 0, end).unwrap(), model);
        if padding > 0 {
            assert_eq!(rig.lane.tail.get(&file, end - 1, 2), None, "#7");
        }
    }
    // Cut, then gone with its directory: the next file of that name has other bytes.
    let end = model.len() as u64;
    let cut = FileOp::Cut {
        file: file.clone(),
        len: end - 1,
    };
    assert!(rig.lane.submit(Ticket(1 << 40), cut).is_none());
    assert_eq!(rig.lane.tail.get(&file, end - 2, 1), None, "#7");
    assert!(rig.lane.tail.get(&file, 0, 1 << 20).is_some());
    let (from, to) = (FileName::named("t-0"), FileName::named("t-0.gone"));
    let rename = FileOp::Rename { from, to };
    rig.lane.submit(Ticket((1 << 40) + 1), rename);
    assert_eq!(rig.lane.tail.get(&file, 0, 1), None, "#7, #45");
}

/// A lane that writes one commit, fails to write the next, and writes a third: in line, or by a thread.
fn a_failed_commit_is_not_remembered(threaded: bool) {
    let mut rig = Rig::new(7);
    rig.settle();
    rig.lane.tail = tail_of(1 << 20, 1 << 20, &rig.lane);
    let file = rig.rings[1].name(99);
    let path = rig.root.join(file.to_string());
    let put = |rig: &mut Rig, at: u64, with: u8| {
        rig.lane.pace(RingKind::Fast).average = if threaded { SLOWEST } else { Duration::ZERO };
        let op = FileOp::Put {
            file: file.clone(),
            at,
            pieces: vec![Piece::Bytes(vec![with; 128].into())],
            how: How::Cached,
        };
        if let Some(outcome) = rig.lane.submit(Ticket(1 << 40), op) {
            assert!(!threaded);
            return outcome == Outcome::Done;
        }
        assert!(threaded);
        let Ok(Back::Done(_, outcome, landed)) = rig.arrivals.recv() else {
            panic!("nothing came")
        };
        rig.lane.landed(landed);
        outcome == Outcome::Done
    };
    let found = |rig: &Rig, at, len| rig.lane.tail.get(&file, at, len).map(|b| b.to_vec());
    assert!(put(&mut rig, 0, 1));
    // A directory of its name cannot be written to.
    let gone = rig.lane.files.run(&FileOp::Unlink(file.clone()));
    assert_eq!(gone.0, Outcome::Done);
    std::fs::create_dir(&path).unwrap();
    assert!(!put(&mut rig, 128, 2));
    std::fs::remove_dir(&path).unwrap();
    assert!(put(&mut rig, 256, 3));
    assert_eq!(found(&rig, 0, 128), Some(vec![1; 128]));
    assert_eq!(found(&rig, 128, 128), None, "#7");
    assert_eq!(found(&rig, 0, 384), None, "#7");
    assert_eq!(found(&rig, 256, 128), Some(vec![3; 128]));
}

#[test]
fn a_commit_that_failed_is_remembered_neither_in_line_nor_by_a_thread_7() {
    a_failed_commit_is_not_remembered(true);
    a_failed_commit_is_not_remembered(false);
}

#[cfg(feature = "mutants")]
#[test]
fn a_commit_that_failed_and_stays_in_its_window_is_caught_7() {
    use sawlog_core::proof;
    proof::choose(Some("failed-commit-remembered"));
    let told = std::panic::catch_unwind(|| a_failed_commit_is_not_remembered(false));
    let fired = proof::fired();
    proof::choose(None);
    assert!(fired > 0, "it never had its way");
    assert!(told.is_err(), "it was not noticed");
}

/// Whether the next write would run in line after each of these, in milliseconds.
fn in_line(took: &[f64]) -> Vec<bool> {
    let mut pace = Pace::default();
    let after = |took: &f64| {
        pace.note(Duration::from_secs_f64(took / 1000.0));
        pace.quick()
    };
    took.iter().map(after).collect()
}

#[test]
fn writes_run_in_line_while_they_are_quick_on_average() {
    let quick = [0.15].repeat(100);
    assert!(in_line(&quick).iter().all(|line| *line));
    // A fifth of them waits for a processor, or one for the disk.
    let some = [0.15, 0.15, 1.2, 0.15, 0.15].repeat(40);
    assert!(in_line(&some).iter().all(|line| *line));
    let hiccup = [&quick[..], &[2000.0], &quick[..]].concat();
    assert!(in_line(&hiccup).iter().all(|line| *line));
    // One in 25 that keeps everybody waiting is too many.
    let stalls = [&[0.15].repeat(24)[..], &[100.0]].concat().repeat(20);
    assert!(in_line(&stalls)[250..].iter().filter(|line| **line).count() < 100);
    // A slow disk is known after some writes, and so is its recovery.
    let slow = in_line(&[&[5.0].repeat(100)[..], &quick[..], &quick[..]].concat());
    assert!(slow[..5].iter().all(|line| *line) && !slow[8..100].contains(&true));
    assert!(!slow[110] && slow[299]);
    assert!(!in_line(&[0.5].repeat(200))[150..].contains(&true));
}

#[test]
fn short_writes_of_a_ring_say_how_its_next_one_runs_wherever_they_ran() {
    let mut rig = Rig::new(5);
    rig.settle();
    let put = |rig: &mut Rig, at: u64, len: usize| {
        let op = FileOp::Put {
            file: rig.rings[1].name(99),
            at,
            pieces: vec![Piece::Zeros(len)],
            how: How::Cached,
        };
        if rig.lane.submit(Ticket(1 << 40), op).is_some() {
            return true;
        }
        let Ok(Back::Done(_, Outcome::Done, landed)) = rig.arrivals.recv() else {
            panic!("it was not written")
        };
        rig.lane.landed(landed);
        false
    };
    let averages = |rig: &Rig| [0, 1].map(|ring| rig.lane.paces[ring].average);
    for pace in &mut rig.lane.paces {
        pace.average = SLOWEST;
    }
    assert!(!put(&mut rig, 0, 2 * INLINE_MAX));
    assert_eq!(averages(&rig), [SLOWEST; 2], "a long one says nothing");
    assert!(!put(&mut rig, 2 * INLINE_MAX as u64, 128));
    let [other, after] = averages(&rig);
    assert!(other == SLOWEST && after < SLOWEST);
    rig.lane.paces[1].average = QUICK;
    let (mut at, mut in_line) = (4 * INLINE_MAX as u64, 0);
    for _ in 0..100 {
        in_line += u32::from(put(&mut rig, at, 128));
        at += 128;
    }
    assert!(in_line > 0, "never in line again");
    assert!(averages(&rig)[0] == SLOWEST && averages(&rig)[1] != QUICK);
}

#[test]
fn what_the_spill_reads_is_no_reason_to_keep_more() {
    let mut rig = Rig::new(11);
    rig.settle();
    let page = PAGE as u64;
    let least = Least {
        all: 2 * page,
        rings: 40 * page,
    };
    rig.lane.tail = Tail::new(400 * page, least, rig.lane.files.pool());
    let file = rig.rings[0].name(99);
    for at in 0..30 {
        let mut buffer = rig.lane.files.pool().take(PAGE);
        buffer.push(&[7; PAGE]);
        rig.lane.tail.keep(&file, at * page, buffer.share());
        let read = FileOp::Read {
            file: file.clone(),
            at: at / 2 * page,
            len: 1,
        };
        let read = rig.lane.submit(Ticket(1 << 40), read);
        assert_eq!(read, Some(Outcome::Bytes(Bytes::from_static(&[7]))));
        assert_eq!(rig.lane.tail.room(), 2 * page);
    }
}
