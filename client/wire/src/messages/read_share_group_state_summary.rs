//! Key 87, ReadShareGroupStateSummary: reads the stored start of share partitions, between brokers.
//!
//! Versions 0-1, flexible from 0. KIP-932, KIP-1226 (v1).

use crate::{ErrorCode, Uuid};

message! {
    /// The partitions.
    pub struct ReadShareGroupStateSummaryRequest:
    request ReadShareGroupStateSummary -> ReadShareGroupStateSummaryResponse,
    versions 0..=1, flexible 0.. {
        /// The group.
        group_id: String [0..],
        /// The topics.
        topics: Vec<ReadStateSummaryData> [0..],
    }
}

part! {
    /// A topic: one of [`ReadShareGroupStateSummaryRequest::topics`].
    pub struct ReadStateSummaryData {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<PartitionData> [0..],
    }
}

part! {
    /// A partition: one of [`ReadStateSummaryData::partitions`].
    pub struct PartitionData {
        /// The partition's index.
        partition: i32 [0..],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [0..],
    }
}

message! {
    /// Their starts.
    pub struct ReadShareGroupStateSummaryResponse: response, versions 0..=1, flexible 0.. {
        /// What became of each.
        results: Vec<ReadStateSummaryResult> [0..],
    }
}

part! {
    /// A result: one of [`ReadShareGroupStateSummaryResponse::results`].
    pub struct ReadStateSummaryResult {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<PartitionResult> [0..],
    }
}

part! {
    /// A partition: one of [`ReadStateSummaryResult::partitions`].
    pub struct PartitionResult {
        /// The partition's index.
        partition: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// The epoch of the share partition's state.
        state_epoch: i32 [0..],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [0..],
        /// The first offset.
        start_offset: i64 [0..],
        /// How many records behind the start are done with.
        delivery_complete_count: i32 [1.., ignorable, = -1],
    }
}
