//! The storage engine of one shard: every byte, name and order on disk is decided behind this door, none is touched.
//! Decides what is refused and what a completion was for; the files beside it decide the rest. Holds #1, #4, #10, #105.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use sawlog_wire::records::batch::BatchHeader;

use crate::file::{Free, Outcome, RingKind};
use crate::ids::{
    BootId, BrokerEpoch, LeaderEpoch, LogId, Offset, ProducerEpoch, ProducerId, Sequence, ShardId,
    Ticket,
};
use crate::log::checksum;
use crate::log::conf::{EngineConf, Sizes};
use crate::log::direct::{PlaceStep, Placing, Way};
use crate::log::drops::{DropStep, Drops};
use crate::log::find::Finds;
use crate::log::keep::{KeepStep, Keeper};
use crate::log::lane::Lanes;
use crate::log::live::{Ahead, Live, LogSpec};
use crate::log::producers::Producer;
use crate::log::queue::{Class, Item};
use crate::log::read::Reads;
use crate::log::rebuild::{RebuildStep, Rebuilds};
use crate::log::refusal::{AppendRefusal, TrimRefusal};
use crate::log::ring::MakeStep;
use crate::log::rise::{Phase, StopStep};
use crate::log::spill::{Spill, SpillWhy};
use crate::log::state::{
    BatchEntry, BatchKind, Entry, Fact, Fold, NodeFact, ProducerBatch, RingBatch, Spot,
};
use crate::log::told::{Broken, Ops, Told};
use crate::log::windows::{WindowKey, Windows};
use crate::map::Map;
use crate::marks::{Durability, Marks};
use crate::now::{Dice, Mono, Now};
use crate::proof;
use crate::timers::AlarmKey;

/// What an operation was asked for.
#[derive(Clone, Debug)]
pub(crate) enum Why {
    /// A commit of this ring.
    Commit(RingKind),
    /// One file of the fast ring is synced.
    SyncFast,
    /// A step of making the fast ring itself.
    MakeFast(MakeStep),
    /// A step of making a ring file ready.
    Make(RingKind, MakeStep),
    /// A step of the spill.
    Spill(SpillWhy),
    /// A step of writing a checkpoint.
    Keep(KeepStep),
    /// A window of a sidecar that had so many entries when it was asked for.
    Window(WindowKey, u32),
    /// A step of making a sidecar again.
    Rebuild(RebuildStep),
    /// One read of a load.
    Load(u64, usize),
    /// A step of putting batches straight into a segment.
    Place(LogId, PlaceStep),
    /// A step of removing a dropped log's directory.
    Drop(LogId, DropStep),
    /// A step of the start or of the founding.
    Rise,
    /// The ballast was made or given up.
    Ballast,
    /// Nobody waits for it; a failure is shown and otherwise harmless.
    Tidy,
}

/// See the file's head.
#[derive(Debug)]
pub struct Engine {
    pub(crate) shard: ShardId,
    pub(crate) shards: u16,
    pub(crate) conf: EngineConf,
    pub(crate) sizes: Sizes,
    pub(crate) boot: BootId,
    pub(crate) phase: Phase,
    /// What is durable: the only thing that a checkpoint is made of.
    pub(crate) fold: Fold,
    /// What is open or has data.
    pub(crate) live: Map<LogId, Box<Live>>,
    pub(crate) lanes: Lanes,
    pub(crate) waiting: Map<Ticket, Why>,
    pub(crate) spill: Spill,
    pub(crate) keeper: Keeper,
    pub(crate) windows: Windows,
    pub(crate) reads: Reads,
    pub(crate) rebuilds: Rebuilds,
    pub(crate) finds: Finds,
    pub(crate) drops: Drops,
    pub(crate) placing: Placing,
    pub(crate) since_spill: u64,
    pub(crate) since_checkpoint: u64,
    /// When this process took over.
    pub(crate) began: Mono,
    pub(crate) last_commit: Mono,
    pub(crate) mark_due: bool,
    pub(crate) telling: u64,
    pub(crate) holding: bool,
    pub(crate) space: Free,
    pub(crate) full: bool,
    /// A write met a full disk since the space was last looked at.
    pub(crate) starved: bool,
    /// Whether the ballast is there, and whether it is being made or given up.
    pub(crate) ballast: crate::log::space::Ballast,
    /// The directory was laid out by this process and is being read for the first time.
    pub(crate) adopting: Option<(Now, Dice)>,
    pub(crate) stop_step: StopStep,
    /// Names of logs are still to come: what has none is not nobody's yet.
    pub(crate) names_follow: bool,
    /// Logs that a start found damaged: said with the first flush after they are opened, when they have a name.
    pub(crate) damaged: Vec<LogId>,
}

/// What became of an append.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Appended {
    /// It is queued.
    New {
        /// Offset of its first record.
        base: Offset,
        /// Offset of its last record.
        last: Offset,
    },
    /// It is a retry: the original lies here, perhaps not durable yet. To be parked at its end (#11, #69, #72).
    Duplicate {
        /// Offset of the original's first record.
        base: Offset,
        /// Offset of the original's last record.
        last: Offset,
    },
}

impl Engine {
    /// An engine that knows nothing yet; `start` comes next.
    pub fn new(shard: ShardId, shards: u16, conf: EngineConf) -> Engine {
        Engine {
            shard,
            shards,
            conf,
            sizes: Sizes::of(&conf, Free::default(), shards),
            boot: BootId::default(),
            phase: Phase::New,
            fold: Fold::default(),
            live: Map::new(),
            lanes: Lanes::default(),
            waiting: Map::new(),
            spill: Spill::default(),
            keeper: Keeper::default(),
            windows: Windows::default(),
            reads: Reads::default(),
            rebuilds: Rebuilds::default(),
            finds: Finds::default(),
            drops: Drops::default(),
            placing: Placing::default(),
            since_spill: 0,
            since_checkpoint: 0,
            began: Mono(0),
            last_commit: Mono(0),
            mark_due: false,
            telling: 0,
            holding: false,
            space: Free::default(),
            full: false,
            starved: false,
            ballast: crate::log::space::Ballast::Unknown,
            adopting: None,
            stop_step: StopStep::Drain,
            names_follow: false,
            damaged: Vec::new(),
        }
    }

    /// Logs will be opened once the metadata is loaded; until `named` none gets files under a name of its own making.
    pub fn names_follow(&mut self) {
        self.names_follow = true;
    }

    /// Every log that the metadata names is open: what is not is kept as nobody's (#40).
    pub fn named(&mut self) {
        if core::mem::take(&mut self.names_follow) {
            self.spill.relief = 0;
        }
    }

    /// Opens a log for appends and reads, or gives an open one new settings. A log that has no data yet costs nothing
    /// on disk: its directory is made when it first spills.
    pub fn open(&mut self, log: LogId, spec: LogSpec) {
        let lost = self.fold.claim_lost(log);
        let state = self.fold.logs.get(&log).map(|state| &**state);
        let live = self.live.entry(log).or_insert_with(|| {
            Box::new(match state {
                Some(state) => Live::recovered(log, state),
                None => Live::new(log),
            })
        });
        if spec.config.durability == Durability::Replicated {
            self.lanes.fast_wanted = true;
        }
        if live.spec.is_none() && live.offline.is_some() {
            self.damaged.push(log);
        }
        live.open(spec, state);
        if let Some(end) = lost {
            live.offline = Some(alloc::format!(
                "offsets up to {end} were durable and cannot be read"
            ));
        }
    }

    /// Whether the log is open here.
    pub fn is_open(&self, log: LogId) -> bool {
        self.live
            .get(&log)
            .is_some_and(|live| live.spec.is_some() && !live.dropping)
    }

    /// The logs that have data or are open, whether or not the metadata names them (#40).
    pub fn logs(&self) -> impl Iterator<Item = LogId> + '_ {
        self.live.keys().copied()
    }

    /// Queues a batch that `api` has walked and found whole. What is returned is a place, not a promise: `Written` and
    /// `Durable` follow.
    pub fn append(
        &mut self,
        now: Now,
        log: LogId,
        batch: &BatchHeader,
        bytes: Bytes,
        epoch: LeaderEpoch,
    ) -> Result<Appended, AppendRefusal> {
        if !matches!(self.phase, Phase::Ready) {
            return Err(match self.phase {
                Phase::Stopping(_) | Phase::Stopped => AppendRefusal::Stopping,
                _ => AppendRefusal::Offline,
            });
        }
        let live = self.live.get_mut(&log).ok_or(AppendRefusal::NotOpen)?;
        if live.spec.is_none() || live.dropping {
            return Err(AppendRefusal::NotOpen);
        }
        if live.offline.is_some() {
            return Err(AppendRefusal::Offline);
        }
        let urgent = live.urgent();
        if self.full && !urgent {
            return Err(AppendRefusal::NoSpace);
        }
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if len > self.sizes.batch_max {
            return Err(AppendRefusal::TooLarge {
                max: self.sizes.batch_max,
            });
        }
        let by_ring = matches!(live.direct.way, Way::Ring(_));
        let wanted = match live.durability() {
            // What is staged comes to the durable ring, if to any: nothing behind it may be written before it (#10).
            Durability::Replicated if self.lanes.fast.is_some() && by_ring => RingKind::Fast,
            _ => RingKind::Durable,
        };
        if live.pending == 0 {
            if live.ring != wanted {
                proof::sometimes("both-rings-hold-one-partition");
            }
            live.ring = wanted;
        }
        let Some(lane) = self.lanes.get(live.ring) else {
            return Err(AppendRefusal::Offline);
        };
        if lane.queue.bytes() + self.placing.bytes + u64::from(len) > self.conf.queue_max {
            return Err(AppendRefusal::Busy);
        }
        let delta = u32::try_from(batch.last_offset_delta).unwrap_or(0);
        let producer = (batch.producer_id >= 0).then_some(ProducerBatch {
            id: ProducerId(batch.producer_id),
            epoch: ProducerEpoch(batch.producer_epoch),
            base_sequence: Sequence(batch.base_sequence),
        });
        if let Some(producer) = &producer {
            let ahead = live.ahead.get(&producer.id).map(|ahead| &ahead.producer);
            let known = ahead.or_else(|| {
                self.fold
                    .logs
                    .get(&log)
                    .and_then(|state| state.producers.by_id.get(&producer.id))
            });
            let judged = Producer::judge(known, producer, delta)?;
            live.heard.insert(producer.id, now.mono);
            if let Some((base, last)) = judged {
                return Ok(Appended::Duplicate { base, last });
            }
        }
        // Refusals end here: what follows cannot fail.
        assert!(
            epoch >= live.epoch,
            "#4: {log:?} appends under epoch {epoch} after {}",
            live.epoch
        );
        let base = live.marks.next;
        live.lead(epoch, base);
        let stamp = crate::file::Stamp { base, epoch };
        let placed = RingBatch {
            base,
            delta,
            epoch,
            len,
            checksum: checksum::stamped(live.seed, &bytes, stamp),
            max_timestamp: batch.max_timestamp,
            spot: Spot {
                kind: live.ring,
                file: 0,
                at: 0,
            },
        };
        live.roll(&placed, Live::time_of(&placed, now));
        live.marks.next = placed.next();
        live.pending += 1;
        if let Some(producer) = &producer {
            let (known, batches) = match live.ahead.remove(&producer.id) {
                Some(ahead) => (Some(ahead.producer), ahead.batches),
                None => (
                    self.fold
                        .logs
                        .get(&log)
                        .and_then(|state| state.producers.by_id.get(&producer.id))
                        .cloned(),
                    0,
                ),
            };
            let after = Producer::after(known, producer, &placed);
            live.ahead.insert(
                producer.id,
                Ahead {
                    producer: after,
                    batches: batches + 1,
                },
            );
        }
        let entry = Entry::Batch(BatchEntry {
            kind: BatchKind::New,
            log,
            generation: live.generation,
            batch: placed,
            producer,
            attributes: batch.raw_attributes,
            home: None,
        });
        let class = if urgent { Class::Urgent } else { Class::User };
        self.choose_way(now, log, &placed, class);
        self.admit(log, class, Item { entry, bytes });
        Ok(Appended::New {
            base,
            last: Offset(placed.next().0 - 1),
        })
    }

    /// Notes that a leadership begins at the log's end, whether or not it will write anything (#4).
    pub fn begin_epoch(&mut self, log: LogId, epoch: LeaderEpoch) {
        let Some(live) = self.live.get_mut(&log) else {
            return;
        };
        if epoch <= live.epoch {
            return;
        }
        let at = live.marks.next;
        live.lead(epoch, at);
        self.queue_fact(log, Fact::Epoch(epoch, at));
    }

    /// Where the records of an epoch end (KIP-101): the greatest known epoch at or below it and that one's end.
    pub fn epoch_end(&self, log: LogId, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        let live = self.live.get(&log)?;
        if epoch >= live.epoch {
            return Some((live.epoch, live.marks.next));
        }
        let folded = self.fold.logs.get(&log).map(|state| &state.epochs);
        if live.begun.iter().len() == 0 || proof::mutant("epochs-of-the-fold-only") {
            return folded?.end_of(epoch, live.marks.next);
        }
        let mut all = folded.cloned().unwrap_or_default();
        for (epoch, at) in live.begun.iter() {
            all.note(epoch, at);
        }
        all.end_of(epoch, live.marks.next)
    }

    /// The epoch under which the record at an offset was appended, where the history tells.
    pub fn epoch_of(&self, log: LogId, at: Offset) -> Option<LeaderEpoch> {
        let folded = self
            .fold
            .logs
            .get(&log)
            .and_then(|state| state.epochs.at(at));
        let placed = self
            .live
            .get(&log)
            .and_then(|live| live.placed.iter().rev().find(|batch| batch.base <= at));
        placed.map(|batch| batch.epoch).or(folded)
    }

    /// The last epoch noted.
    pub fn last_epoch(&self, log: LogId) -> Option<LeaderEpoch> {
        self.live.get(&log).map(|live| live.epoch)
    }

    /// Moves the log's start: DeleteRecords and retention. `Started` follows when it is durable (#89).
    pub fn trim(&mut self, log: LogId, start: Offset) -> Result<(), TrimRefusal> {
        let running = matches!(self.phase, Phase::Ready);
        let live = self.live.get_mut(&log).ok_or(TrimRefusal::NotOpen)?;
        if live.dropping {
            return Err(TrimRefusal::NotOpen);
        }
        if !running || live.offline.is_some() {
            return Err(TrimRefusal::Offline);
        }
        if start > live.marks.hw && !proof::mutant("start-beyond-hw") {
            return Err(TrimRefusal::OutOfRange { hw: live.marks.hw });
        }
        if start <= live.trimming {
            // It starts there already, or will: `Started` of the earlier wish answers both.
            return Ok(());
        }
        live.trimming = start;
        self.queue_fact(log, Fact::Start(start));
        Ok(())
    }

    /// A committed delete named the log (#40): its appends end now, its bytes go once the fact is durable. `dir` is the
    /// directory that its first spill makes: it may have been begun by a process that died before a checkpoint named it.
    pub fn drop_log(&mut self, log: LogId, dir: Arc<str>) {
        if let Some(known) = self.fold.dropped.get_mut(&log) {
            if !proof::mutant("drop-forgets-the-name") {
                known.get_or_insert(dir);
            }
            return;
        }
        let Some(live) = self.live.get_mut(&log) else {
            return;
        };
        if !live.dropping {
            live.dropping = true;
            // What is queued or in flight lands first: an entry behind the fact would make the log anew.
            self.drops.wanted.push(log);
            self.drops.leaving.insert(log, dir);
        }
    }

    /// Logs whose deletion is durable, and whose directory may still be there.
    pub fn dropped_logs(&self) -> impl Iterator<Item = LogId> + '_ {
        self.fold.dropped.keys().copied()
    }

    /// Forgets a producer that was silent for too long (#74).
    pub(crate) fn expire(&mut self, log: LogId, producer: ProducerId) {
        if let Some(live) = self.live.get_mut(&log) {
            live.heard.remove(&producer);
            let fact = Fact::Expired(producer, live.marks.next);
            self.queue_fact(log, fact);
        }
    }

    pub(crate) fn queue_fact(&mut self, log: LogId, fact: Fact) {
        let Some(live) = self.live.get(&log) else {
            return;
        };
        let class = if live.urgent() {
            Class::Urgent
        } else {
            Class::User
        };
        let entry = Entry::Fact(log, live.generation, fact);
        let bytes = Bytes::new();
        self.admit(log, class, Item { entry, bytes });
    }

    /// The marks of a log; none if it is not known here.
    pub fn marks(&self, log: LogId) -> Option<Marks> {
        self.live.get(&log).map(|live| live.marks)
    }

    /// Moves what readers may see, as `replica` decides. Asserts the order of the marks (#5, #12).
    pub fn raise(&mut self, log: LogId, hw: Offset, stable: Offset) {
        if let Some(live) = self.live.get_mut(&log) {
            let seen = live.marks.hw;
            live.marks.hw = hw.max(live.marks.start);
            live.marks.stable = stable.max(live.marks.start);
            live.marks.check(live.durability(), seen);
        }
    }

    /// Why a log serves no more, if so.
    pub fn offline(&self, log: LogId) -> Option<&str> {
        self.live.get(&log)?.offline.as_deref()
    }

    /// The largest batch that this file system's rings carry.
    pub fn batch_max(&self) -> u32 {
        self.sizes.batch_max
    }

    /// Whether this engine asked for the operation.
    pub fn owns(&self, ticket: Ticket) -> bool {
        self.waiting.contains_key(&ticket)
    }

    /// An operation came back.
    pub fn done(&mut self, now: Now, ticket: Ticket, outcome: Outcome, ops: &mut Ops) {
        if let Phase::Starting(_) | Phase::Founding(_) = self.phase {
            self.rise_done(now, ticket, outcome, ops);
            return;
        }
        let Some(why) = self.waiting.remove(&ticket) else {
            return;
        };
        if matches!(self.phase, Phase::Broken) {
            return;
        }
        match why {
            Why::Commit(kind) => self.commit_done(now, kind, ticket, outcome, ops),
            Why::SyncFast => self.fast_synced(now, ticket, outcome, ops),
            Why::Make(kind, step) => self.file_made(kind, step, outcome, ops),
            Why::MakeFast(step) => self.fast_made(step, outcome, ops),
            Why::Spill(why) => self.spill_done(why, outcome, ops),
            Why::Keep(step) => self.kept(step, outcome, ops),
            Why::Window(key, batches) => self.window_done(key, batches, outcome, ops),
            Why::Rebuild(step) => self.rebuild_done(step, outcome, ops),
            Why::Load(id, index) => self.load_done(id, index, outcome, ops),
            Why::Drop(log, step) => self.drop_done(log, step, outcome, ops),
            Why::Place(log, step) => self.placed(log, step, outcome, ops),
            Why::Ballast => self.ballast_done(outcome),
            Why::Rise => {}
            Why::Tidy => {
                if let Outcome::Failed(fault) = outcome {
                    ops.tell(Told::Note(format!(
                        "a file that is no longer needed could not be removed: {}",
                        fault.text
                    )));
                }
            }
        }
    }

    /// An alarm that this engine wished for.
    pub fn alarm(&mut self, now: Now, key: AlarmKey, ops: &mut Ops) {
        if !self.running() {
            return;
        }
        match key {
            AlarmKey::Flush => self.sync_fast(ops),
            AlarmKey::Mark => self.write_mark(now, ops),
            // A stop ends with its own fact: no other is begun once it is under way (#103).
            AlarmKey::Retention | AlarmKey::Producers if !matches!(self.phase, Phase::Ready) => {}
            AlarmKey::Retention => self.retain(now, ops),
            AlarmKey::Producers => self.expire_producers(now, ops),
            AlarmKey::Space | AlarmKey::Parked | AlarmKey::Snapshot => {}
        }
    }

    /// Puts everything in order: all is spilled, a checkpoint names it, then the fact `stopped`. `Told::Stopped` follows.
    pub fn stop(&mut self, now: Now, broker: BrokerEpoch, ops: &mut Ops) {
        match self.phase {
            Phase::Ready => {
                self.phase = Phase::Stopping(broker);
                self.end_direct();
                self.flush(now, ops);
            }
            Phase::Stopping(_) => {}
            _ => {
                self.phase = Phase::Stopped;
                ops.tell(Told::Stopped);
            }
        }
    }

    /// The last fact, once nothing else is left to do.
    pub(crate) fn queue_stopped(&mut self, broker: BrokerEpoch) {
        if let Some(lane) = self.lanes.get_mut(RingKind::Durable) {
            let entry = Entry::Node(NodeFact::Stopped(broker));
            lane.queue.push(
                Class::Urgent,
                Item {
                    entry,
                    bytes: Bytes::new(),
                },
            );
        }
    }

    pub(crate) fn stop_landed(&mut self, ops: &mut Ops) {
        self.phase = Phase::Stopped;
        ops.tell(Told::Stopped);
    }

    /// Whether commits are written.
    pub(crate) fn running(&self) -> bool {
        matches!(self.phase, Phase::Ready | Phase::Stopping(_))
    }

    /// Ends everything for this directory (#101).
    pub(crate) fn finish(&mut self, broken: Broken, ops: &mut Ops) {
        if !matches!(self.phase, Phase::Broken) {
            self.phase = Phase::Broken;
            ops.tell(Told::Broken(broken));
        }
    }

    /// Takes one log out of service; its bytes stay as they are (#99, #106).
    pub(crate) fn take_offline(&mut self, log: LogId, why: String, ops: &mut Ops) {
        let Some(live) = self.live.get_mut(&log) else {
            return;
        };
        if live.offline.is_none() {
            live.offline = Some(why.clone());
            // The next checkpoint may free files for others.
            self.spill.relief = 0;
            ops.tell(Told::Offline(log, why));
        }
    }

    /// Says once whether sockets should rest.
    pub(crate) fn hold(&mut self, ops: &mut Ops) {
        let queued: u64 = self.lanes.iter().map(|lane| lane.queue.bytes()).sum();
        let queued = queued + self.placing.bytes;
        let stalled = self.lanes.iter().any(|lane| lane.ring.stalled);
        let crowded = if self.holding {
            stalled || queued > self.conf.hold_above / 2
        } else {
            queued > self.conf.hold_above
        };
        // On a full disk nothing is spilled, and appends are refused anyway.
        let far = self.far_behind() && !self.full && !self.starved && self.running();
        if far {
            proof::sometimes("held-for-the-spill");
        }
        let hold = crowded && queued > 0 || far;
        if hold != self.holding {
            self.holding = hold;
            ops.tell(Told::Hold(hold));
        }
    }

    /// Batches on their way to a ring, for tests.
    pub fn in_flight(&self) -> usize {
        self.lanes.iter().map(|lane| lane.ring.inflight.len()).sum()
    }
}
