//! Key 34, AlterReplicaLogDirs: moves replicas between the log directories of a broker.
//!
//! Versions 1-2, flexible from 2. KIP-113.

use crate::ErrorCode;

message! {
    /// Which replicas to where.
    pub struct AlterReplicaLogDirsRequest:
    request AlterReplicaLogDirs -> AlterReplicaLogDirsResponse,
    versions 1..=2, flexible 2.. {
        /// The directories.
        dirs: Vec<AlterReplicaLogDir> [0..],
    }
}

part! {
    /// One of [`AlterReplicaLogDirsRequest::dirs`].
    pub struct AlterReplicaLogDir {
        /// The path of the directory.
        path: String [0..],
        /// The topics.
        topics: Vec<AlterReplicaLogDirTopic> [0..],
    }
}

part! {
    /// A topic: one of [`AlterReplicaLogDir::topics`].
    pub struct AlterReplicaLogDirTopic {
        /// Its name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}

message! {
    /// What became of each.
    pub struct AlterReplicaLogDirsResponse: response, versions 1..=2, flexible 2.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What became of each.
        results: Vec<AlterReplicaLogDirTopicResult> [0..],
    }
}

part! {
    /// A result: one of [`AlterReplicaLogDirsResponse::results`].
    pub struct AlterReplicaLogDirTopicResult {
        /// The topic's name.
        topic_name: String [0..],
        /// The partitions.
        partitions: Vec<AlterReplicaLogDirPartitionResult> [0..],
    }
}

part! {
    /// A partition: one of [`AlterReplicaLogDirTopicResult::partitions`].
    pub struct AlterReplicaLogDirPartitionResult {
        /// The partition's index.
        partition_index: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
    }
}
