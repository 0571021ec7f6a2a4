//! Which batches go out now: one request for each leader that may have one more, partitions taking turns. Decides what is
//! sent when; what an answer means is decided elsewhere.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::queue::Queue;
use super::terms::{Part, RequestId, Send};
use super::{Flight, Key, Producer};
use crate::metadata::BrokerId;
use crate::time::Mono;

impl<T: Clone + Default> Producer<T> {
    /// Everything taken so far is sent as soon as it may, whatever the linger says.
    pub fn flush(&mut self) {
        let keys: Vec<Key> = self.active.iter().copied().collect();
        for key in keys {
            if let Some(queue) = self.queue(key) {
                queue.close();
            }
        }
    }

    /// What is to be sent now, in this order.
    pub fn poll(&mut self, now: Mono) -> Vec<Send> {
        self.expire(now);
        self.introduce();
        let mut sends = Vec::new();
        loop {
            let before = sends.len();
            self.round(now, &mut sends);
            if sends.len() == before {
                return sends;
            }
        }
    }

    /// Queues without an identity take the one of the producer.
    fn introduce(&mut self) {
        let Some(identity) = self.identity.filter(|_| self.settings.idempotent) else {
            return;
        };
        let wanting =
            |(key, queue): (Key, &Queue<T>)| queue.wants_identity(&self.settings).then_some(key);
        let keys: Vec<Key> = self.queues().filter_map(wanting).collect();
        for key in keys {
            if let Some(queue) = self.queue(key) {
                queue.granted(identity);
            }
        }
    }

    /// One request for each leader that may have one more.
    fn round(&mut self, now: Mono, sends: &mut Vec<Send>) {
        let mut busy: BTreeMap<BrokerId, usize> = BTreeMap::new();
        for flight in self.flights.values() {
            *busy.entry(flight.broker).or_default() += 1;
        }
        let turn = self.turn;
        let order: Vec<Key> = self
            .active
            .range(turn..)
            .chain(self.active.range(..turn))
            .copied()
            .collect();
        let mut open: BTreeMap<BrokerId, (Send, Vec<Key>, usize)> = BTreeMap::new();
        for key in order {
            let settings = &self.settings;
            let Some(topic) = self.topics.get_mut(key.0) else {
                continue;
            };
            let Some(queue) = topic.queues.get_mut(key.1) else {
                continue;
            };
            let Some(broker) = queue.leader else {
                topic.stale = true;
                continue;
            };
            let Some(size) = queue.ready(settings, now) else {
                continue;
            };
            let entry = open.get(&broker);
            let no_more = match entry {
                None => busy
                    .get(&broker)
                    .is_some_and(|busy| *busy >= settings.in_flight),
                Some((_, _, sum)) => sum + size > settings.request_bytes,
            };
            if no_more {
                continue;
            }
            let request = entry.map_or(RequestId(self.requests + 1), |(send, _, _)| send.request);
            let sent = queue.send(settings, request);
            let Ok(partition) = i32::try_from(key.1) else {
                continue;
            };
            match sent {
                Ok(None) => {}
                Ok(Some(batch)) => {
                    self.requests = self.requests.max(request.0);
                    self.turn = (key.0, key.1 + 1);
                    let (send, keys, sum) = open.entry(broker).or_insert_with(|| {
                        (
                            Send {
                                request,
                                broker,
                                parts: Vec::new(),
                            },
                            Vec::new(),
                            0,
                        )
                    });
                    *sum += batch.len();
                    keys.push(key);
                    send.parts.push(Part {
                        topic: topic.name.clone(),
                        partition,
                        batch,
                    });
                }
                Err(fate) => self.decide(key, *fate, None, None),
            }
        }
        for (broker, (send, parts, _)) in open {
            self.flights.insert(send.request, Flight { broker, parts });
            sends.push(send);
        }
    }

    /// When to poll again if nothing else happens. What could have gone out at `now` waits for an answer, not for time.
    pub fn deadline(&self, now: Mono) -> Option<Mono> {
        let times = self
            .queues()
            .flat_map(|(_, queue)| queue.times(&self.settings));
        times.filter(|at| *at > now).min()
    }
}
