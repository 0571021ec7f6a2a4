//! Decides when a record counts as replicated, and whether a request speaks of this leadership.
//! Knows the in-sync set and what each member is known to hold; never talks to anybody, never touches a byte.
//! Holds #11, #12, #17 and #26.

use alloc::vec::Vec;

use sawlog_wire::code::Code;

use crate::answer::{Acks, Isolation};
use crate::ids::{BrokerId, LeaderEpoch, Offset};
use crate::map::Map;
use crate::marks::{Durability, Marks};
use crate::parked::Mark;
use crate::proof;

/// One leadership of one partition by this node.
#[derive(Debug)]
pub struct Leader {
    me: BrokerId,
    epoch: LeaderEpoch,
    /// The in-sync set that the controller has recorded.
    isr: Vec<BrokerId>,
    /// The one that was asked for and is not known to be recorded or refused.
    asked: Option<Vec<BrokerId>>,
    /// `min.insync.replicas`.
    min_in_sync: usize,
    /// What each other member is known to hold, by the topic's durability. A member that said nothing holds nothing.
    heard: Map<BrokerId, Offset>,
}

/// Why a request is not this leader's business, or not now. Definite: nothing happened (#114).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The request speaks of an earlier leadership.
    Fenced {
        /// The one that holds.
        now: LeaderEpoch,
    },
    /// The request speaks of a leadership that this node has not heard of yet.
    Unknown {
        /// The one that holds here.
        now: LeaderEpoch,
    },
    /// Too few replicas are in sync to promise anything.
    TooFewInSync {
        /// How many there are.
        have: usize,
        /// How many the topic asks for.
        need: usize,
    },
}

impl Refusal {
    /// What a client is told.
    pub fn code(self) -> Code {
        match self {
            Refusal::Fenced { .. } => Code::FencedLeaderEpoch,
            Refusal::Unknown { .. } => Code::UnknownLeaderEpoch,
            Refusal::TooFewInSync { .. } => Code::NotEnoughReplicas,
        }
    }
}

impl Leader {
    /// Begins to lead: the set comes from committed metadata, never from memory of an earlier leadership.
    pub fn new(me: BrokerId, epoch: LeaderEpoch, isr: &[BrokerId], min_in_sync: usize) -> Leader {
        Leader {
            me,
            epoch,
            isr: isr.to_vec(),
            asked: None,
            min_in_sync,
            heard: Map::new(),
        }
    }

    /// How many must be in sync from now on for an append with `acks=all`.
    pub fn needs(&mut self, min_in_sync: usize) {
        self.min_in_sync = min_in_sync;
    }

    /// Which leadership this is.
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// The controller has recorded this set; a change in flight is thereby settled.
    pub fn recorded(&mut self, isr: &[BrokerId]) {
        self.isr.clear();
        self.isr.extend_from_slice(isr);
        self.asked = None;
    }

    /// Whether a request that names an epoch means this leadership (#26). One that names none means whoever leads.
    pub fn check_epoch(&self, said: Option<LeaderEpoch>) -> Result<(), Refusal> {
        match said {
            Some(said) if said < self.epoch => Err(Refusal::Fenced { now: self.epoch }),
            Some(said) if said > self.epoch => Err(Refusal::Unknown { now: self.epoch }),
            _ => Ok(()),
        }
    }

    /// Whether an append may be promised what its `acks` asks for (#11).
    pub fn admits(&self, acks: Acks) -> Result<(), Refusal> {
        match acks {
            Acks::All if self.isr.len() < self.min_in_sync => Err(Refusal::TooFewInSync {
                have: self.isr.len(),
                need: self.min_in_sync,
            }),
            _ => Ok(()),
        }
    }

    /// Which mark a reply waits for; none is awaited by `acks=0`.
    pub fn awaited(acks: Acks) -> Option<Mark> {
        match acks {
            Acks::None => None,
            Acks::Leader => Some(Mark::Own),
            Acks::All => Some(Mark::Hw),
        }
    }

    /// Where the high watermark belongs: the least that any member of the widest set holds, never back (#11, #12), and
    /// no further while the set is too small (#17).
    ///
    /// The widest set is the recorded one and the one asked for together: until the controller has recorded a smaller
    /// set, the silent member may still be elected, so it must hold what is promised.
    pub fn watermark(&self, marks: &Marks, durability: Durability) -> Offset {
        if self.isr.len() < self.min_in_sync {
            return marks.hw;
        }
        let mut least = self.own(marks, durability);
        for member in self.isr.iter().chain(self.asked.iter().flatten()) {
            if *member != self.me {
                least = least.min(self.heard.get(member).copied().unwrap_or_default());
            }
        }
        least.max(marks.hw)
    }

    /// Up to which end `acks=all` may be answered: the watermark (#11).
    pub fn acknowledged(&self, marks: &Marks) -> Offset {
        if proof::mutant("ack-at-next") {
            return marks.next;
        }
        marks.hw
    }

    /// The end that a reader of this isolation may see (#9).
    pub fn readable(marks: &Marks, isolation: Isolation) -> Offset {
        match isolation {
            Isolation::ReadUncommitted => marks.hw,
            Isolation::ReadCommitted => marks.stable,
        }
    }

    /// What the leader may count itself with: not before its own disk said so.
    fn own(&self, marks: &Marks, durability: Durability) -> Offset {
        if proof::mutant("count-self-unsynced") {
            return marks.next;
        }
        marks.own(durability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: BrokerId = BrokerId(1);

    fn marks(hw: i64, durable: i64, written: i64, next: i64) -> Marks {
        Marks {
            hw: Offset(hw),
            durable: Offset(durable),
            written: Offset(written),
            next: Offset(next),
            ..Marks::default()
        }
    }

    #[test]
    fn alone_the_leader_counts_itself_only_when_its_own_disk_said_so() {
        let leader = Leader::new(ME, LeaderEpoch(3), &[ME], 1);
        let marks = marks(0, 5, 8, 10);
        assert_eq!(
            leader.watermark(&marks, Durability::Durable),
            Offset(5),
            "#11"
        );
        assert_eq!(
            leader.watermark(&marks, Durability::Replicated),
            Offset(8),
            "#11"
        );
    }

    #[test]
    fn a_member_that_said_nothing_holds_the_watermark_even_while_it_is_asked_to_leave() {
        let mut leader = Leader::new(ME, LeaderEpoch(3), &[ME, BrokerId(2)], 1);
        let marks = marks(4, 9, 9, 9);
        assert_eq!(
            leader.watermark(&marks, Durability::Durable),
            Offset(4),
            "#15"
        );
        leader.asked = Some([ME].to_vec());
        assert_eq!(
            leader.watermark(&marks, Durability::Durable),
            Offset(4),
            "#15"
        );
        leader.recorded(&[ME]);
        assert_eq!(
            leader.watermark(&marks, Durability::Durable),
            Offset(9),
            "#31"
        );
    }

    #[test]
    fn the_watermark_stands_still_while_the_set_is_too_small() {
        let leader = Leader::new(ME, LeaderEpoch(3), &[ME], 2);
        assert_eq!(
            leader.watermark(&marks(4, 9, 9, 9), Durability::Durable),
            Offset(4),
            "#17"
        );
        let refused = Err(Refusal::TooFewInSync { have: 1, need: 2 });
        assert_eq!(leader.admits(Acks::All), refused, "#11");
        assert_eq!(leader.admits(Acks::Leader), Ok(()));
    }

    #[test]
    fn a_request_of_another_leadership_is_refused_by_name() {
        let leader = Leader::new(ME, LeaderEpoch(3), &[ME], 1);
        let now = LeaderEpoch(3);
        assert_eq!(
            leader.check_epoch(Some(LeaderEpoch(2))),
            Err(Refusal::Fenced { now }),
            "#26"
        );
        assert_eq!(
            leader.check_epoch(Some(LeaderEpoch(4))),
            Err(Refusal::Unknown { now }),
            "#26"
        );
        assert_eq!(leader.check_epoch(Some(now)), Ok(()));
        assert_eq!(leader.check_epoch(None), Ok(()));
        assert_eq!(Refusal::Fenced { now }.code(), Code::FencedLeaderEpoch);
        assert_eq!(Refusal::Unknown { now }.code(), Code::UnknownLeaderEpoch);
    }

    #[test]
    fn the_watermark_never_falls() {
        let leader = Leader::new(ME, LeaderEpoch(3), &[ME], 1);
        assert_eq!(
            leader.watermark(&marks(7, 5, 9, 9), Durability::Durable),
            Offset(7),
            "#5"
        );
    }
}
