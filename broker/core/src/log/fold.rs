//! Decides what a log is, from the entries of its commits: the one fold behind checkpoints and recovery. Never looks at
//! live state, which knows of batches that a crash may yet take back. Holds #1, #4, #5, #69 and #71 for what is durable.
//!
//! Facts always ride in the durable ring, batches of `replicated` logs in the fast one. So the order of entries is that
//! of offsets, not of rings: live, a commit is folded once it is durable ([`Fold::apply`]); a replay of both rings is
//! sorted first ([`Fold::replay`]), and both end in the same state.

use alloc::vec::Vec;

use crate::ids::{Generation, LogId, Offset};
use crate::log::checksum;
use crate::log::sidecar::{self, SideEntry};
use crate::log::state::{
    BatchEntry, BatchKind, Entry, Fact, Fold, Home, LogState, NodeFact, SegmentState,
};
use crate::map::Map;
use crate::proof;

impl Fold {
    /// Folds one commit that has become durable. The caller moves the ring's point on.
    pub fn apply(&mut self, entries: &[Entry]) {
        for entry in entries {
            match entry {
                Entry::Batch(batch) => self.batch(batch),
                Entry::Fact(log, generation, fact) => self.fact(*log, *generation, *fact),
                Entry::Node(NodeFact::Lost(seed, end)) => self.lose(*seed, *end),
                Entry::Node(_) => {}
            }
        }
    }

    /// Folds the commits of both rings behind the points, in any order of rings: the entries of each log are put in
    /// the order of its offsets. Then ends every log where its batches end. A log with a gap keeps what lies behind it
    /// in [`LogState::beyond`].
    pub fn replay(&mut self, entries: &[Entry]) {
        let mut logs: Map<LogId, Vec<&Entry>> = Map::new();
        for entry in entries {
            match entry {
                Entry::Batch(batch) => logs.entry(batch.log).or_default().push(entry),
                Entry::Fact(log, ..) => logs.entry(*log).or_default().push(entry),
                Entry::Node(_) => self.apply(core::slice::from_ref(entry)),
            }
        }
        for of_log in logs.values_mut() {
            // Stable: entries that stand at one place keep the order of their commits.
            of_log.sort_by_key(|entry| turn(entry));
            of_log
                .iter()
                .for_each(|entry| self.apply(core::slice::from_ref(*entry)));
        }
        for state in self.logs.values_mut() {
            state.settle();
        }
    }

    /// Rot took the end of a log of which nothing but its seed may be known, until [`Fold::claim_lost`] (#99).
    pub fn lose(&mut self, seed: u32, end: Offset) {
        let known = self.lost.entry(seed).or_default();
        *known = end.max(*known);
    }

    /// The metadata names this log: if rot took an end of it that nothing else told of, it is torn from now on (#99).
    pub fn claim_lost(&mut self, log: LogId) -> Option<Offset> {
        let end = self.lost.remove(&checksum::seed(log))?;
        let state = self.logs.entry(log).or_default();
        if end <= state.next.max(state.start) {
            return None;
        }
        state.reached = state.reached.max(end);
        Some(end)
    }

    fn batch(&mut self, entry: &BatchEntry) {
        if self.dropped.contains_key(&entry.log) {
            return;
        }
        if entry.kind == BatchKind::Moved {
            if let Some(state) = self.logs.get_mut(&entry.log) {
                state.moved(entry);
            }
            return;
        }
        self.logs.entry(entry.log).or_default().append(entry);
    }

    fn fact(&mut self, log: LogId, generation: Generation, fact: Fact) {
        if let Fact::Dropped = fact {
            let state = self.logs.remove(&log);
            self.dropped
                .entry(log)
                .or_insert(state.and_then(|state| state.dir));
            return;
        }
        if self.dropped.contains_key(&log) {
            return;
        }
        let state = self.logs.entry(log).or_default();
        match fact {
            Fact::Start(start) => state.trim(start),
            Fact::Cut(end, next) => state.cut(end, next),
            Fact::Expired(producer, at) => state.producers.expire(producer, at),
            Fact::Epoch(epoch, at) if generation == state.generation => state.note(epoch, at),
            Fact::Epoch(..) | Fact::Dropped => {}
        }
    }
}

/// When an entry of a log has its turn: by generation and offset; at one offset first what is said of all below it.
fn turn(entry: &Entry) -> (u8, Generation, Offset, u8) {
    match entry {
        // Where the log starts decides what a gap is; that it is gone decides everything.
        Entry::Fact(_, generation, Fact::Start(_)) => (0, *generation, Offset::ZERO, 0),
        Entry::Fact(_, generation, Fact::Epoch(_, at) | Fact::Expired(_, at)) => {
            (1, *generation, *at, 0)
        }
        Entry::Fact(_, _, Fact::Cut(_, generation)) => (1, *generation, Offset::ZERO, 0),
        Entry::Batch(batch) if batch.kind != BatchKind::Moved => {
            (1, batch.generation, batch.batch.base, 1)
        }
        Entry::Batch(batch) => (1, batch.generation, batch.batch.base, 2),
        Entry::Fact(_, generation, Fact::Dropped) => (2, *generation, Offset::ZERO, 0),
        Entry::Node(_) => (3, Generation(0), Offset::ZERO, 0),
    }
}

impl LogState {
    /// A batch that is `New`, or written `Again`.
    fn append(&mut self, entry: &BatchEntry) {
        let batch = entry.batch;
        let known = batch.base < self.next && !proof::mutant("again-folded-twice");
        if entry.generation < self.generation || known {
            // Cut away since, or here already: once per (log, generation, base).
            return;
        }
        // What is missing below the start was not to be kept (#5).
        let here = entry
            .home
            .is_none_or(|home| self.goes_on_at(home, batch.base));
        let gap = batch.base > self.next.max(self.start) || !here && batch.next() > self.start;
        if gap || entry.generation > self.generation || !self.beyond.is_empty() {
            self.keep_beyond(entry);
            return;
        }
        self.next = batch.next();
        self.note(batch.epoch, batch.base);
        if let Some(producer) = entry.producer.filter(|_| !entry.is_control()) {
            self.producers.apply(&producer, &batch);
        }
        match entry.home {
            Some(home) if here => self.grow(entry, home),
            None if self.next > self.start => {
                if self.ring.capacity() == 0 {
                    self.ring.reserve_exact(1);
                }
                self.ring.push_back(batch);
            }
            Some(_) | None => {}
        }
    }

    /// Whether a batch that went straight to its segment lies where that ends, or begins the next one. Everything below
    /// it was in segments by then, and both checkpoints knew.
    fn goes_on_at(&self, home: Home, base: Offset) -> bool {
        let last = self.segments.last().filter(|last| last.base == home.base);
        let here = match last {
            Some(last) => last.bytes == home.at,
            None => home.at == 0 && home.base == base,
        };
        here && self.direct && self.ring.is_empty()
    }

    /// The batch lies in its segment already: it is spilled from its first moment.
    fn grow(&mut self, entry: &BatchEntry, home: Home) {
        if self
            .segments
            .last()
            .is_none_or(|last| last.base != home.base)
        {
            let first = entry.batch.max_timestamp;
            self.segments
                .push(SegmentState::begin(entry.log, home.base, first));
        }
        if let Some(last) = self.segments.last_mut() {
            let side = SideEntry::placed(entry, home.at, last.max_timestamp);
            last.add(&side, &mut Vec::with_capacity(sidecar::ENTRY));
        }
        self.spilled = self.next;
        if home.at == 0 {
            // The one before was kept for this batch, which began the next.
            self.retire(self.start);
        }
    }

    /// Behind a gap: kept and named, in offset order, never served.
    fn keep_beyond(&mut self, entry: &BatchEntry) {
        let at = self
            .beyond
            .partition_point(|kept| kept.batch.base < entry.batch.base);
        if self
            .beyond
            .get(at)
            .is_none_or(|kept| kept.batch.base != entry.batch.base)
        {
            self.beyond.insert(at, *entry);
        }
    }

    /// The bytes of a batch lie elsewhere now. A copy of what is no longer in the ring, or was cut, says nothing.
    fn moved(&mut self, entry: &BatchEntry) {
        if entry.generation != self.generation {
            return;
        }
        let at = self
            .ring
            .partition_point(|batch| batch.base < entry.batch.base);
        if let Some(batch) = self
            .ring
            .get_mut(at)
            .filter(|batch| batch.same_bytes(&entry.batch))
        {
            proof::sometimes("moved-folded");
            batch.spot = entry.batch.spot;
            if entry.batch.next() < self.next {
                proof::sometimes("moved-behind-newer");
            }
        } else if let Some(kept) = self
            .beyond
            .iter_mut()
            .find(|kept| kept.batch.same_bytes(&entry.batch))
        {
            kept.batch.spot = entry.batch.spot;
        }
    }

    fn trim(&mut self, start: Offset) {
        if start < self.start {
            return;
        }
        // The same start is said again where a segment had to stay when it was said first.
        self.start = start;
        self.spilled = self.spilled.max(start.min(self.next));
        while self.ring.front().is_some_and(|batch| batch.next() <= start) {
            self.ring.pop_front();
        }
        self.beyond.retain(|kept| kept.batch.next() > start);
        self.retire(start);
        self.epochs.rebase(start);
    }

    /// Forgets the segments that lie wholly below the start.
    fn retire(&mut self, start: Offset) {
        let kept = self.kept_segment();
        self.segments
            .retain(|segment| segment.next > start || Some(segment.base) == kept);
    }

    /// The segment that stays though all of it may lie below the start: the one that batches go straight to.
    pub(crate) fn kept_segment(&self) -> Option<Offset> {
        let last = self.segments.last().filter(|_| self.direct);
        last.map(|last| last.base)
            .filter(|_| !proof::mutant("direct-segment-retired"))
    }

    fn cut(&mut self, end: Offset, generation: Generation) {
        if generation <= self.generation {
            return;
        }
        self.generation = generation;
        self.next = self.next.min(end);
        self.spilled = self.spilled.min(end);
        while self.ring.back().is_some_and(|batch| batch.base >= end) {
            self.ring.pop_back();
        }
        self.beyond.clear();
        self.segments.retain(|segment| segment.base < end);
        self.epochs.cut(end);
        for producer in self.producers.by_id.values_mut() {
            producer.window.retain(|sent| sent.base < end);
        }
    }

    fn note(&mut self, epoch: crate::ids::LeaderEpoch, at: Offset) {
        if self
            .epochs
            .last()
            .is_none_or(|(last, began)| last < epoch || at < began)
        {
            self.epochs.note(epoch, at);
            self.epochs.rebase(self.start);
        }
    }

    /// After a replay: the log ends where its batches end, or where it starts if that lies further on (#5).
    fn settle(&mut self) {
        if self.next < self.start && self.beyond.is_empty() {
            proof::sometimes("start-beyond-recovered-end");
            if !proof::mutant("end-below-start") {
                self.next = self.start;
            }
        }
        self.spilled = self.spilled.max(self.start.min(self.next));
        // All batches are known by now: what lies wholly below the start may have been removed, the last one too.
        let kept = self
            .kept_segment()
            .filter(|_| proof::mutant("settle-keeps-what-went"));
        let start = self.start;
        self.segments
            .retain(|segment| segment.next > start || Some(segment.base) == kept);
        self.epochs.clamp(self.next);
    }
}

#[cfg(test)]
pub(crate) mod stories;
