//! The rules of KRaft, as far as a quorum of one needs them; more voters come with the cluster.
//! Decides terms, control records and snapshots; never what metadata means (`cluster`), nor when it is written (`node`).

pub mod control;
pub mod snapshot;
pub mod state;

use crate::ids::{Offset, Term};
use crate::marks::Marks;
use crate::proof;

/// The term that a quorum of one begins: higher than any it can have led, whatever remembers it (#33). The file
/// `quorum-state` may be lost or damaged; then log and snapshot say enough, because nobody else votes.
pub fn next_term(
    remembered: Option<Term>,
    log: Option<Term>,
    snapshot: Option<Term>,
) -> Option<Term> {
    let last = remembered.max(log).max(snapshot).unwrap_or(Term(0));
    last.0.checked_add(1).map(Term)
}

/// Up to where a majority of the voters holds the log: the metadata log's watermark (#33-#35). None without voters.
pub fn watermark(ends: &mut [Offset]) -> Option<Offset> {
    ends.sort_unstable_by(|a, b| b.cmp(a));
    ends.get(ends.len() / 2).copied()
}

/// What a voter may count itself with: only what its own disk has made durable (#34).
pub fn own_end(marks: &Marks) -> Offset {
    if proof::mutant("count-self-unsynced") {
        return marks.next;
    }
    marks.durable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_begun_above_everything_that_any_file_remembers() {
        assert_eq!(next_term(None, None, None), Some(Term(1)));
        assert_eq!(
            next_term(Some(Term(4)), Some(Term(3)), None),
            Some(Term(5)),
            "#33"
        );
        assert_eq!(
            next_term(None, Some(Term(3)), Some(Term(9))),
            Some(Term(10)),
            "#33"
        );
        assert_eq!(next_term(Some(Term(i32::MAX)), None, None), None);
    }

    #[test]
    fn the_watermark_is_what_more_than_half_of_the_voters_hold() {
        let watermark = |ends: &[i64]| {
            super::watermark(&mut ends.iter().copied().map(Offset).collect::<Vec<_>>())
        };
        assert_eq!(watermark(&[]), None);
        assert_eq!(watermark(&[7]), Some(Offset(7)));
        assert_eq!(watermark(&[7, 9]), Some(Offset(7)), "both of two");
        assert_eq!(watermark(&[1, 9, 5]), Some(Offset(5)));
        assert_eq!(watermark(&[1, 9, 5, 7]), Some(Offset(5)), "three of four");
    }
}
