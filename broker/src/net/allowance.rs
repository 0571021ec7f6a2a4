//! Memory that clients make the broker hold, against a bound that all connections of all shards share. Decides whether more
//! may be taken now; who waits, and who is cut off for it, is each connection's own (`net/connection`). Holds #131.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One bound, shared by clones.
#[derive(Clone, Debug)]
pub struct Allowance(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    used: AtomicUsize,
    wanted: AtomicUsize,
    limit: usize,
}

/// Bytes taken; given back when dropped.
#[derive(Debug)]
pub struct Held {
    memory: Allowance,
    bytes: usize,
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
    /// How many.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes more, up to `bytes` in all, if that fits. What is larger than the bound itself is taken when nobody else
    /// holds anything, so that no bound makes a frame impossible which `socket.request.max.bytes` allows.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let Inner { used, limit, .. } = &*self.memory.0;
        let fits = |used: usize| {
            let others = used.saturating_sub(self.bytes);
            let after = others.checked_add(bytes)?;
            (others == 0 || after <= *limit).then_some(after)
        };
        let taken = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        if taken.is_ok() {
            self.bytes = bytes;
        }
        taken.is_ok()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
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
