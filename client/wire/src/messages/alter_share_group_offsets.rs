//! Key 91, AlterShareGroupOffsets: sets where a share group starts to read.
//!
//! Version 0, flexible from 0. KIP-932.

use crate::{ErrorCode, Uuid};

message! {
    /// The group and the offsets.
    pub struct AlterShareGroupOffsetsRequest:
    request AlterShareGroupOffsets -> AlterShareGroupOffsetsResponse,
    versions 0..=0, flexible 0.. {
        /// The group.
        group_id: String [0..],
        /// The topics.
        topics: Vec<AlterShareGroupOffsetsRequestTopic> [0..],
    }
}

part! {
    /// A topic: one of [`AlterShareGroupOffsetsRequest::topics`].
    pub struct AlterShareGroupOffsetsRequestTopic {
        /// The topic's name.
        topic_name: String [0..],
        /// The partitions.
        partitions: Vec<AlterShareGroupOffsetsRequestPartition> [0..],
    }
}

part! {
    /// A partition: one of [`AlterShareGroupOffsetsRequestTopic::partitions`].
    pub struct AlterShareGroupOffsetsRequestPartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The first offset.
        start_offset: i64 [0..],
    }
}

message! {
    /// What became of each partition.
    pub struct AlterShareGroupOffsetsResponse: response, versions 0..=0, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// What became of each.
        responses: Vec<AlterShareGroupOffsetsResponseTopic> [0..],
    }
}

part! {
    /// A result: one of [`AlterShareGroupOffsetsResponse::responses`].
    pub struct AlterShareGroupOffsetsResponseTopic {
        /// The topic's name.
        topic_name: String [0..],
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<AlterShareGroupOffsetsResponsePartition> [0..],
    }
}

part! {
    /// A partition: one of [`AlterShareGroupOffsetsResponseTopic::partitions`].
    pub struct AlterShareGroupOffsetsResponsePartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
    }
}
