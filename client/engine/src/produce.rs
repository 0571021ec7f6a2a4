//! The producer without I/O: records gather in batches by partition, batches in requests by leader, and every batch is
//! decided in the end: written, not written, or not known. Here it is decided whether a record is taken and into which
//! queue; `sending` decides what goes out when, `verdict` and `answers` what is told of it. Never touches a socket.
//!
//! ```text
//! enqueue -> queue of its partition -> poll: one request per leader -> answered | lost -> done
//!               ^ lingers, fills          sequence numbers (KIP-98)       goes again, in its place
//! ```
//!
//! The driver calls [`Producer::poll`] whenever time, an answer or a record may have changed something, sends what it gives,
//! asks for what [`Producer::wants_metadata`] and [`Producer::wants_identity`] name, and sleeps until
//! [`Producer::deadline`].

mod answers;
mod batch;
mod queue;
mod sending;
mod settings;
mod terms;
#[cfg(test)]
mod tests;
mod verdict;
mod words;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use sawlog_wire::Code;

pub use batch::{Identity, each_record};
use queue::Queue;
pub use settings::{Acks, Settings};
pub use terms::{
    Answer, Done, Failed, Outgoing, Part, Place, RecordError, Refusal, RequestId, Send, Written,
};
pub use words::Words;

use crate::metadata::{BrokerId, Metadata};
use crate::partitioner::{Load, Sticky};
use crate::time::Mono;

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
        if size > self.settings.record_bytes {
            return Err(Refusal::TooLarge {
                size,
                most: self.settings.record_bytes,
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
}
