//! Key 54, EndQuorumEpoch: tells the voters of the metadata quorum that the leader resigns.
//!
//! Versions 0-1, flexible from 1. KIP-595, KIP-853 (v1).

use crate::{ErrorCode, Uuid};

message! {
    /// The leader, its epoch, and who should follow.
    pub struct EndQuorumEpochRequest: request EndQuorumEpoch -> EndQuorumEpochResponse,
    versions 0..=1, flexible 1.. {
        /// The cluster the sender believes in.
        cluster_id: Option<String> [0.., null 0..],
        /// The topics.
        topics: Vec<RequestTopicData> [0..],
        /// Where the leader listens.
        leader_endpoints: Vec<LeaderEndpoint> [1.., ignorable],
    }
}

part! {
    /// A topic: one of [`EndQuorumEpochRequest::topics`].
    pub struct RequestTopicData {
        /// The topic's name.
        topic_name: String [0..],
        /// The partitions.
        partitions: Vec<RequestPartitionData> [0..],
    }
}

part! {
    /// A partition: one of [`RequestTopicData::partitions`].
    pub struct RequestPartitionData {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The node that leads.
        leader_id: i32 [0..],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [0..],
        /// The voters that should lead next, best first.
        preferred_successors: Vec<i32> [0..=0, ignorable],
        /// The voters that should lead next, best first, with their directories.
        preferred_candidates: Vec<ReplicaInfo> [1.., ignorable],
    }
}

part! {
    /// One of [`RequestPartitionData::preferred_candidates`].
    pub struct ReplicaInfo {
        /// The voter's id.
        candidate_id: i32 [1..],
        /// The voter's directory id.
        candidate_directory_id: Uuid [1..],
    }
}

part! {
    /// One of [`EndQuorumEpochRequest::leader_endpoints`].
    pub struct LeaderEndpoint {
        /// Its name.
        name: String [1..],
        /// The host to connect to.
        host: String [1..],
        /// The port to connect to.
        port: u16 [1..],
    }
}

message! {
    /// Whether the voter has heard it.
    pub struct EndQuorumEpochResponse: response, versions 0..=1, flexible 1.. {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The topics.
        topics: Vec<ResponseTopicData> [0..],
        /// Where the leaders named here can be reached.
        node_endpoints: Vec<NodeEndpoint> [1.., tag 0],
    }
}

part! {
    /// A topic: one of [`EndQuorumEpochResponse::topics`].
    pub struct ResponseTopicData {
        /// The topic's name.
        topic_name: String [0..],
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
    }
}

part! {
    /// A node: one of [`EndQuorumEpochResponse::node_endpoints`].
    pub struct NodeEndpoint {
        /// The node's id.
        node_id: i32 [1..],
        /// The host to connect to.
        host: String [1..],
        /// The port to connect to.
        port: u16 [1..],
    }
}
