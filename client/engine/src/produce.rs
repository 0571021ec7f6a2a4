//! The producer without I/O: records gather in batches by partition, batches in requests by leader, and every batch is
//! decided in the end: written, not written, or not known. Decides what is sent when, and again when; never touches a socket.
//!
//! ```text
//! enqueue -> queue of its partition -> poll: one request per leader -> answered | lost -> done
//!               ^ lingers, fills          sequence numbers (KIP-98)       goes again, in its place
//! ```
//!
//! The driver calls [`Producer::poll`] whenever time, an answer or a record may have changed something, sends what it gives,
//! asks for what [`Producer::wants_metadata`] and [`Producer::wants_identity`] name, and sleeps until
//! [`Producer::deadline`].

mod batch;
mod queue;
#[cfg(test)]
mod tests;
mod verdict;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use bytes::Bytes;
use sawlog_wire::records::{BuildFault, Codec, NewRecord};
use sawlog_wire::{Code, ErrorCode};

pub use batch::{Identity, each_record};
use queue::{Fate, Queue};
use verdict::Verdict;

use crate::backoff::Backoff;
use crate::connection::Outcome;
use crate::metadata::{BrokerId, Metadata};
use crate::partitioner::{Load, Partitioner, Sticky};
use crate::time::Mono;

/// Who must have a record before it counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Acks {
    /// Nobody: it counts once it is sent.
    None,
    /// The leader.
    Leader,
    /// Every replica in sync.
    #[default]
    All,
}

impl Acks {
    /// As the wire has it.
    pub const fn number(self) -> i16 {
        match self {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
        }
    }
}

/// How a producer works. Kafka's names stand beside.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `linger.ms`: how long a batch waits for more records.
    pub linger: Duration,
    /// `batch.size`: what a batch holds before compression.
    pub batch_bytes: usize,
    /// `max.request.size`: what one request holds; also the largest record.
    pub request_bytes: usize,
    /// `buffer.memory`: what all records that are not decided hold.
    pub buffer_bytes: usize,
    /// How much goes to one partition before another one has its turn, for records without a key (KIP-794).
    pub sticky_bytes: usize,
    /// `delivery.timeout.ms`: after it a batch is sent no more; one under way is waited for until its request is late.
    pub delivery_timeout: Duration,
    /// `retry.backoff.ms` and `retry.backoff.max.ms`.
    pub retry_backoff: Backoff,
    /// `max.in.flight.requests.per.connection`.
    pub in_flight: usize,
    /// `acks`.
    pub acks: Acks,
    /// `enable.idempotence`: batches are numbered, so that sending one twice writes it once. Needs `acks=all`.
    pub idempotent: bool,
    /// `compression.type`.
    pub codec: Codec,
    /// `partitioner.class`.
    pub partitioner: Partitioner,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            linger: Duration::from_millis(5),
            batch_bytes: 1_000_000,
            request_bytes: 1 << 20,
            buffer_bytes: 64 << 20,
            sticky_bytes: 64 << 10,
            delivery_timeout: Duration::from_secs(120),
            retry_backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(1)),
            in_flight: 5,
            acks: Acks::All,
            idempotent: true,
            codec: Codec::None,
            partitioner: Partitioner::Murmur2,
        }
    }
}

impl Settings {
    /// Brokers tell repeated batches by the last five; without numbers only one at a time keeps its order.
    fn in_flight_of_partition(&self) -> usize {
        if self.idempotent {
            self.in_flight.min(5)
        } else {
            1
        }
    }
}

/// Names one request until it is answered or lost.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RequestId(u64);

/// A record to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition, if its sender chose one.
    pub partition: Option<i32>,
    /// The record.
    pub record: NewRecord<'a>,
}

/// Why a record was not taken. Nothing of it is kept.
#[derive(Debug)]
pub enum Refusal {
    /// Nothing is known of the topic yet: it is asked for.
    Unknown,
    /// The topic has no such partition, but so many.
    NoPartition(u32),
    /// The buffer is full: when a batch is done there may be room.
    Full,
    /// It is larger than a request may be.
    TooLarge {
        /// What it may take.
        size: usize,
        /// What one may take.
        most: usize,
    },
    /// It cannot be a record.
    Build(BuildFault),
}

/// A record was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place<T> {
    /// Its batch.
    pub tag: T,
    /// Its number in there.
    pub number: u32,
    /// Its partition.
    pub partition: i32,
    /// Something changed that the driver should look at.
    pub wake: bool,
}

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Send {
    /// To be named when it is answered or lost.
    pub request: RequestId,
    /// To whom.
    pub broker: BrokerId,
    /// Its batches: one of a partition.
    pub parts: Vec<Part>,
}

/// A batch to be sent.
#[derive(Clone, Debug)]
pub struct Part {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The batch.
    pub batch: Bytes,
}

/// What the broker says of one batch.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// What went wrong, if anything.
    pub code: ErrorCode,
    /// The offset of the first record, or -1.
    pub base_offset: i64,
    /// The broker's time, where the topic takes that, or -1.
    pub log_append_time: i64,
}

/// Records that lie in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    /// The partition.
    pub partition: i32,
    /// The offset of the first of them; `None` if nobody said.
    pub base_offset: Option<i64>,
    /// The broker's time, where the topic takes that.
    pub log_append_time: Option<i64>,
}

/// Records that do not lie in the log, or may not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failed {
    /// The partition.
    pub partition: i32,
    /// Whether they may be there all the same.
    pub outcome: Outcome,
    /// The last error of a broker, if one said anything.
    pub code: Option<Code>,
    /// They, as a batch: they are kept nowhere else.
    pub batch: Bytes,
}

/// Records are decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Done<T> {
    /// Their batch.
    pub tag: T,
    /// The number of the first of them in there.
    pub first: u32,
    /// How many.
    pub count: u32,
    /// What became of them.
    pub result: Result<Written, Failed>,
}

#[derive(Debug)]
struct Topic<T> {
    name: Arc<str>,
    sticky: Sticky,
    /// By partition. None before the topic is known.
    queues: Vec<Queue<T>>,
    /// The last error of a broker.
    said: Option<Code>,
    /// Who leads is to be asked again.
    stale: bool,
}

/// A partition of a topic of ours.
type Key = (usize, usize);

#[derive(Debug)]
struct Flight {
    broker: BrokerId,
    parts: Vec<Key>,
}

/// A producer. `T` is what the caller knows a batch by.
#[derive(Debug)]
pub struct Producer<T> {
    settings: Settings,
    names: BTreeMap<Arc<str>, usize>,
    topics: Vec<Topic<T>>,
    /// Partitions with something in their queues.
    active: BTreeSet<Key>,
    /// Where the next request begins: nobody is served first for ever.
    turn: Key,
    identity: Option<Identity>,
    flights: BTreeMap<RequestId, Flight>,
    requests: u64,
    held: usize,
    /// Records that are not decided.
    records: u64,
    done: Vec<Done<T>>,
}

impl<T: Clone + Default> Producer<T> {
    /// A producer of nothing yet.
    pub fn new(settings: Settings) -> Producer<T> {
        Producer {
            settings,
            names: BTreeMap::new(),
            topics: Vec::new(),
            active: BTreeSet::new(),
            turn: (0, 0),
            identity: None,
            flights: BTreeMap::new(),
            requests: 0,
            held: 0,
            records: 0,
            done: Vec::new(),
        }
    }

    /// How it works.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Bytes of records that are not decided.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Records that are not decided.
    pub fn undecided(&self) -> u64 {
        self.records
    }

    /// Takes a record. `roll` is any number, evenly drawn.
    pub fn enqueue(
        &mut self,
        outgoing: &Outgoing<'_>,
        now: Mono,
        roll: u64,
    ) -> Result<Place<T>, Refusal> {
        let size = outgoing.record.size_max();
        if size > self.settings.request_bytes {
            return Err(Refusal::TooLarge {
                size,
                most: self.settings.request_bytes,
            });
        }
        let index = self.topic(outgoing.topic);
        let Some(topic) = self
            .topics
            .get_mut(index)
            .filter(|topic| !topic.queues.is_empty())
        else {
            return Err(Refusal::Unknown);
        };
        // One record is always taken, however small the buffer.
        if self.held > 0 && self.held.saturating_add(size) > self.settings.buffer_bytes {
            return Err(Refusal::Full);
        }
        let count = u32::try_from(topic.queues.len()).unwrap_or(u32::MAX);
        let by_key = || self.settings.partitioner.of_key(outgoing.record.key, count);
        let partition = outgoing.partition.or_else(by_key).or_else(|| {
            let loads = topic.queues.iter().map(|queue| Load {
                batches: queue.len(),
                led: queue.leader.is_some(),
            });
            topic
                .sticky
                .choose(size, self.settings.sticky_bytes, loads, roll)
        });
        let number = partition.and_then(|partition| usize::try_from(partition).ok());
        let Some((number, queue)) =
            number.and_then(|number| Some((number, topic.queues.get_mut(number)?)))
        else {
            return Err(Refusal::NoPartition(count));
        };
        let taken = queue
            .push(outgoing.record, size, self.settings.codec, T::default, now)
            .map_err(Refusal::Build)?;
        let place = Place {
            tag: taken.tag.clone(),
            number: taken.number,
            partition: partition.unwrap_or(0),
            wake: taken.begun,
        };
        self.active.insert((index, number));
        self.held += size;
        self.records += 1;
        Ok(place)
    }

    fn topic(&mut self, name: &str) -> usize {
        if let Some(index) = self.names.get(name) {
            return *index;
        }
        let (name, index): (Arc<str>, usize) = (name.into(), self.topics.len());
        self.names.insert(name.clone(), index);
        self.topics.push(Topic {
            name,
            sticky: Sticky::default(),
            queues: Vec::new(),
            said: None,
            stale: true,
        });
        index
    }

    /// Topics whose leaders are to be asked for.
    pub fn wants_metadata(&self) -> Vec<String> {
        let wanted = self.topics.iter().filter(|topic| topic.stale);
        wanted.map(|topic| String::from(&*topic.name)).collect()
    }

    /// Takes in what is known now. Topics that it leaves out are still wanted.
    pub fn learn(&mut self, known: &Metadata) {
        for (index, topic) in self.topics.iter_mut().enumerate() {
            let Some(told) = known.topics.get(&*topic.name) else {
                topic.said = known
                    .errors
                    .get(&*topic.name)
                    .and_then(|error| error.code())
                    .or(topic.said);
                continue;
            };
            topic.stale = false;
            let settings = &self.settings;
            let count = told
                .partitions
                .keys()
                .filter_map(|number| usize::try_from(*number).ok())
                .max();
            let count = count.map_or(0, |last| last + 1);
            if count > topic.queues.len() {
                topic.queues.resize_with(count, || Queue::new(settings));
                topic.sticky.forget();
            }
            for (number, queue) in topic.queues.iter_mut().enumerate() {
                let told = i32::try_from(number)
                    .ok()
                    .and_then(|number| told.partitions.get(&number));
                queue.leader = told.and_then(|told| told.leader);
                // Without a leader somebody has to ask again, as long as something waits.
                topic.stale |= queue.leader.is_none() && self.active.contains(&(index, number));
            }
        }
    }

    /// Topics that are not known are forgotten: whoever enqueues next asks anew.
    pub fn forget(&mut self, name: &str) {
        if let Some(topic) = self
            .names
            .get(name)
            .and_then(|index| self.topics.get_mut(*index))
        {
            topic.stale = topic.queues.iter().any(|queue| queue.len() > 0);
        }
    }

    /// Whether a producer id is needed to go on.
    pub fn wants_identity(&self) -> bool {
        self.settings.idempotent
            && self.identity.is_none()
            && self
                .queues()
                .any(|(_, queue)| queue.wants_identity(&self.settings))
    }

    /// A producer id was granted.
    pub fn granted(&mut self, identity: Identity) {
        self.identity = Some(identity);
    }

    fn queues(&self) -> impl Iterator<Item = (Key, &Queue<T>)> {
        let queue = |key: &Key| Some((*key, self.topics.get(key.0)?.queues.get(key.1)?));
        self.active.iter().filter_map(queue)
    }

    fn queue(&mut self, key: Key) -> Option<&mut Queue<T>> {
        self.topics.get_mut(key.0)?.queues.get_mut(key.1)
    }

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

    fn decide(
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

    fn expire(&mut self, now: Mono) {
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

    /// When to poll again if nothing else happens. What could have gone out at `now` waits for an answer, not for time.
    pub fn deadline(&self, now: Mono) -> Option<Mono> {
        let times = self
            .queues()
            .flat_map(|(_, queue)| queue.times(&self.settings));
        times.filter(|at| *at > now).min()
    }
}
