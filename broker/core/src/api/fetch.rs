//! Key 1, Fetch 4-18, for consumers (KIP-74, KIP-227, KIP-320, KIP-516, KIP-951).
//! Decides which partitions are read how far, when there is enough to answer, and that every Fetch is answered by its
//! `max_wait` (gotcha 12). Never reads a byte: it asks each log once, then again only where a watch says that there may be
//! more. Holds #131 for those that wait: a Fetch has records read only when its answer can leave with them. One that wants
//! more than a byte is measured first, from where batches lie, each batch once; one behind another request waits its turn.
//! Where those that wait hold as much as they may (`waits`), one is answered with what there is, and its client rests.
//! Gotchas 11, 13 and 14; #26 is the log's to judge.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use sawlog_wire::messages::FetchResponse;
use sawlog_wire::messages::fetch::{FetchableTopicResponse, PartitionData};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::views::{FetchPartitionView, FetchView, TopicKey};
use sawlog_wire::{Code, Pieces, Reader};

use super::fetch_sessions::{self, Kind};
use super::fields::{epoch, isolation, timeout};
use super::job::{Begun, Call, Job as AnyJob, bounded};
use super::waits::{Counted, REST_MAX};
use super::{fetch_rows, hints};
use crate::answer::{FetchAnswer, FetchPart, Isolation, MeasureAnswer, Part, WatchPart};
use crate::ids::{LeaderEpoch, LogId, Offset};
use crate::map::Set;
use crate::now::{Deadline, Now};
use crate::parked::Watch;
use crate::proof;

/// What a watch takes in its log, at most.
const WATCH_BYTES: usize = 2 * size_of::<Watch>();

/// Who names more has no room kept for what is not there.
const MANY: usize = 32;

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
    /// The first want that was not asked to be read yet.
    next: usize,
    /// Asks under way.
    asked: usize,
    /// Some part came to an error or a parting of histories: the client is told at once.
    urgent: bool,
    /// It may not wait any more: there is no memory for it.
    hurried: bool,
    deadline: Deadline,
    phase: Phase,
    /// What it holds, if that is much.
    counted: Option<Counted>,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Behind another request of its connection.
    Behind,
    /// It is measured what there is, until that is enough.
    Measuring,
    /// What there is is read: enough, or whatever there is at the deadline, or the first of it.
    Reading,
    /// The response is whole.
    Done,
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
    /// Bytes that were measured, up to here.
    there: usize,
    upto: Offset,
    /// The end that it may see, as of its last answer; none at all once no more of it could be told.
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
        phase: Phase::Behind,
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
    job.count(call);
    if proof::mutant("fetch-read-out-of-turn") {
        job.begin(call);
    }
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
            hurried: false,
            deadline: Deadline::default(),
            phase: Phase::Done,
            counted: None,
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
                    there: 0,
                    upto: Offset(partition.fetch_offset),
                    end: Offset(partition.fetch_offset),
                    state: State::Still,
                }),
                Err(_) => self.urgent = true,
            }
            row.partitions
                .push(fetch_rows::nothing(partition.index, log.err()));
        }
    }

    /// Counts what it holds, and what its watches will: it grows no more but by what is read.
    fn count(&mut self, call: &Call<'_, '_>) {
        let rows = &mut self.response.responses;
        if self.wants.len() + rows.len() > MANY {
            self.wants.shrink_to_fit();
            rows.shrink_to_fit();
            for topic in rows.iter_mut() {
                topic.partitions.shrink_to_fit();
            }
        }
        let topics = rows.iter().map(|topic| {
            size_of::<FetchableTopicResponse>()
                + topic.topic.capacity()
                + topic.partitions.capacity() * size_of::<PartitionData>()
        });
        let bytes = topics.sum::<usize>()
            + self.wants.capacity() * size_of::<Want>()
            + self.wants.len() * WATCH_BYTES;
        self.counted = call.host.waits.count(bytes);
    }

    pub(super) fn ready(&self) -> bool {
        self.phase == Phase::Done
    }

    /// It has waited for long enough: others need the memory.
    pub(super) fn hurry(&mut self, call: &mut Call<'_, '_>) {
        if !self.waits() {
            return;
        }
        self.hurried = true;
        match self.phase {
            Phase::Measuring => self.read(call),
            _ => self.finish(call),
        }
    }

    /// How long its client is to rest, because it could not wait here.
    pub(super) fn rest(&self) -> Option<Duration> {
        let millis = u64::try_from(self.response.throttle_time_ms).unwrap_or(0);
        (millis > 0).then(|| Duration::from_millis(millis))
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
        self.waits().then_some(self.deadline)
    }

    fn waits(&self) -> bool {
        let begun = matches!(self.phase, Phase::Measuring | Phase::Reading);
        begun && self.asked == 0
    }

    /// It is the oldest request of its connection now. What was read for it earlier could not leave (#131).
    pub(super) fn begin(&mut self, call: &mut Call<'_, '_>) {
        if self.phase != Phase::Behind {
            return;
        }
        // One byte is there as soon as anything is, so what is read can leave.
        let known = self.least <= 1 || self.urgent || self.wants.is_empty();
        let keeps = proof::mutant("parked-fetch-keeps-records");
        if known || keeps || self.deadline.passed(call.host.now) {
            return self.read(call);
        }
        self.phase = Phase::Measuring;
        for at in 0..self.wants.len() {
            self.measure(call, at);
        }
    }

    fn measure(&mut self, call: &mut Call<'_, '_>, at: usize) {
        let isolation = self.isolation;
        let Some(want) = self.wants.get_mut(at) else {
            return;
        };
        want.state = State::Asked;
        self.asked += 1;
        let first = want.upto == want.from;
        let part = FetchPart {
            log: want.log,
            from: want.upto,
            epoch: want.epoch,
            last_epoch: want.last_epoch.filter(|_| first),
            isolation,
            max_bytes: bytes(want.max.saturating_sub(want.there)),
            at_least_one: true,
        };
        call.ask(want.log, number(at), Part::Measure(part));
    }

    pub(super) fn measured(
        &mut self,
        call: &mut Call<'_, '_>,
        part: u32,
        answer: Option<MeasureAnswer>,
    ) {
        let measuring = self.phase == Phase::Measuring;
        let want = self.wants.get_mut(part as usize);
        let Some(want) = want.filter(|want| want.state == State::Asked && measuring) else {
            return;
        };
        want.state = State::Still;
        self.asked -= 1;
        match answer {
            None => self.urgent = true,
            Some(answer) => {
                let there = usize::try_from(answer.bytes).unwrap_or(usize::MAX);
                want.there = want.there.saturating_add(there);
                (want.upto, want.end) = (answer.upto, answer.end);
                if answer.full {
                    // What has no room counts as the room that it has not, as in Kafka.
                    want.there = want.there.max(want.max);
                    want.end = Offset(i64::MAX);
                }
            }
        }
        if self.asked > 0 {
            return;
        }
        let there = self.wants.iter().map(|want| want.there);
        let enough = there.fold(0, usize::saturating_add) >= self.least;
        if enough || self.urgent || self.deadline.passed(call.host.now) {
            self.read(call);
        } else {
            self.watch(call);
        }
    }

    /// Has read what will be told.
    fn read(&mut self, call: &mut Call<'_, '_>) {
        self.unwatch(call);
        self.phase = Phase::Reading;
        self.go_on(call);
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
            max_bytes: bytes(max),
            at_least_one,
        };
        call.ask(want.log, number(at), Part::Fetch(part));
    }

    pub(super) fn hear(&mut self, call: &mut Call<'_, '_>, part: u32, answer: FetchAnswer) {
        let reading = self.phase == Phase::Reading;
        let want = self.wants.get_mut(part as usize);
        let Some(want) = want.filter(|want| want.state == State::Asked && reading) else {
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
            *row = fetch_rows::told(index, answer, self.isolation, call.version);
            let have = row.records.as_ref().map_or(0, Pieces::len);
            self.have += have;
            self.room = self.room.saturating_sub(have);
            let code = row.error_code;
            self.urgent |= !code.is_none() || row.diverging_epoch.epoch != -1;
            let moved = code == Code::NotLeaderOrFollower || code == Code::FencedLeaderEpoch;
            if moved && call.version >= 16 {
                fetch_rows::point(&mut self.response, call, (topic, partition), log);
            }
        }
        self.go_on(call);
    }

    /// A log may have more now.
    pub(super) fn watched(&mut self, call: &mut Call<'_, '_>, part: u32) {
        let at = part as usize;
        let want = self.wants.get(at);
        let Some(want) = want.filter(|want| want.state == State::Watching) else {
            return;
        };
        if self.phase == Phase::Measuring {
            return self.measure(call, at);
        }
        let max = want.max.min(self.room.saturating_sub(self.promised));
        let first = self.have == 0 && self.asked == 0;
        self.ask(call, at, max, first);
    }

    pub(super) fn tick(&mut self, call: &mut Call<'_, '_>, now: Now) {
        if proof::mutant("fetch-waits-for-ever") {
            return;
        }
        if !self.waits() || !self.deadline.passed(now) {
            return;
        }
        proof::sometimes("fetch-answered-at-its-deadline");
        match self.phase {
            Phase::Measuring => self.read(call),
            _ => self.finish(call),
        }
    }

    /// All that were asked to be read have answered: is there anything to tell?
    fn settle(&mut self, call: &mut Call<'_, '_>) {
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
        // What wants more than a byte was read because there was enough, or because it must be answered.
        let keeps = proof::mutant("parked-fetch-keeps-records") && self.have < self.least;
        let waits = self.least == 1 && self.have == 0 || keeps;
        if !waits || self.urgent || self.wants.is_empty() || self.deadline.passed(call.host.now) {
            return self.finish(call);
        }
        self.watch(call);
    }

    /// Wants to be told of each log when there may be more, unless too much is held by those that wait.
    fn watch(&mut self, call: &mut Call<'_, '_>) {
        if self
            .counted
            .as_ref()
            .is_some_and(|counted| !counted.may_wait())
        {
            proof::sometimes("fetch-not-to-wait");
            return self.hurry(call);
        }
        let isolation = self.isolation;
        let still = |want: &&mut Want| want.state == State::Still;
        for (at, want) in (0..).zip(&mut self.wants).filter(|(_, want)| still(want)) {
            want.state = State::Watching;
            let watch = WatchPart {
                log: want.log,
                isolation,
                beyond: want.end,
            };
            call.ask(want.log, number(at), Part::Watch(watch));
        }
    }

    fn unwatch(&mut self, call: &mut Call<'_, '_>) {
        let watching = |want: &&mut Want| want.state == State::Watching;
        for (at, want) in (0..)
            .zip(&mut self.wants)
            .filter(|(_, want)| watching(want))
        {
            want.state = State::Still;
            call.ask(want.log, number(at), Part::Unwatch(want.log));
        }
    }

    fn finish(&mut self, call: &mut Call<'_, '_>) {
        self.phase = Phase::Done;
        if self.hurried {
            let rest = self.deadline.left(call.host.now).min(REST_MAX);
            self.response.throttle_time_ms = i32::try_from(rest.as_millis()).unwrap_or(0);
        }
        fetch_sessions::settle(call.host.sessions, call.conn, self.kind, &mut self.response);
        self.unwatch(call);
    }
}

fn bytes(max: usize) -> u32 {
    u32::try_from(max).unwrap_or(u32::MAX)
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
