//! What a client has done so far, for whoever watches it: connections, requests and answers of each kind, and how long they
//! took, as histograms. Decides what is counted and how finely; who shows it, and where, is the program's affair.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use sawlog_wire::messages::ApiKey;

/// Digits that a time is told to: one percent.
const DIGITS: u8 = 2;

/// What bounds the memory of one histogram: some 36 KiB, of which a client that waits for milliseconds has ten.
const MICROS_MAX: u64 = 1 << 40;

/// How long things took, told to a hundredth of each.
#[derive(Clone, PartialEq)]
pub struct Latency {
    /// It grows with the longest time.
    micros: Histogram<u64>,
    sum: Duration,
    max: Duration,
}

impl Eq for Latency {}

impl Default for Latency {
    #[expect(
        clippy::expect_used,
        reason = "it fails for more digits than five, and these are two"
    )]
    fn default() -> Latency {
        Latency {
            micros: Histogram::new(DIGITS).expect("no more than five digits"),
            sum: Duration::ZERO,
            max: Duration::ZERO,
        }
    }
}

impl fmt::Debug for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latency")
            .field("count", &self.count())
            .field("p50", &self.quantile(0.5))
            .field("p99", &self.quantile(0.99))
            .field("max", &self.max)
            .finish()
    }
}

impl Latency {
    pub(crate) fn note(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        // A longer time than twelve days counts as twelve days; for those there is always room.
        let _ = self.micros.record(micros.min(MICROS_MAX));
        self.sum = self.sum.saturating_add(time);
        self.max = self.max.max(time);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.micros.len()
    }

    /// All of them together.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// The longest.
    pub fn max(&self) -> Duration {
        self.max
    }

    /// A time that this part of them (0.99) did not exceed; zero if there were none.
    pub fn quantile(&self, part: f64) -> Duration {
        let micros = self.micros.value_at_quantile(part.clamp(0.0, 1.0));
        Duration::from_micros(micros).min(self.max)
    }
}

/// What became of the requests of one kind.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Requests {
    /// Those that were answered, an error told in it or not, and how long each took from when it was sent.
    pub answered: Latency,
    /// Those whose connection ended before.
    pub lost: u64,
}

/// What a client has done so far: [`crate::Client::metrics`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// Connections that were opened.
    pub connections: u64,
    /// Bytes of answers.
    pub received_bytes: u64,
    /// Requests by Kafka's name of their kind.
    pub requests: BTreeMap<&'static str, Requests>,
}

/// Where all connections of a client count.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    connections: AtomicU64,
    received: AtomicU64,
    requests: Mutex<BTreeMap<&'static str, Requests>>,
}

impl Counts {
    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn answered(&self, key: ApiKey, time: Duration) {
        self.with(key, |requests| requests.answered.note(time));
    }

    pub(crate) fn lost(&self, key: ApiKey) {
        self.with(key, |requests| requests.lost += 1);
    }

    fn with(&self, key: ApiKey, note: impl FnOnce(&mut Requests)) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        note(requests.entry(key.name()).or_default());
    }

    pub(crate) fn now(&self) -> Metrics {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        Metrics {
            connections: self.connections.load(Ordering::Relaxed),
            received_bytes: self.received.load(Ordering::Relaxed),
            requests: requests.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_to_a_hundredth_and_the_longest_is_exact() {
        for micros in (1..5_000).chain([1 << 20, (1 << 30) + 12_345, (1 << 40) - 1]) {
            let mut latency = Latency::default();
            latency.note(Duration::from_micros(micros));
            latency.note(Duration::from_secs(1 << 30));
            let told = latency.quantile(0.5).as_micros() as u64;
            assert!(told >= micros, "{micros}: {told}");
            assert!(told - micros <= micros / 100, "{micros}: {told}");
            assert_eq!(latency.max(), Duration::from_secs(1 << 30));
        }
        let mut none = Latency::default();
        none.note(Duration::ZERO);
        assert_eq!((none.count(), none.quantile(1.0)), (1, Duration::ZERO));
    }

    #[test]
    fn quantiles_are_those_of_what_was_noted() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile(0.5), Duration::ZERO);
        for millis in 1..=1000 {
            latency.note(Duration::from_millis(millis));
        }
        assert_eq!(
            (latency.count(), latency.max()),
            (1000, Duration::from_secs(1))
        );
        assert_eq!(latency.sum(), Duration::from_millis(500_500));
        for (part, millis) in [(0.0, 1), (0.5, 500), (0.99, 990), (1.0, 1000)] {
            let told = latency.quantile(part).as_micros();
            let exact = u128::from(1000 * millis as u64);
            assert!(
                told >= exact && told <= exact + exact / 100,
                "{part}: {told}"
            );
        }
    }
}
