//! Records about share groups (KIP-932): epochs, members, assignments, which partitions have state.
//! Decides their fields in each version; what they do to the state of a group is not known here.

use crate::Uuid;

message! {
    /// The key of what a member said of itself.
    pub struct ShareGroupMemberMetadataKey: coordinator_key 10, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
        /// The member's id.
        member_id: String [0..=0],
    }
}

message! {
    /// What a member said of itself.
    pub struct ShareGroupMemberMetadataValue: coordinator_value 10, versions 0..=0, flexible 0.. {
        /// The rack, or null.
        rack_id: Option<String> [0.., null 0..],
        /// The client's id.
        client_id: String [0..],
        /// The client's host.
        client_host: String [0..],
        /// The topics subscribed to.
        subscribed_topic_names: Vec<String> [0..],
    }
}

message! {
    /// The key of a share group.
    pub struct ShareGroupMetadataKey: coordinator_key 11, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
    }
}

message! {
    /// A share group is at an epoch.
    pub struct ShareGroupMetadataValue: coordinator_value 11, versions 0..=0, flexible 0.. {
        /// The group's epoch.
        epoch: i32 [0..],
        /// The hash of the metadata of the topics subscribed to, or 0.
        metadata_hash: i64 [0..],
    }
}

message! {
    /// The key of the target assignment.
    pub struct ShareGroupTargetAssignmentMetadataKey: coordinator_key 12, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
    }
}

message! {
    /// The target assignment is at an epoch.
    pub struct ShareGroupTargetAssignmentMetadataValue: coordinator_value 12, versions 0..=0, flexible 0.. {
        /// The epoch of the target assignment.
        assignment_epoch: i32 [0..],
        /// When it was computed, in milliseconds since 1970, or 0.
        assignment_timestamp: i64 [0.., tag 0, ignorable],
    }
}

message! {
    /// The key of a member's target assignment.
    pub struct ShareGroupTargetAssignmentMemberKey: coordinator_key 13, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
        /// The member's id.
        member_id: String [0..=0],
    }
}

message! {
    /// A member's target assignment.
    pub struct ShareGroupTargetAssignmentMemberValue: coordinator_value 13, versions 0..=0, flexible 0.. {
        /// The partitions by topic.
        topic_partitions: Vec<TopicPartition> [0..],
    }
}

part! {
    /// Partitions of a topic: one of [`ShareGroupTargetAssignmentMemberValue::topic_partitions`].
    pub struct TopicPartition {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}

message! {
    /// The key of a member's current assignment.
    pub struct ShareGroupCurrentMemberAssignmentKey: coordinator_key 14, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
        /// The member's id.
        member_id: String [0..=0],
    }
}

message! {
    /// A member's current assignment.
    pub struct ShareGroupCurrentMemberAssignmentValue: coordinator_value 14, versions 0..=0, flexible 0.. {
        /// The member's epoch.
        member_epoch: i32 [0..],
        /// The epoch before that.
        previous_member_epoch: i32 [0..],
        /// The member's state.
        state: i8 [0..],
        /// The partitions assigned.
        assigned_partitions: Vec<TopicPartitions> [0..],
    }
}

part! {
    /// Partitions of a topic: one of [`ShareGroupCurrentMemberAssignmentValue::assigned_partitions`].
    pub struct TopicPartitions {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}

message! {
    /// The key of which partitions have share state.
    pub struct ShareGroupStatePartitionMetadataKey: coordinator_key 15, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
    }
}

message! {
    /// Which partitions have share state.
    pub struct ShareGroupStatePartitionMetadataValue: coordinator_value 15, versions 0..=0, flexible 0.. {
        /// The topics whose state is being made.
        initializing_topics: Vec<TopicPartitionsInfo> [0..],
        /// The topics whose state is there.
        initialized_topics: Vec<TopicPartitionsInfo> [0..],
        /// The topics whose state is being deleted.
        deleting_topics: Vec<TopicInfo> [0..],
    }
}

part! {
    /// Partitions of a topic: one of [`ShareGroupStatePartitionMetadataValue::initializing_topics`].
    pub struct TopicPartitionsInfo {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The topic's name.
        topic_name: String [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}

part! {
    /// A topic: one of [`ShareGroupStatePartitionMetadataValue::deleting_topics`].
    pub struct TopicInfo {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The topic's name.
        topic_name: String [0..],
    }
}
