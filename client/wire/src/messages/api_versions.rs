//! Key 18, ApiVersions: tells which keys and versions a node serves.
//!
//! Versions 0-5, flexible from 3. KIP-35, KIP-511 (v3), KIP-584, KIP-1242 (v5).

use crate::ErrorCode;

message! {
    /// The client software.
    pub struct ApiVersionsRequest: request ApiVersions -> ApiVersionsResponse,
    versions 0..=5, flexible 3.. {
        /// The name of the client library.
        client_software_name: String [3.., ignorable],
        /// The version of the client library.
        client_software_version: String [3.., ignorable],
        /// The cluster the client believes in (KIP-1242).
        cluster_id: Option<String> [5.., null 5.., ignorable],
        /// The node's id.
        node_id: i32 [5.., ignorable, = -1],
    }
}

message! {
    /// The keys, versions and features.
    pub struct ApiVersionsResponse: response, versions 0..=5, flexible 3.. {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The keys that are served.
        api_keys: Vec<ApiVersion> [0..],
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [1.., ignorable],
        /// The features this node supports.
        supported_features: Vec<SupportedFeatureKey> [3.., tag 0, ignorable],
        /// The metadata offset of the finalized features, or -1.
        finalized_features_epoch: i64 [3.., tag 1, ignorable, = -1],
        /// The features in force in the cluster.
        finalized_features: Vec<FinalizedFeatureKey> [3.., tag 2, ignorable],
        /// A remainder of the ZooKeeper migration.
        zk_migration_ready: bool [3.., tag 3, ignorable],
    }
}

part! {
    /// One of [`ApiVersionsResponse::api_keys`].
    pub struct ApiVersion {
        /// The API key.
        api_key: i16 [0..],
        /// The lowest version.
        min_version: i16 [0..],
        /// The highest version.
        max_version: i16 [0..],
    }
}

part! {
    /// One of [`ApiVersionsResponse::supported_features`].
    pub struct SupportedFeatureKey {
        /// Its name.
        name: String [3..],
        /// The lowest version.
        min_version: i16 [3..],
        /// The highest version.
        max_version: i16 [3..],
    }
}

part! {
    /// One of [`ApiVersionsResponse::finalized_features`].
    pub struct FinalizedFeatureKey {
        /// Its name.
        name: String [3..],
        /// The highest version that is in force.
        max_version_level: i16 [3..],
        /// The lowest version that is in force.
        min_version_level: i16 [3..],
    }
}
