//! Key 79, ShareAcknowledge: acknowledges records of a share group.
//!
//! Versions 1-2, flexible from 0. KIP-932, KIP-1222 (v2).

use crate::{ErrorCode, Uuid};

message! {
    /// The acknowledgements.
    pub struct ShareAcknowledgeRequest: request ShareAcknowledge -> ShareAcknowledgeResponse,
    versions 1..=2, flexible 0.. {
        /// The group.
        group_id: Option<String> [0.., null 0..],
        /// The member's id.
        member_id: Option<String> [0.., null 0..],
        /// The epoch of the share session: 0 opens one, -1 closes it.
        share_session_epoch: i32 [0..],
        /// Whether acknowledgements only renew the lock.
        is_renew_ack: bool [2..],
        /// The topics.
        topics: Vec<AcknowledgeTopic> [0..],
    }
}

part! {
    /// A topic: one of [`ShareAcknowledgeRequest::topics`].
    pub struct AcknowledgeTopic {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<AcknowledgePartition> [0..],
    }
}

part! {
    /// A partition: one of [`AcknowledgeTopic::partitions`].
    pub struct AcknowledgePartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// What is acknowledged.
        acknowledgement_batches: Vec<AcknowledgementBatch> [0..],
    }
}

part! {
    /// One of [`AcknowledgePartition::acknowledgement_batches`].
    pub struct AcknowledgementBatch {
        /// The first offset.
        first_offset: i64 [0..],
        /// The last offset, included.
        last_offset: i64 [0..],
        /// For each record: 0 gap, 1 accept, 2 release, 3 reject, 4 renew.
        acknowledge_types: Vec<i8> [0..],
    }
}

message! {
    /// What became of each partition.
    pub struct ShareAcknowledgeResponse: response, versions 1..=2, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// How long records stay locked, in milliseconds.
        acquisition_lock_timeout_ms: i32 [2.., ignorable],
        /// What became of each.
        responses: Vec<ShareAcknowledgeTopicResponse> [0..],
        /// Where the leaders named here can be reached.
        node_endpoints: Vec<NodeEndpoint> [0..],
    }
}

part! {
    /// A result: one of [`ShareAcknowledgeResponse::responses`].
    pub struct ShareAcknowledgeTopicResponse {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<PartitionData> [0..],
    }
}

part! {
    /// A partition: one of [`ShareAcknowledgeTopicResponse::partitions`].
    pub struct PartitionData {
        /// The partition's index.
        partition_index: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// Who leads now, if the receiver does not.
        current_leader: LeaderIdAndEpoch [0..],
    }
}

part! {
    /// The value of [`PartitionData::current_leader`].
    pub struct LeaderIdAndEpoch {
        /// The node that leads.
        leader_id: i32 [0..],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [0..],
    }
}

part! {
    /// A node: one of [`ShareAcknowledgeResponse::node_endpoints`].
    pub struct NodeEndpoint {
        /// The node's id.
        node_id: i32 [0..],
        /// The host to connect to.
        host: String [0..],
        /// The port to connect to.
        port: i32 [0..],
        /// The rack, if known.
        rack: Option<String> [0.., null 0..],
    }
}
