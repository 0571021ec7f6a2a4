//! Key 45, AlterPartitionReassignments: moves partitions between brokers.
//!
//! Versions 0-1, flexible from 0. KIP-455, KIP-860 (v1).

use crate::ErrorCode;

message! {
    /// The partitions, with their future replicas.
    pub struct AlterPartitionReassignmentsRequest:
    request AlterPartitionReassignments -> AlterPartitionReassignmentsResponse,
    versions 0..=1, flexible 0.. {
        /// How long the server may take, in milliseconds.
        timeout_ms: i32 [0.., = 60_000],
        /// Whether the number of replicas may change.
        allow_replication_factor_change: bool [1.., = true],
        /// The topics.
        topics: Vec<ReassignableTopic> [0..],
    }
}

part! {
    /// A topic: one of [`AlterPartitionReassignmentsRequest::topics`].
    pub struct ReassignableTopic {
        /// Its name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<ReassignablePartition> [0..],
    }
}

part! {
    /// A partition: one of [`ReassignableTopic::partitions`].
    pub struct ReassignablePartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The future replicas; null takes a pending move back.
        replicas: Option<Vec<i32>> [0.., null 0..],
    }
}

message! {
    /// What became of each.
    pub struct AlterPartitionReassignmentsResponse: response, versions 0..=1, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// Whether the number of replicas may change.
        allow_replication_factor_change: bool [1.., ignorable, = true],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// What became of each.
        responses: Vec<ReassignableTopicResponse> [0..],
    }
}

part! {
    /// A result: one of [`AlterPartitionReassignmentsResponse::responses`].
    pub struct ReassignableTopicResponse {
        /// Its name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<ReassignablePartitionResponse> [0..],
    }
}

part! {
    /// A partition: one of [`ReassignableTopicResponse::partitions`].
    pub struct ReassignablePartitionResponse {
        /// The partition's index.
        partition_index: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
    }
}
