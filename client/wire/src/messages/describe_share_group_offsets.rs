//! Key 90, DescribeShareGroupOffsets: tells where share groups start to read.
//!
//! Versions 0-1, flexible from 0. KIP-932, KIP-1226 (v1).

use crate::{ErrorCode, Uuid};

message! {
    /// The groups and partitions.
    pub struct DescribeShareGroupOffsetsRequest:
    request DescribeShareGroupOffsets -> DescribeShareGroupOffsetsResponse,
    versions 0..=1, flexible 0.. {
        /// The groups.
        groups: Vec<DescribeShareGroupOffsetsRequestGroup> [0..],
    }
}

part! {
    /// A group: one of [`DescribeShareGroupOffsetsRequest::groups`].
    pub struct DescribeShareGroupOffsetsRequestGroup {
        /// The group.
        group_id: String [0..],
        /// The topics.
        topics: Option<Vec<DescribeShareGroupOffsetsRequestTopic>> [0.., null 0..],
    }
}

part! {
    /// A topic: one of [`DescribeShareGroupOffsetsRequestGroup::topics`].
    pub struct DescribeShareGroupOffsetsRequestTopic {
        /// The topic's name.
        topic_name: String [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}

message! {
    /// Their start offsets.
    pub struct DescribeShareGroupOffsetsResponse: response, versions 0..=1, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// The groups.
        groups: Vec<DescribeShareGroupOffsetsResponseGroup> [0..],
    }
}

part! {
    /// A group: one of [`DescribeShareGroupOffsetsResponse::groups`].
    pub struct DescribeShareGroupOffsetsResponseGroup {
        /// The group.
        group_id: String [0..],
        /// The topics.
        topics: Vec<DescribeShareGroupOffsetsResponseTopic> [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
    }
}

part! {
    /// A topic: one of [`DescribeShareGroupOffsetsResponseGroup::topics`].
    pub struct DescribeShareGroupOffsetsResponseTopic {
        /// The topic's name.
        topic_name: String [0..],
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<DescribeShareGroupOffsetsResponsePartition> [0..],
    }
}

part! {
    /// A partition: one of [`DescribeShareGroupOffsetsResponseTopic::partitions`].
    pub struct DescribeShareGroupOffsetsResponsePartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The first offset.
        start_offset: i64 [0..],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [0..],
        /// How many records are still to be delivered, or -1.
        lag: i64 [1.., ignorable, = -1],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
    }
}
