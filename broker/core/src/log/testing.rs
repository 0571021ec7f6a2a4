//! An engine on a disk in memory, for the tests beside it: operations are done one at a time, when the test says so.
//! Decides nothing. Crashes, faults and reordering are the simulator's; this disk forgets nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use sawlog_wire::records::batch::{self, BatchHeader};
use sawlog_wire::records::{BatchBuilder, Codec, NewRecord};

use super::spill::Course;
use super::state::Spot;
use super::{
    Appended, Broken, Engine, EngineConf, LogSpec, Ops, Planned, ReadRefusal, Told, checksum,
};
use crate::config::TopicConfig;
use crate::file::{
    Entry, Fault, FaultKind, FileName, FileOp, Free, How, Outcome, Piece, ReadPlan, Served,
};
use crate::ids::{
    BootId, BrokerEpoch, LeaderEpoch, LogId, Offset, PartitionId, ShardId, Ticket, TopicId, Uuid,
};
use crate::marks::Durability;
use crate::now::{Dice, Mono, Now, Wall};
use crate::timers::{AlarmKey, Alarms};

/// Files by path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) dirs: BTreeSet<String>,
    /// Bytes of files that the medium does not give back.
    pub(crate) bad: Vec<(String, std::ops::Range<u64>)>,
}

fn absent() -> Outcome {
    failed(FaultKind::Absent, "no such file")
}

pub(crate) fn failed(kind: FaultKind, text: &str) -> Outcome {
    Outcome::Failed(Fault {
        kind,
        text: text.into(),
    })
}

impl Disk {
    pub(crate) fn run(&mut self, op: &FileOp) -> Outcome {
        match op {
            FileOp::Alloc { file, len } => {
                self.files.insert(file.to_string(), vec![0; *len as usize]);
            }
            FileOp::Put {
                file, at, pieces, ..
            } => {
                let name = file.to_string();
                if let Some((dir, _)) = name.rsplit_once('/') {
                    assert!(self.dirs.contains(dir), "{dir} is not made before {name}");
                }
                let (bytes, at) = (self.files.entry(name).or_default(), *at as usize);
                let written = laid(pieces);
                let end = at + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[at..end].copy_from_slice(&written);
            }
            FileOp::Sync(_) | FileOp::SyncDir(_) | FileOp::SyncAll => {}
            FileOp::Cut { file, len } => match self.files.get_mut(&file.to_string()) {
                Some(bytes) => bytes.truncate(*len as usize),
                None => return absent(),
            },
            FileOp::Rename { from, to } => {
                let (from, to) = (from.to_string(), to.to_string());
                if let Some(bytes) = self.files.remove(&from) {
                    self.files.insert(to, bytes);
                } else if self.dirs.remove(&from) {
                    let below = format!("{from}/");
                    for name in self.below(&below) {
                        let bytes = self.files.remove(&name).unwrap_or_default();
                        self.files
                            .insert(format!("{to}/{}", &name[below.len()..]), bytes);
                    }
                    self.dirs.insert(to);
                } else {
                    return absent();
                }
            }
            FileOp::Unlink(file) => {
                self.files.remove(&file.to_string());
            }
            FileOp::MakeDir(dir) => {
                self.dirs.insert(dir.to_string());
            }
            FileOp::RemoveDir(dir) => {
                self.dirs.remove(&dir.to_string());
                for name in self.below(&format!("{dir}/")) {
                    self.files.remove(&name);
                }
            }
            FileOp::Read { file, at, len } | FileOp::Reread { file, at, len } => {
                let Some(bytes) = self.files.get(&file.to_string()) else {
                    return absent();
                };
                let (name, end) = (file.to_string(), at + u64::from(*len));
                let spoilt = |(bad, range): &(String, std::ops::Range<u64>)| {
                    *bad == name && range.start < end && *at < range.end
                };
                if self.bad.iter().any(spoilt) {
                    return failed(FaultKind::Broken, "Input/output error");
                }
                let from = (*at as usize).min(bytes.len());
                let to = (from + *len as usize).min(bytes.len());
                return Outcome::Bytes(Bytes::copy_from_slice(&bytes[from..to]));
            }
            FileOp::List(dir) => {
                let dir = dir.to_string();
                if !dir.is_empty() && !self.dirs.contains(&dir) {
                    return absent();
                }
                let below = if dir.is_empty() {
                    String::new()
                } else {
                    format!("{dir}/")
                };
                let files = self.files.iter().filter_map(|(name, bytes)| {
                    let name = name.strip_prefix(&below).filter(|n| !n.contains('/'))?;
                    Some(Entry {
                        name: name.into(),
                        len: bytes.len() as u64,
                        dir: false,
                    })
                });
                let dirs = self.dirs.iter().filter_map(|name| {
                    let name = name
                        .strip_prefix(&below)
                        .filter(|n| !n.is_empty() && !n.contains('/'))?;
                    Some(Entry {
                        name: name.into(),
                        len: 0,
                        dir: true,
                    })
                });
                let mut all: Vec<Entry> = files.chain(dirs).collect();
                all.sort_by(|a, b| a.name.cmp(&b.name));
                return Outcome::Listing(all);
            }
        }
        Outcome::Done
    }

    fn below(&self, below: &str) -> Vec<String> {
        self.files
            .keys()
            .filter(|name| name.starts_with(below))
            .cloned()
            .collect()
    }

    /// Names of files below a directory.
    pub(crate) fn names(&self, below: &str) -> Vec<String> {
        self.below(below)
    }
}

/// Pieces as they lie on disk.
fn laid(pieces: &[Piece]) -> Vec<u8> {
    let mut all = Vec::new();
    for piece in pieces {
        let at = all.len();
        match piece {
            Piece::Bytes(source) => all.extend_from_slice(source),
            Piece::Zeros(n) => all.resize(at + n, 0),
            Piece::Batch(source, stamp) => {
                all.extend_from_slice(source);
                batch::stamp(&mut all[at..], stamp.base.0, stamp.epoch.0);
            }
        }
    }
    all
}

/// What an executor that copies such a write says of it.
fn copied(op: &FileOp) -> Option<Vec<Bytes>> {
    let FileOp::Put {
        file: FileName::Segment { .. },
        how: How::Durable,
        pieces,
        ..
    } = op
    else {
        return None;
    };
    let runs = laid(pieces);
    Some(runs.chunks(1000).map(Bytes::copy_from_slice).collect())
}

/// An engine, its disk and its clock.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) disk: Disk,
    pub(crate) ops: Ops,
    pub(crate) queue: VecDeque<(Ticket, FileOp)>,
    pub(crate) told: Vec<Told>,
    pub(crate) now: Now,
    pub(crate) alarms: Alarms,
    /// Every operation that was done.
    pub(crate) done: Vec<FileOp>,
    /// Answers the next operation of its kind instead of the disk.
    pub(crate) fault: Option<fn(&FileOp) -> Option<Outcome>>,
    /// Answers every operation of its kind, until it is taken away.
    pub(crate) standing: Option<fn(&FileOp) -> Option<Outcome>>,
    pub(crate) boot: u8,
}

/// Small rings, as the crash enumerator uses them.
pub(crate) fn small() -> EngineConf {
    EngineConf {
        ring_file: Some(64 << 10),
        ring_max: Some(512 << 10),
        ballast: false,
        quiet_bytes: 512,
        behind_max: 48 << 10,
        ..EngineConf::default()
    }
}

pub(crate) fn log(n: u8) -> LogId {
    LogId {
        topic: TopicId(Uuid([n; 16])),
        partition: PartitionId(0),
    }
}

fn dir_of(id: LogId) -> Arc<str> {
    format!("t{}-{}", id.topic.0.0[0], id.partition).into()
}

/// One batch of `count` records of `bytes` each, all of this time.
pub(crate) fn batch(
    count: usize,
    bytes: usize,
    time: i64,
    producer: Option<(i64, i16, i32)>,
) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    if let Some((id, epoch, sequence)) = producer {
        builder = builder.producer(id, epoch, sequence);
    }
    let value = vec![b'x'; bytes];
    for nth in 0..count {
        builder
            .push(NewRecord {
                timestamp: time + nth as i64,
                value: Some(&value),
                ..NewRecord::default()
            })
            .expect("fits");
    }
    Bytes::from(builder.build().expect("builds"))
}

impl World {
    /// A fresh directory, founded and ready.
    pub(crate) fn fresh(conf: EngineConf) -> World {
        let mut world = World::on(conf, Disk::default());
        assert_eq!(world.begin(), Told::Fresh);
        world.engine.found(world.now, Dice([7; 16]), &mut world.ops);
        world.settle();
        assert_eq!(world.told.pop(), Some(Told::Laid));
        world.accept();
        world
    }

    /// An engine that was not started yet.
    pub(crate) fn on(conf: EngineConf, disk: Disk) -> World {
        World {
            engine: Engine::new(ShardId(0), 1, conf),
            disk,
            ops: Ops::default(),
            queue: VecDeque::new(),
            told: Vec::new(),
            now: Now {
                mono: Mono(1),
                wall: Wall(1_000_000),
            },
            alarms: Alarms::default(),
            done: Vec::new(),
            fault: None,
            standing: None,
            boot: 1,
        }
    }

    /// Reads what lies there: the verdict.
    pub(crate) fn begin(&mut self) -> Told {
        let space = Free {
            total: 1 << 30,
            free: 1 << 30,
        };
        let boot = BootId([self.boot; 16]);
        self.engine
            .start(self.now, Dice([9; 16]), boot, space, &mut self.ops);
        self.settle();
        self.told.pop().expect("a verdict")
    }

    /// Goes on until ready.
    pub(crate) fn accept(&mut self) {
        self.engine.accept(self.now, Dice([8; 16]), &mut self.ops);
        self.settle();
        assert!(self.told.contains(&Told::Ready), "{:?}", self.told);
        self.told.clear();
    }

    /// An engine that was not started yet, on what another process left.
    pub(crate) fn on_what(left: World, conf: EngineConf) -> World {
        let mut world = World::on(conf, left.disk);
        world.now = left.now;
        world.boot = left.boot;
        world
            .disk
            .files
            .entry("meta.properties".into())
            .or_default();
        world
    }

    /// The process dies here; another one comes up on what it left.
    pub(crate) fn restart(self, conf: EngineConf) -> World {
        let mut world = World::on_what(self, conf);
        let verdict = world.begin();
        assert!(matches!(verdict, Told::Judged(_)), "{verdict:?}");
        world.accept();
        world
    }

    pub(crate) fn drop_log(&mut self, id: LogId) {
        self.engine.drop_log(id, dir_of(id));
    }

    pub(crate) fn open(&mut self, id: LogId, config: TopicConfig) {
        self.engine.open(
            id,
            LogSpec {
                dir: dir_of(id),
                config: config.into(),
                urgent: id == LogId::METADATA,
            },
        );
    }

    pub(crate) fn open_plain(&mut self, n: u8) -> LogId {
        self.open(log(n), TopicConfig::default());
        log(n)
    }

    pub(crate) fn open_fast(&mut self, n: u8) -> LogId {
        let config = TopicConfig {
            durability: Durability::Replicated,
            ..TopicConfig::default()
        };
        self.open(log(n), config);
        log(n)
    }

    pub(crate) fn append(&mut self, id: LogId, bytes: Bytes) -> Appended {
        self.try_append(id, bytes).expect("is accepted")
    }

    pub(crate) fn try_append(
        &mut self,
        id: LogId,
        bytes: Bytes,
    ) -> Result<Appended, super::AppendRefusal> {
        let header = BatchHeader::parse(&bytes).expect("a batch");
        let epoch = self.engine.last_epoch(id).unwrap_or(LeaderEpoch(0));
        let epoch = epoch.max(LeaderEpoch(0));
        self.engine.append(self.now, id, &header, bytes, epoch)
    }

    /// Appends `count` batches of one record each.
    pub(crate) fn fill(&mut self, id: LogId, count: usize, bytes: usize) {
        for _ in 0..count {
            self.append(id, batch(1, bytes, self.now.wall.0, None));
        }
    }

    /// Takes what the engine wishes into the queue.
    pub(crate) fn take(&mut self) {
        for (ticket, op) in self.ops.ops.drain(..) {
            // Every other write lies in memory of its own while it is under way.
            if ticket.0.is_multiple_of(2)
                && let Some(runs) = copied(&op)
            {
                self.engine.copied(ticket, runs);
            }
            self.queue.push_back((ticket, op));
        }
        self.told.append(&mut self.ops.told);
        for (key, deadline) in self.ops.alarms.drain(..) {
            self.alarms.set(ShardId(0), key, deadline);
        }
    }

    /// Groups what is queued.
    pub(crate) fn flush(&mut self) {
        self.engine.flush(self.now, &mut self.ops);
        self.take();
    }

    /// Does the operation at this place of the queue.
    pub(crate) fn step(&mut self, index: usize) {
        let (ticket, op) = self.queue.remove(index).expect("an operation");
        let outcome = match self.fault.and_then(|fault| fault(&op)) {
            Some(outcome) => {
                self.fault = None;
                outcome
            }
            None => self
                .standing
                .and_then(|fault| fault(&op))
                .unwrap_or_else(|| self.disk.run(&op)),
        };
        self.done.push(op);
        self.engine.done(self.now, ticket, outcome, &mut self.ops);
        self.take();
    }

    /// Does everything until nothing is left to do.
    pub(crate) fn settle(&mut self) {
        self.take();
        loop {
            self.flush();
            if self.queue.is_empty() {
                break;
            }
            while !self.queue.is_empty() {
                self.step(0);
            }
        }
        let lost = self.unaccounted();
        assert!(lost.is_empty(), "no spill will ever meet {lost:?}");
    }

    /// Batches of the ring that stand in no list: not in their file's order nor among its quiet ones, not in a read under
    /// way, not in a copy that waits or is written, and their log is not to be read by offset. They would keep their ring
    /// file for ever.
    pub(crate) fn unaccounted(&self) -> Vec<(LogId, Offset)> {
        let engine = &self.engine;
        let mut stands: BTreeSet<(LogId, Offset, Spot)> = BTreeSet::new();
        let mut copied: BTreeSet<(LogId, Offset)> = BTreeSet::new();
        for lane in engine.lanes.iter() {
            let kind = lane.ring.kind;
            for file in &lane.ring.files {
                let sequence = file.sequence;
                for lies in file.unmet().chain(&file.quiet) {
                    let at = lies.at;
                    stands.insert((
                        lies.log,
                        lies.base,
                        Spot {
                            kind,
                            file: sequence,
                            at,
                        },
                    ));
                }
            }
            let written = lane.ring.unsynced.iter().chain(&lane.ring.inflight);
            let written = written.flat_map(|commit| &commit.entries);
            for entry in written.chain(lane.queue.entries()) {
                if let super::state::Entry::Batch(entry) = entry
                    && entry.kind == super::state::BatchKind::Moved
                {
                    copied.insert((entry.log, entry.batch.base));
                }
            }
        }
        for job in engine.spill.job.iter().chain(&engine.spill.again) {
            let (kind, file) = (job.kind, job.file);
            for lies in &job.items {
                stands.insert((
                    lies.log,
                    lies.base,
                    Spot {
                        kind,
                        file,
                        at: lies.at,
                    },
                ));
            }
        }
        let mut lost = Vec::new();
        for (log, state) in &engine.fold.logs {
            let live = engine.live.get(log);
            if state.is_torn()
                || live.is_none_or(|live| live.offline.is_some() || live.dropping)
                || engine.spill.left.contains(log)
            {
                continue;
            }
            let (straggles, put) = match engine.spill.courses.get(log) {
                Some(Course::Files(files)) => (files.straggler, files.next),
                _ => (false, Offset::ZERO),
            };
            let forgotten = state.ring.iter().filter(|batch| {
                !straggles
                    && batch.next() > put
                    && !stands.contains(&(*log, batch.base, batch.spot))
                    && !copied.contains(&(*log, batch.base))
            });
            lost.extend(forgotten.map(|batch| (*log, batch.base)));
        }
        lost
    }

    /// Lets time pass, with the alarms that fall into it.
    pub(crate) fn pass(&mut self, millis: u64) {
        self.now.mono.0 += millis * 1_000_000;
        self.now.wall.0 += millis as i64;
        while let Some((_, key)) = self.alarms.due(self.now) {
            self.alarm(key);
        }
        self.settle();
    }

    pub(crate) fn alarm(&mut self, key: AlarmKey) {
        self.engine.alarm(self.now, key, &mut self.ops);
        self.take();
    }

    /// A plan, once the parts of indexes that it needs are loaded.
    pub(crate) fn plan(&mut self, id: LogId, from: i64, max: u32) -> Result<ReadPlan, ReadRefusal> {
        for _ in 0..64 {
            let end = self.engine.marks(id).expect("known").written;
            let planned = self
                .engine
                .plan(id, Offset(from), end, max, true, &mut self.ops)?;
            self.settle();
            if let Planned::Ready(plan) = planned {
                return Ok(plan);
            }
        }
        panic!("no plan after 64 looks");
    }

    /// Serves a plan as the shell does: each batch is read and checked.
    pub(crate) fn serve(&mut self, plan: &ReadPlan) -> Vec<Bytes> {
        let mut batches = Vec::new();
        let mut served = Served::Whole;
        for (index, place) in plan.places.iter().enumerate() {
            let file = plan.files[usize::from(place.file)].clone();
            let read = FileOp::Read {
                file,
                at: place.at,
                len: place.len,
            };
            match self.disk.run(&read) {
                Outcome::Bytes(bytes) if checksum(plan.log, &bytes) == place.checksum => {
                    batches.push(bytes);
                }
                Outcome::Failed(fault) => served = Served::Unreadable(index, fault),
                _ => served = Served::Rotten(index),
            }
        }
        self.engine.served(plan, &served, &mut self.ops);
        self.settle();
        batches
    }

    /// Base offsets of all batches from an offset on, through as many plans as it takes.
    pub(crate) fn read_all(&mut self, id: LogId, from: i64) -> Vec<i64> {
        let mut bases = Vec::new();
        let mut from = from;
        loop {
            let plan = self.plan(id, from, 1 << 20).expect("a plan");
            if plan.places.is_empty() {
                return bases;
            }
            for bytes in self.serve(&plan) {
                let header = BatchHeader::parse(&bytes).expect("a batch");
                bases.push(header.base_offset);
                from = header.next_offset();
            }
        }
    }

    /// Stops in order.
    pub(crate) fn stop(&mut self) {
        self.engine.stop(self.now, BrokerEpoch(5), &mut self.ops);
        self.settle();
        assert!(self.told.contains(&Told::Stopped), "{:?}", self.told);
    }

    pub(crate) fn broken(&self) -> Option<&Broken> {
        self.told.iter().find_map(|told| match told {
            Told::Broken(broken) => Some(broken),
            _ => None,
        })
    }

    pub(crate) fn durable(&self, id: LogId) -> i64 {
        self.engine.marks(id).expect("known").durable.0
    }

    /// How many operations of a kind were done.
    pub(crate) fn count(&self, of: impl Fn(&FileOp) -> bool) -> usize {
        self.done.iter().filter(|op| of(op)).count()
    }
}

/// Whether an operation is a commit.
pub(crate) fn is_commit(op: &FileOp) -> bool {
    matches!(
        op,
        FileOp::Put {
            file: FileName::Ring { .. },
            ..
        }
    )
}

impl World {
    /// The sequence that a producer would go on with, as the recovered state has it.
    pub(crate) fn next_sequence(&self, id: LogId, producer: i64) -> i32 {
        let state = self.engine.fold.logs.get(&id);
        let known =
            state.and_then(|state| state.producers.by_id.get(&crate::ids::ProducerId(producer)));
        let last = known.and_then(|known| known.window.back());
        last.map_or(0, |last| last.last().0 + 1)
    }
}
