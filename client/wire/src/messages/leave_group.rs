//! Key 13, LeaveGroup: takes members out of a classic group.
//!
//! Versions 0-5, flexible from 4. KIP-345 (v3), KIP-800 (v5).

use crate::ErrorCode;

message! {
    /// The members that leave.
    pub struct LeaveGroupRequest: request LeaveGroup -> LeaveGroupResponse,
    versions 0..=5, flexible 4.. {
        /// The group.
        group_id: String [0..],
        /// The member's id.
        member_id: String [0..=2],
        /// The members.
        members: Vec<MemberIdentity> [3..],
    }
}

part! {
    /// A member: one of [`LeaveGroupRequest::members`].
    pub struct MemberIdentity {
        /// The member's id.
        member_id: String [3..],
        /// The member's static name, if it has one.
        group_instance_id: Option<String> [3.., null 3..],
        /// Why, for people.
        reason: Option<String> [5.., null 5.., ignorable],
    }
}

message! {
    /// What became of each.
    pub struct LeaveGroupResponse: response, versions 0..=5, flexible 4.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [1.., ignorable],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The members.
        members: Vec<MemberResponse> [3..],
    }
}

part! {
    /// A member: one of [`LeaveGroupResponse::members`].
    pub struct MemberResponse {
        /// The member's id.
        member_id: String [3..],
        /// The member's static name, if it has one.
        group_instance_id: Option<String> [3.., null 3..],
        /// What went wrong, if anything.
        error_code: ErrorCode [3..],
    }
}
