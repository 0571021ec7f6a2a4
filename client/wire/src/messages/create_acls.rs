//! Key 30, CreateAcls: creates access rules.
//!
//! Versions 1-3, flexible from 2. KIP-140, KIP-290 (v1), KIP-373 (v3).

use crate::ErrorCode;

message! {
    /// The rules.
    pub struct CreateAclsRequest: request CreateAcls -> CreateAclsResponse,
    versions 1..=3, flexible 2.. {
        /// The entries to create.
        creations: Vec<AclCreation> [0..],
    }
}

part! {
    /// One of [`CreateAclsRequest::creations`].
    pub struct AclCreation {
        /// The kind of the resource.
        resource_type: i8 [0..],
        /// The name of the resource.
        resource_name: String [0..],
        /// Whether the name is literal or a prefix.
        resource_pattern_type: i8 [1.., = 3],
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

message! {
    /// What became of each.
    pub struct CreateAclsResponse: response, versions 1..=3, flexible 2.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What became of each.
        results: Vec<AclCreationResult> [0..],
    }
}

part! {
    /// A result: one of [`CreateAclsResponse::results`].
    pub struct AclCreationResult {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
    }
}
