//! Records about consumer groups (KIP-848): epochs, members, target and current assignments.
//! Decides their fields in each version; what they do to the state of a group is not known here.

use bytes::Bytes;

use crate::Uuid;

message! {
    /// The key of a consumer group.
    pub struct ConsumerGroupMetadataKey: coordinator_key 3, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
    }
}

message! {
    /// A consumer group is at an epoch.
    pub struct ConsumerGroupMetadataValue: coordinator_value 3, versions 0..=0, flexible 0.. {
        /// The group's epoch.
        epoch: i32 [0..],
        /// The hash of the metadata of the topics subscribed to, or 0.
        metadata_hash: i64 [0.., tag 0],
    }
}

message! {
    /// The key of what a consumer group knew of its topics.
    pub struct ConsumerGroupPartitionMetadataKey: coordinator_key 4, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
    }
}

message! {
    /// What a consumer group knew of its topics, before it kept a hash of that (KIP-1101).
    pub struct ConsumerGroupPartitionMetadataValue: coordinator_value 4, versions 0..=0, flexible 0.. {
        /// The topics.
        topics: Vec<TopicMetadata> [0..],
    }
}

part! {
    /// A topic: one of [`ConsumerGroupPartitionMetadataValue::topics`].
    pub struct TopicMetadata {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The topic's name.
        topic_name: String [0..],
        /// How many partitions it has.
        num_partitions: i32 [0..],
        /// The racks of its partitions.
        partition_metadata: Vec<PartitionMetadata> [0..],
    }
}

part! {
    /// A partition: one of [`TopicMetadata::partition_metadata`].
    pub struct PartitionMetadata {
        /// The partition's index.
        partition: i32 [0..],
        /// The racks of its replicas.
        racks: Vec<String> [0..],
    }
}

message! {
    /// The key of what a member said of itself.
    pub struct ConsumerGroupMemberMetadataKey: coordinator_key 5, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
        /// The member's id.
        member_id: String [0..=0],
    }
}

message! {
    /// What a member said of itself.
    pub struct ConsumerGroupMemberMetadataValue: coordinator_value 5, versions 0..=0, flexible 0.. {
        /// The id of a static member, or null.
        instance_id: Option<String> [0.., null 0..],
        /// The rack, or null.
        rack_id: Option<String> [0.., null 0..],
        /// The client's id.
        client_id: String [0..],
        /// The client's host.
        client_host: String [0..],
        /// The topics subscribed to.
        subscribed_topic_names: Vec<String> [0..],
        /// The regular expression subscribed to, or null.
        subscribed_topic_regex: Option<String> [0.., null 0..],
        /// How long the member may take to give up partitions, in milliseconds, or -1.
        rebalance_timeout_ms: i32 [0.., = -1],
        /// The assignor wished for, or null.
        server_assignor: Option<String> [0.., null 0..],
        /// What a member of the classic protocol said on joining; null for any other, which must be written:
        /// to leave it out means its default, as to Kafka.
        classic_member_metadata: Option<ClassicMemberMetadata> [0.., null 0.., tag 0, = Some(ClassicMemberMetadata::default())],
    }
}

part! {
    /// The value of [`ConsumerGroupMemberMetadataValue::classic_member_metadata`].
    pub struct ClassicMemberMetadata {
        /// How long the member may be silent, in milliseconds.
        session_timeout_ms: i32 [0..],
        /// The protocols supported.
        supported_protocols: Vec<ClassicProtocol> [0..],
    }
}

part! {
    /// A protocol: one of [`ClassicMemberMetadata::supported_protocols`].
    pub struct ClassicProtocol {
        /// Its name.
        name: String [0..],
        /// What the member said on joining with it.
        metadata: Bytes [0..],
    }
}

message! {
    /// The key of the target assignment.
    pub struct ConsumerGroupTargetAssignmentMetadataKey: coordinator_key 6, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
    }
}

message! {
    /// The target assignment is at an epoch.
    pub struct ConsumerGroupTargetAssignmentMetadataValue: coordinator_value 6, versions 0..=0, flexible 0.. {
        /// The epoch of the target assignment.
        assignment_epoch: i32 [0..],
        /// When it was computed, in milliseconds since 1970, or 0.
        assignment_timestamp: i64 [0.., tag 0, ignorable],
    }
}

message! {
    /// The key of a member's target assignment.
    pub struct ConsumerGroupTargetAssignmentMemberKey: coordinator_key 7, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
        /// The member's id.
        member_id: String [0..=0],
    }
}

message! {
    /// A member's target assignment.
    pub struct ConsumerGroupTargetAssignmentMemberValue: coordinator_value 7, versions 0..=0, flexible 0.. {
        /// The partitions by topic.
        topic_partitions: Vec<TopicPartition> [0..],
    }
}

part! {
    /// Partitions of a topic: one of [`ConsumerGroupTargetAssignmentMemberValue::topic_partitions`].
    pub struct TopicPartition {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}

message! {
    /// The key of a member's current assignment.
    pub struct ConsumerGroupCurrentMemberAssignmentKey: coordinator_key 8, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
        /// The member's id.
        member_id: String [0..=0],
    }
}

message! {
    /// A member's current assignment.
    pub struct ConsumerGroupCurrentMemberAssignmentValue: coordinator_value 8, versions 0..=0, flexible 0.. {
        /// The member's epoch.
        member_epoch: i32 [0..],
        /// The epoch before that.
        previous_member_epoch: i32 [0..],
        /// The member's state.
        state: i8 [0..],
        /// The partitions assigned.
        assigned_partitions: Vec<TopicPartitions> [0..],
        /// The partitions that are still to be given up.
        partitions_pending_revocation: Vec<TopicPartitions> [0..],
    }
}

part! {
    /// Partitions of a topic: one of [`ConsumerGroupCurrentMemberAssignmentValue::assigned_partitions`].
    pub struct TopicPartitions {
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
        /// The epoch in which each of them was assigned; empty or null where that is not known.
        assignment_epochs: Option<Vec<i32>> [0.., null 0.., tag 0, = Some(Vec::new())],
    }
}

message! {
    /// The key of a regular expression subscribed to.
    pub struct ConsumerGroupRegularExpressionKey: coordinator_key 16, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
        /// The regular expression.
        regular_expression: String [0..=0],
    }
}

message! {
    /// A regular expression has been resolved.
    pub struct ConsumerGroupRegularExpressionValue: coordinator_value 16, versions 0..=0, flexible 0.. {
        /// The topics that match it.
        topics: Vec<String> [0..],
        /// The version of the metadata image that it was resolved with.
        version: i64 [0..],
        /// When it was resolved, in milliseconds since 1970.
        timestamp: i64 [0..],
    }
}
