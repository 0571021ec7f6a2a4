//! Decides which batches of idempotent producers (KIP-98) are next, which are repeats, and which are refused: the next
//! sequence or an exact repeat of one of the last five, nothing else. Holds #69-#72 and #74 for one log.
//!
//! The state is a fold over the batches and the facts `Expired`: live and replay both go through [`Producer::after`],
//! so that a retry after a restart is judged as it would have been before. Never reads a clock: who is silent for too
//! long is the engine's to say, by a fact.

use alloc::collections::VecDeque;

use crate::ids::{Offset, ProducerEpoch, ProducerId, Sequence};
use crate::log::refusal::AppendRefusal;
use crate::log::state::{ProducerBatch, RingBatch};
use crate::map::Map;
use crate::proof;

/// So many batches of one producer may be under way at once, and are known again when they are repeated (#70).
pub const WINDOW: usize = 5;

/// The idempotent producers of one log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Producers {
    /// By id.
    pub by_id: Map<ProducerId, Producer>,
}

/// What is remembered of one producer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Producer {
    /// Its current life.
    pub epoch: ProducerEpoch,
    /// Offset after its last batch: a fact `Expired` names all that was written below an offset.
    pub next: Offset,
    /// Largest timestamp of its last batch, -1 if that has none. For people: who is idle is never judged by it, for a
    /// client writes here what it likes.
    pub last_timestamp: i64,
    /// The last batches of this life, oldest first, at most [`WINDOW`]. Empty after an epoch that wrote nothing here.
    pub window: VecDeque<Sent>,
}

/// A batch as it is known again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sent {
    /// Sequence of its first record.
    pub first: Sequence,
    /// Its last record's sequence and offset, relative to the first's.
    pub delta: u32,
    /// Offset of its first record.
    pub base: Offset,
}

impl Sent {
    /// Sequence of its last record.
    pub fn last(&self) -> Sequence {
        self.first.plus(self.delta)
    }

    /// Offset of its last record.
    pub fn last_offset(&self) -> Offset {
        self.base.plus(i64::from(self.delta))
    }
}

impl Sequence {
    /// The sequence `n` further on; after 2^31 - 1 comes 0.
    #[must_use]
    pub fn plus(self, n: u32) -> Sequence {
        let sum = i64::from(self.0) + i64::from(n);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "31 bits remain, which is what wrapping means here"
        )]
        Sequence((sum & i64::from(i32::MAX)) as i32)
    }
}

impl Producer {
    /// What is to be done with a batch of `delta` + 1 records: `Ok(None)` append it, it is the next;
    /// `Ok(Some((base, last)))` it is here already, at these offsets (#72); else a definite refusal with no effect.
    pub fn judge(
        known: Option<&Producer>,
        batch: &ProducerBatch,
        delta: u32,
    ) -> Result<Option<(Offset, Offset)>, AppendRefusal> {
        let got = batch.base_sequence;
        let Some(known) = known else {
            // Never heard of, or expired: only a beginning may begin. A later sequence could be a repeat of what was
            // forgotten, so the producer is told that it is unknown and starts a new epoch (#74, KIP-360).
            return if got == Sequence(0) || proof::mutant("unknown-is-fresh") {
                Ok(None)
            } else {
                Err(AppendRefusal::UnknownProducer { got })
            };
        };
        if batch.epoch < known.epoch {
            return Err(AppendRefusal::Fenced { epoch: known.epoch });
        }
        if batch.epoch > known.epoch {
            let expected = Sequence(0);
            return if got == expected {
                Ok(None)
            } else {
                Err(AppendRefusal::OutOfOrder { expected, got })
            };
        }
        let looked_at = if proof::mutant("window-of-one") {
            1
        } else {
            WINDOW
        };
        let repeat = known
            .window
            .iter()
            .rev()
            .take(looked_at)
            .find(|sent| sent.first == got && sent.delta == delta);
        if let Some(sent) = repeat {
            proof::sometimes("duplicate-in-window");
            return Ok(Some((sent.base, sent.last_offset())));
        }
        let expected = known
            .window
            .back()
            .map_or(Sequence(0), |sent| sent.last().plus(1));
        if got == expected {
            Ok(None)
        } else {
            Err(AppendRefusal::OutOfOrder { expected, got })
        }
    }

    /// The producer after this batch was appended: the only writer of producer state, live and in replay.
    #[must_use]
    pub fn after(known: Option<Producer>, batch: &ProducerBatch, stored: &RingBatch) -> Producer {
        let mut window = match known {
            Some(known) if known.epoch == batch.epoch => known.window,
            _ => VecDeque::new(),
        };
        while window.len() >= WINDOW {
            window.pop_front();
        }
        window.push_back(Sent {
            first: batch.base_sequence,
            delta: stored.delta,
            base: stored.base,
        });
        let last_timestamp = stored.max_timestamp;
        Producer {
            epoch: batch.epoch,
            next: stored.next(),
            last_timestamp,
            window,
        }
    }
}

impl Producers {
    /// See [`Producer::judge`].
    pub fn judge(
        &self,
        batch: &ProducerBatch,
        delta: u32,
    ) -> Result<Option<(Offset, Offset)>, AppendRefusal> {
        Producer::judge(self.by_id.get(&batch.id), batch, delta)
    }

    /// See [`Producer::after`].
    pub fn apply(&mut self, batch: &ProducerBatch, stored: &RingBatch) {
        let known = self.by_id.remove(&batch.id);
        self.by_id
            .insert(batch.id, Producer::after(known, batch, stored));
    }

    /// Forgets a producer that wrote nothing at or behind `at`: it was silent for too long (#74).
    pub fn expire(&mut self, id: ProducerId, at: Offset) {
        if self.by_id.get(&id).is_some_and(|known| known.next <= at) {
            self.by_id.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::RingKind;
    use crate::ids::LeaderEpoch;
    use crate::log::state::Spot;

    fn sent(epoch: i16, sequence: i32) -> ProducerBatch {
        ProducerBatch {
            id: ProducerId(7),
            epoch: ProducerEpoch(epoch),
            base_sequence: Sequence(sequence),
        }
    }

    fn stored(base: i64, delta: u32) -> RingBatch {
        let spot = Spot {
            kind: RingKind::Durable,
            file: 0,
            at: 0,
        };
        let (base, epoch) = (Offset(base), LeaderEpoch(0));
        RingBatch {
            base,
            delta,
            epoch,
            len: 61,
            checksum: 0,
            max_timestamp: 5,
            spot,
        }
    }

    /// Appends batches of ten records each, from sequence 0 and offset 100 on.
    fn after(batches: i32) -> Producers {
        let mut producers = Producers::default();
        for i in 0..batches {
            let batch = sent(0, i * 10);
            assert_eq!(producers.judge(&batch, 9), Ok(None));
            producers.apply(&batch, &stored(100 + i64::from(i) * 10, 9));
        }
        producers
    }

    #[test]
    fn each_of_the_last_five_batches_is_known_again_with_its_offsets() {
        let producers = after(7);
        for i in 2..7 {
            let base = 100 + i64::from(i) * 10;
            assert_eq!(
                producers.judge(&sent(0, i * 10), 9),
                Ok(Some((Offset(base), Offset(base + 9))))
            );
        }
    }

    #[test]
    fn what_is_neither_next_nor_an_exact_repeat_is_refused() {
        let producers = after(7);
        let refused = |sequence| {
            Err(AppendRefusal::OutOfOrder {
                expected: Sequence(70),
                got: Sequence(sequence),
            })
        };
        assert_eq!(
            producers.judge(&sent(0, 10), 9),
            refused(10),
            "older than the window"
        );
        assert_eq!(producers.judge(&sent(0, 71), 9), refused(71), "a gap");
        assert_eq!(
            producers.judge(&sent(0, 60), 8),
            refused(60),
            "a repeat of another length"
        );
        assert_eq!(
            producers.judge(&sent(0, 65), 4),
            refused(65),
            "the second half of a batch"
        );
    }

    #[test]
    fn sequences_wrap_to_zero() {
        let mut producers = Producers::default();
        producers.apply(&sent(0, i32::MAX - 1), &stored(0, 3));
        assert_eq!(
            producers.judge(&sent(0, 2), 0),
            Ok(None),
            "MAX-1, MAX, 0, 1, then 2"
        );
        assert_eq!(
            producers.judge(&sent(0, i32::MAX - 1), 3),
            Ok(Some((Offset(0), Offset(3))))
        );
        assert!(producers.judge(&sent(0, i32::MAX), 0).is_err());
    }

    #[test]
    fn a_new_epoch_begins_at_zero_and_fences_the_old() {
        let mut producers = after(2);
        let expected = Sequence(0);
        assert_eq!(
            producers.judge(&sent(1, 20), 0),
            Err(AppendRefusal::OutOfOrder {
                expected,
                got: Sequence(20)
            })
        );
        assert_eq!(producers.judge(&sent(1, 0), 0), Ok(None));
        producers.apply(&sent(1, 0), &stored(120, 0));
        assert_eq!(
            producers.judge(&sent(0, 20), 9),
            Err(AppendRefusal::Fenced {
                epoch: ProducerEpoch(1)
            })
        );
        assert_eq!(
            producers.judge(&sent(1, 0), 0),
            Ok(Some((Offset(120), Offset(120))))
        );
    }

    #[test]
    fn an_expired_producer_is_unknown_and_its_repeat_is_not_taken_for_a_beginning() {
        let mut producers = after(2);
        producers.expire(ProducerId(7), Offset(119));
        assert!(
            producers.by_id.contains_key(&ProducerId(7)),
            "it wrote behind that offset"
        );
        producers.expire(ProducerId(7), Offset(120));
        assert_eq!(
            producers.judge(&sent(0, 10), 9),
            Err(AppendRefusal::UnknownProducer { got: Sequence(10) })
        );
    }

    #[test]
    #[cfg(feature = "mutants")]
    fn a_repeat_taken_for_a_beginning_is_caught() {
        let mut producers = after(2);
        producers.expire(ProducerId(7), Offset(120));
        proof::choose(Some("unknown-is-fresh"));
        let judged = producers.judge(&sent(0, 10), 9);
        proof::choose(None);
        assert_eq!(
            judged,
            Ok(None),
            "the mutant must be seen: it would be appended twice (#74)"
        );
    }

    #[test]
    #[cfg(feature = "mutants")]
    fn a_window_of_one_is_caught() {
        proof::choose(Some("window-of-one"));
        let judged = after(7).judge(&sent(0, 50), 9);
        proof::choose(None);
        assert!(
            judged.is_err(),
            "M26 must be seen: a repeat of the last but one is refused"
        );
    }
}
