//! Memory of the Fetches that are open on a node: what is put together for each partition that they name, and its watches.
//! Decides whether one may wait for more, or is answered with what there is, and for how long its connection rests then.
//! Holds #131 and #132 for Fetches.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use crate::proof;

/// Bytes that the Fetches of a node that wait hold at most; some 100,000 partitions.
pub(super) const WAIT_MAX: usize = if cfg!(test) { 64 << 10 } else { 64 << 20 };

/// One that holds no more may always wait, and is not counted: how many there are of these is bounded by how many
/// connections there are. It names some ten partitions.
pub(super) const LITTLE: usize = 8 << 10;

/// A client that could not wait here waits so long at home, at most (KIP-219). The time for which clients wait by default.
pub(super) const REST_MAX: Duration = Duration::from_millis(500);

/// The open Fetches of a node, of all its threads.
#[derive(Debug, Default)]
pub struct FetchWaits {
    used: AtomicUsize,
}

/// One open Fetch; what it holds is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    waits: Arc<FetchWaits>,
    bytes: usize,
}

impl FetchWaits {
    /// Bytes that open Fetches hold.
    pub fn used(&self) -> usize {
        // Only a counter: it orders no other memory.
        self.used.load(Ordering::Relaxed)
    }

    /// Whether so many are being answered at once that no more requests are to be read before some are. What waits is
    /// never more than half of this.
    pub fn is_full(&self) -> bool {
        self.used() > 2 * WAIT_MAX
    }

    /// Whether none may begin to wait.
    pub(super) fn is_crowded(&self) -> bool {
        self.used() > WAIT_MAX && !proof::mutant("fetches-wait-without-bound")
    }

    /// Counts a Fetch that holds so much.
    pub(super) fn count(self: &Arc<FetchWaits>, bytes: usize) -> Option<Counted> {
        if bytes <= LITTLE {
            return None;
        }
        self.used.fetch_add(bytes, Ordering::Relaxed);
        let waits = self.clone();
        Some(Counted { waits, bytes })
    }
}

impl Counted {
    /// Whether it may wait with all the others: it is counted itself.
    pub(super) fn may_wait(&self) -> bool {
        !self.waits.is_crowded()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.waits.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
