//! The files of one commit log: pre-written, filled one after another, recycled under a higher sequence.
//! Decides which file a commit goes to and when a file may live again; never what a commit holds. Holds #94, #96, #132.
//!
//! A file's lives: made (zeros, synced, directory synced) -> spare -> current -> sealed -> recyclable -> renamed to the
//! next sequence -> directory synced -> spare. It is recyclable when neither checkpoint would read it, for every batch in
//! it was spilled, moved or trimmed before the checkpoint was made, and no reader pins it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::file::{FileName, FileOp, RingKind};
use crate::ids::{LogId, Offset, ShardId, Ticket};
use crate::log::commit::Chain;
use crate::log::conf::Sizes;
use crate::log::state::{Entry, RingPoint};
use crate::log::told::Ops;
use crate::map::Set;
use crate::proof;

/// A batch in the order in which batches lie in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Lies {
    pub(crate) log: LogId,
    pub(crate) base: Offset,
    pub(crate) at: u32,
    pub(crate) len: u32,
}

/// A file that holds commits.
#[derive(Debug)]
pub(crate) struct RingFile {
    pub(crate) sequence: u64,
    pub(crate) len: u32,
    pub(crate) used: u32,
    pub(crate) pins: u32,
    /// What the spill has not looked at since it came here, and how many bytes that is.
    order: VecDeque<Lies>,
    behind: u64,
    /// What the spill has left here because its log is quiet.
    pub(crate) quiet: Vec<Lies>,
}

/// A file that is ready to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spare {
    pub(crate) sequence: u64,
    pub(crate) len: u32,
}

/// A commit on its way.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) ticket: Ticket,
    pub(crate) point: RingPoint,
    pub(crate) entries: Vec<Entry>,
    pub(crate) bytes: u64,
    pub(crate) done: bool,
}

/// A file that is being made ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Making {
    pub(crate) spare: Spare,
    pub(crate) step: MakeStep,
}

/// The files of one ring that a checkpoint names: recovery from it would read them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Needs {
    /// All files from this one on.
    pub(crate) from: u64,
    /// Older files that hold batches which lie nowhere else.
    pub(crate) named: Set<u64>,
    /// Of these the ones that damaged logs alone need: nothing frees them but a repair.
    pub(crate) kept: Set<u64>,
}

impl Needs {
    /// Nothing is known of the checkpoint: it may need everything.
    pub(crate) fn all() -> Needs {
        Needs {
            from: 0,
            named: Set::new(),
            kept: Set::new(),
        }
    }

    fn file(&self, sequence: u64) -> bool {
        sequence >= self.from || self.named.contains(&sequence)
    }
}

/// Each names the operation whose completion is awaited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MakeStep {
    /// Zeros are written.
    Alloc,
    /// Zeros are synced.
    Sync,
    /// A recycled file gets its next name.
    Rename,
    /// The directory is synced.
    Dir,
}

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(crate) kind: RingKind,
    pub(crate) shard: ShardId,
    pub(crate) chain: Chain,
    /// Files with commits, oldest first; the last one is written to.
    pub(crate) files: VecDeque<RingFile>,
    pub(crate) spares: VecDeque<Spare>,
    pub(crate) making: Option<Making>,
    pub(crate) next_file: u64,
    pub(crate) inflight: VecDeque<InFlight>,
    /// Written, not yet synced (fast ring only).
    pub(crate) unsynced: VecDeque<InFlight>,
    /// Highest commit known durable.
    pub(crate) mark: u64,
    /// The mark that the last commit's header carries, and that commit's sequence.
    pub(crate) told_mark: u64,
    pub(crate) last: u64,
    /// How many spares are wanted: one at rest, two once a file was filled.
    pub(crate) wanted: usize,
    /// A commit waits for a file.
    pub(crate) stalled: bool,
    /// No file could be made when one was last wanted: none is free, and there is no room for one more.
    pub(crate) refused: bool,
    /// The first file that this process has written to: what lies from here on may still be in memory.
    pub(crate) own: u64,
}

/// The directory of the rings.
pub(crate) fn ring_dir() -> FileName {
    FileName::named("commit")
}

impl Ring {
    /// The name of one of its files.
    pub(crate) fn name(&self, sequence: u64) -> FileName {
        FileName::Ring {
            kind: self.kind,
            shard: self.shard,
            sequence,
        }
    }

    /// A ring that begins in `current`.
    pub(crate) fn new(
        kind: RingKind,
        shard: ShardId,
        chain: Chain,
        current: RingFile,
        last: u64,
    ) -> Ring {
        let next_file = current.sequence + 1;
        Ring {
            kind,
            shard,
            chain,
            files: VecDeque::from([current]),
            spares: VecDeque::new(),
            making: None,
            next_file,
            inflight: VecDeque::new(),
            unsynced: VecDeque::new(),
            mark: last,
            told_mark: 0,
            last,
            wanted: 1,
            stalled: false,
            refused: false,
            own: next_file - 1,
        }
    }

    /// Bytes of the files that count against the ring's bound. Files that only damaged logs need do not: else damaged
    /// partitions would stop all others (#106). They are bounded by the disk, and told by each start.
    pub(crate) fn counted(&self, kept: &Set<u64>) -> u64 {
        if proof::mutant("damaged-files-count") {
            return self.size();
        }
        let kept: u64 = self
            .files
            .iter()
            .filter(|file| kept.contains(&file.sequence))
            .map(|file| u64::from(file.len))
            .sum();
        self.size() - kept
    }

    /// Bytes that this process has written and the spill has not looked at: while they are few, they are in memory.
    pub(crate) fn behind(&self) -> u64 {
        let own = self
            .files
            .iter()
            .rev()
            .take_while(|file| file.sequence >= self.own);
        own.map(|file| file.behind).sum()
    }

    /// Bytes of all its files.
    pub(crate) fn size(&self) -> u64 {
        let made = self.making.map_or(0, |making| u64::from(making.spare.len));
        self.files
            .iter()
            .map(|file| u64::from(file.len))
            .sum::<u64>()
            + self
                .spares
                .iter()
                .map(|spare| u64::from(spare.len))
                .sum::<u64>()
            + made
    }

    /// Room for one commit of `need` bytes at least: how many bytes it may have, or none if no file is ready.
    /// Where the last file is the only one left, its end is for urgent commits alone (#105).
    pub(crate) fn room(&mut self, need: u32, urgent: bool, sizes: &Sizes) -> Option<u32> {
        let urgent = urgent && !proof::mutant("no-metadata-reserve");
        loop {
            let reserve = if urgent { 0 } else { self.reserve(sizes) };
            let file = self.files.back()?;
            let left = (file.len - file.used).saturating_sub(reserve);
            if need <= left {
                return Some(left);
            }
            let unused = file.used == 0 && file.len == sizes.ring_file;
            let spare = self.spares.pop_front()?;
            assert!(
                !unused,
                "#96: a file is passed over only when something lies in it: a start looks no further than an empty one"
            );
            proof::sometimes("next-ring-file");
            self.wanted = 2;
            self.files
                .push_back(RingFile::empty(spare.sequence, spare.len));
        }
    }

    /// How many bytes at the end of the file that is written to are for urgent commits alone, as things stand: none while
    /// another file is ready, and never more than half of this one. The first file of a start is small, and others would
    /// get nothing of it: the first record would wait until a whole file is written and synced.
    pub(crate) fn reserve(&self, sizes: &Sizes) -> u32 {
        let half = self.files.back().map_or(0, |file| file.len / 2);
        if !self.spares.is_empty() {
            0
        } else if proof::mutant("reserve-takes-the-first-file") {
            sizes.reserve
        } else {
            sizes.reserve.min(half)
        }
    }

    /// Whether a commit waits for a file that nothing under way will bring: only a spill and its checkpoints can.
    pub(crate) fn stuck(&self) -> bool {
        self.stalled && self.making.is_none() && self.refused
    }

    /// Begins making files ready until enough are: an old one under a new name where one is free, else a new one
    /// within the ring's bound, if the disk has `space` for it. `needs` is what the two checkpoints still need.
    pub(crate) fn prepare(
        &mut self,
        needs: [&Needs; 2],
        kept: &Set<u64>,
        sizes: &Sizes,
        space: bool,
        ops: &mut Ops,
    ) -> Option<(Ticket, Option<MakeStep>)> {
        if self.making.is_some() || self.spares.len() >= self.wanted {
            return None;
        }
        let old = self
            .files
            .iter()
            .take(self.files.len().saturating_sub(1))
            .position(|file| file.free(needs));
        if let Some(old) = old {
            let file = self.files.remove(old)?;
            if file.len != sizes.ring_file {
                // A small file of a founding or a start has done its service.
                let ticket = ops.ask(FileOp::Unlink(self.name(file.sequence)));
                return Some((ticket, None));
            }
            self.refused = false;
            let spare = self.take_sequence(file.len);
            self.making = Some(Making {
                spare,
                step: MakeStep::Rename,
            });
            let op = FileOp::Rename {
                from: self.name(file.sequence),
                to: self.name(spare.sequence),
            };
            return Some((ops.ask(op), Some(MakeStep::Rename)));
        }
        self.refused = !space || self.counted(kept) + u64::from(sizes.ring_file) > sizes.ring_max;
        if self.refused {
            return None;
        }
        let spare = self.take_sequence(sizes.ring_file);
        self.making = Some(Making {
            spare,
            step: MakeStep::Alloc,
        });
        let op = FileOp::Alloc {
            file: self.name(spare.sequence),
            len: u64::from(spare.len),
        };
        Some((ops.ask(op), Some(MakeStep::Alloc)))
    }

    /// One step of making a file ready is done: asks for the next one, or has a spare more.
    pub(crate) fn made(&mut self, step: MakeStep, ops: &mut Ops) -> Option<(Ticket, MakeStep)> {
        let making = self.making.as_mut()?;
        let (next, op) = match step {
            MakeStep::Alloc => {
                let name = FileName::Ring {
                    kind: self.kind,
                    shard: self.shard,
                    sequence: making.spare.sequence,
                };
                (MakeStep::Sync, FileOp::Sync(name))
            }
            MakeStep::Rename if proof::mutant("recycle-without-dirsync") => {
                self.spares.push_back(making.spare);
                self.making = None;
                return None;
            }
            MakeStep::Sync | MakeStep::Rename => {
                if step == MakeStep::Rename {
                    proof::sometimes("file-recycled-after-the-checkpoint-that-knew-it");
                }
                (MakeStep::Dir, FileOp::SyncDir(ring_dir()))
            }
            MakeStep::Dir => {
                self.spares.push_back(making.spare);
                self.making = None;
                return None;
            }
        };
        making.step = next;
        Some((ops.ask(op), next))
    }

    /// A file could not be made: what of it is there keeps the last bytes of the disk, so it goes. Its name is used again.
    pub(crate) fn unmade(&mut self, ops: &mut Ops) -> Option<Ticket> {
        let making = self.making.take()?;
        self.refused = true;
        self.next_file = making.spare.sequence;
        Some(ops.ask(FileOp::Unlink(self.name(making.spare.sequence))))
    }

    fn take_sequence(&mut self, len: u32) -> Spare {
        let sequence = self.next_file;
        self.next_file += 1;
        Spare { sequence, len }
    }

    /// A file by its sequence.
    pub(crate) fn file(&mut self, sequence: u64) -> Option<&mut RingFile> {
        self.files.iter_mut().find(|file| file.sequence == sequence)
    }
}

impl RingFile {
    /// A batch lies here, behind all others.
    pub(crate) fn lay(&mut self, lies: Lies) {
        self.behind += u64::from(lies.len);
        self.order.push_back(lies);
    }

    /// The next batch for the spill to look at.
    pub(crate) fn next_lies(&self) -> Option<Lies> {
        self.order.front().copied()
    }

    /// It was looked at.
    pub(crate) fn lift(&mut self) {
        let lies = self.order.pop_front();
        self.behind -= lies.map_or(0, |lies| u64::from(lies.len));
    }

    /// What was left here for being quiet is to be looked at again, before anything else.
    pub(crate) fn again(&mut self) {
        for lies in core::mem::take(&mut self.quiet).into_iter().rev() {
            self.behind += u64::from(lies.len);
            self.order.push_front(lies);
        }
    }

    /// What the spill has not looked at, for tests.
    #[cfg(test)]
    pub(crate) fn order(&mut self) -> &mut VecDeque<Lies> {
        &mut self.order
    }

    /// The same, to look at.
    #[cfg(test)]
    pub(crate) fn unmet(&self) -> impl Iterator<Item = &Lies> {
        self.order.iter()
    }

    /// A file without a commit.
    pub(crate) fn empty(sequence: u64, len: u32) -> RingFile {
        RingFile {
            sequence,
            len,
            used: 0,
            pins: 0,
            order: VecDeque::new(),
            behind: 0,
            quiet: Vec::new(),
        }
    }

    fn free(&self, needs: [&Needs; 2]) -> bool {
        if needs.iter().any(|needs| needs.file(self.sequence)) {
            return false;
        }
        let pinned = self.pins > 0;
        if pinned {
            proof::sometimes("ring-file-pinned-by-a-reader");
        }
        !pinned || proof::mutant("recycle-while-read")
    }
}
