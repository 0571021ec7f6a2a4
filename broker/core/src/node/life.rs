//! The life of a running shard: which event goes to whom, and how wishes and statements of the engine leave.
//! Decides order and nothing else: first what came in, then what follows from what became true.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use sawlog_wire::Code;

use crate::cluster::image::Image;
use crate::complaint::Complaint;
use crate::effect::{Effect, Line};
use crate::event::{Event, Found, Judged, News};
use crate::ids::{BrokerEpoch, BrokerId, LogId, ShardId, Ticket};
use crate::log::{Engine, Ops, Told};
use crate::map::{Map, Set};
use crate::node::chore::{Chores, Ended};
use crate::node::head::Head;
use crate::node::parts::{Partition, Tag};
use crate::node::start::Coming;
use crate::now::{Deadline, Dice, Now};
use crate::proof;
use crate::timers::AlarmKey;

/// How often the free space is looked at.
const SPACE_EVERY: Duration = Duration::from_secs(1);

/// Where a shard stands between start and end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Not all of the node is there yet.
    Coming,
    /// Serving.
    Up,
    /// Spilling; nothing new is taken.
    Stopping,
    /// Spilled, and the ring says so; or ended before it served.
    Stopped,
    /// The directory is finished for this process (#101).
    Dead,
}

/// A shard that was started.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) id: ShardId,
    pub(crate) shards: u16,
    pub(crate) found: Found,
    pub(crate) me: BrokerId,
    pub(crate) phase: Phase,
    /// The chance of this step.
    pub(crate) dice: Dice,
    pub(crate) engine: Engine,
    pub(crate) ops: Ops,
    /// Room for what the engine says, kept from step to step.
    hearing: Vec<Told>,
    pub(crate) chores: Chores,
    /// How far the start is; only shard 0 founds and reads what is the node's.
    pub(crate) coming: Coming,
    /// Metadata log, quorum and controller: shard 0 only, once they are loaded.
    pub(crate) head: Option<Box<Head>>,
    pub(crate) image: Option<Arc<Image>>,
    /// This node's registration, once it is known.
    pub(crate) broker_epoch: BrokerEpoch,
    pub(crate) partitions: Map<LogId, Box<Partition>>,
    /// Logs of deleted topics whose bytes are not gone yet.
    pub(crate) going: Set<LogId>,
    /// Partitions for which somebody waits.
    pub(crate) busy: Set<LogId>,
    /// When the next promise is late.
    pub(crate) late_at: Option<Deadline>,
    /// Questions to the engine whose answers come by tag.
    pub(crate) tags: Map<u64, Tag>,
    pub(crate) next_tag: u64,
    /// Shards that have spilled (shard 0).
    pub(crate) stopped: Set<ShardId>,
    /// People know that the disk is full.
    full_told: bool,
}

/// A shard that was told to stop before it was started has nothing to put in order.
pub(crate) fn stop_unstarted(id: ShardId, out: &mut Vec<Effect>) {
    if id == ShardId(0) {
        out.push(Effect::Tell(Line::Stopped));
    } else {
        out.push(Effect::Pass(ShardId(0), Event::News(id, News::Stopped)));
    }
}

impl Running {
    pub(crate) fn new(id: ShardId, shards: u16, mut found: Found) -> Running {
        found.engine.doubt = found.config.doubt;
        found.engine.retention_every = found.config.retention_check;
        let mut engine = Engine::new(id, shards, found.engine);
        engine.names_follow();
        Running {
            id,
            shards,
            me: found.config.node_id,
            phase: Phase::Coming,
            dice: Dice::default(),
            engine,
            ops: Ops::default(),
            hearing: Vec::new(),
            chores: Chores::default(),
            coming: Coming::default(),
            head: None,
            image: None,
            broker_epoch: BrokerEpoch(-1),
            partitions: Map::new(),
            going: Set::new(),
            busy: Set::new(),
            late_at: None,
            tags: Map::new(),
            next_tag: 0,
            stopped: Set::new(),
            full_told: false,
            found,
        }
    }

    /// Takes one event in.
    pub(crate) fn step(&mut self, now: Now, dice: Dice, event: Event, out: &mut Vec<Effect>) {
        self.dice = dice;
        match event {
            Event::Ask(waiter, part) if self.serves() => self.ask(now, waiter, part, out),
            Event::Ask(waiter, part) => {
                if let Some(response) = self.unavailable(&part) {
                    out.push(Effect::Reply(waiter, response));
                }
            }
            Event::Done(ticket, outcome) => self.file_done(now, ticket, outcome, out),
            Event::Copied(ticket, bytes) => self.engine.copied(ticket, bytes),
            Event::Served(waiter, plan, served) => self.served(waiter, plan, &served, out),
            Event::Image(image) => self.steer(now, image, out),
            Event::Gone(conn) => self.forget(conn),
            Event::Alarm(key) => self.alarm(now, key, out),
            Event::Space(free) => self.engine.space(free),
            Event::Stuck(fault) => {
                out.push(Effect::Tell(Line::Warn(format!(
                    "the disk does not answer: {}",
                    fault.text
                ))));
            }
            Event::News(from, news) => self.news(now, from, news, out),
            Event::Stop => self.stop(now, out),
            Event::Start(_) => {}
        }
        self.settle(now, out);
    }

    /// Whether clients are served: the term's own records are committed and every shard is open (#44).
    fn serves(&self) -> bool {
        self.phase == Phase::Up || proof::mutant("serve-before-own-term")
    }

    /// See [`super::Shard::behind`].
    pub(crate) fn behind(&self) -> u64 {
        self.engine.behind()
    }

    /// See [`super::Shard::next_direct`].
    pub(crate) fn next_direct(&self, log: LogId) -> Option<u64> {
        self.engine.next_direct(log)
    }

    /// Ends a batch of events.
    pub(crate) fn flush(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.engine.flush(now, &mut self.ops);
        self.settle(now, out);
    }

    /// Acts on all that became true, until nothing more does; then lets the wishes out.
    pub(crate) fn settle(&mut self, now: Now, out: &mut Vec<Effect>) {
        let mut hearing = core::mem::take(&mut self.hearing);
        while !self.ops.told.is_empty() {
            core::mem::swap(&mut hearing, &mut self.ops.told);
            for told in hearing.drain(..) {
                self.hear(now, told, out);
            }
        }
        self.hearing = hearing;
        self.tell_space(out);
        if self.phase == Phase::Dead {
            self.ops.ops.clear();
            self.ops.alarms.clear();
            return;
        }
        out.extend(
            self.ops
                .ops
                .drain(..)
                .map(|(ticket, op)| Effect::File(ticket, op)),
        );
        out.extend(
            self.ops
                .alarms
                .drain(..)
                .map(|(key, deadline)| Effect::Wake(key, deadline)),
        );
    }

    /// A disk that runs full is told to people once, and once that it has room again. All shards see one disk (#105).
    fn tell_space(&mut self, out: &mut Vec<Effect>) {
        let full = self.engine.is_full();
        if self.id != ShardId(0) || full == core::mem::replace(&mut self.full_told, full) {
            return;
        }
        let free = self.engine.free().free;
        let line = if full {
            let complaint = Complaint {
                what: "writes are refused".to_string(),
                why: format!("the file system of the log directory is full, {free} bytes are free"),
                attempt: "Make room on it, or lower retention.ms or retention.bytes: reads go on, and writes are taken \
                          again by themselves"
                    .to_string(),
                code: Some(Code::KafkaStorageError),
            };
            Line::Warn(complaint.to_string())
        } else {
            Line::Info(format!(
                "writes are taken again: the file system of the log directory has {free} bytes free"
            ))
        };
        out.push(Effect::Tell(line));
    }

    /// The engine says that something is true now.
    fn hear(&mut self, now: Now, told: Told, out: &mut Vec<Effect>) {
        match told {
            Told::Fresh => self.tell_first(now, News::Judged(Box::new(Judged::Fresh)), out),
            Told::Laid => self.tell_first(now, News::Laid, out),
            Told::Judged(report) => {
                self.tell_first(now, News::Judged(Box::new(Judged::Logs(report))), out)
            }
            Told::Ready => self.tell_first(now, News::Recovered, out),
            Told::Written(log, _) => self.written(now, log, out),
            Told::Durable(log, _) => self.moved(now, log, out),
            Told::Started(log, _) => self.moved(now, log, out),
            Told::Look(log) => self.look(log, out),
            Told::Loaded(tag, loaded) => self.loaded(now, tag, loaded, out),
            Told::Found(tag, found) => self.found(tag, found, out),
            Told::Offline(log, why) => self.offline(log, &why, out),
            Told::Hold(hold) => out.push(Effect::Hold(hold)),
            Told::Gone(log) => {
                self.partitions.remove(&log);
                self.busy.remove(&log);
                self.going.remove(&log);
                self.cleared(out);
            }
            Told::Note(text) => out.push(Effect::Tell(Line::Warn(text))),
            Told::Stopped => self.spilled(out),
            Told::Broken(broken) => {
                let complaint = Complaint {
                    what: broken.what,
                    why: broken.why,
                    attempt: broken.attempt,
                    code: Some(Code::KafkaStorageError),
                };
                self.die(complaint, out);
            }
        }
    }

    fn file_done(
        &mut self,
        now: Now,
        ticket: Ticket,
        outcome: crate::file::Outcome,
        out: &mut Vec<Effect>,
    ) {
        if !self.chores.owns(ticket) {
            return self.engine.done(now, ticket, outcome, &mut self.ops);
        }
        match self.chores.done(ticket, outcome, &mut self.ops) {
            Ended::Not => {}
            Ended::Done(chore, outcome) => self.chore_done(now, chore, outcome, out),
            Ended::Failed(chore, fault) => self.chore_failed(now, chore, &fault, out),
        }
    }

    fn alarm(&mut self, now: Now, key: AlarmKey, out: &mut Vec<Effect>) {
        match key {
            AlarmKey::Parked => self.expire(now, out),
            AlarmKey::Space => self.look_at_space(now, out),
            AlarmKey::Snapshot => {
                self.snapshot_if_due(now);
                self.wake_for_snapshot(now);
            }
            AlarmKey::Flush | AlarmKey::Mark | AlarmKey::Retention | AlarmKey::Producers => {
                self.engine.alarm(now, key, &mut self.ops);
            }
        }
    }

    /// Keeps an eye on the free space, so that writes are refused before the disk is full (#105).
    pub(crate) fn look_at_space(&mut self, now: Now, out: &mut Vec<Effect>) {
        out.push(Effect::AskSpace);
        self.ops.wake(AlarmKey::Space, now.after(SPACE_EVERY));
    }

    /// Puts everything in order: each shard spills; shard 0 passes the word on and waits for all.
    fn stop(&mut self, now: Now, out: &mut Vec<Effect>) {
        match self.phase {
            Phase::Coming => {
                // Nothing was served: the next start finds what a crash would leave, and knows how to go on from it.
                self.phase = Phase::Stopped;
                if self.id == ShardId(0) {
                    out.push(Effect::Tell(Line::Stopped));
                }
            }
            Phase::Up => {
                self.phase = Phase::Stopping;
                if self.id == ShardId(0) {
                    for shard in 1..self.shards {
                        out.push(Effect::Pass(ShardId(shard), Event::Stop));
                    }
                }
                self.engine.stop(now, self.broker_epoch, &mut self.ops);
            }
            Phase::Stopping | Phase::Stopped | Phase::Dead => {}
        }
    }

    /// This shard's ring says `stopped`.
    fn spilled(&mut self, out: &mut Vec<Effect>) {
        self.phase = Phase::Stopped;
        // Whoever still waits waits for something that is not on the way any more.
        self.abandon_all(out);
        if self.id == ShardId(0) {
            self.shard_stopped(ShardId(0), out);
        } else {
            out.push(Effect::Pass(
                ShardId(0),
                Event::News(self.id, News::Stopped),
            ));
        }
    }

    pub(crate) fn shard_stopped(&mut self, shard: ShardId, out: &mut Vec<Effect>) {
        self.stopped.insert(shard);
        if self.stopped.len() == usize::from(self.shards) {
            out.push(Effect::Tell(Line::Stopped));
        }
    }

    /// The end (#101): nobody is told of a success any more, whoever waits learns that the effect is unknown, and the
    /// process exits.
    pub(crate) fn die(&mut self, complaint: Complaint, out: &mut Vec<Effect>) {
        if self.phase == Phase::Dead {
            return;
        }
        self.phase = Phase::Dead;
        self.abandon_all(out);
        out.push(Effect::Tell(Line::Fatal(complaint)));
    }
}
