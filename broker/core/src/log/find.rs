//! From a time to an offset. Decides which batch holds the record (by segments' and batches' largest timestamps), has it
//! read and looks into it; never trusts an index for more than a hint of where to look. Holds #6.
//!
//! Below the log's start lie records that were removed, and indexes still tell of them: in the segment that the log
//! starts in, batches are looked through one by one where the index leads below the start, and of the batch that it
//! starts in only the rest counts. So the largest time known may belong to nobody; then the next largest is looked for.

use alloc::format;
use alloc::vec::Vec;

use bytes::Bytes;
use sawlog_wire::records::{Batch, Caps, Inflater, Pool, lookup};

use crate::answer::Find;
use crate::ids::{LeaderEpoch, LogId, Offset};
use crate::log::engine::Engine;
use crate::log::refusal::ReadRefusal;
use crate::log::state::{RingBatch, SegmentState};
use crate::log::told::{FoundAt, Ops, Told};
use crate::log::windows::{Lookup, WindowKey, Windows};
use crate::map::Map;
use crate::now::Wall;
use crate::proof;

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
    /// All batches below were looked at.
    from: Offset,
    /// The largest time met that is less than the one that is wanted.
    late: i64,
    /// Whether a batch is being read for it.
    reading: bool,
}

/// What is to be done next for a search.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// A part of an index must be loaded.
    Load(WindowKey),
    /// The index of this segment leads nowhere, although the fold knows that it holds such a time (#104).
    Rebuild(WindowKey),
    /// The batch that holds this offset is read.
    Read(Offset),
    /// There is no such record.
    Nothing,
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
                from: Offset::ZERO,
                late: -1,
                reading: false,
            },
        );
        self.search(id, ops);
    }

    /// The largest timestamp known of what lies below `end`; of records that were removed, perhaps.
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
        let Some(mut search) = self.finds.searches.get(&id).copied() else {
            return;
        };
        if let Some(why) = self.offline(search.log) {
            let refusal = ReadRefusal::Offline(why.into());
            self.answer(id, Err(refusal), ops);
            return;
        }
        let next = loop {
            match (self.look(&mut search), search.want) {
                (Next::Nothing, Want::Max(_)) if search.late >= 0 => {
                    // The largest time was that of a record below the start.
                    proof::sometimes("latest-record-was-removed");
                    search.want = Want::Max(search.late);
                    (search.from, search.late) = (Offset::ZERO, -1);
                }
                (next, _) => break next,
            }
        };
        self.finds.searches.insert(id, search);
        match next {
            Next::Load(key) => self.want_window(key, ops),
            Next::Rebuild(key) => {
                let what = format!("does not lead to time {}", search.want.time());
                self.windows.forget_segment(key.log, key.base);
                self.rebuild(key, what, ops);
            }
            Next::Read(at) => self.look_into(id, at, ops),
            Next::Nothing => self.answer(id, Ok(None), ops),
        }
    }

    /// Looks on from where the search is: in segments by their indexes, then at what lies in a ring.
    fn look(&mut self, search: &mut Search) -> Next {
        let (time, log) = (search.want.time(), search.log);
        let state = self.fold.logs.get(&log);
        let start = state.map_or(Offset::ZERO, |state| state.start);
        for segment in state.into_iter().flat_map(|state| &state.segments) {
            if segment.next <= start.max(search.from) {
                continue;
            }
            if segment.max_timestamp < time {
                search.late = search.late.max(segment.max_timestamp);
                continue;
            }
            if let Some(next) = reach(&mut self.windows, segment, start, search) {
                return next;
            }
        }
        let folded = state.into_iter().flat_map(|state| state.ring.iter());
        let placed = self.live.get(&log);
        let placed = placed.into_iter().flat_map(|live| live.placed.iter());
        let floor = start.max(search.from);
        let seen = |batch: &&RingBatch| batch.next() > floor && batch.next() <= search.end;
        let mut late = search.late;
        for batch in folded.chain(placed).filter(seen) {
            if batch.max_timestamp >= time {
                return Next::Read(batch.base.max(start));
            }
            late = late.max(batch.max_timestamp);
        }
        search.late = late;
        Next::Nothing
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
        let Some(search) = self.finds.searches.get_mut(&id) else {
            return;
        };
        search.reading = false;
        let (log, want, end) = (search.log, search.want, search.end);
        let batches = match answer {
            Ok(batches) => batches,
            Err(refusal) => {
                self.answer(id, Err(refusal), ops);
                return;
            }
        };
        let start = self
            .live
            .get(&log)
            .map_or(Offset::ZERO, |live| live.marks.start);
        let Some((found, next)) = batches.first().and_then(|bytes| within(bytes, want, start))
        else {
            self.answer(id, Ok(None), ops);
            return;
        };
        match found {
            Some(found) if found.timestamp.0 >= want.time() => {
                let found = Some(found).filter(|found| found.offset < end);
                self.answer(id, Ok(found), ops);
            }
            rest => {
                // The record that the index tells of lies below the start.
                proof::sometimes("late-record-below-the-start");
                search.late = rest.map_or(search.late, |rest| search.late.max(rest.timestamp.0));
                search.from = next;
                self.search(id, ops);
            }
        }
    }

    fn answer(&mut self, id: u64, answer: Result<Option<FoundAt>, ReadRefusal>, ops: &mut Ops) {
        if let Some(search) = self.finds.searches.remove(&id) {
            ops.tell(Told::Found(search.tag, answer));
        }
    }
}

/// Where the first batch of a segment lies, not yet looked at, that is as late as the search wants; none if there is none.
fn reach(
    windows: &mut Windows,
    segment: &SegmentState,
    start: Offset,
    search: &mut Search,
) -> Option<Next> {
    let (log, base, time) = (search.log, segment.base, search.want.time());
    let key = |index| WindowKey { log, base, index };
    // The entry's running maximum reaches the time first here, so this batch itself holds it; unless that was below.
    if search.from <= base {
        match windows.by_time(log, segment, time) {
            Lookup::Need(index) => return Some(Next::Load(key(index))),
            Lookup::Nowhere => return Some(Next::Rebuild(key(0))),
            Lookup::At(index, at) => {
                let entry = windows.entries(log, base, index, at).first();
                if let Some(entry) = entry.filter(|entry| entry.next() > start) {
                    return Some(Next::Read(entry.base.max(start)));
                }
                if proof::mutant("removed-record-hides-others") {
                    return None;
                }
            }
        }
    }
    loop {
        let floor = start.max(search.from);
        if floor >= segment.next {
            return None;
        }
        let (index, at) = match windows.by_offset(log, segment, floor) {
            Lookup::Need(index) => return Some(Next::Load(key(index))),
            Lookup::Nowhere => return Some(Next::Rebuild(key(0))),
            Lookup::At(index, at) => (index, at),
        };
        let entries = windows.entries(log, base, index, at);
        // An entry at a wrong place proves itself: only where it leads gives it away (#104).
        let leads = entries
            .first()
            .is_some_and(|entry| entry.base <= floor.max(base));
        if !leads {
            return Some(Next::Rebuild(key(index)));
        }
        for entry in entries {
            if entry.max_timestamp >= time {
                return Some(Next::Read(entry.base.max(start)));
            }
            search.late = search.late.max(entry.max_timestamp);
            search.from = entry.next();
        }
    }
}

/// The record of a batch that is meant, of those that are still there, and where the batch ends.
fn within(bytes: &[u8], want: Want, start: Offset) -> Option<(Option<FoundAt>, Offset)> {
    let batch = Batch::first(bytes).ok()?;
    let (mut inflater, pool) = (Inflater::new(), Pool::new(POOL));
    let (caps, from) = (Caps::DEFAULT, start.0);
    let found = match want {
        Want::At(time) => lookup::first_at_or_after(&batch, time, from, caps, &mut inflater, &pool),
        Want::Max(_) => lookup::first_with_max_timestamp(&batch, from, caps, &mut inflater, &pool),
    };
    let found = found.ok()?.map(|found| FoundAt {
        offset: Offset(found.offset),
        timestamp: Wall(found.timestamp),
        epoch: LeaderEpoch(batch.header.leader_epoch),
    });
    let next = batch.header.base_offset + i64::from(batch.header.last_offset_delta) + 1;
    Some((found, Offset(next)))
}
