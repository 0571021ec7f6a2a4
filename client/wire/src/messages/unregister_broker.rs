//! Key 64, UnregisterBroker: takes a broker's registration away.
//!
//! Version 0, flexible from 0. KIP-631.

use crate::ErrorCode;

message! {
    /// The broker.
    pub struct UnregisterBrokerRequest: request UnregisterBroker -> UnregisterBrokerResponse,
    versions 0..=0, flexible 0.. {
        /// The broker that shall be gone.
        broker_id: i32 [0..],
    }
}

message! {
    /// Whether it is gone.
    pub struct UnregisterBrokerResponse: response, versions 0..=0, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
    }
}
