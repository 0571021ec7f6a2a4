//! Key 74, ListConfigResources: lists the resources that have a configuration.
//!
//! Versions 0-1, flexible from 0. KIP-1000, KIP-1142 (v1).

use crate::ErrorCode;

message! {
    /// The kinds of resource.
    pub struct ListConfigResourcesRequest:
    request ListConfigResources -> ListConfigResourcesResponse,
    versions 0..=1, flexible 0.. {
        /// The kinds of resource; empty for all.
        resource_types: Vec<i8> [1..],
    }
}

message! {
    /// The resources.
    pub struct ListConfigResourcesResponse: response, versions 0..=1, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The resources that have a configuration.
        config_resources: Vec<ConfigResource> [0..],
    }
}

part! {
    /// One of [`ListConfigResourcesResponse::config_resources`].
    pub struct ConfigResource {
        /// The name of the resource.
        resource_name: String [0..],
        /// The kind of the resource.
        resource_type: i8 [1.., ignorable, = 16],
    }
}
