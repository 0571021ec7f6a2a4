//! Key 80, AddRaftVoter: adds a voter to the metadata quorum (KIP-853).
//!
//! Versions 0-1, flexible from 0. KIP-853, KIP-1186 (v1).

use crate::{ErrorCode, Uuid};

message! {
    /// The voter and where it listens.
    pub struct AddRaftVoterRequest: request AddRaftVoter -> AddRaftVoterResponse,
    versions 0..=1, flexible 0.. {
        /// The cluster the sender believes in.
        cluster_id: Option<String> [0.., null 0..],
        /// How long the server may take, in milliseconds.
        timeout_ms: i32 [0..],
        /// The voter's id.
        voter_id: i32 [0..],
        /// The voter's directory id.
        voter_directory_id: Uuid [0..],
        /// Where the node listens.
        listeners: Vec<Listener> [0..],
        /// Whether to answer only once the change is committed (KIP-1186).
        ack_when_committed: bool [1.., = true],
    }
}

part! {
    /// A listener: one of [`AddRaftVoterRequest::listeners`].
    pub struct Listener {
        /// Its name.
        name: String [0..],
        /// The host to connect to.
        host: String [0..],
        /// The port to connect to.
        port: u16 [0..],
    }
}

message! {
    /// Whether it is added.
    pub struct AddRaftVoterResponse: response, versions 0..=1, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0.., ignorable],
    }
}
