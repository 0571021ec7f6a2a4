//! What a client has done so far, for whoever watches it: connections, requests and answers of each kind, and how long they
//! took, as histograms. Decides what is counted and how finely; who shows it, and where, is the program's affair.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sawlog_wire::messages::ApiKey;

/// A power of two is cut into so many buckets: a time is told to an eighth.
const PARTS: u64 = 8;
/// Up to 2^40 microseconds, twelve days.
const BUCKETS: usize = 40 * PARTS as usize;

/// How long things took, told to an eighth of each.
#[derive(Clone, PartialEq, Eq)]
pub struct Latency {
    buckets: Vec<u64>,
    count: u64,
    sum: Duration,
    max: Duration,
}

impl Default for Latency {
    fn default() -> Latency {
        Latency {
            buckets: vec![0; BUCKETS],
            count: 0,
            sum: Duration::ZERO,
            max: Duration::ZERO,
        }
    }
}

impl fmt::Debug for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latency")
            .field("count", &self.count)
            .field("p50", &self.quantile(0.5))
            .field("p99", &self.quantile(0.99))
            .field("max", &self.max)
            .finish()
    }
}

/// The bucket of a time, and the longest time that falls into one.
fn bucket(micros: u64) -> usize {
    let power = u64::from(micros.max(1).ilog2());
    let index = if power < 3 {
        micros
    } else {
        (power - 2) * PARTS + (micros >> (power - 3)) - PARTS
    };
    usize::try_from(index)
        .unwrap_or(usize::MAX)
        .min(BUCKETS - 1)
}

fn longest(bucket: usize) -> Duration {
    let bucket = bucket as u64;
    let micros = if bucket < PARTS {
        bucket
    } else {
        let (power, part) = (bucket / PARTS + 2, bucket % PARTS);
        (1 << power) + (part + 1) * (1 << (power - 3)) - 1
    };
    Duration::from_micros(micros)
}

impl Latency {
    pub(crate) fn note(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.buckets.get_mut(bucket(micros)) {
            *count += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(time);
        self.max = self.max.max(time);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count
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
        let wanted = (self.count as f64 * part.clamp(0.0, 1.0)).ceil().max(1.0) as u64;
        let mut below = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            below += count;
            if below >= wanted {
                return longest(index).min(self.max);
            }
        }
        self.max
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
    fn a_bucket_holds_what_its_longest_time_says_to_an_eighth() {
        for micros in (0..5_000).chain([1 << 20, (1 << 30) + 12_345, (1 << 39) + 1]) {
            let longest = longest(bucket(micros)).as_micros() as u64;
            assert!(longest >= micros, "{micros}: {longest}");
            assert!(longest - micros <= micros / 8, "{micros}: {longest}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
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
            assert!(told >= exact && told <= exact + exact / 8, "{part}: {told}");
        }
    }
}
