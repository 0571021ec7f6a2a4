//! From a time to an offset. Decides which batch holds the record (by segments' and batches' largest timestamps), has it
//! read and looks into it; never trusts an index for more than a hint of where to look. Holds #6.

use alloc::format;
use alloc::vec::Vec;

use bytes::Bytes;
use sawlog_wire::records::{Batch, Caps, Inflater, Pool, lookup};

use crate::answer::Find;
use crate::ids::{LeaderEpoch, LogId, Offset};
use crate::log::engine::Engine;
use crate::log::refusal::ReadRefusal;
use crate::log::state::LogState;
use crate::log::told::{FoundAt, Ops, Told};
use crate::log::windows::{Lookup, WindowKey};
use crate::map::Map;
use crate::now::Wall;

/// What records may take when they are looked into, decompressed (#130).
const POOL: usize = 64 << 20;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Want {
    /// The first record at or after this time.
    At(i64),
    /// The first record with this time, which is the largest.
    Max(i64),
}

impl Want {
    fn time(self) -> i64 {
        match self {
            Want::At(time) | Want::Max(time) => time,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Search {
    tag: u64,
    log: LogId,
    want: Want,
    end: Offset,
    /// Whether a batch is being read for it.
    reading: bool,
}

/// Searches under way.
#[derive(Debug, Default)]
pub(crate) struct Finds {
    searches: Map<u64, Search>,
    next: u64,
}

impl Engine {
    /// Finds a record by time below `end`; `Told::Found` with this tag follows. The other questions of
    /// [`Find`] are about marks, which `replica` knows.
    pub fn find(&mut self, log: LogId, find: Find, end: Offset, tag: u64, ops: &mut Ops) {
        let Some(live) = self.live.get(&log) else {
            ops.tell(Told::Found(tag, Err(ReadRefusal::NotOpen)));
            return;
        };
        if let Some(why) = &live.offline {
            ops.tell(Told::Found(tag, Err(ReadRefusal::Offline(why.clone()))));
            return;
        }
        let want = match find {
            Find::At(time) => Want::At(time.0),
            Find::MaxTimestamp => match self.max_timestamp(log, end) {
                Some(time) => Want::Max(time),
                None => {
                    ops.tell(Told::Found(tag, Ok(None)));
                    return;
                }
            },
            Find::Latest(_) | Find::Earliest | Find::LastTiered | Find::EarliestPendingUpload => {
                ops.tell(Told::Found(tag, Ok(None)));
                return;
            }
        };
        self.finds.next += 1;
        let id = self.finds.next;
        self.finds.searches.insert(
            id,
            Search {
                tag,
                log,
                want,
                end,
                reading: false,
            },
        );
        self.search(id, ops);
    }

    /// The largest timestamp of what lies below `end`.
    fn max_timestamp(&self, log: LogId, end: Offset) -> Option<i64> {
        let state = self.fold.logs.get(&log);
        let segments = state
            .into_iter()
            .flat_map(|state| state.segments.iter().map(|segment| segment.max_timestamp));
        let folded = state.into_iter().flat_map(|state| state.ring.iter());
        let placed = self
            .live
            .get(&log)
            .into_iter()
            .flat_map(|live| live.placed.iter());
        let ring = folded
            .chain(placed)
            .filter(|batch| batch.next() <= end)
            .map(|batch| batch.max_timestamp);
        segments.chain(ring).filter(|time| *time >= 0).max()
    }

    /// Goes on with the searches that wait for a part of an index.
    pub(crate) fn find_on(&mut self, log: LogId, ops: &mut Ops) {
        let waiting: Vec<u64> = self
            .finds
            .searches
            .iter()
            .filter(|(_, search)| search.log == log && !search.reading)
            .map(|(id, _)| *id)
            .collect();
        for id in waiting {
            self.search(id, ops);
        }
    }

    fn search(&mut self, id: u64, ops: &mut Ops) {
        let Some(search) = self.finds.searches.get(&id).copied() else {
            return;
        };
        if let Some(why) = self.offline(search.log) {
            let refusal = ReadRefusal::Offline(why.into());
            self.answer(id, Err(refusal), ops);
            return;
        }
        let (time, log) = (search.want.time(), search.log);
        if let Some(state) = self.fold.logs.get(&log) {
            for segment in state
                .segments
                .iter()
                .filter(|segment| segment.next > state.start)
            {
                if segment.max_timestamp < time {
                    continue;
                }
                match self.windows.by_time(log, segment, time) {
                    Lookup::Need(index) => {
                        let key = WindowKey {
                            log,
                            base: segment.base,
                            index,
                        };
                        self.want_window(key, ops);
                        return;
                    }
                    Lookup::At(index, at) => {
                        // The entry's running maximum reaches the time first here, so this batch itself holds it.
                        let entry = self
                            .windows
                            .entries(log, segment.base, index, at)
                            .first()
                            .copied();
                        if let Some(entry) = entry.filter(|entry| entry.next() > state.start) {
                            self.look_into(id, entry.base.max(state.start), ops);
                            return;
                        }
                    }
                    // The segment holds such a time, as the fold knows: its index is not what was written (#104).
                    Lookup::Nowhere => {
                        let (base, index) = (segment.base, 0);
                        let what = format!("does not lead to time {time}");
                        self.windows.forget_segment(log, base);
                        self.rebuild(WindowKey { log, base, index }, what, ops);
                        return;
                    }
                }
            }
        }
        let start = self
            .fold
            .logs
            .get(&log)
            .map_or(Offset::ZERO, |state: &LogState| state.start);
        let folded = self
            .fold
            .logs
            .get(&log)
            .into_iter()
            .flat_map(|state| state.ring.iter());
        let placed = self
            .live
            .get(&log)
            .into_iter()
            .flat_map(|live| live.placed.iter());
        let batch = folded
            .chain(placed)
            .find(|batch| {
                batch.max_timestamp >= time && batch.next() <= search.end && batch.next() > start
            })
            .map(|batch| batch.base.max(start));
        match batch {
            Some(at) => self.look_into(id, at, ops),
            None => self.answer(id, Ok(None), ops),
        }
    }

    fn look_into(&mut self, id: u64, at: Offset, ops: &mut Ops) {
        let Some(search) = self.finds.searches.get_mut(&id) else {
            return;
        };
        search.reading = true;
        let log = search.log;
        self.load_batch(log, at, id, ops);
    }

    /// The batch is here.
    pub(crate) fn find_loaded(
        &mut self,
        id: u64,
        answer: Result<Vec<Bytes>, ReadRefusal>,
        ops: &mut Ops,
    ) {
        let Some(search) = self.finds.searches.get(&id).copied() else {
            return;
        };
        let batches = match answer {
            Ok(batches) => batches,
            Err(refusal) => {
                self.answer(id, Err(refusal), ops);
                return;
            }
        };
        let start = self
            .live
            .get(&search.log)
            .map_or(Offset::ZERO, |live| live.marks.start);
        let found = batches.first().and_then(|bytes| {
            let batch = Batch::first(bytes).ok()?;
            let (mut inflater, pool) = (Inflater::new(), Pool::new(POOL));
            let found = match search.want {
                Want::At(time) => {
                    lookup::first_at_or_after(&batch, time, Caps::DEFAULT, &mut inflater, &pool)
                }
                Want::Max(_) => {
                    lookup::first_with_max_timestamp(&batch, Caps::DEFAULT, &mut inflater, &pool)
                }
            };
            let found = found.ok()??;
            Some(FoundAt {
                offset: Offset(found.offset).max(start),
                timestamp: Wall(found.timestamp),
                epoch: LeaderEpoch(batch.header.leader_epoch),
            })
        });
        let found = found.filter(|found| found.offset < search.end);
        self.answer(id, Ok(found), ops);
    }

    fn answer(&mut self, id: u64, answer: Result<Option<FoundAt>, ReadRefusal>, ops: &mut Ops) {
        if let Some(search) = self.finds.searches.remove(&id) {
            ops.tell(Told::Found(search.tag, answer));
        }
    }
}
