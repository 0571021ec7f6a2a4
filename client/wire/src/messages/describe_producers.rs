//! Key 61, DescribeProducers: lists the producers of partitions.
//!
//! Version 0, flexible from 0. KIP-664.

use crate::ErrorCode;

message! {
    /// The partitions.
    pub struct DescribeProducersRequest: request DescribeProducers -> DescribeProducersResponse,
    versions 0..=0, flexible 0.. {
        /// The topics.
        topics: Vec<TopicRequest> [0..],
    }
}

part! {
    /// A topic: one of [`DescribeProducersRequest::topics`].
    pub struct TopicRequest {
        /// Its name.
        name: String [0..],
        /// The partitions' indexes.
        partition_indexes: Vec<i32> [0..],
    }
}

message! {
    /// Their producers.
    pub struct DescribeProducersResponse: response, versions 0..=0, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// The topics.
        topics: Vec<TopicResponse> [0..],
    }
}

part! {
    /// A topic: one of [`DescribeProducersResponse::topics`].
    pub struct TopicResponse {
        /// Its name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<PartitionResponse> [0..],
    }
}

part! {
    /// A partition: one of [`TopicResponse::partitions`].
    pub struct PartitionResponse {
        /// The partition's index.
        partition_index: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// The producers.
        active_producers: Vec<ProducerState> [0..],
    }
}

part! {
    /// One of [`PartitionResponse::active_producers`].
    pub struct ProducerState {
        /// The producer's id.
        producer_id: i64 [0..],
        /// The producer's epoch.
        producer_epoch: i32 [0..],
        /// The last sequence number, or -1.
        last_sequence: i32 [0.., = -1],
        /// The time of the last batch, in milliseconds since 1970, or -1.
        last_timestamp: i64 [0.., = -1],
        /// The epoch of the transaction coordinator.
        coordinator_epoch: i32 [0..],
        /// Where its open transaction starts, or -1.
        current_txn_start_offset: i64 [0.., = -1],
    }
}
