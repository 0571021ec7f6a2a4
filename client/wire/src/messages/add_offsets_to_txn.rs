//! Key 25, AddOffsetsToTxn: adds a group's offsets to a transaction.
//!
//! Versions 0-4, flexible from 3. KIP-98, KIP-890 (v4).

use crate::ErrorCode;

message! {
    /// The transaction and the group.
    pub struct AddOffsetsToTxnRequest: request AddOffsetsToTxn -> AddOffsetsToTxnResponse,
    versions 0..=4, flexible 3.. {
        /// The transactional id.
        transactional_id: String [0..],
        /// The producer's id.
        producer_id: i64 [0..],
        /// The producer's epoch.
        producer_epoch: i16 [0..],
        /// The group.
        group_id: String [0..],
    }
}

message! {
    /// Whether it is added.
    pub struct AddOffsetsToTxnResponse: response, versions 0..=4, flexible 3.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
    }
}
