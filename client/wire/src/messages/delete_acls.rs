//! Key 31, DeleteAcls: deletes access rules.
//!
//! Versions 1-3, flexible from 2. KIP-140, KIP-290 (v1), KIP-373 (v3).

use crate::ErrorCode;

message! {
    /// Which rules.
    pub struct DeleteAclsRequest: request DeleteAcls -> DeleteAclsResponse,
    versions 1..=3, flexible 2.. {
        /// The filters.
        filters: Vec<DeleteAclsFilter> [0..],
    }
}

part! {
    /// One of [`DeleteAclsRequest::filters`].
    pub struct DeleteAclsFilter {
        /// The kind of resource to match.
        resource_type_filter: i8 [0..],
        /// The name to match, or null for any.
        resource_name_filter: Option<String> [0.., null 0..],
        /// The kind of pattern to match.
        pattern_type_filter: i8 [1.., = 3],
        /// The principal to match, or null for any.
        principal_filter: Option<String> [0.., null 0..],
        /// The host to match, or null for any.
        host_filter: Option<String> [0.., null 0..],
        /// The operation.
        operation: i8 [0..],
        /// Allow or deny.
        permission_type: i8 [0..],
    }
}

message! {
    /// What became of each filter.
    pub struct DeleteAclsResponse: response, versions 1..=3, flexible 2.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What each filter did.
        filter_results: Vec<DeleteAclsFilterResult> [0..],
    }
}

part! {
    /// One of [`DeleteAclsResponse::filter_results`].
    pub struct DeleteAclsFilterResult {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// The entries that matched.
        matching_acls: Vec<DeleteAclsMatchingAcl> [0..],
    }
}

part! {
    /// One of [`DeleteAclsFilterResult::matching_acls`].
    pub struct DeleteAclsMatchingAcl {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// The kind of the resource.
        resource_type: i8 [0..],
        /// The name of the resource.
        resource_name: String [0..],
        /// Whether the name is literal or a prefix.
        pattern_type: i8 [1.., = 3],
        /// The principal.
        principal: String [0..],
        /// The host it holds for.
        host: String [0..],
        /// The operation.
        operation: i8 [0..],
        /// Allow or deny.
        permission_type: i8 [0..],
    }
}
