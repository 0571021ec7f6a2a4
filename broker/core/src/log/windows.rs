//! Parts of sidecars in memory: loaded when first used, dropped by age, never more than their bound (#132).
//! Decides which part a look-up by offset or by time needs next; every entry proved itself when it was read (#6).

use alloc::vec::Vec;

use crate::ids::{LogId, Offset};
use crate::log::sidecar::{self, SideEntry};
use crate::log::state::SegmentState;
use crate::map::{Map, Set};

/// Entries of one window.
pub(crate) const WINDOW: u32 = 256;

/// One part of one sidecar.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct WindowKey {
    pub(crate) log: LogId,
    pub(crate) base: Offset,
    pub(crate) index: u32,
}

#[derive(Debug)]
struct Window {
    entries: Vec<SideEntry>,
    used: u64,
}

/// See the file's head.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    loaded: Map<WindowKey, Window>,
    pub(crate) loading: Set<WindowKey>,
    clock: u64,
    /// Logs whose plan waits for a window.
    pub(crate) lookers: Set<LogId>,
}

/// What a look-up came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lookup {
    /// The entry at this index of this window.
    At(u32, usize),
    /// This window must be loaded first.
    Need(u32),
    /// No entry is what was asked for.
    Nowhere,
}

impl Windows {
    /// The first entry of a segment whose batch ends behind `offset`.
    pub(crate) fn by_offset(
        &mut self,
        log: LogId,
        segment: &SegmentState,
        offset: Offset,
    ) -> Lookup {
        let span = (segment.next.0 - segment.base.0).max(1);
        let guess = (offset.0 - segment.base.0).clamp(0, span - 1);
        let guess = i128::from(guess) * i128::from(segment.batches) / i128::from(span);
        let guess = u32::try_from(guess).unwrap_or(0) / WINDOW;
        self.bisect(
            log,
            segment,
            Some(guess),
            |entry| entry.next() > offset,
            |entry| entry.base <= offset,
        )
    }

    /// The first entry of a segment with a timestamp at or after `time`.
    pub(crate) fn by_time(&mut self, log: LogId, segment: &SegmentState, time: i64) -> Lookup {
        self.bisect(
            log,
            segment,
            None,
            |entry| entry.running_max >= time,
            |entry| entry.base == segment.base,
        )
    }

    /// The first entry for which `reached` holds; once it holds it holds to the end. `surely` says of an entry that
    /// none before it can be the one.
    fn bisect(
        &mut self,
        log: LogId,
        segment: &SegmentState,
        mut guess: Option<u32>,
        reached: impl Fn(&SideEntry) -> bool,
        surely: impl Fn(&SideEntry) -> bool,
    ) -> Lookup {
        let count = segment.batches.div_ceil(WINDOW);
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = guess
                .take()
                .filter(|guess| (low..high).contains(guess))
                .unwrap_or(low + (high - low) / 2);
            self.clock += 1;
            let key = WindowKey {
                log,
                base: segment.base,
                index: middle,
            };
            let Some(window) = self.loaded.get_mut(&key) else {
                return Lookup::Need(middle);
            };
            window.used = self.clock;
            let (Some(first), Some(last)) = (window.entries.first(), window.entries.last()) else {
                return Lookup::Nowhere;
            };
            if !reached(last) {
                low = middle + 1;
                guess = Some(low);
            } else if !reached(first) || surely(first) {
                return Lookup::At(
                    middle,
                    window.entries.partition_point(|entry| !reached(entry)),
                );
            } else {
                high = middle;
            }
        }
        if low == count {
            return Lookup::Nowhere;
        }
        // All before it end too early, and its first entry does not.
        let key = WindowKey {
            log,
            base: segment.base,
            index: low,
        };
        if self.loaded.contains_key(&key) {
            Lookup::At(low, 0)
        } else {
            Lookup::Need(low)
        }
    }

    /// The entries of a window from one of them on.
    pub(crate) fn entries(
        &self,
        log: LogId,
        base: Offset,
        index: u32,
        from: usize,
    ) -> &[SideEntry] {
        let key = WindowKey { log, base, index };
        self.loaded
            .get(&key)
            .and_then(|window| window.entries.get(from..))
            .unwrap_or_default()
    }

    /// Keeps a window; the least used ones go when there are too many.
    pub(crate) fn keep(&mut self, key: WindowKey, entries: Vec<SideEntry>, bytes_max: usize) {
        self.clock += 1;
        self.loaded.insert(
            key,
            Window {
                entries,
                used: self.clock,
            },
        );
        let most = (bytes_max / (WINDOW as usize * sidecar::ENTRY)).max(4);
        while self.loaded.len() > most {
            let Some(oldest) = self
                .loaded
                .iter()
                .min_by_key(|(_, window)| window.used)
                .map(|(key, _)| *key)
            else {
                return;
            };
            self.loaded.remove(&oldest);
        }
    }

    /// A spill added entries: windows that were not full are no longer true.
    pub(crate) fn grown(&mut self, log: LogId) {
        self.loaded
            .retain(|key, window| key.log != log || window.entries.len() == WINDOW as usize);
    }

    /// What was loaded of this segment's index is not believed any more.
    pub(crate) fn forget_segment(&mut self, log: LogId, base: Offset) {
        self.loaded
            .retain(|key, _| (key.log, key.base) != (log, base));
    }

    /// A log is gone.
    pub(crate) fn forget(&mut self, log: LogId) {
        self.loaded.retain(|key, _| key.log != log);
        self.lookers.remove(&log);
    }
}
