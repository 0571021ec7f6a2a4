//! Key 23, OffsetForLeaderEpoch: finds where an epoch ends, to find where histories part.
//!
//! Versions 2-4, flexible from 4. KIP-101, KIP-320 (v2), KIP-392 (v3).

use crate::ErrorCode;

message! {
    /// The epochs asked for.
    pub struct OffsetForLeaderEpochRequest:
    request OffsetForLeaderEpoch -> OffsetForLeaderEpochResponse,
    versions 2..=4, flexible 4.. {
        /// The broker that asks, or -1 for a consumer.
        replica_id: i32 [3.., ignorable, = -2],
        /// The topics.
        topics: Vec<OffsetForLeaderTopic> [0..],
    }
}

part! {
    /// A topic: one of [`OffsetForLeaderEpochRequest::topics`].
    pub struct OffsetForLeaderTopic {
        /// The topic's name.
        topic: String [0..],
        /// The partitions.
        partitions: Vec<OffsetForLeaderPartition> [0..],
    }
}

part! {
    /// A partition: one of [`OffsetForLeaderTopic::partitions`].
    pub struct OffsetForLeaderPartition {
        /// The partition's index.
        partition: i32 [0..],
        /// The leader epoch the sender believes in, or -1.
        current_leader_epoch: i32 [2.., ignorable, = -1],
        /// The epoch asked for.
        leader_epoch: i32 [0..],
    }
}

message! {
    /// Where each ends.
    pub struct OffsetForLeaderEpochResponse: response, versions 2..=4, flexible 4.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [2.., ignorable],
        /// The topics.
        topics: Vec<OffsetForLeaderTopicResult> [0..],
    }
}

part! {
    /// A topic: one of [`OffsetForLeaderEpochResponse::topics`].
    pub struct OffsetForLeaderTopicResult {
        /// The topic's name.
        topic: String [0..],
        /// The partitions.
        partitions: Vec<EpochEndOffset> [0..],
    }
}

part! {
    /// A partition: one of [`OffsetForLeaderTopicResult::partitions`].
    pub struct EpochEndOffset {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The partition's index.
        partition: i32 [0..],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [1.., ignorable, = -1],
        /// Where the epoch ends, or -1.
        end_offset: i64 [0.., = -1],
    }
}
