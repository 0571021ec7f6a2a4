//! Key 65, DescribeTransactions: describes transactions.
//!
//! Version 0, flexible from 0. KIP-664.

use crate::ErrorCode;

message! {
    /// The transactional ids.
    pub struct DescribeTransactionsRequest:
    request DescribeTransactions -> DescribeTransactionsResponse,
    versions 0..=0, flexible 0.. {
        /// The transactional ids.
        transactional_ids: Vec<String> [0..],
    }
}

message! {
    /// Their transactions.
    pub struct DescribeTransactionsResponse: response, versions 0..=0, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// The transactions.
        transaction_states: Vec<TransactionState> [0..],
    }
}

part! {
    /// One of [`DescribeTransactionsResponse::transaction_states`].
    pub struct TransactionState {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The transactional id.
        transactional_id: String [0..],
        /// The state of the transaction.
        transaction_state: String [0..],
        /// How long a transaction may stay open, in milliseconds.
        transaction_timeout_ms: i32 [0..],
        /// When it began, in milliseconds since 1970, or -1.
        transaction_start_time_ms: i64 [0..],
        /// The producer's id.
        producer_id: i64 [0..],
        /// The producer's epoch.
        producer_epoch: i16 [0..],
        /// The topics.
        topics: Vec<TopicData> [0..],
    }
}

part! {
    /// A topic: one of [`TransactionState::topics`].
    pub struct TopicData {
        /// The topic's name.
        topic: String [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}
