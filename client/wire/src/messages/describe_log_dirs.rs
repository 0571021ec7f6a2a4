//! Key 35, DescribeLogDirs: describes the log directories of a broker.
//!
//! Versions 1-5, flexible from 2. KIP-113, KIP-827 (v4), KIP-1066 (v5).

use crate::ErrorCode;

message! {
    /// The partitions of interest.
    pub struct DescribeLogDirsRequest: request DescribeLogDirs -> DescribeLogDirsResponse,
    versions 1..=5, flexible 2.. {
        /// The topics; null for all.
        topics: Option<Vec<DescribableLogDirTopic>> [0.., null 0..],
    }
}

part! {
    /// A topic: one of [`DescribeLogDirsRequest::topics`].
    pub struct DescribableLogDirTopic {
        /// The topic's name.
        topic: String [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}

message! {
    /// The directories and what they hold.
    pub struct DescribeLogDirsResponse: response, versions 1..=5, flexible 2.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [3.., ignorable],
        /// What became of each.
        results: Vec<DescribeLogDirsResult> [0..],
    }
}

part! {
    /// A result: one of [`DescribeLogDirsResponse::results`].
    pub struct DescribeLogDirsResult {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The path of the directory.
        log_dir: String [0..],
        /// The topics.
        topics: Vec<DescribeLogDirsTopic> [0..],
        /// The size of the volume in bytes, or -1.
        total_bytes: i64 [4.., ignorable, = -1],
        /// What is free of it in bytes, or -1.
        usable_bytes: i64 [4.., ignorable, = -1],
        /// Whether the directory takes no new replicas.
        is_cordoned: bool [5.., ignorable],
    }
}

part! {
    /// A topic: one of [`DescribeLogDirsResult::topics`].
    pub struct DescribeLogDirsTopic {
        /// Its name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<DescribeLogDirsPartition> [0..],
    }
}

part! {
    /// A partition: one of [`DescribeLogDirsTopic::partitions`].
    pub struct DescribeLogDirsPartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The size in bytes.
        partition_size: i64 [0..],
        /// How far the replica is behind.
        offset_lag: i64 [0..],
        /// Whether the replica is being moved here.
        is_future_key: bool [0..],
    }
}
