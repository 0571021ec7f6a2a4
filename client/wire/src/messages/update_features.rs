//! Key 57, UpdateFeatures: changes the features in force in the cluster.
//!
//! Versions 0-2, flexible from 0. KIP-584, KIP-778 (v1), KIP-1022 (v2).

use crate::ErrorCode;

message! {
    /// The features to change.
    pub struct UpdateFeaturesRequest: request UpdateFeatures -> UpdateFeaturesResponse,
    versions 0..=2, flexible 0.. {
        /// How long the server may take, in milliseconds.
        timeout_ms: i32 [0.., = 60_000],
        /// The features to change.
        feature_updates: Vec<FeatureUpdateKey> [0..],
        /// Only check, change nothing.
        validate_only: bool [1..],
    }
}

part! {
    /// One of [`UpdateFeaturesRequest::feature_updates`].
    pub struct FeatureUpdateKey {
        /// The feature.
        feature: String [0..],
        /// The highest version that is in force.
        max_version_level: i16 [0..],
        /// Whether a lower version is allowed.
        allow_downgrade: bool [0..=0],
        /// 1 up, 2 down if safe, 3 down even if not.
        upgrade_type: i8 [1.., = 1],
    }
}

message! {
    /// What became of each.
    pub struct UpdateFeaturesResponse: response, versions 0..=2, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// What became of each.
        results: Vec<UpdatableFeatureResult> [0..=1, ignorable],
    }
}

part! {
    /// A result: one of [`UpdateFeaturesResponse::results`].
    pub struct UpdatableFeatureResult {
        /// The feature.
        feature: String [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
    }
}
