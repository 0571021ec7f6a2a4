//! Key 94, UnregisterController: takes a controller's registration away (KIP-1312).
//!
//! Version 0, flexible from 0. KIP-1312.

use crate::ErrorCode;

message! {
    /// The controller.
    pub struct UnregisterControllerRequest:
    request UnregisterController -> UnregisterControllerResponse,
    versions 0..=0, flexible 0.. {
        /// The controller's id.
        controller_id: i32 [0..],
    }
}

message! {
    /// Whether it is gone.
    pub struct UnregisterControllerResponse: response, versions 0..=0, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
    }
}
