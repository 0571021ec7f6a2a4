//! Key 47, OffsetDelete: deletes stored offsets of a group.
//!
//! Version 0, flexible never. KIP-496.

use crate::ErrorCode;

message! {
    /// The group and the partitions.
    pub struct OffsetDeleteRequest: request OffsetDelete -> OffsetDeleteResponse,
    versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..],
        /// The topics.
        topics: Vec<OffsetDeleteRequestTopic> [0..],
    }
}

part! {
    /// A topic: one of [`OffsetDeleteRequest::topics`].
    pub struct OffsetDeleteRequestTopic {
        /// Its name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<OffsetDeleteRequestPartition> [0..],
    }
}

part! {
    /// A partition: one of [`OffsetDeleteRequestTopic::partitions`].
    pub struct OffsetDeleteRequestPartition {
        /// The partition's index.
        partition_index: i32 [0..],
    }
}

message! {
    /// What became of each.
    pub struct OffsetDeleteResponse: response, versions 0..=0, flexible never {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0.., ignorable],
        /// The topics.
        topics: Vec<OffsetDeleteResponseTopic> [0..],
    }
}

part! {
    /// A topic: one of [`OffsetDeleteResponse::topics`].
    pub struct OffsetDeleteResponseTopic {
        /// Its name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<OffsetDeleteResponsePartition> [0..],
    }
}

part! {
    /// A partition: one of [`OffsetDeleteResponseTopic::partitions`].
    pub struct OffsetDeleteResponsePartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
    }
}
