//! Whether a frame is settled by itself, or with all that came in the same turn. Decides by what the last commit cost, by who
//! else is there and by how long a wake-up takes on this machine; never what settling means.
//!
//! A reply that leaves while the next frame is still being worked on lets its client send again before this thread sleeps.
//! Where processors halt when they are idle that saves more than the sharing of a write to the page cache; where they do
//! not it costs a quarter. So it is looked at again and again. A commit that waits for the medium, or one of many clients,
//! is always shared.

use sawlog_core::now::Mono;

/// Frames of one connection that are settled singly in one turn; who sends more at once gains by sharing.
const SINGLY: u32 = 2;
/// Turns that are looked at, and how many frames what was seen holds for.
const LOOKS: u32 = 64;
const HOLDS: u32 = 32_768;
/// The next frames come later than this, on average, where processors halt.
const DEAR_NANOS: u64 = 25_000;
/// No single wait counts for more: that client was not in a hurry.
const MOST_NANOS: u64 = 200_000;

/// See the file's head. One for each shard's thread.
#[derive(Debug, Default)]
pub struct Eager {
    /// The connection whose frames came first in this turn, and how many.
    first: Option<u64>,
    frames: u32,
    /// When the last turn was over.
    turned: Mono,
    /// Of the turns that are being looked at: how many, and how long the next frames took to come.
    looks: u32,
    waited: u64,
    /// Frames until it is looked at again.
    left: u32,
    dear: bool,
}

impl Eager {
    /// A frame of this connection came: whether to settle it now. `cheap`: the last commit was one for the page cache.
    pub fn frame(&mut self, conn: u64, now: Mono, cheap: bool) -> bool {
        if self.first.is_none() {
            self.first = Some(conn);
            self.look(now);
        }
        if self.first != Some(conn) || !cheap {
            return false;
        }
        self.frames += 1;
        self.left = self.left.saturating_sub(1);
        self.left > 0 && self.dear && self.frames <= SINGLY
    }

    /// A turn of the loop is over.
    pub fn turned(&mut self, now: Mono) {
        self.first = None;
        self.frames = 0;
        self.turned = now;
    }

    /// The first frame of a turn: how long did it take to come?
    fn look(&mut self, now: Mono) {
        if self.left > 0 {
            return;
        }
        self.looks += 1;
        self.waited += now.0.saturating_sub(self.turned.0).min(MOST_NANOS);
        if self.looks == LOOKS {
            self.dear = self.waited / u64::from(LOOKS) > DEAR_NANOS;
            (self.looks, self.waited, self.left) = (0, 0, HOLDS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turns of one frame each, the next one coming so much later; who is settled at the end of them.
    fn after(eager: &mut Eager, turns: u32, wait: u64) -> bool {
        let mut now = Mono(1 << 40);
        let mut at_once = false;
        for _ in 0..turns {
            eager.turned(now);
            now.0 += wait;
            at_once = eager.frame(1, now, true);
        }
        at_once
    }

    #[test]
    fn frames_are_settled_singly_where_a_wake_up_takes_long_and_it_is_looked_at_again() {
        let mut eager = Eager::default();
        assert!(!after(&mut eager, 1, 60_000), "nothing is known yet");
        assert!(after(&mut eager, LOOKS, 60_000));
        assert!(after(&mut eager, HOLDS / 2, 1_000));
        assert!(!after(&mut eager, HOLDS, 1_000), "it is no longer so");
    }

    #[test]
    fn the_first_frames_of_one_connection_are_settled_singly_and_the_rest_of_a_turn_together() {
        let mut eager = Eager::default();
        assert!(after(&mut eager, LOOKS + 1, 60_000));
        let now = Mono(2 << 40);
        eager.turned(now);
        assert!(eager.frame(7, now, true));
        assert!(!eager.frame(8, now, true), "another waits for the turn");
        assert!((1..SINGLY).all(|_| eager.frame(7, now, true)));
        assert!(!eager.frame(7, now, true), "a flood shares");
        eager.turned(now);
        assert!(eager.frame(8, now, true));
        assert!(
            !eager.frame(8, now, false),
            "a commit for the medium is shared"
        );
    }
}
