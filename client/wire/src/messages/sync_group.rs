//! Key 14, SyncGroup: hands the assignment of a classic group from its leader to its members.
//!
//! Versions 0-5, flexible from 4. KIP-345 (v3), KIP-559 (v5).

use bytes::Bytes;

use crate::ErrorCode;

message! {
    /// The member, and from the leader all assignments.
    pub struct SyncGroupRequest: request SyncGroup -> SyncGroupResponse,
    versions 0..=5, flexible 4.. {
        /// The group.
        group_id: String [0..],
        /// The generation of the group.
        generation_id: i32 [0..],
        /// The member's id.
        member_id: String [0..],
        /// The member's static name, if it has one.
        group_instance_id: Option<String> [3.., null 3..],
        /// The kind of protocol the group speaks.
        protocol_type: Option<String> [5.., null 5.., ignorable],
        /// The protocol that was chosen.
        protocol_name: Option<String> [5.., null 5.., ignorable],
        /// What is assigned.
        assignments: Vec<SyncGroupRequestAssignment> [0..],
    }
}

part! {
    /// One of [`SyncGroupRequest::assignments`].
    pub struct SyncGroupRequestAssignment {
        /// The member's id.
        member_id: String [0..],
        /// What the member is assigned, in bytes of the protocol.
        assignment: Bytes [0..],
    }
}

message! {
    /// The member's assignment.
    pub struct SyncGroupResponse: response, versions 0..=5, flexible 4.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [1.., ignorable],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The kind of protocol the group speaks.
        protocol_type: Option<String> [5.., null 5.., ignorable],
        /// The protocol that was chosen.
        protocol_name: Option<String> [5.., null 5.., ignorable],
        /// What the member is assigned, in bytes of the protocol.
        assignment: Bytes [0..],
    }
}
