//! Key 10, FindCoordinator: finds the broker that coordinates a group, a transactional id or a
//! share partition.
//!
//! Versions 0-6, flexible from 3. KIP-98 (v1), KIP-699 (v4), KIP-890 (v5), KIP-932 (v6).

use crate::ErrorCode;

message! {
    /// The keys asked for.
    pub struct FindCoordinatorRequest: request FindCoordinator -> FindCoordinatorResponse,
    versions 0..=6, flexible 3.. {
        /// What to find the coordinator of.
        key: String [0..=3],
        /// What the keys name: 0 group, 1 transactional id, 2 share partition.
        key_type: i8 [1..],
        /// The keys.
        coordinator_keys: Vec<String> [4..],
    }
}

message! {
    /// The coordinators.
    pub struct FindCoordinatorResponse: response, versions 0..=6, flexible 3.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [1.., ignorable],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..=3],
        /// What went wrong, for people.
        error_message: Option<String> [1..=3, null 1..=3, ignorable],
        /// The node's id.
        node_id: i32 [0..=3],
        /// The host to connect to.
        host: String [0..=3],
        /// The port to connect to.
        port: i32 [0..=3],
        /// The coordinators.
        coordinators: Vec<Coordinator> [4..],
    }
}

part! {
    /// One of [`FindCoordinatorResponse::coordinators`].
    pub struct Coordinator {
        /// What to find the coordinator of.
        key: String [4..],
        /// The node's id.
        node_id: i32 [4..],
        /// The host to connect to.
        host: String [4..],
        /// The port to connect to.
        port: i32 [4..],
        /// What went wrong, if anything.
        error_code: ErrorCode [4..],
        /// What went wrong, for people.
        error_message: Option<String> [4.., null 4.., ignorable],
    }
}
