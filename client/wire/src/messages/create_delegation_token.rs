//! Key 38, CreateDelegationToken: creates a delegation token.
//!
//! Versions 1-3, flexible from 2. KIP-48, KIP-373 (v3).

use bytes::Bytes;

use crate::ErrorCode;

message! {
    /// Who shall own and may renew it.
    pub struct CreateDelegationTokenRequest:
    request CreateDelegationToken -> CreateDelegationTokenResponse,
    versions 1..=3, flexible 2.. {
        /// The kind of principal that shall own the token.
        owner_principal_type: Option<String> [3.., null 3..],
        /// The name of the principal that shall own the token.
        owner_principal_name: Option<String> [3.., null 3..],
        /// Who may renew the token.
        renewers: Vec<CreatableRenewers> [0..],
        /// How long the token may live, in milliseconds, or -1.
        max_lifetime_ms: i64 [0..],
    }
}

part! {
    /// One of [`CreateDelegationTokenRequest::renewers`].
    pub struct CreatableRenewers {
        /// The kind of principal.
        principal_type: String [0..],
        /// The principal's name.
        principal_name: String [0..],
    }
}

message! {
    /// The token.
    pub struct CreateDelegationTokenResponse: response, versions 1..=3, flexible 2.. {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The kind of principal.
        principal_type: String [0..],
        /// The principal's name.
        principal_name: String [0..],
        /// The kind of the principal that asked for the token.
        token_requester_principal_type: String [3..],
        /// The name of the principal that asked for the token.
        token_requester_principal_name: String [3..],
        /// When it was issued, in milliseconds since 1970.
        issue_timestamp_ms: i64 [0..],
        /// When it expires, in milliseconds since 1970.
        expiry_timestamp_ms: i64 [0..],
        /// The last moment it can be renewed to, in milliseconds since 1970.
        max_timestamp_ms: i64 [0..],
        /// The token's id.
        token_id: String [0..],
        /// The token's secret.
        hmac: Bytes [0..],
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
    }
}
