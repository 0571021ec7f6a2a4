//! What clients ask of partitions: append, read, watch, find. From the question to the promise, and from a moved mark to
//! the answer. Decides who waits for what; never what counts as replicated (`replica`), nor where bytes lie (`log`).
//! Holds #9, #11, #26, #69, #72, #114 and #137.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use sawlog_wire::Code;

use crate::answer::{
    Acks, AppendAnswer, AppendPart, FetchAnswer, FetchPart, Find, FindAnswer, FindPart, Isolation,
    Part, Response, WatchPart,
};
use crate::effect::{Effect, Line};
use crate::file::{ReadPlan, Served};
use crate::ids::{ConnId, LeaderEpoch, LogId, Offset, ProducerEpoch, ProducerId, Waiter};
use crate::log::{AppendRefusal, Appended, FoundAt, Planned, ReadRefusal};
use crate::marks::{Durability, Marks};
use crate::node::life::{Phase, Running};
use crate::now::{Now, Wall};
use crate::parked::{Parked, Promise};
use crate::proof;
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
    /// Reads that wait for an index to be loaded.
    pub(crate) looking: Vec<(Waiter, FetchPart)>,
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
            Part::Watch(part) => self.watch(waiter, part, out),
            Part::Unwatch(log) => {
                if let Some(partition) = self.partitions.get_mut(&log) {
                    partition.parked.unwatch(waiter);
                }
            }
            Part::Find(part) => self.find(waiter, part, out),
            Part::ProducerId(_) => self.grant_producer_id(now, waiter, out),
            Part::CreateTopics(part) => self.create_topics(now, waiter, *part, out),
        }
    }

    fn append(&mut self, now: Now, waiter: Waiter, part: AppendPart, out: &mut Vec<Effect>) {
        let log = part.log;
        let refused = |code, text| Refused { code, text };
        let placed = match self.partitions.get(&log) {
            None => Err(refused(
                Code::UnknownTopicOrPartition,
                String::from("this node does not hold the partition"),
            )),
            Some(Partition { leader: None, .. }) => Err(refused(
                Code::NotLeaderOrFollower,
                String::from("this node does not lead the partition"),
            )),
            Some(Partition {
                leader: Some(leader),
                name,
                ..
            }) => match leader.admits(part.acks) {
                Err(refusal) => Err(refused(
                    refusal.code(),
                    format!("{name}: too few replicas are in sync"),
                )),
                Ok(()) => self
                    .engine
                    .append(now, log, &part.batch, part.bytes, leader.epoch())
                    .map_err(|refusal| append_refused(name, &refusal)),
            },
        };
        let start = self.engine.marks(log).unwrap_or_default().start;
        let (base, last, again) = match placed {
            Ok(Appended::New { base, last }) => (base, last, false),
            Ok(Appended::Duplicate { base, last }) => (base, last, true),
            Err(Refused { code, text }) => {
                let answer = AppendAnswer {
                    code,
                    base: Offset(-1),
                    start,
                    message: Some(text),
                };
                out.push(Effect::Reply(waiter, Response::Append(answer)));
                return;
            }
        };
        let Some(mark) = Leader::awaited(part.acks) else {
            return;
        };
        let mut answer = AppendAnswer {
            code: Code::None,
            base,
            start,
            message: None,
        };
        if again {
            proof::sometimes("duplicate-parked");
            if proof::mutant("unknown-on-duplicate") {
                answer.code = Code::UnknownServerError;
            }
            if proof::mutant("duplicate-acked-at-once") {
                out.push(Effect::Reply(waiter, Response::Append(answer)));
                return;
            }
        }
        let late_code = if proof::mutant("late-is-definite") {
            Code::NotEnoughReplicas
        } else {
            Code::RequestTimedOut
        };
        let late = AppendAnswer {
            code: late_code,
            message: Some(String::from(
                "the batch is in the log, but was not durable in time; it may still become so",
            )),
            ..answer
        };
        let promise = Promise {
            waiter,
            until: last.plus(1),
            deadline: part.deadline,
            reply: Response::Append(answer),
            late: Response::Append(late),
        };
        if let Some(partition) = self.partitions.get_mut(&log) {
            partition.parked.park(mark, promise);
            self.busy.insert(log);
            self.late_by(part.deadline);
        }
        if again {
            // The original may be durable already, and then no mark will move for it.
            self.moved(now, log, out);
        }
    }

    fn fetch(&mut self, waiter: Waiter, part: FetchPart, out: &mut Vec<Effect>) {
        if let Some(parted) = self.parted(&part) {
            let marks = self.engine.marks(part.log).unwrap_or(NO_MARKS);
            let answer = FetchAnswer {
                diverging: Some(parted),
                ..fetch_answer(Code::None, &marks)
            };
            out.push(Effect::Reply(waiter, Response::Fetch(answer)));
            return;
        }
        let code = match self.readable(part.log, part.epoch, part.isolation) {
            Err(code) => code,
            Ok((marks, _)) if part.from < marks.start || part.from > marks.next => {
                Code::OffsetOutOfRange
            }
            Ok((_, end)) if part.from >= end => Code::None,
            Ok((marks, end)) => {
                let (log, from) = (part.log, part.from);
                match self.engine.plan(
                    log,
                    from,
                    end,
                    part.max_bytes,
                    part.at_least_one,
                    &mut self.ops,
                ) {
                    Ok(Planned::Ready(plan)) => {
                        out.push(Effect::Serve(
                            waiter,
                            plan,
                            fetch_answer(Code::None, &marks),
                        ));
                        return;
                    }
                    Ok(Planned::Later) => {
                        if let Some(partition) = self.partitions.get_mut(&log) {
                            partition.looking.push((waiter, part));
                            self.busy.insert(log);
                        }
                        return;
                    }
                    Err(ReadRefusal::NotOpen) => Code::NotLeaderOrFollower,
                    Err(ReadRefusal::OutOfRange { .. }) => Code::OffsetOutOfRange,
                    Err(ReadRefusal::Offline(_)) => Code::KafkaStorageError,
                }
            }
        };
        let marks = self.engine.marks(part.log).unwrap_or(NO_MARKS);
        out.push(Effect::Reply(
            waiter,
            Response::Fetch(fetch_answer(code, &marks)),
        ));
    }

    /// Where the log's history parts from the reader's, if the reader says what it has (KIP-320).
    fn parted(&self, part: &FetchPart) -> Option<(LeaderEpoch, Offset)> {
        let last = part.last_epoch?;
        self.readable(part.log, part.epoch, part.isolation).ok()?;
        let (epoch, end) = self.engine.epoch_end(part.log, last)?;
        (epoch < last || end < part.from).then_some((epoch, end))
    }

    /// An index was loaded: whoever waited for it asks again.
    pub(crate) fn look(&mut self, log: LogId, out: &mut Vec<Effect>) {
        let Some(partition) = self.partitions.get_mut(&log) else {
            return;
        };
        for (waiter, part) in core::mem::take(&mut partition.looking) {
            self.fetch(waiter, part, out);
        }
    }

    /// What came of a plan; the bytes themselves never came here.
    pub(crate) fn served(
        &mut self,
        waiter: Waiter,
        plan: ReadPlan,
        served: &Served,
        out: &mut Vec<Effect>,
    ) {
        let log = plan.log;
        self.engine.served(&plan, served, &mut self.ops);
        match served {
            Served::Whole | Served::Dropped => {}
            Served::Rotten(_) | Served::Unreadable(..) => {
                // Either the bytes are bad and the log is offline now, or they have moved meanwhile: then the reader
                // finds nothing this time and asks again.
                let code = if self.engine.offline(log).is_some() {
                    Code::KafkaStorageError
                } else {
                    Code::None
                };
                let marks = self.engine.marks(log).unwrap_or(NO_MARKS);
                out.push(Effect::Reply(
                    waiter,
                    Response::Fetch(fetch_answer(code, &marks)),
                ));
            }
        }
    }

    fn watch(&mut self, waiter: Waiter, part: WatchPart, out: &mut Vec<Effect>) {
        match self.readable(part.log, None, part.isolation) {
            Ok((_, end)) if end <= part.beyond => {
                if let Some(partition) = self.partitions.get_mut(&part.log) {
                    partition.parked.watch(waiter, part.isolation, part.beyond);
                    self.busy.insert(part.log);
                }
            }
            _ => out.push(Effect::Reply(waiter, Response::Watched)),
        }
    }

    fn find(&mut self, waiter: Waiter, part: FindPart, out: &mut Vec<Effect>) {
        let isolation = match part.find {
            Find::Latest(isolation) => isolation,
            _ => Isolation::ReadUncommitted,
        };
        let answer = match self.readable(part.log, part.epoch, isolation) {
            Err(code) => FindAnswer {
                code,
                ..NOTHING_FOUND
            },
            Ok((marks, end)) => {
                let epoch = |at: Offset| self.epoch_at(part.log, at);
                match part.find {
                    Find::Latest(_) => FindAnswer {
                        offset: end,
                        epoch: epoch(end),
                        ..NOTHING_FOUND
                    },
                    Find::Earliest => FindAnswer {
                        offset: marks.start,
                        epoch: epoch(marks.start),
                        ..NOTHING_FOUND
                    },
                    Find::LastTiered | Find::EarliestPendingUpload => NOTHING_FOUND,
                    Find::MaxTimestamp | Find::At(_) => {
                        let tag = self.tag(Tag::Find(waiter));
                        self.engine
                            .find(part.log, part.find, end, tag, &mut self.ops);
                        return;
                    }
                }
            }
        };
        out.push(Effect::Reply(waiter, Response::Find(answer)));
    }

    /// The engine found a record by its time, or none.
    pub(crate) fn found(
        &mut self,
        tag: u64,
        found: Result<Option<FoundAt>, ReadRefusal>,
        out: &mut Vec<Effect>,
    ) {
        let Some(Tag::Find(waiter)) = self.tags.remove(&tag) else {
            return;
        };
        let answer = match found {
            Ok(Some(at)) => FindAnswer {
                code: Code::None,
                offset: at.offset,
                timestamp: at.timestamp,
                epoch: at.epoch,
            },
            Ok(None) => NOTHING_FOUND,
            Err(ReadRefusal::Offline(_)) => FindAnswer {
                code: Code::KafkaStorageError,
                ..NOTHING_FOUND
            },
            Err(_) => FindAnswer {
                code: Code::NotLeaderOrFollower,
                ..NOTHING_FOUND
            },
        };
        out.push(Effect::Reply(waiter, Response::Find(answer)));
    }

    pub(crate) fn tag(&mut self, tag: Tag) -> u64 {
        self.next_tag += 1;
        self.tags.insert(self.next_tag, tag);
        self.next_tag
    }

    /// The marks of a partition that this node leads at that epoch, and the end that this isolation may see (#9, #26).
    fn readable(
        &self,
        log: LogId,
        epoch: Option<LeaderEpoch>,
        isolation: Isolation,
    ) -> Result<(Marks, Offset), Code> {
        let partition = self
            .partitions
            .get(&log)
            .ok_or(Code::UnknownTopicOrPartition)?;
        let leader = partition.leader.as_ref().ok_or(Code::NotLeaderOrFollower)?;
        leader
            .check_epoch(epoch)
            .map_err(|refusal| refusal.code())?;
        if self.engine.offline(log).is_some() {
            return Err(Code::KafkaStorageError);
        }
        let marks = self.engine.marks(log).ok_or(Code::NotLeaderOrFollower)?;
        Ok((marks, Leader::readable(&marks, isolation)))
    }

    /// The leadership that a reader at `at` should name.
    fn epoch_at(&self, log: LogId, at: Offset) -> LeaderEpoch {
        let leader = self
            .partitions
            .get(&log)
            .and_then(|partition| partition.leader.as_ref());
        let Some(leader) = leader else {
            return LeaderEpoch(-1);
        };
        match self.engine.marks(log) {
            Some(marks) if at >= marks.next => leader.epoch(),
            _ => self.engine.epoch_of(log, at).unwrap_or(leader.epoch()),
        }
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
        if partition.parked.is_empty() && partition.looking.is_empty() {
            self.busy.remove(&log);
        }
    }

    /// Wants to be woken when this promise is late.
    pub(crate) fn late_by(&mut self, deadline: crate::now::Deadline) {
        if self.late_at.is_none_or(|at| deadline < at) {
            self.late_at = Some(deadline);
            self.ops.wake(AlarmKey::Parked, deadline);
        }
    }

    /// Gives out the late answers.
    pub(crate) fn expire(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.late_at = None;
        let mut next = self.expire_metadata(now, out);
        for log in &self.busy {
            let Some(partition) = self.partitions.get_mut(log) else {
                continue;
            };
            partition
                .parked
                .expire(now, |waiter, late| out.push(Effect::Reply(waiter, late)));
            next = [next, partition.parked.next()].into_iter().flatten().min();
        }
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
            !(partition.parked.is_empty() && partition.looking.is_empty())
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

    fn abandon(&mut self, log: LogId, out: &mut Vec<Effect>) {
        let Some(partition) = self.partitions.get_mut(&log) else {
            return;
        };
        let answers = &mut *out;
        partition.parked.abandon(
            |promise| promise.late.clone(),
            |waiter, reply| answers.push(Effect::Reply(waiter, reply)),
        );
        for (waiter, _) in core::mem::take(&mut partition.looking) {
            out.push(Effect::Reply(
                waiter,
                Response::Fetch(fetch_answer(Code::KafkaStorageError, &NO_MARKS)),
            ));
        }
        self.busy.remove(&log);
    }

    /// Whoever waits for anything learns that he will not be told.
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
                    start: Offset(-1),
                    message,
                }))
            }
            Part::Fetch(_) => Some(Response::Fetch(fetch_answer(code, &NO_MARKS))),
            Part::Watch(_) => Some(Response::Watched),
            Part::Find(_) => Some(Response::Find(FindAnswer {
                code,
                ..NOTHING_FOUND
            })),
            Part::ProducerId(_) => Some(no_producer_id(Code::CoordinatorNotAvailable)),
            Part::CreateTopics(part) => Some(crate::node::head::all_topics(
                &part.request,
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

struct Refused {
    code: Code,
    text: String,
}

/// What a refusal of the engine is for a client.
fn append_refused(name: &str, refusal: &AppendRefusal) -> Refused {
    let (code, text) = match refusal {
        AppendRefusal::NotOpen => (
            Code::NotLeaderOrFollower,
            String::from("the log is not open here"),
        ),
        AppendRefusal::Stopping => (
            Code::NotLeaderOrFollower,
            String::from("the node is stopping"),
        ),
        AppendRefusal::Offline => (
            Code::KafkaStorageError,
            String::from("its bytes are damaged; see the broker's log"),
        ),
        AppendRefusal::NoSpace => (
            Code::KafkaStorageError,
            String::from("the disk is full; free space, and it takes writes again by itself"),
        ),
        AppendRefusal::Busy => (
            Code::KafkaStorageError,
            String::from("the disk is far behind; try again"),
        ),
        AppendRefusal::TooLarge { max } => (
            Code::MessageTooLarge,
            format!("the commit log of this file system carries batches up to {max} bytes"),
        ),
        AppendRefusal::OutOfOrder { expected, got } => (
            Code::OutOfOrderSequenceNumber,
            format!("sequence {got} came where {expected} is next"),
        ),
        AppendRefusal::Fenced { epoch } => (
            Code::InvalidProducerEpoch,
            format!("epoch {epoch} of this producer has written here"),
        ),
        AppendRefusal::UnknownProducer { got } => (
            Code::UnknownProducerId,
            format!("a producer that is not known here begins with sequence {got}"),
        ),
    };
    Refused {
        code,
        text: format!("{name}: {text}"),
    }
}

const NO_MARKS: Marks = Marks {
    start: Offset(-1),
    stable: Offset(-1),
    hw: Offset(-1),
    durable: Offset(-1),
    written: Offset(-1),
    next: Offset(-1),
};

const NOTHING_FOUND: FindAnswer = FindAnswer {
    code: Code::None,
    offset: Offset(-1),
    timestamp: Wall(-1),
    epoch: LeaderEpoch(-1),
};

fn fetch_answer(code: Code, marks: &Marks) -> FetchAnswer {
    FetchAnswer {
        code,
        hw: marks.hw,
        stable: marks.stable,
        start: marks.start,
        diverging: None,
        records: Vec::new(),
    }
}
