//! Key 33, AlterConfigs: replaces the configuration of resources.
//!
//! Versions 0-2, flexible from 2. KIP-133.

use crate::ErrorCode;

message! {
    /// The resources, with all their values.
    pub struct AlterConfigsRequest: request AlterConfigs -> AlterConfigsResponse,
    versions 0..=2, flexible 2.. {
        /// The resources.
        resources: Vec<AlterConfigsResource> [0..],
        /// Only check, change nothing.
        validate_only: bool [0..],
    }
}

part! {
    /// A resource: one of [`AlterConfigsRequest::resources`].
    pub struct AlterConfigsResource {
        /// The kind of the resource.
        resource_type: i8 [0..],
        /// The name of the resource.
        resource_name: String [0..],
        /// The configuration.
        configs: Vec<AlterableConfig> [0..],
    }
}

part! {
    /// A configuration value: one of [`AlterConfigsResource::configs`].
    pub struct AlterableConfig {
        /// Its name.
        name: String [0..],
        /// Its value.
        value: Option<String> [0.., null 0..],
    }
}

message! {
    /// What became of each.
    pub struct AlterConfigsResponse: response, versions 0..=2, flexible 2.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What became of each.
        responses: Vec<AlterConfigsResourceResponse> [0..],
    }
}

part! {
    /// A result: one of [`AlterConfigsResponse::responses`].
    pub struct AlterConfigsResourceResponse {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// The kind of the resource.
        resource_type: i8 [0..],
        /// The name of the resource.
        resource_name: String [0..],
    }
}
