//! What a producer and its driver tell each other: records taken or refused, requests to be sent, answers, and what became of
//! each record. Decides nothing.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use sawlog_wire::records::{BuildFault, NewRecord};
use sawlog_wire::{Code, ErrorCode};

use super::words::Words;
use crate::connection::Outcome;
use crate::metadata::BrokerId;

/// Names one request until it is answered or lost.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RequestId(pub(super) u64);

/// A record to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition, if its sender chose one.
    pub partition: Option<i32>,
    /// The record.
    pub record: NewRecord<'a>,
}

/// Why a record was not taken. Nothing of it is kept.
#[derive(Debug)]
pub enum Refusal {
    /// Nothing is known of the topic yet: it is asked for.
    Unknown,
    /// The topic has no such partition, but so many.
    NoPartition(u32),
    /// The buffer is full: when a batch is done there may be room.
    Full,
    /// It is larger than `record_bytes`.
    TooLarge {
        /// What it may take.
        size: usize,
        /// What one may take.
        most: usize,
    },
    /// It cannot be a record.
    Build(BuildFault),
}

/// A record was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place<T> {
    /// Its batch.
    pub tag: T,
    /// Its number in there.
    pub number: u32,
    /// Its partition.
    pub partition: i32,
    /// Something changed that the driver should look at.
    pub wake: bool,
}

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Send {
    /// To be named when it is answered or lost.
    pub request: RequestId,
    /// To whom.
    pub broker: BrokerId,
    /// Its batches: one of a partition.
    pub parts: Vec<Part>,
}

/// A batch to be sent.
#[derive(Clone, Debug)]
pub struct Part {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The batch.
    pub batch: Bytes,
}

/// What the broker says of one batch.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// What went wrong, if anything.
    pub code: ErrorCode,
    /// The offset of the first record, or -1.
    pub base_offset: i64,
    /// The broker's time, where the topic takes that, or -1.
    pub log_append_time: i64,
    /// Why it was refused, in the broker's words.
    pub message: Option<&'a str>,
    /// The records at fault (KIP-467).
    pub records: &'a [RecordError],
}

/// A record at fault: its number in the batch, and why, in the broker's words.
pub use sawlog_wire::messages::produce::BatchIndexAndErrorMessage as RecordError;

/// Records that lie in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    /// The partition.
    pub partition: i32,
    /// The offset of the first of them; `None` if nobody said.
    pub base_offset: Option<i64>,
    /// The broker's time, where the topic takes that.
    pub log_append_time: Option<i64>,
}

/// Records that do not lie in the log, or may not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failed {
    /// The partition.
    pub partition: i32,
    /// Whether they may be there all the same.
    pub outcome: Outcome,
    /// The last error of a broker, if one said anything.
    pub code: Option<Code>,
    /// What the broker said with it of them.
    pub words: Words,
    /// They, as a batch: they are kept nowhere else.
    pub batch: Bytes,
}

/// Records are decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Done<T> {
    /// Their batch.
    pub tag: T,
    /// The number of the first of them in there.
    pub first: u32,
    /// How many.
    pub count: u32,
    /// What became of them.
    pub result: Result<Written, Failed>,
}
