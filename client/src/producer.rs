//! Sending records: into batches at once, to the brokers in the background, and to each record its answer. Decides how a
//! record waits for room and how its answer finds it; when and where it is sent is the engine's affair (`driver` runs it).

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sawlog_engine::connection::Outcome;
use sawlog_engine::partitioner::Partitioner;
use sawlog_engine::produce::{
    self, Acks, Done, Failed, Outgoing, Place, Refusal, Settings, Written, each_record,
};
use sawlog_wire::Code;
use sawlog_wire::records::{Codec, compress};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::client::{Client, roll};
use crate::driver;
use crate::error::{Error, Kind};
use crate::record::{Header, Record};
use bytes::Bytes;

/// How a producer is made.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is awaited"]
pub struct ProducerBuilder {
    client: Client,
    settings: Settings,
}

impl ProducerBuilder {
    pub(crate) fn new(client: Client) -> ProducerBuilder {
        ProducerBuilder {
            client,
            settings: Settings::default(),
        }
    }

    /// `linger.ms`: how long a batch waits for more records. 5 ms if not given.
    pub fn linger(mut self, linger: Duration) -> ProducerBuilder {
        self.settings.linger = linger;
        self
    }

    /// `batch.size`: bytes of records in one batch, before compression. 1,000,000 if not given.
    pub fn batch_size(mut self, bytes: usize) -> ProducerBuilder {
        self.settings.batch_bytes = bytes;
        self
    }

    /// `buffer.memory`: bytes of all records without an answer; beyond it, sending waits. 64 MiB if not given.
    pub fn buffer_memory(mut self, bytes: usize) -> ProducerBuilder {
        self.settings.buffer_bytes = bytes;
        self
    }

    /// `max.request.size`: bytes that a record may take, before compression; the topic's `max.message.bytes` bounds it too.
    /// 1 MiB if not given. A record that is larger than that goes in a request of its own, whatever is given.
    pub fn max_request_size(mut self, bytes: usize) -> ProducerBuilder {
        self.settings.record_bytes = bytes;
        self
    }

    /// `delivery.timeout.ms`: how long a record is tried for. Its answer comes at most one request's time later. Two
    /// minutes if not given.
    pub fn delivery_timeout(mut self, limit: Duration) -> ProducerBuilder {
        self.settings.delivery_timeout = limit;
        self
    }

    /// `compression.type`. None if not given. zstd is written by builds with the cargo feature `zstd` only.
    pub fn compression(mut self, codec: Codec) -> ProducerBuilder {
        self.settings.codec = codec;
        self
    }

    /// `acks`. With anything but [`Acks::All`] batches are not numbered: one whose request is lost is not sent again.
    pub fn acks(mut self, acks: Acks) -> ProducerBuilder {
        self.settings.acks = acks;
        self.settings.idempotent = acks == Acks::All;
        self
    }

    /// `partitioner`: how keys become partitions. Java's murmur2 if not given.
    pub fn partitioner(mut self, partitioner: Partitioner) -> ProducerBuilder {
        self.settings.partitioner = partitioner;
        self
    }

    /// Makes the producer. Nothing is sent yet. Errors: [`Kind::Unsupported`] for a codec that this build does not write.
    pub async fn build(self) -> Result<Producer, Error> {
        let codec = self.settings.codec;
        if !compress::writes(codec) {
            let why = format!(
                "compression with {codec} is not compiled in: build with the cargo feature {:?} of sawlog-client",
                codec.name()
            );
            return Err(Error::new(Kind::Unsupported, why));
        }
        let shared = Arc::new(Shared {
            client: self.client,
            began: Instant::now(),
            state: Mutex::new(State {
                machine: produce::Producer::new(self.settings),
                dice: roll() | 1,
                closing: false,
            }),
            kick: Notify::new(),
            changed: Notify::new(),
        });
        tokio::spawn(driver::run(shared.clone()));
        Ok(Producer {
            handle: Arc::new(Handle(shared)),
        })
    }
}

impl IntoFuture for ProducerBuilder {
    type Output = Result<Producer, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.build())
    }
}

/// Sends records. Cheap to clone: all clones share their batches. When the last one is dropped, what was taken is still
/// sent; [`Producer::close`] waits for it.
#[derive(Clone, Debug)]
pub struct Producer {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closing = true;
        state.machine.flush();
        drop(state);
        self.0.kick.notify_one();
    }
}

/// What handles and driver share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) began: Instant,
    state: Mutex<State>,
    /// The driver should look at the machine.
    pub(crate) kick: Notify,
    /// Something was decided: there may be room, or nothing left.
    changed: Notify,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) machine: produce::Producer<Arc<Slot>>,
    dice: u64,
    pub(crate) closing: bool,
}

impl State {
    /// Any number, evenly drawn (xorshift64).
    pub(crate) fn roll(&mut self) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice
    }
}

impl Shared {
    /// The machine. Nothing waits while it is held, and a panic under it leaves it whole.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who wait what was decided.
    pub(crate) fn settle(&self, done: Vec<Done<Arc<Slot>>>) {
        if done.is_empty() {
            return;
        }
        for done in done {
            done.tag.clone().settle(done);
        }
        self.changed.notify_waiters();
    }
}

/// What became of the records of a batch, and who waits to hear it.
#[derive(Debug, Default)]
pub(crate) struct Slot(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    results: Vec<(u32, u32, Result<Written, Failed>)>,
    wakers: Vec<Waker>,
    /// How often the wakers were used up: a place among them is one of its round.
    round: u32,
}

impl Slot {
    fn settle(&self, done: Done<Arc<Slot>>) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.results.push((done.first, done.count, done.result));
        told.round += 1;
        let wakers = std::mem::take(&mut told.wakers);
        drop(told);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Where a record lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Sent {
    /// Its partition.
    pub partition: i32,
    /// Its offset; -1 where the broker did not say: with `acks=0`, or when it had the batch from an earlier request.
    pub offset: i64,
}

/// A record that was not sent, or may not have been: it comes back to its sender, with what is known.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SendError {
    /// The record, its time set. Empty where not even that can be told any more.
    pub record: Record,
    /// Whether it may lie in the log all the same.
    pub outcome: Outcome,
    /// Why.
    pub error: Error,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::NotWritten => "was not written",
            Outcome::Unknown => "may not have been written",
        };
        write!(
            f,
            "a record to {} {outcome}: {}",
            self.record.topic, self.error
        )
    }
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<Box<SendError>> for Error {
    fn from(unsent: Box<SendError>) -> Error {
        unsent.error
    }
}

impl Producer {
    /// Sends a record and waits for its answer. Kafka: Produce. Dropped, the record may be sent all the same.
    pub async fn send(&self, record: Record) -> Result<Sent, Box<SendError>> {
        self.enqueue(record).await?.await
    }

    /// Takes a record, waiting only until there is room for it. The ticket is its answer to come. Cancel safe: dropped
    /// before it is done, the record is not sent.
    pub async fn enqueue(&self, record: Record) -> Result<Ticket, Box<SendError>> {
        let shared = &self.handle.0;
        // Who never has to wait would keep the thread from those who send.
        tokio::task::coop::consume_budget().await;
        // Most need no wait, and so nobody to wake them.
        if let Ok(ticket) = self.take(&record) {
            return Ok(ticket);
        }
        loop {
            let mut changed = pin!(shared.changed.notified());
            changed.as_mut().enable();
            match self.take(&record) {
                Ok(ticket) => return Ok(ticket),
                Err(Refusal::Unknown) => {
                    if let Err(error) = self.learn(&record.topic).await {
                        return Err(unsent(record, error));
                    }
                }
                Err(Refusal::Full) => changed.await,
                Err(refusal) => return Err(refused(record, refusal)),
            }
        }
    }

    /// Takes a record if there is room for it now; else it comes back with [`Kind::Full`]. A topic that was not sent to
    /// before is asked for first: until then there is no room.
    pub fn try_enqueue(&self, record: Record) -> Result<Ticket, Box<SendError>> {
        match self.take(&record) {
            Ok(ticket) => Ok(ticket),
            Err(refusal) => {
                self.handle.0.kick.notify_one();
                Err(refused(record, refusal))
            }
        }
    }

    fn take(&self, record: &Record) -> Result<Ticket, Refusal> {
        let shared = &self.handle.0;
        let now = driver::now(shared.began);
        let mut headers = Vec::new();
        let outgoing = Outgoing {
            topic: &record.topic,
            partition: record.partition,
            record: record.borrowed(&mut headers),
        };
        let mut state = shared.lock();
        let roll = state.roll();
        let Place {
            tag, number, wake, ..
        } = state.machine.enqueue(&outgoing, now, roll)?;
        drop(state);
        if wake {
            shared.kick.notify_one();
        }
        Ok(Ticket {
            slot: tag,
            number,
            topic: record.topic.clone(),
            pinned: record.partition.is_some(),
            waits: None,
        })
    }

    async fn learn(&self, topic: &str) -> Result<(), Error> {
        let shared = &self.handle.0;
        let known = shared.client.topic(topic).await?;
        if known.partitions.is_empty() {
            return Err(Error::refused(topic, Code::LeaderNotAvailable.into(), None));
        }
        let known = shared.client.known().await;
        shared.lock().machine.learn(&known);
        Ok(())
    }

    /// Sends everything taken so far without lingering, and waits until all records are answered. Cancel safe.
    pub async fn flush(&self) {
        let shared = &self.handle.0;
        self.hurry();
        loop {
            let mut changed = pin!(shared.changed.notified());
            changed.as_mut().enable();
            if self.undecided() == 0 {
                return;
            }
            changed.await;
        }
    }

    /// Sends everything taken so far without lingering.
    pub(crate) fn hurry(&self) {
        let shared = &self.handle.0;
        shared.lock().machine.flush();
        shared.kick.notify_one();
    }

    /// Records without an answer.
    pub fn undecided(&self) -> u64 {
        self.handle.0.lock().machine.undecided()
    }

    /// Flushes, within `limit`. Then what has no answer fails: the error says how many records that are, and each ticket
    /// gives its record back.
    pub async fn close(self, limit: Duration) -> Result<(), Unfinished> {
        if timeout(limit, self.flush()).await.is_ok() {
            return Ok(());
        }
        let shared = &self.handle.0;
        let mut state = shared.lock();
        let records = state.machine.undecided();
        state.machine.give_up();
        let done = state.machine.done();
        drop(state);
        shared.settle(done);
        if records == 0 {
            Ok(())
        } else {
            Err(Unfinished { records })
        }
    }
}

/// A producer was closed before all its records had an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Unfinished {
    /// How many had none.
    pub records: u64,
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} records had no answer when the producer was closed",
            self.records
        )
    }
}

impl std::error::Error for Unfinished {}

/// The answer to a record, to come.
#[derive(Debug)]
#[must_use = "whether the record was written is told here and nowhere else"]
pub struct Ticket {
    slot: Arc<Slot>,
    number: u32,
    topic: Arc<str>,
    pinned: bool,
    /// Where its waker stands, and in which round.
    waits: Option<(u32, usize)>,
}

impl Ticket {
    /// The answer, if it has come, without waiting for it.
    pub fn answer(&self) -> Option<Result<Sent, Box<SendError>>> {
        self.told(&self.slot.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn told(&self, told: &Told) -> Option<Result<Sent, Box<SendError>>> {
        let mine =
            |(first, count, _): &&(u32, u32, _)| (*first..first + count).contains(&self.number);
        let (first, _, result) = told.results.iter().find(mine)?;
        Some(match result {
            Ok(written) => Ok(Sent {
                partition: written.partition,
                offset: written
                    .base_offset
                    .map_or(-1, |base| base + i64::from(self.number - first)),
            }),
            Err(failed) => Err(self.failed(self.number - first, failed)),
        })
    }

    fn failed(&self, number: u32, failed: &Failed) -> Box<SendError> {
        let mut record = Record::to(self.topic.clone());
        record.partition = self.pinned.then_some(failed.partition);
        let mut at = 0;
        // It stops at the record that is looked for.
        let _ = each_record(&failed.batch, |found| {
            if at == number {
                record.timestamp = Some(found.timestamp);
                record.key = found.key.map(Bytes::copy_from_slice);
                record.value = found.value.map(Bytes::copy_from_slice);
                let header = |(name, value): &(&[u8], Option<&[u8]>)| Header {
                    name: Bytes::copy_from_slice(name),
                    value: value.map(Bytes::copy_from_slice),
                };
                record.headers = found.headers.iter().map(header).collect();
            }
            at += 1;
            (at <= number).then_some(())
        });
        let place = format!("{} partition {}", self.topic, failed.partition);
        let error = match failed.code {
            Some(code) => {
                let words = failed.words.of_record(number);
                Error::refused(&place, code.into(), words.as_deref())
            }
            None => Error::lost(failed.outcome, format!("{place}: no answer in time")),
        };
        Box::new(SendError {
            record,
            outcome: failed.outcome,
            error: error.with_outcome(failed.outcome),
        })
    }
}

impl Future for Ticket {
    type Output = Result<Sent, Box<SendError>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let slot = self.slot.clone();
        let mut told = slot.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(result) = self.told(&told) {
            return Poll::Ready(result);
        }
        let round = told.round;
        let mine = self.waits.filter(|(of, _)| *of == round);
        let waits = mine.and_then(|(_, at)| told.wakers.get_mut(at));
        match waits {
            Some(waker) => waker.clone_from(context.waker()),
            None => {
                self.waits = Some((round, told.wakers.len()));
                told.wakers.push(context.waker().clone());
            }
        }
        Poll::Pending
    }
}

fn unsent(record: Record, error: Error) -> Box<SendError> {
    Box::new(SendError {
        record,
        outcome: Outcome::NotWritten,
        error,
    })
}

fn refused(record: Record, refusal: Refusal) -> Box<SendError> {
    let error = match refusal {
        Refusal::Unknown => Error::new(Kind::Full, "the topic is being asked for"),
        Refusal::Full => Error::new(
            Kind::Full,
            "as many records as the buffer holds wait for their answers",
        ),
        Refusal::NoPartition(count) => {
            let place = format!(
                "{} has {count} partitions, and this one is none of them",
                record.topic
            );
            Error::refused(&place, Code::UnknownTopicOrPartition.into(), None)
        }
        Refusal::TooLarge { size, most } => {
            let why = format!("it may take {size} bytes, and max.request.size is {most}");
            Error::too_large(&format!("a record for {}: {why}", record.topic))
        }
        Refusal::Build(why) => Error::new(Kind::Invalid, format!("it makes no record: {why}")),
    };
    unsent(record, error)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn each_ticket_of_a_split_batch_is_woken_whoever_asks_first() {
        let slot = Arc::new(Slot::default());
        let ticket = |number| Ticket {
            slot: slot.clone(),
            number,
            topic: "t".into(),
            pinned: false,
            waits: None,
        };
        let settle = |first, count| {
            let written = Written {
                partition: 0,
                base_offset: Some(i64::from(first)),
                log_append_time: None,
            };
            slot.settle(Done {
                tag: slot.clone(),
                first,
                count,
                result: Ok(written),
            });
        };
        let (mut one, mut other) = (ticket(1), ticket(2));
        let woken = [Arc::new(Woken::default()), Arc::new(Woken::default())];
        let poll = |ticket: &mut Ticket, by: &Arc<Woken>| {
            Pin::new(ticket).poll(&mut Context::from_waker(&by.clone().into()))
        };
        assert!(poll(&mut one, &woken[0]).is_pending());
        assert!(poll(&mut other, &woken[1]).is_pending());
        settle(0, 1);
        // They ask again in the other order.
        assert!(poll(&mut other, &woken[1]).is_pending());
        assert!(poll(&mut one, &woken[0]).is_pending());
        settle(1, 2);
        let counts = woken
            .each_ref()
            .map(|woken| woken.0.load(Ordering::Relaxed));
        assert_eq!(counts, [2, 2], "one waits for ever");
        assert!(matches!(
            poll(&mut one, &woken[0]),
            Poll::Ready(Ok(Sent { offset: 1, .. }))
        ));
        assert!(matches!(
            poll(&mut other, &woken[1]),
            Poll::Ready(Ok(Sent { offset: 2, .. }))
        ));
    }

    #[cfg(not(feature = "zstd"))]
    #[tokio::test]
    async fn a_codec_that_is_not_compiled_in_is_refused_before_a_record_is_taken_and_names_its_feature()
     {
        let refused = Client::unconnected()
            .producer()
            .compression(Codec::Zstd)
            .await;
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.to_string().contains("feature \"zstd\""), "{error}");
    }
}
