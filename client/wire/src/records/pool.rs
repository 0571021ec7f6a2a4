//! A budget of bytes that several threads share: memory is taken before it is allocated and comes
//! back when the grant is dropped (#131). Decides only whether there is room; allocates nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A fixed sum of bytes for one purpose, for instance decompression.
#[derive(Debug)]
pub struct Pool {
    size: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
}

impl Pool {
    /// A pool of `size` bytes.
    pub const fn new(size: usize) -> Pool {
        Pool {
            size,
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        }
    }

    /// Takes `bytes`, or nothing if there is not as much left.
    pub fn take(&self, bytes: usize) -> Option<Grant<'_>> {
        let mut grant = Grant {
            pool: self,
            bytes: 0,
        };
        grant.grow(bytes).then_some(grant)
    }

    /// As [`Pool::take`], for as long as what was taken is held, wherever that goes.
    pub fn hold(self: &Arc<Pool>, bytes: usize) -> Option<Hold> {
        if !self.add(bytes) {
            return None;
        }
        let pool = self.clone();
        Some(Hold { pool, bytes })
    }

    /// Bytes that the pool has.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Bytes taken now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The most bytes ever taken at once.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) -> bool {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.size);
        // Only a counter: it orders no other memory.
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        if let Ok(before) = taken {
            self.peak
                .fetch_max(before.saturating_add(bytes), Ordering::Relaxed);
        }
        taken.is_ok()
    }
}

/// Bytes taken from a [`Pool`] until this is dropped.
#[derive(Debug)]
pub struct Grant<'a> {
    pool: &'a Pool,
    bytes: usize,
}

impl Grant<'_> {
    /// Takes `more` bytes; false, and nothing taken, if there are not as many.
    pub fn grow(&mut self, more: usize) -> bool {
        let fits = self.pool.add(more);
        if fits {
            self.bytes += more;
        }
        fits
    }

    /// Sees to it that at least `bytes` are taken.
    pub fn reach(&mut self, bytes: usize) -> bool {
        self.grow(bytes.saturating_sub(self.bytes))
    }

    /// Bytes taken.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Grant<'_> {
    fn drop(&mut self) {
        self.pool.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Bytes taken from a [`Pool`] that outlive the call that took them.
#[derive(Debug)]
pub struct Hold {
    pool: Arc<Pool>,
    bytes: usize,
}

impl Hold {
    /// Gives back all but so many bytes.
    pub fn shrink(&mut self, bytes: usize) {
        let rest = self.bytes.saturating_sub(bytes);
        self.pool.used.fetch_sub(rest, Ordering::Relaxed);
        self.bytes -= rest;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.pool.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_never_gives_more_than_it_has_and_gets_all_of_it_back() {
        let pool = Pool::new(100);
        let mut first = pool.take(60).expect("room");
        assert!(pool.take(41).is_none());
        assert!(!first.grow(41));
        assert!(first.reach(100));
        assert!(pool.take(1).is_none());
        assert!(pool.take(usize::MAX).is_none());
        drop(first);
        assert_eq!((pool.used(), pool.peak()), (0, 100));
    }

    #[test]
    fn what_is_held_comes_back_piece_by_piece_and_then_whole() {
        let pool = Arc::new(Pool::new(100));
        let mut held = pool.hold(90).expect("room");
        assert!(pool.hold(11).is_none());
        assert_eq!(pool.used(), 90, "nothing comes back that was not taken");
        held.shrink(40);
        assert_eq!(pool.used(), 40);
        held.shrink(50);
        assert_eq!(pool.used(), 40, "it never grows");
        drop(held);
        assert_eq!((pool.used(), pool.peak()), (0, 90));
    }
}
