//! Bytes that the core itself must see: the metadata log, a batch that a look-up by time ends in. Decides which reads fetch
//! a plan's places and what their answer means; which places those are is decided by `read`. Holds #7, #106.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::file::{Fault, FileName, FileOp, Outcome, Place, ReadPlan, Served};
use crate::ids::{LogId, Offset};
use crate::log::checksum;
use crate::log::engine::{Engine, Why};
use crate::log::read::Planned;
use crate::log::refusal::ReadRefusal;
use crate::log::told::{Ops, Told};
use crate::map::Map;
use crate::proof;

/// Who wants the bytes that the engine reads for the core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wants {
    /// `load` with this tag.
    Load(u64),
    /// A look-up by time.
    Find(u64),
}

/// Bytes on their way to the core.
#[derive(Debug)]
struct Load {
    wants: Wants,
    plan: ReadPlan,
    /// Runs of places that one read each fetches: first place, how many, and what came.
    runs: Vec<(usize, usize, Option<Bytes>)>,
    left: usize,
    failed: Option<(usize, Fault)>,
    /// Whether runs that were not what they should be are read again, from the medium.
    again: bool,
}

/// A load that waits for a part of an index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    wants: Wants,
    pub(super) log: LogId,
    from: Offset,
    end: Offset,
    max_bytes: u32,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Loads {
    under_way: Map<u64, Load>,
    next: u64,
    /// Those that wait for a part of an index.
    pub(super) wishes: Vec<Wish>,
}

impl Engine {
    /// Reads batches for the core itself; `Told::Loaded` with this tag follows.
    pub fn load(&mut self, log: LogId, from: Offset, max_bytes: u32, tag: u64, ops: &mut Ops) {
        let end = self
            .live
            .get(&log)
            .map_or(Offset::ZERO, |live| live.marks.written);
        self.load_wish(
            Wish {
                wants: Wants::Load(tag),
                log,
                from,
                end,
                max_bytes,
            },
            ops,
        );
    }

    /// Reads the one batch that holds an offset, for a look-up.
    pub(crate) fn load_batch(&mut self, log: LogId, at: Offset, find: u64, ops: &mut Ops) {
        let end = self
            .live
            .get(&log)
            .map_or(Offset::ZERO, |live| live.marks.written);
        self.load_wish(
            Wish {
                wants: Wants::Find(find),
                log,
                from: at,
                end,
                max_bytes: 1,
            },
            ops,
        );
    }

    pub(super) fn load_wish(&mut self, wish: Wish, ops: &mut Ops) {
        let looker = self.windows.lookers.contains(&wish.log);
        match self.plan(wish.log, wish.from, wish.end, wish.max_bytes, true, ops) {
            Err(refusal) => self.loaded(wish.wants, Err(refusal), ops),
            Ok(Planned::Later) => {
                if !looker {
                    self.windows.lookers.remove(&wish.log);
                }
                self.reads.loads.wishes.push(wish);
            }
            Ok(Planned::Ready(plan)) if plan.places.is_empty() => {
                self.unpin(&plan, ops);
                self.loaded(wish.wants, Ok(Vec::new()), ops);
            }
            Ok(Planned::Ready(plan)) => self.fetch(wish.wants, plan, ops),
        }
    }

    fn fetch(&mut self, wants: Wants, plan: ReadPlan, ops: &mut Ops) {
        self.reads.loads.next += 1;
        let id = self.reads.loads.next;
        let mut runs: Vec<(usize, usize, Option<Bytes>)> = Vec::new();
        let mut run_end = (u16::MAX, 0_u64, 0_u64);
        for (index, place) in plan.places.iter().enumerate() {
            let (file, end, begun) = run_end;
            let joins = file == place.file
                && end == place.at
                && place.at - begun < u64::from(self.conf.block_bytes);
            match runs.last_mut() {
                Some((_, count, _)) if joins => *count += 1,
                _ => {
                    runs.push((index, 1, None));
                    run_end.2 = place.at;
                }
            }
            run_end = (place.file, place.at + u64::from(place.len), run_end.2);
        }
        for (nth, (first, count, _)) in runs.iter().enumerate() {
            let Some((file, at, len)) = lies(&plan, *first, *count) else {
                continue;
            };
            let ticket = ops.ask(FileOp::Read { file, at, len });
            self.waiting.insert(ticket, Why::Load(id, nth));
        }
        let left = runs.len();
        self.reads.loads.under_way.insert(
            id,
            Load {
                wants,
                plan,
                runs,
                left,
                failed: None,
                again: false,
            },
        );
    }

    /// One read of a load is here.
    pub(crate) fn load_done(&mut self, id: u64, nth: usize, outcome: Outcome, ops: &mut Ops) {
        let Some(load) = self.reads.loads.under_way.get_mut(&id) else {
            return;
        };
        load.left -= 1;
        if let Some((first, _, bytes)) = load.runs.get_mut(nth) {
            match outcome {
                Outcome::Bytes(read) => *bytes = Some(read),
                Outcome::Failed(fault) => load.failed = Some((*first, fault)),
                _ => {}
            }
        }
        if load.left > 0 {
            return;
        }
        let Some(mut load) = self.reads.loads.under_way.remove(&id) else {
            return;
        };
        let seed = self.live.get(&load.plan.log).map_or(0, |live| live.seed);
        if self.load_again(id, seed, &mut load, ops) {
            self.reads.loads.under_way.insert(id, load);
            return;
        }
        let mut served = match &load.failed {
            Some((place, fault)) => Served::Unreadable(*place, fault.clone()),
            None => Served::Whole,
        };
        let mut batches = Vec::with_capacity(load.plan.places.len());
        for (first, count, bytes) in &load.runs {
            let mut rest = bytes.clone().unwrap_or_default();
            for index in *first..first + count {
                let Some(place) = load.plan.places.get(index) else {
                    continue;
                };
                let batch = rest.split_to(rest.len().min(place.len as usize));
                let whole =
                    checksum::over(seed, &batch) == place.checksum || proof::mutant("trust-index");
                if !whole && served == Served::Whole {
                    served = Served::Rotten(index);
                }
                batches.push(batch);
            }
        }
        let whole = served == Served::Whole;
        self.served(&load.plan, &served, ops);
        let log = load.plan.log;
        let answer = if whole {
            Ok(batches)
        } else {
            Err(match self.offline(log) {
                Some(why) => ReadRefusal::Offline(why.into()),
                None => ReadRefusal::NotOpen,
            })
        };
        self.loaded(load.wants, answer, ops);
    }

    /// What came may be what the page cache held before a write that went around it: once, runs that are not what they
    /// should be are read from the medium, which decides. False: there is nothing to read again.
    fn load_again(&mut self, id: u64, seed: u32, load: &mut Load, ops: &mut Ops) -> bool {
        if core::mem::replace(&mut load.again, true) || proof::mutant("loaded-is-believed") {
            return false;
        }
        load.failed = None;
        for (nth, (first, count, bytes)) in load.runs.iter_mut().enumerate() {
            let places = load.plan.places.get(*first..*first + *count);
            let came = bytes.as_ref();
            if came.is_some_and(|came| is_whole(places.unwrap_or_default(), seed, came)) {
                continue;
            }
            let Some((file, at, len)) = lies(&load.plan, *first, *count) else {
                continue;
            };
            proof::sometimes("load-read-again");
            *bytes = None;
            let ticket = ops.ask(FileOp::Reread { file, at, len });
            self.waiting.insert(ticket, Why::Load(id, nth));
            load.left += 1;
        }
        load.left > 0
    }

    fn loaded(&mut self, wants: Wants, answer: Result<Vec<Bytes>, ReadRefusal>, ops: &mut Ops) {
        match wants {
            Wants::Load(tag) => ops.tell(Told::Loaded(tag, answer)),
            Wants::Find(find) => self.find_loaded(find, answer, ops),
        }
    }
}

/// Where the bytes of so many places lie that follow each other in one file.
fn lies(plan: &ReadPlan, first: usize, count: usize) -> Option<(FileName, u64, u32)> {
    let begin = plan.places.get(first)?;
    let last = plan.places.get(first + count - 1)?;
    let file = plan.files.get(usize::from(begin.file))?.clone();
    let len = last.at + u64::from(last.len) - begin.at;
    Some((file, begin.at, u32::try_from(len).unwrap_or(u32::MAX)))
}

/// Whether these are the batches of these places.
fn is_whole(places: &[Place], seed: u32, bytes: &[u8]) -> bool {
    let mut rest = bytes;
    places.iter().all(|place| {
        let (batch, behind) = rest.split_at(rest.len().min(place.len as usize));
        rest = behind;
        checksum::over(seed, batch) == place.checksum
    })
}
