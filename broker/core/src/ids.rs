//! A type for every number that could be mistaken for another. Decides nothing but how each prints and compares.
//! Wire structs carry bare integers; they become these at the door (`api`) and never change back inside.

use alloc::string::String;
use core::fmt;

pub use sawlog_wire::primitives::Uuid;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// Where a record stands in its partition; also, as an end, the first offset that is not there yet.
    Offset(i64)
}
number! {
    /// One leadership of a partition (KIP-101). Stamped into every batch: (offset, epoch) names one batch for ever (#3).
    LeaderEpoch(i32)
}
number! {
    /// How often a partition's replica set was changed: the compare-and-set of AlterPartition (#23).
    PartitionEpoch(i32)
}
number! {
    /// `node.id`.
    BrokerId(i32)
}
number! {
    /// One registration of a broker (KIP-631): the offset of its RegisterBroker record (#42).
    BrokerEpoch(i64)
}
number! {
    /// An idempotent or transactional producer (KIP-98).
    ProducerId(i64)
}
number! {
    /// One life of a producer id.
    ProducerEpoch(i16)
}
number! {
    /// Number of a record among those of one producer id in one partition; wraps to 0 after 2^31 - 1.
    Sequence(i32)
}
number! {
    /// Partition of a topic.
    PartitionId(i32)
}
number! {
    /// One thread's share of the node. 0 also owns the metadata log.
    ShardId(u16)
}
number! {
    /// How often a log was cut: a completion for an older count is dropped (#10).
    Generation(u32)
}
number! {
    /// Names one file operation of one shard until its [`Done`](crate::event::Event::Done) comes back.
    Ticket(u64)
}
number! {
    /// A term of the metadata quorum.
    Term(i32)
}

/// The id of a topic (KIP-516). All state is keyed by it, never by the name (#45).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct TopicId(pub Uuid);

/// One partition log, for as long as its topic exists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LogId {
    /// Whose.
    pub topic: TopicId,
    /// Which of its partitions.
    pub partition: PartitionId,
}

impl LogId {
    /// The metadata log, under the id that Kafka reserves for it.
    pub const METADATA: LogId = LogId {
        topic: TopicId(Uuid::METADATA_TOPIC),
        partition: PartitionId(0),
    };

    /// The shard that owns this log on a node of `shards` shards: a pure function, so that it needs no table.
    /// The metadata log is always shard 0's.
    pub fn owner(self, shards: u16) -> ShardId {
        if self == LogId::METADATA || shards <= 1 {
            return ShardId(0);
        }
        let mut mixed: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in self.topic.0.0.iter().chain(&self.partition.0.to_be_bytes()) {
            mixed = (mixed ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        mixed ^= mixed >> 32;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a remainder of a u16 fits one"
        )]
        ShardId((mixed % u64::from(shards)) as u16)
    }
}

impl Offset {
    /// The first of all.
    pub const ZERO: Offset = Offset(0);

    /// This offset, `n` further on.
    #[must_use]
    pub fn plus(self, n: i64) -> Offset {
        Offset(self.0 + n)
    }
}

impl ProducerId {
    /// What a batch without a producer carries.
    pub const NONE: ProducerId = ProducerId(-1);
}

/// A connection: the shard whose thread it lives on, and a number that is never used twice there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId {
    /// The thread that owns the socket.
    pub shard: ShardId,
    /// Which of its connections.
    pub number: u64,
}

/// Who is to be answered: a part of a request of a connection. An answer for a waiter that is gone is dropped (#137).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Waiter {
    /// Whose request.
    pub conn: ConnId,
    /// Which of its requests, in the order they came; never used twice.
    pub request: u64,
    /// Which part of the request.
    pub part: u32,
}

/// The boot id of the kernel: it tells a dead process from a dead machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BootId(pub [u8; 16]);

/// One advertised address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// The listener's name.
    pub listener: String,
    /// Host or address.
    pub host: String,
    /// Port; never 0.
    pub port: u16,
}
