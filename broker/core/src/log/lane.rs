//! The two commit logs of a shard with what waits for each: the durable one always, the fast one from the first
//! `replicated` topic on. Decides nothing; `write` and `ring` do.

use alloc::vec::Vec;

use crate::file::RingKind;
use crate::ids::Ticket;
use crate::log::queue::Queue;
use crate::log::ring::Ring;
use crate::log::state::Entry;
use crate::map::Set;

/// A ring and its queue.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) ring: Ring,
    pub(crate) queue: Queue,
    /// Bytes written since the last sync was asked for (fast ring).
    pub(crate) unsynced_bytes: u64,
    pub(crate) flush_due: bool,
    /// Syncs under way, and up to which commit they reach.
    pub(crate) syncing: Set<Ticket>,
    pub(crate) syncing_until: u64,
    /// The last commit that carried nothing but the mark.
    pub(crate) bare: Option<u64>,
}

impl Lane {
    pub(crate) fn new(ring: Ring) -> Lane {
        Lane {
            ring,
            queue: Queue::default(),
            unsynced_bytes: 0,
            flush_due: false,
            syncing: Set::new(),
            syncing_until: 0,
            bare: None,
        }
    }

    /// Whether all is written and synced, and no header says so of the last commit.
    pub(crate) fn resting(&self) -> bool {
        self.queue.is_empty()
            && self.ring.inflight.is_empty()
            && self.ring.unsynced.is_empty()
            && self.ring.told_mark < self.ring.last
            && self.ring.mark == self.ring.last
            && self.bare != Some(self.ring.last)
    }
}

/// See the file's head.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    pub(crate) durable: Option<Lane>,
    pub(crate) fast: Option<Lane>,
    /// A topic wants the fast ring; it is made aside.
    pub(crate) fast_wanted: bool,
    pub(crate) fast_making: Option<Ring>,
}

impl Lanes {
    pub(crate) fn get_mut(&mut self, kind: RingKind) -> Option<&mut Lane> {
        match kind {
            RingKind::Durable => self.durable.as_mut(),
            RingKind::Fast => self.fast.as_mut(),
        }
    }

    pub(crate) fn get(&self, kind: RingKind) -> Option<&Lane> {
        match kind {
            RingKind::Durable => self.durable.as_ref(),
            RingKind::Fast => self.fast.as_ref(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Lane> {
        self.durable.iter().chain(self.fast.iter())
    }

    /// The entries of the last commit in flight.
    pub(crate) fn in_flight(&self, kind: RingKind) -> Vec<Entry> {
        let last = self.get(kind).and_then(|lane| lane.ring.inflight.back());
        last.map(|commit| commit.entries.clone())
            .unwrap_or_default()
    }

    /// Whether nothing is queued or on its way.
    pub(crate) fn idle(&self) -> bool {
        self.iter().all(|lane| {
            lane.queue.is_empty() && lane.ring.inflight.is_empty() && lane.ring.unsynced.is_empty()
        })
    }
}
