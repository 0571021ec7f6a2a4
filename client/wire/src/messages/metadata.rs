//! Key 3, Metadata: tells which brokers, topics and partitions there are, and who leads.
//!
//! Versions 0-13, flexible from 9. KIP-4, KIP-430 (v8), KIP-516 (v10-12), KIP-1102 (v13).

use crate::{ErrorCode, Uuid};

message! {
    /// The topics wanted; null means all.
    pub struct MetadataRequest: request Metadata -> MetadataResponse,
    versions 0..=13, flexible 9.. {
        /// The topics, or null for all. Version 0 has no null: there an empty list means all.
        topics: Option<Vec<MetadataRequestTopic>> [0.., null 1..],
        /// Whether missing topics may be created.
        allow_auto_topic_creation: bool [4.., = true],
        /// Also say what the sender is allowed to do to the cluster.
        include_cluster_authorized_operations: bool [8..=10],
        /// Also say what the sender is allowed to do to each topic.
        include_topic_authorized_operations: bool [8..],
    }
}

part! {
    /// A topic: one of [`MetadataRequest::topics`].
    pub struct MetadataRequestTopic {
        /// The topic's id.
        topic_id: Uuid [10.., ignorable],
        /// Its name.
        name: Option<String> [0.., null 10..],
    }
}

message! {
    /// Brokers, topics, partitions.
    pub struct MetadataResponse: response, versions 0..=13, flexible 9.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [3.., ignorable],
        /// The brokers.
        brokers: Vec<MetadataResponseBroker> [0..],
        /// The cluster's id.
        cluster_id: Option<String> [2.., null 2.., ignorable],
        /// The controller's id.
        controller_id: i32 [1.., ignorable, = -1],
        /// The topics.
        topics: Vec<MetadataResponseTopic> [0..],
        /// What the sender is allowed to do to the cluster, as bits.
        cluster_authorized_operations: i32 [8..=10, = i32::MIN],
        /// What went wrong, if anything.
        error_code: ErrorCode [13.., ignorable],
    }
}

part! {
    /// A broker: one of [`MetadataResponse::brokers`].
    pub struct MetadataResponseBroker {
        /// The broker's id.
        node_id: i32 [0..],
        /// The host to connect to.
        host: String [0..],
        /// The port to connect to.
        port: i32 [0..],
        /// The rack, if known.
        rack: Option<String> [1.., null 1.., ignorable],
    }
}

part! {
    /// A topic: one of [`MetadataResponse::topics`].
    pub struct MetadataResponseTopic {
        /// What is wrong with the topic, if anything.
        error_code: ErrorCode [0..],
        /// Its name.
        name: Option<String> [0.., null 12..],
        /// The topic's id.
        topic_id: Uuid [10.., ignorable],
        /// Whether the topic is internal.
        is_internal: bool [1.., ignorable],
        /// The partitions.
        partitions: Vec<MetadataResponsePartition> [0..],
        /// What the sender is allowed to do to the topic, as bits.
        topic_authorized_operations: i32 [8.., = i32::MIN],
    }
}

part! {
    /// A partition: one of [`MetadataResponseTopic::partitions`].
    pub struct MetadataResponsePartition {
        /// What is wrong with the partition, if anything.
        error_code: ErrorCode [0..],
        /// The partition's index.
        partition_index: i32 [0..],
        /// The broker that leads, or -1.
        leader_id: i32 [0..],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [7.., ignorable, = -1],
        /// The brokers that hold a replica.
        replica_nodes: Vec<i32> [0..],
        /// The replicas in sync.
        isr_nodes: Vec<i32> [0..],
        /// The replicas that are offline.
        offline_replicas: Vec<i32> [5.., ignorable],
    }
}
