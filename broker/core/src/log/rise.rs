//! Coming up, and what goes on behind the appends. Decides in which order a directory is laid out, adopted and served;
//! the judging itself is `recover`'s. Holds #96, #97, #98.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::file::{FaultKind, FileName, FileOp, Free, How, Outcome, Piece, RingKind, Side};
use crate::ids::{BootId, BrokerEpoch, LogId, Offset, ShardId, Ticket};
use crate::log::checkpoint::{self, Stamp};
use crate::log::commit::{Chain, RingSecret};
use crate::log::conf::Sizes;
use crate::log::engine::{Engine, Why};
use crate::log::keep::Needed;
use crate::log::lane::Lane;
use crate::log::live::Live;
use crate::log::recover::Recovery;
use crate::log::recovered::{FoundFile, Progress, Recovered, RingHead};
use crate::log::ring::{Lies, MakeStep, Ring, RingFile, ring_dir};
use crate::log::spill::SpillPhase;
use crate::log::state::{Fold, RingPoint};
use crate::log::told::{Broken, Ops, Told};
use crate::map::Map;
use crate::now::{Dice, Now, Wall};
use crate::proof;
use crate::timers::AlarmKey;

/// A start that finds more files of a ring than this frees some at once.
const FILES_AT_REST: usize = 3;

/// Where an engine is in its life.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Nothing is known.
    New,
    /// The directory is being read, judged, or what was accepted written again.
    Starting(Box<Recovery>),
    /// The directory is being laid out.
    Founding(Founding),
    /// Laid out, to be adopted.
    Laid,
    /// Serving.
    Ready,
    /// Everything is being put in order.
    Stopping(BrokerEpoch),
    /// Nothing more is written.
    Stopped,
    /// The directory is finished for this process.
    Broken,
}

/// Steps of a founding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Founding {
    /// The rings' directory is made.
    Dir(RingSecret),
    /// The first checkpoint is written, and then the second.
    Checkpoint(RingSecret, Side),
}

impl Engine {
    /// Begins to read what lies there. `Fresh` or `Judged` follows; nothing is changed until `accept`.
    pub fn start(&mut self, _now: Now, _dice: Dice, boot: BootId, space: Free, ops: &mut Ops) {
        self.boot = boot;
        self.space = space;
        self.sizes = Sizes::of(&self.conf, space, self.shards);
        self.full = space.total > 0 && space.free < self.sizes.free_low;
        self.begin_recovery(ops);
    }

    fn begin_recovery(&mut self, ops: &mut Ops) {
        let mut recovery = Box::new(Recovery::new(
            self.shard,
            self.shards,
            self.conf.doubt,
            self.sizes,
            self.boot,
        ));
        let before = ops.ops.len();
        recovery.begin(ops);
        self.phase = Phase::Starting(recovery);
        self.await_all(before, ops);
    }

    /// Lays a directory out: the rings' folder and two checkpoints with the rings' secret, un-synced; `Laid` follows.
    /// `node` makes it durable together with everything else. Two, because one that rots must never be the only one: the
    /// name that the next one takes may be gone again after a power cut (#100, #102).
    pub fn found(&mut self, _now: Now, dice: Dice, ops: &mut Ops) {
        self.phase = Phase::Founding(Founding::Dir(RingSecret(dice.0)));
        let ticket = ops.ask(FileOp::MakeDir(ring_dir()));
        self.waiting.insert(ticket, Why::Rise);
    }

    /// Goes on after the verdict, or after the founding: what was accepted is written again, then `Ready`.
    pub fn accept(&mut self, now: Now, dice: Dice, ops: &mut Ops) {
        let before = ops.ops.len();
        match &mut self.phase {
            Phase::Starting(recovery) => {
                recovery.accept(ops);
                self.await_all(before, ops);
            }
            // There is one way to come up: a directory that was just laid out is read like any other.
            Phase::Laid => {
                self.begin_recovery(ops);
                self.adopting = Some((now, dice));
            }
            _ => {}
        }
    }

    /// Between the verdict and `accept`: what this log holds below `from` is known from elsewhere, so that damage there
    /// does not count. Says whether the log is whole then.
    pub fn go_on_from(&mut self, log: LogId, from: Offset) -> bool {
        match &mut self.phase {
            Phase::Starting(recovery) => recovery.go_on_from(log, from),
            _ => false,
        }
    }

    fn await_all(&mut self, before: usize, ops: &Ops) {
        for (ticket, _) in ops.ops.iter().skip(before) {
            self.waiting.insert(*ticket, Why::Rise);
        }
    }

    /// A step of a start or a founding came back.
    pub(crate) fn rise_done(&mut self, now: Now, ticket: Ticket, outcome: Outcome, ops: &mut Ops) {
        if self.waiting.remove(&ticket).is_none() {
            return;
        }
        let before = ops.ops.len();
        match &mut self.phase {
            Phase::Starting(recovery) => {
                let progress = recovery.done(ticket, outcome, ops);
                self.await_all(before, ops);
                self.risen(now, progress, ops);
            }
            Phase::Founding(step) => {
                let step = *step;
                if let Outcome::Failed(fault) = outcome {
                    self.broken("the log directory could not be laid out", fault.text, ops);
                    return;
                }
                match step {
                    Founding::Dir(secret) => self.first_checkpoint(secret, Side::A, ops),
                    Founding::Checkpoint(secret, Side::A)
                        if !proof::mutant("founded-with-one-checkpoint") =>
                    {
                        self.first_checkpoint(secret, Side::B, ops);
                    }
                    Founding::Checkpoint(..) => {
                        self.phase = Phase::Laid;
                        ops.tell(Told::Laid);
                    }
                }
            }
            _ => {}
        }
    }

    fn first_checkpoint(&mut self, secret: RingSecret, side: Side, ops: &mut Ops) {
        self.phase = Phase::Founding(Founding::Checkpoint(secret, side));
        let stamp = Stamp {
            shard: self.shard,
            shards: self.shards,
            number: match side {
                Side::A => 1,
                Side::B => 2,
            },
            secret,
            wall: Wall(0),
        };
        let frame = checkpoint::base(stamp, &Fold::default());
        let file = FileName::Checkpoint {
            shard: self.shard,
            side,
        };
        let op = FileOp::Put {
            file,
            at: 0,
            pieces: Vec::from([Piece::Bytes(frame.bytes)]),
            how: How::Cached,
        };
        let ticket = ops.ask(op);
        self.waiting.insert(ticket, Why::Rise);
    }

    fn risen(&mut self, now: Now, progress: Progress, ops: &mut Ops) {
        match progress {
            Progress::More => {}
            Progress::Fresh => {
                self.phase = Phase::New;
                ops.tell(Told::Fresh);
            }
            Progress::Judged(report) => match self.adopting.take() {
                Some((now, dice)) => self.accept(now, dice, ops),
                None => ops.tell(Told::Judged(report)),
            },
            Progress::Broken(broken) => self.refuse(broken, ops),
            Progress::Up(recovered) => self.adopt(now, *recovered, ops),
        }
    }

    fn refuse(&mut self, broken: Broken, ops: &mut Ops) {
        self.finish(broken, ops);
    }

    /// Takes over what a start found. Everything in it is durable.
    pub(crate) fn adopt(&mut self, now: Now, recovered: Recovered, ops: &mut Ops) {
        let Recovered {
            fold,
            durable,
            fast,
            files,
            secret,
            side,
            number,
            wall,
            alone,
            offline,
            foreign,
        } = recovered;
        self.fold = fold;
        self.live = self
            .fold
            .logs
            .iter()
            .map(|(log, state)| (*log, Box::new(Live::recovered(*log, state))))
            .collect();
        for (log, why) in offline {
            if let Some(live) = self.live.get_mut(&log) {
                live.offline = Some(why);
            }
        }
        self.keeper.stamp = Stamp {
            shard: self.shard,
            shards: self.shards,
            number,
            secret,
            wall,
        };
        self.drops.steady.begin(now, wall);
        self.keeper.clock = self.drops.steady.known(now);
        if let (ShardId(0), Some(hours)) = (self.shard, self.drops.steady.gap()) {
            ops.tell(Told::Note(alloc::format!(
                "The clock is {hours} hours ahead of the time at which this directory was last in use. Until the node has \
                 run for as long as a topic keeps its records, their age is counted from that time. Nothing needs to be \
                 done if the clock is right; set it if it is wrong"
            )));
        }
        self.keeper.side = side;
        self.keeper.needs = [Needed::all(), Needed::all()];
        self.keeper.foreign = foreign;
        let mut order = orders(&self.fold);
        self.lanes.durable = Some(self.lane(RingKind::Durable, durable, &files, &mut order));
        self.lanes.fast = fast.map(|head| self.lane(RingKind::Fast, head, &files, &mut order));
        self.phase = Phase::Ready;
        self.last_commit = now.mono;
        self.began = now.mono;
        ops.wake(AlarmKey::Retention, now.after(self.conf.retention_every));
        ops.wake(AlarmKey::Producers, now.after(self.conf.retention_every));
        ops.tell(Told::Ready);
        let files = self.lanes.iter().map(|lane| lane.ring.files.len()).max();
        if files.is_some_and(|files| files > FILES_AT_REST) {
            // Every start takes a fresh file: a process that keeps dying must not fill the disk with old ones.
            self.keeper.wanted = 2;
        }
        if alone {
            // The other copy is made whole again at once: one may rot, not both.
            self.keeper.wanted = self.keeper.wanted.max(1);
        }
        if !self.keeper.foreign.is_empty() {
            // What other shards' files held is to lie in checkpoints and segments of this one soon.
            self.spill.everything = true;
            self.keeper.wanted = 2;
        }
    }

    fn lane(
        &self,
        kind: RingKind,
        head: RingHead,
        files: &[FoundFile],
        order: &mut Map<(RingKind, u64), Vec<Lies>>,
    ) -> Lane {
        let mut fresh = RingFile::empty(head.file, head.len);
        fresh.used = head.used;
        let mut ring = Ring::new(kind, self.shard, head.chain, fresh, head.last);
        let mut older: Vec<FoundFile> = files
            .iter()
            .filter(|file| file.kind == kind && file.sequence != head.file)
            .copied()
            .collect();
        older.sort_by_key(|file| file.sequence);
        for file in older.into_iter().rev() {
            assert!(
                file.sequence < head.file,
                "#96: the file of a start is the newest of its ring"
            );
            let mut old = RingFile::empty(file.sequence, file.len);
            old.used = old.len;
            ring.files.push_front(old);
        }
        for file in &mut ring.files {
            if let Some(lies) = order.remove(&(kind, file.sequence)) {
                lies.into_iter().for_each(|lies| file.lay(lies));
            }
        }
        Lane::new(ring)
    }

    /// Goes on with everything that is done behind the appends.
    pub(crate) fn go_on(&mut self, now: Now, ops: &mut Ops) {
        self.keeper.clock = self.drops.steady.known(now);
        self.weigh_ballast(ops);
        self.make_fast_ring(ops);
        self.drop_on(ops);
        self.rebuild_next(ops);
        if let Phase::Stopping(broker) = self.phase {
            self.stop_on(now, broker, ops);
            if !self.running() {
                return;
            }
        }
        // What is free by now is taken before anything is judged to be stuck.
        for kind in [RingKind::Durable, RingKind::Fast] {
            self.prepare_file(kind, ops);
        }
        self.spill_if_due(ops);
        self.keep_if_due(ops);
    }

    /// Stopping: the queue drains, everything is spilled, a checkpoint names it, the last fact is written.
    fn stop_on(&mut self, _now: Now, broker: BrokerEpoch, ops: &mut Ops) {
        if self.lanes.get(RingKind::Fast).is_some() {
            self.sync_fast(ops);
        }
        let helpless = self.full && (self.starved || !self.relief_helps());
        if helpless && self.stuck() && self.in_flight() == 0 {
            // What is queued finds no place and was promised to nobody: the next start reads the ring.
            self.stop_landed(ops);
            return;
        }
        let settled =
            self.lanes.idle() && self.spill.phase == SpillPhase::Idle && !self.keeper.busy;
        let settled = settled && self.placing.logs.is_empty();
        if !settled || !self.drops.wanted.is_empty() {
            return;
        }
        match self.stop_step {
            StopStep::Drain => {
                self.stop_step = StopStep::Spill;
                self.spill.everything = true;
            }
            StopStep::Spill if self.keeper.wanted == 0 => {
                self.stop_step = StopStep::Fact;
                if self.full {
                    // Without a spill and a checkpoint the marker would lie: the next start reads the ring.
                    self.stop_landed(ops);
                } else {
                    self.queue_stopped(broker);
                }
            }
            StopStep::Spill | StopStep::Fact => {}
        }
    }

    /// A checkpoint is durable: files that nothing needs may be recycled, and those of shards that are no more go.
    pub(crate) fn checkpointed(&mut self, ops: &mut Ops) {
        if self.keeper.written >= 2 {
            for file in core::mem::take(&mut self.keeper.foreign) {
                let ticket = ops.ask(FileOp::Unlink(file));
                self.waiting.insert(ticket, Why::Tidy);
            }
        }
        for kind in [RingKind::Durable, RingKind::Fast] {
            self.prepare_file(kind, ops);
        }
        self.keep_if_due(ops);
    }

    /// Makes the next ring file ready, if one is wanted.
    pub(crate) fn prepare_file(&mut self, kind: RingKind, ops: &mut Ops) {
        let [a, b] = &self.keeper.needs;
        let needs = [a.ring(kind), b.ring(kind)];
        let kept = &self.keeper.newest().ring(kind).kept;
        let space = self.has_space_for_file();
        let lane = match kind {
            RingKind::Durable => self.lanes.durable.as_mut(),
            RingKind::Fast => self.lanes.fast.as_mut(),
        };
        let Some(lane) = lane else { return };
        if self.full && !lane.ring.stalled {
            return;
        }
        while let Some((ticket, step)) = lane.ring.prepare(needs, kept, &self.sizes, space, ops) {
            match step {
                Some(step) => {
                    self.waiting.insert(ticket, Why::Make(kind, step));
                    return;
                }
                None => {
                    self.waiting.insert(ticket, Why::Tidy);
                }
            }
        }
    }

    /// A step of making a ring file ready came back.
    pub(crate) fn file_made(
        &mut self,
        kind: RingKind,
        step: MakeStep,
        outcome: Outcome,
        ops: &mut Ops,
    ) {
        if let Outcome::Failed(fault) = outcome {
            if step == MakeStep::Alloc && fault.kind == FaultKind::Full {
                self.starve();
                let unlinked = self
                    .lanes
                    .get_mut(kind)
                    .and_then(|lane| lane.ring.unmade(ops));
                if let Some(ticket) = unlinked {
                    self.waiting.insert(ticket, Why::Tidy);
                }
                ops.tell(Told::Note(alloc::format!(
                    "A file of the commit log could not be made: {}",
                    fault.text
                )));
            } else {
                self.broken(
                    "a file of the commit log could not be made ready",
                    fault.text,
                    ops,
                );
            }
            return;
        }
        let Some(lane) = self.lanes.get_mut(kind) else {
            return;
        };
        if let Some((ticket, step)) = lane.ring.made(step, ops) {
            self.waiting.insert(ticket, Why::Make(kind, step));
        }
    }

    /// The second ring is made when the first `replicated` topic is opened; until it is ready such topics are written
    /// to the durable one, which is more than they ask for.
    fn make_fast_ring(&mut self, ops: &mut Ops) {
        if !self.lanes.fast_wanted || self.lanes.fast.is_some() {
            return;
        }
        match &mut self.lanes.fast_making {
            Some(_) => {}
            None => {
                let chain = Chain::new(
                    RingKind::Fast,
                    self.shard,
                    self.keeper.stamp.secret,
                    RingPoint::default(),
                    1,
                );
                let mut ring =
                    Ring::new(RingKind::Fast, self.shard, chain, RingFile::empty(0, 0), 0);
                ring.files.clear();
                ring.next_file = 1;
                let all = Needed::all().fast;
                if let Some((ticket, Some(step))) =
                    ring.prepare([&all, &all], &all.kept, &self.sizes, true, ops)
                {
                    self.waiting.insert(ticket, Why::MakeFast(step));
                }
                self.lanes.fast_making = Some(ring);
            }
        }
    }

    /// A step of making the second ring came back.
    pub(crate) fn fast_made(&mut self, step: MakeStep, outcome: Outcome, ops: &mut Ops) {
        let Some(ring) = &mut self.lanes.fast_making else {
            return;
        };
        if let Outcome::Failed(fault) = outcome {
            if step == MakeStep::Alloc && fault.kind == FaultKind::Full {
                if let Some(ticket) = ring.unmade(ops) {
                    self.waiting.insert(ticket, Why::Tidy);
                }
                self.lanes.fast_making = None;
                self.lanes.fast_wanted = false;
                self.starve();
            } else {
                self.broken("the fast commit log could not be made", fault.text, ops);
            }
            return;
        }
        if let Some((ticket, step)) = ring.made(step, ops) {
            self.waiting.insert(ticket, Why::MakeFast(step));
            return;
        }
        if let Some(mut ring) = self.lanes.fast_making.take()
            && let Some(spare) = ring.spares.pop_front()
        {
            self.fold.fast.file = spare.sequence;
            ring.files
                .push_back(RingFile::empty(spare.sequence, spare.len));
            self.lanes.fast = Some(Lane::new(ring));
        }
    }
}

/// How far a stop has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum StopStep {
    /// What is queued is written.
    #[default]
    Drain,
    /// Everything is spilled and named by a checkpoint.
    Spill,
    /// The last fact is written.
    Fact,
}

/// The batches of every ring file in the order in which they lie there.
fn orders(fold: &Fold) -> Map<(RingKind, u64), Vec<Lies>> {
    let mut order: Map<(RingKind, u64), Vec<Lies>> = Map::new();
    for (log, state) in &fold.logs {
        for batch in &state.ring {
            let lies = Lies {
                log: *log,
                base: batch.base,
                at: batch.spot.at,
                len: batch.len,
            };
            order
                .entry((batch.spot.kind, batch.spot.file))
                .or_default()
                .push(lies);
        }
    }
    for lies in order.values_mut() {
        lies.sort_by_key(|lies| lies.at);
    }
    order
}
