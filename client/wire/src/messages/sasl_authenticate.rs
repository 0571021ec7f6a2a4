//! Key 36, SaslAuthenticate: carries one step of a SASL dialogue.
//!
//! Versions 0-2, flexible from 2. KIP-152, KIP-368 (v1).

use bytes::Bytes;

use crate::ErrorCode;

message! {
    /// What the client says.
    pub struct SaslAuthenticateRequest: request SaslAuthenticate -> SaslAuthenticateResponse,
    versions 0..=2, flexible 2.. {
        /// The bytes of the SASL dialogue.
        auth_bytes: Bytes [0..],
    }
}

message! {
    /// What the server says.
    pub struct SaslAuthenticateResponse: response, versions 0..=2, flexible 2.. {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// The bytes of the SASL dialogue.
        auth_bytes: Bytes [0..],
        /// When to authenticate anew, in milliseconds; 0 for never.
        session_lifetime_ms: i64 [1.., ignorable],
    }
}
