//! A sidecar that is missing or damaged is made again from its segment. Decides whether the segment proves itself, and only
//! then what is written; a segment that does not is damage, and nothing is written. Holds #6, #8, #99; mutant
//! `rebuild-unproved`.
//!
//! The proof: every batch's own CRC holds, offsets follow without a gap, the ends are those that the fold knows, and the
//! entries made of the batches end at the chain value that the checkpoint has carried since the spill. That value covers
//! every entry, and each entry covers every byte of its batch: what is written is what was lost, or nothing.
//!
//! ```text
//! pass 1: read blocks of the segment -> entries -> chain at the end of each block -> ends and last chain as in the fold?
//! pass 2: read the same blocks -> entries -> chain at the block's end as before? -> put in place -> sync -> readers go on
//! ```
//!
//! In place, because a spill may add entries behind meanwhile, and because bytes that can only be equal to those that
//! were there need no second file: a start that finds a half of it begins anew.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use sawlog_wire::records::Batch;
use sawlog_wire::records::BatchFault;

use crate::file::{Fault, FaultKind, FileName, FileOp, How, Outcome, Piece, RingKind};
use crate::ids::{Generation, LeaderEpoch, LogId, Offset};
use crate::log::checksum;
use crate::log::engine::{Engine, Why};
use crate::log::sidecar::{self, SideEntry};
use crate::log::state::{RingBatch, SegmentState, Spot};
use crate::log::told::{Ops, Told};
use crate::log::windows::WindowKey;
use crate::map::Map;
use crate::proof;

/// How often one sidecar is made again in the life of a process: a disk that loses it each time is no disk for it.
const TIMES: u32 = 3;

/// What an operation of a rebuild was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RebuildStep {
    /// A block of the segment.
    Read,
    /// Entries of a block.
    Put,
    /// The sidecar is synced.
    Sync,
    /// And its name.
    Dir,
}

/// Which time the segment is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pass {
    Prove,
    Write,
}

/// One sidecar on its way back.
#[derive(Debug)]
struct Rebuild {
    log: LogId,
    dir: Arc<str>,
    generation: Generation,
    seed: u32,
    /// The segment as the fold knew it when this began: what a spill adds behind is the spill's to put.
    segment: SegmentState,
    /// What was wrong with the sidecar.
    what: String,
    pass: Pass,
    walk: Walk,
    /// The chain value at the end of each block of the first pass.
    proved: Vec<u32>,
    block: usize,
    /// Length of the next read, where one batch is longer than a block.
    longer: u32,
    /// How many bytes the last read should have brought.
    asked: usize,
    /// Whether it is read from the medium: what the page cache gave did not prove itself.
    again: bool,
}

/// See the file's head.
#[derive(Debug, Default)]
pub(crate) struct Rebuilds {
    current: Option<Rebuild>,
    waiting: VecDeque<(WindowKey, String)>,
    made: Map<(LogId, Offset), u32>,
}

/// How far a pass has come, and what it found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Walk {
    at: u64,
    next: Offset,
    batches: u32,
    max_timestamp: i64,
    chain: u32,
}

impl Walk {
    pub(crate) fn begin(log: LogId, base: Offset) -> Walk {
        Walk {
            at: 0,
            next: base,
            batches: 0,
            max_timestamp: -1,
            chain: sidecar::first_chain(log, base),
        }
    }

    /// Makes entries of the whole batches at the front of `bytes`. Says how many bytes the next one has if not even the
    /// first is whole.
    pub(crate) fn take(
        &mut self,
        seed: u32,
        bytes: &[u8],
        side: &mut Vec<u8>,
    ) -> Result<Option<u32>, String> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let here = self.at;
            let batch = match Batch::first(rest) {
                Ok(batch) => batch,
                Err(BatchFault::Cut { need, .. }) if rest.len() == bytes.len() => {
                    return Ok(Some(u32::try_from(need).unwrap_or(u32::MAX)));
                }
                Err(BatchFault::Cut { .. }) => return Ok(None),
                Err(fault) => return Err(format!("byte {here} begins no batch: {fault}")),
            };
            if let Err(fault) = batch.check_crc() {
                return Err(format!("the batch at byte {here}: {fault}"));
            }
            let header = batch.header;
            let delta = u32::try_from(header.last_offset_delta);
            let (Ok(delta), true) = (delta, header.base_offset == self.next.0) else {
                return Err(format!(
                    "the batch at byte {here} says offset {}, where {} is due",
                    header.base_offset, self.next
                ));
            };
            let stored = RingBatch {
                base: self.next,
                delta,
                epoch: LeaderEpoch(header.leader_epoch),
                len: u32::try_from(batch.bytes.len()).unwrap_or(u32::MAX),
                checksum: checksum::over(seed, batch.bytes),
                max_timestamp: header.max_timestamp,
                // It lies in no ring any more, and an entry does not say where it once did.
                spot: Spot {
                    kind: RingKind::Durable,
                    file: 0,
                    at: 0,
                },
            };
            let entry = SideEntry::of(&stored, &header, here, self.max_timestamp);
            self.chain = sidecar::put(side, &entry, self.chain);
            self.max_timestamp = entry.running_max;
            self.batches += 1;
            self.next = stored.next();
            self.at += u64::from(stored.len);
            rest = rest.get(batch.bytes.len()..).unwrap_or_default();
        }
        Ok(None)
    }

    /// Whether this is the segment that was spilled.
    pub(crate) fn proves(&self, segment: &SegmentState) -> Result<(), String> {
        let ends = (self.at, self.next, self.batches, self.max_timestamp);
        let known = (
            segment.bytes,
            segment.next,
            segment.batches,
            segment.max_timestamp,
        );
        if ends != known {
            return Err(format!(
                "it holds {} batches in {} bytes up to offset {}; {} in {} up to {} were spilled",
                self.batches, self.at, self.next, segment.batches, segment.bytes, segment.next
            ));
        }
        if self.chain != segment.chain && !proof::mutant("rebuild-unproved") {
            return Err(
                "a byte outside the batches' own checksums is not what was spilled".to_string(),
            );
        }
        Ok(())
    }
}

impl Rebuild {
    fn begin(&mut self, pass: Pass) {
        self.pass = pass;
        self.walk = Walk::begin(self.log, self.segment.base);
        self.block = 0;
        self.longer = 0;
    }

    fn sidecar(&self) -> FileName {
        FileName::Sidecar {
            dir: self.dir.clone(),
            base: self.segment.base,
        }
    }

    fn file(&self) -> FileName {
        FileName::Segment {
            dir: self.dir.clone(),
            base: self.segment.base,
        }
    }

    fn is(&self, key: &WindowKey) -> bool {
        (self.log, self.segment.base) == (key.log, key.base)
    }
}

impl Engine {
    /// A part of a sidecar is not what was written: whoever waits for it waits until the sidecar is made again, or the
    /// log is offline.
    pub(crate) fn rebuild(&mut self, key: WindowKey, what: String, ops: &mut Ops) {
        self.windows.loading.insert(key);
        let under_way = self
            .rebuilds
            .current
            .as_ref()
            .is_some_and(|current| current.is(&key));
        let waits =
            |other: &(WindowKey, String)| (other.0.log, other.0.base) == (key.log, key.base);
        if under_way || self.rebuilds.waiting.iter().any(waits) {
            return;
        }
        self.rebuilds.waiting.push_back((key, what));
        self.rebuild_next(ops);
    }

    pub(crate) fn rebuild_next(&mut self, ops: &mut Ops) {
        while self.rebuilds.current.is_none() && !self.starved {
            let Some((key, what)) = self.rebuilds.waiting.pop_front() else {
                return;
            };
            let known = self.fold.logs.get(&key.log).and_then(|state| {
                let mut segments = state.segments.iter();
                let segment = segments.find(|segment| segment.base == key.base)?;
                Some((state.dir.clone()?, *segment, state.generation))
            });
            let (Some((dir, segment, generation)), Some(live)) = (known, self.live.get(&key.log))
            else {
                self.rebuild_gone(key.log, key.base, ops);
                continue;
            };
            let seed = live.seed;
            let times = self.rebuilds.made.entry((key.log, key.base)).or_insert(0);
            *times += 1;
            if *times > TIMES {
                let file = FileName::Sidecar {
                    dir,
                    base: key.base,
                };
                let why = format!("the index {file} {what}, and was made again {TIMES} times");
                self.take_offline(key.log, why, ops);
                self.rebuild_gone(key.log, key.base, ops);
                continue;
            }
            proof::sometimes("sidecar-rebuilt");
            let rebuild = Rebuild {
                log: key.log,
                dir,
                generation,
                seed,
                segment,
                what,
                pass: Pass::Prove,
                walk: Walk::begin(key.log, key.base),
                proved: Vec::new(),
                block: 0,
                longer: 0,
                asked: 0,
                again: false,
            };
            // Like a reader's: retention does not unlink the segment meanwhile.
            *self.reads.pins.entry(rebuild.file()).or_insert(0) += 1;
            self.rebuilds.current = Some(rebuild);
            self.rebuild_read(ops);
        }
    }

    /// Asks for the next block, or ends the pass.
    fn rebuild_read(&mut self, ops: &mut Ops) {
        let block = self.conf.block_bytes;
        let Some(rebuild) = &mut self.rebuilds.current else {
            return;
        };
        let left = rebuild.segment.bytes.saturating_sub(rebuild.walk.at);
        if left == 0 {
            match (rebuild.pass, rebuild.walk.proves(&rebuild.segment)) {
                (_, Err(why)) => self.rebuild_failed(&why, ops),
                (Pass::Prove, Ok(())) => {
                    rebuild.begin(Pass::Write);
                    self.rebuild_read(ops);
                }
                (Pass::Write, Ok(())) => {
                    let op = FileOp::Sync(rebuild.sidecar());
                    self.rebuild_ask(RebuildStep::Sync, op, ops);
                }
            }
            return;
        }
        let len = u64::from(block.max(core::mem::take(&mut rebuild.longer))).min(left);
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        rebuild.asked = len as usize;
        let (file, at) = (rebuild.file(), rebuild.walk.at);
        let op = if rebuild.again {
            FileOp::Reread { file, at, len }
        } else {
            FileOp::Read { file, at, len }
        };
        self.rebuild_ask(RebuildStep::Read, op, ops);
    }

    fn rebuild_ask(&mut self, step: RebuildStep, op: FileOp, ops: &mut Ops) {
        let ticket = ops.ask(op);
        self.waiting.insert(ticket, Why::Rebuild(step));
    }

    /// A step came back.
    pub(crate) fn rebuild_done(&mut self, step: RebuildStep, outcome: Outcome, ops: &mut Ops) {
        if !self.rebuild_wanted() {
            self.rebuild_over(ops);
            return;
        }
        match (step, outcome) {
            (RebuildStep::Read, Outcome::Bytes(bytes)) => self.rebuild_block(&bytes, ops),
            (RebuildStep::Read, Outcome::Failed(fault)) => {
                self.rebuild_failed(&format!("it cannot be read: {}", fault.text), ops);
            }
            (_, Outcome::Failed(fault)) => self.rebuild_unwritten(fault, ops),
            (RebuildStep::Read, _) => self.rebuild_failed("it gave no bytes", ops),
            (RebuildStep::Put, _) => self.rebuild_read(ops),
            (RebuildStep::Sync, _) => {
                let Some(rebuild) = &self.rebuilds.current else {
                    return;
                };
                let op = FileOp::SyncDir(FileName::Named(rebuild.dir.clone()));
                self.rebuild_ask(RebuildStep::Dir, op, ops);
            }
            (RebuildStep::Dir, _) => {
                if let Some(rebuild) = &self.rebuilds.current {
                    ops.tell(Told::Note(format!(
                        "the index {} {}; it was made again from its segment, every batch of which was checked",
                        rebuild.sidecar(),
                        rebuild.what
                    )));
                }
                self.rebuild_over(ops);
            }
        }
    }

    /// Whether the log is still there, in order, and with this segment.
    fn rebuild_wanted(&self) -> bool {
        let Some(rebuild) = &self.rebuilds.current else {
            return false;
        };
        let base = rebuild.segment.base;
        let state = self.fold.logs.get(&rebuild.log);
        let there = state.is_some_and(|state| {
            state.generation == rebuild.generation
                && state.segments.iter().any(|segment| segment.base == base)
        });
        let live = self.live.get(&rebuild.log);
        there && live.is_some_and(|live| !live.dropping && live.offline.is_none())
    }

    fn rebuild_block(&mut self, bytes: &Bytes, ops: &mut Ops) {
        let Some(rebuild) = &mut self.rebuilds.current else {
            return;
        };
        let first = rebuild.walk.batches;
        let left = rebuild.segment.bytes.saturating_sub(rebuild.walk.at);
        let mut side = Vec::new();
        let longer = match rebuild.walk.take(rebuild.seed, bytes, &mut side) {
            Err(why) => return self.rebuild_failed(&why, ops),
            Ok(longer) => longer,
        };
        if rebuild.walk.batches == first {
            // Not one whole batch: it is longer than what was read, or the segment ends too early.
            match longer {
                Some(need) if u64::from(need) <= left && bytes.len() == rebuild.asked => {
                    rebuild.longer = need;
                    return self.rebuild_read(ops);
                }
                _ => {
                    let at = rebuild.walk.at;
                    return self
                        .rebuild_failed(&format!("it ends inside the batch at byte {at}"), ops);
                }
            }
        }
        match rebuild.pass {
            Pass::Prove => {
                rebuild.proved.push(rebuild.walk.chain);
                self.rebuild_read(ops);
            }
            Pass::Write => {
                if rebuild.proved.get(rebuild.block) != Some(&rebuild.walk.chain) {
                    return self.rebuild_failed("its bytes changed while they were read", ops);
                }
                rebuild.block += 1;
                let mut pieces = Vec::with_capacity(2);
                let mut at = sidecar::HEADER + u64::from(first) * sidecar::ENTRY as u64;
                if first == 0 {
                    let header = sidecar::header(rebuild.log, rebuild.segment.base);
                    pieces.push(Piece::Bytes(Bytes::from(header)));
                    at = 0;
                }
                pieces.push(Piece::Bytes(Bytes::from(side)));
                let op = FileOp::Put {
                    file: rebuild.sidecar(),
                    at,
                    pieces,
                    how: How::Cached,
                };
                self.rebuild_ask(RebuildStep::Put, op, ops);
            }
        }
    }

    /// The segment does not prove itself. What was read may be what the page cache held before a write that went around
    /// it, so all of it is read once more from the medium. If that is no better, what its batches were can no longer be
    /// told, and the log is offline.
    fn rebuild_failed(&mut self, why: &str, ops: &mut Ops) {
        let current = self.rebuilds.current.as_mut();
        if let Some(rebuild) = current.filter(|rebuild| !rebuild.again)
            && !proof::mutant("rebuilt-from-cached")
        {
            proof::sometimes("rebuild-from-the-medium");
            rebuild.again = true;
            rebuild.begin(Pass::Prove);
            rebuild.proved.clear();
            self.rebuild_read(ops);
            return;
        }
        if let Some(rebuild) = &self.rebuilds.current {
            let (log, side, file) = (rebuild.log, rebuild.sidecar(), rebuild.file());
            let why = format!(
                "the index {side} {}, and the segment {file} does not match it either: {why}",
                rebuild.what
            );
            self.take_offline(log, why, ops);
        }
        self.rebuild_over(ops);
    }

    /// The sidecar could not be written. On a full disk its readers wait until there is space (#105): nothing is damaged that
    /// the segment could not make good. Anything else ends the directory (#101).
    fn rebuild_unwritten(&mut self, fault: Fault, ops: &mut Ops) {
        if fault.kind != FaultKind::Full {
            self.broken("an index could not be made again", fault.text, ops);
            return;
        }
        self.starve();
        if let Some(rebuild) = self.rebuilds.current.take() {
            proof::sometimes("sidecar-waits-for-space");
            self.unpin_segment(&rebuild.file(), ops);
            let (log, base) = (rebuild.log, rebuild.segment.base);
            if let Some(times) = self.rebuilds.made.get_mut(&(log, base)) {
                *times -= 1;
            }
            let key = WindowKey {
                log,
                base,
                index: 0,
            };
            self.rebuilds.waiting.push_back((key, rebuild.what));
        }
    }

    fn rebuild_over(&mut self, ops: &mut Ops) {
        if let Some(rebuild) = self.rebuilds.current.take() {
            self.unpin_segment(&rebuild.file(), ops);
            self.rebuild_gone(rebuild.log, rebuild.segment.base, ops);
        }
        self.rebuild_next(ops);
    }

    /// Nothing is rebuilt for this segment any more: whoever waited looks again.
    fn rebuild_gone(&mut self, log: LogId, base: Offset, ops: &mut Ops) {
        self.windows
            .loading
            .retain(|key| (key.log, key.base) != (log, base));
        self.window_landed(log, ops);
    }
}

#[cfg(test)]
mod tests;
