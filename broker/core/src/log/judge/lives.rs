//! Decides which starts behind the checkpoint came to `ready`, and which commits they made void. A start that is not
//! proved never happened, and the one after it began from the same place (#97, #98).

use alloc::vec::Vec;

use crate::file::RingKind;
use crate::log::commit::Phase;
use crate::log::scan::Found;
use crate::log::state::{Entry, NodeFact, RingPoint};
use crate::proof;

/// Numbers of one ring that do not count: `after` < number < `next`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Void {
    pub(super) after: u64,
    pub(super) next: u64,
    /// What the commit numbered `next` names as its predecessor; none if the start is not proved.
    pub(super) hash: u64,
}

impl Void {
    pub(super) fn holds(&self, number: u64) -> bool {
        self.after < number && number < self.next
    }
}

/// Starts that came after the checkpoint, and what they made void.
#[derive(Default)]
pub(super) struct Lives {
    pub(super) durable: Vec<Void>,
    pub(super) fast: Vec<Void>,
    /// The last commit of a start that commits in the fast ring followed: it was durable before they were written.
    pub(super) durable_by_fast: u64,
}

/// A start, as its first commit tells of it.
struct Life {
    first: u64,
    durable: Void,
    fast: Option<Void>,
    proved: bool,
    /// Its last commit, if the fast ring proves that it was durable; else 0.
    ready: u64,
}

impl Lives {
    pub(super) fn of(durable: &[Found], fast: &[Found], from: RingPoint) -> Lives {
        let mut lives = starts(durable, from);
        lives.sort_by_key(|life| life.first);
        prove(&mut lives, durable);
        prove_by_fast(&mut lives, durable, fast);
        let mut voids = Lives::default();
        // From the last proved start backwards: what one made void, the starts in it included, is gone. Starts behind
        // the last proved one never came to `ready`: all their commits are void.
        let mut limit = u64::MAX;
        let mut tail: Option<u64> = None;
        for life in lives.iter().rev() {
            if life.first > limit {
                continue;
            }
            // A proved start that went on from behind this one's first commit had found this one proved, whatever was
            // lost since: its unsynced last commit, say, which the later start wrote again.
            if life.proved || limit != u64::MAX {
                limit = life.durable.after;
                voids.durable_by_fast = voids.durable_by_fast.max(life.ready);
                voids.durable.push(life.durable);
                voids.fast.extend(life.fast);
            } else {
                proof::sometimes("resumed-durable-and-ready-not");
                tail = Some(life.first);
            }
        }
        if let Some(first) = tail {
            voids.durable.push(Void {
                after: first - 1,
                next: u64::MAX,
                hash: 0,
            });
        }
        voids
    }
}

fn starts(found: &[Found], from: RingPoint) -> Vec<Life> {
    let behind = found
        .iter()
        .filter(|found| found.head.header.sequence > from.commit);
    behind
        .filter_map(|found| {
            let void = |wanted: RingKind| {
                found.head.entries.iter().find_map(|entry| match entry {
                    Entry::Node(NodeFact::Resumed { kind, point, next }) if *kind == wanted => {
                        Some(Void {
                            after: point.commit,
                            next: *next,
                            hash: point.hash,
                        })
                    }
                    _ => None,
                })
            };
            let (durable, fast) = (void(RingKind::Durable)?, void(RingKind::Fast));
            Some(Life {
                first: found.head.header.sequence,
                durable,
                fast,
                proved: false,
                ready: 0,
            })
        })
        .collect()
}

/// A start is proved by its own `ready`, or by any commit of a node that was up, before the next start.
fn prove(lives: &mut [Life], found: &[Found]) {
    for i in 0..lives.len() {
        let next = lives.get(i + 1).map_or(u64::MAX, |life| life.first);
        let Some(life) = lives.get_mut(i) else {
            continue;
        };
        let own = found
            .iter()
            .filter(|found| (life.first..next).contains(&found.head.header.sequence));
        life.proved = own
            .clone()
            .any(|found| found.head.header.phase == Phase::Live)
            || own.clone().any(|found| {
                found.head.entries.contains(&Entry::Node(NodeFact::Ready)) && found.bad.is_empty()
            })
            || proof::mutant("unfinished-start-believed");
    }
}

/// Commits in the fast ring prove the start that they follow, as those in the durable one do: without this a start that
/// only `replicated` logs followed would be void, and with it what it says of the fast ring.
fn prove_by_fast(lives: &mut [Life], durable: &[Found], fast: &[Found]) {
    for i in 0..lives.len() {
        let (next, next_fast) = lives.get(i + 1).map_or((u64::MAX, u64::MAX), |life| {
            (life.first, life.fast.map_or(u64::MAX, |void| void.next))
        });
        let Some(life) = lives.get_mut(i) else {
            continue;
        };
        let Some(void) = life.fast else { continue };
        let followed = fast.iter().map(|found| found.head.header.sequence);
        if followed
            .into_iter()
            .any(|number| (void.next..next_fast).contains(&number))
        {
            proof::sometimes("start-proved-by-the-fast-ring");
            life.proved = true;
            let own = durable.iter().map(|found| &found.head.header);
            let own = own.filter(|header| (life.first..next).contains(&header.sequence));
            let starts = own.filter(|header| header.phase == Phase::Start);
            life.ready = starts
                .map(|header| header.sequence)
                .max()
                .unwrap_or(life.first);
        }
    }
}
