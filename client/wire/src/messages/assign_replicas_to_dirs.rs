//! Key 73, AssignReplicasToDirs: tells the controller in which directories replicas lie.
//!
//! Version 0, flexible from 0. KIP-858.

use crate::{ErrorCode, Uuid};

message! {
    /// The directories with their partitions.
    pub struct AssignReplicasToDirsRequest:
    request AssignReplicasToDirs -> AssignReplicasToDirsResponse,
    versions 0..=0, flexible 0.. {
        /// The broker's id.
        broker_id: i32 [0..],
        /// The epoch of the broker's registration.
        broker_epoch: i64 [0.., = -1],
        /// The directories of the replicas, in their order.
        directories: Vec<RequestDirectoryData> [0..],
    }
}

part! {
    /// One of [`AssignReplicasToDirsRequest::directories`].
    pub struct RequestDirectoryData {
        /// The directory's id.
        id: Uuid [0..],
        /// The topics.
        topics: Vec<RequestTopicData> [0..],
    }
}

part! {
    /// A topic: one of [`RequestDirectoryData::topics`].
    pub struct RequestTopicData {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<RequestPartitionData> [0..],
    }
}

part! {
    /// A partition: one of [`RequestTopicData::partitions`].
    pub struct RequestPartitionData {
        /// The partition's index.
        partition_index: i32 [0..],
    }
}

message! {
    /// What became of each.
    pub struct AssignReplicasToDirsResponse: response, versions 0..=0, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The directories of the replicas, in their order.
        directories: Vec<ResponseDirectoryData> [0..],
    }
}

part! {
    /// One of [`AssignReplicasToDirsResponse::directories`].
    pub struct ResponseDirectoryData {
        /// The directory's id.
        id: Uuid [0..],
        /// The topics.
        topics: Vec<ResponseTopicData> [0..],
    }
}

part! {
    /// A topic: one of [`ResponseDirectoryData::topics`].
    pub struct ResponseTopicData {
        /// The topic's id.
        topic_id: Uuid [0..],
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
    }
}
