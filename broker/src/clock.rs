//! Reads the clocks and draws the chance that the core is handed with every step. Decides nothing: a broker's clock is the
//! machine's, a node's for tests may have a hand that somebody else moves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sawlog_core::now::{Deadline, Dice, Mono, Now, Wall};
use tokio::sync::watch;

/// Both clocks, counted from when the process began.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Instant,
    hand: Option<Arc<Hand>>,
}

/// What moves a clock that can be stopped.
#[derive(Debug)]
struct Hand {
    shown: Mutex<Shown>,
    /// Told when the hand was moved, stopped or let go.
    moved: watch::Sender<()>,
}

/// What such a clock shows: its time when it was last set, and since when it has been running; none if it stands.
#[derive(Clone, Copy, Debug)]
struct Shown {
    mono: Duration,
    running: Option<Instant>,
    /// What the wall showed when the clock began, since 1970.
    wall: Duration,
}

impl Shown {
    fn mono(&self) -> Duration {
        let ran = self.running.map_or(Duration::ZERO, |since| since.elapsed());
        self.mono.saturating_add(ran)
    }
}

impl Clock {
    /// Starts counting, with the machine.
    pub fn start() -> Clock {
        Clock {
            start: Instant::now(),
            hand: None,
        }
    }

    /// One that can be stopped and moved on; its wall clock begins at `wall`, since 1970.
    pub fn with_hand(wall: Duration, running: bool) -> Clock {
        let start = Instant::now();
        let shown = Shown {
            mono: Duration::ZERO,
            running: running.then_some(start),
            wall,
        };
        let hand = Hand {
            shown: Mutex::new(shown),
            moved: watch::Sender::new(()),
        };
        Clock {
            start,
            hand: Some(Arc::new(hand)),
        }
    }

    /// The time.
    pub fn now(&self) -> Now {
        let (mono, wall) = match &self.hand {
            None => (self.start.elapsed(), since_1970()),
            Some(hand) => {
                let shown = hand.lock();
                let mono = shown.mono();
                (mono, shown.wall.saturating_add(mono))
            }
        };
        Now {
            mono: Mono(u64::try_from(mono.as_nanos()).unwrap_or(u64::MAX)),
            wall: Wall(i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)),
        }
    }

    /// Returns when a deadline has passed. Cancel safe.
    pub async fn until(&self, deadline: Deadline) {
        let Some(hand) = &self.hand else {
            let due = self.start + Duration::from_nanos(deadline.0.0);
            return tokio::time::sleep_until(due.into()).await;
        };
        let mut moved = hand.moved.subscribe();
        loop {
            let shown = *hand.lock();
            let left = Duration::from_nanos(deadline.0.0).saturating_sub(shown.mono());
            if left.is_zero() {
                return;
            }
            let runs_out = async {
                match shown.running {
                    Some(_) => tokio::time::sleep(left).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = runs_out => {}
                // The sender lives as long as the clock.
                _ = moved.changed() => {}
            }
        }
    }

    /// Stops the hand, or lets it run on from where it is. A clock without one runs whatever is said.
    pub fn set_running(&self, running: bool) {
        self.turn(|shown| {
            shown.mono = shown.mono();
            shown.running = running.then(Instant::now);
        });
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        let hand = self.hand.as_ref();
        hand.is_none_or(|hand| hand.lock().running.is_some())
    }

    /// Moves the hand on, whether it runs or not.
    pub fn advance(&self, by: Duration) {
        self.turn(|shown| shown.mono = shown.mono.saturating_add(by));
    }

    fn turn(&self, turn: impl FnOnce(&mut Shown)) {
        if let Some(hand) = &self.hand {
            turn(&mut hand.lock());
            hand.moved.send_replace(());
        }
    }
}

impl Hand {
    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the machine's wall shows.
pub fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// The system's random bytes, drawn in blocks: a step must not cost a system call.
#[derive(Debug)]
pub struct Chance {
    block: Vec<u8>,
    at: usize,
}

const BLOCK: usize = 4096;

impl Chance {
    /// An empty block; the first roll fills it.
    pub fn new() -> Chance {
        Chance {
            block: vec![0; BLOCK],
            at: BLOCK,
        }
    }

    /// Sixteen fresh bytes, each used once.
    pub fn roll(&mut self) -> Dice {
        if self.at + 16 > BLOCK {
            let mut filled = 0;
            while let Some(rest) = self.block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                match rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty()) {
                    Ok(n) => filled += n,
                    Err(rustix::io::Errno::INTR) => {}
                    Err(error) => panic!("the system gives no random bytes: {error}"),
                }
            }
            self.at = 0;
        }
        let mut dice = [0; 16];
        if let Some(bytes) = self.block.get_mut(self.at..self.at + 16) {
            dice.copy_from_slice(bytes);
            bytes.fill(0);
        }
        self.at += 16;
        Dice(dice)
    }
}

impl Default for Chance {
    fn default() -> Chance {
        Chance::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn at(clock: &Clock, nanos: u64) -> bool {
        clock.now().mono == Mono(nanos)
    }

    #[tokio::test]
    async fn a_clock_that_stands_passes_no_deadline_until_it_is_moved() {
        let clock = Clock::with_hand(Duration::from_millis(5), false);
        assert!(at(&clock, 0) && !clock.is_running());
        let deadline = clock.now().after(Duration::from_secs(3600));
        let waits = clock.clone();
        let waits = tokio::spawn(async move { waits.until(deadline).await });
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(!waits.is_finished());
        clock.advance(Duration::from_secs(3599));
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(!waits.is_finished());
        clock.advance(Duration::from_secs(1));
        waits.await.unwrap();
        assert!(at(&clock, 3_600_000_000_000));
        assert_eq!(clock.now().wall, Wall(3_600_005), "the wall goes with it");
    }

    #[tokio::test]
    async fn a_clock_that_is_let_go_runs_on_from_where_it_stood() {
        let clock = Clock::with_hand(Duration::ZERO, true);
        clock.set_running(false);
        let stood = clock.now();
        clock.advance(Duration::from_secs(1));
        let deadline = stood.after(Duration::from_secs(1) + Duration::from_millis(1));
        clock.set_running(true);
        clock.until(deadline).await;
        assert!(deadline.passed(clock.now()));
    }

    #[test]
    fn no_roll_repeats_another() {
        let mut chance = Chance::new();
        let rolls: BTreeSet<[u8; 16]> = (0..1000).map(|_| chance.roll().0).collect();
        assert_eq!(rolls.len(), 1000);
    }
}
