//! A disk that runs full. Decides when writes are refused and the ballast is given up so that metadata still fits, and
//! when the node takes writes again; reads, deletes and retention never stop. Holds #105.

use crate::file::{FileName, FileOp, Free, Outcome};
use crate::ids::ShardId;
use crate::log::engine::{Engine, Why};
use crate::log::told::Ops;
use crate::proof;

/// The reserve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ballast {
    /// Nobody has looked.
    Unknown,
    /// Being looked for.
    Sought,
    /// Given up, or not made yet.
    Absent,
    /// Being made.
    Making,
    /// There to be given up.
    There,
    /// Being given up.
    Going,
}

impl Engine {
    /// Takes in how much space the file system has.
    pub fn space(&mut self, free: Free) {
        self.space = free;
        self.starved = false;
        let was = self.full;
        // It heals well above where it refuses, so that it does not flutter.
        let bound = if was {
            self.sizes.free_low.saturating_mul(5) / 4
        } else {
            self.sizes.free_low
        };
        self.full = free.total > 0 && free.free < bound;
        if self.full && !was {
            proof::sometimes("disk-full");
        }
        if was && !self.full {
            proof::sometimes("disk-healed");
            self.spill.relief = 0;
        }
    }

    /// A write met a full disk: nothing that needs space is begun before the space was looked at again.
    pub(crate) fn starve(&mut self) {
        self.full = true;
        self.starved = true;
    }

    /// Whether one more ring file may be tried.
    pub(crate) fn has_space_for_file(&self) -> bool {
        let unknown = self.space.total == 0;
        !self.starved && (unknown || self.space.free >= u64::from(self.sizes.ring_file))
    }

    /// Whether writes of users are refused for lack of space.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Makes the ballast, or gives it up.
    pub(crate) fn weigh_ballast(&mut self, ops: &mut Ops) {
        // There is one ballast, and one shard that minds it.
        if !self.conf.ballast || self.sizes.ballast == 0 || self.shard != ShardId(0) {
            return;
        }
        let ample = self.space.free > self.sizes.free_low * 2 + self.sizes.ballast;
        let (next, op) = match self.ballast {
            Ballast::Unknown => {
                let at = self.sizes.ballast - 1;
                (
                    Ballast::Sought,
                    FileOp::Read {
                        file: FileName::named("ballast"),
                        at,
                        len: 1,
                    },
                )
            }
            Ballast::Absent if !self.full && ample => (
                Ballast::Making,
                FileOp::Alloc {
                    file: FileName::named("ballast"),
                    len: self.sizes.ballast,
                },
            ),
            Ballast::There if self.full => {
                (Ballast::Going, FileOp::Unlink(FileName::named("ballast")))
            }
            _ => return,
        };
        self.ballast = next;
        let ticket = ops.ask(op);
        self.waiting.insert(ticket, Why::Ballast);
    }

    /// It was found, made or given up.
    pub(crate) fn ballast_done(&mut self, outcome: Outcome) {
        self.ballast = match (self.ballast, outcome) {
            (Ballast::Sought, Outcome::Bytes(bytes)) if bytes.len() == 1 => Ballast::There,
            (Ballast::Making, Outcome::Done) => Ballast::There,
            (Ballast::Going, Outcome::Failed(_)) => Ballast::There,
            _ => Ballast::Absent,
        };
    }
}
