//! One workload drawn from a seed, and the crashes tried at its points: each on a copy of the disk, judged when it has
//! come up again. Decides what happens and where; `oracle` decides whether it was right.

use std::fmt::Write;

use bytes::Bytes;
use sawlog_core::config::TopicConfig;
use sawlog_core::file::{FileOp, Free, ReadPlan};
use sawlog_core::ids::{LeaderEpoch, LogId, Offset, PartitionId, TopicId, Uuid};
use sawlog_core::log::{AppendRefusal, Appended};
use sawlog_core::marks::Durability;
use sawlog_core::proof;
use sawlog_core::timers::AlarmKey;
use sawlog_wire::records::batch::{self, BatchHeader};
use sawlog_wire::records::{BatchBuilder, Codec, NewRecord};

use super::founding;
use super::oracle::{Known, Need, Oracle, Sent};
use super::rig::{Rig, SPACE};
use crate::disk::{Disk, Faults};
use crate::rng::Rng;

/// Steps of one workload.
const STEPS: u64 = 1500;

/// What a workload came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) states: u64,
    pub(super) kills: u64,
    pub(super) cuts: u64,
    pub(super) inside: u64,
    pub(super) again: u64,
    pub(super) rotten: u64,
    pub(super) acknowledged: u64,
}

/// The workload in progress.
struct Life {
    rig: Rig,
    oracle: Oracle,
    rng: Rng,
    tally: Tally,
    next_topic: u8,
    epoch: i32,
    plan: Option<ReadPlan>,
    /// Bytes of another directory's rings: all that a client could know of ours.
    shaped: Vec<Vec<u8>>,
}

/// Runs the workload of a seed and every crash that it tries. The story is told only when asked for.
pub(super) fn live(seed: u64, story: bool) -> (Tally, Result<(), String>, String) {
    let mut rng = Rng::named(seed, "workload");
    let rig = match Rig::found(&mut rng) {
        Ok(rig) => rig,
        Err(why) => return (Tally::default(), Err(why), String::new()),
    };
    let mut life = Life {
        rig,
        oracle: Oracle::default(),
        shaped: foreign(seed).unwrap_or_default(),
        rng,
        tally: Tally::default(),
        next_topic: 1,
        epoch: 1,
        plan: None,
    };
    life.rig.trace = story.then(String::new);
    let end = founding::found(seed, &mut life.tally).and_then(|()| life.all());
    life.tally.acknowledged = life.oracle.acknowledged;
    (life.tally, end, life.rig.trace.unwrap_or_default())
}

/// What the rings of another directory hold after a few appends.
fn foreign(seed: u64) -> Result<Vec<Vec<u8>>, String> {
    let mut rng = Rng::named(seed, "foreign");
    let mut rig = Rig::found(&mut rng)?;
    for nth in 1..=4 {
        let log = log(nth);
        let durability = if nth % 2 == 0 {
            Durability::Replicated
        } else {
            Durability::Durable
        };
        let config = TopicConfig {
            durability,
            ..TopicConfig::default()
        };
        rig.open(log, &format!("t{nth}-0").into(), &config);
        rig.settle(&mut rng)?;
        for _ in 0..8 {
            let raw = built(1, b"shaped", 1_000_000, None)?;
            let header = BatchHeader::parse(&raw).map_err(|e| format!("{e:?}"))?;
            let _ = rig
                .engine
                .append(rig.now, log, &header, raw, LeaderEpoch(1));
            rig.flush();
        }
        rig.settle(&mut rng)?;
    }
    let rings = rig.disk.files().into_iter().map(|(name, _)| name);
    let rings = rings.filter(|name| name.starts_with("commit/"));
    Ok(rings.filter_map(|name| rig.disk.read_all(&name)).collect())
}

pub(super) fn log(topic: u8) -> LogId {
    LogId {
        topic: TopicId(Uuid([topic; 16])),
        partition: PartitionId(0),
    }
}

impl Life {
    fn tell(&mut self, text: impl FnOnce() -> String) {
        self.rig.tell(text);
    }

    fn all(&mut self) -> Result<(), String> {
        self.create();
        self.create();
        for step in 0..STEPS {
            self.step()?;
            self.oracle.listen(&mut self.rig)?;
            if let Some(broken) = self.rig.broken() {
                self.tell(|| format!("{step}: finished: {broken}"));
                self.explore(2)?;
                self.crash_here()?;
                continue;
            }
            self.expose();
            if self.rng.chance(200) {
                self.explore(1)?;
            }
        }
        self.explore(2)
    }

    fn step(&mut self) -> Result<(), String> {
        match self.rng.below(1000) {
            0..260 => self.append()?,
            260..285 => self.retry()?,
            285..560 => self.rig.flush(),
            560..900 => {
                self.rig.complete(&mut self.rng);
            }
            900..915 => {
                let millis = self.rng.between(1, 30);
                self.rig.pass(millis);
            }
            915..930 => self.trim()?,
            930..934 => self.drop_one(),
            934..940 => self.create(),
            940..950 => {
                let key = [AlarmKey::Flush, AlarmKey::Mark];
                if let Some(key) = self.rng.pick(&key).copied() {
                    self.tell(|| format!("alarm {key:?}"));
                    self.rig.alarm(key);
                }
            }
            950..953 => {
                self.rig.pass(1000);
                self.rig.alarm(AlarmKey::Retention);
            }
            953..965 => self.read()?,
            965..968 => self.full(),
            968..972 => self.lead(),
            972..974 => {
                let syncs = 1;
                self.tell(|| "the next sync fails".to_owned());
                self.rig.disk.faults.failing_syncs = syncs;
            }
            974..992 => {}
            992..996 => {
                self.tell(|| "everything comes to rest".to_owned());
                self.rig.settle(&mut self.rng)?;
            }
            996..998 => {
                self.tell(|| "stop".to_owned());
                self.rig.disk.faults = Faults::default();
                self.rig.engine.space(SPACE);
                if let Some(plan) = self.plan.take() {
                    self.rig.dropped(&plan);
                }
                self.oracle.stopping = true;
                self.rig.stop();
                for _ in 0..self.rng.below(3) {
                    for _ in 0..self.rng.below(12) {
                        self.rig.flush();
                        self.rig.complete(&mut self.rng);
                    }
                    self.oracle.listen(&mut self.rig)?;
                    self.explore(1)?;
                }
                self.rig.settle(&mut self.rng)?;
                self.oracle.listen(&mut self.rig)?;
                if !self.oracle.stopped && self.rig.broken().is_none() {
                    return Err("#103: a stop in order does not end".to_owned());
                }
                self.explore(2)?;
                self.crash_here()?;
            }
            _ => self.crash_here()?,
        }
        Ok(())
    }

    fn create(&mut self) {
        let id = log(self.next_topic);
        if self.next_topic == u8::MAX {
            return;
        }
        self.next_topic += 1;
        let config = TopicConfig {
            durability: if self.rng.chance(400) {
                Durability::Replicated
            } else {
                Durability::Durable
            },
            segment_bytes: 4000 + self.rng.below(30_000),
            retention_bytes: self.rng.chance(200).then_some(60_000),
            ..TopicConfig::default()
        };
        // A name comes again when its first owner is dropped (#45).
        let taken = |name: &str| {
            let mut alive = self.oracle.logs.values().filter(|known| !known.dropped);
            alive.any(|known| &*known.dir == name)
        };
        let Some(dir) = (0..).map(|n| format!("t{n}-0")).find(|name| !taken(name)) else {
            return;
        };
        self.tell(|| format!("create {id:?} as {dir}: {:?}", config.durability));
        let known = Known::new(dir.into(), config);
        self.rig.open(id, &known.dir, &known.config);
        self.rig.engine.begin_epoch(id, LeaderEpoch(self.epoch));
        self.oracle.logs.insert(id, known);
    }

    fn pick(&mut self) -> Option<LogId> {
        let alive = self.oracle.logs.iter().filter(|(_, known)| !known.dropped);
        let alive: Vec<LogId> = alive.map(|(id, _)| *id).collect();
        self.rng.pick(&alive).copied()
    }

    fn value(&mut self, bytes: usize) -> Vec<u8> {
        // Now and then a client sends what looks like a commit.
        if bytes > 800
            && self.rng.chance(300)
            && let Some(ring) = self.rng.pick(&self.shaped)
        {
            let block = self.rng.below(4) as usize * 4096;
            let mut value = vec![b'x'; self.rng.below(8) as usize];
            value.extend(ring.get(block..).unwrap_or_default().iter().take(bytes));
            return value;
        }
        vec![b'x'; bytes]
    }

    fn append(&mut self) -> Result<(), String> {
        let Some(id) = self.pick() else { return Ok(()) };
        let count = self.rng.between(1, 3);
        let bytes = match self.rng.below(10) {
            0 => 12_000 / count,
            1..4 => 1000,
            _ => 60,
        };
        let value = self.value(bytes as usize);
        let idempotent = self.rng.chance(600);
        let new_life = idempotent && self.rng.chance(20);
        let Some(known) = self.oracle.logs.get_mut(&id) else {
            return Ok(());
        };
        if new_life {
            known.producer = (known.producer.0.saturating_add(1), 0);
        }
        let producer = idempotent.then_some(known.producer);
        let time = self.rig.now.wall.0;
        let raw = built(count, &value, time, producer)?;
        let header = BatchHeader::parse(&raw).map_err(|e| format!("{e:?}"))?;
        let epoch = self.rig.engine.last_epoch(id).unwrap_or(LeaderEpoch(0));
        let epoch = epoch.max(LeaderEpoch(0));
        let answer = self
            .rig
            .engine
            .append(self.rig.now, id, &header, raw.clone(), epoch);
        match answer {
            Ok(Appended::New { base, last }) => {
                let end = known
                    .sent
                    .last()
                    .map_or(known.started.max(known.durable), |s| s.next);
                if base.0 < end {
                    return Err(format!("#1: {id:?} gives {base:?} again"));
                }
                if known.lost.take().is_some_and(|lost| base.0 < lost) {
                    known.rewritten = true;
                }
                let mut stored = raw.to_vec();
                batch::stamp(&mut stored, base.0, epoch.0);
                known.sent.push(Sent {
                    base: base.0,
                    next: last.0 + 1,
                    epoch: epoch.0,
                    producer,
                    raw,
                    stored: Bytes::from(stored),
                });
                if idempotent {
                    let by = i32::try_from(count).unwrap_or(0);
                    known.producer.1 = batch::sequence_after(known.producer.1, by);
                }
                let topic = id.topic;
                self.tell(|| format!("append {topic:?} {base:?}..{last:?} {bytes} B {producer:?}"));
            }
            Ok(Appended::Duplicate { .. }) => {
                return Err(format!("#69: {id:?}: a new batch is called a duplicate"));
            }
            Err(AppendRefusal::NoSpace | AppendRefusal::Busy) => {}
            Err(refusal) => return Err(format!("#70: {id:?} {producer:?}: {refusal:?}")),
        }
        Ok(())
    }

    fn retry(&mut self) -> Result<(), String> {
        let Some(id) = self.pick() else { return Ok(()) };
        let Some(known) = self.oracle.logs.get(&id) else {
            return Ok(());
        };
        let Some(sent) = known.sent.iter().rev().find(|sent| sent.producer.is_some()) else {
            return Ok(());
        };
        if sent.producer.map(|(epoch, _)| epoch) != Some(known.producer.0)
            || sent.base < known.asked
        {
            return Ok(());
        }
        let header = BatchHeader::parse(&sent.raw).map_err(|e| format!("{e:?}"))?;
        let epoch = self.rig.engine.last_epoch(id).unwrap_or(LeaderEpoch(0));
        let answer = self
            .rig
            .engine
            .append(self.rig.now, id, &header, sent.raw.clone(), epoch);
        match answer {
            Ok(Appended::Duplicate { base, .. }) if base.0 == sent.base => Ok(()),
            Err(AppendRefusal::NoSpace | AppendRefusal::Busy) => Ok(()),
            other => Err(format!(
                "#69: {id:?}: the retry of {} is answered {other:?}",
                sent.base
            )),
        }
    }

    /// What counts moves on as `replica` moves it.
    fn expose(&mut self) {
        for (id, known) in &self.oracle.logs {
            if known.dropped {
                continue;
            }
            if let Some(marks) = self.rig.engine.marks(*id) {
                let own = marks.own(known.config.durability).max(marks.hw);
                self.rig.engine.raise(*id, own, own);
            }
        }
    }

    fn trim(&mut self) -> Result<(), String> {
        let Some(id) = self.pick() else { return Ok(()) };
        let Some(marks) = self.rig.engine.marks(id) else {
            return Ok(());
        };
        let room = u64::try_from(marks.hw.0 - marks.start.0).unwrap_or(0);
        let by = self.rng.below(room + 1);
        let start = Offset(marks.start.0 + i64::try_from(by).unwrap_or(0));
        self.tell(|| format!("trim {:?} to {start:?}", id.topic));
        self.rig
            .engine
            .trim(id, start)
            .map_err(|refusal| format!("{id:?} is not trimmed: {refusal:?}"))?;
        if let Some(known) = self.oracle.logs.get_mut(&id) {
            known.asked = known.asked.max(start.0);
        }
        Ok(())
    }

    fn drop_one(&mut self) {
        let alive = self.oracle.logs.values().filter(|known| !known.dropped);
        if alive.count() < 3 {
            return;
        }
        if let Some(id) = self.pick() {
            self.tell(|| format!("drop {:?}", id.topic));
            if let Some(known) = self.oracle.logs.get_mut(&id) {
                known.dropped = true;
                self.rig.engine.drop_log(id, known.dir.clone());
            }
        }
    }

    /// Another leadership begins everywhere (#4).
    fn lead(&mut self) {
        self.epoch += 1;
        for (id, known) in &self.oracle.logs {
            if !known.dropped {
                self.rig.engine.begin_epoch(*id, LeaderEpoch(self.epoch));
            }
        }
    }

    /// A reader takes a plan, and reads it much later (#7).
    fn read(&mut self) -> Result<(), String> {
        if let Some(plan) = self.plan.take() {
            let Some(known) = self.oracle.logs.get(&plan.log) else {
                return Ok(());
            };
            if known.dropped {
                self.rig.dropped(&plan);
                return Ok(());
            }
            for bytes in self.rig.serve(&plan)? {
                if !known.sent.iter().any(|sent| sent.stored == bytes) {
                    return Err(format!("#7: {:?} reads what was never appended", plan.log));
                }
            }
            return Ok(());
        }
        let Some(id) = self.pick() else { return Ok(()) };
        self.plan = self.rig.plan(id, None, &mut self.rng)?;
        if let Some(plan) = self.plan.clone() {
            self.tell(|| format!("a reader plans {:?}: {:?}", plan.log.topic, plan.files));
        }
        Ok(())
    }

    /// The disk is full for a while, or no longer.
    fn full(&mut self) {
        let faults = &mut self.rig.disk.faults;
        let free = if faults.capacity.take().is_none() {
            let used = self.rig.disk.used();
            self.rig.disk.faults.capacity = Some(used + self.rng.below(64 << 10));
            Free {
                total: 1 << 30,
                free: self.rng.below(40 << 10),
            }
        } else {
            SPACE
        };
        self.tell(|| format!("{} bytes are free", free.free));
        self.rig.engine.space(free);
    }

    /// The life itself crashes here and goes on.
    fn crash_here(&mut self) -> Result<(), String> {
        let need = self.need();
        let trace = self.rig.trace.take();
        let mut disk = std::mem::take(&mut self.rig.disk);
        let boot = strike(&mut disk, need, self.rig.boot, &mut self.rng);
        self.plan = None;
        self.rig = Rig::rise(disk, boot, self.rig.now, &mut self.rng);
        self.rig.trace = trace;
        self.tell(|| format!("the life itself crashes: {need:?}, boot {boot}"));
        let report = self.rig.recover(None, &mut self.rng)?.unwrap_or_default();
        self.tell(|| format!("came up: {report:?}"));
        self.oracle
            .judge(&mut self.rig, need, &report, false, &mut self.rng)?;
        self.oracle.settle(&self.rig);
        self.epoch += 1;
        for (id, known) in &mut self.oracle.logs {
            if !known.dropped {
                self.rig.engine.begin_epoch(*id, LeaderEpoch(self.epoch));
            }
        }
        self.oracle.listen(&mut self.rig)
    }

    fn need(&mut self) -> Need {
        if self.rng.chance(600) {
            Need::Durable
        } else {
            Need::Written
        }
    }

    /// Crashes from here, each on a copy of the disk.
    fn explore(&mut self, times: u64) -> Result<(), String> {
        for nth in 0..times * 2 {
            self.state()
                .map_err(|why| format!("crash {nth} from here: {why}"))?;
        }
        Ok(())
    }

    /// One state: a crash, perhaps more inside what follows, and what comes up in the end.
    fn state(&mut self) -> Result<(), String> {
        self.tally.states += 1;
        if self.oracle.logs.values().any(|known| known.rewritten) {
            proof::sometimes("cut-then-rewritten-then-crash");
        }
        let mut path = String::new();
        let end = self.crash_and_judge(&mut path);
        end.map_err(|why| format!("{why}\n  path: {path}"))
    }

    fn crash_and_judge(&mut self, path: &mut String) -> Result<(), String> {
        let mut disk = self.rig.disk.clone();
        let mut boot = self.rig.boot;
        let mut need = Need::Written;
        let inside = match self.rng.below(10) {
            0..6 => 0,
            6..9 => 1,
            _ => 2,
        };
        for depth in 0..=inside {
            let how = self.need();
            if how == Need::Durable {
                need = Need::Durable;
                self.tally.cuts += 1;
            } else {
                self.tally.kills += 1;
            }
            let struck = strike(&mut disk, how, boot, &mut self.rng);
            let _ = write!(path, "{how:?} boot {boot}->{struck}; ");
            boot = struck;
            if depth == 0 && self.rng.chance(30) {
                let rotten = rot_a_checkpoint(&mut disk, true, &mut self.rng);
                self.tally.rotten += u64::from(rotten.is_some());
                path.push_str(rotten.as_deref().unwrap_or_default());
            }
            let trace = self.rig.trace.is_some().then(String::new);
            if depth < inside {
                self.tally.inside += 1;
                disk = self.start_in_part(disk, boot, trace, path)?;
                continue;
            }
            if inside == 2 {
                proof::sometimes("crash-twice-inside-recovery");
            }
            let mut rig = Rig::rise(disk, boot, self.rig.now, &mut self.rng);
            rig.trace = trace;
            let report = rig.recover(None, &mut self.rng)?.unwrap_or_default();
            let seen = self
                .oracle
                .judge(&mut rig, need, &report, inside > 0, &mut self.rng)
                .map_err(|why| {
                    format!(
                        "{why}\n  report: {report:?}\n{}",
                        rig.trace.take().unwrap_or_default()
                    )
                })?;
            if self.rng.chance(200) {
                // A start is repeatable, whatever the crash after it (#97).
                self.tally.again += 1;
                let how = self.need();
                let _ = write!(path, "ready; {how:?}; ");
                let mut disk = rig.disk;
                let boot = strike(&mut disk, how, boot, &mut self.rng);
                let mut rig = Rig::rise(disk, boot, self.rig.now, &mut self.rng);
                let report = rig.recover(None, &mut self.rng)?.unwrap_or_default();
                let second = self
                    .oracle
                    .judge(&mut rig, need, &report, true, &mut self.rng)?;
                if report.clean.is_some() {
                    return Err(format!(
                        "#103: clean after a start without a stop: {report:?}"
                    ));
                }
                if seen != second {
                    return Err(format!("#97: first {seen:?}, then {second:?}"));
                }
            } else if self.oracle.is_leaving() {
                // What was deleted goes to the end, and leaves nothing behind.
                proof::sometimes("deletion-gone-on-with");
                rig.settle(&mut self.rng)?;
                self.oracle.judge_end(&rig)?;
            }
            return Ok(());
        }
        Ok(())
    }

    /// A start that will be crashed, now and then of a node with another number of shards.
    fn start_in_part(
        &mut self,
        disk: Disk,
        boot: u8,
        trace: Option<String>,
        path: &mut String,
    ) -> Result<Disk, String> {
        let shards = if self.rng.chance(150) {
            self.rng.between(2, 3)
        } else {
            1
        };
        let most = if shards > 1 { 160 } else { 40 };
        let mut steps = self.rng.below(most);
        let mut disk = disk;
        let mut trace = trace;
        for shard in 0..shards {
            let _ = write!(path, "{steps} steps of shard {shard} of {shards}; ");
            let (shard, shards) = (shard as u16, shards as u16);
            let rng = &mut self.rng;
            let mut rig = Rig::rise_as(disk, boot, self.rig.now, shard, shards, rng);
            rig.trace = trace.take();
            // The other shards start once the first is up.
            let up = rig.recover(Some(steps), rng)?.is_some();
            steps = rng.below(20);
            trace = rig.trace.as_ref().map(|_| String::new());
            path.push_str(&rig.trace.take().unwrap_or_default());
            disk = rig.disk;
            if !up {
                break;
            }
        }
        Ok(disk)
    }
}

/// Of two checkpoints one rots; the other must do. Once the directory is known to be `whole` there must be two: then the
/// only one may rot as well. Says which, and where.
pub(super) fn rot_a_checkpoint(disk: &mut Disk, whole: bool, rng: &mut Rng) -> Option<String> {
    let mut found = disk.files();
    found.retain(|(name, _)| matches!(name.as_str(), "checkpoint.0.a" | "checkpoint.0.b"));
    if found.len() < 2 && !whole {
        return None;
    }
    let (name, len) = rng.pick(&found)?.clone();
    let at = rng.below(len);
    disk.rot(&name, at, 3)
        .then(|| format!("{name} rots at {at}; "))
}

/// Does the worst that this kind of crash may do; the boot that follows.
pub(super) fn strike(disk: &mut Disk, how: Need, boot: u8, rng: &mut Rng) -> u8 {
    match how {
        Need::Written => {
            disk.kill(rng);
            // A machine may be booted again in order after its broker died.
            if rng.chance(150) {
                disk.run(&FileOp::SyncAll);
                boot.wrapping_add(1)
            } else {
                boot
            }
        }
        Need::Durable => {
            disk.power_cut(rng);
            boot.wrapping_add(1)
        }
    }
}

pub(super) fn built(
    count: u64,
    value: &[u8],
    time: i64,
    producer: Option<(i16, i32)>,
) -> Result<Bytes, String> {
    let mut builder = BatchBuilder::new(Codec::None);
    if let Some((epoch, sequence)) = producer {
        builder = builder.producer(5, epoch, sequence);
    }
    for nth in 0..count {
        let record = NewRecord {
            timestamp: time + i64::try_from(nth).unwrap_or(0),
            value: Some(value),
            ..NewRecord::default()
        };
        builder.push(record).map_err(|e| format!("{e:?}"))?;
    }
    builder
        .build()
        .map(Bytes::from)
        .map_err(|e| format!("{e:?}"))
}
