//! Settings of Kafka's about threads and queues inside its own broker, which have no counterpart here. Decides only that such
//! a setting may be given at the start: files written for Kafka name them, any value is as good as any other, and whoever
//! gives one is told that it changes nothing. What promises more than that stays refused, in `kafka`.

use super::table::I32_MAX;
use super::value::Kind;

/// A setting that may be given, with a warning, and changes nothing.
pub struct MootKey {
    /// Kafka's name.
    pub name: &'static str,
    /// Kafka's type and bounds: a slip is told all the same.
    pub kind: Kind,
    /// What there is in its stead.
    pub text: &'static str,
}

const THREADS: &str = "Each shard's one thread does all that Kafka divides among several kinds; sawlog.shards says how many \
                       shards there are.";
const QUEUES: &str = "Requests wait on their own connections, not in a queue; queued.max.request.bytes bounds their memory.";
const WAITING: &str = "A request that waits is forgotten the moment it is answered; nothing has to be swept together.";

const COUNT: Kind = Kind::Int(1, I32_MAX);

const fn moot(name: &'static str, kind: Kind, text: &'static str) -> MootKey {
    MootKey { name, kind, text }
}

/// Those settings of the broker, by name.
pub const MOOT: &[MootKey] = &[
    moot("background.threads", COUNT, THREADS),
    moot(
        "delete.records.purgatory.purge.interval.requests",
        Kind::Int(i32::MIN as i64, I32_MAX),
        WAITING,
    ),
    moot(
        "fetch.purgatory.purge.interval.requests",
        Kind::Int(i32::MIN as i64, I32_MAX),
        WAITING,
    ),
    moot("num.io.threads", COUNT, THREADS),
    moot("num.network.threads", COUNT, THREADS),
    moot("num.recovery.threads.per.data.dir", COUNT, THREADS),
    moot(
        "producer.purgatory.purge.interval.requests",
        Kind::Int(i32::MIN as i64, I32_MAX),
        WAITING,
    ),
    moot("queued.max.requests", COUNT, QUEUES),
];

/// The row of this name.
pub(super) fn of(name: &str) -> Option<&'static MootKey> {
    MOOT.iter().find(|key| key.name == name)
}
