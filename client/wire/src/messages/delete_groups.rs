//! Key 42, DeleteGroups: deletes groups.
//!
//! Versions 0-3, flexible from 2. KIP-229, KIP-1331 (v3).

use crate::ErrorCode;

message! {
    /// The groups.
    pub struct DeleteGroupsRequest: request DeleteGroups -> DeleteGroupsResponse,
    versions 0..=3, flexible 2.. {
        /// The groups.
        groups_names: Vec<String> [0..],
    }
}

message! {
    /// What became of each.
    pub struct DeleteGroupsResponse: response, versions 0..=3, flexible 2.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What became of each.
        results: Vec<DeletableGroupResult> [0..],
    }
}

part! {
    /// A result: one of [`DeleteGroupsResponse::results`].
    pub struct DeletableGroupResult {
        /// The group.
        group_id: String [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [3.., null 3.., ignorable],
    }
}
