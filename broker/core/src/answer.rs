//! What connections ask of shards, and what shards answer: one part for each partition or command of a request.
//! Decides nothing; `api` splits requests into parts and joins answers, the shard's modules answer them.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use bytes::Bytes;
use sawlog_wire::code::Code;
use sawlog_wire::messages::{
    AlterConfigsRequest, AlterConfigsResponse, CreatePartitionsRequest, CreatePartitionsResponse,
    CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use sawlog_wire::records::batch::BatchHeader;

use crate::file::Free;
use crate::ids::{BrokerId, LeaderEpoch, LogId, Offset, ProducerEpoch, ProducerId, Term, Uuid};
use crate::now::{Deadline, Wall};

/// When a produce request wants its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acks {
    /// `acks=0`: never, unless it is refused. The connection of a refused one is closed, so that the client notices.
    None,
    /// `acks=1`: when this node has it, by the topic's durability.
    Leader,
    /// `acks=all`: when every member of the in-sync set has it (#11).
    All,
}

/// One thing asked of one shard.
#[derive(Clone, PartialEq, Debug)]
pub enum Part {
    /// Append one batch to one log.
    Append(AppendPart),
    /// Read from one log what is there now.
    Fetch(FetchPart),
    /// Say how much such a read would bring, and read nothing.
    Measure(FetchPart),
    /// Say when there may be more to read in one log; at once if there is already.
    Watch(WatchPart),
    /// The watch of this waiter in this log is not needed any more. It gets no answer, and may be gone already.
    Unwatch(LogId),
    /// Find an offset in one log.
    Find(FindPart),
    /// Say where the records of a leadership end in one log.
    EpochEnd(EpochPart),
    /// Tell the idempotent producers of one log.
    Producers(LogId),
    /// Tell how much each log of a shard takes.
    Sizes,
    /// Tell how the quorum stands (shard 0).
    Quorum,
    /// Grant a producer id (shard 0).
    ProducerId(ProducerIdPart),
    /// Move the start of one log.
    Trim(TrimPart),
    /// Change the metadata (shard 0): a request of clients, or of Metadata for a topic that is to be created by its use.
    Command(Box<CommandPart>),
}

/// A batch, walked and found whole (#118), to be stored as it was sent.
#[derive(Clone, PartialEq, Debug)]
pub struct AppendPart {
    /// Where.
    pub log: LogId,
    /// When to answer.
    pub acks: Acks,
    /// When to give up waiting for the in-sync set; the append itself may still happen (#114).
    pub deadline: Deadline,
    /// What its header says.
    pub batch: BatchHeader,
    /// All its bytes, header included: a slice of the frame.
    pub bytes: Bytes,
}

/// What a reader may see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Isolation {
    /// Up to the high watermark.
    ReadUncommitted,
    /// Up to the last stable offset.
    ReadCommitted,
}

/// Read from one log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchPart {
    /// Which.
    pub log: LogId,
    /// From this offset on; the batch that holds it comes whole (gotcha 11).
    pub from: Offset,
    /// The epoch at which the client believes it reads; none if it does not say (#26).
    pub epoch: Option<LeaderEpoch>,
    /// The epoch of the last batch the client has; none if it does not say.
    pub last_epoch: Option<LeaderEpoch>,
    /// How much it may see.
    pub isolation: Isolation,
    /// No more bytes than this, but always one whole batch if `at_least_one`.
    pub max_bytes: u32,
    /// Whether one batch may exceed `max_bytes` (KIP-74).
    pub at_least_one: bool,
}

/// Wake me when the end that this isolation may see moves beyond an offset. The answer is a hint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WatchPart {
    /// Which log.
    pub log: LogId,
    /// Which end.
    pub isolation: Isolation,
    /// Beyond this one.
    pub beyond: Offset,
}

/// What to find.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Find {
    /// The end that this isolation may see (-1).
    Latest(Isolation),
    /// The log start (-2, and -4 where nothing is tiered).
    Earliest,
    /// The offset of the greatest timestamp (-3, KIP-734).
    MaxTimestamp,
    /// The last tiered offset (-5, KIP-1005): nothing is tiered here.
    LastTiered,
    /// The first offset that is to be tiered (-6, KIP-1023).
    EarliestPendingUpload,
    /// The first record at or after this time.
    At(Wall),
}

/// Find an offset in one log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FindPart {
    /// Which.
    pub log: LogId,
    /// The epoch at which the client believes it asks (#26).
    pub epoch: Option<LeaderEpoch>,
    /// What.
    pub find: Find,
}

/// Say where the records of a leadership end (KIP-320).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochPart {
    /// In which log.
    pub log: LogId,
    /// The epoch at which the client believes it asks (#26).
    pub current: Option<LeaderEpoch>,
    /// Of which leadership.
    pub epoch: LeaderEpoch,
}

/// A producer id wanted by an idempotent producer (KIP-98, KIP-360).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerIdPart {
    /// What the producer had, if it asks for the next epoch.
    pub had: Option<(ProducerId, ProducerEpoch)>,
}

/// Move the start of one log (DeleteRecords, KIP-107).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrimPart {
    /// Which.
    pub log: LogId,
    /// Where it is to start; none means the high watermark.
    pub to: Option<Offset>,
    /// When to give up waiting for the disk; the start may still move (#114).
    pub deadline: Deadline,
}

/// A command to the controller.
#[derive(Clone, PartialEq, Debug)]
pub struct CommandPart {
    /// What is wanted, as the client said it.
    pub command: Command,
    /// When to give up waiting for the metadata log; what was wanted may still come (#114).
    pub deadline: Deadline,
    /// The address it came from, if it came over a network: who asks must be able to come again (#134).
    pub from: Option<IpAddr>,
}

/// What the controller can be asked to change, in Kafka's words.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// New topics; -1 partitions or replicas mean the broker's default (KIP-464).
    CreateTopics(CreateTopicsRequest),
    /// Topics that are to go, with all their records.
    DeleteTopics(DeleteTopicsRequest),
    /// More partitions for topics (KIP-195).
    CreatePartitions(CreatePartitionsRequest),
    /// All settings of resources, anew.
    AlterConfigs(AlterConfigsRequest),
    /// Some settings of resources (KIP-339).
    IncrementalAlterConfigs(IncrementalAlterConfigsRequest),
}

/// The answer to a [`Command`]: one result for each thing that it names.
#[derive(Clone, PartialEq, Debug)]
pub enum Commanded {
    /// To [`Command::CreateTopics`].
    CreateTopics(CreateTopicsResponse),
    /// To [`Command::DeleteTopics`].
    DeleteTopics(DeleteTopicsResponse),
    /// To [`Command::CreatePartitions`].
    CreatePartitions(CreatePartitionsResponse),
    /// To [`Command::AlterConfigs`].
    AlterConfigs(AlterConfigsResponse),
    /// To [`Command::IncrementalAlterConfigs`].
    IncrementalAlterConfigs(IncrementalAlterConfigsResponse),
}

/// The answer to a [`Part`].
#[derive(Clone, PartialEq, Debug)]
pub enum Response {
    /// To [`Part::Append`].
    Append(AppendAnswer),
    /// To [`Part::Fetch`].
    Fetch(FetchAnswer),
    /// To [`Part::Measure`]; none if there is something else to tell than records.
    Measured(Option<MeasureAnswer>),
    /// To [`Part::Watch`]: look again.
    Watched,
    /// To [`Part::Find`].
    Find(FindAnswer),
    /// To [`Part::EpochEnd`].
    EpochEnd {
        /// What went wrong, if anything.
        code: Code,
        /// The greatest leadership known at or below the one asked for; -1 if there is none.
        epoch: LeaderEpoch,
        /// Where its records end; -1 if that is not known.
        end: Offset,
    },
    /// To [`Part::Producers`].
    Producers {
        /// What went wrong, if anything.
        code: Code,
        /// Those that are remembered.
        producers: Vec<ProducerTold>,
    },
    /// To [`Part::Sizes`].
    Sizes {
        /// What went wrong, if anything.
        code: Code,
        /// Bytes of each log.
        logs: Vec<(LogId, u64)>,
        /// Bytes of the file system, and those of them that are free.
        space: Free,
    },
    /// To [`Part::Quorum`].
    Quorum(Option<QuorumTold>),
    /// To [`Part::ProducerId`].
    ProducerId {
        /// What went wrong, if anything.
        code: Code,
        /// The id granted.
        id: ProducerId,
        /// Its epoch.
        epoch: ProducerEpoch,
    },
    /// To [`Part::Trim`].
    Trimmed {
        /// What went wrong, if anything.
        code: Code,
        /// Where the log durably starts; -1 if that is not known.
        start: Offset,
    },
    /// To [`Part::Command`]. When a result says that something is so, the image that has it was published before this
    /// answer, and every shard has opened or dropped what is its own of it.
    Command(Box<Commanded>),
}

/// What is remembered of an idempotent producer in one log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerTold {
    /// Its id.
    pub id: ProducerId,
    /// Its current life.
    pub epoch: ProducerEpoch,
    /// Sequence of its last record; -1 if it wrote nothing in this life.
    pub last_sequence: i32,
    /// Largest timestamp of its last batch.
    pub last_timestamp: i64,
}

/// How the quorum stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuorumTold {
    /// Who leads, and is the only voter.
    pub leader: BrokerId,
    /// Its directory.
    pub directory: Uuid,
    /// Its term.
    pub term: Term,
    /// Up to where the metadata log is committed.
    pub hw: Offset,
    /// Where it ends.
    pub end: Offset,
}

/// What became of an append.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppendAnswer {
    /// `None` of the errors if it is stored as promised.
    pub code: Code,
    /// Offset of its first record; for a duplicate that of the original (#72).
    pub base: Offset,
    /// Whether it is a duplicate: nothing was appended anew.
    pub again: bool,
    /// The log's start.
    pub start: Offset,
    /// For people: what and why and what to try.
    pub message: Option<String>,
}

/// What there is to read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchAnswer {
    /// What went wrong, if anything.
    pub code: Code,
    /// The marks at the moment of planning.
    pub hw: Offset,
    /// End of what a read_committed reader may see.
    pub stable: Offset,
    /// The log's start.
    pub start: Offset,
    /// Where the log's history parts from the reader's (KIP-320, KIP-595): the last epoch they share and its end.
    pub diverging: Option<(LeaderEpoch, Offset)>,
    /// Whole batches, verified since they were last read from media (#7).
    pub records: Vec<Bytes>,
}

/// How much there is to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MeasureAnswer {
    /// Bytes of whole batches, the one that holds the first offset among them.
    pub bytes: u64,
    /// Behind the last of them: who measures on begins here.
    pub upto: Offset,
    /// The end that this isolation may see.
    pub end: Offset,
    /// No more would be read, whatever came.
    pub full: bool,
}

/// What was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FindAnswer {
    /// What went wrong, if anything.
    pub code: Code,
    /// The offset; -1 if there is none.
    pub offset: Offset,
    /// Its record's timestamp; -1 where the question was not about time.
    pub timestamp: Wall,
    /// The leader epoch of the batch at that offset; -1 if unknown.
    pub epoch: LeaderEpoch,
}
