//! Key 15, DescribeGroups: describes classic groups.
//!
//! Versions 0-6, flexible from 5. KIP-40, KIP-430 (v3), KIP-345 (v4), KIP-1043 (v6).

use bytes::Bytes;

use crate::ErrorCode;

message! {
    /// The groups.
    pub struct DescribeGroupsRequest: request DescribeGroups -> DescribeGroupsResponse,
    versions 0..=6, flexible 5.. {
        /// The groups.
        groups: Vec<String> [0..],
        /// Also say what the sender is allowed to do.
        include_authorized_operations: bool [3..],
    }
}

message! {
    /// Their states and members.
    pub struct DescribeGroupsResponse: response, versions 0..=6, flexible 5.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [1.., ignorable],
        /// The groups.
        groups: Vec<DescribedGroup> [0..],
    }
}

part! {
    /// A group: one of [`DescribeGroupsResponse::groups`].
    pub struct DescribedGroup {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [6.., null 6..],
        /// The group.
        group_id: String [0..],
        /// The group's state.
        group_state: String [0..],
        /// The kind of protocol the group speaks.
        protocol_type: String [0..],
        /// The protocol that was chosen.
        protocol_data: String [0..],
        /// The members.
        members: Vec<DescribedGroupMember> [0..],
        /// What the sender is allowed to do, as bits.
        authorized_operations: i32 [3.., = i32::MIN],
    }
}

part! {
    /// A member: one of [`DescribedGroup::members`].
    pub struct DescribedGroupMember {
        /// The member's id.
        member_id: String [0..],
        /// The member's static name, if it has one.
        group_instance_id: Option<String> [4.., null 4.., ignorable],
        /// The client's name for itself.
        client_id: String [0..],
        /// The address of the client.
        client_host: String [0..],
        /// What the member said about itself.
        member_metadata: Bytes [0..],
        /// What the member was assigned.
        member_assignment: Bytes [0..],
    }
}
