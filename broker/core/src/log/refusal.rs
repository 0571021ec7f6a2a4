//! Refusals of the engine: definite, nothing happened (#114). Named by what the caller does next, carrying facts.
//! Decides nothing but the names; `replica` and `api` turn them into Kafka's codes.

use alloc::string::String;

use crate::ids::{Offset, ProducerEpoch, Sequence};

/// Why a batch was not appended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AppendRefusal {
    /// The log is not open here.
    NotOpen,
    /// The log is damaged, or the disk takes no writes.
    Offline,
    /// The node is stopping.
    Stopping,
    /// Larger than the rings of this file system can carry.
    TooLarge {
        /// The largest that they carry.
        max: u32,
    },
    /// Too little space is left on the file system; heals by itself (#105).
    NoSpace,
    /// The queue is at its bound: ask again (#132).
    Busy,
    /// Sequence numbers leave a gap, or go back behind the window of five (#70).
    OutOfOrder {
        /// What would be accepted.
        expected: Sequence,
        /// What came.
        got: Sequence,
    },
    /// A later life of this producer id has written here.
    Fenced {
        /// The epoch of that life.
        epoch: ProducerEpoch,
    },
    /// An unknown producer begins with a sequence other than 0.
    UnknownProducer {
        /// What came.
        got: Sequence,
    },
}

/// Why a log was not trimmed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TrimRefusal {
    /// The log is not open here.
    NotOpen,
    /// The log is damaged, or the disk takes no writes.
    Offline,
    /// Beyond the high watermark.
    OutOfRange {
        /// The high watermark.
        hw: Offset,
    },
}

/// Why a log was not cut.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CutRefusal {
    /// The log is not open here.
    NotOpen,
    /// Below the high watermark, which is never taken back (#2), or beyond the end.
    OutOfRange {
        /// The high watermark.
        hw: Offset,
        /// The log's end.
        next: Offset,
    },
    /// What lies there is in segment files already.
    Spilled,
}

/// Why a log was not read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadRefusal {
    /// The log is not open here.
    NotOpen,
    /// Below the start or beyond the end.
    OutOfRange {
        /// First offset still there.
        start: Offset,
        /// Offset after the last.
        end: Offset,
    },
    /// The log is damaged: what and where.
    Offline(String),
}
