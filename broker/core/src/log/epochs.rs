//! Where each leadership of one log began (KIP-101). Holds #4: a pure function of the batches plus one entry for every
//! leadership begun, even one that wrote nothing. Never decides who leads, nor where a follower cuts.

use alloc::vec::Vec;

use crate::ids::{LeaderEpoch, Offset};
use crate::proof;

/// The leaderships of one log, oldest first: epochs rise strictly, offsets never fall.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Epochs {
    begun: Vec<(LeaderEpoch, Offset)>,
}

impl Epochs {
    /// Notes that `epoch` begins at `at`: a leader says so before it writes anything, a batch of a new epoch says it
    /// again. Notes may come in any order (facts ride in another ring than the batches of a `replicated` log), and a
    /// leadership may have begun at an end that a power cut took back: so an epoch began at the lowest offset that was
    /// said of it or of any later one.
    pub fn note(&mut self, epoch: LeaderEpoch, at: Offset) {
        let i = self.begun.partition_point(|(known, _)| *known < epoch);
        let later = self.begun.get(i).map_or(at, |(_, began)| at.min(*began));
        match self.begun.get_mut(i) {
            Some((known, began)) if *known == epoch => *began = later,
            _ => {
                // Most logs know one.
                if self.begun.capacity() == 0 {
                    self.begun.reserve_exact(1);
                }
                self.begun.insert(i, (epoch, later));
            }
        }
        self.clamp_before(i, later);
    }

    /// The log ends at `end` after all: what was said to begin behind it begins there (#4, #5).
    pub fn clamp(&mut self, end: Offset) {
        self.clamp_before(self.begun.len(), end);
    }

    fn clamp_before(&mut self, i: usize, at: Offset) {
        let earlier = self.begun.get_mut(..i).unwrap_or_default();
        for (_, began) in earlier
            .iter_mut()
            .rev()
            .take_while(|(_, began)| *began > at)
        {
            *began = at;
        }
    }

    /// The largest epoch known that is not after `epoch`, and where it ended: where the next one began, or at
    /// `log_end` for the last (OffsetForLeaderEpoch). `None` if all known ones are later, or none is.
    pub fn end_of(&self, epoch: LeaderEpoch, log_end: Offset) -> Option<(LeaderEpoch, Offset)> {
        let after = self.begun.partition_point(|(known, _)| *known <= epoch);
        let (known, _) = self.begun.get(after.checked_sub(1)?)?;
        let end = self.begun.get(after).map_or(log_end, |(_, began)| *began);
        Some((*known, end))
    }

    /// The epoch that the record at `offset` was written in.
    pub fn at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.begun.partition_point(|(_, began)| *began <= offset);
        self.begun
            .get(after.checked_sub(1)?)
            .map(|(epoch, _)| *epoch)
    }

    /// The log now ends at `end`: leaderships that began behind it are forgotten. One that began exactly there stays,
    /// for it was begun (#4).
    pub fn cut(&mut self, end: Offset) {
        self.begun.retain(|(_, began)| *began <= end);
    }

    /// The log now starts at `start`: leaderships that ended at or before it are forgotten, the one that `start` lies
    /// in begins there.
    pub fn rebase(&mut self, start: Offset) {
        let later = self.begun.partition_point(|(_, began)| *began <= start);
        if let Some(gone) = later.checked_sub(1) {
            self.begun.drain(..gone);
            if let Some((_, began)) = self.begun.first_mut() {
                *began = start;
            }
        }
    }

    /// The last leadership begun.
    pub fn last(&self) -> Option<(LeaderEpoch, Offset)> {
        self.begun.last().copied()
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (LeaderEpoch, Offset)> + '_ {
        self.begun.iter().copied()
    }

    /// A leadership begins at the end of the log. The live engine's entry to [`Epochs::note`].
    pub fn begin(&mut self, epoch: LeaderEpoch, log_end: Offset) {
        if proof::mutant("epoch-cache-skips-empty") {
            return;
        }
        self.note(epoch, log_end);
    }
}

impl FromIterator<(LeaderEpoch, Offset)> for Epochs {
    fn from_iter<I: IntoIterator<Item = (LeaderEpoch, Offset)>>(begun: I) -> Epochs {
        let mut epochs = Epochs::default();
        for (epoch, at) in begun {
            epochs.note(epoch, at);
        }
        epochs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(begun: &[(i32, i64)]) -> Epochs {
        begun
            .iter()
            .map(|(epoch, at)| (LeaderEpoch(*epoch), Offset(*at)))
            .collect()
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins_even_if_that_one_wrote_nothing() {
        let known = epochs(&[(1, 0), (3, 10), (4, 10), (6, 25)]);
        let end = |epoch| {
            known
                .end_of(LeaderEpoch(epoch), Offset(40))
                .map(|(e, at)| (e.0, at.0))
        };
        assert_eq!(end(0), None);
        assert_eq!(end(1), Some((1, 10)));
        assert_eq!(end(2), Some((1, 10)));
        assert_eq!(
            end(3),
            Some((3, 10)),
            "epoch 3 wrote nothing: it begins and ends at 10"
        );
        assert_eq!(end(4), Some((4, 25)));
        assert_eq!(end(6), Some((6, 40)));
        assert_eq!(end(9), Some((6, 40)));
    }

    #[test]
    fn a_cut_forgets_what_began_behind_it_and_keeps_what_began_there() {
        let mut known = epochs(&[(1, 0), (2, 10), (3, 20), (4, 30)]);
        known.cut(Offset(20));
        assert_eq!(known, epochs(&[(1, 0), (2, 10), (3, 20)]));
    }

    #[test]
    fn a_new_start_keeps_the_epoch_that_it_lies_in() {
        let mut known = epochs(&[(1, 0), (2, 10), (3, 20)]);
        known.rebase(Offset(15));
        assert_eq!(known, epochs(&[(2, 15), (3, 20)]));
        assert_eq!(known.at(Offset(17)), Some(LeaderEpoch(2)));
        known.rebase(Offset(20));
        assert_eq!(known, epochs(&[(3, 20)]));
    }

    #[test]
    fn the_order_in_which_notes_come_does_not_matter() {
        assert_eq!(
            epochs(&[(3, 20), (1, 0), (2, 12), (2, 10)]),
            epochs(&[(1, 0), (2, 10), (3, 20)])
        );
        assert_eq!(
            epochs(&[(1, 0), (2, 50), (3, 40)]),
            epochs(&[(3, 40), (2, 50), (1, 0)])
        );
        assert_eq!(
            epochs(&[(1, 0), (2, 50), (3, 40)]),
            epochs(&[(1, 0), (2, 40), (3, 40)]),
            "50 was taken back"
        );
    }
}
