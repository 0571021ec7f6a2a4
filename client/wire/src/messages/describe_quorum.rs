//! Key 55, DescribeQuorum: describes the metadata quorum.
//!
//! Versions 0-2, flexible from 0. KIP-595, KIP-836 (v1), KIP-853 (v2).

use crate::{ErrorCode, Uuid};

message! {
    /// The partitions of the quorum.
    pub struct DescribeQuorumRequest: request DescribeQuorum -> DescribeQuorumResponse,
    versions 0..=2, flexible 0.. {
        /// The topics.
        topics: Vec<RequestTopicData> [0..],
    }
}

part! {
    /// A topic: one of [`DescribeQuorumRequest::topics`].
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
    }
}

message! {
    /// Its leader, voters and observers.
    pub struct DescribeQuorumResponse: response, versions 0..=2, flexible 0.. {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [2.., null 2.., ignorable],
        /// The topics.
        topics: Vec<ResponseTopicData> [0..],
        /// The nodes.
        nodes: Vec<Node> [2..],
    }
}

part! {
    /// A topic: one of [`DescribeQuorumResponse::topics`].
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
        /// What went wrong, for people.
        error_message: Option<String> [2.., null 2.., ignorable],
        /// The node that leads.
        leader_id: i32 [0..],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [0..],
        /// The offset up to which all replicas in sync agree.
        high_watermark: i64 [0..],
        /// The voters.
        current_voters: Vec<ReplicaState> [0..],
        /// The observers.
        observers: Vec<ReplicaState> [0..],
    }
}

part! {
    /// One of [`ResponsePartitionData::current_voters`].
    pub struct ReplicaState {
        /// The node's id.
        replica_id: i32 [0..],
        /// The node's directory id.
        replica_directory_id: Uuid [2..],
        /// The offset behind its last record.
        log_end_offset: i64 [0..],
        /// When it fetched last, in milliseconds since 1970, or -1.
        last_fetch_timestamp: i64 [1.., ignorable, = -1],
        /// When it was last caught up, in milliseconds since 1970, or -1.
        last_caught_up_timestamp: i64 [1.., ignorable, = -1],
    }
}

part! {
    /// One of [`DescribeQuorumResponse::nodes`].
    pub struct Node {
        /// The node's id.
        node_id: i32 [2..],
        /// Where the node listens.
        listeners: Vec<Listener> [2..],
    }
}

part! {
    /// A listener: one of [`Node::listeners`].
    pub struct Listener {
        /// Its name.
        name: String [2..],
        /// The host to connect to.
        host: String [2..],
        /// The port to connect to.
        port: u16 [2..],
    }
}
