//! Reading assigned partitions: from a place on, to another one or for ever, batch by batch. Decides where reading begins
//! and ends and how much is read ahead; fetching itself is the affair of `fetcher`. A lost connection is tried again or told,
//! and never silence.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use sawlog_engine::trouble::Trouble;
use sawlog_wire::Uuid;
use tokio::sync::mpsc;

use crate::client::Client;
use crate::error::Error;
use crate::fetcher;
use crate::offsets::{At, Place};
use crate::record::Message;

/// Answers that may wait to be taken: what is read ahead is bounded by them and by the bytes of one.
const AHEAD: usize = 2;

/// Where reading begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Start {
    /// The first record that is still there.
    Earliest,
    /// What comes from now on.
    Latest,
    /// The first record of this time or later, in milliseconds since 1970.
    Time(i64),
    /// This offset.
    Offset(i64),
    /// So many offsets before the end.
    Last(i64),
}

/// A partition to be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    place: Place,
    start: Start,
    until: Option<i64>,
}

impl Assignment {
    /// A partition, from its first record on.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Assignment {
        Assignment {
            place: (topic.into(), partition),
            start: Start::Earliest,
            until: None,
        }
    }

    /// From there on.
    #[must_use]
    pub fn from(mut self, start: Start) -> Assignment {
        self.start = start;
        self
    }

    /// Up to this offset, which is not read any more.
    #[must_use]
    pub fn until(mut self, offset: i64) -> Assignment {
        self.until = Some(offset);
        self
    }
}

/// How a consumer is made.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is awaited"]
pub struct ConsumerBuilder {
    client: Client,
    assigned: Vec<Assignment>,
    settings: fetcher::Settings,
}

impl ConsumerBuilder {
    pub(crate) fn new(client: Client, assigned: Vec<Assignment>) -> ConsumerBuilder {
        ConsumerBuilder {
            client,
            assigned,
            settings: fetcher::Settings::default(),
        }
    }

    /// `max.partition.fetch.bytes`: of one partition in one answer. 4 MiB if not given.
    pub fn partition_bytes(mut self, bytes: i32) -> ConsumerBuilder {
        self.settings.partition_bytes = bytes;
        self
    }

    /// `fetch.max.bytes`: of one answer. 16 MiB if not given.
    pub fn fetch_bytes(mut self, bytes: i32) -> ConsumerBuilder {
        self.settings.bytes = bytes;
        self
    }

    /// Finds the offsets to begin with, and begins. Errors: what is said of the first partition that cannot be read.
    pub async fn build(self) -> Result<Consumer, Error> {
        // Before the offsets: what they say is of this topic, or of one that is not read.
        let names: Vec<&str> = self.assigned.iter().map(|one| &*one.place.0).collect();
        let topics = self.client.topics(&names).await;
        let mut ids = BTreeMap::new();
        for name in names {
            if let Some(topic) = topics.get(name).cloned().transpose()? {
                ids.insert(name, topic.id);
            }
        }
        let ends = self.ask(|start| match start {
            Start::Latest | Start::Last(_) => Some(At::Latest),
            Start::Earliest | Start::Time(_) | Start::Offset(_) => None,
        });
        let ends = ends.await?;
        let begins = self.ask(|start| match start {
            Start::Earliest | Start::Last(_) => Some(At::Earliest),
            Start::Time(time) => Some(At::Time(time)),
            Start::Latest | Start::Offset(_) => None,
        });
        let begins = begins.await?;
        let mut reads = Vec::new();
        for ((assigned, end), begin) in self.assigned.iter().zip(ends).zip(begins) {
            let (end, begin) = (end.unwrap_or(0), begin.unwrap_or(0));
            let topic_id = ids.get(&*assigned.place.0).copied().unwrap_or(Uuid::ZERO);
            let next = match assigned.start {
                Start::Offset(offset) => offset,
                Start::Latest => end,
                Start::Last(last) => end.saturating_sub(last).max(begin),
                Start::Earliest | Start::Time(_) => begin,
            };
            let read = fetcher::Read {
                topic_id,
                next,
                until: assigned.until.unwrap_or(i64::MAX),
                trouble: Trouble::default(),
            };
            if read.next < read.until {
                reads.push((assigned.place.clone(), read));
            }
        }
        let (to, batches) = mpsc::channel(AHEAD);
        fetcher::begin(self.client, self.settings, reads, to).await?;
        Ok(Consumer { batches })
    }

    /// The offsets of the marks that `of` names, in the order of the assignments.
    async fn ask(&self, of: impl Fn(Start) -> Option<At>) -> Result<Vec<Option<i64>>, Error> {
        let wanted = |assigned: &Assignment| Some((assigned.place.clone(), of(assigned.start)?));
        let wanted: Vec<_> = self.assigned.iter().filter_map(wanted).collect();
        let found = self.client.offsets(&wanted).await;
        let mut offsets = Vec::new();
        for assigned in &self.assigned {
            let offset = match of(assigned.start) {
                Some(_) => found.get(&assigned.place).cloned().transpose()?,
                None => None,
            };
            offsets.push(offset);
        }
        Ok(offsets)
    }
}

impl IntoFuture for ConsumerBuilder {
    type Output = Result<Consumer, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.build())
    }
}

/// What one answer brought of one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Batch {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The messages, in order. There may be none: what lay there is for clients only, or was compacted away.
    pub messages: Vec<Message>,
    /// The offset to go on from.
    pub next: i64,
    /// The end of what readers may see.
    pub high_watermark: i64,
}

/// Reads assigned partitions.
#[derive(Debug)]
pub struct Consumer {
    batches: mpsc::Receiver<Result<Batch, Error>>,
}

impl Consumer {
    /// The next messages of some partition, in the order of that partition. `None` once every partition was read up to its
    /// end. After an error the other partitions go on. Errors that may pass are tried again, and are told once they have
    /// lasted for `default.api.timeout.ms` ([`Builder::call_timeout`](crate::Builder::call_timeout)): a broker's with its
    /// code and [`Kind::TimedOut`](crate::Kind::TimedOut). A topic that was deleted is an error, with the code
    /// UNKNOWN_TOPIC_OR_PARTITION, and UNKNOWN_TOPIC_ID where another topic has its name by then: no record of that one is
    /// read (KIP-516; brokers older than Kafka 3.1 know no ids to fetch by). Kafka: Fetch. Cancel safe.
    pub async fn next_batch(&mut self) -> Result<Option<Batch>, Error> {
        self.batches.recv().await.transpose()
    }

    pub(crate) fn poll_batch(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Batch, Error>>> {
        self.batches.poll_recv(context)
    }

    /// The same, if it is there already.
    pub fn try_next_batch(&mut self) -> Option<Result<Batch, Error>> {
        self.batches.try_recv().ok()
    }
}
