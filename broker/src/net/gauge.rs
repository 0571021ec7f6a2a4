//! What the readers of a node make it hold together: records that are read for them, or that they have not taken.
//! Decides how much more of it there may be, never whose. Holds #131 for answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of one kind that are in use, of all threads, and how many there may be.
#[derive(Debug)]
pub struct Gauge {
    used: AtomicUsize,
    /// Of these, what was answered and is not taken: it goes when its connection does.
    untaken: AtomicUsize,
    limit: usize,
}

impl Gauge {
    /// Nothing is in use.
    pub fn new(limit: usize) -> Arc<Gauge> {
        Arc::new(Gauge {
            used: AtomicUsize::new(0),
            untaken: AtomicUsize::new(0),
            limit,
        })
    }

    /// What is in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether little is left: less than a quarter.
    pub fn is_short(&self) -> bool {
        self.used() >= self.limit - self.limit / 4
    }

    /// Whether answers that nobody takes fill all of it: nothing that must be answered is read until some are gone. What
    /// is kept for readers that wait does not count: it makes the next answers small, and never stops a producer.
    pub fn is_full(&self) -> bool {
        self.untaken.load(Ordering::Relaxed) >= self.limit
    }

    /// Whether it is nearly so: more than three quarters.
    pub fn is_nearly_full(&self) -> bool {
        self.untaken.load(Ordering::Relaxed) >= self.limit - self.limit / 4
    }

    /// What one taker may have now: a quarter of what is left, so that there is something for the next ones too.
    pub fn share(&self) -> usize {
        self.limit.saturating_sub(self.used()) / 4
    }
}

/// What one holder has in use; given back when it is dropped.
#[derive(Debug)]
pub struct Holding {
    gauge: Arc<Gauge>,
    bytes: usize,
    untaken: usize,
}

impl Holding {
    /// So many bytes are in use from now on.
    pub fn new(gauge: &Arc<Gauge>, bytes: usize) -> Holding {
        gauge.used.fetch_add(bytes, Ordering::Relaxed);
        Holding {
            gauge: gauge.clone(),
            bytes,
            untaken: 0,
        }
    }

    /// It is so many now: answered and not taken, and kept for answers.
    pub fn set(&mut self, untaken: usize, kept: usize) {
        change(&self.gauge.used, &mut self.bytes, untaken + kept);
        change(&self.gauge.untaken, &mut self.untaken, untaken);
    }
}

fn change(sum: &AtomicUsize, own: &mut usize, new: usize) {
    if new > *own {
        sum.fetch_add(new - *own, Ordering::Relaxed);
    } else if new < *own {
        sum.fetch_sub(*own - new, Ordering::Relaxed);
    }
    *own = new;
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.set(0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_once_and_comes_back() {
        let gauge = Gauge::new(100);
        let mut one = Holding::new(&gauge, 30);
        let two = Holding::new(&gauge, 40);
        assert_eq!((gauge.used(), gauge.is_short()), (70, false));
        one.set(0, 35);
        assert_eq!((gauge.used(), gauge.is_short()), (75, true));
        one.set(99, 1);
        assert!(
            gauge.is_nearly_full() && !gauge.is_full(),
            "what is kept closes no door"
        );
        one.set(100, 0);
        assert!(gauge.is_full());
        drop(two);
        one.set(10, 0);
        assert!(!gauge.is_nearly_full());
        assert_eq!((gauge.used(), gauge.is_short()), (10, false));
        drop(one);
        assert_eq!(gauge.used(), 0);
    }

    #[test]
    fn shares_of_any_number_of_takers_stay_below_the_limit() {
        let gauge = Gauge::new(1 << 20);
        let takers: Vec<Holding> = (0..1000)
            .map(|_| Holding::new(&gauge, gauge.share()))
            .collect();
        assert!(gauge.used() < 1 << 20);
        assert!(takers.iter().take(8).all(|taker| taker.bytes > 1 << 14));
    }
}
