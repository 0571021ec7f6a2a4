//! Key 24, AddPartitionsToTxn: adds partitions to a transaction.
//!
//! Versions 0-5, flexible from 3. KIP-98, KIP-890 (v4-5).

use crate::ErrorCode;

message! {
    /// The partitions to add.
    pub struct AddPartitionsToTxnRequest: request AddPartitionsToTxn -> AddPartitionsToTxnResponse,
    versions 0..=5, flexible 3.. {
        /// The transactions.
        transactions: Vec<AddPartitionsToTxnTransaction> [4..],
        /// The transactional id.
        v3_and_below_transactional_id: String [0..=3],
        /// The producer's id.
        v3_and_below_producer_id: i64 [0..=3],
        /// The producer's epoch.
        v3_and_below_producer_epoch: i16 [0..=3],
        /// The partitions to add.
        v3_and_below_topics: Vec<AddPartitionsToTxnTopic> [0..=3],
    }
}

part! {
    /// One of [`AddPartitionsToTxnRequest::transactions`].
    pub struct AddPartitionsToTxnTransaction {
        /// The transactional id.
        transactional_id: String [4..],
        /// The producer's id.
        producer_id: i64 [4..],
        /// The producer's epoch.
        producer_epoch: i16 [4..],
        /// Whether to only check that the partitions are in the transaction.
        verify_only: bool [4..],
        /// The topics.
        topics: Vec<AddPartitionsToTxnTopic> [4..],
    }
}

part! {
    /// A topic: one of [`AddPartitionsToTxnTransaction::topics`].
    pub struct AddPartitionsToTxnTopic {
        /// Its name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}

message! {
    /// What became of each.
    pub struct AddPartitionsToTxnResponse: response, versions 0..=5, flexible 3.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [4.., ignorable],
        /// What became of each transaction.
        results_by_transaction: Vec<AddPartitionsToTxnResult> [4..],
        /// What became of each topic.
        results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult> [0..=3],
    }
}

part! {
    /// One of [`AddPartitionsToTxnResponse::results_by_transaction`].
    pub struct AddPartitionsToTxnResult {
        /// The transactional id.
        transactional_id: String [4..],
        /// What became of each topic.
        topic_results: Vec<AddPartitionsToTxnTopicResult> [4..],
    }
}

part! {
    /// One of [`AddPartitionsToTxnResult::topic_results`].
    pub struct AddPartitionsToTxnTopicResult {
        /// Its name.
        name: String [0..],
        /// What became of each partition.
        results_by_partition: Vec<AddPartitionsToTxnPartitionResult> [0..],
    }
}

part! {
    /// One of [`AddPartitionsToTxnTopicResult::results_by_partition`].
    pub struct AddPartitionsToTxnPartitionResult {
        /// The partition's index.
        partition_index: i32 [0..],
        /// What went wrong, if anything.
        partition_error_code: ErrorCode [0..],
    }
}
