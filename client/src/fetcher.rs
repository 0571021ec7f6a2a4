//! The tasks behind a consumer, one for each leader: they ask for what comes next before they hand on what came, so that
//! broker and program work at once. Decides what is asked of whom and what an error of a partition means; never where
//! reading begins, nor when a topic counts as gone (`presence`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use sawlog_engine::backoff::Backoff;
use sawlog_engine::connection::Outcome;
use sawlog_engine::metadata::{BrokerId, Topic};
use sawlog_engine::presence::{Doubts, PATIENCE, Presence, Told};
use sawlog_engine::session::{Session, Wanted};
use sawlog_engine::time::Mono;
use sawlog_engine::trouble::{Trouble, lasting};
use sawlog_wire::messages::fetch::PartitionData;
use sawlog_wire::messages::{FetchRequest, FetchResponse};
use sawlog_wire::records::Batches;
use sawlog_wire::{Code, Uuid};
use tokio::sync::mpsc::Sender;
use tokio::time::sleep;

use crate::client::{Client, Lane, roll};
use crate::conn::Coming;
use crate::consumer::Batch;
use crate::error::{Error, Kind};
use crate::offsets::{Place, said};
use crate::record::Unpacker;

/// The latest version that names topics, not ids.
const BY_NAME: i16 = 12;

/// How much is fetched at once. Kafka's names stand beside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// `fetch.max.wait.ms`.
    wait: i32,
    /// `fetch.max.bytes`.
    pub(crate) bytes: i32,
    /// `max.partition.fetch.bytes`.
    pub(crate) partition_bytes: i32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            wait: 500,
            bytes: 16 << 20,
            partition_bytes: 4 << 20,
        }
    }
}

/// How far a partition was read, and how far it is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    /// Of the topic that reading began with; zero from a broker too old to say.
    pub(crate) topic_id: Uuid,
    pub(crate) next: i64,
    pub(crate) until: i64,
    /// Of this partition, whoever leads it.
    pub(crate) trouble: Trouble,
}

type Reads = BTreeMap<Place, Read>;
type To = Sender<Result<Batch, Error>>;

/// Begins to read.
pub(crate) async fn begin(
    client: Client,
    settings: Settings,
    reads: Vec<(Place, Read)>,
    to: To,
) -> Result<(), Error> {
    let mut by_leader: BTreeMap<BrokerId, Reads> = BTreeMap::new();
    let places: Vec<&Place> = reads.iter().map(|(place, _)| place).collect();
    let mut leaders = client.leaders(&places).await;
    for (place, read) in reads {
        if let Some(leader) = leaders.remove(&place) {
            by_leader.entry(leader?).or_default().insert(place, read);
        }
    }
    for (leader, reads) in by_leader {
        tokio::spawn(Fetcher::new(client.clone(), settings, leader, reads, to.clone()).run());
    }
    Ok(())
}

struct Fetcher {
    client: Client,
    settings: Settings,
    leader: BrokerId,
    reads: Reads,
    /// Of the topics that it began with; those by no id are named in answers.
    names: BTreeMap<Uuid, Arc<str>>,
    session: Session,
    /// The session, with the last answer.
    forgotten: bool,
    unpacker: Unpacker,
    backoff: Backoff,
    doubts: Doubts,
    to: To,
}

/// One partition of an answer.
struct Found {
    place: Place,
    from: i64,
    until: i64,
    next: i64,
    high_watermark: i64,
    records: Bytes,
}

impl Fetcher {
    fn new(client: Client, settings: Settings, leader: BrokerId, reads: Reads, to: To) -> Fetcher {
        Fetcher {
            client,
            settings,
            leader,
            names: reads
                .iter()
                .map(|((name, _), read)| (read.topic_id, name.clone()))
                .collect(),
            reads,
            session: Session::default(),
            forgotten: false,
            unpacker: Unpacker::new(),
            backoff: Backoff::default(),
            doubts: Doubts::default(),
            to,
        }
    }

    /// Until everything was read, an error ended every partition, or nobody takes what comes.
    async fn run(mut self) {
        let mut coming = None;
        while !self.reads.is_empty() {
            let asked = match coming.take() {
                Some(coming) => Ok(coming),
                None => self.ask().await,
            };
            let gone = self.to.clone();
            let answer = async { asked?.read::<FetchRequest>().await };
            let answer = tokio::select! {
                answer = answer => answer,
                () = gone.closed() => return,
            };
            let found = match answer {
                Ok(answer) => self.take_in(answer).await,
                Err(error) => {
                    self.session.lost();
                    self.unreachable(error).await;
                    continue;
                }
            };
            let Some(found) = found else { continue };
            // What comes next is under way while what came is taken apart.
            if !self.reads.is_empty() {
                coming = self.ask().await.ok();
            }
            let begun = self.client.now();
            for found in found {
                if !self.hand_on(found).await {
                    return;
                }
            }
            self.waited_since(begun);
        }
    }

    /// Since then whoever reads took what was told: nobody was asked meanwhile, and no trouble grew older.
    fn waited_since(&mut self, begun: Mono) {
        let waited = self.client.now().since(begun);
        for read in self.reads.values_mut() {
            read.trouble.unasked(waited);
        }
    }

    async fn ask(&mut self) -> Result<Coming, Error> {
        let bytes = self.settings.partition_bytes;
        let reads = self.reads.iter();
        let wanted = self.client.look(|known| {
            let wanted = reads.map(|(place, read)| {
                let leader = known.leader(&place.0, place.1);
                let wanted = Wanted {
                    topic_id: read.topic_id,
                    offset: read.next,
                    leader_epoch: leader.map_or(-1, |(_, epoch)| epoch),
                    bytes,
                };
                (place.clone(), wanted)
            });
            wanted.collect::<BTreeMap<_, _>>()
        });
        let wanted = wanted.await;
        let mut request = FetchRequest {
            max_wait_ms: self.settings.wait,
            min_bytes: 1,
            max_bytes: self.settings.bytes,
            ..Default::default()
        };
        self.session.ask(&wanted, &mut request);
        // By id, so that no other topic of the same name answers; a session takes ids of all topics or of none.
        let named = self.reads.values().all(|read| !read.topic_id.is_zero());
        let most = if named { i16::MAX } else { BY_NAME };
        let conn = self.client.broker(self.leader, Lane::Fetch).await?;
        conn.start(request, most).await
    }

    /// What an answer brought; `None` when it must be asked again. Positions are moved on.
    async fn take_in(&mut self, answer: FetchResponse) -> Option<Vec<Found>> {
        if !self.session.answered(answer.error_code, answer.session_id) {
            // Once is what sessions do; of who forgets each one no more is hoped than of any other refusal.
            if std::mem::replace(&mut self.forgotten, true) {
                let error = Error::refused("Fetch", answer.error_code, None);
                self.unreachable(error).await;
            }
            return None;
        }
        self.forgotten = false;
        if !answer.error_code.is_none() {
            let error = Error::refused("Fetch", answer.error_code, None);
            self.unreachable(error).await;
            return None;
        }
        let (mut found, mut moved) = (Vec::new(), false);
        let mut refused = BTreeSet::new();
        for topic in answer.responses {
            let name = if topic.topic_id.is_zero() {
                topic.topic.into()
            } else {
                match self.names.get(&topic.topic_id) {
                    Some(name) => name.clone(),
                    // Not what was asked for.
                    None => continue,
                }
            };
            for part in topic.partitions {
                let place = (name.clone(), part.partition_index);
                if !part.error_code.is_none() {
                    moved |= self.refused(&place, &part).await;
                    refused.insert(place);
                    continue;
                }
                found.extend(self.found(place, part));
            }
        }
        // A session leaves out those of which there is nothing new.
        for (place, read) in &mut self.reads {
            if !refused.contains(place) {
                read.trouble.passed();
            }
        }
        if moved {
            self.look_for_leaders().await;
        } else {
            self.backoff.succeeded();
            self.doubts.end();
        }
        Some(found)
    }

    fn found(&mut self, place: Place, part: PartitionData) -> Option<Found> {
        let read = self.reads.get_mut(&place)?;
        let records = part
            .records
            .map_or_else(Bytes::new, |records| records.into_bytes());
        let (from, until) = (read.next, read.until);
        for batch in Batches::new(&records).map_while(Result::ok) {
            read.next = read.next.max(batch.header.next_offset());
        }
        let next = read.next;
        if next >= until {
            self.reads.remove(&place);
        }
        (next > from).then_some(Found {
            place,
            from,
            until,
            next,
            high_watermark: part.high_watermark,
            records,
        })
    }

    /// A partition cannot be read, now or at all. True: somebody else may lead it.
    async fn refused(&mut self, place: &Place, part: &PartitionData) -> bool {
        // Read no more since it was asked for.
        let Some(read) = self.reads.get_mut(place) else {
            return false;
        };
        let mut error = Error::refused(&said(place), part.error_code, None);
        if error.is_retriable() {
            let limit = self.client.limit();
            // Whether a topic is gone takes that long to tell, and is told in words of its own.
            let least = match error.code() {
                Some(Code::UnknownTopicOrPartition | Code::UnknownTopicId) => PATIENCE * 2,
                _ => limit,
            };
            if !read.trouble.lasts(self.client.now(), limit.max(least)) {
                self.client.forget(&place.0).await;
                return true;
            }
            error = error.lasting(limit);
        }
        if self.reads.remove(place).is_some() {
            let _ = self.to.send(Err(error)).await;
        }
        false
    }

    /// The leader does not answer. Retriable errors are tried again for as long as a call is; then they are told.
    async fn unreachable(&mut self, error: Error) {
        if !error.is_retriable() {
            return self.end(error).await;
        }
        let (now, limit) = (self.client.now(), self.client.limit());
        let all = self.reads.iter_mut();
        let all = all.map(|(place, read)| (place.clone(), &mut read.trouble));
        let lasting = lasting(all, now, limit);
        if !lasting.is_empty() {
            let refused = error.kind() == Kind::Refused;
            let error = if refused { error.lasting(limit) } else { error };
            if lasting.len() == self.reads.len() {
                return self.end(error).await;
            }
            let error = error.with_outcome(Outcome::NotWritten);
            for place in lasting {
                self.reads.remove(&place);
                let _ = self.to.send(Err(error.clone().about(&said(&place)))).await;
            }
            self.waited_since(now);
        }
        let topics: Vec<Arc<str>> = self.reads.keys().map(|(topic, _)| topic.clone()).collect();
        for topic in topics {
            self.client.forget(&topic).await;
        }
        self.look_for_leaders().await;
    }

    /// This topic cannot be read at all: each of its partitions is told.
    async fn end_topic(&mut self, name: &str, code: Code) {
        let places = self.reads.keys().filter(|(topic, _)| **topic == *name);
        for place in places.cloned().collect::<Vec<Place>>() {
            self.reads.remove(&place);
            let error = Error::refused(&said(&place), code.into(), None);
            let _ = self.to.send(Err(error)).await;
        }
    }

    async fn end(&mut self, error: Error) {
        self.reads.clear();
        // Whatever became of a request to read, it changed nothing.
        let error = error.with_outcome(Outcome::NotWritten);
        let _ = self.to.send(Err(error)).await;
    }

    /// Asks who leads, and hands partitions that somebody else leads to a task of their own. Those of topics that are gone
    /// are read no more, and that is told.
    async fn look_for_leaders(&mut self) {
        sleep(self.backoff.failed(roll())).await;
        let mut topics: BTreeMap<Arc<str>, Uuid> = BTreeMap::new();
        for ((topic, _), read) in &self.reads {
            topics.insert(topic.clone(), read.topic_id);
        }
        let mut moved: BTreeMap<BrokerId, Reads> = BTreeMap::new();
        let mut told = self
            .client
            .known_topics(topics.keys().map(|name| &**name))
            .await;
        for (name, began) in topics {
            let topic = match told.remove(&*name) {
                Some(Ok(topic)) => Some(topic),
                None => None,
                Some(Err(error)) if error.code() == Some(Code::UnknownTopicOrPartition) => None,
                Some(Err(error)) => match error.code() {
                    // The call has tried for as long as it may. What others lead is read on.
                    None => {
                        self.end(error).await;
                        break;
                    }
                    Some(_) if error.is_retriable() => continue,
                    Some(code) => {
                        self.end_topic(&name, code).await;
                        continue;
                    }
                },
            };
            let told = topic
                .as_ref()
                .map_or(Told::Nothing, |topic| Told::Topic(topic.id));
            let presence = self.doubts.judge(&name, began, told, self.client.now());
            let places = self.reads.keys().filter(|(topic, _)| *topic == name);
            for place in places.cloned().collect::<Vec<Place>>() {
                let leads = |topic: &Topic| topic.partitions.get(&place.1)?.leader;
                match (presence, topic.as_ref().and_then(leads)) {
                    (Presence::Here, Some(leader)) if leader != self.leader => {
                        if let Some(read) = self.reads.remove(&place) {
                            moved.entry(leader).or_default().insert(place, read);
                        }
                    }
                    (Presence::Here | Presence::Doubted, _) => {}
                    (Presence::Deleted | Presence::Replaced, _) => {
                        self.reads.remove(&place);
                        let _ = self.to.send(Err(gone(&place, presence))).await;
                    }
                }
            }
            if presence != Presence::Here {
                self.client.forget(&name).await;
            }
        }
        for (leader, reads) in moved {
            let (client, to) = (self.client.clone(), self.to.clone());
            spawn(client, self.settings, leader, reads, to);
        }
    }

    /// Hands on what was found. False: nobody takes it.
    async fn hand_on(&mut self, found: Found) -> bool {
        let Found {
            place,
            from,
            until,
            next,
            high_watermark,
            records,
        } = found;
        // A name of its own for each batch: who drops the messages of one, on another processor, does not hold up who
        // makes those of the next.
        let name: Arc<str> = Arc::from(&*place.0);
        let unpacked = self.unpacker.unpack(&name, place.1, &records, from);
        let (mut messages, _) = match unpacked {
            Ok(unpacked) => unpacked,
            Err(error) => {
                self.reads.remove(&place);
                return self.to.send(Err(error)).await.is_ok();
            }
        };
        messages.truncate(messages.partition_point(|message| message.offset < until));
        let batch = Batch {
            topic: name,
            partition: place.1,
            messages,
            next: next.min(until),
            high_watermark,
        };
        self.to.send(Ok(batch)).await.is_ok()
    }
}

/// How the end of a topic is told.
fn gone(place: &Place, presence: Presence) -> Error {
    let (code, why) = match presence {
        Presence::Replaced => (
            Code::UnknownTopicId,
            "the topic was deleted while it was read, and another one has its name now",
        ),
        _ => (
            Code::UnknownTopicOrPartition,
            "the topic was deleted while it was read",
        ),
    };
    Error::refused(&said(place), code.into(), Some(why))
}

/// A task begins another one of its kind: the compiler asks for the size of neither.
fn spawn(client: Client, settings: Settings, leader: BrokerId, reads: Reads, to: To) {
    let task: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> =
        Box::pin(Fetcher::new(client, settings, leader, reads, to).run());
    tokio::spawn(task);
}
