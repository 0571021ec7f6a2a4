//! Key 37, CreatePartitions: adds partitions to topics.
//!
//! Versions 0-3, flexible from 2. KIP-195, KIP-599 (v3).

use crate::ErrorCode;

message! {
    /// The topics, with how many partitions they shall have.
    pub struct CreatePartitionsRequest: request CreatePartitions -> CreatePartitionsResponse,
    versions 0..=3, flexible 2.. {
        /// The topics.
        topics: Vec<CreatePartitionsTopic> [0..],
        /// How long the server may take, in milliseconds.
        timeout_ms: i32 [0..],
        /// Only check, change nothing.
        validate_only: bool [0..],
    }
}

part! {
    /// A topic: one of [`CreatePartitionsRequest::topics`].
    pub struct CreatePartitionsTopic {
        /// Its name.
        name: String [0..],
        /// How many partitions there shall be.
        count: i32 [0..],
        /// The replicas of the new partitions; null for the broker's choice.
        assignments: Option<Vec<CreatePartitionsAssignment>> [0.., null 0..],
    }
}

part! {
    /// One of [`CreatePartitionsTopic::assignments`].
    pub struct CreatePartitionsAssignment {
        /// The brokers.
        broker_ids: Vec<i32> [0..],
    }
}

message! {
    /// What became of each.
    pub struct CreatePartitionsResponse: response, versions 0..=3, flexible 2.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What became of each.
        results: Vec<CreatePartitionsTopicResult> [0..],
    }
}

part! {
    /// A result: one of [`CreatePartitionsResponse::results`].
    pub struct CreatePartitionsTopicResult {
        /// Its name.
        name: String [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
    }
}
