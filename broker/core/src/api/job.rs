//! A request between its split and its response: what it asks shards with, and what hears their answers.
//! Decides only which key's job gets an answer; the rules stand in the keys' files.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use sawlog_wire::messages::{
    ApiKey, ApiVersionsResponse, DescribeClusterResponse, DescribeConfigsResponse,
    DescribeTopicPartitionsResponse, FindCoordinatorResponse, InitProducerIdResponse,
    ListConfigResourcesResponse,
};
use sawlog_wire::primitives::{DecodeError, EncodeError};
use sawlog_wire::{Writer, frame};

use super::{
    Door, Host, command, create_topics, delete_records, describe_log_dirs, describe_producers,
    describe_quorum, fetch, init_producer_id, list_offsets, metadata, offset_for_leader_epoch,
    produce,
};
use crate::answer::{Commanded, Part, Response};
use crate::config::BrokerConfig;
use crate::ids::{ConnId, LogId, ShardId, Waiter};
use crate::now::{Deadline, Now};

/// What a key's code may use while it handles one request.
pub(super) struct Call<'c, 'h> {
    pub(super) host: &'c mut Host<'h>,
    pub(super) door: &'c Arc<Door>,
    pub(super) audience: super::table::Audience,
    pub(super) version: i16,
    pub(super) conn: ConnId,
    /// The client's address, if it came over a network.
    pub(super) from: Option<IpAddr>,
    pub(super) request: u64,
    pub(super) asks: &'c mut Vec<(ShardId, Waiter, Part)>,
    pub(super) warn: &'c mut Vec<String>,
    /// What the client says it is (KIP-511).
    pub(super) software: &'c mut Option<Box<str>>,
}

impl Call<'_, '_> {
    /// Asks the owner of a log.
    pub(super) fn ask(&mut self, log: LogId, part: u32, what: Part) {
        self.ask_shard(log.owner(self.host.shards), part, what);
    }

    /// Asks a shard.
    pub(super) fn ask_shard(&mut self, shard: ShardId, part: u32, what: Part) {
        let waiter = Waiter {
            conn: self.conn,
            request: self.request,
            part,
        };
        self.asks.push((shard, waiter, what));
    }
}

/// The most partitions or names in one request: what is put together for them takes some hundred bytes each (#128, #132).
pub(super) const ROWS_MAX: usize = if cfg!(test) { 1 << 11 } else { 1 << 18 };

/// Refuses a request that names too much, before anything is put together for it. A short body need not be counted: there
/// is no name or partition of less than two bytes.
pub(super) fn bounded(bytes: usize, rows: impl FnOnce() -> usize) -> Result<(), DecodeError> {
    if bytes / 2 <= ROWS_MAX || rows() <= ROWS_MAX {
        Ok(())
    } else {
        Err(DecodeError::OverBudget)
    }
}

/// What a split comes to.
pub(super) enum Begun {
    /// There will be a response, perhaps at once.
    Job(Job),
    /// There will be none (acks=0).
    Silent,
    /// The connection is closed, for this reason.
    Close(&'static str),
}

/// A request whose response is being put together.
pub(super) enum Job {
    ApiVersions(Box<ApiVersionsResponse>),
    FindCoordinator(Box<FindCoordinatorResponse>),
    InitProducerId(init_producer_id::Job),
    Produce(produce::Job),
    Fetch(Box<fetch::Job>),
    ListOffsets(list_offsets::Job),
    Metadata(Box<metadata::Job>),
    CreateTopics(Box<create_topics::Job>),
    Command(Box<command::Job>),
    DeleteRecords(Box<delete_records::Job>),
    OffsetForLeaderEpoch(Box<offset_for_leader_epoch::Job>),
    DescribeProducers(Box<describe_producers::Job>),
    DescribeLogDirs(Box<describe_log_dirs::Job>),
    DescribeQuorum(Box<describe_quorum::Job>),
    DescribeConfigs(Box<DescribeConfigsResponse>),
    DescribeCluster(Box<DescribeClusterResponse>),
    DescribeTopicPartitions(Box<DescribeTopicPartitionsResponse>),
    ListConfigResources(Box<ListConfigResourcesResponse>),
}

impl Job {
    /// It is the oldest request of its connection.
    pub(super) fn begin(&mut self, call: &mut Call<'_, '_>) {
        if let Job::Fetch(job) = self {
            job.begin(call);
        }
    }

    /// It is not to wait any more: there is no memory for those behind it.
    pub(super) fn hurry(&mut self, call: &mut Call<'_, '_>) {
        if let Job::Fetch(job) = self {
            job.hurry(call);
        }
    }

    /// How long the client is to rest after the response.
    pub(super) fn rest(&self) -> Option<Duration> {
        match self {
            Job::Fetch(job) => job.rest(),
            _ => None,
        }
    }

    /// Takes one answer in. An answer that fits nothing is dropped (#137).
    pub(super) fn hear(&mut self, call: &mut Call<'_, '_>, part: u32, response: Response) {
        match (self, response) {
            (Job::Produce(job), Response::Append(answer)) => job.hear(call, part, answer),
            (Job::Fetch(job), Response::Fetch(answer)) => job.hear(call, part, answer),
            (Job::Fetch(job), Response::Measured(answer)) => job.measured(call, part, answer),
            (Job::Fetch(job), Response::Watched) => job.watched(call, part),
            (Job::ListOffsets(job), Response::Find(answer)) => job.hear(call, part, answer),
            (Job::OffsetForLeaderEpoch(job), Response::EpochEnd { code, epoch, end }) => {
                job.hear(part, code, epoch, end)
            }
            (Job::DescribeProducers(job), Response::Producers { code, producers }) => {
                job.hear(part, code, producers)
            }
            (Job::DescribeLogDirs(job), Response::Sizes { code, logs, space }) => {
                job.hear(call, code, &logs, space)
            }
            (Job::DescribeQuorum(job), Response::Quorum(told)) => job.hear(call, told),
            (job, Response::Command(answer)) => job.commanded(call, *answer),
            (Job::DeleteRecords(job), Response::Trimmed { code, start }) => {
                job.hear(part, code, start)
            }
            (Job::InitProducerId(job), Response::ProducerId { code, id, epoch }) => {
                job.hear(code, id, epoch)
            }
            _ => {}
        }
    }

    fn commanded(&mut self, call: &mut Call<'_, '_>, answer: Commanded) {
        match (self, answer) {
            (Job::Metadata(job), Commanded::CreateTopics(answer)) => job.hear(call, &answer),
            (Job::CreateTopics(job), Commanded::CreateTopics(answer)) => job.hear(call, answer),
            (Job::Command(job), answer) => job.hear(answer, call.version),
            _ => {}
        }
    }

    /// Whether nothing is waited for any more.
    pub(super) fn ready(&self) -> bool {
        match self {
            Job::ApiVersions(_)
            | Job::FindCoordinator(_)
            | Job::DescribeConfigs(_)
            | Job::DescribeCluster(_)
            | Job::DescribeTopicPartitions(_)
            | Job::ListConfigResources(_) => true,
            Job::OffsetForLeaderEpoch(job) => job.places.ready(),
            Job::DescribeProducers(job) => job.places.ready(),
            Job::DescribeLogDirs(job) => job.left == 0,
            Job::DescribeQuorum(job) => !job.waiting,
            Job::Produce(job) => job.places.ready(),
            Job::Fetch(job) => job.ready(),
            Job::ListOffsets(job) => job.places.ready(),
            Job::Metadata(job) => job.ready(),
            Job::CreateTopics(job) => job.ready(),
            Job::Command(job) => job.ready(),
            Job::DeleteRecords(job) => job.places.ready(),
            Job::InitProducerId(job) => job.ready(),
        }
    }

    /// How many partitions or names the response tells of.
    pub(super) fn rows(&self) -> usize {
        match self {
            Job::Produce(job) => job
                .response
                .responses
                .iter()
                .map(|topic| topic.partition_responses.len())
                .sum(),
            Job::Fetch(job) => job
                .response
                .responses
                .iter()
                .map(|topic| topic.partitions.len())
                .sum(),
            Job::ListOffsets(job) => job
                .response
                .topics
                .iter()
                .map(|topic| topic.partitions.len())
                .sum(),
            Job::Metadata(job) => job.rows(),
            Job::CreateTopics(job) => job.rows(),
            Job::Command(job) => job.rows(),
            Job::DeleteRecords(job) => job.rows(),
            Job::FindCoordinator(response) => response.coordinators.len(),
            Job::OffsetForLeaderEpoch(job) => job.rows(),
            Job::DescribeProducers(job) => job.rows(),
            Job::DescribeLogDirs(job) => job.rows(),
            Job::DescribeConfigs(response) => response.results.len(),
            Job::DescribeTopicPartitions(response) => response.topics.len(),
            Job::ListConfigResources(response) => response.config_resources.len(),
            Job::ApiVersions(_)
            | Job::InitProducerId(_)
            | Job::DescribeQuorum(_)
            | Job::DescribeCluster(_) => 1,
        }
    }

    /// What the response may hold at most, as far as it is records. One batch comes whole, whatever was asked for.
    pub(super) fn brings(&self, config: &BrokerConfig) -> usize {
        match self {
            Job::Fetch(job) if !job.ready() => {
                let batch = usize::try_from(config.topic.max_message_bytes).unwrap_or(usize::MAX);
                job.most().max(batch)
            }
            _ => 0,
        }
    }

    /// Bytes of records in the response now.
    pub(super) fn holds(&self) -> usize {
        match self {
            Job::Fetch(job) => job.have(),
            _ => 0,
        }
    }

    /// When to look at the job again although nobody has answered.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        match self {
            Job::Fetch(job) => job.deadline(),
            _ => None,
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, call: &mut Call<'_, '_>, now: Now) {
        if let Job::Fetch(job) = self {
            job.tick(call, now);
        }
    }

    /// Writes the response as one frame.
    pub(super) fn write(
        &self,
        out: &mut Writer,
        key: ApiKey,
        version: i16,
        correlation: i32,
    ) -> Result<(), EncodeError> {
        match self {
            Job::ApiVersions(response) => {
                frame::response(out, key, version, correlation, &**response)
            }
            Job::FindCoordinator(response) => {
                frame::response(out, key, version, correlation, &**response)
            }
            Job::Produce(job) => frame::response(out, key, version, correlation, &job.response),
            Job::Fetch(job) => frame::response(out, key, version, correlation, &job.response),
            Job::ListOffsets(job) => frame::response(out, key, version, correlation, &job.response),
            Job::Metadata(job) => frame::response(out, key, version, correlation, &job.response),
            Job::CreateTopics(job) => {
                frame::response(out, key, version, correlation, &job.response)
            }
            Job::Command(job) => job.write(out, key, version, correlation),
            Job::OffsetForLeaderEpoch(job) => {
                frame::response(out, key, version, correlation, &job.response)
            }
            Job::DescribeProducers(job) => {
                frame::response(out, key, version, correlation, &job.response)
            }
            Job::DescribeLogDirs(job) => {
                frame::response(out, key, version, correlation, &job.response)
            }
            Job::DescribeQuorum(job) => {
                frame::response(out, key, version, correlation, &job.response)
            }
            Job::DescribeConfigs(response) => {
                frame::response(out, key, version, correlation, &**response)
            }
            Job::DescribeCluster(response) => {
                frame::response(out, key, version, correlation, &**response)
            }
            Job::DescribeTopicPartitions(response) => {
                frame::response(out, key, version, correlation, &**response)
            }
            Job::ListConfigResources(response) => {
                frame::response(out, key, version, correlation, &**response)
            }
            Job::DeleteRecords(job) => {
                frame::response(out, key, version, correlation, &job.response)
            }
            Job::InitProducerId(job) => {
                let response: &InitProducerIdResponse = &job.response;
                frame::response(out, key, version, correlation, response)
            }
        }
    }
}
