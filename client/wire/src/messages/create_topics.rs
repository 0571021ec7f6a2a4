//! Key 19, CreateTopics: creates topics.
//!
//! Versions 2-7, flexible from 5. KIP-4, KIP-464 (v4), KIP-525 (v5), KIP-599 (v6), KIP-516 (v7).

use crate::{ErrorCode, Uuid};

message! {
    /// The topics to create.
    pub struct CreateTopicsRequest: request CreateTopics -> CreateTopicsResponse,
    versions 2..=7, flexible 5.. {
        /// The topics.
        topics: Vec<CreatableTopic> [0..],
        /// How long the server may take, in milliseconds.
        timeout_ms: i32 [0.., = 60_000],
        /// Only check, change nothing.
        validate_only: bool [1..],
    }
}

part! {
    /// A topic: one of [`CreateTopicsRequest::topics`].
    pub struct CreatableTopic {
        /// Its name.
        name: String [0..],
        /// How many partitions; -1 for the default, or when assignments are given.
        num_partitions: i32 [0..],
        /// How many replicas; -1 for the default, or when assignments are given.
        replication_factor: i16 [0..],
        /// What is assigned.
        assignments: Vec<CreatableReplicaAssignment> [0..],
        /// The configuration.
        configs: Vec<CreatableTopicConfig> [0..],
    }
}

part! {
    /// One of [`CreatableTopic::assignments`].
    pub struct CreatableReplicaAssignment {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The brokers.
        broker_ids: Vec<i32> [0..],
    }
}

part! {
    /// A configuration value: one of [`CreatableTopic::configs`].
    pub struct CreatableTopicConfig {
        /// Its name.
        name: String [0..],
        /// Its value.
        value: Option<String> [0.., null 0..],
    }
}

message! {
    /// What became of each.
    pub struct CreateTopicsResponse: response, versions 2..=7, flexible 5.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [2.., ignorable],
        /// The topics.
        topics: Vec<CreatableTopicResult> [0..],
    }
}

part! {
    /// A topic: one of [`CreateTopicsResponse::topics`].
    pub struct CreatableTopicResult {
        /// Its name.
        name: String [0..],
        /// The topic's id.
        topic_id: Uuid [7.., ignorable],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [1.., null 0.., ignorable],
        /// How many partitions; -1 for the default, or when assignments are given.
        num_partitions: i32 [5.., ignorable, = -1],
        /// How many replicas; -1 for the default, or when assignments are given.
        replication_factor: i16 [5.., ignorable, = -1],
        /// The configuration.
        configs: Option<Vec<CreatableTopicConfigs>> [5.., null 5.., ignorable],
        /// Why the configuration is missing, if it is.
        topic_config_error_code: ErrorCode [5.., tag 0, ignorable],
    }
}

part! {
    /// A configuration value: one of [`CreatableTopicResult::configs`].
    pub struct CreatableTopicConfigs {
        /// Its name.
        name: String [5..],
        /// Its value.
        value: Option<String> [5.., null 5..],
        /// Whether it cannot be changed.
        read_only: bool [5..],
        /// Where the value comes from.
        config_source: i8 [5.., ignorable, = -1],
        /// Whether the value is a secret and therefore null.
        is_sensitive: bool [5..],
    }
}
