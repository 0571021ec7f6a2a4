//! What clients saw: one line when an operation begins, one when it ends. One format for the simulator, real
//! processes and other people's brokers, so that one checker judges them all.
//!
//! A line is JSON: `t` monotonic ns, `p` process, `i` its operation (joins the two lines), `ev` invoke, ok, fail
//! (nothing happened) or info (unknown), `op` what, `v` partition, offset and value of each record.

use serde::{Deserialize, Serialize};

/// What a line says about its operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ev {
    /// It begins.
    Invoke,
    /// It ended as wished.
    Ok,
    /// It ended, and certainly had no effect (#114).
    Fail,
    /// It ended, and may have had its effect or not.
    Info,
}

/// Kinds of operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// Produce.
    Send,
    /// Produce with an idempotent producer.
    SendOnce,
    /// Fetch.
    Poll,
    /// Start reading at an offset: a new assignment.
    Assign,
    /// Ask where a partition starts.
    ListOffsets,
    /// Create a topic; its name stands where a record's partition does, the number of its partitions where an offset
    /// does, and which life of that name it is where a value does.
    Create,
    /// Delete a topic; named as above.
    Delete,
    /// Give a topic more partitions; named as above.
    Grow,
    /// Give up a partition's records below an offset.
    Trim,
    /// Bound a topic's size: the oldest records of its partitions may go.
    Retain,
    /// List all topics.
    Topics,
    /// Ask for a producer id; it stands where a record's offset does, its epoch where its value does.
    Grant,
}

/// `e` of a poll whose bytes are not what any producer sent (#7).
pub const CORRUPT: &str = "CORRUPT";
/// `e` of a send that was answered by the error that names nothing (#72).
pub const UNNAMED: &str = "UNKNOWN_SERVER_ERROR";
/// `e` of an idempotent send, all of whose predecessors were acknowledged, that was refused over its sequence (#70).
pub const REFUSED_RETRY: &str = "REFUSED_RETRY";

/// One record of an operation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Item {
    /// `TOPIC-PARTITION`.
    pub partition: String,
    /// Where it stands; unknown until acknowledged or read.
    pub offset: Option<i64>,
    /// Unique in the run.
    pub value: u64,
}

/// One line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Line {
    /// Monotonic nanoseconds.
    pub t: u64,
    /// Process: one producer session, or one reader.
    pub p: u32,
    /// Operation of that process.
    pub i: u64,
    /// Beginning or end.
    pub ev: Ev,
    /// What.
    pub op: Op,
    /// The records.
    pub v: Vec<Item>,
    /// Kafka's error, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
}

/// An operation with both of its lines.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Whose.
    pub p: u32,
    /// Which of his.
    pub i: u64,
    /// What.
    pub op: Op,
    /// When it began.
    pub begun: u64,
    /// When it ended; never if its process was cut off.
    pub ended: Option<u64>,
    /// How it ended; an operation without an end is unknown.
    pub ev: Ev,
    /// The records, with offsets where it ended well.
    pub v: Vec<Item>,
}

/// Joins the lines of each operation, in the order they began.
pub fn join(lines: &[Line]) -> Vec<Operation> {
    let mut operations: Vec<Operation> = Vec::new();
    let mut open: std::collections::BTreeMap<(u32, u64), usize> = std::collections::BTreeMap::new();
    for line in lines {
        match line.ev {
            Ev::Invoke => {
                open.insert((line.p, line.i), operations.len());
                operations.push(Operation {
                    p: line.p,
                    i: line.i,
                    op: line.op,
                    begun: line.t,
                    ended: None,
                    ev: Ev::Info,
                    v: line.v.clone(),
                });
            }
            end => {
                let index = open.remove(&(line.p, line.i));
                let Some(operation) = index.and_then(|index| operations.get_mut(index)) else {
                    continue;
                };
                operation.ended = Some(line.t);
                operation.ev = end;
                if end == Ev::Ok {
                    operation.v.clone_from(&line.v);
                }
            }
        }
    }
    operations
}
