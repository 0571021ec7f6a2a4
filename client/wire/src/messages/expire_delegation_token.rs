//! Key 40, ExpireDelegationToken: ends a delegation token.
//!
//! Versions 1-2, flexible from 2. KIP-48.

use bytes::Bytes;

use crate::ErrorCode;

message! {
    /// The token, and when.
    pub struct ExpireDelegationTokenRequest:
    request ExpireDelegationToken -> ExpireDelegationTokenResponse,
    versions 1..=2, flexible 2.. {
        /// The token's secret.
        hmac: Bytes [0..],
        /// When it shall expire from now, in milliseconds; negative for at once.
        expiry_time_period_ms: i64 [0..],
    }
}

message! {
    /// When it expires.
    pub struct ExpireDelegationTokenResponse: response, versions 1..=2, flexible 2.. {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// When it expires, in milliseconds since 1970.
        expiry_timestamp_ms: i64 [0..],
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
    }
}
