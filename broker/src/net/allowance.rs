//! Memory that clients make the broker hold, against a bound that all connections of all shards share. Decides whether more
//! may be taken now; who waits, and who is cut off for it, is each connection's own (`net/connection`). Holds #131.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// One bound, shared by clones.
#[derive(Clone, Debug)]
pub struct Allowance(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    used: AtomicUsize,
    wanted: AtomicUsize,
    limit: usize,
    /// Somebody has more than fits.
    overdrawn: AtomicBool,
}

/// Bytes taken; given back when dropped.
#[derive(Debug)]
pub struct Held {
    memory: Allowance,
    bytes: usize,
    /// It is the one that may have more than fits.
    over: bool,
}

/// Somebody who waits for bytes, until dropped.
#[derive(Debug)]
pub struct Wanted(Allowance);

impl Allowance {
    /// A bound of so many bytes.
    pub fn new(limit: usize) -> Allowance {
        Allowance(Arc::new(Inner {
            used: AtomicUsize::new(0),
            wanted: AtomicUsize::new(0),
            limit,
            overdrawn: AtomicBool::new(false),
        }))
    }

    /// The bound.
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// What is held now.
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Takes bytes, if they fit.
    pub fn take(&self, bytes: usize) -> Option<Held> {
        let mut held = Held {
            memory: self.clone(),
            bytes: 0,
            over: false,
        };
        held.grow(bytes).then_some(held)
    }

    /// Says that somebody waits.
    pub fn want(&self) -> Wanted {
        self.0.wanted.fetch_add(1, Ordering::Relaxed);
        Wanted(self.clone())
    }

    /// Whether somebody waits.
    pub fn is_wanted(&self) -> bool {
        self.0.wanted.load(Ordering::Relaxed) > 0
    }
}

impl Held {
    /// Takes more, up to `bytes` in all, if that fits. What is larger than the bound itself is taken when nobody else
    /// holds anything, so that no bound makes a frame impossible which `socket.request.max.bytes` allows.
    ///
    /// One at a time of those that hold something already takes it though it does not fit: were all of the bound halves of
    /// frames, each would wait for the others for ever. So the bound is passed by one frame at most.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let limit = self.memory.limit();
        let fits = |used: usize| {
            let others = used.saturating_sub(self.bytes);
            let after = others.checked_add(bytes)?;
            (others == 0 || after <= limit).then_some(after)
        };
        let used = &self.memory.0.used;
        let taken = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        if taken.is_err() {
            if !self.may_overdraw() {
                return false;
            }
            let more = bytes.saturating_sub(self.bytes);
            self.memory.0.used.fetch_add(more, Ordering::Relaxed);
        }
        self.bytes = bytes;
        true
    }

    fn may_overdraw(&mut self) -> bool {
        self.over |= self.bytes > 0 && !self.memory.0.overdrawn.swap(true, Ordering::Relaxed);
        self.over
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
        if self.over {
            self.memory.0.overdrawn.store(false, Ordering::Relaxed);
        }
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.0.wanted.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_the_bound_and_all_of_it_comes_back_131() {
        let memory = Allowance::new(100);
        let (one, two) = (memory.take(60), memory.take(40));
        assert!(one.is_some() && two.is_some());
        assert!(memory.take(1).is_none());
        drop(one);
        assert_eq!(memory.used(), 40);
        assert!(memory.take(61).is_none());
        assert!(memory.take(usize::MAX).is_none());
        drop(two);
        let mut whole = memory.take(90).unwrap();
        assert!(whole.grow(1_000), "a frame larger than the bound, alone");
        assert!(memory.take(1).is_none());
        drop(whole);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn one_at_a_time_of_those_that_hold_a_part_gets_the_rest_133() {
        let memory = Allowance::new(100);
        let mut halves: Vec<Held> = (0..10).filter_map(|_| memory.take(10)).collect();
        assert_eq!(memory.used(), 100);
        assert!(memory.take(1).is_none(), "who holds nothing waits");
        let (mut one, mut other) = (halves.pop().unwrap(), halves.pop().unwrap());
        assert!(one.grow(15) && one.grow(20));
        assert!(!other.grow(20), "one at a time");
        assert_eq!(memory.used(), 110);
        drop(one);
        halves.push(other);
        while let Some(mut next) = halves.pop() {
            assert!(next.grow(20), "all get through in the end");
            assert!(memory.used() <= 110);
        }
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn who_waits_is_counted_until_he_does_not() {
        let memory = Allowance::new(1);
        assert!(!memory.is_wanted());
        let (one, two) = (memory.want(), memory.want());
        drop(one);
        assert!(memory.is_wanted());
        drop(two);
        assert!(!memory.is_wanted());
    }
}
