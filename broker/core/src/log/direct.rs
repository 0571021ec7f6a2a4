//! Large batches go straight to where they stay: into their segment, durably, and only then does a commit of a few bytes
//! name them. Decides when a log goes this way, what one write takes, and that nothing is named before it is durable;
//! never what a name means (`fold`). Holds #1, #94, #96, #101, #104.
//!
//! A byte that goes by the ring is written twice and copied twice. That buys small batches of many logs one write in
//! common; for batches that fill a write by themselves it buys nothing (decision 0011).
//!
//! The way there: a log brings nothing but large batches for a while -> what follows is staged, what is in the ring is
//! spilled -> both checkpoints say so, for a start must find every batch below in segments, whichever it reads -> batches
//! are put behind the segment's end, with zeros up to the end of the block, their entries into the sidecar -> both are
//! done -> the entries are queued for a commit. A small batch, a full disk or a stop leads back to the ring.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use crate::file::{FaultKind, FileName, FileOp, How, Outcome, Piece, RingKind, Stamp};
use crate::ids::{LogId, Ticket};
use crate::log::engine::{Engine, Why};
use crate::log::queue::{Class, Item};
use crate::log::rise::Phase;
use crate::log::row::Row;
use crate::log::sidecar::{self, SideEntry};
use crate::log::spill::{Course, Ready};
use crate::log::state::{BatchEntry, Entry, Fact, Home, SegmentState};
use crate::log::told::Ops;
use crate::map::Set;
use crate::marks::Durability;
use crate::proof;

/// What is written around the page cache is whole blocks of a file.
const BLOCK: u64 = 4096;
/// Cycles of the spill after which a log that is not spilled yet goes by the ring again.
const CYCLES_MAX: u64 = 3;
/// Writes of one log under way: those behind the first wait where they are written, and may be written as one there.
const PUTS_MAX: usize = 32;

/// Each names the operation whose completion is awaited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PlaceStep {
    /// Batches in the segment, or entries in its sidecar, of the write of this number.
    Put(u64),
    /// The directory, which has new names since that write.
    Dir(u64),
    /// A segment that is full: cut to its last batch, synced.
    Close,
}

/// Which way the batches of a log take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// By the ring; what large batches came in a row.
    Ring(Row),
    /// Staged, until what lies in the ring is spilled and checkpoints know.
    Closing {
        /// Cycles of the spill that had been completed.
        cycles: u64,
        /// The number of the last checkpoint that may not know yet.
        unknown: Option<u64>,
    },
    /// Straight to the segment, which will be this once all that is under way has landed.
    Segment(SegmentState),
}

impl Default for Way {
    fn default() -> Way {
        Way::Ring(Row::default())
    }
}

/// One log's batches on their way.
#[derive(Debug, Default)]
pub(crate) struct Direct {
    pub(crate) way: Way,
    /// Batches, and facts between them, that are not written yet.
    staged: VecDeque<Item>,
    /// How many of `staged` are batches.
    batches: u32,
    /// In the order of their offsets: they are named in that order, too.
    putting: VecDeque<Putting>,
    puts: u64,
}

/// One write that is under way.
#[derive(Debug)]
struct Putting {
    number: u64,
    batches: Vec<BatchEntry>,
    /// Their bytes, should they have to go by the ring after all.
    bytes: Laid,
    /// How many bytes of the block before are written again.
    lead: usize,
    /// Operations that are awaited.
    left: u32,
    /// The directory got new names that are not durable yet.
    named: bool,
    full: bool,
}

impl Putting {
    /// Bytes of its batches.
    fn len(&self) -> usize {
        let lens = self.batches.iter().map(|entry| entry.batch.len as usize);
        lens.sum()
    }
}

/// Bytes of batches that are being put.
#[derive(Debug)]
enum Laid {
    /// As they came, one for each batch.
    Sent(VecDeque<Bytes>),
    /// As they lie in the file, in runs: so many bytes of the block before, then the batches.
    Copied(usize, Vec<Bytes>),
}

impl Laid {
    /// The next batch's.
    fn next(&mut self, len: usize) -> Bytes {
        match self {
            Laid::Sent(batches) => batches.pop_front().unwrap_or_default(),
            Laid::Copied(skip, runs) => {
                let mut batch = BytesMut::with_capacity(len);
                let mut from = core::mem::replace(skip, *skip + len);
                for run in runs {
                    let missing = len - batch.len();
                    let part = run.get(from.min(run.len())..).unwrap_or_default();
                    batch.extend_from_slice(part.get(..missing).unwrap_or(part));
                    from = from.saturating_sub(run.len());
                }
                batch.freeze()
            }
        }
    }
}

/// The logs that do not go by the ring and do not rest.
#[derive(Debug, Default)]
pub(crate) struct Placing {
    pub(crate) logs: Set<LogId>,
    /// Payload that is staged or being put.
    pub(crate) bytes: u64,
}

impl Engine {
    /// Takes in what was appended: into the queue of its ring, or onto the log's own stage.
    pub(crate) fn admit(&mut self, log: LogId, class: Class, item: Item) {
        let len = item.bytes.len() as u64;
        let batch = matches!(item.entry, Entry::Batch(_));
        let Some(live) = self.live.get_mut(&log) else {
            return;
        };
        let kind = match &item.entry {
            Entry::Batch(entry) => entry.batch.spot.kind,
            Entry::Fact(..) | Entry::Node(_) => RingKind::Durable,
        };
        let direct = &mut live.direct;
        let behind = batch || !direct.staged.is_empty() || !direct.putting.is_empty();
        if matches!(direct.way, Way::Ring(_)) || !behind {
            if let Some(lane) = self.lanes.get_mut(kind) {
                lane.queue.push(class, item);
            }
            return;
        }
        direct.batches += u32::from(batch);
        direct.staged.push_back(item);
        self.placing.logs.insert(log);
        self.placing.bytes += len;
    }

    /// Goes on with every log that does not go by the ring.
    pub(crate) fn place(&mut self, ops: &mut Ops) {
        let logs: Vec<LogId> = self.placing.logs.iter().copied().collect();
        for log in logs {
            let Some(live) = self.live.get(&log) else {
                self.placing.logs.remove(&log);
                continue;
            };
            let idle = live.direct.putting.is_empty();
            let fast = live.durability() == Durability::Replicated && self.lanes.fast.is_some();
            let helpless = !matches!(self.phase, Phase::Ready)
                || fast
                || self.full
                || self.starved
                || live.offline.is_some()
                || live.dropping;
            match live.direct.way {
                _ if helpless && !idle => {}
                _ if helpless => self.back_to_the_ring(log),
                Way::Ring(_) => self.back_to_the_ring(log),
                Way::Closing { cycles, unknown } => self.close(log, cycles, unknown, ops),
                Way::Segment(_) => {
                    while self.put_direct(log, ops) {}
                    self.forget_idle(log);
                }
            }
        }
    }

    /// Where in its segment a log's next batch will lie, if it goes there without the ring and begins no segment of its own.
    pub(crate) fn next_direct(&self, log: LogId) -> Option<u64> {
        let direct = &self.live.get(&log)?.direct;
        let Way::Segment(segment) = &direct.way else {
            return None;
        };
        let staged: u64 = direct
            .staged
            .iter()
            .map(|item| item.bytes.len() as u64)
            .sum();
        Some(segment.bytes + staged)
    }

    /// A log that rests costs nothing: it is met again with its next batch.
    fn forget_idle(&mut self, log: LogId) {
        let live = self.live.get(&log);
        if live.is_some_and(|live| {
            matches!(live.direct.way, Way::Segment(_))
                && live.direct.staged.is_empty()
                && live.direct.putting.is_empty()
        }) {
            self.placing.logs.remove(&log);
        }
    }

    /// The node stops: all that do not go by the ring go back there.
    pub(crate) fn end_direct(&mut self) {
        let direct = self
            .live
            .iter()
            .filter(|(_, live)| !matches!(live.direct.way, Way::Ring(_)));
        self.placing.logs.extend(direct.map(|(log, _)| *log));
    }

    /// Whether a log waits for the spill to come to its end.
    pub(crate) fn closing(&self) -> bool {
        self.placing.logs.iter().any(|log| {
            let live = self.live.get(log);
            live.is_some_and(|live| matches!(live.direct.way, Way::Closing { unknown: None, .. }))
        })
    }

    /// Whether such a log has something to be spilled.
    pub(crate) fn closing_waits(&self) -> bool {
        self.closing()
            && self.placing.logs.iter().any(|log| {
                let state = self.fold.logs.get(log);
                state.is_some_and(|state| !state.ring.is_empty())
            })
    }

    /// Looks whether all that the log had in the ring is spilled, and known to both checkpoints.
    fn close(&mut self, log: LogId, cycles: u64, unknown: Option<u64>, ops: &mut Ops) {
        let (Some(state), Some(live)) = (self.fold.logs.get_mut(&log), self.live.get_mut(&log))
        else {
            return self.back_to_the_ring(log);
        };
        let landed = live.pending == live.direct.batches && state.ring.is_empty();
        if !landed || self.spill.courses.contains_key(&log) {
            if self.spill.cycles > cycles + CYCLES_MAX {
                self.back_to_the_ring(log);
            }
            return;
        }
        let last = state.segments.last().copied();
        let Some(last) = last.filter(|last| {
            // Without the bytes of the last block that block cannot be written again as it was.
            last.next == state.next
                && self.drops.ready.contains(&log)
                && live.tail.len() as u64 == last.bytes % BLOCK
                && !state.is_torn()
        }) else {
            return self.back_to_the_ring(log);
        };
        let begun = self.keeper.stamp.number;
        match unknown {
            None => {
                proof::sometimes("log-closed-for-direct-batches");
                state.direct = true;
                live.direct.way = Way::Closing {
                    cycles,
                    unknown: Some(begun),
                };
                self.keeper.wanted = self.keeper.wanted.max(2);
                if proof::mutant("direct-before-checkpoints") {
                    live.direct.way = Way::Segment(last);
                }
            }
            Some(unknown) => {
                let durable = begun - u64::from(self.keeper.busy);
                if durable >= unknown + 2 {
                    live.direct.way = Way::Segment(last);
                    while self.put_direct(log, ops) {}
                } else if !self.keeper.busy && self.keeper.wanted == 0 {
                    self.keeper.wanted = 1;
                }
            }
        }
    }

    /// What is staged goes by the ring, and so does all that follows. What was put lies whole blocks long: before the
    /// spill goes on there, the directory is tidied.
    fn back_to_the_ring(&mut self, log: LogId) {
        self.placing.logs.remove(&log);
        let Some(live) = self.live.get_mut(&log) else {
            return;
        };
        assert!(
            live.direct.putting.is_empty(),
            "#10: what is staged is named after what is under way"
        );
        if let Way::Segment(_) = live.direct.way {
            proof::sometimes("back-from-direct-to-the-ring");
            self.drops.ready.remove(&log);
        }
        live.direct.way = Way::Ring(Row::default());
        live.direct.batches = 0;
        for item in core::mem::take(&mut live.direct.staged) {
            self.placing.bytes -= item.bytes.len() as u64;
            if let Some(lane) = self.lanes.get_mut(RingKind::Durable) {
                lane.queue.push(Class::User, item);
            }
        }
    }

    /// Back to the ring, once all that is under way is named. False: nothing was put.
    fn leave_segment(&mut self, log: LogId) -> bool {
        let live = self.live.get(&log);
        if live.is_some_and(|live| live.direct.putting.is_empty()) {
            self.back_to_the_ring(log);
        }
        false
    }

    /// Puts what is staged behind the segment's end, as much as one write takes. False if there is nothing, or too much
    /// under way.
    fn put_direct(&mut self, log: LogId, ops: &mut Ops) -> bool {
        let Some(live) = self.live.get_mut(&log) else {
            return false;
        };
        let (Way::Segment(last), Some(dir)) = (
            live.direct.way,
            self.fold.logs.get(&log).and_then(|state| state.dir.clone()),
        ) else {
            return false;
        };
        if live.direct.putting.len() >= PUTS_MAX || live.direct.putting.iter().any(|put| put.full) {
            return false;
        }
        // A fact stands behind the names of all batches before it (#4, #10).
        let behind = !live.direct.putting.is_empty() && !proof::mutant("fact-before-names");
        let next = |item: &mut Item| !behind && !matches!(item.entry, Entry::Batch(_));
        while let Some(item) = live.direct.staged.pop_front_if(next) {
            if let Some(lane) = self.lanes.get_mut(RingKind::Durable) {
                lane.queue.push(Class::User, item);
            }
        }
        let Some(Item {
            entry: Entry::Batch(first),
            ..
        }) = live.direct.staged.front()
        else {
            return false;
        };
        let staged = live.direct.staged.iter();
        let run = staged.take_while(|item| matches!(item.entry, Entry::Batch(_)));
        let waiting: u64 = run.map(|item| item.bytes.len() as u64).sum();
        if waiting < self.conf.direct_min / 4 {
            return self.leave_segment(log);
        }
        let base = live.segment_for(first.batch.base, Some(&last));
        let mut segment = if base == last.base {
            last
        } else {
            proof::sometimes("direct-batch-begins-a-segment");
            live.tail.clear();
            SegmentState::begin(log, base, first.batch.max_timestamp)
        };
        if live.tail.len() as u64 != segment.bytes % BLOCK {
            // The last block cannot be written again as it was.
            return self.leave_segment(log);
        }
        let named = segment.bytes == 0;
        let (begin, first_entry) = (segment.bytes, segment.batches);
        let mut side = Vec::new();
        let mut batches: Vec<(BatchEntry, Bytes)> = Vec::new();
        let mut bytes = 0;
        while let Some(item) = live.direct.staged.front() {
            let Entry::Batch(mut entry) = item.entry else {
                break;
            };
            let len = item.bytes.len() as u64;
            let full = !batches.is_empty() && bytes + len > self.conf.direct_max;
            if full || live.segment_for(entry.batch.base, Some(&segment)) != segment.base {
                break;
            }
            let Some(item) = live.direct.staged.pop_front() else {
                break;
            };
            let at = segment.bytes;
            segment.add(
                &SideEntry::placed(&entry, at, segment.max_timestamp),
                &mut side,
            );
            entry.home = Some(Home { base, at });
            bytes += len;
            batches.push((entry, item.bytes));
        }
        live.direct.batches -= u32::try_from(batches.len()).unwrap_or(0);
        live.direct.way = Way::Segment(segment);
        let lead = core::mem::take(&mut live.tail);
        live.tail = last_block(&lead, begin, &batches);
        let mut pieces = Vec::with_capacity(batches.len() + 2);
        let (skip, at) = (lead.len(), begin - lead.len() as u64);
        if !lead.is_empty() {
            pieces.push(Piece::Bytes(Bytes::from(lead)));
        }
        for (entry, bytes) in &batches {
            let stamp = stamp_of(entry);
            pieces.push(Piece::Batch(bytes.clone(), stamp));
        }
        let over = segment.bytes % BLOCK;
        if over > 0 {
            pieces.push(Piece::Zeros((BLOCK - over) as usize));
        }
        let mut entries = Vec::new();
        let mut side_at = sidecar::HEADER + u64::from(first_entry) * sidecar::ENTRY as u64;
        if named {
            entries.push(Piece::Bytes(Bytes::from(sidecar::header(log, base))));
            side_at = 0;
        }
        entries.push(Piece::Bytes(Bytes::from(side)));
        live.direct.puts += 1;
        let number = live.direct.puts;
        let (batches, sent) = batches.into_iter().unzip();
        live.direct.putting.push_back(Putting {
            number,
            batches,
            bytes: Laid::Sent(sent),
            lead: skip,
            left: 2,
            named,
            full: false,
        });
        let put = |file, at, pieces, how| FileOp::Put {
            file,
            at,
            pieces,
            how,
        };
        let (data, index) = files_of(&dir, segment.base);
        let asked = [
            put(data, at, pieces, How::Durable),
            put(index, side_at, entries, How::Cached),
        ];
        for op in asked {
            self.place_ask(log, PlaceStep::Put(number), op, ops);
        }
        if named && last.bytes > 0 {
            let (data, index) = files_of(&dir, last.base);
            let cut = FileOp::Cut {
                file: data.clone(),
                len: last.bytes,
            };
            for op in [cut, FileOp::Sync(data), FileOp::Sync(index)] {
                self.place_ask(log, PlaceStep::Close, op, ops);
            }
        }
        if proof::mutant("named-before-durable") {
            self.name(log);
        }
        true
    }

    fn place_ask(&mut self, log: LogId, step: PlaceStep, op: FileOp, ops: &mut Ops) {
        let ticket = ops.ask(op);
        self.waiting.insert(ticket, Why::Place(log, step));
    }

    /// The bytes of a write that is under way lie in other memory now: what they came in is free.
    pub(crate) fn copied(&mut self, ticket: Ticket, runs: Vec<Bytes>) {
        let Some(Why::Place(log, PlaceStep::Put(number))) = self.waiting.get(&ticket) else {
            return;
        };
        let live = self.live.get_mut(log);
        let mut puts = live.into_iter().flat_map(|live| &mut live.direct.putting);
        let Some(put) = puts.find(|put| put.number == *number) else {
            return;
        };
        let have: usize = runs.iter().map(Bytes::len).sum();
        assert!(
            have >= put.lead + put.len(),
            "#1: the copy of a write is whole"
        );
        let wrong = proof::mutant("copied-without-its-lead");
        put.bytes = Laid::Copied(if wrong { 0 } else { put.lead }, runs);
    }

    /// A step came back.
    pub(crate) fn placed(&mut self, log: LogId, step: PlaceStep, outcome: Outcome, ops: &mut Ops) {
        let full = match outcome {
            Outcome::Failed(fault)
                if fault.kind == FaultKind::Full && !matches!(step, PlaceStep::Dir(_)) =>
            {
                true
            }
            // A segment may retire before it is tidied.
            Outcome::Failed(fault)
                if fault.kind == FaultKind::Absent && step == PlaceStep::Close =>
            {
                return;
            }
            Outcome::Failed(fault) => {
                // A durable write or a sync that failed may or may not be there (#101).
                self.broken("a segment could not be written", fault.text, ops);
                return;
            }
            _ => false,
        };
        if full {
            self.starve();
        }
        let (PlaceStep::Put(number) | PlaceStep::Dir(number)) = step else {
            return;
        };
        let dir = self.fold.logs.get(&log).and_then(|state| state.dir.clone());
        let live = self.live.get_mut(&log);
        let mut puts = live.into_iter().flat_map(|live| &mut live.direct.putting);
        let Some(putting) = puts.find(|putting| putting.number == number) else {
            return;
        };
        putting.full |= full;
        putting.left -= 1;
        if let (0, true, false, Some(dir)) = (putting.left, putting.named, putting.full, dir) {
            putting.named = false;
            putting.left = 1;
            let op = FileOp::SyncDir(FileName::Named(dir));
            self.place_ask(log, PlaceStep::Dir(number), op, ops);
        }
        self.name(log);
        self.put_by_the_ring(log);
    }

    /// The bytes are durable where they stay, and all below them: a commit may name them.
    fn name(&mut self, log: LogId) {
        let durable =
            |put: &mut Putting| put.left == 0 && !put.full || proof::mutant("named-before-durable");
        while let Some(live) = self.live.get_mut(&log)
            && let Some(put) = live.direct.putting.pop_front_if(durable)
            && let Some(lane) = self.lanes.get_mut(RingKind::Durable)
        {
            for entry in put.batches {
                self.placing.bytes -= u64::from(entry.batch.len);
                let (entry, bytes) = (Entry::Batch(entry), Bytes::new());
                lane.queue.push(Class::User, Item { entry, bytes });
            }
        }
    }

    /// The file system was full: these batches are named by nothing yet, and the ring has room that was written before.
    fn put_by_the_ring(&mut self, log: LogId) {
        let Some(live) = self.live.get_mut(&log) else {
            return;
        };
        let puts = &mut live.direct.putting;
        let full = puts.front().is_some_and(|put| put.full);
        if !full || puts.iter().any(|put| put.left > 0) {
            return;
        }
        proof::sometimes("direct-write-met-a-full-disk");
        live.tail.clear();
        for mut put in core::mem::take(puts) {
            for entry in put.batches {
                let bytes = put.bytes.next(entry.batch.len as usize);
                self.placing.bytes -= u64::from(entry.batch.len);
                let home = None;
                let entry = Entry::Batch(BatchEntry { home, ..entry });
                if let Some(lane) = self.lanes.get_mut(RingKind::Durable) {
                    lane.queue.push(Class::User, Item { entry, bytes });
                }
            }
        }
        self.back_to_the_ring(log);
    }

    /// All of the log's last segment lies below its start, and it was kept for batches that might still go there. None is
    /// under way: said again, the start takes it, too. A replay from a checkpoint that still counts on it meets all
    /// batches that went there, and drops it at its end (`LogState::settle`).
    pub(crate) fn free_kept(&mut self, log: LogId) {
        let (Some(state), Some(live)) = (self.fold.logs.get(&log), self.live.get(&log)) else {
            return;
        };
        let last = state.segments.last();
        let below =
            state.kept_segment().is_some() && last.is_some_and(|last| last.next <= state.start);
        let rests = live.pending == 0
            && live.direct.staged.is_empty()
            && live.direct.putting.is_empty()
            && !matches!(live.direct.way, Way::Closing { .. })
            && !live.dropping
            && live.offline.is_none();
        if !below || !rests || !matches!(self.phase, Phase::Ready) {
            return;
        }
        proof::sometimes("kept-segment-freed");
        self.back_to_the_ring(log);
        let Some(state) = self.fold.logs.get_mut(&log) else {
            return;
        };
        state.direct = false;
        let start = state.start;
        self.queue_fact(log, Fact::Start(start));
    }

    /// A stop leaves segments that end with their last batch: what is left of blocks that were written whole is cut.
    pub(crate) fn tidy_direct(&mut self, ops: &mut Ops) {
        let logs: Vec<LogId> = self
            .fold
            .logs
            .iter()
            .filter(|(log, state)| {
                let live = self.live.get(log);
                state.direct
                    && !state.is_torn()
                    && !self.drops.ready.contains(log)
                    && !self.spill.courses.contains_key(log)
                    && live.is_some_and(|live| {
                        live.offline.is_none()
                            && !live.dropping
                            && matches!(live.direct.way, Way::Ring(_))
                            // Names may still wait for their commit: until then the fold does not know all that is durable.
                            && (live.pending == 0 || proof::mutant("tidied-before-named"))
                    })
            })
            .map(|(log, _)| *log)
            .collect();
        for log in logs {
            let course = self.files_of(log);
            if let Course::Files(files) = &course
                && files.ready == Ready::No
            {
                self.spill.courses.insert(log, course);
                self.put_block(log, true, ops);
            }
        }
    }
}

fn files_of(dir: &Arc<str>, base: crate::ids::Offset) -> (FileName, FileName) {
    let (data, index) = (dir.clone(), dir.clone());
    (
        FileName::Segment { dir: data, base },
        FileName::Sidecar { dir: index, base },
    )
}

fn stamp_of(entry: &BatchEntry) -> Stamp {
    Stamp {
        base: entry.batch.base,
        epoch: entry.batch.epoch,
    }
}

/// The bytes of the file's last partial block after these batches were put at `begin`, behind `lead`, as they lie there.
fn last_block(lead: &[u8], begin: u64, batches: &[(BatchEntry, Bytes)]) -> Vec<u8> {
    let len: u64 = batches.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let end = begin + len;
    let cut = end / BLOCK * BLOCK;
    let mut block = alloc::vec![0; (end - cut) as usize];
    let mut lay = |at: u64, bytes: &[u8]| {
        let skip = usize::try_from(cut.saturating_sub(at)).unwrap_or(usize::MAX);
        let to = usize::try_from(at.saturating_sub(cut)).unwrap_or(usize::MAX);
        let bytes = bytes.get(skip..).unwrap_or_default();
        let room = block.get_mut(to..).unwrap_or_default();
        let len = bytes.len().min(room.len());
        if let (Some(room), Some(bytes)) = (room.get_mut(..len), bytes.get(..len)) {
            room.copy_from_slice(bytes);
        }
    };
    lay(begin - lead.len() as u64, lead);
    let mut at = begin;
    for (entry, bytes) in batches {
        let stamp = stamp_of(entry);
        lay(at, bytes);
        lay(at, &stamp.base.0.to_be_bytes());
        lay(at + 12, &stamp.epoch.0.to_be_bytes());
        at += bytes.len() as u64;
    }
    block
}
