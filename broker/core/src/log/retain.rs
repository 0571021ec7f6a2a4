//! What is removed by age and size, and when its bytes may go. Decides which whole closed segments retire; the start
//! fact is durable before a file is unlinked, and no reader pins it then. Holds #74, #89, #111.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::file::{FileName, FileOp};
use crate::ids::{LogId, Offset, ProducerId};
use crate::log::engine::{Engine, Why};
use crate::log::state::{Entry, Fact, Fold, SegmentState};
use crate::log::told::Ops;
use crate::map::Set;
use crate::now::Now;
use crate::proof;
use crate::timers::AlarmKey;

/// A checkpoint is told the time once in so many milliseconds at least.
const TOLD_EVERY: i64 = 24 * 3_600_000;

/// A logical segment: what lies in one file, or will.
#[derive(Clone, Copy, Debug)]
struct Logical {
    next: Offset,
    bytes: u64,
    max_timestamp: i64,
}

/// Those of the segments that this fold has no more, for they lie wholly below their log's start.
pub(crate) fn retired(
    before: Vec<(LogId, Vec<SegmentState>)>,
    fold: &Fold,
) -> Vec<(Arc<str>, Offset)> {
    let mut all = Vec::new();
    for (log, segments) in before {
        let Some(state) = fold.logs.get(&log) else {
            continue;
        };
        let Some(dir) = &state.dir else { continue };
        let gone = segments.iter().filter(|before| {
            let stays = state.segments.iter().any(|after| after.base == before.base);
            !stays && before.next <= state.start
        });
        all.extend(gone.map(|segment| (dir.clone(), segment.base)));
    }
    all
}

impl Engine {
    /// Looks through all logs for segments that are to go, and sets the next look.
    pub(crate) fn retain(&mut self, now: Now, ops: &mut Ops) {
        ops.wake(AlarmKey::Retention, now.after(self.conf.retention_every));
        let logs: Vec<LogId> = self.live.keys().copied().collect();
        for log in logs {
            if let Some(start) = self.retires(log, now) {
                // A refusal means that the log is going away, or is damaged: then nothing is removed.
                if self.trim(log, start).is_ok() {
                    proof::sometimes("retention-took-a-segment");
                }
            }
            self.free_kept(log);
        }
        // An idle directory is told the time as well, so that the next start does not take rest for a jump.
        let told = self.keeper.stamp.wall.0;
        if self.drops.steady.known(now).0 > told.saturating_add(TOLD_EVERY) {
            self.keeper.wanted = self.keeper.wanted.max(1);
        }
    }

    /// The start that a log is to have, if that is further on than now.
    fn retires(&mut self, log: LogId, now: Now) -> Option<Offset> {
        let live = self.live.get_mut(&log)?;
        let config = live.spec.as_ref()?.config.clone();
        if config.retention_time.is_none() && config.retention_bytes.is_none() || live.urgent() {
            return None;
        }
        let keeps = config.retention_time.unwrap_or_default();
        let wall = self.drops.steady.wall(now, keeps);
        let age = |timestamp: i64| u128::try_from(wall.0.saturating_sub(timestamp)).unwrap_or(0);
        // An open segment that nobody writes to any more is closed by its age, so that it can retire too.
        if live.open.bytes > 0
            && live.open.first_timestamp >= 0
            && age(live.open.first_timestamp) > config.segment_time.as_millis()
        {
            live.rolls.push_back(live.marks.next);
            live.open = crate::log::live::OpenSegment {
                base: live.marks.next,
                bytes: 0,
                first_timestamp: -1,
            };
        }
        let closed = self.closed(log);
        let live = self.live.get(&log)?;
        let (hw, start) = (live.marks.hw, live.marks.start);
        let mut bytes = closed.iter().map(|segment| segment.bytes).sum::<u64>() + live.open.bytes;
        let mut upto = None;
        for segment in closed {
            let old = config.retention_time.is_some_and(|time| {
                segment.max_timestamp >= 0 && age(segment.max_timestamp) > time.as_millis()
            });
            let large = config
                .retention_bytes
                .is_some_and(|most| bytes - segment.bytes >= most);
            if segment.next > hw || !(old || large) {
                break;
            }
            bytes -= segment.bytes;
            upto = Some(segment.next);
        }
        upto.filter(|upto| *upto > start)
    }

    /// The closed logical segments of a log, oldest first: files that are not the open one, then what lies in the ring.
    fn closed(&self, log: LogId) -> Vec<Logical> {
        let mut all: Vec<(Offset, Logical)> = Vec::new();
        let Some(live) = self.live.get(&log) else {
            return Vec::new();
        };
        let state = self.fold.logs.get(&log);
        for segment in state.into_iter().flat_map(|state| state.segments.iter()) {
            let logical = Logical {
                next: segment.next,
                bytes: segment.bytes,
                max_timestamp: segment.max_timestamp,
            };
            all.push((segment.base, logical));
        }
        let ring = state
            .into_iter()
            .flat_map(|state| state.ring.iter())
            .chain(&live.placed);
        for batch in ring {
            // Without a roll it belongs to what is before it; without anything before it, it is the first.
            let base = match (live.rolled(batch.base), all.last()) {
                (Some(rolled), Some((last, _))) => rolled.max(*last),
                (Some(rolled), None) => rolled,
                (None, Some((last, _))) => *last,
                (None, None) => batch.base,
            };
            if all.last().is_none_or(|(last, _)| *last != base) {
                let logical = Logical {
                    next: batch.next(),
                    bytes: 0,
                    max_timestamp: -1,
                };
                all.push((base, logical));
            }
            if let Some((_, logical)) = all.last_mut() {
                logical.next = batch.next();
                logical.bytes += u64::from(batch.len);
                logical.max_timestamp = logical.max_timestamp.max(batch.max_timestamp);
            }
        }
        all.into_iter()
            .filter(|(base, logical)| *base != live.open.base && logical.next <= live.open.base)
            .map(|(_, logical)| logical)
            .collect()
    }

    /// The segments of the logs that these entries may take some from, once folded: a start does, and so does a batch
    /// that begins a segment, where the one before was kept for it alone.
    pub(crate) fn may_retire(&self, entries: &[Entry]) -> Vec<(LogId, Vec<SegmentState>)> {
        let logs: Set<LogId> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Fact(log, _, Fact::Start(_)) => Some(*log),
                Entry::Batch(batch) if batch.home.is_some_and(|home| home.at == 0) => {
                    Some(batch.log)
                }
                _ => None,
            })
            .collect();
        let state = |log: LogId| Some((log, self.fold.logs.get(&log)?.segments.clone()));
        logs.into_iter().filter_map(state).collect()
    }

    /// The fact that the log starts beyond this segment is durable: its files go, once nobody reads them (#89).
    pub(crate) fn unlink_segment(&mut self, dir: &Arc<str>, base: Offset, ops: &mut Ops) {
        let file = FileName::Segment {
            dir: dir.clone(),
            base,
        };
        if self.reads.pins.contains_key(&file) {
            proof::sometimes("segment-pinned-by-a-reader");
            self.drops.pinned.insert(file);
            return;
        }
        for file in [
            file,
            FileName::Sidecar {
                dir: dir.clone(),
                base,
            },
        ] {
            let ticket = ops.ask(FileOp::Unlink(file));
            self.waiting.insert(ticket, Why::Tidy);
        }
    }

    /// Nobody reads this file any more.
    pub(crate) fn unpinned(&mut self, file: &FileName, ops: &mut Ops) {
        if self.drops.pinned.remove(file)
            && let FileName::Segment { dir, base } = file
        {
            self.unlink_segment(&dir.clone(), *base, ops);
        }
    }

    /// Forgets producers that were silent for longer than the limit, by the steady clock and since this process began at
    /// most: timestamps are the client's, who may fill in records of last month (#74, #110).
    pub(crate) fn expire_producers(&mut self, now: Now, ops: &mut Ops) {
        ops.wake(AlarmKey::Producers, now.after(self.conf.retention_every));
        let mut silent: Vec<(LogId, ProducerId)> = Vec::new();
        for (log, state) in &self.fold.logs {
            let Some(live) = self.live.get(log) else {
                continue;
            };
            for (id, producer) in &state.producers.by_id {
                let heard = live.heard.get(id).copied().unwrap_or(self.began);
                let idle = if proof::mutant("idle-by-timestamps") {
                    let idle = now.wall.0.saturating_sub(producer.last_timestamp);
                    Duration::from_millis(u64::try_from(idle).unwrap_or(0))
                } else {
                    now.since(heard)
                };
                if idle > self.conf.producer_idle && !live.ahead.contains_key(id) {
                    silent.push((*log, *id));
                }
            }
        }
        for (log, id) in silent {
            self.expire(log, id);
        }
    }
}
