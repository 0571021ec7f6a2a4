//! Random histories of a few logs as an engine would write them, and what must hold of every fold of them.
//! Oracle: the fold of the whole history, in order and without a checkpoint. Draws histories for `checkpoint` too.

use proptest::prelude::*;

use super::*;
use crate::file::RingKind;
use crate::ids::{LeaderEpoch, PartitionId, ProducerEpoch, ProducerId, Sequence, TopicId, Uuid};
use crate::log::checkpoint;
use crate::log::commit::RingSecret;
use crate::log::state::{ProducerBatch, RingBatch, Spot};
#[cfg(feature = "mutants")]
use crate::proof;

/// Commits in the order in which they became durable.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) commits: Vec<Vec<Entry>>,
}

#[derive(Clone, Debug)]
enum Act {
    Batch {
        log: u8,
        delta: u32,
        producer: Option<i64>,
    },
    Epoch {
        log: u8,
    },
    Trim {
        log: u8,
        back: i64,
    },
    Expire {
        log: u8,
        producer: i64,
    },
    Move {
        log: u8,
    },
    Drop {
        log: u8,
    },
    Again {
        log: u8,
    },
    Commit,
}

pub(crate) fn log_id(log: u8) -> LogId {
    LogId {
        topic: TopicId(Uuid([log; 16])),
        partition: PartitionId(0),
    }
}

fn arb_act() -> impl Strategy<Value = Act> {
    let log = || 0..3_u8;
    prop_oneof![
        8 => (log(), 0..5_u32, prop::option::of(0..3_i64))
            .prop_map(|(log, delta, producer)| Act::Batch { log, delta, producer }),
        1 => log().prop_map(|log| Act::Epoch { log }),
        1 => (log(), 0..20_i64).prop_map(|(log, back)| Act::Trim { log, back }),
        1 => (log(), 0..3_i64).prop_map(|(log, producer)| Act::Expire { log, producer }),
        1 => log().prop_map(|log| Act::Move { log }),
        1 => log().prop_map(|log| Act::Again { log }),
        3 => Just(Act::Commit),
    ]
}

pub(crate) fn arb_history() -> impl Strategy<Value = History> {
    let dropped = prop_oneof![9 => Just(None), 1 => (0..3_u8).prop_map(Some)];
    (prop::collection::vec(arb_act(), 0..120), dropped).prop_map(|(mut acts, dropped)| {
        if let Some(log) = dropped {
            acts.insert(acts.len() / 2, Act::Drop { log });
        }
        History::of(&acts)
    })
}

#[derive(Default)]
struct Live {
    next: i64,
    start: i64,
    epoch: i32,
    sequences: Map<i64, i32>,
    last: Option<BatchEntry>,
    dropped: bool,
}

impl History {
    /// A log with one producer, an epoch, and a trim.
    pub(crate) fn small() -> History {
        let batch = |producer| Act::Batch {
            log: 1,
            delta: 1,
            producer,
        };
        History::of(&[
            Act::Epoch { log: 1 },
            batch(Some(2)),
            Act::Commit,
            batch(None),
            Act::Trim { log: 1, back: 2 },
        ])
    }

    fn of(acts: &[Act]) -> History {
        let mut live: Map<u8, Live> = Map::new();
        let (mut commits, mut commit) = (Vec::new(), Vec::new());
        let mut at = 0;
        for act in acts {
            at += 1;
            if let Act::Commit = act {
                commits.push(core::mem::take(&mut commit));
                continue;
            }
            let log = match act {
                Act::Batch { log, .. }
                | Act::Epoch { log }
                | Act::Trim { log, .. }
                | Act::Expire { log, .. } => *log,
                Act::Move { log } | Act::Drop { log } | Act::Again { log } => *log,
                Act::Commit => continue,
            };
            let state = live.entry(log).or_default();
            if !state.dropped {
                commit.extend(state.act(act, log_id(log), at));
            }
        }
        commits.push(commit);
        History { commits }
    }

    pub(crate) fn fold(&self) -> Fold {
        let mut fold = Fold::default();
        self.commits.iter().for_each(|commit| fold.apply(commit));
        fold
    }
}

impl Live {
    fn act(&mut self, act: &Act, log: LogId, at: u32) -> Option<Entry> {
        let fact = |fact| Some(Entry::Fact(log, Generation(0), fact));
        match act {
            Act::Batch {
                delta, producer, ..
            } => {
                let producer = producer.map(|id| {
                    let sequence = self.sequences.entry(id).or_default();
                    let base_sequence = Sequence(*sequence);
                    *sequence += *delta as i32 + 1;
                    ProducerBatch {
                        id: ProducerId(id),
                        epoch: ProducerEpoch(0),
                        base_sequence,
                    }
                });
                let batch = RingBatch {
                    base: Offset(self.next),
                    delta: *delta,
                    epoch: LeaderEpoch(self.epoch),
                    len: 61,
                    checksum: at,
                    max_timestamp: i64::from(at),
                    spot: Spot {
                        kind: RingKind::Durable,
                        file: 0,
                        at,
                    },
                };
                self.next = batch.next().0;
                let (kind, generation, attributes) = (BatchKind::New, Generation(0), 0);
                let entry = BatchEntry {
                    kind,
                    log,
                    generation,
                    batch,
                    attributes,
                    home: None,
                    producer,
                };
                self.last = Some(entry);
                Some(Entry::Batch(entry))
            }
            Act::Epoch { .. } => {
                self.epoch += 1;
                fact(Fact::Epoch(LeaderEpoch(self.epoch), Offset(self.next)))
            }
            Act::Trim { back, .. } => {
                self.start = self.start.max(self.next - back);
                fact(Fact::Start(Offset(self.start)))
            }
            Act::Expire { producer, .. } => {
                self.sequences.remove(producer);
                fact(Fact::Expired(ProducerId(*producer), Offset(self.next)))
            }
            Act::Move { .. } | Act::Again { .. } => {
                let kind = if matches!(act, Act::Move { .. }) {
                    BatchKind::Moved
                } else {
                    BatchKind::Again
                };
                let mut entry = self.last?;
                entry.kind = kind;
                entry.batch.spot.at = at;
                // A batch that was trimmed away is not moved, and only what is not there yet is written again.
                (entry.batch.next().0 > self.start).then_some(Entry::Batch(entry))
            }
            Act::Drop { .. } => {
                self.dropped = true;
                fact(Fact::Dropped)
            }
            Act::Commit => None,
        }
    }
}

fn stamp() -> checkpoint::Stamp {
    let shard = crate::ids::ShardId(0);
    checkpoint::Stamp {
        shard,
        shards: 1,
        number: 1,
        secret: RingSecret::default(),
        wall: crate::now::Wall(0),
    }
}

fn replayed_from(checkpoint: &Fold, rest: &[Vec<Entry>]) -> Fold {
    let bytes = checkpoint::base(stamp(), checkpoint).bytes;
    let mut fold = checkpoint::decode(&bytes).expect("just written").fold;
    fold.replay(&rest.concat());
    fold
}

/// Through a checkpoint after `cut` commits, and without one.
fn both_ways(history: &History, cut: usize) -> (Fold, Fold) {
    let cut = cut * history.commits.len() / 100;
    let mut at_cut = Fold::default();
    history.commits[..cut]
        .iter()
        .for_each(|commit| at_cut.apply(commit));
    (
        replayed_from(&at_cut, &history.commits[cut..]),
        history.fold(),
    )
}

proptest! {
    #[test]
    fn a_checkpoint_and_the_rest_fold_to_the_whole(history in arb_history(), cut in 0..=100_usize) {
        let (through, whole) = both_ways(&history, cut);
        prop_assert_eq!(through, whole, "#71");
    }

    #[test]
    fn the_order_of_the_rings_does_not_matter(history in arb_history()) {
        // Facts ride in the durable ring and batches in the fast one: a replay reads all of one, then the other.
        let all = history.commits.concat();
        let (facts, batches): (Vec<Entry>, Vec<Entry>) = all.iter().partition(|entry| matches!(entry, Entry::Fact(..)));
        let mut one = Fold::default();
        one.replay(&[facts.clone(), batches.clone()].concat());
        let mut other = Fold::default();
        other.replay(&[batches, facts].concat());
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(one, history.fold());
    }

    #[test]
    fn folding_twice_is_folding_once(history in arb_history()) {
        let mut twice = history.fold();
        twice.replay(&history.commits.concat());
        let (mut twice, mut once) = (twice, history.fold());
        // Places may differ: a `moved` entry comes again behind a later one.
        for fold in [&mut twice, &mut once] {
            fold.logs.values_mut().flat_map(|state| state.ring.iter_mut()).for_each(|batch| batch.spot.at = 0);
        }
        prop_assert_eq!(twice.logs.keys().collect::<Vec<_>>(), once.logs.keys().collect::<Vec<_>>());
        for (log, state) in &once.logs {
            prop_assert_eq!(&twice.logs[log].ring, &state.ring);
            prop_assert_eq!(twice.logs[log].next, state.next, "#69");
        }
    }
}

#[test]
#[cfg(feature = "mutants")]
fn a_checkpoint_that_misses_the_last_batch_is_caught() {
    proof::choose(Some("snapshot-misses-last-batch"));
    let (through, whole) = both_ways(&History::small(), 100);
    proof::choose(None);
    assert_ne!(through, whole, "M27 must be seen");
}

/// Entries as a start finds them whose `resumed` cannot be read: the original, and the same written again.
fn twice() -> Fold {
    let history = History::of(&[
        Act::Batch {
            log: 1,
            delta: 4,
            producer: Some(1),
        },
        Act::Commit,
        Act::Again { log: 1 },
    ]);
    history.fold()
}

#[test]
fn a_batch_written_again_is_folded_once() {
    assert_eq!(twice().logs[&log_id(1)].ring.len(), 1, "#1");
    assert_eq!(
        twice().logs[&log_id(1)].producers.by_id[&ProducerId(1)]
            .window
            .len(),
        1,
        "#69"
    );
}

#[test]
#[cfg(feature = "mutants")]
fn a_batch_folded_twice_is_caught() {
    proof::choose(Some("again-folded-twice"));
    let len = twice().logs[&log_id(1)].ring.len();
    proof::choose(None);
    assert_eq!(len, 2, "the mutant must be seen: #1");
}

#[test]
#[cfg(feature = "mutants")]
fn an_end_below_the_start_is_caught() {
    let history = History::of(&[
        Act::Batch {
            log: 1,
            delta: 4,
            producer: None,
        },
        Act::Commit,
        Act::Batch {
            log: 1,
            delta: 4,
            producer: None,
        },
        Act::Commit,
        Act::Trim { log: 1, back: 0 },
    ]);
    proof::choose(Some("end-below-start"));
    let mut fold = Fold::default();
    fold.replay(&[history.commits[0].clone(), history.commits[2].clone()].concat());
    proof::choose(None);
    let state = &fold.logs[&log_id(1)];
    assert!(state.next < state.start, "the mutant must be seen: #5");
}

#[test]
fn batches_behind_a_gap_are_kept_and_named_and_never_served() {
    let history = History::of(&[
        Act::Batch {
            log: 1,
            delta: 4,
            producer: None,
        },
        Act::Commit,
        Act::Batch {
            log: 1,
            delta: 4,
            producer: None,
        },
        Act::Commit,
        Act::Batch {
            log: 1,
            delta: 4,
            producer: None,
        },
    ]);
    let mut fold = Fold::default();
    fold.replay(&[history.commits[0].clone(), history.commits[2].clone()].concat());
    let state = &fold.logs[&log_id(1)];
    assert_eq!(state.next, Offset(5));
    assert_eq!(state.beyond.len(), 1);
    let through = replayed_from(&fold, &[]);
    assert_eq!(through, fold, "a checkpoint remembers the gap");
}

#[test]
fn a_start_beyond_the_recovered_end_raises_it() {
    let history = History::of(&[
        Act::Batch {
            log: 1,
            delta: 4,
            producer: None,
        },
        Act::Commit,
        Act::Batch {
            log: 1,
            delta: 4,
            producer: None,
        },
        Act::Commit,
        Act::Trim { log: 1, back: 0 },
        Act::Commit,
        Act::Batch {
            log: 1,
            delta: 4,
            producer: None,
        },
    ]);
    // The power cut took the second commit (of the fast ring), not the fact.
    let mut fold = Fold::default();
    fold.replay(&[history.commits[0].clone(), history.commits[2].clone()].concat());
    assert_eq!(fold.logs[&log_id(1)].next, Offset(10), "#5");
    // What is appended there later has no gap below it, neither live nor in a replay from the beginning.
    fold.apply(&history.commits[3]);
    let mut replayed = Fold::default();
    replayed.replay(
        &[
            history.commits[0].clone(),
            history.commits[2].clone(),
            history.commits[3].clone(),
        ]
        .concat(),
    );
    assert_eq!(fold.logs[&log_id(1)].next, Offset(15));
    assert_eq!(replayed, fold);
}
