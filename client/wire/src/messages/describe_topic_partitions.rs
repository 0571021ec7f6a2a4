//! Key 75, DescribeTopicPartitions: describes topics piece by piece.
//!
//! Version 0, flexible from 0. KIP-966.

use crate::{ErrorCode, Uuid};

message! {
    /// The topics, and where to go on.
    pub struct DescribeTopicPartitionsRequest:
    request DescribeTopicPartitions -> DescribeTopicPartitionsResponse,
    versions 0..=0, flexible 0.. {
        /// The topics.
        topics: Vec<TopicRequest> [0..],
        /// The most partitions to answer with.
        response_partition_limit: i32 [0.., = 2_000],
        /// Where to go on, or null for the start.
        cursor: Option<Cursor> [0.., null 0..],
    }
}

part! {
    /// A topic: one of [`DescribeTopicPartitionsRequest::topics`].
    pub struct TopicRequest {
        /// Its name.
        name: String [0..],
    }
}

part! {
    /// The value of [`DescribeTopicPartitionsRequest::cursor`].
    pub struct Cursor {
        /// The topic's name.
        topic_name: String [0..],
        /// The partition's index.
        partition_index: i32 [0..],
    }
}

message! {
    /// The partitions, and where the next request goes on.
    pub struct DescribeTopicPartitionsResponse: response, versions 0..=0, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0.., ignorable],
        /// The topics.
        topics: Vec<DescribeTopicPartitionsResponseTopic> [0..],
        /// Where the next request goes on, or null at the end.
        next_cursor: Option<Cursor> [0.., null 0..],
    }
}

part! {
    /// A topic: one of [`DescribeTopicPartitionsResponse::topics`].
    pub struct DescribeTopicPartitionsResponseTopic {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// Its name.
        name: Option<String> [0.., null 0..],
        /// The topic's id.
        topic_id: Uuid [0.., ignorable],
        /// Whether the topic is internal.
        is_internal: bool [0.., ignorable],
        /// The partitions.
        partitions: Vec<DescribeTopicPartitionsResponsePartition> [0..],
        /// What the sender is allowed to do to the topic, as bits.
        topic_authorized_operations: i32 [0.., = i32::MIN],
    }
}

part! {
    /// A partition: one of [`DescribeTopicPartitionsResponseTopic::partitions`].
    pub struct DescribeTopicPartitionsResponsePartition {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The partition's index.
        partition_index: i32 [0..],
        /// The node that leads.
        leader_id: i32 [0..],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [0.., ignorable, = -1],
        /// The brokers that hold a replica.
        replica_nodes: Vec<i32> [0..],
        /// The replicas in sync.
        isr_nodes: Vec<i32> [0..],
        /// Replicas outside the in-sync set that may still lead (KIP-966).
        eligible_leader_replicas: Option<Vec<i32>> [0.., null 0..],
        /// The replicas that were eligible last (KIP-966).
        last_known_elr: Option<Vec<i32>> [0.., null 0..],
        /// The replicas that are offline.
        offline_replicas: Vec<i32> [0.., ignorable],
    }
}
