//! Key 44, IncrementalAlterConfigs: changes single configuration values.
//!
//! Versions 0-1, flexible from 1. KIP-339.

use crate::ErrorCode;

message! {
    /// The resources, with the changes.
    pub struct IncrementalAlterConfigsRequest:
    request IncrementalAlterConfigs -> IncrementalAlterConfigsResponse,
    versions 0..=1, flexible 1.. {
        /// The resources.
        resources: Vec<AlterConfigsResource> [0..],
        /// Only check, change nothing.
        validate_only: bool [0..],
    }
}

part! {
    /// A resource: one of [`IncrementalAlterConfigsRequest::resources`].
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
        /// 0 set, 1 delete, 2 append, 3 subtract.
        config_operation: i8 [0..],
        /// Its value.
        value: Option<String> [0.., null 0..],
    }
}

message! {
    /// What became of each.
    pub struct IncrementalAlterConfigsResponse: response, versions 0..=1, flexible 1.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What became of each.
        responses: Vec<AlterConfigsResourceResponse> [0..],
    }
}

part! {
    /// A result: one of [`IncrementalAlterConfigsResponse::responses`].
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
