//! Key 58, Envelope: carries a request of a client from a broker to the controller.
//!
//! Version 0, flexible from 0. KIP-590.

use bytes::Bytes;

use crate::ErrorCode;

message! {
    /// The request, and for whom.
    pub struct EnvelopeRequest: request Envelope -> EnvelopeResponse, versions 0..=0, flexible 0.. {
        /// The request, with its header.
        request_data: Bytes [0..],
        /// The principal it is made for.
        request_principal: Option<Bytes> [0.., null 0..],
        /// The address it came from.
        client_host_address: Bytes [0..],
    }
}

message! {
    /// The response.
    pub struct EnvelopeResponse: response, versions 0..=0, flexible 0.. {
        /// The response, with its header.
        response_data: Option<Bytes> [0.., null 0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
    }
}
