//! One engine on the faulty disk: carries its wishes out, in the order that chance chooses. Decides nothing about
//! what is right.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sawlog_core::config::TopicConfig;
use sawlog_core::file::{FileName, FileOp, Free, How, Outcome, Piece, ReadPlan, RingKind, Served};
use sawlog_core::ids::{BootId, LogId, Offset, ShardId};
use sawlog_core::log::{Engine, EngineConf, LogSpec, Ops, Planned, Report, Told, checksum};
use sawlog_core::now::{Dice, Mono, Now, Wall};
use sawlog_core::proof;
use sawlog_core::timers::{AlarmKey, Alarms};

use crate::disk::{Disk, Faults};
use crate::rng::Rng;

/// Room without end.
pub(super) const SPACE: Free = Free {
    total: 1 << 30,
    free: 1 << 30,
};

/// Rings so small that a workload of seconds spills, checkpoints and recycles.
pub(super) fn small() -> EngineConf {
    EngineConf {
        ring_file: Some(64 << 10),
        first_file: Some(20 << 10),
        ring_max: Some(256 << 10),
        ballast: false,
        quiet_bytes: 512,
        // Most batches are large enough to go straight to their segments.
        direct_min: 150,
        direct_after: 1500,
        direct_within: Duration::MAX,
        direct_max: 8 << 10,
        ..EngineConf::default()
    }
}

/// Operations that bring any workload to rest, many times over.
const REST: u32 = 20_000;

/// A life of the process.
pub(super) struct Rig {
    pub(super) engine: Engine,
    pub(super) disk: Disk,
    pub(super) told: Vec<Told>,
    pub(super) now: Now,
    /// The kernel's boot.
    pub(super) boot: u8,
    /// What happens, if somebody wants to know.
    pub(super) trace: Option<String>,
    /// The durable ring's file that this start made, and whether batches lie in it that it has written again.
    fresh: Option<u64>,
    again: bool,
    ops: Ops,
    alarms: Alarms,
}

impl Rig {
    fn new(disk: Disk, boot: u8, now: Now, shard: u16, shards: u16) -> Rig {
        Rig {
            engine: Engine::new(ShardId(shard), shards, small()),
            disk,
            told: Vec::new(),
            now,
            boot,
            trace: None,
            fresh: None,
            again: false,
            ops: Ops::default(),
            alarms: Alarms::default(),
        }
    }

    /// A directory that was just laid out, as `node` does it, and is ready.
    pub(super) fn found(rng: &mut Rng) -> Result<Rig, String> {
        let mut identity = false;
        let (rig, ready) = Rig::lay(Disk::default(), 1, &mut identity, None, rng)?;
        if !ready {
            return Err("#97: a founding stands still".to_owned());
        }
        Ok(rig)
    }

    /// Comes up on a directory that was never laid out, or not to the end; true if it is ready, false if the steps are
    /// used up before. `identity` says whether the proof that the directory is whole has become durable.
    pub(super) fn lay(
        disk: Disk,
        boot: u8,
        identity: &mut bool,
        steps: Option<u64>,
        rng: &mut Rng,
    ) -> Result<(Rig, bool), String> {
        let now = Now {
            mono: Mono(1),
            wall: Wall(1_000_000),
        };
        let mut left = steps;
        let mut rig = Rig::new(disk, boot, now, 0, 1);
        let named = rig.disk.read_all("meta.properties").is_some();
        if *identity && !named {
            return Err("#102: the proof that the directory is whole is gone".to_owned());
        }
        if !named {
            // As `node` does: what an unfinished founding left is removed, and it is made again.
            rig.disk.run(&FileOp::RemoveDir(FileName::named("commit")));
            for (name, _) in rig.disk.files() {
                rig.disk.run(&FileOp::Unlink(FileName::named(&name)));
            }
        }
        let dice = Dice(rng.dice());
        rig.engine
            .start(now, dice, BootId([boot; 16]), SPACE, &mut rig.ops);
        if !rig.work(&mut left, rng) {
            return Ok((rig, false));
        }
        match rig.told.pop() {
            Some(Told::Fresh) if !named => {
                rig.engine.found(now, Dice(rng.dice()), &mut rig.ops);
                if !rig.work(&mut left, rng) {
                    return Ok((rig, false));
                }
                if rig.told.pop() != Some(Told::Laid) {
                    return Err("a fresh directory is not laid out".to_owned());
                }
                let proof = FileOp::Put {
                    file: FileName::named("meta.properties"),
                    at: 0,
                    pieces: vec![Piece::Bytes(Bytes::from_static(b"version=1\n"))],
                    how: How::Durable,
                };
                for op in [FileOp::SyncAll, proof, FileOp::SyncDir(FileName::named(""))] {
                    if left == Some(0) {
                        return Ok((rig, false));
                    }
                    left = left.map(|n| n - 1);
                    rig.disk.run(&op);
                }
                *identity = true;
            }
            Some(Told::Judged(report)) if named && report.offline.is_empty() => {
                // As the node's quorum-state does, which is written before anybody is answered.
                rig.disk.run(&FileOp::SyncDir(FileName::named("")));
                *identity = true;
            }
            other => {
                return Err(format!(
                    "#97: a founding cut short is not gone on with: {other:?}"
                ));
            }
        }
        rig.engine.accept(now, Dice(rng.dice()), &mut rig.ops);
        if !rig.work(&mut left, rng) {
            return Ok((rig, false));
        }
        rig.ready()?;
        Ok((rig, true))
    }

    /// Completes what is asked for, as far as the steps reach.
    fn work(&mut self, left: &mut Option<u64>, rng: &mut Rng) -> bool {
        self.take();
        while *left != Some(0) {
            if !self.complete(rng) {
                return true;
            }
            *left = left.map(|n| n - 1);
        }
        false
    }

    /// Another process comes up on what the last one left and reads it.
    pub(super) fn rise(disk: Disk, boot: u8, now: Now, rng: &mut Rng) -> Rig {
        Rig::rise_as(disk, boot, now, 0, 1, rng)
    }

    /// One shard of a node of so many.
    pub(super) fn rise_as(
        mut disk: Disk,
        boot: u8,
        now: Now,
        shard: u16,
        shards: u16,
        rng: &mut Rng,
    ) -> Rig {
        disk.faults = Faults::default();
        let mut rig = Rig::new(disk, boot, now, shard, shards);
        rig.engine.names_follow();
        rig.engine.start(
            now,
            Dice(rng.dice()),
            BootId([boot; 16]),
            SPACE,
            &mut rig.ops,
        );
        rig.take();
        rig
    }

    /// Completes so many operations of a start, or all; the report once it is ready.
    pub(super) fn recover(
        &mut self,
        steps: Option<u64>,
        rng: &mut Rng,
    ) -> Result<Option<Report>, String> {
        let mut report = None;
        let mut left = steps;
        loop {
            self.take();
            if let Some(broken) = self.broken() {
                return Err(format!("#97: the start refuses: {broken}"));
            }
            let judged = self
                .told
                .iter()
                .position(|told| matches!(told, Told::Judged(_)));
            if let Some(Told::Judged(found)) = judged.map(|at| self.told.remove(at)) {
                if !found.offline.is_empty() || found.doubt.is_some() {
                    return Err(format!(
                        "#99: a verdict of damage without damage: {found:?}"
                    ));
                }
                report = Some(found);
                self.engine
                    .accept(self.now, Dice(rng.dice()), &mut self.ops);
                continue;
            }
            if self.told.contains(&Told::Ready) {
                self.ready()?;
                return Ok(report);
            }
            if left == Some(0) {
                return Ok(None);
            }
            left = left.map(|n| n - 1);
            if !self.complete(rng) {
                return Err(format!("#97: the start stands still: {:?}", self.told));
            }
        }
    }

    fn ready(&mut self) -> Result<(), String> {
        if !self.told.contains(&Told::Ready) {
            return Err(format!("#97: not ready: {:?}", self.told));
        }
        self.told.retain(|told| *told != Told::Ready);
        Ok(())
    }

    /// Why it is finished, if it is.
    pub(super) fn broken(&self) -> Option<String> {
        self.told.iter().find_map(|told| match told {
            Told::Broken(broken) => Some(format!("{}: {}", broken.what, broken.why)),
            _ => None,
        })
    }

    pub(super) fn open(&mut self, log: LogId, dir: &Arc<str>, config: &TopicConfig) {
        self.engine.open(
            log,
            LogSpec {
                dir: dir.clone(),
                config: config.clone().into(),
                urgent: false,
            },
        );
    }

    /// Hands wishes over to the disk and to the clock.
    pub(super) fn take(&mut self) {
        for (ticket, op) in self.ops.ops.drain(..) {
            if let (None, FileOp::Alloc { file, .. }) = (self.fresh, &op) {
                self.fresh = durable(file);
            }
            self.disk.submit(ticket, op);
        }
        self.told.append(&mut self.ops.told);
        for (key, deadline) in self.ops.alarms.drain(..) {
            self.alarms.set(ShardId(0), key, deadline);
        }
    }

    /// Groups what is queued.
    pub(super) fn flush(&mut self) {
        self.engine.flush(self.now, &mut self.ops);
        self.take();
    }

    /// Completes one operation of those that may; false if there is none.
    pub(super) fn complete(&mut self, rng: &mut Rng) -> bool {
        let ready = self.disk.ready();
        let Some(index) = rng.pick(&ready).copied() else {
            return false;
        };
        if self.trace.is_some() {
            let op = self.disk.peek(index).map(brief).unwrap_or_default();
            self.tell(|| op);
        }
        if self.again
            && let Some(FileOp::Rename { from: file, .. } | FileOp::Unlink(file)) =
                self.disk.peek(index)
            && durable(file) < self.fresh
            && durable(file).is_some()
        {
            proof::sometimes("original-of-an-again-gone");
        }
        let Some((ticket, outcome)) = self.disk.complete(index) else {
            return false;
        };
        self.engine.done(self.now, ticket, outcome, &mut self.ops);
        self.take();
        true
    }

    /// Tells what happens.
    pub(super) fn tell(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let _ = writeln!(trace, "{}", text());
        }
    }

    /// Lets everything come to rest; an engine that asks for ever more is told of, with what it last asked for.
    pub(super) fn settle(&mut self, rng: &mut Rng) -> Result<(), String> {
        self.take();
        for _ in 0..REST {
            self.flush();
            if !self.complete(rng) {
                return Ok(());
            }
        }
        let mut last = Vec::new();
        for _ in 0..20 {
            let ready = self.disk.ready();
            last.extend(
                ready
                    .iter()
                    .filter_map(|index| self.disk.peek(*index))
                    .map(brief),
            );
            self.flush();
            self.complete(rng);
        }
        Err(format!(
            "#138: no rest after {REST} operations: {}",
            last.join("; ")
        ))
    }

    pub(super) fn pass(&mut self, millis: u64) {
        self.now.mono.0 += millis * 1_000_000;
        self.now.wall.0 += i64::try_from(millis).unwrap_or(0);
        while let Some((_, key)) = self.alarms.due(self.now) {
            self.alarm(key);
        }
    }

    pub(super) fn alarm(&mut self, key: AlarmKey) {
        self.engine.alarm(self.now, key, &mut self.ops);
        self.take();
    }

    pub(super) fn stop(&mut self) {
        self.engine
            .stop(self.now, sawlog_core::ids::BrokerEpoch(5), &mut self.ops);
        self.take();
    }

    /// Where the batches from an offset, or from the start, on lie; none if there is nothing or nobody to ask.
    pub(super) fn plan(
        &mut self,
        log: LogId,
        from: Option<Offset>,
        rng: &mut Rng,
    ) -> Result<Option<ReadPlan>, String> {
        for _ in 0..64 {
            let Some(marks) = self.engine.marks(log) else {
                return Err(format!("{log:?} is not known"));
            };
            let at = from.unwrap_or(marks.start);
            if at >= marks.written {
                return Ok(None);
            }
            let planned = self
                .engine
                .plan(log, at, marks.written, 1 << 20, true, &mut self.ops);
            self.take();
            match planned {
                Ok(Planned::Ready(plan)) => return Ok(Some(plan)),
                Ok(Planned::Later) => while self.complete(rng) {},
                Err(refusal) => return Err(format!("{log:?} cannot be read: {refusal:?}")),
            }
            if self.broken().is_some() {
                return Ok(None);
            }
        }
        Err(format!("{log:?}: no plan after 64 looks"))
    }

    /// Serves a plan as the shell does: what it names is read and checked.
    pub(super) fn serve(&mut self, plan: &ReadPlan) -> Result<Vec<Bytes>, String> {
        let mut batches = Vec::new();
        for place in &plan.places {
            let Some(file) = plan.files.get(usize::from(place.file)) else {
                return Err(format!("{plan:?} names a file that is not there"));
            };
            self.again |= self.fresh.is_some() && durable(file) == self.fresh;
            let read = FileOp::Read {
                file: file.clone(),
                at: place.at,
                len: place.len,
            };
            match self.disk.run(&read) {
                Outcome::Bytes(bytes) if checksum(plan.log, &bytes) == place.checksum => {
                    batches.push(bytes);
                }
                Outcome::Bytes(_) => {
                    return Err(format!(
                        "#7: {file} at {}: other bytes than promised",
                        place.at
                    ));
                }
                other => return Err(format!("#7: {file} at {}: {other:?}", place.at)),
            }
        }
        self.engine.served(plan, &Served::Whole, &mut self.ops);
        self.take();
        Ok(batches)
    }

    /// Gives a plan back unread.
    pub(super) fn dropped(&mut self, plan: &ReadPlan) {
        self.engine.served(plan, &Served::Dropped, &mut self.ops);
        self.take();
    }
}

/// The sequence of a file of the durable ring.
fn durable(file: &FileName) -> Option<u64> {
    match file {
        FileName::Ring {
            kind: RingKind::Durable,
            sequence,
            ..
        } => Some(*sequence),
        _ => None,
    }
}

fn brief(op: &FileOp) -> String {
    match op {
        FileOp::Put {
            file,
            at,
            pieces,
            how,
        } => {
            let bytes: usize = pieces.iter().map(Piece::len).sum();
            format!("put {file} at {at}, {bytes} B, {how:?}")
        }
        other => format!("{other:?}"),
    }
}
