//! Key 81, RemoveRaftVoter: takes a voter out of the metadata quorum (KIP-853).
//!
//! Version 0, flexible from 0. KIP-853.

use crate::{ErrorCode, Uuid};

message! {
    /// The voter.
    pub struct RemoveRaftVoterRequest: request RemoveRaftVoter -> RemoveRaftVoterResponse,
    versions 0..=0, flexible 0.. {
        /// The cluster the sender believes in.
        cluster_id: Option<String> [0.., null 0..],
        /// The voter's id.
        voter_id: i32 [0..],
        /// The voter's directory id.
        voter_directory_id: Uuid [0..],
    }
}

message! {
    /// Whether it is removed.
    pub struct RemoveRaftVoterResponse: response, versions 0..=0, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0.., ignorable],
    }
}
