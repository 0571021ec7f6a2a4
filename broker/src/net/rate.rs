//! How fast a peer must bring the frame that it began, and take the answers that it asked for.
//! Decides who is too slow to be kept, whatever else there is to do; short of memory a node is stricter (`member`,
//! `connection`). Holds #133.

use std::time::Duration;

use sawlog_core::now::Mono;
use sawlog_core::proof;

/// Bytes in a second, on the mean of a while: less than any link that records are sent over.
pub const LEAST: usize = 1 << 10;

/// How long a frame may bring less before its peer is cut; one that is short has that long to be whole.
pub const FRAME_WHILE: Duration = Duration::from_secs(30);

/// The same for answers. A client may be busy for so long with what it has before it takes more
/// (`max.poll.interval.ms` of Kafka's consumers is five minutes).
pub const ANSWER_WHILE: Duration = Duration::from_secs(300);

/// The end of a while: a node that was itself stopped for long looks once more at what came meanwhile.
pub const AGAIN: Duration = Duration::from_secs(5);

/// What came or went in the present while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    since: Mono,
    bytes: usize,
    /// It was too little when that was looked at first.
    late: Option<Mono>,
}

impl Rate {
    /// A while begins.
    pub fn begun(now: Mono) -> Rate {
        Rate {
            since: now,
            bytes: 0,
            late: None,
        }
    }

    /// So many bytes came or went.
    pub fn moved(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Whether too little came or went for `long`: then how much. The next while begins where it was enough.
    pub fn is_too_slow(&mut self, now: Mono, long: Duration) -> Option<usize> {
        let due = |since: Mono, long| Duration::from_nanos(now.0.saturating_sub(since.0)) >= long;
        if !due(self.since, long.saturating_sub(AGAIN)) {
            return None;
        }
        let seconds = usize::try_from(long.as_secs()).unwrap_or(usize::MAX);
        if self.bytes >= LEAST.saturating_mul(seconds) || proof::mutant("slow-peers-kept") {
            *self = Rate::begun(now);
            return None;
        }
        let late = *self.late.get_or_insert(now);
        due(late, AGAIN).then_some(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// After how many seconds a peer is cut that moves so many bytes in each, looked at every five; never, as far as that
    /// is tried.
    fn cut_after(each: usize, long: Duration) -> Option<u64> {
        let mut rate = Rate::begun(Mono(0));
        (1..2_000).find(|second| {
            rate.moved(each);
            second % 5 == 0 && rate.is_too_slow(Mono(second * SECOND), long).is_some()
        })
    }

    fn slow_peers_are_cut() {
        for long in [FRAME_WHILE, ANSWER_WHILE] {
            let seconds = Some(long.as_secs());
            assert_eq!(cut_after(0, long), seconds, "nothing at all");
            assert_eq!(cut_after(1, long), seconds, "a byte a second");
            assert_eq!(cut_after(LEAST - 200, long), seconds);
            assert_eq!(cut_after(2 * LEAST, long), None, "fast enough");
        }
    }

    #[test]
    fn who_moves_less_than_the_least_rate_for_a_while_is_too_slow_133() {
        slow_peers_are_cut();
    }

    #[test]
    fn a_node_that_was_stopped_itself_looks_again_before_it_cuts_133() {
        let mut rate = Rate::begun(Mono(0));
        assert_eq!(rate.is_too_slow(Mono(1000 * SECOND), FRAME_WHILE), None);
        assert_eq!(rate.is_too_slow(Mono(1004 * SECOND), FRAME_WHILE), None);
        let mut comes = rate;
        comes.moved(30 * LEAST);
        assert_eq!(comes.is_too_slow(Mono(1005 * SECOND), FRAME_WHILE), None);
        assert_eq!(comes, Rate::begun(Mono(1005 * SECOND)));
        assert_eq!(rate.is_too_slow(Mono(1005 * SECOND), FRAME_WHILE), Some(0));
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn slow_peers_that_are_kept_are_caught_133() {
        proof::choose(Some("slow-peers-kept"));
        let outcome = std::panic::catch_unwind(slow_peers_are_cut);
        let fired = proof::fired();
        proof::choose(None);
        assert!(fired > 0 && outcome.is_err(), "a test that cannot fail");
    }
}
