//! Where the bytes lie that a reader may have: in the ring, in segments, or first in a part of an index that must be
//! loaded. Decides what a plan names and what damage means; the bytes themselves go from the shell to the reader
//! without entering the core, each batch checked against the checksum named here. Holds #7, #9, #99, #106.

mod load;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::file::{FileName, FileOp, Outcome, Place, ReadPlan, RingKind, Served};
use crate::ids::{LogId, Offset};
use crate::log::engine::{Engine, Why};
use crate::log::read::load::Loads;
use crate::log::refusal::ReadRefusal;
use crate::log::sidecar::{self, SideEntry, SideFault};
use crate::log::state::RingBatch;
use crate::log::told::{Ops, Told};
use crate::log::windows::{Lookup, WINDOW, WindowKey};
use crate::map::Map;
use crate::proof;

/// Most batches of one plan.
const PLACES_MAX: usize = 8192;

/// Whether a plan could be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Planned {
    /// Here it is; it pins its files until `served` gives it back. Without a place there is nothing to read yet.
    Ready(ReadPlan),
    /// A part of an index is being loaded; `Told::Look` follows.
    Later,
}

/// How much there is for a reader, told without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Measured {
    /// Bytes of the batches that a plan would name.
    pub bytes: u64,
    /// Behind the last of them.
    pub upto: Offset,
    /// A plan has no room for the batch that follows.
    pub full: bool,
}

/// See the file's head.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    /// How many plans name a segment file.
    pub(crate) pins: Map<FileName, u32>,
    loads: Loads,
}

/// Collects places in offset order.
struct Collect {
    files: Vec<FileName>,
    places: Vec<Place>,
    left: u64,
    end: Offset,
    at_least_one: bool,
    /// Behind the last batch that was added.
    upto: Offset,
    /// There was no room for a batch below the end.
    full: bool,
}

impl Collect {
    /// Adds one batch, if it lies wholly below the end that the reader may see (#9) and there is room.
    fn add(
        &mut self,
        next: Offset,
        len: u32,
        at: u64,
        checksum: u32,
        name: impl FnOnce() -> FileName,
        same: bool,
    ) -> bool {
        let first = self.places.is_empty();
        let fits = u64::from(len) <= self.left || (first && self.at_least_one);
        let hidden = next > self.end && !proof::mutant("plan-beyond-end");
        if hidden || !fits || self.places.len() >= PLACES_MAX {
            self.full |= !hidden;
            return false;
        }
        self.upto = next;
        if first || !same {
            let name = name();
            if self.files.last() != Some(&name) {
                self.files.push(name);
            }
        }
        let file = u16::try_from(self.files.len().saturating_sub(1)).unwrap_or(u16::MAX);
        self.left = self.left.saturating_sub(u64::from(len));
        self.places.push(Place {
            file,
            at,
            len,
            checksum,
        });
        true
    }
}

impl Engine {
    /// Where the batches from the one that holds `from` on lie, wholly below `end`, up to `max_bytes`.
    pub fn plan(
        &mut self,
        log: LogId,
        from: Offset,
        end: Offset,
        max_bytes: u32,
        at_least_one: bool,
        ops: &mut Ops,
    ) -> Result<Planned, ReadRefusal> {
        let collected = self.collect(log, from, end, max_bytes, at_least_one, ops)?;
        let (Some(collected), Some(live)) = (collected, self.live.get(&log)) else {
            return Ok(Planned::Later);
        };
        let plan = ReadPlan {
            log,
            pin: u64::from(live.generation.0),
            files: collected.files,
            places: collected.places,
        };
        self.pin(&plan);
        Ok(Planned::Ready(plan))
    }

    /// How much such a plan would name; none while a part of an index is being loaded (`Told::Look` follows).
    pub fn measure(
        &mut self,
        log: LogId,
        from: Offset,
        end: Offset,
        max_bytes: u32,
        ops: &mut Ops,
    ) -> Result<Option<Measured>, ReadRefusal> {
        let collected = self.collect(log, from, end, max_bytes, true, ops)?;
        Ok(collected.map(|collected| Measured {
            bytes: collected
                .places
                .iter()
                .map(|place| u64::from(place.len))
                .sum(),
            upto: collected.upto,
            full: collected.full,
        }))
    }

    fn collect(
        &mut self,
        log: LogId,
        from: Offset,
        end: Offset,
        max_bytes: u32,
        at_least_one: bool,
        ops: &mut Ops,
    ) -> Result<Option<Collect>, ReadRefusal> {
        let live = self.live.get(&log).ok_or(ReadRefusal::NotOpen)?;
        if let Some(why) = &live.offline {
            return Err(ReadRefusal::Offline(why.clone()));
        }
        let (start, next) = (live.marks.start, live.marks.next);
        if from < start || from > next {
            return Err(ReadRefusal::OutOfRange { start, end: next });
        }
        let end = end.min(live.marks.written);
        let mut collect = Collect {
            files: Vec::new(),
            places: Vec::new(),
            left: u64::from(max_bytes),
            end,
            at_least_one,
            upto: from,
            full: false,
        };
        let mut cursor = from;
        let spilled = self
            .fold
            .logs
            .get(&log)
            .map_or(Offset::ZERO, |state| state.spilled);
        let mut open = true;
        while open && cursor < spilled && cursor < end {
            match self.segment_part(log, cursor, &mut collect) {
                Part::Upto(reached) => cursor = reached,
                Part::Enough => open = false,
                Part::Damaged(base, index) => {
                    let key = WindowKey { log, base, index };
                    self.windows.forget_segment(log, base);
                    self.windows.lookers.insert(log);
                    self.rebuild(key, format!("does not lead to offset {cursor}"), ops);
                    return Ok(None);
                }
                Part::Need(key) => {
                    self.want_window(key, ops);
                    if !collect.places.is_empty() {
                        open = false;
                    } else {
                        self.windows.lookers.insert(log);
                        return Ok(None);
                    }
                }
            }
        }
        if open && cursor >= spilled {
            self.ring_part(log, cursor, &mut collect);
        }
        Ok(Some(collect))
    }

    fn ring_part(&self, log: LogId, cursor: Offset, collect: &mut Collect) {
        let (state, live) = (self.fold.logs.get(&log), self.live.get(&log));
        let folded = state.map(|state| {
            let first = state.ring.partition_point(|batch| batch.next() <= cursor);
            state.ring.range(first..)
        });
        let placed = live.map(|live| {
            let first = live.placed.partition_point(|batch| batch.next() <= cursor);
            live.placed.range(first..)
        });
        let mut last = None;
        // The known bug: where a plan goes on from a segment into the ring, a batch is left out (#113).
        let left_out = !collect.places.is_empty() && proof::mutant("poll-skips-a-batch");
        for batch in folded
            .into_iter()
            .flatten()
            .chain(placed.into_iter().flatten())
            .skip(usize::from(left_out))
        {
            let spot = batch.spot;
            let same = last == Some((spot.kind, spot.file));
            last = Some((spot.kind, spot.file));
            let name = || FileName::Ring {
                kind: spot.kind,
                shard: self.shard,
                sequence: spot.file,
            };
            if !collect.add(
                batch.next(),
                batch.len,
                u64::from(spot.at),
                batch.checksum,
                name,
                same,
            ) {
                return;
            }
        }
    }

    fn segment_part(&mut self, log: LogId, cursor: Offset, collect: &mut Collect) -> Part {
        let Some(state) = self.fold.logs.get(&log) else {
            return Part::Enough;
        };
        let at = state
            .segments
            .partition_point(|segment| segment.next <= cursor);
        let (Some(segment), Some(dir)) = (state.segments.get(at), &state.dir) else {
            return Part::Upto(state.spilled);
        };
        match self.windows.by_offset(log, segment, cursor) {
            Lookup::Need(index) => Part::Need(WindowKey {
                log,
                base: segment.base,
                index,
            }),
            Lookup::Nowhere => Part::Damaged(segment.base, 0),
            Lookup::At(index, from) => {
                let entries = self.windows.entries(log, segment.base, index, from);
                // An entry at a wrong place proves itself: only what it follows, and where it leads, gives it away (#104).
                let leads = entries
                    .first()
                    .is_some_and(|entry| entry.base <= cursor.max(segment.base));
                if !leads {
                    return Part::Damaged(segment.base, index);
                }
                let mut reached = cursor;
                for (nth, entry) in entries.iter().enumerate() {
                    let name = || FileName::Segment {
                        dir: dir.clone(),
                        base: segment.base,
                    };
                    if !collect.add(
                        entry.next(),
                        entry.len,
                        entry.at,
                        entry.checksum,
                        name,
                        nth > 0,
                    ) {
                        return Part::Enough;
                    }
                    reached = entry.next();
                }
                Part::Upto(reached)
            }
        }
    }

    fn pin(&mut self, plan: &ReadPlan) {
        for file in &plan.files {
            match file {
                FileName::Ring { kind, sequence, .. } => {
                    if let Some(file) = self
                        .lanes
                        .get_mut(*kind)
                        .and_then(|lane| lane.ring.file(*sequence))
                    {
                        file.pins += 1;
                    }
                }
                _ => *self.reads.pins.entry(file.clone()).or_insert(0) += 1,
            }
        }
    }

    fn unpin(&mut self, plan: &ReadPlan, ops: &mut Ops) {
        self.spill.relief = 0;
        for file in &plan.files {
            match file {
                FileName::Ring { kind, sequence, .. } => {
                    if let Some(file) = self
                        .lanes
                        .get_mut(*kind)
                        .and_then(|lane| lane.ring.file(*sequence))
                    {
                        file.pins = file.pins.saturating_sub(1);
                    }
                }
                _ => self.unpin_segment(file, ops),
            }
        }
    }

    pub(crate) fn unpin_segment(&mut self, file: &FileName, ops: &mut Ops) {
        let Some(pins) = self.reads.pins.get_mut(file) else {
            return;
        };
        *pins -= 1;
        if *pins == 0 {
            self.reads.pins.remove(file);
            self.unpinned(file, ops);
        }
    }

    /// A plan comes back. Bytes that do not match are damage only if they still lie where the plan said; else the
    /// reader plans again.
    pub fn served(&mut self, plan: &ReadPlan, served: &Served, ops: &mut Ops) {
        self.unpin(plan, ops);
        match served {
            Served::Whole | Served::Dropped => {}
            Served::Rotten(index) => self.judge(plan, *index, "does not match its checksum", ops),
            Served::Unreadable(index, fault) => self.judge(
                plan,
                *index,
                &format!("cannot be read: {}", fault.text),
                ops,
            ),
        }
    }

    fn judge(&mut self, plan: &ReadPlan, index: usize, what: &str, ops: &mut Ops) {
        let Some(place) = plan.places.get(index).copied() else {
            return;
        };
        let Some(file) = plan.files.get(usize::from(place.file)) else {
            return;
        };
        if self.is_current(plan, file, &place) {
            let why = format!(
                "the batch of {} bytes in {file} at byte {} {what}",
                place.len, place.at
            );
            self.take_offline(plan.log, why, ops);
        } else {
            proof::sometimes("place-no-longer-current");
            ops.tell(Told::Look(plan.log));
        }
    }

    fn is_current(&self, plan: &ReadPlan, file: &FileName, place: &Place) -> bool {
        let (Some(state), Some(live)) = (self.fold.logs.get(&plan.log), self.live.get(&plan.log))
        else {
            return self
                .live
                .get(&plan.log)
                .is_some_and(|live| lies_here(live.placed.iter(), file, place));
        };
        if u64::from(live.generation.0) != plan.pin {
            return false;
        }
        match file {
            FileName::Segment { dir, base } => {
                state.dir.as_ref() == Some(dir)
                    && state.segments.iter().any(|segment| segment.base == *base)
            }
            _ => lies_here(state.ring.iter().chain(&live.placed), file, place),
        }
    }

    /// Asks for a part of a sidecar, unless it is on its way.
    pub(crate) fn want_window(&mut self, key: WindowKey, ops: &mut Ops) {
        let Some(state) = self.fold.logs.get(&key.log) else {
            return;
        };
        let segment = state
            .segments
            .iter()
            .find(|segment| segment.base == key.base);
        let (Some(dir), Some(segment)) = (state.dir.clone(), segment) else {
            return;
        };
        if self.windows.loading.insert(key) {
            let file = FileName::Sidecar {
                dir,
                base: key.base,
            };
            let bytes = WINDOW * sidecar::ENTRY as u32;
            let at = sidecar::HEADER + u64::from(key.index) * u64::from(bytes);
            let ticket = ops.ask(FileOp::Read {
                file,
                at,
                len: bytes,
            });
            self.waiting
                .insert(ticket, Why::Window(key, segment.batches));
        }
    }

    /// A part of a sidecar is here.
    pub(crate) fn window_done(
        &mut self,
        key: WindowKey,
        batches: u32,
        outcome: Outcome,
        ops: &mut Ops,
    ) {
        self.windows.loading.remove(&key);
        let Some(state) = self.fold.logs.get(&key.log) else {
            return;
        };
        let segment = state
            .segments
            .iter()
            .find(|segment| segment.base == key.base);
        if let Some(segment) = segment {
            // The last entry ends at the chain value that the checkpoint carries, unless a spill has added to it.
            let ends = (segment.batches == batches).then_some(segment.chain);
            match parse_window(&key, batches, ends, &outcome) {
                // A part that was read before a spill added to it is read again.
                Ok(entries) if entries.len() < WINDOW as usize && segment.batches != batches => {}
                Ok(entries) => self.windows.keep(key, entries, self.conf.windows_bytes),
                Err(what) => {
                    self.rebuild(key, what, ops);
                    return;
                }
            }
        }
        self.window_landed(key.log, ops);
    }

    /// Whoever waited for a part of this log's index looks again.
    pub(crate) fn window_landed(&mut self, log: LogId, ops: &mut Ops) {
        if self.windows.lookers.remove(&log) {
            ops.tell(Told::Look(log));
        }
        for wish in core::mem::take(&mut self.reads.loads.wishes) {
            if wish.log == log {
                self.load_wish(wish, ops)
            } else {
                self.reads.loads.wishes.push(wish)
            }
        }
        self.find_on(log, ops);
    }
}

/// What a segment gave to a plan.
enum Part {
    /// All up to here.
    Upto(Offset),
    /// As much as the reader may have.
    Enough,
    /// This must be loaded first.
    Need(WindowKey),
    /// The index of the segment with this base offset leads nowhere, or past what was looked for, in this part.
    Damaged(Offset, u32),
}

fn lies_here<'a>(
    mut batches: impl Iterator<Item = &'a RingBatch>,
    file: &FileName,
    place: &Place,
) -> bool {
    let FileName::Ring { kind, sequence, .. } = file else {
        return false;
    };
    let here =
        |kind: RingKind, batch: &RingBatch| batch.spot.kind == kind && batch.spot.file == *sequence;
    batches.any(|batch| {
        here(*kind, batch)
            && u64::from(batch.spot.at) == place.at
            && batch.checksum == place.checksum
    })
}

/// The entries of one part of a sidecar, each proved by itself and against the one before it; the first of all is bound to
/// its segment, and the last ends the chain at `ends`, if that is known (#6, #8).
fn parse_window(
    key: &WindowKey,
    batches: u32,
    ends: Option<u32>,
    outcome: &Outcome,
) -> Result<Vec<SideEntry>, String> {
    let bytes = match outcome {
        Outcome::Bytes(bytes) => bytes,
        Outcome::Failed(fault) => return Err(format!("cannot be read: {}", fault.text)),
        _ => return Err("gave no bytes".into()),
    };
    let first = key.index * WINDOW;
    let wanted = batches.saturating_sub(first).min(WINDOW) as usize;
    let mut chain = (first == 0).then(|| sidecar::first_chain(key.log, key.base));
    let mut entries = Vec::with_capacity(wanted);
    for chunk in bytes.chunks(sidecar::ENTRY).take(wanted) {
        let at = first as usize + entries.len();
        let (entry, before, after) =
            sidecar::take(chunk).map_err(|fault| format!("is damaged at entry {at}: {fault:?}"))?;
        if chain.is_some_and(|chain| chain != before) {
            return Err(format!("is damaged at entry {at}: {:?}", SideFault::Chain));
        }
        let follows = entries.last().is_none_or(|last: &SideEntry| {
            (last.next(), last.at + u64::from(last.len)) == (entry.base, entry.at)
        });
        if !follows {
            return Err(format!(
                "is damaged at entry {at}: it does not follow the one before it"
            ));
        }
        chain = Some(after);
        entries.push(entry);
    }
    if entries.len() < wanted {
        return Err(format!(
            "ends after {} entries of this part, {wanted} were written",
            entries.len()
        ));
    }
    let last = first + WINDOW >= batches;
    match (chain, ends) {
        (Some(chain), Some(ends)) if last && chain != ends => {
            Err("ends with an entry that was not the last one written".into())
        }
        _ => Ok(entries),
    }
}
