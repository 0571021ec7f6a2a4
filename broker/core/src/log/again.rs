//! Writes what a recovery accepted above the marks a second time, between the facts `resumed` and `ready`: a sync proves
//! nothing after one that failed, and the bytes that were found may never have been synced (#98, #101).
//! Decides order and grouping only. Until `ready` is durable every file that was there lies as it was (#97).

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::file::{FaultKind, FileName, FileOp, How, Outcome, Piece, RingKind, Side};
use crate::ids::Ticket;
use crate::log::checkpoint::Stamp;
use crate::log::checksum;
use crate::log::commit::{self, Chain, ENTRY_MAX, HEADER, Phase, Written, echo_room, start_of};
use crate::log::judge::{Cut, Judged};
use crate::log::recover::Whose;
use crate::log::recovered::{FoundFile, Progress, Recovered, RingHead};
use crate::log::scan::Found;
use crate::log::state::{BatchEntry, BatchKind, Entry, NodeFact, RingPoint, Spot};
use crate::log::told::{Broken, Ops};
use crate::map::{Map, Set};
use crate::proof;

/// Most bytes that one commit of a start takes, unless one commit that was found has more; less in small rings.
const GROUP: u64 = 4 << 20;

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Again {
    whose: Whose,
    judged: Judged,
    side: Side,
    stamp: Stamp,
    alone: bool,
    files: Vec<FoundFile>,
    waiting: Map<Ticket, Wait>,
    step: Step,
    /// What the first commit says of ends that rot took, and of starts that only an echo told of.
    losses: Vec<Entry>,
    /// Commits still to be written again, the next group last.
    groups: Vec<Vec<Found>>,
    first: bool,
    chain: Chain,
    durable: FoundFile,
    fast: Option<FoundFile>,
    used: u32,
    point: RingPoint,
    /// What the start has written, at its places.
    written: Vec<Entry>,
    /// Given up to make room for the fresh files.
    ballast: Ballast,
    /// Rings whose file was asked for again since.
    retried: Set<RingKind>,
}

/// The checkpoint that the start goes on from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newest {
    pub(crate) side: Side,
    pub(crate) stamp: Stamp,
    /// Whether the other one is damaged or missing.
    pub(crate) alone: bool,
}

/// What is known of the reserve while a start needs room.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Ballast {
    /// Nobody has needed it.
    There,
    /// Being given up; these rings wait for that.
    Going(Vec<RingKind>),
    /// Given up.
    Gone,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// The folder for torn bytes.
    AsideDir,
    /// Torn bytes are copied there.
    Aside,
    /// The copies' names are made durable.
    AsideSync,
    /// Fresh ring files are pre-written.
    Alloc,
    /// They and their names are made durable.
    Fresh,
    /// The bytes of one group are read.
    Gather,
    /// Its commit is written.
    Commit,
}

/// What a ticket is for.
#[derive(Clone, Debug)]
enum Wait {
    Plain,
    /// Bytes of a cut, to be put into this file.
    Torn(FileName),
    /// The batches of a found commit, by its index in the group.
    Batches(usize),
    Alloc(RingKind),
    /// The ballast is gone: now there may be room for the files that found none.
    Ballast,
}

impl Again {
    pub(crate) fn new(
        whose: Whose,
        mut judged: Judged,
        Newest { side, stamp, alone }: Newest,
        files: Vec<FoundFile>,
    ) -> Again {
        if proof::mutant("recovered-tail-only-synced") {
            // The bug: what was found is believed where it lies.
            let found = core::mem::take(&mut judged.again);
            judged.kept.extend(
                found
                    .iter()
                    .flat_map(|found| found.head.entries.iter().copied()),
            );
            judged.durable.point = judged.durable.accepted;
            judged.fast.point = judged.fast.accepted;
        }
        let groups = groups(
            &judged.again,
            GROUP.min(u64::from(whose.sizes.ring_file / 16)),
        );
        let fresh = |kind: RingKind, len: u32| {
            let of_kind = files.iter().filter(|file| file.kind == kind);
            let sequence = of_kind
                .map(|file| file.sequence)
                .max()
                .unwrap_or(0)
                .max(judged.fold.point(kind).file)
                + 1;
            FoundFile {
                kind,
                sequence,
                len,
            }
        };
        let losses = judged.losses();
        let starts = starts(&judged, &losses);
        let needed = room(&groups, losses.len(), starts);
        let mut first = whose.sizes.first_file.max(needed);
        if first == whose.sizes.ring_file && first != whose.sizes.first_file {
            // By its size a start's file is known from those that are filled in turn.
            first += commit::step(RingKind::Durable);
        }
        let durable = fresh(RingKind::Durable, first);
        let has_fast =
            files.iter().any(|file| file.kind == RingKind::Fast) || judged.fast.point.commit > 0;
        let fast = has_fast.then(|| fresh(RingKind::Fast, whose.sizes.first_file));
        let end = judged.durable;
        let mut chain = Chain::new(
            RingKind::Durable,
            whose.shard,
            stamp.secret,
            end.point,
            end.next,
        );
        chain.remember(&judged.kept);
        Again {
            whose,
            side,
            stamp,
            alone,
            files,
            waiting: Map::new(),
            step: Step::AsideDir,
            losses,
            groups,
            first: true,
            chain,
            durable,
            fast,
            used: 0,
            point: end.point,
            written: Vec::new(),
            ballast: Ballast::There,
            retried: Set::new(),
            judged,
        }
    }

    pub(crate) fn begin(&mut self, ops: &mut Ops) {
        if self.judged.cuts.is_empty() {
            self.alloc(ops);
        } else {
            self.ask(FileOp::MakeDir(FileName::named("aside")), Wait::Plain, ops);
        }
    }

    fn ask(&mut self, op: FileOp, wait: Wait, ops: &mut Ops) {
        let ticket = ops.ask(op);
        self.waiting.insert(ticket, wait);
    }

    pub(crate) fn done(&mut self, ticket: Ticket, outcome: Outcome, ops: &mut Ops) -> Progress {
        let Some(wait) = self.waiting.remove(&ticket) else {
            return Progress::More;
        };
        let bytes = match outcome {
            Outcome::Failed(fault) => match wait {
                Wait::Alloc(kind) if fault.kind == FaultKind::Full => {
                    return self.no_room(kind, ops);
                }
                // What cannot be read cannot be kept, and a full disk keeps nothing aside: the start goes on without.
                Wait::Torn(_) => Bytes::new(),
                _ if fault.kind == FaultKind::Full && self.keeping_aside() => Bytes::new(),
                _ => return broken(fault.text),
            },
            Outcome::Bytes(bytes) => bytes,
            Outcome::Done | Outcome::Listing(_) => Bytes::new(),
        };
        match wait {
            Wait::Torn(file) if !bytes.is_empty() => {
                let op = FileOp::Put {
                    file,
                    at: 0,
                    pieces: Vec::from([Piece::Bytes(bytes)]),
                    how: How::Durable,
                };
                self.ask(op, Wait::Plain, ops);
            }
            Wait::Batches(i) => {
                if let Err(why) = self.gathered(i, &bytes) {
                    return broken(why);
                }
            }
            Wait::Ballast => {
                if let Ballast::Going(rings) = core::mem::replace(&mut self.ballast, Ballast::Gone)
                {
                    for kind in rings {
                        self.alloc_one(self.fresh_of(kind), ops);
                    }
                }
            }
            Wait::Plain | Wait::Torn(_) | Wait::Alloc(_) => {}
        }
        if self.waiting.is_empty() {
            self.next(ops)
        } else {
            Progress::More
        }
    }

    /// Everything that a step asked for is done.
    fn next(&mut self, ops: &mut Ops) -> Progress {
        match self.step {
            Step::AsideDir => {
                self.step = Step::Aside;
                for cut in core::mem::take(&mut self.judged.cuts) {
                    let file = FileName::Ring {
                        kind: cut.kind,
                        shard: self.whose.shard,
                        sequence: cut.file,
                    };
                    let op = FileOp::Read {
                        file,
                        at: u64::from(cut.at),
                        len: cut.len,
                    };
                    self.ask(op, Wait::Torn(self.aside(&cut)), ops);
                }
            }
            Step::Aside => {
                self.step = Step::AsideSync;
                self.ask(FileOp::SyncDir(FileName::named("aside")), Wait::Plain, ops);
                self.ask(FileOp::SyncDir(FileName::named("")), Wait::Plain, ops);
            }
            Step::AsideSync => self.alloc(ops),
            Step::Alloc => {
                self.step = Step::Fresh;
                for file in self.fresh() {
                    self.ask(FileOp::Sync(file), Wait::Plain, ops);
                }
                self.ask(FileOp::SyncDir(FileName::named("commit")), Wait::Plain, ops);
            }
            Step::Fresh => self.gather(ops),
            Step::Gather => self.commit(ops),
            Step::Commit if self.groups.is_empty() => return self.up(),
            Step::Commit => {
                proof::sometimes("start-of-several-commits");
                self.gather(ops);
            }
        }
        Progress::More
    }

    fn keeping_aside(&self) -> bool {
        matches!(self.step, Step::AsideDir | Step::Aside | Step::AsideSync)
    }

    fn aside(&self, cut: &Cut) -> FileName {
        let ring = match cut.kind {
            RingKind::Durable => "durable",
            RingKind::Fast => "fast",
        };
        FileName::named(&format!(
            "aside/{}-{ring}-{:020}-{:010}",
            self.whose.shard, cut.file, cut.at
        ))
    }

    fn fresh(&self) -> Vec<FileName> {
        let name = |file: &FoundFile| FileName::Ring {
            kind: file.kind,
            shard: self.whose.shard,
            sequence: file.sequence,
        };
        core::iter::once(name(&self.durable))
            .chain(self.fast.as_ref().map(name))
            .collect()
    }

    fn alloc(&mut self, ops: &mut Ops) {
        self.step = Step::Alloc;
        for file in core::iter::once(self.durable).chain(self.fast) {
            self.alloc_one(file, ops);
        }
    }

    fn fresh_of(&self, kind: RingKind) -> FoundFile {
        match kind {
            RingKind::Durable => self.durable,
            RingKind::Fast => self.fast.unwrap_or(self.durable),
        }
    }

    fn alloc_one(&mut self, file: FoundFile, ops: &mut Ops) {
        let name = FileName::Ring {
            kind: file.kind,
            shard: self.whose.shard,
            sequence: file.sequence,
        };
        self.ask(
            FileOp::Alloc {
                file: name,
                len: u64::from(file.len),
            },
            Wait::Alloc(file.kind),
            ops,
        );
    }

    /// The disk is full: the ballast is there for that (#105).
    fn no_room(&mut self, kind: RingKind, ops: &mut Ops) -> Progress {
        // Both files are asked for at once, so the second may fail while the first has the ballast given up for it.
        if !self.retried.insert(kind) {
            return Progress::Broken(Broken {
                what: String::from("the node cannot start"),
                why: format!(
                    "the file system is full: a file of {} bytes for the commit log finds no room",
                    self.durable.len
                ),
                attempt: String::from("Free some space; nothing of what is stored was touched."),
            });
        }
        proof::sometimes("start-on-a-full-disk");
        match &mut self.ballast {
            Ballast::There => {
                self.ballast = Ballast::Going(Vec::from([kind]));
                let op = FileOp::Unlink(FileName::named("ballast"));
                self.ask(op, Wait::Ballast, ops);
            }
            Ballast::Going(rings) => rings.push(kind),
            Ballast::Gone => self.alloc_one(self.fresh_of(kind), ops),
        }
        Progress::More
    }

    /// Reads the batches of the next group.
    fn gather(&mut self, ops: &mut Ops) {
        self.step = Step::Gather;
        let mut reads = Vec::new();
        for (i, found) in self.groups.last().into_iter().flatten().enumerate() {
            let head = &found.head.header;
            if head.total > head.head {
                let file = FileName::Ring {
                    kind: head.kind,
                    shard: self.whose.shard,
                    sequence: found.file,
                };
                let at = u64::from(found.at) + u64::from(head.head);
                reads.push((
                    FileOp::Read {
                        file,
                        at,
                        len: head.total - head.head,
                    },
                    i,
                ));
            }
        }
        if reads.is_empty() {
            self.commit(ops);
        }
        for (op, i) in reads {
            self.ask(op, Wait::Batches(i), ops);
        }
    }

    /// The batches of one found commit are here, and must still be what was judged.
    fn gathered(&mut self, i: usize, bytes: &Bytes) -> Result<(), String> {
        let Some(found) = self.groups.last_mut().and_then(|group| group.get_mut(i)) else {
            return Ok(());
        };
        let begin = found.at + found.head.header.head;
        for entry in &found.head.entries {
            let Entry::Batch(entry) = entry else { continue };
            if entry.home.is_some() {
                continue;
            }
            let at = (entry.batch.spot.at - begin) as usize;
            let stored = bytes
                .get(at..at + entry.batch.len as usize)
                .unwrap_or_default();
            if checksum::over(checksum::seed(entry.log), stored) != entry.batch.checksum {
                return Err(format!(
                    "ring file {} changed between reading and writing again",
                    found.file
                ));
            }
        }
        found.bytes = bytes.clone();
        Ok(())
    }

    /// Writes one commit: the first says `resumed`, the last says `ready`.
    fn commit(&mut self, ops: &mut Ops) {
        self.step = Step::Commit;
        let group = self.groups.pop().unwrap_or_default();
        let mut entries = Vec::new();
        let mut pieces = Vec::new();
        if core::mem::replace(&mut self.first, false) {
            let resumed = |kind, point, next| Entry::Node(NodeFact::Resumed { kind, point, next });
            let (durable, fast) = (self.judged.durable, self.judged.fast);
            entries.push(resumed(RingKind::Durable, durable.point, durable.next));
            entries.push(resumed(RingKind::Fast, fast.point, fast.next));
            entries.append(&mut self.losses);
        }
        for found in &group {
            let begin = found.at + found.head.header.head;
            for entry in &found.head.entries {
                match entry {
                    // The original of a copy lies where it lay: its file waits for the copy to be durable.
                    Entry::Batch(entry) if entry.kind == BatchKind::Moved => {}
                    // Its bytes were durable before anything named them: only the naming is done again.
                    Entry::Batch(entry) if entry.home.is_some() => {
                        proof::sometimes("direct-batch-named-again");
                        entries.push(Entry::Batch(BatchEntry {
                            kind: BatchKind::Again,
                            ..*entry
                        }));
                    }
                    Entry::Batch(entry) => {
                        let at = (entry.batch.spot.at - begin) as usize;
                        pieces.push(Piece::Bytes(
                            found.bytes.slice(at..at + entry.batch.len as usize),
                        ));
                        let mut entry = *entry;
                        entry.kind = BatchKind::Again;
                        entries.push(Entry::Batch(entry));
                    }
                    Entry::Fact(..) | Entry::Node(NodeFact::Lost(..)) => entries.push(*entry),
                    Entry::Node(_) => {}
                }
            }
        }
        if self.groups.is_empty() {
            entries.push(Entry::Node(NodeFact::Ready));
        }
        self.put(entries, pieces, ops);
    }

    fn put(&mut self, mut entries: Vec<Entry>, batches: Vec<Piece>, ops: &mut Ops) {
        let file = self.durable.sequence;
        let mut at = self.used + u32::try_from(self.chain.head_len(&entries)).unwrap_or(u32::MAX);
        for entry in &mut entries {
            if let Entry::Batch(entry) = entry
                && entry.home.is_none()
            {
                entry.batch.spot = Spot {
                    kind: RingKind::Durable,
                    file,
                    at,
                };
                at += entry.batch.len;
            }
        }
        let written = Written {
            file,
            boot: self.whose.boot,
            mark: self.point.commit,
            phase: Phase::Start,
        };
        let sealed = self.chain.seal(written, &entries);
        let padded = commit::padded(RingKind::Durable, sealed.total);
        assert!(
            padded <= self.durable.len - self.used,
            "#96: a start's file has room for all that it writes"
        );
        let mut pieces = Vec::from([Piece::Bytes(sealed.head)]);
        pieces.extend(batches);
        pieces.push(Piece::Zeros((padded - sealed.total) as usize));
        let name = FileName::Ring {
            kind: RingKind::Durable,
            shard: self.whose.shard,
            sequence: file,
        };
        let op = FileOp::Put {
            file: name,
            at: u64::from(self.used),
            pieces,
            how: How::Durable,
        };
        self.ask(op, Wait::Plain, ops);
        self.used += padded;
        self.point = RingPoint {
            commit: sealed.sequence,
            hash: sealed.hash,
            file,
            at: self.used,
        };
        self.written.extend(entries);
    }

    fn up(&mut self) -> Progress {
        let mut fold = self.judged.with(core::mem::take(&mut self.written));
        fold.durable = self.point;
        let head = |file: &FoundFile, chain: Chain, used: u32, last: u64| RingHead {
            chain,
            file: file.sequence,
            len: file.len,
            used,
            last,
        };
        let durable = head(
            &self.durable,
            self.chain.clone(),
            self.used,
            self.point.commit,
        );
        let end = self.judged.fast;
        let fast = self.fast.as_ref().map(|file| {
            // Numbers up to here are void or folded: the next checkpoint begins behind them.
            fold.fast = RingPoint {
                commit: end.next - 1,
                hash: end.point.hash,
                file: file.sequence,
                at: 0,
            };
            let mut chain = Chain::new(
                RingKind::Fast,
                self.whose.shard,
                self.stamp.secret,
                fold.fast,
                end.next,
            );
            chain.remember(&self.judged.kept);
            head(file, chain, 0, end.next - 1)
        });
        let mut files = core::mem::take(&mut self.files);
        files.push(self.durable);
        files.extend(self.fast);
        let offline = core::mem::take(&mut self.judged.offline);
        Progress::Up(Box::new(Recovered {
            fold,
            durable,
            fast,
            files,
            secret: self.stamp.secret,
            side: other(self.side),
            number: self.stamp.number,
            alone: self.alone,
            wall: self.stamp.wall,
            offline: offline.into_iter().collect(),
            foreign: Vec::new(),
        }))
    }
}

/// How many starts are among what this start echoes and says.
fn starts(judged: &Judged, losses: &[Entry]) -> usize {
    let again = judged.again.iter().flat_map(|found| &found.head.entries);
    let all = judged.kept.iter().chain(losses).chain(again);
    all.filter(|entry| start_of(entry).is_some()).count()
}

fn other(side: Side) -> Side {
    match side {
        Side::A => Side::B,
        Side::B => Side::A,
    }
}

fn broken(why: String) -> Progress {
    Progress::Broken(Broken {
        what: String::from("what was recovered could not be written again"),
        why,
        attempt: String::from(
            "Look at the disk and start again: nothing of what was stored has changed.",
        ),
    })
}

/// The found commits in groups that become one commit each, the first group last.
fn groups(again: &[Found], most: u64) -> Vec<Vec<Found>> {
    let mut groups: Vec<Vec<Found>> = Vec::new();
    let mut bytes = 0;
    for found in again {
        let len = u64::from(found.head.header.total);
        if groups.is_empty() || bytes + len > most {
            groups.push(Vec::new());
            bytes = 0;
        }
        bytes += len;
        if let Some(group) = groups.last_mut() {
            group.push(found.clone());
        }
    }
    groups.reverse();
    groups
}

/// How many bytes these groups and so many entries about what rot took need at most, as commits of the durable ring.
fn room(groups: &[Vec<Found>], losses: usize, starts: usize) -> u32 {
    let echoes = echo_room(starts);
    let step = u64::from(commit::step(RingKind::Durable));
    let first = match losses {
        0 => 0,
        _ => (HEADER + echoes + (4 + losses) * ENTRY_MAX) as u64,
    };
    let first = first.next_multiple_of(step);
    let one = |group: &Vec<Found>| {
        let found: u64 = group
            .iter()
            .map(|found| u64::from(found.head.header.total))
            .sum();
        let head = HEADER + echoes + 4 * ENTRY_MAX;
        (found + head as u64).next_multiple_of(step)
    };
    u32::try_from(first + groups.iter().map(one).sum::<u64>()).unwrap_or(u32::MAX)
}
