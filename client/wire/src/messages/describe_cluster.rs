//! Key 60, DescribeCluster: describes the nodes of a cluster.
//!
//! Versions 0-2, flexible from 0. KIP-700, KIP-919 (v1), KIP-1073 (v2).

use crate::ErrorCode;

message! {
    /// Brokers or controllers.
    pub struct DescribeClusterRequest: request DescribeCluster -> DescribeClusterResponse,
    versions 0..=2, flexible 0.. {
        /// Also say what the sender is allowed to do to the cluster.
        include_cluster_authorized_operations: bool [0..],
        /// Brokers (1) or controllers (2).
        endpoint_type: i8 [1.., = 1],
        /// Also list fenced brokers.
        include_fenced_brokers: bool [2..],
    }
}

message! {
    /// The nodes.
    pub struct DescribeClusterResponse: response, versions 0..=2, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// Brokers (1) or controllers (2).
        endpoint_type: i8 [1.., = 1],
        /// The cluster's id.
        cluster_id: String [0..],
        /// The controller's id.
        controller_id: i32 [0.., = -1],
        /// The brokers.
        brokers: Vec<DescribeClusterBroker> [0..],
        /// What the sender is allowed to do to the cluster, as bits.
        cluster_authorized_operations: i32 [0.., = i32::MIN],
    }
}

part! {
    /// A broker: one of [`DescribeClusterResponse::brokers`].
    pub struct DescribeClusterBroker {
        /// The broker's id.
        broker_id: i32 [0..],
        /// The host to connect to.
        host: String [0..],
        /// The port to connect to.
        port: i32 [0..],
        /// The rack, if known.
        rack: Option<String> [0.., null 0..],
        /// Whether the broker is fenced.
        is_fenced: bool [2..],
    }
}
