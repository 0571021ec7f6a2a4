//! Key 66, ListTransactions: lists the transactions of a broker.
//!
//! Versions 0-2, flexible from 0. KIP-664, KIP-994 (v1), KIP-1152 (v2).

use crate::ErrorCode;

message! {
    /// Which transactions.
    pub struct ListTransactionsRequest: request ListTransactions -> ListTransactionsResponse,
    versions 0..=2, flexible 0.. {
        /// Only transactions in these states; empty for all.
        state_filters: Vec<String> [0..],
        /// Only these producers; empty for all.
        producer_id_filters: Vec<i64> [0..],
        /// Only transactions that are open longer than this, in milliseconds.
        duration_filter: i64 [1.., = -1],
        /// Only ids that match this regular expression.
        transactional_id_pattern: Option<String> [2.., null 2..],
    }
}

message! {
    /// The transactions.
    pub struct ListTransactionsResponse: response, versions 0..=2, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The states asked for that do not exist.
        unknown_state_filters: Vec<String> [0..],
        /// The transactions.
        transaction_states: Vec<TransactionState> [0..],
    }
}

part! {
    /// One of [`ListTransactionsResponse::transaction_states`].
    pub struct TransactionState {
        /// The transactional id.
        transactional_id: String [0..],
        /// The producer's id.
        producer_id: i64 [0..],
        /// The state of the transaction.
        transaction_state: String [0..],
    }
}
