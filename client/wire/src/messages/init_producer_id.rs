//! Key 22, InitProducerId: gives a producer its id and epoch.
//!
//! Versions 0-6 (6 unstable), flexible from 2. KIP-98, KIP-360 (v3), KIP-588 (v4), KIP-890 (v5),
//! KIP-939 (v6).

use crate::ErrorCode;

message! {
    /// The transactional id, if any, and what the producer had before.
    pub struct InitProducerIdRequest: request InitProducerId -> InitProducerIdResponse,
    versions 0..=6 unstable 6, flexible 2.. {
        /// The transactional id.
        transactional_id: Option<String> [0.., null 0..],
        /// How long a transaction may stay open, in milliseconds.
        transaction_timeout_ms: i32 [0..],
        /// The producer's id.
        producer_id: i64 [3.., = -1],
        /// The producer's epoch.
        producer_epoch: i16 [3.., = -1],
        /// Whether the transaction takes part in two-phase commit (KIP-939).
        enable2_pc: bool [6..],
        /// Whether a prepared transaction is kept (KIP-939).
        keep_prepared_txn: bool [6..],
    }
}

message! {
    /// The id and epoch.
    pub struct InitProducerIdResponse: response, versions 0..=6, flexible 2.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0.., ignorable],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The producer's id.
        producer_id: i64 [0.., = -1],
        /// The producer's epoch.
        producer_epoch: i16 [0..],
        /// The producer id of the transaction that is kept, or -1.
        ongoing_txn_producer_id: i64 [6.., = -1],
        /// The producer epoch of the transaction that is kept, or -1.
        ongoing_txn_producer_epoch: i16 [6.., = -1],
    }
}
