//! Key 8, OffsetCommit: stores how far a group has read.
//!
//! Versions 2-10, flexible from 8. KIP-211 (v5), KIP-320 (v6), KIP-345 (v7), KIP-848 (v9-10).

use crate::{ErrorCode, Uuid};

message! {
    /// The offsets to store.
    pub struct OffsetCommitRequest: request OffsetCommit -> OffsetCommitResponse,
    versions 2..=10, flexible 8.. {
        /// The group.
        group_id: String [0..],
        /// The generation of a classic group, or the member's epoch.
        generation_id_or_member_epoch: i32 [1.., ignorable, = -1],
        /// The member's id.
        member_id: String [1.., ignorable],
        /// The member's static name, if it has one.
        group_instance_id: Option<String> [7.., null 7..],
        /// How long to keep the offsets, or -1 for the broker's choice.
        retention_time_ms: i64 [2..=4, ignorable, = -1],
        /// The topics.
        topics: Vec<OffsetCommitRequestTopic> [0..],
    }
}

part! {
    /// A topic: one of [`OffsetCommitRequest::topics`].
    pub struct OffsetCommitRequestTopic {
        /// Its name.
        name: String [0..=9, ignorable],
        /// The topic's id.
        topic_id: Uuid [10.., ignorable],
        /// The partitions.
        partitions: Vec<OffsetCommitRequestPartition> [0..],
    }
}

part! {
    /// A partition: one of [`OffsetCommitRequestTopic::partitions`].
    pub struct OffsetCommitRequestPartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The offset to go on at.
        committed_offset: i64 [0..],
        /// The leader epoch of the last consumed record, or -1.
        committed_leader_epoch: i32 [6.., ignorable, = -1],
        /// What the client stores with it.
        committed_metadata: Option<String> [0.., null 0..],
    }
}

message! {
    /// What became of each partition.
    pub struct OffsetCommitResponse: response, versions 2..=10, flexible 8.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [3.., ignorable],
        /// The topics.
        topics: Vec<OffsetCommitResponseTopic> [0..],
    }
}

part! {
    /// A topic: one of [`OffsetCommitResponse::topics`].
    pub struct OffsetCommitResponseTopic {
        /// Its name.
        name: String [0..=9, ignorable],
        /// The topic's id.
        topic_id: Uuid [10.., ignorable],
        /// The partitions.
        partitions: Vec<OffsetCommitResponsePartition> [0..],
    }
}

part! {
    /// A partition: one of [`OffsetCommitResponseTopic::partitions`].
    pub struct OffsetCommitResponsePartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
    }
}
