//! Key 9, OffsetFetch: tells how far a group has read.
//!
//! Versions 1-10, flexible from 6. KIP-447 (v7), KIP-709 (v8), KIP-848 (v9-10).

use crate::{ErrorCode, Uuid};

message! {
    /// The groups and partitions asked for.
    pub struct OffsetFetchRequest: request OffsetFetch -> OffsetFetchResponse,
    versions 1..=10, flexible 6.. {
        /// The group.
        group_id: String [0..=7],
        /// The topics; null for all.
        topics: Option<Vec<OffsetFetchRequestTopic>> [0..=7, null 2..=7],
        /// The groups.
        groups: Vec<OffsetFetchRequestGroup> [8..],
        /// Whether offsets of open transactions are an error.
        require_stable: bool [7..],
    }
}

part! {
    /// A topic: one of [`OffsetFetchRequest::topics`].
    pub struct OffsetFetchRequestTopic {
        /// Its name.
        name: String [0..=7],
        /// The partitions' indexes.
        partition_indexes: Vec<i32> [0..=7],
    }
}

part! {
    /// A group: one of [`OffsetFetchRequest::groups`].
    pub struct OffsetFetchRequestGroup {
        /// The group.
        group_id: String [8..],
        /// The member's id.
        member_id: Option<String> [9.., null 9.., ignorable],
        /// The member's epoch.
        member_epoch: i32 [9.., ignorable, = -1],
        /// The topics; null for all.
        topics: Option<Vec<OffsetFetchRequestTopics>> [8.., null 8..],
    }
}

part! {
    /// A topic: one of [`OffsetFetchRequestGroup::topics`].
    pub struct OffsetFetchRequestTopics {
        /// Its name.
        name: String [8..=9, ignorable],
        /// The topic's id.
        topic_id: Uuid [10.., ignorable],
        /// The partitions' indexes.
        partition_indexes: Vec<i32> [8..],
    }
}

message! {
    /// The stored offsets.
    pub struct OffsetFetchResponse: response, versions 1..=10, flexible 6.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [3.., ignorable],
        /// The topics.
        topics: Vec<OffsetFetchResponseTopic> [0..=7],
        /// What went wrong, if anything.
        error_code: ErrorCode [2..=7, ignorable],
        /// The groups.
        groups: Vec<OffsetFetchResponseGroup> [8..],
    }
}

part! {
    /// A topic: one of [`OffsetFetchResponse::topics`].
    pub struct OffsetFetchResponseTopic {
        /// Its name.
        name: String [0..=7],
        /// The partitions.
        partitions: Vec<OffsetFetchResponsePartition> [0..=7],
    }
}

part! {
    /// A partition: one of [`OffsetFetchResponseTopic::partitions`].
    pub struct OffsetFetchResponsePartition {
        /// The partition's index.
        partition_index: i32 [0..=7],
        /// The offset to go on at, or -1.
        committed_offset: i64 [0..=7],
        /// The leader epoch of the last consumed record, or -1.
        committed_leader_epoch: i32 [5..=7, ignorable, = -1],
        /// What the client stored with it.
        metadata: Option<String> [0..=7, null 0..=7],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..=7],
    }
}

part! {
    /// A group: one of [`OffsetFetchResponse::groups`].
    pub struct OffsetFetchResponseGroup {
        /// The group.
        group_id: String [8..],
        /// The topics.
        topics: Vec<OffsetFetchResponseTopics> [8..],
        /// What went wrong, if anything.
        error_code: ErrorCode [8..],
    }
}

part! {
    /// A topic: one of [`OffsetFetchResponseGroup::topics`].
    pub struct OffsetFetchResponseTopics {
        /// Its name.
        name: String [8..=9, ignorable],
        /// The topic's id.
        topic_id: Uuid [10.., ignorable],
        /// The partitions.
        partitions: Vec<OffsetFetchResponsePartitions> [8..],
    }
}

part! {
    /// A partition: one of [`OffsetFetchResponseTopics::partitions`].
    pub struct OffsetFetchResponsePartitions {
        /// The partition's index.
        partition_index: i32 [8..],
        /// The offset to go on at, or -1.
        committed_offset: i64 [8..],
        /// The leader epoch of the last consumed record, or -1.
        committed_leader_epoch: i32 [8.., ignorable, = -1],
        /// What the client stored with it.
        metadata: Option<String> [8.., null 8..],
        /// What went wrong, if anything.
        error_code: ErrorCode [8..],
    }
}
