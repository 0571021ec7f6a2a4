//! Key 83, InitializeShareGroupState: creates the stored state of share partitions, between
//! brokers.
//!
//! Version 0, flexible from 0. KIP-932.

use crate::{ErrorCode, Uuid};

message! {
    /// The partitions, with their start.
    pub struct InitializeShareGroupStateRequest:
    request InitializeShareGroupState -> InitializeShareGroupStateResponse,
    versions 0..=0, flexible 0.. {
        /// The group.
        group_id: String [0..],
        /// The topics.
        topics: Vec<InitializeStateData> [0..],
    }
}

part! {
    /// A topic: one of [`InitializeShareGroupStateRequest::topics`].
    pub struct InitializeStateData {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<PartitionData> [0..],
    }
}

part! {
    /// A partition: one of [`InitializeStateData::partitions`].
    pub struct PartitionData {
        /// The partition's index.
        partition: i32 [0..],
        /// The epoch of the share partition's state.
        state_epoch: i32 [0..],
        /// The first offset.
        start_offset: i64 [0..],
    }
}

message! {
    /// What became of each.
    pub struct InitializeShareGroupStateResponse: response, versions 0..=0, flexible 0.. {
        /// What became of each.
        results: Vec<InitializeStateResult> [0..],
    }
}

part! {
    /// A result: one of [`InitializeShareGroupStateResponse::results`].
    pub struct InitializeStateResult {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<PartitionResult> [0..],
    }
}

part! {
    /// A partition: one of [`InitializeStateResult::partitions`].
    pub struct PartitionResult {
        /// The partition's index.
        partition: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
    }
}
