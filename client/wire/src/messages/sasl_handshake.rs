//! Key 17, SaslHandshake: chooses a SASL mechanism.
//!
//! Versions 0-1, flexible never. KIP-43, KIP-152 (v1).

use crate::ErrorCode;

message! {
    /// The mechanism.
    pub struct SaslHandshakeRequest: request SaslHandshake -> SaslHandshakeResponse,
    versions 0..=1, flexible never {
        /// The mechanism.
        mechanism: String [0..],
    }
}

message! {
    /// The mechanisms on offer.
    pub struct SaslHandshakeResponse: response, versions 0..=1, flexible never {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The mechanisms the server offers.
        mechanisms: Vec<String> [0..],
    }
}
