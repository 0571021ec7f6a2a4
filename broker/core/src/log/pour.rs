//! What the spill does with a batch that was read back: checks it against the checksum that its entry has carried since
//! the append, and puts it into its segment and sidecar, or copies it forward in the ring. Decides which segment and at
//! which byte; never when anything is durable (`spill`). Holds #1, #7, #99, #104, #106.

use alloc::format;
use alloc::vec::Vec;

use bytes::Bytes;
use sawlog_wire::records::batch::BatchHeader;

use crate::file::{FileName, FileOp, How, Outcome, Piece, RingKind};
use crate::ids::{LogId, Offset, ProducerEpoch, ProducerId, Sequence};
use crate::log::checksum;
use crate::log::engine::{Engine, Why};
use crate::log::queue::{Class, Item};
use crate::log::sidecar::{self, SideEntry};
use crate::log::spill::{Course, Ready, SpillPhase, SpillWhy};
use crate::log::state::{
    BatchEntry, BatchKind, Entry, ProducerBatch, RingBatch, SegmentState, Spot,
};
use crate::log::told::Ops;
use crate::log::walk::Job;
use crate::proof;

/// What is written around the page cache is whole blocks of a file.
const BLOCK: u64 = 4096;

/// A run of batches for one segment file.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) base: Offset,
    pub(crate) at: u64,
    pub(crate) first_entry: u32,
    pub(crate) pieces: Vec<Bytes>,
    pub(crate) side: Vec<u8>,
}

impl Run {
    fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len() as u64).sum()
    }

    /// What fills whole blocks of the file, with all entries, and what lies in the last block, not yet whole.
    fn split(mut self) -> (Option<Run>, Option<Run>) {
        let end = self.at + self.bytes();
        let cut = end / BLOCK * BLOCK;
        if cut <= self.at {
            return (None, Some(self));
        }
        let mut over = usize::try_from(end - cut).unwrap_or(0);
        let mut pieces = Vec::new();
        while over > 0 {
            let Some(mut piece) = self.pieces.pop() else {
                break;
            };
            let kept = piece.split_off(piece.len().saturating_sub(over));
            over -= kept.len();
            pieces.push(kept);
            if !piece.is_empty() {
                self.pieces.push(piece);
            }
        }
        pieces.reverse();
        let entries = u32::try_from(self.side.len() / sidecar::ENTRY).unwrap_or(u32::MAX);
        let partial = (!pieces.is_empty()).then(|| Run {
            base: self.base,
            at: cut,
            first_entry: self.first_entry + entries,
            pieces,
            side: Vec::new(),
        });
        (Some(self), partial)
    }
}

impl Engine {
    /// Bytes of ring batches are here: each is checked, then belongs to its segment.
    pub(crate) fn spill_read(&mut self, outcome: Outcome, ops: &mut Ops) {
        let Some(job) = self.spill.job.take() else {
            return;
        };
        let bytes = match outcome {
            Outcome::Bytes(bytes) => bytes,
            Outcome::Failed(_)
                if job.items.len() > 1 && !proof::mutant("eio-takes-the-whole-read") =>
            {
                // One bad sector under many batches: it is looked for by halves, so that it costs its own log only.
                proof::sometimes("read-that-failed-is-asked-in-halves");
                let (first, second) = job.halves();
                self.spill.again.push_front(second);
                self.spill.again.push_front(first);
                return;
            }
            Outcome::Failed(fault) => {
                for lies in &job.items {
                    let spot = Spot {
                        kind: job.kind,
                        file: job.file,
                        at: lies.at,
                    };
                    if self.current(lies, spot).is_some() {
                        let why = format!(
                            "{} cannot be read at byte {}: {}",
                            self.ring_name(&job),
                            lies.at,
                            fault.text
                        );
                        self.skip(lies.log, why, ops);
                    }
                }
                return;
            }
            _ => Bytes::new(),
        };
        let wanted: u64 = job.items.iter().map(|lies| u64::from(lies.len)).sum();
        let sparse = wanted * 2 < bytes.len() as u64;
        for lies in &job.items {
            let spot = Spot {
                kind: job.kind,
                file: job.file,
                at: lies.at,
            };
            let Some(batch) = self.current(lies, spot) else {
                continue;
            };
            self.spill.poured += u64::from(lies.len);
            self.spill.batches = self.spill.batches.saturating_add(1);
            let at = (lies.at - job.at) as usize;
            // A slice keeps all that was read with it: of a commit that is mostly the rest of its block, a copy is less.
            let stored = match bytes.get(at..at + lies.len as usize) {
                Some(batch) if sparse => Bytes::copy_from_slice(batch),
                Some(batch) => bytes.slice_ref(batch),
                None => Bytes::new(),
            };
            self.take(lies.log, batch, stored, &job, ops);
        }
        if self.spill.held >= self.conf.spill_bytes / 2 {
            self.put_all(ops);
        }
    }

    /// One batch, read back: checked against the checksum that its entry has carried since the append, never against
    /// one made of the bytes themselves.
    pub(crate) fn take(
        &mut self,
        log: LogId,
        mut batch: RingBatch,
        stored: Bytes,
        job: &Job,
        ops: &mut Ops,
    ) {
        let Some(live) = self.live.get(&log) else {
            return;
        };
        let seed = live.seed;
        let found = checksum::over(seed, &stored);
        let header = BatchHeader::parse(&stored).ok();
        let (Some(header), true) = (
            header,
            found == batch.checksum || proof::mutant("spill-recomputes-checksum"),
        ) else {
            let why = format!(
                "the batch at offset {} in {} at byte {} does not match its checksum",
                batch.base,
                self.ring_name(job),
                batch.spot.at
            );
            self.skip(log, why, ops);
            return;
        };
        if proof::mutant("spill-recomputes-checksum") {
            batch.checksum = found;
        }
        let entry = BatchEntry {
            kind: BatchKind::Moved,
            log,
            generation: live.generation,
            batch,
            producer: (header.producer_id >= 0).then_some(ProducerBatch {
                id: ProducerId(header.producer_id),
                epoch: ProducerEpoch(header.producer_epoch),
                base_sequence: Sequence(header.base_sequence),
            }),
            attributes: header.raw_attributes,
            home: None,
        };
        if matches!(self.spill.courses.get(&log), Some(Course::Quiet)) {
            self.copy_forward(entry, stored);
            return;
        }
        let Some(state) = self.fold.logs.get(&log) else {
            return;
        };
        let Some(Course::Files(files)) = self.spill.courses.get_mut(&log) else {
            return;
        };
        if files.generation != state.generation {
            return;
        }
        // Segments hold batches in offset order: one that lies out of it waits until the walk is over.
        let first = state
            .ring
            .partition_point(|other| other.next() <= files.next);
        if state
            .ring
            .get(first)
            .is_none_or(|other| other.base != batch.base)
        {
            if !files.straggler && batch.next() > files.next {
                proof::sometimes("moved-behind-newer");
                files.straggler = true;
                self.spill.stragglers.push_back(log);
            }
            return;
        }
        let Some(live) = self.live.get(&log) else {
            return;
        };
        let last = files.segments.last().or(state.segments.last());
        let base = live.segment_for(batch.base, last);
        if files
            .segments
            .last()
            .is_none_or(|segment| segment.base != base)
        {
            let segment = match state.segments.last() {
                Some(segment) if segment.base == base => *segment,
                _ => SegmentState::begin(log, base, batch.max_timestamp),
            };
            files.segments.push(segment);
        }
        let Some(segment) = files.segments.last_mut() else {
            return;
        };
        if files.runs.last().is_none_or(|run| run.base != base) {
            let (at, first_entry) = (segment.bytes, segment.batches);
            files.runs.push(Run {
                base,
                at,
                first_entry,
                pieces: Vec::new(),
                side: Vec::new(),
            });
        }
        let Some(run) = files.runs.last_mut() else {
            return;
        };
        let entry = SideEntry::of(&batch, &header, segment.bytes, segment.max_timestamp);
        segment.add(&entry, &mut run.side);
        files.next = batch.next();
        files.bytes += u64::from(batch.len);
        self.spill.held += u64::from(batch.len);
        run.pieces.push(stored);
        if files.bytes >= u64::from(self.conf.block_bytes) {
            self.put_block(log, false, ops);
        }
    }

    /// A quiet batch whose file is to be freed is written again at the head of the ring; the file waits until the copy
    /// is durable, for until then the fold names the old place.
    pub(crate) fn copy_forward(&mut self, entry: BatchEntry, stored: Bytes) {
        self.spill.moved += u64::from(entry.batch.len);
        if let Some(lane) = self.lanes.get_mut(RingKind::Durable) {
            lane.queue.push(
                Class::Moved,
                Item {
                    entry: Entry::Batch(entry),
                    bytes: stored,
                },
            );
        }
    }

    /// Puts what was read: at the end of a cycle everything, before that whole blocks, unless logs with little are what
    /// takes the room.
    pub(crate) fn put_all(&mut self, ops: &mut Ops) {
        let logs: Vec<LogId> = self
            .spill
            .courses
            .iter()
            .filter(|(_, course)| matches!(course, Course::Files(files) if !files.runs.is_empty()))
            .map(|(log, _)| *log)
            .collect();
        for log in &logs {
            self.put_block(*log, self.spill.phase == SpillPhase::Drain, ops);
        }
        let unput = |course: &Course| match course {
            Course::Files(files) => files.bytes,
            Course::Quiet | Course::Skip => 0,
        };
        let unput: u64 = self.spill.courses.values().map(unput).sum();
        if unput >= self.conf.spill_bytes / 2 {
            for log in logs {
                self.put_block(log, true, ops);
            }
        }
    }

    /// Puts what was read of one log, once its directory is ready: all of it, or whole blocks. What is put behind a
    /// partial block writes that block once more, and through the page cache, which is dear when it happens often.
    pub(crate) fn put_block(&mut self, log: LogId, all: bool, ops: &mut Ops) {
        let Some(Course::Files(files)) = self.spill.courses.get_mut(&log) else {
            return;
        };
        match files.ready {
            Ready::Asked => return,
            Ready::No => {
                files.ready = Ready::Asked;
                self.make_ready(log, ops);
                return;
            }
            Ready::Yes => {}
        }
        let mut runs = core::mem::take(&mut files.runs);
        if !all && let Some(last) = runs.pop() {
            let (whole, partial) = last.split();
            runs.extend(whole);
            files.runs.extend(partial);
        }
        files.bytes = files.runs.iter().map(Run::bytes).sum();
        let dir = files.dir.clone();
        files.new_files |= runs.iter().any(|run| run.first_entry == 0);
        let tails = self.tails();
        let Some(live) = self.live.get_mut(&log) else {
            return;
        };
        for run in runs {
            let bytes = run.bytes();
            // Whole blocks may go around the page cache: the bytes of the last partial one are written again as they
            // were, from memory, so that the block is whole.
            let tail = core::mem::take(&mut live.tail);
            let rewrites = !tail.is_empty() && (run.at % BLOCK) == tail.len() as u64;
            let at = if rewrites {
                run.at - tail.len() as u64
            } else {
                run.at
            };
            live.tail = if tails < self.conf.tails_max {
                tail_of(&tail, rewrites, run.at, &run.pieces)
            } else {
                Vec::new()
            };
            let mut pieces: Vec<Piece> = Vec::with_capacity(run.pieces.len() + 1);
            if rewrites {
                pieces.push(Piece::Bytes(Bytes::from(tail)));
            }
            pieces.extend(run.pieces.into_iter().map(Piece::Bytes));
            let file = FileName::Segment {
                dir: dir.clone(),
                base: run.base,
            };
            let segment = ops.ask(FileOp::Put {
                file,
                at,
                pieces,
                how: How::Bulk,
            });
            self.waiting
                .insert(segment, Why::Spill(SpillWhy::Put(bytes)));
            self.spill.puts += 1;
            if run.side.is_empty() {
                continue;
            }
            let mut pieces = Vec::new();
            let mut at = sidecar::HEADER + u64::from(run.first_entry) * sidecar::ENTRY as u64;
            if run.first_entry == 0 {
                pieces.push(Piece::Bytes(Bytes::from(sidecar::header(log, run.base))));
                at = 0;
            }
            pieces.push(Piece::Bytes(Bytes::from(run.side)));
            let file = FileName::Sidecar {
                dir: dir.clone(),
                base: run.base,
            };
            let side = ops.ask(FileOp::Put {
                file,
                at,
                pieces,
                how: How::Cached,
            });
            self.waiting.insert(side, Why::Spill(SpillWhy::Put(0)));
            self.spill.puts += 1;
        }
    }

    pub(crate) fn tails(&self) -> usize {
        self.spill.courses.len()
    }
}

/// The bytes of a file's last partial block after a run was put to it; none if they cannot be known without a read.
fn tail_of(old: &[u8], rewrites: bool, at: u64, pieces: &[Bytes]) -> Vec<u8> {
    let written: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
    let mut want = ((at + written) % BLOCK) as usize;
    let known = written + if rewrites { old.len() as u64 } else { 0 };
    if (want as u64) > known {
        return Vec::new();
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    for piece in pieces.iter().rev() {
        let take = want.min(piece.len());
        parts.push(piece.get(piece.len() - take..).unwrap_or_default());
        want -= take;
    }
    if want > 0 {
        parts.push(
            old.get(old.len().saturating_sub(want)..)
                .unwrap_or_default(),
        );
    }
    parts
        .iter()
        .rev()
        .flat_map(|part| part.iter().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(at: u64, sizes: &[usize]) -> Run {
        let pieces = sizes.iter().enumerate();
        Run {
            base: Offset(0),
            at,
            first_entry: 7,
            pieces: pieces
                .map(|(i, size)| Bytes::from(alloc::vec![i as u8; *size]))
                .collect(),
            side: alloc::vec![0; sizes.len() * sidecar::ENTRY],
        }
    }

    #[test]
    fn a_run_is_split_where_its_last_whole_block_of_the_file_ends() {
        for (at, sizes) in [
            (0, &[5000, 10][..]),
            (100, &[4000, 4000, 300, 1]),
            (4095, &[1, 4096]),
            (8192, &[4096, 4096]),
            (1, &[1, 1, 9000]),
        ] {
            let whole: Vec<u8> = run(at, sizes).pieces.concat();
            let end = at + whole.len() as u64;
            let (blocks, partial) = run(at, sizes).split();
            let blocks = blocks.unwrap();
            assert_eq!((blocks.at + blocks.bytes()) % 4096, 0);
            assert_eq!(blocks.side.len(), sizes.len() * sidecar::ENTRY);
            let mut together = blocks.pieces.concat();
            if let Some(partial) = partial {
                assert_eq!(partial.at, blocks.at + blocks.bytes());
                assert_eq!(partial.first_entry, 7 + sizes.len() as u32);
                assert!(partial.side.is_empty() && partial.bytes() < 4096);
                together.extend(partial.pieces.concat());
            } else {
                assert_eq!(end % 4096, 0);
            }
            assert_eq!(together, whole);
        }
        let (none, all) = run(10, &[20, 30]).split();
        assert!(none.is_none() && all.unwrap().bytes() == 50);
    }

    #[test]
    fn the_tail_is_what_lies_in_the_last_partial_block() {
        let pieces = [
            Bytes::from(alloc::vec![1_u8; 5000]),
            Bytes::from(alloc::vec![2_u8; 10]),
        ];
        let tail = tail_of(&[], false, 0, &pieces);
        assert_eq!(tail.len(), 5010 - 4096);
        assert!(tail.ends_with(&[2; 10]));
        let more = [Bytes::from(alloc::vec![3_u8; 5])];
        let longer = tail_of(&tail, true, 5010, &more);
        assert_eq!(longer.len(), 5015 - 4096);
        assert_eq!(&longer[..tail.len()], &tail[..]);
        assert!(
            tail_of(&[], false, 5010, &more).is_empty(),
            "a tail that is not known is not made up"
        );
    }
}
