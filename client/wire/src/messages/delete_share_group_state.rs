//! Key 86, DeleteShareGroupState: deletes the stored state of share partitions, between brokers.
//!
//! Version 0, flexible from 0. KIP-932.

use crate::{ErrorCode, Uuid};

message! {
    /// The partitions.
    pub struct DeleteShareGroupStateRequest:
    request DeleteShareGroupState -> DeleteShareGroupStateResponse,
    versions 0..=0, flexible 0.. {
        /// The group.
        group_id: String [0..],
        /// The topics.
        topics: Vec<DeleteStateData> [0..],
    }
}

part! {
    /// A topic: one of [`DeleteShareGroupStateRequest::topics`].
    pub struct DeleteStateData {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<PartitionData> [0..],
    }
}

part! {
    /// A partition: one of [`DeleteStateData::partitions`].
    pub struct PartitionData {
        /// The partition's index.
        partition: i32 [0..],
    }
}

message! {
    /// What became of each.
    pub struct DeleteShareGroupStateResponse: response, versions 0..=0, flexible 0.. {
        /// What became of each.
        results: Vec<DeleteStateResult> [0..],
    }
}

part! {
    /// A result: one of [`DeleteShareGroupStateResponse::results`].
    pub struct DeleteStateResult {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<PartitionResult> [0..],
    }
}

part! {
    /// A partition: one of [`DeleteStateResult::partitions`].
    pub struct PartitionResult {
        /// The partition's index.
        partition: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
    }
}
