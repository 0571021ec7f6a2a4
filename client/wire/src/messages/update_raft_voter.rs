//! Key 82, UpdateRaftVoter: updates where a voter listens and what it supports (KIP-853).
//!
//! Version 0, flexible from 0. KIP-853.

use crate::{ErrorCode, Uuid};

message! {
    /// The voter.
    pub struct UpdateRaftVoterRequest: request UpdateRaftVoter -> UpdateRaftVoterResponse,
    versions 0..=0, flexible 0.. {
        /// The cluster the sender believes in.
        cluster_id: Option<String> [0.., null 0..],
        /// The leader epoch the sender believes in, or -1.
        current_leader_epoch: i32 [0..],
        /// The voter's id.
        voter_id: i32 [0..],
        /// The voter's directory id.
        voter_directory_id: Uuid [0..],
        /// Where the node listens.
        listeners: Vec<Listener> [0..],
        /// The versions of the quorum's protocol supported.
        kraft_version_feature: KRaftVersionFeature [0..],
    }
}

part! {
    /// A listener: one of [`UpdateRaftVoterRequest::listeners`].
    pub struct Listener {
        /// Its name.
        name: String [0..],
        /// The host to connect to.
        host: String [0..],
        /// The port to connect to.
        port: u16 [0..],
    }
}

part! {
    /// The value of [`UpdateRaftVoterRequest::kraft_version_feature`].
    pub struct KRaftVersionFeature {
        /// The lowest version supported.
        min_supported_version: i16 [0..],
        /// The highest version supported.
        max_supported_version: i16 [0..],
    }
}

message! {
    /// Whether it is updated, and who leads.
    pub struct UpdateRaftVoterResponse: response, versions 0..=0, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// Who leads now, if the receiver does not.
        current_leader: CurrentLeader [0.., tag 0],
    }
}

part! {
    /// The value of [`UpdateRaftVoterResponse::current_leader`].
    pub struct CurrentLeader {
        /// The node that leads.
        leader_id: i32 [0.., = -1],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [0.., = -1],
        /// The host to connect to.
        host: String [0..],
        /// The port to connect to.
        port: i32 [0..],
    }
}
