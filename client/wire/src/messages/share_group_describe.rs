//! Key 77, ShareGroupDescribe: describes share groups.
//!
//! Version 1, flexible from 0. KIP-932.

use crate::{ErrorCode, Uuid};

message! {
    /// The groups.
    pub struct ShareGroupDescribeRequest: request ShareGroupDescribe -> ShareGroupDescribeResponse,
    versions 1..=1, flexible 0.. {
        /// The groups.
        group_ids: Vec<String> [0..],
        /// Also say what the sender is allowed to do.
        include_authorized_operations: bool [0..],
    }
}

message! {
    /// Their states and members.
    pub struct ShareGroupDescribeResponse: response, versions 1..=1, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// The groups.
        groups: Vec<DescribedGroup> [0..],
    }
}

part! {
    /// A group: one of [`ShareGroupDescribeResponse::groups`].
    pub struct DescribedGroup {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// The group.
        group_id: String [0..],
        /// The group's state.
        group_state: String [0..],
        /// The epoch of the group.
        group_epoch: i32 [0..],
        /// The epoch of the assignment.
        assignment_epoch: i32 [0..],
        /// The assignor.
        assignor_name: String [0..],
        /// The members.
        members: Vec<Member> [0..],
        /// What the sender is allowed to do, as bits.
        authorized_operations: i32 [0.., = i32::MIN],
    }
}

part! {
    /// A member: one of [`DescribedGroup::members`].
    pub struct Member {
        /// The member's id.
        member_id: String [0..],
        /// The rack of the sender.
        rack_id: Option<String> [0.., null 0..],
        /// The member's epoch.
        member_epoch: i32 [0..],
        /// The client's name for itself.
        client_id: String [0..],
        /// The address of the client.
        client_host: String [0..],
        /// The topics subscribed to by name.
        subscribed_topic_names: Vec<String> [0..],
        /// What is assigned.
        assignment: Assignment [0..],
    }
}

part! {
    /// The value of [`Member::assignment`].
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
        /// The topic's name.
        topic_name: String [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}
