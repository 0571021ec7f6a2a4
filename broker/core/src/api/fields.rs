//! Fields that several keys carry: a timeout, an isolation level, the leader epoch that a client believes in.
//! Decides what each value means, so that it means the same in every key; never what follows from it.

use alloc::vec::Vec;
use core::time::Duration;

use sawlog_wire::Code;

use crate::answer::Isolation;
use crate::ids::{LeaderEpoch, LogId};

/// A `timeout_ms`, or `max_wait_ms`; less than nothing is nothing.
pub(super) fn timeout(millis: i32) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// How much a reader may see.
pub(super) fn isolation(level: i8) -> Result<Isolation, Code> {
    match level {
        0 => Ok(Isolation::ReadUncommitted),
        1 => Ok(Isolation::ReadCommitted),
        _ => Err(Code::InvalidRequest),
    }
}

/// An epoch that a client believes in; -1 is none.
pub(super) fn epoch(number: i32) -> Option<LeaderEpoch> {
    (number != -1).then_some(LeaderEpoch(number))
}

/// Those that stand more than once in a list.
pub(super) fn twice(mut logs: Vec<LogId>) -> Vec<LogId> {
    if logs.len() < 2 {
        return Vec::new();
    }
    logs.sort_unstable();
    let pairs = logs.iter().zip(logs.iter().skip(1));
    pairs
        .filter(|(one, next)| one == next)
        .map(|(one, _)| *one)
        .collect()
}
