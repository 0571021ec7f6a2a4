//! Key 16, ListGroups: lists the groups of a broker.
//!
//! Versions 0-5, flexible from 3. KIP-40, KIP-518 (v4), KIP-848 (v5).

use crate::ErrorCode;

message! {
    /// Which groups to list.
    pub struct ListGroupsRequest: request ListGroups -> ListGroupsResponse,
    versions 0..=5, flexible 3.. {
        /// Only groups in these states; empty for all.
        states_filter: Vec<String> [4..],
        /// Only groups of these types; empty for all.
        types_filter: Vec<String> [5..],
    }
}

message! {
    /// The groups.
    pub struct ListGroupsResponse: response, versions 0..=5, flexible 3.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [1.., ignorable],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The groups.
        groups: Vec<ListedGroup> [0..],
    }
}

part! {
    /// A group: one of [`ListGroupsResponse::groups`].
    pub struct ListedGroup {
        /// The group.
        group_id: String [0..],
        /// The kind of protocol the group speaks.
        protocol_type: String [0..],
        /// The group's state.
        group_state: String [4.., ignorable],
        /// The group's type.
        group_type: String [5.., ignorable],
    }
}
