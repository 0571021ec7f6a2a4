//! Key 26, EndTxn: commits or aborts a transaction.
//!
//! Versions 0-5, flexible from 3. KIP-98, KIP-890 (v4-5).

use crate::ErrorCode;

message! {
    /// The transaction, and how it ends.
    pub struct EndTxnRequest: request EndTxn -> EndTxnResponse, versions 0..=5, flexible 3.. {
        /// The transactional id.
        transactional_id: String [0..],
        /// The producer's id.
        producer_id: i64 [0..],
        /// The producer's epoch.
        producer_epoch: i16 [0..],
        /// Commit, or abort.
        committed: bool [0..],
    }
}

message! {
    /// Whether it ends so.
    pub struct EndTxnResponse: response, versions 0..=5, flexible 3.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The producer's id.
        producer_id: i64 [5.., ignorable, = -1],
        /// The producer's epoch.
        producer_epoch: i16 [5.., ignorable, = -1],
    }
}
