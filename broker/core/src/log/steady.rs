//! The wall clock as retention believes it: it never runs faster than the steady clock, nor did it while nobody looked,
//! so that a clock which is set wrong, under a running process or before its start, deletes nothing before its time.
//! Decides what time it is for ages alone. Holds #110, #111.
//!
//! A start cannot tell a node that was off for a month from a clock that is a month ahead. So what was there at the start
//! ages from the time that the newest checkpoint was told, until this process has run for as long as the log keeps its
//! records: by then all of that is old enough under any clock.

use core::time::Duration;

use crate::now::{Mono, Now, Wall};
use crate::proof;

/// What a checkpoint is told catches up with the clock of a start at this rate, so that a node which is off more than it
/// runs does not fall behind for ever.
const CATCH_UP: i64 = 4;
/// A gap that is worth a word. Checkpoints are a day apart at most.
const GAP_TOLD: i64 = 2 * 24 * 3_600_000;

/// See the file's head.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Steady {
    begun: Option<Begun>,
}

#[derive(Clone, Copy, Debug)]
struct Begun {
    mono: Mono,
    /// The clock of the start, or the last one known where that is later.
    wall: i64,
    /// The last time that an earlier process believed.
    known: i64,
}

impl Steady {
    /// A process begins. `known` is what the newest checkpoint was told; 0 if it was told nothing.
    pub(crate) fn begin(&mut self, now: Now, known: Wall) {
        let fresh = known.0 <= 0 || proof::mutant("clock-of-a-start-believed");
        let known = if fresh { now.wall.0 } else { known.0 };
        self.begun = Some(Begun {
            mono: now.mono,
            wall: now.wall.0.max(known),
            known,
        });
    }

    /// The time by which a log that keeps its records for so long may count their age.
    pub(crate) fn wall(&self, now: Now, keeps: Duration) -> Wall {
        let Some(begun) = self.begun else {
            return Wall(0);
        };
        if proof::mutant("wall-clock-believed") {
            return now.wall;
        }
        let passed = now.since(begun.mono);
        let from = if passed >= keeps {
            begun.wall
        } else {
            begun.known
        };
        now.wall.min(Wall(from.saturating_add(millis(passed))))
    }

    /// What a checkpoint is told.
    pub(crate) fn known(&self, now: Now) -> Wall {
        let Some(begun) = self.begun else {
            return Wall(0);
        };
        let passed = millis(now.since(begun.mono));
        let caught_up = begun.known.saturating_add(passed.saturating_mul(CATCH_UP));
        let steady = begun.wall.saturating_add(passed);
        Wall(now.wall.0.min(steady).min(caught_up).max(begun.known))
    }

    /// How far the clock of the start is ahead of the last time known, in hours, if that is worth a word.
    pub(crate) fn gap(&self) -> Option<i64> {
        let begun = self.begun?;
        let gap = begun.wall - begun.known;
        (gap > GAP_TOLD).then_some(gap / 3_600_000)
    }
}

fn millis(passed: Duration) -> i64 {
    i64::try_from(passed.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn now(hours: u64, wall: i64) -> Now {
        Now {
            mono: Mono(hours * HOUR * 1_000_000),
            wall: Wall(wall * HOUR as i64),
        }
    }

    fn begun(at: i64, known: i64) -> Steady {
        let mut steady = Steady::default();
        steady.begin(now(0, at), Wall(known * HOUR as i64));
        steady
    }

    #[test]
    fn a_log_ages_from_the_time_known_until_the_process_has_run_for_as_long_as_it_keeps_111() {
        let steady = begun(1000, 100);
        let week = Duration::from_secs(7 * 24 * 3600);
        assert_eq!(steady.wall(now(1, 1001), week), now(0, 101).wall);
        assert_eq!(steady.wall(now(167, 1167), week), now(0, 267).wall);
        assert_eq!(steady.wall(now(168, 1168), week), now(0, 1168).wall);
    }

    #[test]
    fn a_clock_that_was_behind_at_the_start_is_believed_once_it_is_set() {
        let steady = begun(0, 100);
        assert_eq!(steady.wall(now(1, 1), Duration::ZERO), now(0, 1).wall);
        assert_eq!(steady.wall(now(2, 5000), Duration::ZERO), now(0, 102).wall);
        assert_eq!(
            steady.known(now(2, 3)),
            now(0, 100).wall,
            "it never goes back"
        );
    }

    #[test]
    fn a_node_that_is_off_more_than_it_runs_catches_up() {
        let mut known = 100;
        for day in 0..100 {
            // Off for sixteen hours, on for eight.
            let at = 116 + day * 24;
            let steady = begun(at, known);
            known = steady.known(now(8, at + 8)).0 / HOUR as i64;
        }
        assert!(116 + 99 * 24 + 8 - known < 24, "{known}");
    }
}
