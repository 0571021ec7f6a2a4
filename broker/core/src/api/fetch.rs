//! Key 1, Fetch 4-18, for consumers (KIP-74, KIP-227, KIP-320, KIP-516, KIP-951).
//! Decides which partitions are read how far, when there is enough to answer, and that every Fetch is answered by its
//! `max_wait` (gotcha 12). Never reads a byte: it asks each log once, then again only where a watch says that there may be
//! more. Records pass through as they lie in the log. Gotchas 11, 13 and 14; #26 is the log's to judge.

use alloc::boxed::Box;
use alloc::vec::Vec;

use sawlog_wire::messages::FetchResponse;
use sawlog_wire::messages::fetch::{
    EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::records::{Batches, Codec};
use sawlog_wire::views::{FetchPartitionView, FetchView, TopicKey};
use sawlog_wire::{Code, Pieces, Reader};

use super::fetch_sessions::{self, Kind};
use super::fields::{epoch, isolation, timeout};
use super::hints;
use super::job::{Begun, Call, Job as AnyJob, bounded};
use crate::answer::{FetchAnswer, FetchPart, Isolation, Part, WatchPart};
use crate::ids::{LeaderEpoch, LogId, Offset};
use crate::map::Set;
use crate::now::{Deadline, Now};
use crate::proof;

/// Waits for the logs, or for more to be in them. The response is put together in place.
pub(super) struct Job {
    pub(super) response: FetchResponse,
    wants: Vec<Want>,
    isolation: Isolation,
    kind: Kind,
    /// Enough to answer with.
    least: usize,
    /// What is in the response now.
    have: usize,
    /// What more may be in it.
    room: usize,
    /// What the asks under way may bring at most.
    promised: usize,
    /// The first want that was never asked.
    next: usize,
    /// Asks under way.
    asked: usize,
    /// Some part came to an error or a parting of histories: the client is told at once.
    urgent: bool,
    deadline: Deadline,
    done: bool,
}

/// One partition to be read.
struct Want {
    topic: usize,
    partition: usize,
    log: LogId,
    from: Offset,
    epoch: Option<LeaderEpoch>,
    last_epoch: Option<LeaderEpoch>,
    max: usize,
    /// What its ask under way may bring.
    promised: usize,
    /// Its last ask was for one whole batch at least, whatever its size.
    whole: bool,
    /// Bytes of it in the response.
    have: usize,
    /// The end that it may see, as of its last answer.
    end: Offset,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not asked, or answered.
    Still,
    Asked,
    Watching,
}

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let request = FetchView::decode(body.clone(), call.version)?;
    bounded(body.left(), || {
        request
            .topics
            .iter()
            .map(|topic| topic.partitions.len())
            .sum()
    })?;
    let mut response = FetchResponse::default();
    let at = (call.conn, call.request);
    let kind = isolation(request.isolation_level).and_then(|isolation| {
        let (now, version) = (call.host.now, call.version);
        let kind = fetch_sessions::begin(call.host.sessions, at, now, version, &request)?;
        Ok((isolation, kind))
    });
    let (isolation, kind) = match kind {
        Ok(known) => known,
        Err(code) => {
            response.error_code = code.into();
            let job = Job::over(response);
            return Ok(Begun::Job(AnyJob::Fetch(Box::new(job))));
        }
    };
    let replica = request.replica_id >= 0 && !proof::mutant("replica-id-trusted");
    let room = usize::try_from(request.max_bytes)
        .unwrap_or(0)
        .min(call.host.config.fetch_max_bytes as usize);
    let mut job = Job {
        isolation,
        kind,
        least: usize::try_from(request.min_bytes).unwrap_or(0).min(room),
        room,
        deadline: call.host.now.after(timeout(request.max_wait_ms)),
        done: false,
        ..Job::over(response)
    };
    match (kind, call.host.sessions.of(call.conn)) {
        (Kind::Further(_), Some(session)) => job.collect(call, session.wanted(), replica),
        _ => {
            let topics = request.topics.iter();
            let wanted = topics.flat_map(|topic| {
                let key = topic.topic;
                topic.partitions.iter().map(move |wanted| (key, wanted))
            });
            job.collect(call, wanted, replica);
        }
    }
    job.go_on(call);
    Ok(Begun::Job(AnyJob::Fetch(Box::new(job))))
}

impl Job {
    /// One that is ready.
    fn over(response: FetchResponse) -> Job {
        Job {
            response,
            wants: Vec::new(),
            isolation: Isolation::ReadUncommitted,
            kind: Kind::Alone,
            least: 0,
            have: 0,
            room: 0,
            promised: 0,
            next: 0,
            asked: 0,
            urgent: false,
            deadline: Deadline::default(),
            done: true,
        }
    }

    /// Lays the response out, and what is wanted for it. A partition that is named again is not read again, as in Kafka.
    fn collect<'w>(
        &mut self,
        call: &Call<'_, '_>,
        wanted: impl Iterator<Item = (TopicKey<'w>, FetchPartitionView)>,
        replica: bool,
    ) {
        let image = call.host.image;
        let mut seen = Set::new();
        let mut last = None;
        let mut topic = Err(Code::UnknownTopicOrPartition);
        for (key, partition) in wanted {
            if last != Some(key) {
                last = Some(key);
                topic = hints::topic(image, key);
                let (name, topic_id) = hints::key(key);
                self.response.responses.push(FetchableTopicResponse {
                    topic: name,
                    topic_id,
                    ..FetchableTopicResponse::default()
                });
            }
            let at = self.response.responses.len() - 1;
            let Some(row) = self.response.responses.last_mut() else {
                continue;
            };
            let log = topic.and_then(|topic| hints::log(topic, partition.index));
            // Whoever says that it is a replica wants a replica's powers, and there are none on this listener (#116).
            let log = log.and_then(|log| {
                if replica {
                    Err(Code::NotLeaderOrFollower)
                } else {
                    Ok(log)
                }
            });
            match log {
                Ok(log) if !seen.insert(log) => continue,
                Ok(log) => self.wants.push(Want {
                    topic: at,
                    partition: row.partitions.len(),
                    log,
                    from: Offset(partition.fetch_offset),
                    epoch: epoch(partition.current_leader_epoch),
                    last_epoch: epoch(partition.last_fetched_epoch),
                    max: usize::try_from(partition.partition_max_bytes).unwrap_or(0),
                    promised: 0,
                    whole: false,
                    have: 0,
                    end: Offset(partition.fetch_offset),
                    state: State::Still,
                }),
                Err(_) => self.urgent = true,
            }
            row.partitions.push(nothing(partition.index, log.err()));
        }
    }

    pub(super) fn ready(&self) -> bool {
        self.done
    }

    /// Bytes of records in the response now.
    pub(super) fn have(&self) -> usize {
        self.have
    }

    /// How many there may be at most, but for a first batch that is larger.
    pub(super) fn most(&self) -> usize {
        let asked = self.wants.iter().map(|want| want.max).sum();
        self.room.saturating_add(self.have).min(asked)
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        // While asks are under way their answers come by themselves, and nothing else is to be done.
        (!self.done && self.asked == 0).then_some(self.deadline)
    }

    /// Asks as many logs as the room allows at once, though each brought as much as it may; the last ones, for whom there
    /// is no room left, still tell their marks.
    fn go_on(&mut self, call: &mut Call<'_, '_>) {
        while let Some(want) = self.wants.get(self.next) {
            let free = self.room.saturating_sub(self.promised);
            if free == 0 && self.room > 0 {
                return;
            }
            let (max, first) = (want.max.min(free), self.next == 0);
            self.ask(call, self.next, max, first);
            self.next += 1;
        }
        if self.asked == 0 {
            self.settle(call);
        }
    }

    fn ask(&mut self, call: &mut Call<'_, '_>, at: usize, max: usize, at_least_one: bool) {
        let isolation = self.isolation;
        let Some(want) = self.wants.get_mut(at) else {
            return;
        };
        (want.state, want.promised, want.whole) = (State::Asked, max, at_least_one);
        self.promised += max;
        self.asked += 1;
        let part = FetchPart {
            log: want.log,
            from: want.from,
            epoch: want.epoch,
            last_epoch: want.last_epoch,
            isolation,
            max_bytes: u32::try_from(max).unwrap_or(u32::MAX),
            at_least_one,
        };
        call.ask(want.log, number(at), Part::Fetch(part));
    }

    pub(super) fn hear(&mut self, call: &mut Call<'_, '_>, part: u32, answer: FetchAnswer) {
        let at = part as usize;
        let Some(want) = self
            .wants
            .get_mut(at)
            .filter(|want| want.state == State::Asked)
        else {
            return;
        };
        want.state = State::Still;
        self.asked -= 1;
        self.promised -= core::mem::take(&mut want.promised);
        want.end = match self.isolation {
            Isolation::ReadUncommitted => answer.hw,
            Isolation::ReadCommitted => answer.stable,
        };
        let (log, topic, partition) = (want.log, want.topic, want.partition);
        let row = self
            .response
            .responses
            .get_mut(topic)
            .and_then(|topic| topic.partitions.get_mut(partition));
        if let Some(row) = row {
            let index = row.partition_index;
            *row = told(index, answer, self.isolation, call.version);
            want.have = row.records.as_ref().map_or(0, Pieces::len);
            self.have += want.have;
            self.room = self.room.saturating_sub(want.have);
            let code = row.error_code;
            self.urgent |= !code.is_none() || row.diverging_epoch.epoch != -1;
            let moved = code == Code::NotLeaderOrFollower || code == Code::FencedLeaderEpoch;
            if moved && call.version >= 16 {
                self.point(call, topic, partition, log);
            }
        }
        self.go_on(call);
    }

    /// A log may have more now: what was read of it is read again, with what came since.
    pub(super) fn watched(&mut self, call: &mut Call<'_, '_>, part: u32) {
        let at = part as usize;
        let Some(want) = self
            .wants
            .get_mut(at)
            .filter(|want| want.state == State::Watching)
        else {
            return;
        };
        let had = core::mem::take(&mut want.have);
        self.have -= had;
        self.room += had;
        let max = want.max.min(self.room.saturating_sub(self.promised));
        let first = self.have == 0 && self.asked == 0;
        self.ask(call, at, max, first);
    }

    pub(super) fn tick(&mut self, call: &mut Call<'_, '_>, now: Now) {
        if proof::mutant("fetch-waits-for-ever") {
            return;
        }
        if !self.done && self.asked == 0 && self.deadline.passed(now) {
            proof::sometimes("fetch-answered-at-its-deadline");
            self.finish(call);
        }
    }

    /// All asked have answered: is it enough?
    fn settle(&mut self, call: &mut Call<'_, '_>) {
        if self.done {
            return;
        }
        // KIP-74: a first batch that is larger than all limits comes whole, or its reader would never get on.
        if self.have == 0
            && !self.urgent
            && let Some(at) = self
                .wants
                .iter()
                .position(|want| want.end > want.from && !want.whole)
        {
            proof::sometimes("fetch-one-batch-beyond-its-limits");
            let max = self.wants.get(at).map_or(0, |want| want.max.min(self.room));
            return self.ask(call, at, max, true);
        }
        let enough = self.have >= self.least || self.urgent || self.wants.is_empty();
        if enough || self.deadline.passed(call.host.now) {
            return self.finish(call);
        }
        for at in 0..self.wants.len() {
            let isolation = self.isolation;
            let Some(want) = self
                .wants
                .get_mut(at)
                .filter(|want| want.state == State::Still)
            else {
                continue;
            };
            want.state = State::Watching;
            let watch = WatchPart {
                log: want.log,
                isolation,
                beyond: want.end,
            };
            call.ask(want.log, number(at), Part::Watch(watch));
        }
    }

    fn finish(&mut self, call: &mut Call<'_, '_>) {
        self.done = true;
        fetch_sessions::settle(call.host.sessions, call.conn, self.kind, &mut self.response);
        for (at, want) in self
            .wants
            .iter()
            .enumerate()
            .filter(|(_, want)| want.state == State::Watching)
        {
            call.ask(want.log, number(at), Part::Unwatch(want.log));
        }
    }

    /// Says who leads now, if that is known (KIP-951).
    fn point(&mut self, call: &Call<'_, '_>, topic: usize, partition: usize, log: LogId) {
        let Some(leads) = hints::leader(call.host.image, call.listener, log) else {
            return;
        };
        let row = self
            .response
            .responses
            .get_mut(topic)
            .and_then(|topic| topic.partitions.get_mut(partition));
        if let Some(row) = row {
            row.current_leader = LeaderIdAndEpoch {
                leader_id: leads.broker.0,
                leader_epoch: leads.epoch.0,
                ..LeaderIdAndEpoch::default()
            };
        }
        let known = self
            .response
            .node_endpoints
            .iter()
            .any(|node| node.node_id == leads.broker.0);
        if let Some((endpoint, broker)) = leads.at
            && !known
        {
            self.response.node_endpoints.push(NodeEndpoint {
                node_id: leads.broker.0,
                host: endpoint.host.clone(),
                port: i32::from(endpoint.port),
                rack: broker.rack.clone(),
                ..NodeEndpoint::default()
            });
        }
    }
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// A partition of which nothing is known, or nothing is told.
fn nothing(index: i32, code: Option<Code>) -> PartitionData {
    PartitionData {
        partition_index: index,
        error_code: code.unwrap_or(Code::None).into(),
        high_watermark: -1,
        aborted_transactions: Some(Vec::new()),
        records: Some(Pieces::new()),
        ..PartitionData::default()
    }
}

/// What a log answered, in the words of a version.
fn told(index: i32, answer: FetchAnswer, isolation: Isolation, version: i16) -> PartitionData {
    if answer.code != Code::None {
        return nothing(index, Some(answer.code));
    }
    let marks = PartitionData {
        partition_index: index,
        high_watermark: answer.hw.0,
        last_stable_offset: answer.stable.0,
        log_start_offset: answer.start.0,
        // Sorted by first offset, and there are no transactions yet (gotcha 14).
        aborted_transactions: (isolation == Isolation::ReadCommitted).then(Vec::new),
        ..PartitionData::default()
    };
    if let Some((LeaderEpoch(epoch), Offset(end_offset))) = answer.diverging {
        let diverging_epoch = EpochEndOffset {
            epoch,
            end_offset,
            ..EpochEndOffset::default()
        };
        return PartitionData {
            diverging_epoch,
            records: Some(Pieces::new()),
            ..marks
        };
    }
    if version >= 10 {
        return PartitionData {
            records: Some(answer.records.into_iter().collect()),
            ..marks
        };
    }
    // KIP-110: a reader that old cannot read zstd. It gets what stands before, and the error when that is nothing.
    let mut readable = Pieces::new();
    for bytes in answer.records {
        let plain: usize = Batches::new(&bytes)
            .map_while(Result::ok)
            .take_while(|batch| {
                !batch
                    .header
                    .attributes()
                    .is_ok_and(|attributes| attributes.codec == Codec::Zstd)
            })
            .map(|batch| batch.bytes.len())
            .sum();
        let whole = plain == bytes.len();
        readable.push(bytes.slice(..plain.min(bytes.len())));
        if !whole {
            let none = readable.is_empty();
            let code = if none {
                Code::UnsupportedCompressionType
            } else {
                Code::None
            };
            return PartitionData {
                error_code: code.into(),
                records: Some(readable),
                ..marks
            };
        }
    }
    PartitionData {
        records: Some(readable),
        ..marks
    }
}
