//! Key 46, ListPartitionReassignments: lists the moves of partitions that are going on.
//!
//! Version 0, flexible from 0. KIP-455.

use crate::ErrorCode;

message! {
    /// The partitions; null means all.
    pub struct ListPartitionReassignmentsRequest:
    request ListPartitionReassignments -> ListPartitionReassignmentsResponse,
    versions 0..=0, flexible 0.. {
        /// How long the server may take, in milliseconds.
        timeout_ms: i32 [0.., = 60_000],
        /// The topics; null for all.
        topics: Option<Vec<ListPartitionReassignmentsTopics>> [0.., null 0..],
    }
}

part! {
    /// A topic: one of [`ListPartitionReassignmentsRequest::topics`].
    pub struct ListPartitionReassignmentsTopics {
        /// Its name.
        name: String [0..],
        /// The partitions' indexes.
        partition_indexes: Vec<i32> [0..],
    }
}

message! {
    /// The moves.
    pub struct ListPartitionReassignmentsResponse: response, versions 0..=0, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// The topics.
        topics: Vec<OngoingTopicReassignment> [0..],
    }
}

part! {
    /// A topic: one of [`ListPartitionReassignmentsResponse::topics`].
    pub struct OngoingTopicReassignment {
        /// Its name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<OngoingPartitionReassignment> [0..],
    }
}

part! {
    /// A partition: one of [`OngoingTopicReassignment::partitions`].
    pub struct OngoingPartitionReassignment {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The brokers that hold a replica.
        replicas: Vec<i32> [0..],
        /// The replicas that are being added.
        adding_replicas: Vec<i32> [0..],
        /// The replicas that are being removed.
        removing_replicas: Vec<i32> [0..],
    }
}
