//! Key 0, Produce: appends record batches to partitions.
//!
//! Versions 3-13, flexible from 9. KIP-98, KIP-110 (v7), KIP-467 (v8), KIP-951 (v10), KIP-890
//! (v11-12), KIP-516 (v13).

use crate::{ErrorCode, Pieces, Uuid};

message! {
    /// Record batches to append, by topic and partition.
    pub struct ProduceRequest: request Produce -> ProduceResponse, versions 3..=13, flexible 9.. {
        /// Names the transaction of transactional batches.
        transactional_id: Option<String> [3.., null 3..],
        /// 0: no answer; 1: written by the leader; -1: held by every replica in sync.
        acks: i16 [0..],
        /// How long to wait for the replicas, in milliseconds.
        timeout_ms: i32 [0..],
        /// The topics.
        topic_data: Vec<TopicProduceData> [0..],
    }
}

part! {
    /// A topic: one of [`ProduceRequest::topic_data`].
    pub struct TopicProduceData {
        /// Its name.
        name: String [0..=12, ignorable],
        /// The topic's id.
        topic_id: Uuid [13.., ignorable],
        /// The partitions.
        partition_data: Vec<PartitionProduceData> [0..],
    }
}

part! {
    /// One of [`TopicProduceData::partition_data`].
    pub struct PartitionProduceData {
        /// The partition's index.
        index: i32 [0..],
        /// The record batches, as they are stored.
        records: Option<Pieces> [0.., null 0..],
    }
}

message! {
    /// What became of each partition's batches.
    pub struct ProduceResponse: response, versions 3..=13, flexible 9.. {
        /// What became of each.
        responses: Vec<TopicProduceResponse> [0..],
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [1.., ignorable],
        /// Where the leaders named here can be reached.
        node_endpoints: Vec<NodeEndpoint> [10.., tag 0],
    }
}

part! {
    /// A result: one of [`ProduceResponse::responses`].
    pub struct TopicProduceResponse {
        /// Its name.
        name: String [0..=12, ignorable],
        /// The topic's id.
        topic_id: Uuid [13.., ignorable],
        /// The partitions.
        partition_responses: Vec<PartitionProduceResponse> [0..],
    }
}

part! {
    /// One of [`TopicProduceResponse::partition_responses`].
    pub struct PartitionProduceResponse {
        /// The partition's index.
        index: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The offset of the first record.
        base_offset: i64 [0..],
        /// The time the broker gave the records, or -1.
        log_append_time_ms: i64 [2.., ignorable, = -1],
        /// Where the log starts.
        log_start_offset: i64 [5.., ignorable, = -1],
        /// The records that were refused.
        record_errors: Vec<BatchIndexAndErrorMessage> [8.., ignorable],
        /// What went wrong, for people.
        error_message: Option<String> [8.., null 8.., ignorable],
        /// Who leads, if the receiver does not (KIP-951).
        current_leader: LeaderIdAndEpoch [10.., tag 0],
    }
}

part! {
    /// One of [`PartitionProduceResponse::record_errors`].
    pub struct BatchIndexAndErrorMessage {
        /// Its place in the batch.
        batch_index: i32 [8..],
        /// Why it was refused.
        batch_index_error_message: Option<String> [8.., null 8..],
    }
}

part! {
    /// The value of [`PartitionProduceResponse::current_leader`].
    pub struct LeaderIdAndEpoch {
        /// The node that leads.
        leader_id: i32 [10.., = -1],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [10.., = -1],
    }
}

part! {
    /// A node: one of [`ProduceResponse::node_endpoints`].
    pub struct NodeEndpoint {
        /// The node's id.
        node_id: i32 [10..],
        /// The host to connect to.
        host: String [10..],
        /// The port to connect to.
        port: i32 [10..],
        /// The rack, if known.
        rack: Option<String> [10.., null 10..],
    }
}
