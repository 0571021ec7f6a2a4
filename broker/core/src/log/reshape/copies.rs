//! Batches that lie in old rings only and are copied into new ones. Decides which those are, how they are grouped into
//! commits, and where the fold says that they lie then; never when they are written (`reshape`).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::file::RingKind;
use crate::ids::{LogId, ShardId};
use crate::log::commit::{self, HEADER, echo_room};
use crate::log::state::{BatchEntry, BatchKind, Fold, LogState, Spot};

/// Most bytes of batches in one commit, unless one batch has more.
const GROUP: u64 = 4 << 20;

/// A batch to be copied: from which old shard's ring, for which log, and where its state keeps it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copy {
    pub(super) from: ShardId,
    pub(super) entry: BatchEntry,
    /// Index in `ring`, or in `beyond` of its log.
    slot: Slot,
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    Ring(usize),
    Beyond(usize),
}

/// The batches of a log that lie in rings only; those with a home stay there.
pub(super) fn in_rings(from: ShardId, log: LogId, state: &LogState) -> Vec<Copy> {
    let bare = |batch| BatchEntry {
        kind: BatchKind::Moved,
        log,
        generation: state.generation,
        batch,
        attributes: 0,
        producer: None,
        home: None,
    };
    let ring = state.ring.iter().enumerate();
    let ring = ring.map(|(i, batch)| Copy {
        from,
        entry: bare(*batch),
        slot: Slot::Ring(i),
    });
    let beyond = state.beyond.iter().enumerate();
    let beyond = beyond.filter(|(_, kept)| kept.home.is_none());
    ring.chain(beyond.map(|(i, kept)| Copy {
        from,
        entry: *kept,
        slot: Slot::Beyond(i),
    }))
    .collect()
}

/// Says in the fold of a new shard where a copy lies now.
pub(super) fn place(fold: &mut Fold, copy: &Copy, spot: Spot) {
    let Some(state) = fold.logs.get_mut(&copy.entry.log) else {
        return;
    };
    match copy.slot {
        Slot::Ring(i) => {
            if let Some(batch) = state.ring.get_mut(i) {
                batch.spot = spot;
            }
        }
        Slot::Beyond(i) => {
            if let Some(kept) = state.beyond.get_mut(i) {
                kept.batch.spot = spot;
            }
        }
    }
}

/// What goes into one commit each.
pub(super) fn groups(copies: Vec<Copy>) -> VecDeque<Vec<Copy>> {
    let mut groups: VecDeque<Vec<Copy>> = VecDeque::new();
    let mut bytes = 0;
    for copy in copies {
        let len = u64::from(copy.entry.batch.len);
        if groups.is_empty() || bytes + len > GROUP {
            groups.push_back(Vec::new());
            bytes = 0;
        }
        bytes += len;
        if let Some(group) = groups.back_mut() {
            group.push(copy);
        }
    }
    groups
}

/// How many bytes a commit of this group takes at most.
pub(super) fn room(group: &[Copy]) -> u32 {
    let batches: u64 = group
        .iter()
        .map(|copy| u64::from(copy.entry.batch.len))
        .sum();
    let head = HEADER + echo_room(0) + group.len() * commit::ENTRY_MAX;
    let all = (batches + head as u64).next_multiple_of(u64::from(commit::step(RingKind::Durable)));
    u32::try_from(all).unwrap_or(u32::MAX)
}
