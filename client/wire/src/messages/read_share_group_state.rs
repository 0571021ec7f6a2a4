//! Key 84, ReadShareGroupState: reads the stored state of share partitions, between brokers.
//!
//! Version 0, flexible from 0. KIP-932.

use crate::{ErrorCode, Uuid};

message! {
    /// The partitions.
    pub struct ReadShareGroupStateRequest:
    request ReadShareGroupState -> ReadShareGroupStateResponse,
    versions 0..=0, flexible 0.. {
        /// The group.
        group_id: String [0..],
        /// The topics.
        topics: Vec<ReadStateData> [0..],
    }
}

part! {
    /// A topic: one of [`ReadShareGroupStateRequest::topics`].
    pub struct ReadStateData {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<PartitionData> [0..],
    }
}

part! {
    /// A partition: one of [`ReadStateData::partitions`].
    pub struct PartitionData {
        /// The partition's index.
        partition: i32 [0..],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [0..],
    }
}

message! {
    /// Their state.
    pub struct ReadShareGroupStateResponse: response, versions 0..=0, flexible 0.. {
        /// What became of each.
        results: Vec<ReadStateResult> [0..],
    }
}

part! {
    /// A result: one of [`ReadShareGroupStateResponse::results`].
    pub struct ReadStateResult {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<PartitionResult> [0..],
    }
}

part! {
    /// A partition: one of [`ReadStateResult::partitions`].
    pub struct PartitionResult {
        /// The partition's index.
        partition: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// The epoch of the share partition's state.
        state_epoch: i32 [0..],
        /// The first offset.
        start_offset: i64 [0..],
        /// Runs of records in the same state.
        state_batches: Vec<StateBatch> [0..],
    }
}

part! {
    /// One of [`PartitionResult::state_batches`].
    pub struct StateBatch {
        /// The first offset.
        first_offset: i64 [0..],
        /// The last offset, included.
        last_offset: i64 [0..],
        /// The state: 0 available, 2 acknowledged, 4 archived.
        delivery_state: i8 [0..],
        /// How often it has been delivered.
        delivery_count: i16 [0..],
    }
}
