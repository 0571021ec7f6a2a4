//! Key 72, PushTelemetry: pushes a client's metrics (KIP-714).
//!
//! Version 0, flexible from 0. KIP-714.

use bytes::Bytes;

use crate::{ErrorCode, Uuid};

message! {
    /// The metrics.
    pub struct PushTelemetryRequest: request PushTelemetry -> PushTelemetryResponse,
    versions 0..=0, flexible 0.. {
        /// The id of the client instance.
        client_instance_id: Uuid [0..],
        /// The telemetry subscription.
        subscription_id: i32 [0..],
        /// Whether this is the client's last push.
        terminating: bool [0..],
        /// The compression of the metrics.
        compression_type: i8 [0..],
        /// The metrics, as OpenTelemetry encodes them.
        metrics: Bytes [0..],
    }
}

message! {
    /// Whether they are taken.
    pub struct PushTelemetryResponse: response, versions 0..=0, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
    }
}
