//! Writes checkpoints: the fold as it stands, aside, synced, renamed over the older of the two, directory synced.
//! Decides when one is due and what the two on disk still need of the rings; never what is in one (`checkpoint`).
//! Holds #71, #96, #102.

use alloc::string::ToString;
use alloc::vec::Vec;

use crate::file::{FaultKind, FileName, FileOp, How, Outcome, Piece, RingKind, Side};
use crate::ids::{LogId, ShardId};
use crate::log::checkpoint::{self, Stamp};
use crate::log::commit::RingSecret;
use crate::log::engine::{Engine, Why};
use crate::log::ring::Needs;
use crate::log::state::{Fold, LogState, Spot};
use crate::log::told::Ops;
use crate::map::Set;
use crate::now::Wall;
use crate::proof;

/// Each names the operation whose completion is awaited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum KeepStep {
    /// Written aside.
    Put,
    /// Synced there.
    Sync,
    /// Renamed over the older one.
    Rename,
    /// The directory is synced.
    Dir,
}

/// What one checkpoint needs of both rings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Needed {
    pub(crate) durable: Needs,
    pub(crate) fast: Needs,
}

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// How many checkpoints are wanted one after another.
    pub(crate) wanted: u32,
    /// Whether one is being written.
    pub(crate) busy: bool,
    /// The one to be written next: the older one.
    pub(crate) side: Side,
    pub(crate) stamp: Stamp,
    /// Files of shards that are no more.
    pub(crate) foreign: Vec<FileName>,
    /// What the checkpoint under way will need.
    coming: Option<Needed>,
    /// What A and B need.
    pub(crate) needs: [Needed; 2],
    /// The time that the next one is told.
    pub(crate) clock: Wall,
    /// How many were written by this process.
    pub(crate) written: u64,
}

impl Needed {
    /// A checkpoint nobody has looked into may need everything.
    pub(crate) fn all() -> Needed {
        Needed {
            durable: Needs::all(),
            fast: Needs::all(),
        }
    }

    /// What a checkpoint of this fold needs: what follows it in each ring, and files with batches that lie only there.
    pub(crate) fn of(fold: &Fold, damaged: impl Fn(&LogId, &LogState) -> bool) -> Needed {
        let from = |from| Needs {
            from,
            ..Needs::all()
        };
        let mut needed = Needed {
            durable: from(fold.durable.file),
            fast: from(fold.fast.file),
        };
        let mut healthy: Set<(RingKind, u64)> = Set::new();
        for (log, state) in &fold.logs {
            let damaged = damaged(log, state);
            let beyond = state.beyond.iter().filter(|entry| entry.home.is_none());
            let beyond = beyond.map(|entry| &entry.batch);
            for batch in state.ring.iter().chain(beyond) {
                let Spot { kind, file, .. } = batch.spot;
                needed.ring_mut(kind).named.insert(file);
                if !damaged {
                    healthy.insert((kind, file));
                }
            }
        }
        for kind in [RingKind::Durable, RingKind::Fast] {
            let needs = needed.ring_mut(kind);
            let kept = |file: &&u64| **file < needs.from && !healthy.contains(&(kind, **file));
            needs.kept = needs.named.iter().filter(kept).copied().collect();
        }
        needed
    }

    fn ring_mut(&mut self, kind: RingKind) -> &mut Needs {
        match kind {
            RingKind::Durable => &mut self.durable,
            RingKind::Fast => &mut self.fast,
        }
    }

    pub(crate) fn ring(&self, kind: RingKind) -> &Needs {
        match kind {
            RingKind::Durable => &self.durable,
            RingKind::Fast => &self.fast,
        }
    }
}

impl Keeper {
    /// What the newest checkpoint needs.
    pub(crate) fn newest(&self) -> &Needed {
        let [a, b] = &self.needs;
        match self.side {
            Side::A => b,
            Side::B => a,
        }
    }
}

impl Default for Keeper {
    fn default() -> Keeper {
        Keeper {
            wanted: 0,
            busy: false,
            side: Side::A,
            stamp: Stamp {
                shard: ShardId(0),
                shards: 1,
                number: 0,
                secret: RingSecret::default(),
                wall: Wall(0),
            },
            foreign: Vec::new(),
            coming: None,
            needs: [Needed::all(), Needed::all()],
            clock: Wall(0),
            written: 0,
        }
    }
}

impl Engine {
    /// The file that a checkpoint is written to before it takes its name.
    pub(crate) fn checkpoint_aside(&self) -> FileName {
        FileName::named(&alloc::format!("checkpoint.{}.new", self.shard))
    }

    /// Begins a checkpoint if one is due.
    pub(crate) fn keep_if_due(&mut self, ops: &mut Ops) {
        if self.keeper.busy || self.full && self.keeper.wanted == 0 {
            return;
        }
        if self.keeper.wanted == 0 && self.since_checkpoint < self.sizes.spill_every {
            return;
        }
        self.since_checkpoint = 0;
        self.keeper.wanted = self.keeper.wanted.saturating_sub(1);
        self.keeper.busy = true;
        self.keeper.stamp.number += 1;
        self.keeper.stamp.wall = self.keeper.clock;
        let fold = if proof::mutant("checkpoint-ahead-of-durable") {
            self.fold_ahead()
        } else {
            None
        };
        let fold = fold.as_ref().unwrap_or(&self.fold);
        if self.lanes.iter().any(|lane| !lane.ring.inflight.is_empty()) {
            proof::sometimes("checkpoint-with-commits-in-flight");
        }
        let damaged = |log: &LogId, state: &LogState| {
            let live = self.live.get(log);
            state.is_torn() || live.is_some_and(|live| live.offline.is_some())
        };
        self.keeper.coming = Some(Needed::of(fold, damaged));
        let frame = checkpoint::base(self.keeper.stamp, fold);
        // What an unfinished one left there could be longer.
        let file = self.checkpoint_aside();
        let ticket = ops.ask(FileOp::Unlink(file.clone()));
        self.waiting.insert(ticket, Why::Tidy);
        let op = FileOp::Put {
            file,
            at: 0,
            pieces: Vec::from([Piece::Bytes(frame.bytes)]),
            how: How::Cached,
        };
        self.keep_ask(KeepStep::Put, op, ops);
    }

    /// The known bug: a fold that knows commits which are not durable.
    fn fold_ahead(&self) -> Option<Fold> {
        let mut fold = self.fold.clone();
        for lane in self.lanes.iter() {
            for commit in lane.ring.unsynced.iter().chain(&lane.ring.inflight) {
                fold.apply(&commit.entries);
                fold.set_point(lane.ring.kind, commit.point);
            }
        }
        Some(fold)
    }

    fn keep_ask(&mut self, step: KeepStep, op: FileOp, ops: &mut Ops) {
        let ticket = ops.ask(op);
        self.waiting.insert(ticket, Why::Keep(step));
    }

    /// A step came back.
    pub(crate) fn kept(&mut self, step: KeepStep, outcome: Outcome, ops: &mut Ops) {
        if let Outcome::Failed(fault) = outcome {
            if fault.kind == FaultKind::Full && step == KeepStep::Put {
                // The two that are there stay good; their ring files stay needed.
                self.keeper.busy = false;
                self.keeper.wanted = 0;
                self.starve();
                return;
            }
            if !proof::mutant("retry-after-eio") {
                self.broken(
                    "a checkpoint could not be written",
                    fault.text.to_string(),
                    ops,
                );
                return;
            }
        }
        match step {
            KeepStep::Put => {
                let file = self.checkpoint_aside();
                self.keep_ask(KeepStep::Sync, FileOp::Sync(file), ops);
            }
            KeepStep::Sync => {
                let to = FileName::Checkpoint {
                    shard: self.shard,
                    side: self.keeper.side,
                };
                let from = self.checkpoint_aside();
                self.keep_ask(KeepStep::Rename, FileOp::Rename { from, to }, ops);
            }
            KeepStep::Rename => {
                proof::sometimes("checkpoint-renamed-and-directory-not-synced");
                self.keep_ask(KeepStep::Dir, FileOp::SyncDir(FileName::named("")), ops);
            }
            KeepStep::Dir => {
                let Some(needed) = self.keeper.coming.take() else {
                    return;
                };
                let [a, b] = &mut self.keeper.needs;
                match self.keeper.side {
                    Side::A => *a = needed,
                    Side::B => *b = needed,
                }
                self.keeper.side = match self.keeper.side {
                    Side::A => Side::B,
                    Side::B => Side::A,
                };
                self.keeper.busy = false;
                self.keeper.written += 1;
                self.checkpointed(ops);
            }
        }
    }
}
