//! Key 11, JoinGroup: joins a classic group, or stays in one through a rebalance.
//!
//! Versions 0-9, flexible from 6. KIP-62, KIP-394 (v4), KIP-345 (v5), KIP-559 (v7), KIP-800 (v8),
//! KIP-814 (v9).

use bytes::Bytes;

use crate::ErrorCode;

message! {
    /// The member, and the protocols it speaks.
    pub struct JoinGroupRequest: request JoinGroup -> JoinGroupResponse,
    versions 0..=9, flexible 6.. {
        /// The group.
        group_id: String [0..],
        /// After which silence the member is dropped, in milliseconds.
        session_timeout_ms: i32 [0..],
        /// How long the group waits for the member in a rebalance, in milliseconds.
        rebalance_timeout_ms: i32 [1.., ignorable, = -1],
        /// The member's id.
        member_id: String [0..],
        /// The member's static name, if it has one.
        group_instance_id: Option<String> [5.., null 5..],
        /// The kind of protocol the group speaks.
        protocol_type: String [0..],
        /// The protocols the member speaks, best first.
        protocols: Vec<JoinGroupRequestProtocol> [0..],
        /// Why, for people.
        reason: Option<String> [8.., null 8.., ignorable],
    }
}

part! {
    /// One of [`JoinGroupRequest::protocols`].
    pub struct JoinGroupRequestProtocol {
        /// Its name.
        name: String [0..],
        /// What the member says about itself, in bytes of the protocol.
        metadata: Bytes [0..],
    }
}

message! {
    /// The generation, and for its leader the members.
    pub struct JoinGroupResponse: response, versions 0..=9, flexible 6.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [2.., ignorable],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The generation of the group.
        generation_id: i32 [0.., = -1],
        /// The kind of protocol the group speaks.
        protocol_type: Option<String> [7.., null 7.., ignorable],
        /// The protocol that was chosen.
        protocol_name: Option<String> [0.., null 7..],
        /// The member that computes the assignment.
        leader: String [0..],
        /// Whether the leader has nothing to compute (KIP-814).
        skip_assignment: bool [9..],
        /// The member's id.
        member_id: String [0..],
        /// The members.
        members: Vec<JoinGroupResponseMember> [0..],
    }
}

part! {
    /// A member: one of [`JoinGroupResponse::members`].
    pub struct JoinGroupResponseMember {
        /// The member's id.
        member_id: String [0..],
        /// The member's static name, if it has one.
        group_instance_id: Option<String> [5.., null 5.., ignorable],
        /// What the member says about itself, in bytes of the protocol.
        metadata: Bytes [0..],
    }
}
