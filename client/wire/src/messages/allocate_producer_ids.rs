//! Key 67, AllocateProducerIds: gives a broker a block of producer ids.
//!
//! Version 0, flexible from 0. KIP-730.

use crate::ErrorCode;

message! {
    /// The broker.
    pub struct AllocateProducerIdsRequest:
    request AllocateProducerIds -> AllocateProducerIdsResponse,
    versions 0..=0, flexible 0.. {
        /// The broker's id.
        broker_id: i32 [0..],
        /// The epoch of the broker's registration.
        broker_epoch: i64 [0.., = -1],
    }
}

message! {
    /// The block.
    pub struct AllocateProducerIdsResponse: response, versions 0..=0, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The first id of the block.
        producer_id_start: i64 [0..],
        /// How many ids the block has.
        producer_id_len: i32 [0..],
    }
}
