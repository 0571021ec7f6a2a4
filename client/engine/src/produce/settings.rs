//! How a producer works, with Kafka's names and defaults beside. Decides how many batches of a partition may be under way
//! (#72); nothing else here acts.

use core::time::Duration;

use sawlog_wire::records::Codec;

use crate::backoff::Backoff;
use crate::partitioner::Partitioner;

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
    /// What one request gathers; a batch that is larger goes alone.
    pub request_bytes: usize,
    /// `max.request.size`: the largest record, before compression.
    pub record_bytes: usize,
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
            record_bytes: 1 << 20,
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
    pub(super) fn in_flight_of_partition(&self) -> usize {
        if self.idempotent {
            self.in_flight.min(5)
        } else {
            1
        }
    }
}
