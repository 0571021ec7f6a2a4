//! Key 32, DescribeConfigs: tells the configuration of topics, brokers and groups.
//!
//! Versions 1-4, flexible from 4. KIP-133, KIP-226 (v1), KIP-569 (v3).

use crate::ErrorCode;

message! {
    /// The resources and keys wanted.
    pub struct DescribeConfigsRequest: request DescribeConfigs -> DescribeConfigsResponse,
    versions 1..=4, flexible 4.. {
        /// The resources.
        resources: Vec<DescribeConfigsResource> [0..],
        /// Also list where else a value could come from.
        include_synonyms: bool [1..],
        /// Also give the documentation.
        include_documentation: bool [3..],
    }
}

part! {
    /// A resource: one of [`DescribeConfigsRequest::resources`].
    pub struct DescribeConfigsResource {
        /// The kind of the resource.
        resource_type: i8 [0..],
        /// The name of the resource.
        resource_name: String [0..],
        /// The keys wanted, or null for all.
        configuration_keys: Option<Vec<String>> [0.., null 0..],
    }
}

message! {
    /// The values, with where they come from.
    pub struct DescribeConfigsResponse: response, versions 1..=4, flexible 4.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What became of each.
        results: Vec<DescribeConfigsResult> [0..],
    }
}

part! {
    /// A result: one of [`DescribeConfigsResponse::results`].
    pub struct DescribeConfigsResult {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// The kind of the resource.
        resource_type: i8 [0..],
        /// The name of the resource.
        resource_name: String [0..],
        /// The configuration.
        configs: Vec<DescribeConfigsResourceResult> [0..],
    }
}

part! {
    /// A configuration value: one of [`DescribeConfigsResult::configs`].
    pub struct DescribeConfigsResourceResult {
        /// Its name.
        name: String [0..],
        /// Its value.
        value: Option<String> [0.., null 0..],
        /// Whether it cannot be changed.
        read_only: bool [0..],
        /// Where the value comes from.
        config_source: i8 [1.., ignorable, = -1],
        /// Whether the value is a secret and therefore null.
        is_sensitive: bool [0..],
        /// The other sources of the value, strongest first.
        synonyms: Vec<DescribeConfigsSynonym> [1.., ignorable],
        /// The type of the value.
        config_type: i8 [3.., ignorable],
        /// What the key does.
        documentation: Option<String> [3.., null 0.., ignorable],
    }
}

part! {
    /// One of [`DescribeConfigsResourceResult::synonyms`].
    pub struct DescribeConfigsSynonym {
        /// Its name.
        name: String [1..],
        /// Its value.
        value: Option<String> [1.., null 0..],
        /// Where the value comes from.
        source: i8 [1..],
    }
}
