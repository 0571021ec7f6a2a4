//! Key 63, BrokerHeartbeat: keeps a broker alive at the controller.
//!
//! Versions 0-2, flexible from 0. KIP-631, KIP-858 (v1), KIP-1066 (v2).

use crate::{ErrorCode, Uuid};

message! {
    /// The broker's state and wishes.
    pub struct BrokerHeartbeatRequest: request BrokerHeartbeat -> BrokerHeartbeatResponse,
    versions 0..=2, flexible 0.. {
        /// The broker's id.
        broker_id: i32 [0..],
        /// The epoch of the broker's registration.
        broker_epoch: i64 [0.., = -1],
        /// How far the broker has read the metadata log.
        current_metadata_offset: i64 [0..],
        /// Whether the broker wants to be fenced.
        want_fence: bool [0..],
        /// Whether the broker wants to shut down.
        want_shut_down: bool [0..],
        /// The directories that have failed.
        offline_log_dirs: Vec<Uuid> [1.., tag 0],
        /// The log directories that take no new replicas.
        cordoned_log_dirs: Option<Vec<Uuid>> [2.., null 2.., tag 1],
    }
}

message! {
    /// What the controller makes of it.
    pub struct BrokerHeartbeatResponse: response, versions 0..=2, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// Whether the broker has read far enough to be unfenced.
        is_caught_up: bool [0..],
        /// Whether the broker is fenced.
        is_fenced: bool [0.., = true],
        /// Whether the broker may go.
        should_shut_down: bool [0..],
    }
}
