//! Reads: fetch, measure, watch, find. From the question to a plan, a watch or an answer.
//! Decides what a reader of this epoch and isolation may see; the bytes themselves never come here. Holds #7, #9, #26.

use alloc::vec::Vec;

use sawlog_wire::Code;

use crate::answer::{
    FetchAnswer, FetchPart, Find, FindAnswer, FindPart, Isolation, MeasureAnswer, Response,
    WatchPart,
};
use crate::effect::Effect;
use crate::file::{ReadPlan, Served};
use crate::ids::{LeaderEpoch, LogId, Offset, Waiter};
use crate::log::{FoundAt, Planned, ReadRefusal};
use crate::marks::Marks;
use crate::node::life::Running;
use crate::node::parts::{Look, NO_MARKS, NOTHING_FOUND, Tag, fetch_answer};
use crate::replica::Leader;

impl Running {
    pub(super) fn fetch(&mut self, waiter: Waiter, part: FetchPart, out: &mut Vec<Effect>) {
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
                    Ok(Planned::Later) => return self.later(log, waiter, Look::Read(part)),
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
    pub(super) fn parted(&self, part: &FetchPart) -> Option<(LeaderEpoch, Offset)> {
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
        for (waiter, look) in core::mem::take(&mut partition.looking) {
            match look {
                Look::Read(part) => self.fetch(waiter, part, out),
                Look::Measure(part) => self.measure(waiter, part, out),
            }
        }
    }

    fn later(&mut self, log: LogId, waiter: Waiter, look: Look) {
        if let Some(partition) = self.partitions.get_mut(&log) {
            partition.looking.push((waiter, look));
        }
        self.busy_with(log);
    }

    /// How much a read would bring, from what is known of where batches lie. Whatever else there is to tell the reader is
    /// told when it reads.
    pub(super) fn measure(&mut self, waiter: Waiter, part: FetchPart, out: &mut Vec<Effect>) {
        let answer = match self.measured(&part) {
            Ok(Some(answer)) => Some(answer),
            Ok(None) => return self.later(part.log, waiter, Look::Measure(part)),
            Err(()) => None,
        };
        out.push(Effect::Reply(waiter, Response::Measured(answer)));
    }

    /// None while a part of an index is being loaded.
    fn measured(&mut self, part: &FetchPart) -> Result<Option<MeasureAnswer>, ()> {
        if self.parted(part).is_some() {
            return Err(());
        }
        let (_, end) = self
            .readable(part.log, part.epoch, part.isolation)
            .map_err(|_| ())?;
        let (log, from, max) = (part.log, part.from, part.max_bytes);
        let found = self.engine.measure(log, from, end, max, &mut self.ops);
        let found = found.map_err(|_| ())?;
        Ok(found.map(|found| MeasureAnswer {
            bytes: found.bytes,
            upto: found.upto,
            // An index of which only a part is loaded tells of that part: the reader goes on there.
            end: if found.full || found.upto == from {
                end
            } else {
                found.upto
            },
            full: found.full,
        }))
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

    pub(super) fn watch(&mut self, waiter: Waiter, part: WatchPart, out: &mut Vec<Effect>) {
        match self.readable(part.log, None, part.isolation) {
            Ok((_, end)) if end <= part.beyond => {
                if let Some(partition) = self.partitions.get_mut(&part.log) {
                    partition.parked.watch(waiter, part.isolation, part.beyond);
                }
                self.busy_with(part.log);
            }
            _ => out.push(Effect::Reply(waiter, Response::Watched)),
        }
    }

    pub(super) fn find(&mut self, waiter: Waiter, part: FindPart, out: &mut Vec<Effect>) {
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

    /// The marks of a partition that this node leads at that epoch, and the end that this isolation may see (#9, #26).
    pub(super) fn readable(
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
    pub(super) fn epoch_at(&self, log: LogId, at: Offset) -> LeaderEpoch {
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
}
