//! The batches of one partition, oldest first, until each is decided. Decides which one is sent next and under which number;
//! nothing overtakes: a batch that goes again keeps its place, and those behind it wait until nothing of it is under way.
//!
//! ```text
//! sent sent sent | waiting waiting open      up to five are under way; the next waiting one may follow
//! wait sent sent | ...                       the first goes again: first the others must come down
//! ```

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;
use sawlog_wire::records::{BuildFault, Codec, NewRecord};

use super::batch::{Batch, Identity, Stamp};
use super::verdict::{Known, Verdict, outcome};
use super::{RequestId, Settings};
use crate::backoff::Backoff;
use crate::connection::Outcome;
use crate::metadata::BrokerId;
use crate::time::Mono;

#[derive(Debug)]
pub(super) struct Queue<T> {
    pub(super) leader: Option<BrokerId>,
    batches: VecDeque<Batch<T>>,
    /// Whom batches without a number are stamped with, and the number of the next.
    identity: Option<Identity>,
    next_sequence: i32,
    /// Something went wrong: nothing is sent before.
    not_before: Mono,
    backoff: Backoff,
    /// The most that one batch may hold: less than the settings say once the broker refused one.
    most: usize,
    /// What the last batch held: memory for the next.
    expect: usize,
}

/// What became of a batch.
#[derive(Debug)]
pub(super) enum Fate<T> {
    Written(Batch<T>),
    Failed(Batch<T>, Outcome),
}

/// A record was taken.
pub(super) struct Taken<'a, T> {
    pub(super) tag: &'a T,
    pub(super) number: u32,
    /// There is a batch more than before.
    pub(super) begun: bool,
}

impl<T: Clone> Queue<T> {
    pub(super) fn new(settings: &Settings) -> Queue<T> {
        Queue {
            leader: None,
            batches: VecDeque::new(),
            identity: None,
            next_sequence: 0,
            not_before: Mono::default(),
            backoff: settings.retry_backoff.clone(),
            most: settings.batch_bytes,
            expect: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.batches.len()
    }

    pub(super) fn push(
        &mut self,
        record: NewRecord<'_>,
        size: usize,
        codec: Codec,
        tag: impl FnOnce() -> T,
        now: Mono,
    ) -> Result<Taken<'_, T>, BuildFault> {
        let most = self.most;
        let begun = !self
            .batches
            .back()
            .is_some_and(|batch| batch.has_room(size, most));
        if begun {
            if let Some(last) = self.batches.back_mut().filter(|batch| batch.is_open()) {
                self.expect = last.size();
                last.close();
            }
            self.batches
                .push_back(Batch::open(tag(), codec, self.expect.max(size), now));
        }
        let pushed = self
            .batches
            .back_mut()
            .ok_or(BuildFault::Empty)?
            .push(record, size);
        if pushed.is_err() && begun {
            self.batches.pop_back();
        }
        let number = pushed?;
        let batch = self.batches.back().ok_or(BuildFault::Empty)?;
        Ok(Taken {
            tag: &batch.tag,
            number,
            begun,
        })
    }

    /// What is open is sent as soon as it may.
    pub(super) fn close(&mut self) {
        if let Some(last) = self.batches.back_mut() {
            last.close();
        }
    }

    /// The batch that may be sent when its time comes, and when that is.
    fn next(&self, settings: &Settings) -> Option<(usize, Mono)> {
        let flying = self
            .batches
            .iter()
            .take_while(|batch| batch.flying.is_some())
            .count();
        let next = self.batches.get(flying)?;
        // Behind one that goes again there may be others under way: they come down first.
        let behind = self
            .batches
            .iter()
            .skip(flying)
            .any(|batch| batch.flying.is_some());
        if behind || flying >= settings.in_flight_of_partition() {
            return None;
        }
        // Another identity is another order: the broker would take them in any.
        let before = self
            .batches
            .front()
            .filter(|_| flying > 0)
            .and_then(|batch| batch.stamp);
        let mine = next.stamp.map(|stamp| stamp.identity).or(self.identity);
        if before.is_some_and(|before| Some(before.identity) != mine) {
            return None;
        }
        let lingers = next.is_open() && self.batches.len() == flying + 1;
        let at = if lingers {
            next.began.after(settings.linger)
        } else {
            next.began
        };
        Some((flying, at.max(self.not_before)))
    }

    /// Whether something may be sent now; its size.
    pub(super) fn ready(&self, settings: &Settings, now: Mono) -> Option<usize> {
        let (index, at) = self.next(settings)?;
        let full = self.batches.get(index)?;
        // Full enough for the largest batch: no more will fit, so nothing is worth waiting for.
        let full = full.size() >= self.most && self.not_before <= now;
        (at <= now || full).then(|| self.batches.get(index).map_or(0, Batch::size))
    }

    /// When something changes by time alone: the first batch expires, the next may be sent.
    pub(super) fn times(&self, settings: &Settings) -> impl Iterator<Item = Mono> + use<T> {
        let waiting = self.batches.front().filter(|batch| batch.flying.is_none());
        let expires = waiting.map(|batch| batch.began.after(settings.delivery_timeout));
        let next = self.next(settings).map(|(_, at)| at);
        [expires, next].into_iter().flatten()
    }

    /// Whether the next batch waits for a producer id.
    pub(super) fn wants_identity(&self, settings: &Settings) -> bool {
        self.identity.is_none()
            && self
                .next(settings)
                .and_then(|(index, _)| self.batches.get(index))
                .is_some_and(|batch| batch.stamp.is_none())
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        self.identity
    }

    pub(super) fn granted(&mut self, identity: Identity) {
        self.identity = Some(identity);
        self.next_sequence = 0;
    }

    /// The next batch goes out with this request. What cannot be made into a batch fails.
    pub(super) fn send(
        &mut self,
        settings: &Settings,
        request: RequestId,
    ) -> Result<Option<Bytes>, Box<Fate<T>>> {
        let Some((index, _)) = self.next(settings) else {
            return Ok(None);
        };
        let (identity, sequence) = (self.identity, self.next_sequence);
        let Some(batch) = self.batches.get_mut(index) else {
            return Ok(None);
        };
        batch.close();
        if settings.idempotent && batch.stamp.is_none() {
            let Some(identity) = identity else {
                return Ok(None);
            };
            batch.stamp(Stamp { identity, sequence });
            self.next_sequence = batch.next_sequence().unwrap_or(0);
        }
        match batch.seal() {
            Ok(bytes) => {
                batch.flying = Some(request);
                Ok(Some(bytes))
            }
            Err(_) => match self.batches.remove(index) {
                Some(batch) => Err(Box::new(self.fail(batch, Outcome::NotWritten))),
                None => Ok(None),
            },
        }
    }

    /// What is known of the batch of a request.
    pub(super) fn known(&self, request: RequestId) -> Option<Known> {
        let index = self.index(request)?;
        let batch = self.batches.get(index)?;
        Some(Known {
            doubted: batch.doubted,
            first: index == 0,
            stamped: batch.stamp.is_some(),
            many: batch.count > 1,
        })
    }

    fn index(&self, request: RequestId) -> Option<usize> {
        self.batches
            .iter()
            .position(|batch| batch.flying == Some(request))
    }

    /// The batch of a request is decided, or goes again.
    pub(super) fn settle(
        &mut self,
        request: RequestId,
        verdict: Verdict,
        settings: &Settings,
        roll: u64,
        now: Mono,
    ) -> Option<Fate<T>> {
        let index = self.index(request)?;
        let batch = self.batches.get_mut(index)?;
        batch.flying = None;
        match verdict {
            Verdict::Written => {
                self.backoff.succeeded();
                let written = self.batches.remove(index)?;
                Some(Fate::Written(written))
            }
            Verdict::Again { outcome, .. } => {
                batch.doubted |= outcome == Outcome::Unknown;
                self.wait(roll, now);
                None
            }
            Verdict::Split => {
                // What was too large once is too large again.
                self.most = (batch.size() / 2).max(1);
                match batch.split(settings.codec) {
                    Some([one, other]) => {
                        self.batches.remove(index);
                        self.batches.insert(index, other);
                        self.batches.insert(index, one);
                        None
                    }
                    None => self.give_up(index, Outcome::NotWritten),
                }
            }
            Verdict::Renumber => {
                self.identity = None;
                for batch in &mut self.batches {
                    if batch.flying.is_none() && !batch.doubted {
                        batch.stamp = None;
                    }
                }
                self.wait(roll, now);
                None
            }
            Verdict::Failed(outcome) => self.give_up(index, outcome),
        }
    }

    fn wait(&mut self, roll: u64, now: Mono) {
        self.not_before = self.not_before.max(now.after(self.backoff.failed(roll)));
    }

    fn give_up(&mut self, index: usize, outcome: Outcome) -> Option<Fate<T>> {
        let batch = self.batches.remove(index)?;
        Some(self.fail(batch, outcome))
    }

    /// A number that was given to a batch which is not in the log, or may not be: a hole that the broker would never let
    /// pass. Where nothing behind it is numbered the next takes the number; else a new identity begins.
    fn fail(&mut self, batch: Batch<T>, outcome: Outcome) -> Fate<T> {
        if let Some(stamp) = batch.stamp {
            let last = !self.batches.iter().any(|other| other.stamp.is_some());
            if last && outcome == Outcome::NotWritten && self.identity == Some(stamp.identity) {
                self.next_sequence = stamp.sequence;
            } else {
                self.identity = None;
            }
        }
        Fate::Failed(batch, outcome)
    }

    /// Batches at the front whose time is over. One that is under way is waited for: its answer is bound by its own time.
    pub(super) fn expire(&mut self, settings: &Settings, now: Mono) -> Vec<Fate<T>> {
        let mut over = Vec::new();
        while let Some(batch) = self.batches.front() {
            if batch.flying.is_some() || now < batch.began.after(settings.delivery_timeout) {
                break;
            }
            let outcome = outcome(batch.doubted);
            over.extend(self.give_up(0, outcome));
        }
        over
    }

    /// Every batch fails: nothing will send it or wait for it.
    pub(super) fn give_all_up(&mut self) -> Vec<Fate<T>> {
        let mut over = Vec::new();
        while let Some(batch) = self.batches.front() {
            let outcome = outcome(batch.doubted || batch.flying.is_some());
            over.extend(self.give_up(0, outcome));
        }
        over
    }
}
