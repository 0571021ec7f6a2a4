//! Key 56, AlterPartition: changes the in-sync sets of partitions, from their leaders to the
//! controller.
//!
//! Versions 2-3, flexible from 0. KIP-497, KIP-841 (v2), KIP-903 (v3).

use crate::{ErrorCode, Uuid};

message! {
    /// The in-sync sets wanted.
    pub struct AlterPartitionRequest: request AlterPartition -> AlterPartitionResponse,
    versions 2..=3, flexible 0.. {
        /// The broker that leads the partitions.
        broker_id: i32 [0..],
        /// The epoch of the broker's registration.
        broker_epoch: i64 [0.., = -1],
        /// The topics.
        topics: Vec<RequestTopicData> [0..],
    }
}

part! {
    /// A topic: one of [`AlterPartitionRequest::topics`].
    pub struct RequestTopicData {
        /// The topic's id.
        topic_id: Uuid [2.., ignorable],
        /// The partitions.
        partitions: Vec<RequestPartitionData> [0..],
    }
}

part! {
    /// A partition: one of [`RequestTopicData::partitions`].
    pub struct RequestPartitionData {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [0..],
        /// The replicas in sync.
        new_isr: Vec<i32> [0..=2],
        /// The replicas in sync, with the epochs of their brokers (KIP-903).
        new_isr_with_epochs: Vec<BrokerState> [3..],
        /// Whether the leader was chosen uncleanly and still recovers.
        leader_recovery_state: i8 [1..],
        /// The epoch of the partition's state.
        partition_epoch: i32 [0..],
    }
}

part! {
    /// One of [`RequestPartitionData::new_isr_with_epochs`].
    pub struct BrokerState {
        /// The broker.
        broker_id: i32 [3..],
        /// The epoch of the broker's registration.
        broker_epoch: i64 [3.., = -1],
    }
}

message! {
    /// The state that each partition now has.
    pub struct AlterPartitionResponse: response, versions 2..=3, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The topics.
        topics: Vec<ResponseTopicData> [0..],
    }
}

part! {
    /// A topic: one of [`AlterPartitionResponse::topics`].
    pub struct ResponseTopicData {
        /// The topic's id.
        topic_id: Uuid [2.., ignorable],
        /// The partitions.
        partitions: Vec<ResponsePartitionData> [0..],
    }
}

part! {
    /// A partition: one of [`ResponseTopicData::partitions`].
    pub struct ResponsePartitionData {
        /// The partition's index.
        partition_index: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The node that leads.
        leader_id: i32 [0..],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [0..],
        /// The replicas in sync.
        isr: Vec<i32> [0..],
        /// Whether the leader was chosen uncleanly and still recovers.
        leader_recovery_state: i8 [1.., ignorable],
        /// The epoch of the partition's state.
        partition_epoch: i32 [0..],
    }
}
