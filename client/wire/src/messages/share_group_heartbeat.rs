//! Key 76, ShareGroupHeartbeat: joins, keeps and leaves a share group (KIP-932).
//!
//! Version 1, flexible from 0. KIP-932.

use crate::{ErrorCode, Uuid};

message! {
    /// The member, and what has changed about it.
    pub struct ShareGroupHeartbeatRequest:
    request ShareGroupHeartbeat -> ShareGroupHeartbeatResponse,
    versions 1..=1, flexible 0.. {
        /// The group.
        group_id: String [0..],
        /// The member's id.
        member_id: String [0..],
        /// The member's epoch.
        member_epoch: i32 [0..],
        /// The rack of the sender.
        rack_id: Option<String> [0.., null 0..],
        /// The topics subscribed to by name, or null if that has not changed.
        subscribed_topic_names: Option<Vec<String>> [0.., null 0..],
    }
}

message! {
    /// The member's epoch and assignment.
    pub struct ShareGroupHeartbeatResponse: response, versions 1..=1, flexible 0.. {
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
    /// The value of [`ShareGroupHeartbeatResponse::assignment`].
    pub struct Assignment {
        /// The partitions, by topic.
        topic_partitions: Vec<TopicPartitions> [0..],
    }
}

part! {
    /// A topic: one of [`Assignment::topic_partitions`].
    pub struct TopicPartitions {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}
