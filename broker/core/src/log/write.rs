//! From the queue to a commit, from a completion to the marks. Decides what one commit takes, where it lies, and that
//! acknowledgements leave in commit order; never what an entry means (`fold`) nor where files come from (`ring`).
//! Holds #10, #11, #12, #96, #101.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::file::{FileOp, How, Outcome, Piece, RingKind, Stamp};
use crate::ids::{LogId, Offset, Ticket};
use crate::log::commit::{self, Phase, STARTS_PER_COMMIT, Written};
use crate::log::conf::BLOCK;
use crate::log::engine::{Engine, Why};
use crate::log::queue::Class;
use crate::log::retain::retired;
use crate::log::ring::{InFlight, Lies};
use crate::log::state::{BatchKind, Entry, Fact, NodeFact, RingPoint};
use crate::log::told::{Ops, Told};
use crate::now::Now;
use crate::proof;
use crate::timers::AlarmKey;

impl Engine {
    /// Groups what is queued into commits, as long as fewer than two of a ring are in flight.
    pub fn flush(&mut self, now: Now, ops: &mut Ops) {
        if !self.running() {
            return;
        }
        for log in core::mem::take(&mut self.damaged) {
            if let Some(why) = self.offline(log) {
                let told = Told::Offline(log, why.into());
                ops.tell(told);
            }
        }
        self.place(ops);
        self.go_on(now, ops);
        for kind in [RingKind::Durable, RingKind::Fast] {
            while self.write(now, kind, ops) {}
            self.prepare_file(kind, ops);
        }
        // A ring that was found full just now is relieved from behind; no other event may be coming.
        self.spill_if_due(ops);
        self.hold(ops);
    }

    /// Writes one commit of what is queued. False if nothing is queued, or nothing can be written now.
    fn write(&mut self, now: Now, kind: RingKind, ops: &mut Ops) -> bool {
        let Some(lane) = self.lanes.get_mut(kind) else {
            return false;
        };
        if lane.queue.is_empty() || lane.ring.inflight.len() >= self.conf.inflight_max {
            return false;
        }
        let Some((class, first)) = lane.queue.front(self.conf.moved_passed_max) else {
            return false;
        };
        let empty = lane.ring.chain.head_len(&[]);
        let cost = |len: usize| commit::ENTRY_MAX + len;
        let padded = |total: usize| commit::padded(kind, u32::try_from(total).unwrap_or(u32::MAX));
        let need = padded(empty + cost(first.bytes.len()));
        let Some(room) = lane.ring.room(need, class == Class::Urgent, &self.sizes) else {
            lane.ring.stalled = true;
            return false;
        };
        lane.ring.stalled = false;
        // Where this is the last file, what `room` granted an urgent commit includes the reserve: others may not fill it.
        let reserve = if class == Class::Urgent && !proof::mutant("users-ride-into-the-reserve") {
            lane.ring.reserve(&self.sizes)
        } else {
            0
        };
        let commit_max = self.conf.commit_max as usize;

        let mut entries: Vec<Entry> = Vec::new();
        let mut payload = Vec::new();
        let (mut total, mut bytes, mut moved) = (empty, 0, false);
        let mut starts = 0;
        while let Some((class, item)) = lane.queue.front(self.conf.moved_passed_max) {
            let room = if class == Class::Urgent {
                room
            } else {
                room.saturating_sub(reserve)
            };
            let more = total + cost(item.bytes.len());
            if !entries.is_empty() && (bytes + item.bytes.len() > commit_max || padded(more) > room)
            {
                break;
            }
            if let Entry::Fact(_, _, Fact::Start(_)) = item.entry {
                starts += 1;
                if starts > STARTS_PER_COMMIT {
                    break;
                }
            }
            let Some((class, item)) = lane.queue.pop(self.conf.moved_passed_max) else {
                break;
            };
            moved |= class == Class::Moved;
            total = more;
            bytes += item.bytes.len();
            if let Entry::Batch(batch) = &item.entry
                && batch.home.is_none()
            {
                payload.push(Piece::Batch(
                    item.bytes,
                    Stamp {
                        base: batch.batch.base,
                        epoch: batch.batch.epoch,
                    },
                ));
            }
            entries.push(item.entry);
        }
        lane.queue.taken(moved);
        self.put(now, kind, entries, payload, bytes as u64, ops);
        true
    }

    /// Gives one commit to the ring. Room was made.
    pub(crate) fn put(
        &mut self,
        now: Now,
        kind: RingKind,
        mut entries: Vec<Entry>,
        payload: Vec<Piece>,
        bytes: u64,
        ops: &mut Ops,
    ) {
        let boot = self.boot;
        let Some(lane) = self.lanes.get_mut(kind) else {
            return;
        };
        let head_len = lane.ring.chain.head_len(&entries);
        let Some(file) = lane.ring.files.back_mut() else {
            return;
        };
        let (sequence, start) = (file.sequence, file.used);
        let mut at = start + u32::try_from(head_len).unwrap_or(u32::MAX);
        for entry in &mut entries {
            if let Entry::Batch(entry) = entry {
                entry.batch.spot.kind = kind;
                entry.batch.spot.file = sequence;
                if entry.home.is_some() {
                    entry.batch.spot.at = u32::MAX;
                } else {
                    entry.batch.spot.at = at;
                    at += entry.batch.len;
                    file.lay(Lies {
                        log: entry.log,
                        base: entry.batch.base,
                        at: entry.batch.spot.at,
                        len: entry.batch.len,
                    });
                }
                if let Some(live) = self.live.get_mut(&entry.log)
                    && entry.kind != BatchKind::Moved
                    && entry.generation == live.generation
                {
                    if live.placed.capacity() == 0 {
                        live.placed.reserve_exact(1);
                    }
                    live.placed.push_back(entry.batch);
                }
            }
        }
        let early = proof::mutant("unlink-before-start-is-durable");
        let sealed = lane.ring.chain.seal(
            Written {
                file: sequence,
                boot,
                mark: lane.ring.mark,
                phase: Phase::Live,
            },
            &entries,
        );
        let total = commit::padded(kind, sealed.total);
        assert!(
            u64::from(start) + u64::from(total) <= u64::from(file.len),
            "#96: a commit lies in one file"
        );
        file.used = start + total;
        let mut pieces = Vec::with_capacity(payload.len() + 2);
        pieces.push(Piece::Bytes(sealed.head));
        pieces.extend(payload);
        let padding = total - sealed.total;
        if padding > 0 {
            pieces.push(Piece::Zeros(padding as usize));
        }
        let how = match kind {
            RingKind::Durable => How::Durable,
            RingKind::Fast => How::Cached,
        };
        lane.ring.told_mark = lane.ring.mark;
        lane.ring.last = sealed.sequence;
        let file = lane.ring.name(sequence);
        let ticket = ops.ask(FileOp::Put {
            file,
            at: u64::from(start),
            pieces,
            how,
        });
        let point = RingPoint {
            commit: sealed.sequence,
            hash: sealed.hash,
            file: sequence,
            at: start + total,
        };
        let bytes = bytes.max(u64::from(total));
        lane.ring.inflight.push_back(InFlight {
            ticket,
            point,
            entries,
            bytes,
            done: false,
        });
        self.waiting.insert(ticket, Why::Commit(kind));
        if early {
            let entries = self.lanes.in_flight(kind);
            let mut fold = self.fold.clone();
            fold.apply(&entries);
            for (dir, base) in retired(self.may_retire(&entries), &fold) {
                self.unlink_segment(&dir, base, ops);
            }
        }
        self.last_commit = now.mono;
    }

    /// A commit came back.
    pub(crate) fn commit_done(
        &mut self,
        now: Now,
        kind: RingKind,
        ticket: Ticket,
        outcome: Outcome,
        ops: &mut Ops,
    ) {
        if let Outcome::Failed(fault) = outcome {
            // A write that failed may or may not lie there, and a second one that succeeds proves nothing (#101).
            if !proof::mutant("retry-after-eio") {
                self.broken("the commit log could not be written", fault.text, ops);
                return;
            }
        }
        let Some(lane) = self.lanes.get_mut(kind) else {
            return;
        };
        match lane
            .ring
            .inflight
            .iter_mut()
            .find(|commit| commit.ticket == ticket)
        {
            Some(commit) => commit.done = true,
            None => return,
        }
        if lane
            .ring
            .inflight
            .front()
            .is_some_and(|commit| !commit.done)
        {
            proof::sometimes("second-commit-done-first");
        }
        loop {
            let Some(lane) = self.lanes.get_mut(kind) else {
                return;
            };
            if !lane.ring.inflight.front().is_some_and(|commit| commit.done) {
                break;
            }
            let Some(commit) = lane.ring.inflight.pop_front() else {
                break;
            };
            match kind {
                RingKind::Durable => self.landed(kind, &commit, ops),
                RingKind::Fast => {
                    self.written(&commit, ops);
                    let Some(lane) = self.lanes.get_mut(kind) else {
                        return;
                    };
                    lane.unsynced_bytes += commit.bytes;
                    lane.ring.unsynced.push_back(commit);
                    self.flush_wanted(now, ops);
                }
            }
        }
        self.rest(now, ops);
    }

    /// A commit survives the death of the process.
    fn written(&mut self, commit: &InFlight, ops: &mut Ops) {
        for entry in &commit.entries {
            let Entry::Batch(entry) = entry else { continue };
            let Some(live) = self.live.get_mut(&entry.log) else {
                continue;
            };
            if entry.kind != BatchKind::Moved && entry.generation == live.generation {
                live.marks.written = live.marks.written.max(entry.batch.next());
            }
        }
        self.tell_once(commit, ops, |log, marks| Told::Written(log, marks.written));
    }

    /// A commit survives a power cut: it is folded, marks move, waiters may be released.
    fn landed(&mut self, kind: RingKind, commit: &InFlight, ops: &mut Ops) {
        let Some(lane) = self.lanes.get_mut(kind) else {
            return;
        };
        assert!(
            commit.point.commit > lane.ring.mark,
            "#96: commits are acknowledged in order"
        );
        lane.ring.mark = commit.point.commit;
        let before = self.may_retire(&commit.entries);
        for entry in &commit.entries {
            if let Entry::Fact(log, _, Fact::Start(_) | Fact::Cut(..)) = entry {
                self.void_course(*log);
            }
        }
        self.fold.apply(&commit.entries);
        self.fold.set_point(kind, commit.point);
        self.spill.relief = 0;
        self.since_spill += commit.bytes;
        self.since_checkpoint += commit.bytes;
        for entry in &commit.entries {
            match entry {
                Entry::Batch(entry) if entry.kind == BatchKind::Moved => {}
                Entry::Batch(entry) => {
                    let Some(live) = self.live.get_mut(&entry.log) else {
                        continue;
                    };
                    if live
                        .placed
                        .front()
                        .is_some_and(|batch| batch.base == entry.batch.base)
                    {
                        live.placed.pop_front();
                    }
                    // A completion counts for the generation that asked for it, for no later one (#10).
                    if entry.generation != live.generation
                        && !proof::mutant("stale-fsync-completion")
                    {
                        proof::sometimes("completion-of-an-older-generation");
                        continue;
                    }
                    live.led(entry.batch.epoch);
                    if entry.home.is_some() {
                        proof::sometimes("direct-batch-landed");
                        live.forget_rolls(entry.batch.next());
                        self.windows.grown(entry.log);
                    }
                    live.pending = live.pending.saturating_sub(1);
                    live.marks.written = live.marks.written.max(entry.batch.next());
                    live.marks.durable = live.marks.durable.max(entry.batch.next());
                    if let Some(producer) = entry.producer
                        && let Some(ahead) = live.ahead.get_mut(&producer.id)
                    {
                        ahead.batches -= 1;
                        if ahead.batches == 0 {
                            live.ahead.remove(&producer.id);
                        }
                    }
                }
                Entry::Fact(log, _, fact) => self.fact_landed(*log, *fact, ops),
                Entry::Node(NodeFact::Stopped(_)) => self.stop_landed(ops),
                Entry::Node(_) => {}
            }
        }
        for (dir, base) in retired(before, &self.fold) {
            proof::sometimes("start-fact-durable-and-unlink-not");
            self.unlink_segment(&dir, base, ops);
        }
        if kind == RingKind::Durable {
            self.tell_once(commit, ops, |log, marks| Told::Written(log, marks.written));
        }
        self.tell_once(commit, ops, |log, marks| Told::Durable(log, marks.durable));
    }

    fn fact_landed(&mut self, log: LogId, fact: Fact, ops: &mut Ops) {
        match fact {
            Fact::Start(start) => {
                if let Some(live) = self.live.get_mut(&log) {
                    live.marks.start = live.marks.start.max(start);
                    live.marks.stable = live.marks.stable.max(start);
                    live.marks.hw = live.marks.hw.max(start);
                    ops.tell(Told::Started(log, live.marks.start));
                }
            }
            Fact::Dropped => self.dropped(log, ops),
            Fact::Cut(end, generation) => {
                let reached = self
                    .fold
                    .logs
                    .get(&log)
                    .map_or(Offset::ZERO, |state| state.next);
                if let Some(live) = self
                    .live
                    .get_mut(&log)
                    .filter(|live| live.generation == generation)
                {
                    // What was on its way below the cut has landed before it.
                    let reached = reached.min(end);
                    live.marks.written = live.marks.written.max(reached);
                    live.marks.durable = live.marks.durable.max(reached);
                    ops.tell(Told::Written(log, live.marks.written));
                    ops.tell(Told::Durable(log, live.marks.durable));
                }
            }
            Fact::Epoch(epoch, _) => {
                if let Some(live) = self.live.get_mut(&log) {
                    live.led(epoch);
                }
            }
            Fact::Expired(..) => {}
        }
    }

    /// Says one thing about every log that a commit touched, once.
    fn tell_once(
        &mut self,
        commit: &InFlight,
        ops: &mut Ops,
        say: fn(LogId, &crate::marks::Marks) -> Told,
    ) {
        self.telling += 1;
        for entry in &commit.entries {
            let Entry::Batch(entry) = entry else { continue };
            let Some(live) = self.live.get_mut(&entry.log) else {
                continue;
            };
            if live.told != self.telling && entry.kind != BatchKind::Moved {
                live.told = self.telling;
                ops.tell(say(entry.log, &live.marks));
            }
        }
    }

    /// Wishes the fast ring synced at its bound, or syncs it.
    fn flush_wanted(&mut self, now: Now, ops: &mut Ops) {
        let Some(lane) = self.lanes.get_mut(RingKind::Fast) else {
            return;
        };
        if lane.unsynced_bytes >= self.conf.flush_bytes {
            self.sync_fast(ops);
        } else if !lane.flush_due {
            lane.flush_due = true;
            ops.wake(AlarmKey::Flush, now.after(self.conf.flush_after));
        }
    }

    /// Syncs the files that hold written commits of the fast ring. What is written later begins on a fresh block, so
    /// that no synced block is written again (#96).
    pub(crate) fn sync_fast(&mut self, ops: &mut Ops) {
        let Some(lane) = self.lanes.get_mut(RingKind::Fast) else {
            return;
        };
        lane.flush_due = false;
        if !lane.syncing.is_empty() || lane.ring.unsynced.is_empty() {
            return;
        }
        let mut files: Vec<u64> = lane
            .ring
            .unsynced
            .iter()
            .map(|commit| commit.point.file)
            .collect();
        files.dedup();
        if let Some(file) = lane.ring.files.back_mut() {
            file.used = file.used.next_multiple_of(BLOCK).min(file.len);
        }
        lane.syncing_until = lane
            .ring
            .unsynced
            .back()
            .map_or(0, |commit| commit.point.commit);
        lane.unsynced_bytes = 0;
        for sequence in files {
            let ticket = ops.ask(FileOp::Sync(lane.ring.name(sequence)));
            lane.syncing.insert(ticket);
            self.waiting.insert(ticket, Why::SyncFast);
        }
    }

    /// One file of the fast ring is synced.
    pub(crate) fn fast_synced(
        &mut self,
        now: Now,
        ticket: Ticket,
        outcome: Outcome,
        ops: &mut Ops,
    ) {
        if let Outcome::Failed(fault) = outcome
            && !proof::mutant("retry-after-eio")
        {
            self.broken("the fast commit log could not be synced", fault.text, ops);
            return;
        }
        let Some(lane) = self.lanes.get_mut(RingKind::Fast) else {
            return;
        };
        lane.syncing.remove(&ticket);
        if !lane.syncing.is_empty() {
            return;
        }
        loop {
            let Some(lane) = self.lanes.get_mut(RingKind::Fast) else {
                return;
            };
            let until = lane.syncing_until;
            if lane
                .ring
                .unsynced
                .front()
                .is_none_or(|commit| commit.point.commit > until)
            {
                break;
            }
            let Some(commit) = lane.ring.unsynced.pop_front() else {
                break;
            };
            self.landed(RingKind::Fast, &commit, ops);
        }
        let Some(lane) = self.lanes.get_mut(RingKind::Fast) else {
            return;
        };
        if !lane.ring.unsynced.is_empty() {
            self.flush_wanted(now, ops);
        }
        self.rest(now, ops);
    }

    /// While the directory rests its last mark is written once, so that the last commit does not stay in doubt.
    fn rest(&mut self, now: Now, ops: &mut Ops) {
        if !self.mark_due && self.lanes.iter().any(|lane| lane.resting()) {
            self.mark_due = true;
            ops.wake(AlarmKey::Mark, now.after(self.conf.rest_after));
        }
    }

    /// The alarm for the last mark.
    pub(crate) fn write_mark(&mut self, now: Now, ops: &mut Ops) {
        self.mark_due = false;
        if now.since(self.last_commit) < self.conf.rest_after {
            self.rest(now, ops);
            return;
        }
        for kind in [RingKind::Durable, RingKind::Fast] {
            let Some(lane) = self.lanes.get_mut(kind) else {
                continue;
            };
            if !lane.resting() {
                continue;
            }
            let need = commit::padded(
                kind,
                u32::try_from(lane.ring.chain.head_len(&[])).unwrap_or(u32::MAX),
            );
            if lane.ring.room(need, true, &self.sizes).is_some() {
                lane.bare = Some(lane.ring.last + 1);
                self.put(now, kind, Vec::new(), Vec::new(), 0, ops);
            }
        }
    }

    /// Nothing may go on with this directory.
    pub(crate) fn broken(&mut self, what: &str, why: String, ops: &mut Ops) {
        self.finish(crate::log::told::Broken {
            what: what.into(),
            why: format!("the disk said: {why}"),
            attempt: "Nothing more is acknowledged. Look at the disk and its file system, then start again; what was \
                      acknowledged is recovered then"
                .into(),
        }, ops);
    }
}
