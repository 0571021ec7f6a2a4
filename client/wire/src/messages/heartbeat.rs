//! Key 12, Heartbeat: keeps a member of a classic group alive.
//!
//! Versions 0-4, flexible from 4. KIP-345 (v3).

use crate::ErrorCode;

message! {
    /// The member.
    pub struct HeartbeatRequest: request Heartbeat -> HeartbeatResponse,
    versions 0..=4, flexible 4.. {
        /// The group.
        group_id: String [0..],
        /// The generation of the group.
        generation_id: i32 [0..],
        /// The member's id.
        member_id: String [0..],
        /// The member's static name, if it has one.
        group_instance_id: Option<String> [3.., null 3..],
    }
}

message! {
    /// Whether to go on or to join again.
    pub struct HeartbeatResponse: response, versions 0..=4, flexible 4.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [1.., ignorable],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
    }
}
