//! Key 78, ShareFetch: acquires records for a member of a share group, and acknowledges others.
//!
//! Versions 1-2, flexible from 0. KIP-932, KIP-1206/KIP-1222 (v2).

use crate::{ErrorCode, Pieces, Uuid};

message! {
    /// The partitions to read, and the acknowledgements.
    pub struct ShareFetchRequest: request ShareFetch -> ShareFetchResponse,
    versions 1..=2, flexible 0.. {
        /// The group.
        group_id: Option<String> [0.., null 0..],
        /// The member's id.
        member_id: Option<String> [0.., null 0..],
        /// The epoch of the share session: 0 opens one, -1 closes it.
        share_session_epoch: i32 [0..],
        /// How long to wait for enough bytes, in milliseconds.
        max_wait_ms: i32 [0..],
        /// How many bytes are enough.
        min_bytes: i32 [0..],
        /// The most bytes to answer with.
        max_bytes: i32 [0.., = i32::MAX],
        /// The most records to acquire.
        max_records: i32 [1..],
        /// How many records a batch of acquired ones should have.
        batch_size: i32 [1..],
        /// Whether the record limit is exact (KIP-1206).
        share_acquire_mode: i8 [2.., ignorable],
        /// Whether acknowledgements only renew the lock.
        is_renew_ack: bool [2..],
        /// The topics.
        topics: Vec<FetchTopic> [0..],
        /// What to take out of the session.
        forgotten_topics_data: Vec<ForgottenTopic> [0..],
    }
}

part! {
    /// A topic: one of [`ShareFetchRequest::topics`].
    pub struct FetchTopic {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<FetchPartition> [0..],
    }
}

part! {
    /// A partition: one of [`FetchTopic::partitions`].
    pub struct FetchPartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The most bytes of this partition.
        partition_max_bytes: i32 [0..=0],
        /// What is acknowledged.
        acknowledgement_batches: Vec<AcknowledgementBatch> [0..],
    }
}

part! {
    /// One of [`FetchPartition::acknowledgement_batches`].
    pub struct AcknowledgementBatch {
        /// The first offset.
        first_offset: i64 [0..],
        /// The last offset, included.
        last_offset: i64 [0..],
        /// For each record: 0 gap, 1 accept, 2 release, 3 reject, 4 renew.
        acknowledge_types: Vec<i8> [0..],
    }
}

part! {
    /// One of [`ShareFetchRequest::forgotten_topics_data`].
    pub struct ForgottenTopic {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}

message! {
    /// The records, and which of them are acquired.
    pub struct ShareFetchResponse: response, versions 1..=2, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// How long records stay locked, in milliseconds.
        acquisition_lock_timeout_ms: i32 [1..],
        /// What became of each.
        responses: Vec<ShareFetchableTopicResponse> [0..],
        /// Where the leaders named here can be reached.
        node_endpoints: Vec<NodeEndpoint> [0..],
    }
}

part! {
    /// A result: one of [`ShareFetchResponse::responses`].
    pub struct ShareFetchableTopicResponse {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<PartitionData> [0..],
    }
}

part! {
    /// A partition: one of [`ShareFetchableTopicResponse::partitions`].
    pub struct PartitionData {
        /// The partition's index.
        partition_index: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// What went wrong with the acknowledgements, if anything.
        acknowledge_error_code: ErrorCode [0..],
        /// What went wrong with the acknowledgements, for people.
        acknowledge_error_message: Option<String> [0.., null 0..],
        /// Who leads now, if the receiver does not.
        current_leader: LeaderIdAndEpoch [0..],
        /// The record batches, as they are stored.
        records: Pieces [0..],
        /// The records that the member now holds.
        acquired_records: Vec<AcquiredRecords> [0..],
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
    /// One of [`PartitionData::acquired_records`].
    pub struct AcquiredRecords {
        /// The first offset.
        first_offset: i64 [0..],
        /// The last offset, included.
        last_offset: i64 [0..],
        /// How often it has been delivered.
        delivery_count: i16 [0..],
    }
}

part! {
    /// A node: one of [`ShareFetchResponse::node_endpoints`].
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
