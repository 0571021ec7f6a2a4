//! Key 71, GetTelemetrySubscriptions: asks which metrics the cluster wants of a client (KIP-714).
//!
//! Version 0, flexible from 0. KIP-714.

use crate::{ErrorCode, Uuid};

message! {
    /// The client instance.
    pub struct GetTelemetrySubscriptionsRequest:
    request GetTelemetrySubscriptions -> GetTelemetrySubscriptionsResponse,
    versions 0..=0, flexible 0.. {
        /// The id of the client instance.
        client_instance_id: Uuid [0..],
    }
}

message! {
    /// The subscription.
    pub struct GetTelemetrySubscriptionsResponse: response, versions 0..=0, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The id of the client instance.
        client_instance_id: Uuid [0..],
        /// The telemetry subscription.
        subscription_id: i32 [0..],
        /// The compressions the broker can read, best first.
        accepted_compression_types: Vec<i8> [0..],
        /// How often to push, in milliseconds.
        push_interval_ms: i32 [0..],
        /// The most bytes a push may have.
        telemetry_max_bytes: i32 [0..],
        /// Whether differences are wanted, or totals.
        delta_temporality: bool [0..],
        /// Prefixes of the metrics wanted.
        requested_metrics: Vec<String> [0..],
    }
}
