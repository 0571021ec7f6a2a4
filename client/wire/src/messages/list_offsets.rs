//! Key 2, ListOffsets: finds offsets by time, or at the ends of a log.
//!
//! Versions 1-11, flexible from 6. KIP-79, KIP-734 (v7), KIP-405 (v8), KIP-1005 (v9), KIP-1075
//! (v10), KIP-1023 (v11).

use crate::ErrorCode;

message! {
    /// The partitions, each with the time asked for.
    pub struct ListOffsetsRequest: request ListOffsets -> ListOffsetsResponse,
    versions 1..=11, flexible 6.. {
        /// The broker that fetches, or -1 for a consumer.
        replica_id: i32 [0..],
        /// 0: read uncommitted; 1: read committed.
        isolation_level: i8 [2..],
        /// The topics.
        topics: Vec<ListOffsetsTopic> [0..],
        /// How long to wait for remote storage, in milliseconds.
        timeout_ms: i32 [10.., ignorable],
    }
}

part! {
    /// A topic: one of [`ListOffsetsRequest::topics`].
    pub struct ListOffsetsTopic {
        /// Its name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<ListOffsetsPartition> [0..],
    }
}

part! {
    /// A partition: one of [`ListOffsetsTopic::partitions`].
    pub struct ListOffsetsPartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The leader epoch the sender believes in, or -1.
        current_leader_epoch: i32 [4.., ignorable, = -1],
        /// The time in milliseconds since 1970; or -1 the end, -2 the start, -3 the largest
        /// timestamp, -4 the start on local disk, -5 the end of what is tiered, -6 the start of
        /// what is not.
        timestamp: i64 [0..],
    }
}

message! {
    /// The offsets found.
    pub struct ListOffsetsResponse: response, versions 1..=11, flexible 6.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [2.., ignorable],
        /// The topics.
        topics: Vec<ListOffsetsTopicResponse> [0..],
    }
}

part! {
    /// A topic: one of [`ListOffsetsResponse::topics`].
    pub struct ListOffsetsTopicResponse {
        /// Its name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<ListOffsetsPartitionResponse> [0..],
    }
}

part! {
    /// A partition: one of [`ListOffsetsTopicResponse::partitions`].
    pub struct ListOffsetsPartitionResponse {
        /// The partition's index.
        partition_index: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The timestamp of the record found, or -1.
        timestamp: i64 [1.., = -1],
        /// The offset found, or -1.
        offset: i64 [1.., = -1],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [4.., = -1],
    }
}
