//! What a shard knows of its partitions, and who is answered when a mark moves, a deadline passes or a log goes offline.
//! Decides who waits for what; never what counts as replicated (`replica`), nor where bytes lie (`log`). Holds #31, #99,
//! #114 and #137.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use sawlog_wire::Code;

use crate::answer::{
    Acks, AppendAnswer, AppendPart, FetchAnswer, FetchPart, FindAnswer, Part, Response,
};
use crate::effect::{Effect, Line};
use crate::ids::{ConnId, LeaderEpoch, LogId, Offset, ProducerEpoch, ProducerId, Waiter};
use crate::marks::{Durability, Marks};
use crate::node::command::refused;
use crate::node::describe::nothing_told;
use crate::node::life::{Phase, Running};
use crate::now::{Deadline, Now, Wall};
use crate::parked::Parked;
use crate::replica::Leader;
use crate::timers::AlarmKey;

/// A partition that this shard owns.
#[derive(Debug)]
pub(crate) struct Partition {
    /// `TOPIC-PARTITION`, for people and as the name of its directory.
    pub(crate) name: Arc<str>,
    pub(crate) durability: Durability,
    /// This node's leadership; none while another leads.
    pub(crate) leader: Option<Leader>,
    pub(crate) parked: Parked,
    /// Whether it stands in `busy`.
    pub(crate) listed: bool,
    /// Who waits for an index to be loaded.
    pub(crate) looking: Vec<(Waiter, Look)>,
}

/// What somebody wants of a log whose index is being loaded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look {
    /// To read.
    Read(FetchPart),
    /// To know how much there is to read.
    Measure(FetchPart),
}

impl Partition {
    /// Whether somebody still waits; `busy` forgets it otherwise. Only looked at now and then, not with every answer.
    fn stays_listed(&mut self) -> bool {
        self.listed = !(self.parked.is_empty() && self.looking.is_empty());
        self.listed
    }
}

/// What an answer of the engine is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tag {
    /// Somebody looks for an offset.
    Find(Waiter),
    /// The metadata log is read at the start.
    Metadata,
}

impl Running {
    pub(crate) fn ask(&mut self, now: Now, waiter: Waiter, part: Part, out: &mut Vec<Effect>) {
        match part {
            Part::Append(part) => self.append(now, waiter, part, out),
            Part::Fetch(part) => self.fetch(waiter, part, out),
            Part::Measure(part) => self.measure(waiter, part, out),
            Part::Watch(part) => self.watch(waiter, part, out),
            Part::Unwatch(log) => {
                if let Some(partition) = self.partitions.get_mut(&log) {
                    partition.parked.unwatch(waiter);
                }
            }
            Part::Find(part) => self.find(waiter, part, out),
            Part::ProducerId(_) => self.grant_producer_id(now, waiter, out),
            Part::Trim(part) => self.trim(waiter, part, out),
            Part::EpochEnd(part) => self.epoch_end(waiter, part, out),
            Part::Producers(log) => self.tell_producers(waiter, log, out),
            Part::Sizes => self.tell_sizes(waiter, out),
            Part::Quorum => self.tell_quorum(waiter, out),
            Part::Command(part) => self.command(now, waiter, *part, out),
        }
    }

    pub(crate) fn tag(&mut self, tag: Tag) -> u64 {
        self.next_tag += 1;
        self.tags.insert(self.next_tag, tag);
        self.next_tag
    }

    /// A mark of a log moved, or may have: the watermark follows, and whoever waited for it is answered.
    pub(crate) fn moved(&mut self, now: Now, log: LogId, out: &mut Vec<Effect>) {
        if log == LogId::METADATA {
            return self.metadata_moved(now, out);
        }
        let Some(partition) = self.partitions.get_mut(&log) else {
            return;
        };
        let (Some(leader), Some(marks)) = (&partition.leader, self.engine.marks(log)) else {
            return;
        };
        let hw = leader.watermark(&marks, partition.durability);
        // No transactions yet: what is committed is stable.
        self.engine.raise(log, hw, hw);
        let Some(marks) = self.engine.marks(log) else {
            return;
        };
        let acknowledged = Marks {
            hw: leader.acknowledged(&marks),
            ..marks
        };
        let own = marks.own(partition.durability);
        partition
            .parked
            .release(&acknowledged, own, |waiter, reply| {
                out.push(Effect::Reply(waiter, reply))
            });
    }

    /// Somebody waits for this log.
    pub(super) fn busy_with(&mut self, log: LogId) {
        if let Some(partition) = self.partitions.get_mut(&log)
            && !core::mem::replace(&mut partition.listed, true)
        {
            self.busy.insert(log);
        }
    }

    /// A log's bytes survive the death of the process: of a topic that is `durable` nothing follows from that.
    pub(crate) fn written(&mut self, now: Now, log: LogId, out: &mut Vec<Effect>) {
        let counts = |partition: &Partition| partition.durability == Durability::Replicated;
        let partition = self.partitions.get(&log);
        if partition.is_some_and(|partition| counts(partition)) {
            self.moved(now, log, out);
        }
    }

    /// Wants to be woken when this promise is late.
    pub(crate) fn late_by(&mut self, deadline: Deadline) {
        if self.late_at.is_none_or(|at| deadline < at) {
            self.late_at = Some(deadline);
            self.ops.wake(AlarmKey::Parked, deadline);
        }
    }

    /// Gives out the late answers.
    pub(crate) fn expire(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.late_at = None;
        let mut next = self.expire_metadata(now, out);
        let partitions = &mut self.partitions;
        self.busy.retain(|log| {
            let Some(partition) = partitions.get_mut(log) else {
                return false;
            };
            partition
                .parked
                .expire(now, |waiter, late| out.push(Effect::Reply(waiter, late)));
            next = [next, partition.parked.next()].into_iter().flatten().min();
            partition.stays_listed()
        });
        if let Some(next) = next {
            self.late_by(next);
        }
    }

    /// A connection is gone: what it appended stays, whoever waits for it waits for nothing (#137).
    pub(crate) fn forget(&mut self, conn: ConnId) {
        let partitions = &mut self.partitions;
        self.busy.retain(|log| {
            let Some(partition) = partitions.get_mut(log) else {
                return false;
            };
            partition.parked.forget(conn);
            partition.looking.retain(|(waiter, _)| waiter.conn != conn);
            partition.stays_listed()
        });
        self.tags
            .retain(|_, tag| !matches!(tag, Tag::Find(waiter) if waiter.conn == conn));
        self.forget_metadata(conn);
    }

    /// A log serves no more (#99, #106). What waits there may have happened or not (#114).
    pub(crate) fn offline(&mut self, log: LogId, why: &str, out: &mut Vec<Effect>) {
        if log == LogId::METADATA {
            return self.metadata_offline(why, out);
        }
        if self.going.contains(&log) {
            // Its topic is deleted: nobody misses it, and its bytes go as they are.
            return;
        }
        let name = self
            .partitions
            .get(&log)
            .map_or_else(|| format!("{log:?}"), |p| p.name.to_string());
        out.push(Effect::Tell(Line::Warn(format!(
            "partition {name} is offline until the next start: {why}. All others serve. Restore it from a backup, or \
             delete and create its topic [KAFKA_STORAGE_ERROR]"
        ))));
        self.abandon(log, out);
    }

    pub(super) fn abandon(&mut self, log: LogId, out: &mut Vec<Effect>) {
        let Some(partition) = self.partitions.get_mut(&log) else {
            return;
        };
        partition.listed = false;
        let answers = &mut *out;
        partition.parked.abandon(
            |promise| promise.late.clone(),
            |waiter, reply| answers.push(Effect::Reply(waiter, reply)),
        );
        for (waiter, look) in core::mem::take(&mut partition.looking) {
            let answer = match look {
                Look::Read(_) => Response::Fetch(fetch_answer(Code::KafkaStorageError, &NO_MARKS)),
                Look::Measure(_) => Response::Measured(None),
            };
            out.push(Effect::Reply(waiter, answer));
        }
        self.busy.remove(&log);
    }

    /// Whoever waits for anything is answered now: it may have happened or not.
    pub(crate) fn abandon_all(&mut self, out: &mut Vec<Effect>) {
        for log in core::mem::take(&mut self.busy) {
            self.abandon(log, out);
        }
        for tag in core::mem::take(&mut self.tags).into_values() {
            if let Tag::Find(waiter) = tag {
                let answer = FindAnswer {
                    code: Code::KafkaStorageError,
                    ..NOTHING_FOUND
                };
                out.push(Effect::Reply(waiter, Response::Find(answer)));
            }
        }
        self.abandon_metadata(out);
    }

    /// What a part is answered while this shard does not serve: definite, nothing happened (#114).
    pub(crate) fn unavailable(&self, part: &Part) -> Option<Response> {
        let code = match self.phase {
            Phase::Dead => Code::KafkaStorageError,
            _ => Code::NotLeaderOrFollower,
        };
        match part {
            Part::Append(AppendPart {
                acks: Acks::None, ..
            })
            | Part::Unwatch(_) => None,
            Part::Append(_) => {
                let message = Some(String::from("the node does not serve now"));
                Some(Response::Append(AppendAnswer {
                    code,
                    base: Offset(-1),
                    again: false,
                    start: Offset(-1),
                    message,
                }))
            }
            Part::Fetch(_) => Some(Response::Fetch(fetch_answer(code, &NO_MARKS))),
            Part::Measure(_) => Some(Response::Measured(None)),
            Part::Watch(_) => Some(Response::Watched),
            Part::Find(_) => Some(Response::Find(FindAnswer {
                code,
                ..NOTHING_FOUND
            })),
            Part::ProducerId(_) => Some(no_producer_id(Code::CoordinatorNotAvailable)),
            Part::EpochEnd(_) | Part::Producers(_) | Part::Sizes | Part::Quorum => {
                nothing_told(part, code)
            }
            Part::Trim(_) => Some(Response::Trimmed {
                code,
                start: Offset(-1),
            }),
            Part::Command(part) => Some(refused(
                &part.command,
                Code::NotController,
                "the node does not serve now",
            )),
        }
    }
}

/// No producer id could be granted.
pub(crate) fn no_producer_id(code: Code) -> Response {
    Response::ProducerId {
        code,
        id: ProducerId::NONE,
        epoch: ProducerEpoch(-1),
    }
}

pub(super) const NO_MARKS: Marks = Marks {
    start: Offset(-1),
    stable: Offset(-1),
    hw: Offset(-1),
    durable: Offset(-1),
    written: Offset(-1),
    next: Offset(-1),
};

pub(super) const NOTHING_FOUND: FindAnswer = FindAnswer {
    code: Code::None,
    offset: Offset(-1),
    timestamp: Wall(-1),
    epoch: LeaderEpoch(-1),
};

pub(super) fn fetch_answer(code: Code, marks: &Marks) -> FetchAnswer {
    FetchAnswer {
        code,
        hw: marks.hw,
        stable: marks.stable,
        start: marks.start,
        diverging: None,
        records: Vec::new(),
    }
}
