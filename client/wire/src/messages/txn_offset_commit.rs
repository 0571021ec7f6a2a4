//! Key 28, TxnOffsetCommit: stores how far a group has read, as part of a transaction.
//!
//! Versions 0-6, flexible from 3. KIP-98, KIP-447 (v3), KIP-890 (v4-5), KIP-1319 (v6).

use crate::{ErrorCode, Uuid};

message! {
    /// The transaction, the member and the offsets.
    pub struct TxnOffsetCommitRequest: request TxnOffsetCommit -> TxnOffsetCommitResponse,
    versions 0..=6, flexible 3.. {
        /// The transactional id.
        transactional_id: String [0..],
        /// The group.
        group_id: String [0..],
        /// The producer's id.
        producer_id: i64 [0..],
        /// The producer's epoch.
        producer_epoch: i16 [0..],
        /// The generation of a classic group, or the member's epoch.
        generation_id_or_member_epoch: i32 [3.., = -1],
        /// The member's id.
        member_id: String [3..],
        /// The member's static name, if it has one.
        group_instance_id: Option<String> [3.., null 3..],
        /// The topics.
        topics: Vec<TxnOffsetCommitRequestTopic> [0..],
    }
}

part! {
    /// A topic: one of [`TxnOffsetCommitRequest::topics`].
    pub struct TxnOffsetCommitRequestTopic {
        /// Its name.
        name: String [0..=5, ignorable],
        /// The topic's id.
        topic_id: Uuid [6.., ignorable],
        /// The partitions.
        partitions: Vec<TxnOffsetCommitRequestPartition> [0..],
    }
}

part! {
    /// A partition: one of [`TxnOffsetCommitRequestTopic::partitions`].
    pub struct TxnOffsetCommitRequestPartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The offset to go on at.
        committed_offset: i64 [0..],
        /// The leader epoch of the last consumed record, or -1.
        committed_leader_epoch: i32 [2.., ignorable, = -1],
        /// What the client stores with it.
        committed_metadata: Option<String> [0.., null 0..],
    }
}

message! {
    /// What became of each partition.
    pub struct TxnOffsetCommitResponse: response, versions 0..=6, flexible 3.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// The topics.
        topics: Vec<TxnOffsetCommitResponseTopic> [0..],
    }
}

part! {
    /// A topic: one of [`TxnOffsetCommitResponse::topics`].
    pub struct TxnOffsetCommitResponseTopic {
        /// Its name.
        name: String [0..=5, ignorable],
        /// The topic's id.
        topic_id: Uuid [6.., ignorable],
        /// The partitions.
        partitions: Vec<TxnOffsetCommitResponsePartition> [0..],
    }
}

part! {
    /// A partition: one of [`TxnOffsetCommitResponseTopic::partitions`].
    pub struct TxnOffsetCommitResponsePartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
    }
}
