//! What becomes of batches: answers, lost requests and time are brought to their queues, and what a queue gives up or has
//! written is told. Decides which answer belongs to which batch and what its records are told; the verdict on an answer is
//! `verdict`'s, the place of a batch that goes again its queue's.

use alloc::vec::Vec;
use core::mem;

use sawlog_wire::Code;

use super::batch::Identity;
use super::queue::Fate;
use super::terms::{Answer, Done, Failed, RequestId, Written};
use super::verdict::{self, Verdict};
use super::words::Words;
use super::{Key, Producer};
use crate::connection::Outcome;
use crate::time::Mono;

impl<T: Clone + Default> Producer<T> {
    /// The answer to a request. A batch that it leaves out counts as lost.
    pub fn answered(&mut self, request: RequestId, answers: &[Answer<'_>], now: Mono, roll: u64) {
        let Some(flight) = self.flights.remove(&request) else {
            return;
        };
        for key in flight.parts {
            let Some(topic) = self.topics.get_mut(key.0) else {
                continue;
            };
            let Some(known) = topic
                .queues
                .get(key.1)
                .and_then(|queue| queue.known(request))
            else {
                continue;
            };
            let mine = |answer: &&Answer<'_>| {
                answer.topic == &*topic.name && usize::try_from(answer.partition) == Ok(key.1)
            };
            let answer = answers.iter().find(mine);
            let verdict = match answer {
                Some(answer) => verdict::of_answer(answer.code.code(), known),
                None => verdict::lost(Outcome::Unknown, known),
            };
            let code = answer.and_then(|answer| answer.code.code());
            topic.said = code.filter(|code| *code != Code::None).or(topic.said);
            self.settle(key, request, verdict, answer, (now, roll));
        }
    }

    /// A request that nobody answers, with `acks=0`, was sent.
    pub fn told(&mut self, request: RequestId, now: Mono) {
        let Some(flight) = self.flights.remove(&request) else {
            return;
        };
        for key in flight.parts {
            self.settle(key, request, Verdict::Written, None, (now, 0));
        }
    }

    /// A request was refused before it was sent, its connection was lost, or its answer cannot be read.
    pub fn lost(&mut self, request: RequestId, outcome: Outcome, now: Mono, roll: u64) {
        let Some(flight) = self.flights.remove(&request) else {
            return;
        };
        for key in flight.parts {
            let Some(known) = self.queue(key).and_then(|queue| queue.known(request)) else {
                continue;
            };
            self.settle(
                key,
                request,
                verdict::lost(outcome, known),
                None,
                (now, roll),
            );
        }
    }

    fn settle(
        &mut self,
        key: Key,
        request: RequestId,
        verdict: Verdict,
        answer: Option<&Answer<'_>>,
        (now, roll): (Mono, u64),
    ) {
        let Some(topic) = self.topics.get_mut(key.0) else {
            return;
        };
        topic.stale |= matches!(verdict, Verdict::Again { refresh: true, .. });
        let Some(queue) = topic.queues.get_mut(key.1) else {
            return;
        };
        let before = queue.identity();
        let fate = queue.settle(request, verdict, &self.settings, roll, now);
        if let Some(fate) = fate {
            self.decide(key, fate, answer, before);
        } else {
            self.disown(key, before);
        }
    }

    /// An identity that one partition had to give up is given to no other.
    fn disown(&mut self, key: Key, before: Option<Identity>) {
        let after = self.queue(key).and_then(|queue| queue.identity());
        if after.is_none() && before.is_some() && self.identity == before {
            self.identity = None;
        }
    }

    pub(super) fn decide(
        &mut self,
        key: Key,
        fate: Fate<T>,
        answer: Option<&Answer<'_>>,
        before: Option<Identity>,
    ) {
        let partition = i32::try_from(key.1).unwrap_or(-1);
        let (mut batch, failed) = match fate {
            Fate::Written(batch) => (batch, None),
            Fate::Failed(batch, outcome) => (batch, Some(outcome)),
        };
        let known = |number: i64| (number >= 0).then_some(number);
        let result = match failed {
            None => Ok(Written {
                partition,
                base_offset: answer.and_then(|answer| known(answer.base_offset)),
                log_append_time: answer.and_then(|answer| known(answer.log_append_time)),
            }),
            Some(outcome) => Err(Failed {
                partition,
                outcome,
                code: self.topics.get(key.0).and_then(|topic| topic.said),
                words: answer.map(Words::of).unwrap_or_default(),
                batch: batch.seal().unwrap_or_default(),
            }),
        };
        self.held = self.held.saturating_sub(batch.held);
        self.records = self.records.saturating_sub(u64::from(batch.count));
        self.done.push(Done {
            tag: batch.tag,
            first: batch.first,
            count: batch.count,
            result,
        });
        if self.queue(key).is_none_or(|queue| queue.len() == 0) {
            self.active.remove(&key);
        }
        self.disown(key, before);
    }

    pub(super) fn expire(&mut self, now: Mono) {
        let keys: Vec<Key> = self.active.iter().copied().collect();
        for key in keys {
            let Some(queue) = self
                .topics
                .get_mut(key.0)
                .and_then(|topic| topic.queues.get_mut(key.1))
            else {
                continue;
            };
            let before = queue.identity();
            for fate in queue.expire(&self.settings, now) {
                self.decide(key, fate, None, before);
            }
        }
    }

    /// Nothing is sent or waited for any more: all that is not decided fails, what is under way with an unknown outcome.
    pub fn give_up(&mut self) {
        self.flights.clear();
        let keys: Vec<Key> = self.active.iter().copied().collect();
        for key in keys {
            let Some(queue) = self.queue(key) else {
                continue;
            };
            let before = queue.identity();
            for fate in queue.give_all_up() {
                self.decide(key, fate, None, before);
            }
        }
    }

    /// What was decided since the last call.
    pub fn done(&mut self) -> Vec<Done<T>> {
        mem::take(&mut self.done)
    }
}
