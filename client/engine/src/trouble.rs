//! How long a partition has been in trouble: errors that may pass, one after the other, and nothing good between them.
//! Decides when they have lasted, and for which partitions; never what is tried meanwhile, or how often.
//!
//! A retriable error promises nothing: a disk that is damaged answers one for ever. Who waits learns of it once it has
//! lasted as long as any call may take, the first time and the last being told apart by a clock, not by a count.

use alloc::vec::Vec;
use core::time::Duration;

use crate::proof;
use crate::time::Mono;

/// Since when nothing but errors that may pass came. At first there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Trouble {
    since: Option<Mono>,
}

impl Trouble {
    /// One more error that may pass. True: they have lasted for `limit`, and it is to be told.
    pub fn lasts(&mut self, now: Mono, limit: Duration) -> bool {
        if proof::mutant("first-trouble-told") {
            return true;
        }
        now.since(*self.since.get_or_insert(now)) >= limit
    }

    /// It has passed.
    pub fn passed(&mut self) {
        if proof::mutant("trouble-never-passes") {
            return;
        }
        self.since = None;
    }

    /// Nobody asked for so long, because nobody took what came: that proves nothing.
    pub fn unasked(&mut self, wait: Duration) {
        if let Some(since) = &mut self.since
            && !proof::mutant("unasked-time-counts")
        {
            *since = since.after(wait);
        }
    }
}

/// One more error that may pass, which met all of these: those for which they have lasted. One that was in trouble before
/// does not end the others.
pub fn lasting<'t, K>(
    all: impl Iterator<Item = (K, &'t mut Trouble)>,
    now: Mono,
    limit: Duration,
) -> Vec<K> {
    let mut others = false;
    all.filter_map(|(key, trouble)| {
        let lasts = trouble.lasts(now, limit);
        others |= lasts && proof::mutant("one-trouble-ends-others");
        (lasts || others).then_some(key)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(3);

    fn at(millis: u64) -> Mono {
        Mono(millis * 1_000)
    }

    #[test]
    fn errors_that_last_are_told_and_what_passes_begins_anew() {
        let mut trouble = Trouble::default();
        assert!(!trouble.lasts(at(10_000), LIMIT), "the first is no news");
        assert!(!trouble.lasts(at(12_999), LIMIT));
        assert!(trouble.lasts(at(13_000), LIMIT));
        trouble.passed();
        assert!(!trouble.lasts(at(14_000), LIMIT), "it had passed");
        assert!(trouble.lasts(at(17_000), LIMIT));
    }

    #[test]
    fn a_reader_that_was_slow_does_not_make_an_error_last() {
        let mut trouble = Trouble::default();
        assert!(!trouble.lasts(at(0), LIMIT));
        trouble.unasked(Duration::from_secs(60));
        assert!(!trouble.lasts(at(60_500), LIMIT));
        assert!(trouble.lasts(at(63_000), LIMIT));
        let mut none = Trouble::default();
        none.unasked(LIMIT);
        assert_eq!(none, Trouble::default());
    }

    #[test]
    fn what_met_all_ends_those_alone_for_which_it_has_lasted() {
        let mut troubles = [Trouble::default(); 3];
        assert!(!troubles[1].lasts(at(0), LIMIT), "before the others");
        let met = |troubles: &mut [Trouble; 3], now| {
            lasting((0..).zip(troubles.iter_mut()), at(now), LIMIT)
        };
        assert_eq!(met(&mut troubles, 2_000), [0; 0]);
        assert_eq!(met(&mut troubles, 3_000), [1]);
        assert_eq!(met(&mut troubles, 5_000), [0, 1, 2]);
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn each_bug_of_this_rule_is_caught() {
        let begins = errors_that_last_are_told_and_what_passes_begins_anew as fn();
        for (bug, check) in [
            ("first-trouble-told", begins),
            ("trouble-never-passes", begins),
            (
                "unasked-time-counts",
                a_reader_that_was_slow_does_not_make_an_error_last,
            ),
            (
                "one-trouble-ends-others",
                what_met_all_ends_those_alone_for_which_it_has_lasted,
            ),
        ] {
            proof::caught(bug, check);
        }
    }
}
