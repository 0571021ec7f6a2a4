//! Key 85, WriteShareGroupState: stores the state of share partitions, between brokers.
//!
//! Versions 0-1, flexible from 0. KIP-932, KIP-1226 (v1).

use crate::{ErrorCode, Uuid};

message! {
    /// The partitions, with their changes.
    pub struct WriteShareGroupStateRequest:
    request WriteShareGroupState -> WriteShareGroupStateResponse,
    versions 0..=1, flexible 0.. {
        /// The group.
        group_id: String [0..],
        /// The topics.
        topics: Vec<WriteStateData> [0..],
    }
}

part! {
    /// A topic: one of [`WriteShareGroupStateRequest::topics`].
    pub struct WriteStateData {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<PartitionData> [0..],
    }
}

part! {
    /// A partition: one of [`WriteStateData::partitions`].
    pub struct PartitionData {
        /// The partition's index.
        partition: i32 [0..],
        /// The epoch of the share partition's state.
        state_epoch: i32 [0..],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [0..],
        /// The first offset.
        start_offset: i64 [0..],
        /// How many records behind the start are done with.
        delivery_complete_count: i32 [1.., ignorable, = -1],
        /// Runs of records in the same state.
        state_batches: Vec<StateBatch> [0..],
    }
}

part! {
    /// One of [`PartitionData::state_batches`].
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

message! {
    /// What became of each.
    pub struct WriteShareGroupStateResponse: response, versions 0..=1, flexible 0.. {
        /// What became of each.
        results: Vec<WriteStateResult> [0..],
    }
}

part! {
    /// A result: one of [`WriteShareGroupStateResponse::results`].
    pub struct WriteStateResult {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<PartitionResult> [0..],
    }
}

part! {
    /// A partition: one of [`WriteStateResult::partitions`].
    pub struct PartitionResult {
        /// The partition's index.
        partition: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
    }
}
