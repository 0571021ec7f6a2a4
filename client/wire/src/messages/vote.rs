//! Key 52, Vote: asks the voters of the metadata quorum for a vote.
//!
//! Versions 0-2, flexible from 0. KIP-595, KIP-853 (v1), KIP-996 (v2).

use crate::{ErrorCode, Uuid};

message! {
    /// The candidate and how long its log is.
    pub struct VoteRequest: request Vote -> VoteResponse, versions 0..=2, flexible 0.. {
        /// The cluster the sender believes in.
        cluster_id: Option<String> [0.., null 0..],
        /// The voter that is asked, or -1.
        voter_id: i32 [1.., ignorable, = -1],
        /// The topics.
        topics: Vec<RequestTopicData> [0..],
    }
}

part! {
    /// A topic: one of [`VoteRequest::topics`].
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
        /// The epoch the candidate stands for.
        replica_epoch: i32 [0..],
        /// The candidate.
        replica_id: i32 [0..],
        /// The candidate's directory id.
        replica_directory_id: Uuid [1.., ignorable],
        /// The directory id of the voter that is asked.
        voter_directory_id: Uuid [1.., ignorable],
        /// The epoch of the candidate's last record.
        last_offset_epoch: i32 [0..],
        /// The offset behind the candidate's last record.
        last_offset: i64 [0..],
        /// Whether this only asks what would be (KIP-996).
        pre_vote: bool [2..],
    }
}

message! {
    /// Whether the vote is given.
    pub struct VoteResponse: response, versions 0..=2, flexible 0.. {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The topics.
        topics: Vec<ResponseTopicData> [0..],
        /// Where the leaders named here can be reached.
        node_endpoints: Vec<NodeEndpoint> [1.., tag 0],
    }
}

part! {
    /// A topic: one of [`VoteResponse::topics`].
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
        /// Whether the vote is given.
        vote_granted: bool [0..],
    }
}

part! {
    /// A node: one of [`VoteResponse::node_endpoints`].
    pub struct NodeEndpoint {
        /// The node's id.
        node_id: i32 [1..],
        /// The host to connect to.
        host: String [1..],
        /// The port to connect to.
        port: u16 [1..],
    }
}
