//! How long to wait before the next attempt: twice as long each time up to a bound, with a fifth of jitter, so that a
//! thousand clients of a broker that comes back do not come back at once (KIP-580). Decides waits; never how many attempts.

use core::time::Duration;

/// The waits of one thing that is tried again and again.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    failed: u32,
}

impl Backoff {
    /// `reconnect.backoff.ms` and `reconnect.backoff.max.ms`, or the two of `retry.backoff`.
    pub const fn new(first: Duration, most: Duration) -> Backoff {
        Backoff {
            first,
            most,
            failed: 0,
        }
    }

    /// The attempt failed: how long to wait now. `roll` is any number, evenly drawn.
    pub fn failed(&mut self, roll: u64) -> Duration {
        let doubled = self
            .first
            .saturating_mul(2_u32.saturating_pow(self.failed.min(31)));
        self.failed = self.failed.saturating_add(1);
        // 0.8 to 1.2 of it, and never above the bound.
        let percent = 80 + u32::try_from(roll % 41).unwrap_or(0);
        (doubled.min(self.most) * percent / 100).min(self.most)
    }

    /// The attempt succeeded: the next wait is the first again.
    pub fn succeeded(&mut self) {
        self.failed = 0;
    }
}

impl Default for Backoff {
    /// Kafka's for connections: 50 ms up to a second.
    fn default() -> Backoff {
        Backoff::new(Duration::from_millis(50), Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_begin_anew_after_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..6).map(|_| backoff.failed(20).as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1000]);
        backoff.succeeded();
        assert_eq!(backoff.failed(20).as_millis(), 50);
    }

    #[test]
    fn chance_moves_a_wait_by_a_fifth_and_never_over_the_bound() {
        for roll in 0..100 {
            let mut backoff = Backoff::default();
            let first = backoff.failed(roll).as_millis();
            assert!((40..=60).contains(&first), "{first} ms");
            for _ in 0..100 {
                assert!(backoff.failed(roll) <= Duration::from_secs(1));
            }
        }
    }
}
