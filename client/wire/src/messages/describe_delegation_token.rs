//! Key 41, DescribeDelegationToken: lists delegation tokens.
//!
//! Versions 1-3, flexible from 2. KIP-48, KIP-373 (v3).

use bytes::Bytes;

use crate::ErrorCode;

message! {
    /// The owners.
    pub struct DescribeDelegationTokenRequest:
    request DescribeDelegationToken -> DescribeDelegationTokenResponse,
    versions 1..=3, flexible 2.. {
        /// The owners to match, or null for all.
        owners: Option<Vec<DescribeDelegationTokenOwner>> [0.., null 0..],
    }
}

part! {
    /// One of [`DescribeDelegationTokenRequest::owners`].
    pub struct DescribeDelegationTokenOwner {
        /// The kind of principal.
        principal_type: String [0..],
        /// The principal's name.
        principal_name: String [0..],
    }
}

message! {
    /// The tokens.
    pub struct DescribeDelegationTokenResponse: response, versions 1..=3, flexible 2.. {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The tokens.
        tokens: Vec<DescribedDelegationToken> [0..],
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
    }
}

part! {
    /// One of [`DescribeDelegationTokenResponse::tokens`].
    pub struct DescribedDelegationToken {
        /// The kind of principal.
        principal_type: String [0..],
        /// The principal's name.
        principal_name: String [0..],
        /// The kind of the principal that asked for the token.
        token_requester_principal_type: String [3..],
        /// The name of the principal that asked for the token.
        token_requester_principal_name: String [3..],
        /// When it was issued, in milliseconds since 1970.
        issue_timestamp: i64 [0..],
        /// When it expires, in milliseconds since 1970.
        expiry_timestamp: i64 [0..],
        /// The last moment it can be renewed to, in milliseconds since 1970.
        max_timestamp: i64 [0..],
        /// The token's id.
        token_id: String [0..],
        /// The token's secret.
        hmac: Bytes [0..],
        /// Who may renew the token.
        renewers: Vec<DescribedDelegationTokenRenewer> [0..],
    }
}

part! {
    /// One of [`DescribedDelegationToken::renewers`].
    pub struct DescribedDelegationTokenRenewer {
        /// The kind of principal.
        principal_type: String [0..],
        /// The principal's name.
        principal_name: String [0..],
    }
}
