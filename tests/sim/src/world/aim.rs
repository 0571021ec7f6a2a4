//! Deaths at chosen moments: between two file operations that must not come apart. Decides at which operation the process
//! is killed or the power cut; what is left then is the disk's business.

use sawlog_core::file::{FileName, FileOp, RingKind};

use crate::history::{Ev, Line, Op};
use crate::world::World;

/// A moment between two file operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// A checkpoint became durable while commits were in flight, which did not complete meanwhile.
    Checkpoint,
    /// A checkpoint has its name; the directory is not synced.
    CheckpointName,
    /// A snapshot of the metadata is being written, or has its name.
    Snapshot,
    /// A ring file was renamed for its next life.
    RingName,
    /// A commit of the fast ring is written and not synced.
    Fast,
    /// A segment or a sidecar is written and not synced.
    Segment,
    /// A start is in the middle of its work.
    Start,
    /// A start has written a commit.
    Again,
    /// A client was told that what it wanted to be changed is so, while a commit is on its way.
    Told,
}

/// All moments.
pub const MOMENTS: [Moment; 9] = [
    Moment::Checkpoint,
    Moment::CheckpointName,
    Moment::Snapshot,
    Moment::RingName,
    Moment::Fast,
    Moment::Segment,
    Moment::Start,
    Moment::Again,
    Moment::Told,
];

/// A death that waits for its moment.
#[derive(Clone, Copy, Debug)]
pub struct Aim {
    /// Which.
    pub moment: Moment,
    /// So many of these moments pass first.
    pub skip: u64,
    /// Whether the power goes, or only the process.
    pub power: bool,
    /// Commits of the ring do not complete from here on.
    frozen: bool,
    renamed: bool,
}

impl Moment {
    /// Whether it lies within a start.
    pub fn starting(self) -> bool {
        matches!(self, Moment::Start | Moment::Again)
    }
}

impl Aim {
    /// An aim at a moment.
    pub fn at(moment: Moment, skip: u64, power: bool) -> Aim {
        Aim {
            moment,
            skip,
            power,
            frozen: false,
            renamed: false,
        }
    }
}

impl Moment {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Moment::Checkpoint => "death-behind-a-checkpoint",
            Moment::CheckpointName => "death-behind-a-checkpoint's-name",
            Moment::Snapshot => "death-within-a-snapshot",
            Moment::RingName => "death-behind-a-ring-file's-name",
            Moment::Fast => "death-behind-a-fast-commit",
            Moment::Segment => "death-behind-a-segment's-bytes",
            Moment::Start => "death-within-a-start",
            Moment::Again => "death-behind-a-start's-commit",
            Moment::Told => "death-behind-an-answer",
        }
    }

    fn is(self, op: &FileOp) -> bool {
        let named = |file: &FileName, end: &str| file.to_string().ends_with(end);
        match (self, op) {
            (Moment::CheckpointName, FileOp::Rename { to, .. }) => {
                matches!(to, FileName::Checkpoint { .. })
            }
            (Moment::Snapshot, FileOp::Put { file, .. }) => {
                named(file, ".checkpoint") || named(file, ".checkpoint.part")
            }
            (Moment::Snapshot, FileOp::Rename { to, .. }) => named(to, ".checkpoint"),
            (Moment::RingName, FileOp::Rename { to, .. }) => matches!(to, FileName::Ring { .. }),
            (Moment::Fast, FileOp::Put { file, .. }) => ring_of(file) == Some(RingKind::Fast),
            (Moment::Segment, FileOp::Put { file, .. }) => {
                matches!(file, FileName::Segment { .. } | FileName::Sidecar { .. })
            }
            (Moment::Start, _) => true,
            _ => false,
        }
    }
}

fn ring_of(file: &FileName) -> Option<RingKind> {
    match file {
        FileName::Ring { kind, .. } => Some(*kind),
        _ => None,
    }
}

impl World {
    /// An operation is about to be queued: a checkpoint that begins while commits are in flight arms the aim at it.
    pub(super) fn arm(&mut self, op: &FileOp) {
        let FileOp::Put { file, .. } = op else { return };
        if !file.to_string().starts_with("checkpoint.") {
            return;
        }
        let commits = self.commits_in_flight();
        if let Some(aim) = &mut self.aim
            && aim.moment == Moment::Checkpoint
            && commits
        {
            aim.frozen = true;
        }
    }

    /// Whether a commit is on its way to the disk.
    pub fn commits_in_flight(&self) -> bool {
        (0..self.disk.queued()).any(|index| self.disk.peek(index).is_some_and(is_commit))
    }

    /// Whether an operation may not complete now.
    pub(super) fn frozen(&self, op: &FileOp) -> bool {
        self.aim.is_some_and(|aim| aim.frozen) && is_commit(op)
    }

    /// An operation completed; true if that was the moment, and the process is dead.
    pub(super) fn hit(&mut self, op: &FileOp) -> bool {
        let ready = self.ready();
        let Some(aim) = &mut self.aim else {
            return false;
        };
        let now = match aim.moment {
            Moment::Checkpoint => {
                let renamed = Moment::CheckpointName.is(op);
                aim.renamed |= renamed && aim.frozen;
                aim.renamed && matches!(op, FileOp::SyncDir(dir) if dir.to_string().is_empty())
            }
            Moment::Start => !ready,
            Moment::Again => !ready && is_commit(op),
            moment => moment.is(op),
        };
        now && self.strike()
    }

    /// A client learned that something is changed now: whatever that rests on must have been durable before.
    pub(super) fn told(&mut self) {
        let waits = |aim: &Aim| aim.moment == Moment::Told;
        if self.alive() && self.aim.as_ref().is_some_and(waits) && self.commits_in_flight() {
            self.strike();
        }
    }

    /// The moment is there: true if the process is dead.
    fn strike(&mut self) -> bool {
        let Some(aim) = &mut self.aim else {
            return false;
        };
        if aim.skip > 0 {
            aim.skip -= 1;
            return false;
        }
        let aim = *aim;
        *self.aimed.entry(aim.moment.name()).or_default() += 1;
        if aim.power {
            self.power_cut();
        } else {
            self.kill();
        }
        true
    }
}

/// Whether somebody was told that what he wanted to be changed is so.
pub(super) fn tells_of_a_change(line: &Line) -> bool {
    let change = matches!(line.op, Op::Create | Op::Delete | Op::Grow | Op::Trim);
    change && line.ev == Ev::Ok
}

fn is_commit(op: &FileOp) -> bool {
    matches!(
        op,
        FileOp::Put {
            file: FileName::Ring { .. },
            ..
        }
    )
}
