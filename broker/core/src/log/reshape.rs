//! Brings a directory from one number of shards to another, before anybody is answered: shard 0 alone, at its start.
//! Decides which shard gets which log and in which order files change; what each old shard holds is judged as in any
//! start. Holds #97 and #102: until one marker is durable the old layout is untouched, behind it the new one is whole.
//!
//! ```text
//! judge every old shard -> (accept) -> for each new shard: fresh ring files with all that lies in rings only, as
//! `moved`, then both its checkpoints aside, as checkpoint.SHARD.a.next and .b.next -> sync -> marker `shards.next` ->
//! rename them, remove checkpoints and rings of shards that are no more -> remove the marker
//! ```
//! The new rings have a secret of their own, so that an old layout never reads their commits.

mod copies;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::file::{Entry as Listed, FileName, FileOp, How, Outcome, Piece, RingKind, Side};
use crate::ids::{ShardId, Ticket};
use crate::log::checkpoint::{self, Stamp};
use crate::log::commit::{self, Chain, Phase, RingSecret, Written};
use crate::log::hash;
use crate::log::judge::{self, Judged};
use crate::log::recover::{Recovery, Whose};
use crate::log::recovered::{FoundFile, Progress};
use crate::log::reshape::copies::{Copy, groups, in_rings, place, room};
use crate::log::state::{BatchEntry, BatchKind, Entry, Fold, RingPoint, Spot};
use crate::log::told::{Broken, Ops, Report};
use crate::map::{Map, Set};
use crate::proof;

/// Says that the checkpoints aside are whole and count.
pub(crate) const MARKER: &str = "shards.next";
const MARKER_ASIDE: &str = "shards.next.part";
const MAGIC: &[u8; 6] = b"SLsh\x01\0";

/// What one old shard held.
#[derive(Debug)]
struct Old {
    fold: Fold,
    stamp: Stamp,
    files: Vec<FoundFile>,
    next: [u64; 2],
}

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Reshape {
    whose: Whose,
    old_shards: u16,
    step: Step,
    waiting: Set<Ticket>,
    olds: Vec<Old>,
    reports: Vec<Report>,
    /// New shards still to be written, the next one last.
    left: Vec<New>,
    reads: Map<Ticket, usize>,
    gathered: Vec<Bytes>,
    /// The new number of shards, and names in `commit` and in the root, for the switch.
    root: Vec<Listed>,
    rings: Vec<Listed>,
}

#[derive(Debug)]
enum Step {
    Judging(Box<Recovery>),
    Judged,
    /// What an earlier change removed is gone for good.
    SyncRoot,
    /// A fresh ring file of the new shard is made.
    Alloc,
    Gather,
    Commit,
    Checkpoint,
    SyncAside,
    Marker,
    NameMarker,
    SyncMarker,
    ListRoot,
    ListRings,
    Rename,
    SyncRename,
    Remove,
    Unmark,
    SyncUnmark,
}

/// A new shard while it is written.
#[derive(Debug)]
struct New {
    shard: ShardId,
    fold: Fold,
    stamp: Stamp,
    chain: Chain,
    groups: VecDeque<Vec<Copy>>,
    file: u64,
    len: u32,
    used: u32,
}

impl Reshape {
    /// From `old_shards` to `whose.shards`.
    pub(crate) fn new(whose: Whose, old_shards: u16) -> Reshape {
        Reshape {
            whose,
            old_shards,
            step: Step::Judged,
            waiting: Set::new(),
            olds: Vec::new(),
            reports: Vec::new(),
            left: Vec::new(),
            reads: Map::new(),
            gathered: Vec::new(),
            root: Vec::new(),
            rings: Vec::new(),
        }
    }

    /// Begins to read the old layout.
    pub(crate) fn begin(&mut self, ops: &mut Ops) {
        proof::sometimes("number-of-shards-changed");
        self.judge_next(ops);
    }

    /// The marker is there: an earlier start has written everything, and it is switched now. That start may have died
    /// before the marker's name was durable: a power cut must not keep a name that is switched and lose the marker.
    pub(crate) fn resume(&mut self, ops: &mut Ops) {
        proof::sometimes("reshape-gone-on-with");
        if proof::mutant("marker-believed-unsynced") {
            return self.ask(Step::ListRoot, [FileOp::List(FileName::named(""))], ops);
        }
        self.ask(
            Step::SyncMarker,
            [FileOp::SyncDir(FileName::named(""))],
            ops,
        );
    }

    fn judge_next(&mut self, ops: &mut Ops) {
        let shard = ShardId(u16::try_from(self.olds.len()).unwrap_or(u16::MAX));
        let Whose {
            doubt, sizes, boot, ..
        } = self.whose;
        let mut reader = Box::new(Recovery::new(shard, self.old_shards, doubt, sizes, boot));
        reader.begin(ops);
        self.step = Step::Judging(reader);
    }

    fn ask(&mut self, step: Step, steps: impl IntoIterator<Item = FileOp>, ops: &mut Ops) {
        self.step = step;
        for op in steps {
            self.waiting.insert(ops.ask(op));
        }
    }

    /// An operation came back. `Up` is never said: when all is done the start begins anew, see [`Reshape::over`].
    pub(crate) fn done(&mut self, ticket: Ticket, outcome: Outcome, ops: &mut Ops) -> Progress {
        if let Step::Judging(reader) = &mut self.step {
            return match reader.done(ticket, outcome, ops) {
                Progress::Judged(report) => self.judged(report, ops),
                Progress::Fresh => broken(
                    "the node's shards do not fit together",
                    String::from("one was never laid out"),
                ),
                progress => progress,
            };
        }
        if !self.waiting.remove(&ticket) {
            return Progress::More;
        }
        match outcome {
            Outcome::Failed(fault) => match self.reads.remove(&ticket) {
                // What cannot be read keeps its place and its checksum: whoever reads it finds it rotten.
                Some(i) => self.gather(i, Bytes::new()),
                None => {
                    return broken(
                        "the log directory could not be brought to another number of shards",
                        fault.text,
                    );
                }
            },
            Outcome::Bytes(bytes) => {
                if let Some(i) = self.reads.remove(&ticket) {
                    self.gather(i, bytes);
                }
            }
            Outcome::Listing(entries) if matches!(self.step, Step::ListRoot) => self.root = entries,
            Outcome::Listing(entries) => self.rings = entries,
            Outcome::Done => {}
        }
        if self.waiting.is_empty() {
            self.next(ops);
        }
        Progress::More
    }

    /// Whether the new layout is in place: the start begins anew.
    pub(crate) fn over(&self) -> bool {
        matches!(self.step, Step::SyncUnmark) && self.waiting.is_empty()
    }

    fn judged(&mut self, report: Report, ops: &mut Ops) -> Progress {
        let step = core::mem::replace(&mut self.step, Step::Judged);
        let Step::Judging(reader) = step else {
            return Progress::More;
        };
        let Some((judged, stamp, files)) = reader.into_judged() else {
            return Progress::More;
        };
        let fold = whole(&judged);
        self.olds.push(Old {
            fold,
            stamp,
            files,
            next: [judged.durable.next, judged.fast.next],
        });
        self.reports.push(report);
        if self.olds.len() < usize::from(self.old_shards) {
            self.judge_next(ops);
            return Progress::More;
        }
        let reports = core::mem::take(&mut self.reports);
        let mut all = Report {
            reshaped: Some(self.old_shards),
            ..Report::default()
        };
        let clean = reports.iter().all(|report| report.clean.is_some());
        all.clean = reports
            .first()
            .and_then(|report| report.clean)
            .filter(|_| clean);
        for report in reports {
            all.logs += report.logs;
            all.commits += report.commits;
            all.bytes += report.bytes;
            all.warnings.extend(report.warnings);
            all.offline.extend(report.offline);
            all.doubt = all.doubt.or(report.doubt);
        }
        Progress::Judged(all)
    }

    /// Only now is anything changed.
    pub(crate) fn accept(&mut self, ops: &mut Ops) {
        let shards = self.whose.shards;
        self.left = (0..shards)
            .rev()
            .map(|shard| self.plan(ShardId(shard)))
            .collect();
        if proof::mutant("old-marker-comes-back") {
            return self.write_on(ops);
        }
        // The marker of an earlier change may be unlinked and not gone: it must not meet this one's checkpoints.
        self.ask(Step::SyncRoot, [FileOp::SyncDir(FileName::named(""))], ops);
    }

    /// What the new shard `shard` gets.
    fn plan(&self, shard: ShardId) -> New {
        let shards = self.whose.shards;
        let mut fold = Fold::default();
        let mut copies = Vec::new();
        for (from, old) in (0..).map(ShardId).zip(&self.olds) {
            let owned = old
                .fold
                .logs
                .iter()
                .filter(|(log, _)| log.owner(shards) == shard);
            for (log, state) in owned {
                copies.extend(in_rings(from, *log, state));
                fold.logs.insert(*log, state.clone());
            }
            let dropped = old
                .fold
                .dropped
                .iter()
                .filter(|(log, _)| log.owner(shards) == shard);
            fold.dropped
                .extend(dropped.map(|(log, dir)| (*log, dir.clone())));
            // Nobody knows whose these are: whoever opens the log claims them.
            fold.lost
                .extend(old.fold.lost.iter().map(|(seed, end)| (*seed, *end)));
        }
        let own = self.olds.get(usize::from(shard.0));
        let last_file = |kind: RingKind| {
            let of_kind = own
                .into_iter()
                .flat_map(|old| &old.files)
                .filter(|file| file.kind == kind);
            of_kind.map(|file| file.sequence).max().unwrap_or(0)
        };
        let [durable, fast] = own.map_or([1, 1], |old| old.next);
        let behind = |next: u64, kind| RingPoint {
            commit: next - 1,
            hash: 0,
            file: last_file(kind) + 1,
            at: 0,
        };
        fold.durable = behind(durable, RingKind::Durable);
        if fast > 1 || last_file(RingKind::Fast) > 0 {
            fold.fast = behind(fast, RingKind::Fast);
        }
        let number = self
            .olds
            .iter()
            .map(|old| old.stamp.number)
            .max()
            .unwrap_or(0)
            + 1;
        let secret = self.secret(number);
        let file = fold.durable.file;
        New {
            shard,
            chain: Chain::new(RingKind::Durable, shard, secret, fold.durable, durable),
            stamp: Stamp {
                shard,
                shards,
                number,
                secret,
                wall: self
                    .olds
                    .iter()
                    .map(|old| old.stamp.wall)
                    .max()
                    .unwrap_or_default(),
            },
            fold,
            groups: groups(copies),
            file,
            len: 0,
            used: 0,
        }
    }

    /// Another secret than the old layout's: its rings must never read the new ones' commits.
    fn secret(&self, number: u64) -> RingSecret {
        let old = self.olds.first().map_or([0; 16], |old| old.stamp.secret.0);
        let mut secret = [0; 16];
        for (i, half) in secret.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let said = format!("reshape {number} {i}");
            *half = hash::sip(&old, said.as_bytes()).to_le_bytes();
        }
        RingSecret(secret)
    }

    /// The next group of the shard that is being written, or its checkpoint, or the next shard.
    fn write_on(&mut self, ops: &mut Ops) {
        let Some(new) = self.left.last_mut() else {
            // What an earlier try left in these files was cut off, and that must last as well: a checkpoint with a
            // tail of another one would not be whole.
            return self.ask(Step::SyncAside, [FileOp::SyncAll], ops);
        };
        let Some(group) = new.groups.front() else {
            new.fold.durable.file = new.file;
            // Both sides at once: there is never one copy alone (#100).
            let (fold, stamp) = (&new.fold, new.stamp);
            let steps: Vec<FileOp> = [(Side::A, stamp.number), (Side::B, stamp.number + 1)]
                .into_iter()
                .filter(|(side, _)| {
                    *side == Side::A || !proof::mutant("reshaped-to-one-checkpoint")
                })
                .flat_map(|(side, number)| {
                    let frame = checkpoint::base(Stamp { number, ..stamp }, fold);
                    let file = aside(stamp.shard, side);
                    // Made anew first: a longer one of an earlier try may lie there.
                    [
                        FileOp::Alloc {
                            file: file.clone(),
                            len: 0,
                        },
                        FileOp::Put {
                            file,
                            at: 0,
                            pieces: Vec::from([Piece::Bytes(frame.bytes)]),
                            how: How::Durable,
                        },
                    ]
                })
                .collect();
            return self.ask(Step::Checkpoint, steps, ops);
        };
        let needed = room(group);
        if needed > new.len - new.used {
            if new.len > 0 {
                new.file += 1;
            }
            let left: u64 = new.groups.iter().map(|group| u64::from(room(group))).sum();
            let full = u32::try_from(left)
                .unwrap_or(u32::MAX)
                .min(self.whose.sizes.ring_file);
            new.len = needed.max(full).max(self.whose.sizes.first_file);
            new.used = 0;
            let op = FileOp::Alloc {
                file: ring(new.shard, new.file),
                len: u64::from(new.len),
            };
            return self.ask(Step::Alloc, [op], ops);
        }
        self.gathered = group.iter().map(|_| Bytes::new()).collect();
        let reads: Vec<FileOp> = group
            .iter()
            .map(|copy| {
                let spot = copy.entry.batch.spot;
                let file = FileName::Ring {
                    kind: spot.kind,
                    shard: copy.from,
                    sequence: spot.file,
                };
                FileOp::Read {
                    file,
                    at: u64::from(spot.at),
                    len: copy.entry.batch.len,
                }
            })
            .collect();
        self.step = Step::Gather;
        for (i, op) in reads.into_iter().enumerate() {
            let ticket = ops.ask(op);
            self.waiting.insert(ticket);
            self.reads.insert(ticket, i);
        }
    }

    fn gather(&mut self, i: usize, bytes: Bytes) {
        if let Some(slot) = self.gathered.get_mut(i) {
            *slot = bytes;
        }
    }

    /// Everything that a step asked for is done.
    fn next(&mut self, ops: &mut Ops) {
        match &self.step {
            Step::Judging(_) | Step::Judged | Step::SyncUnmark => {}
            Step::SyncRoot | Step::Alloc | Step::Commit => self.write_on(ops),
            Step::Gather => self.commit(ops),
            Step::Checkpoint => {
                self.left.pop();
                self.write_on(ops);
            }
            Step::SyncAside => {
                let mut bytes = MAGIC.to_vec();
                bytes.extend(self.whose.shards.to_le_bytes());
                let pieces = Vec::from([Piece::Bytes(Bytes::from(bytes))]);
                // Aside first: a marker that is there is whole (#102).
                let file = FileName::named(MARKER_ASIDE);
                self.ask(
                    Step::Marker,
                    [FileOp::Put {
                        file,
                        at: 0,
                        pieces,
                        how: How::Durable,
                    }],
                    ops,
                );
            }
            Step::Marker => {
                let (from, to) = (FileName::named(MARKER_ASIDE), FileName::named(MARKER));
                self.ask(Step::NameMarker, [FileOp::Rename { from, to }], ops);
            }
            Step::NameMarker => self.ask(
                Step::SyncMarker,
                [FileOp::SyncDir(FileName::named(""))],
                ops,
            ),
            Step::SyncMarker => self.ask(Step::ListRoot, [FileOp::List(FileName::named(""))], ops),
            Step::ListRoot => self.ask(
                Step::ListRings,
                [FileOp::List(FileName::named("commit"))],
                ops,
            ),
            Step::ListRings => {
                let there = self.root.iter().filter_map(|entry| next_of(&entry.name));
                let renames = there.map(|(shard, side)| FileOp::Rename {
                    from: aside(shard, side),
                    to: FileName::Checkpoint { shard, side },
                });
                let renames: Vec<FileOp> = renames.collect();
                if renames.is_empty() {
                    self.remove(ops)
                } else {
                    self.ask(Step::Rename, renames, ops)
                }
            }
            Step::Rename => self.ask(
                Step::SyncRename,
                [FileOp::SyncDir(FileName::named(""))],
                ops,
            ),
            Step::SyncRename => self.remove(ops),
            Step::Remove => self.ask(Step::Unmark, [FileOp::Unlink(FileName::named(MARKER))], ops),
            // Only now may an engine write a second checkpoint: a marker that came back would remove it.
            Step::Unmark => self.ask(
                Step::SyncUnmark,
                [FileOp::SyncDir(FileName::named(""))],
                ops,
            ),
        }
    }

    /// Writes the group that was gathered.
    fn commit(&mut self, ops: &mut Ops) {
        let Some(new) = self.left.last_mut() else {
            return;
        };
        let Some(group) = new.groups.pop_front() else {
            return;
        };
        let mut entries: Vec<Entry> = group
            .iter()
            .map(|copy| {
                Entry::Batch(BatchEntry {
                    kind: BatchKind::Moved,
                    ..copy.entry
                })
            })
            .collect();
        let mut at = new.used + u32::try_from(new.chain.head_len(&entries)).unwrap_or(u32::MAX);
        let mut pieces = Vec::new();
        for ((entry, copy), bytes) in entries.iter_mut().zip(&group).zip(&self.gathered) {
            let Entry::Batch(entry) = entry else { continue };
            entry.batch.spot = Spot {
                kind: RingKind::Durable,
                file: new.file,
                at,
            };
            at += entry.batch.len;
            let missing = (entry.batch.len as usize).saturating_sub(bytes.len());
            pieces.extend([Piece::Bytes(bytes.clone()), Piece::Zeros(missing)]);
            place(&mut new.fold, copy, entry.batch.spot);
        }
        let mark = new.chain.next() - 1;
        let written = Written {
            file: new.file,
            boot: self.whose.boot,
            mark,
            phase: Phase::Live,
        };
        let sealed = new.chain.seal(written, &entries);
        let padded = commit::padded(RingKind::Durable, sealed.total);
        pieces.insert(0, Piece::Bytes(sealed.head));
        pieces.push(Piece::Zeros((padded - sealed.total) as usize));
        let (file, at) = (ring(new.shard, new.file), u64::from(new.used));
        new.used += padded;
        new.fold.durable = RingPoint {
            commit: sealed.sequence,
            hash: sealed.hash,
            file: new.file,
            at: new.used,
        };
        self.ask(
            Step::Commit,
            [FileOp::Put {
                file,
                at,
                pieces,
                how: How::Durable,
            }],
            ops,
        );
    }

    /// Removes what only the old layout had.
    fn remove(&mut self, ops: &mut Ops) {
        let shards = self.whose.shards;
        let old_checkpoints = self.root.iter().filter_map(|entry| {
            let (shard, side) = checkpoint_of(&entry.name)?;
            (shard.0 >= shards).then_some(FileName::Checkpoint { shard, side })
        });
        let old_rings = self.rings.iter().filter_map(|entry| {
            let name = entry.name.strip_prefix("fast-").unwrap_or(&entry.name);
            let shard: u16 = name.split_once('-')?.0.parse().ok()?;
            (shard >= shards).then(|| FileName::named(&format!("commit/{}", entry.name)))
        });
        let mut steps: Vec<FileOp> = old_checkpoints
            .chain(old_rings)
            .map(FileOp::Unlink)
            .collect();
        steps.push(FileOp::SyncDir(FileName::named("commit")));
        self.ask(Step::Remove, steps, ops);
    }
}

/// How many shards the marker speaks of.
pub(crate) fn marked(bytes: &[u8]) -> Option<u16> {
    let shards = bytes.strip_prefix(MAGIC)?;
    shards
        .first_chunk()
        .map(|shards| u16::from_le_bytes(*shards))
}

fn whole(judged: &Judged) -> Fold {
    judged.with(judge::entries(judged.again.iter()))
}

fn ring(shard: ShardId, sequence: u64) -> FileName {
    FileName::Ring {
        kind: RingKind::Durable,
        shard,
        sequence,
    }
}

fn aside(shard: ShardId, side: Side) -> FileName {
    FileName::named(&format!("{}.next", FileName::Checkpoint { shard, side }))
}

fn next_of(name: &str) -> Option<(ShardId, Side)> {
    checkpoint_of(name.strip_suffix(".next")?)
}

fn checkpoint_of(name: &str) -> Option<(ShardId, Side)> {
    let (shard, side) = name.strip_prefix("checkpoint.")?.split_once('.')?;
    let side = match side {
        "a" => Side::A,
        "b" => Side::B,
        _ => return None,
    };
    Some((ShardId(shard.parse().ok()?), side))
}

fn broken(what: &str, why: String) -> Progress {
    Progress::Broken(Broken {
        what: String::from(what),
        why,
        attempt: String::from(
            "Start with as many shards as before, or look at the disk and start again.",
        ),
    })
}
