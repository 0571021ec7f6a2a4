//! Key 21, DeleteRecords: deletes records from the start of partitions.
//!
//! Versions 0-2, flexible from 2. KIP-107.

use crate::ErrorCode;

message! {
    /// Up to which offset to delete.
    pub struct DeleteRecordsRequest: request DeleteRecords -> DeleteRecordsResponse,
    versions 0..=2, flexible 2.. {
        /// The topics.
        topics: Vec<DeleteRecordsTopic> [0..],
        /// How long the server may take, in milliseconds.
        timeout_ms: i32 [0..],
    }
}

part! {
    /// A topic: one of [`DeleteRecordsRequest::topics`].
    pub struct DeleteRecordsTopic {
        /// Its name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<DeleteRecordsPartition> [0..],
    }
}

part! {
    /// A partition: one of [`DeleteRecordsTopic::partitions`].
    pub struct DeleteRecordsPartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The first offset to keep; -1 for the high watermark.
        offset: i64 [0..],
    }
}

message! {
    /// Where each log now starts.
    pub struct DeleteRecordsResponse: response, versions 0..=2, flexible 2.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// The topics.
        topics: Vec<DeleteRecordsTopicResult> [0..],
    }
}

part! {
    /// A topic: one of [`DeleteRecordsResponse::topics`].
    pub struct DeleteRecordsTopicResult {
        /// Its name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<DeleteRecordsPartitionResult> [0..],
    }
}

part! {
    /// A partition: one of [`DeleteRecordsTopicResult::partitions`].
    pub struct DeleteRecordsPartitionResult {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The first offset that is left.
        low_watermark: i64 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
    }
}
