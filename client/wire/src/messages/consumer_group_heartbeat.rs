//! Key 68, ConsumerGroupHeartbeat: joins, keeps and leaves a KIP-848 consumer group.
//!
//! Versions 0-1, flexible from 0. KIP-848, KIP-1082 (v1).

use crate::{ErrorCode, Uuid};

message! {
    /// The member, and what has changed about it.
    pub struct ConsumerGroupHeartbeatRequest:
    request ConsumerGroupHeartbeat -> ConsumerGroupHeartbeatResponse,
    versions 0..=1, flexible 0.. {
        /// The group.
        group_id: String [0..],
        /// The member's id.
        member_id: String [0..],
        /// The member's epoch.
        member_epoch: i32 [0..],
        /// The member's static name, if it has one.
        instance_id: Option<String> [0.., null 0..],
        /// The rack of the sender.
        rack_id: Option<String> [0.., null 0..],
        /// How long the group waits for the member in a rebalance, in milliseconds.
        rebalance_timeout_ms: i32 [0.., = -1],
        /// The topics subscribed to by name, or null if that has not changed.
        subscribed_topic_names: Option<Vec<String>> [0.., null 0..],
        /// The regular expression subscribed to, or null if that has not changed.
        subscribed_topic_regex: Option<String> [1.., null 1..],
        /// The assignor to use, or null for no wish.
        server_assignor: Option<String> [0.., null 0..],
        /// The partitions the member owns, or null if that has not changed.
        topic_partitions: Option<Vec<TopicPartitions>> [0.., null 0..],
    }
}

part! {
    /// A topic: one of [`ConsumerGroupHeartbeatRequest::topic_partitions`].
    pub struct TopicPartitions {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}

message! {
    /// The member's epoch and assignment.
    pub struct ConsumerGroupHeartbeatResponse: response, versions 0..=1, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// The member's id.
        member_id: Option<String> [0.., null 0..],
        /// The member's epoch.
        member_epoch: i32 [0..],
        /// How often to send a heartbeat, in milliseconds.
        heartbeat_interval_ms: i32 [0..],
        /// What is assigned.
        assignment: Option<Assignment> [0.., null 0..],
    }
}

part! {
    /// The value of [`ConsumerGroupHeartbeatResponse::assignment`].
    pub struct Assignment {
        /// The partitions, by topic.
        topic_partitions: Vec<TopicPartitions> [0..],
    }
}
