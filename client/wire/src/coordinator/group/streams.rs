//! Records about streams groups (KIP-1071): epochs, members, tasks, topologies.
//! Decides their fields in each version; what they do to the state of a group is not known here.

message! {
    /// The key of a streams group.
    pub struct StreamsGroupMetadataKey: coordinator_key 17, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
    }
}

message! {
    /// A streams group is at an epoch.
    pub struct StreamsGroupMetadataValue: coordinator_value 17, versions 0..=0, flexible 0.. {
        /// The group's epoch.
        epoch: i32 [0..],
        /// The hash of the metadata of the topics read, or 0.
        metadata_hash: i64 [0..],
        /// The epoch of the topology that was found valid, or -1.
        validated_topology_epoch: i32 [0.., tag 0, = -1],
        /// The settings of the last assignment; empty or null for none.
        last_assignment_configs: Option<Vec<LastAssignmentConfig>> [0.., null 0.., tag 1, = Some(Vec::new())],
        /// The epoch of the topology whose description is stored, or -1.
        stored_description_topology_epoch: i32 [0.., tag 2, = -1],
        /// The epoch of the topology whose description could not be stored, or -1.
        failed_description_topology_epoch: i32 [0.., tag 3, = -1],
    }
}

part! {
    /// A setting: one of [`StreamsGroupMetadataValue::last_assignment_configs`].
    pub struct LastAssignmentConfig {
        /// The key.
        key: String [0..],
        /// The value.
        value: String [0..],
    }
}

message! {
    /// The key of what a member said of itself.
    pub struct StreamsGroupMemberMetadataKey: coordinator_key 19, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
        /// The member's id.
        member_id: String [0..=0],
    }
}

message! {
    /// What a member said of itself.
    pub struct StreamsGroupMemberMetadataValue: coordinator_value 19, versions 0..=0, flexible 0.. {
        /// The id of a static member, or null.
        instance_id: Option<String> [0.., null 0..],
        /// The rack, or null.
        rack_id: Option<String> [0.., null 0..],
        /// The client's id.
        client_id: String [0..],
        /// The client's host.
        client_host: String [0..],
        /// How long the member may take to give up tasks, in milliseconds, or -1.
        rebalance_timeout_ms: i32 [0.., = -1],
        /// The epoch of the topology.
        topology_epoch: i32 [0..],
        /// The process's id.
        process_id: String [0..],
        /// Where interactive queries reach the member, or null.
        user_endpoint: Option<Endpoint> [0.., null 0..],
        /// Its tags, for standby tasks.
        client_tags: Vec<KeyValue> [0..],
    }
}

part! {
    /// The value of [`StreamsGroupMemberMetadataValue::user_endpoint`].
    pub struct Endpoint {
        /// The host to connect to.
        host: String [0..],
        /// The port to connect to.
        port: u16 [0..],
    }
}

part! {
    /// A tag: one of [`StreamsGroupMemberMetadataValue::client_tags`].
    pub struct KeyValue {
        /// The key.
        key: String [0..],
        /// The value.
        value: String [0..],
    }
}

message! {
    /// The key of the target assignment.
    pub struct StreamsGroupTargetAssignmentMetadataKey: coordinator_key 20, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
    }
}

message! {
    /// The target assignment is at an epoch.
    pub struct StreamsGroupTargetAssignmentMetadataValue: coordinator_value 20, versions 0..=0, flexible 0.. {
        /// The epoch of the target assignment.
        assignment_epoch: i32 [0..],
        /// When it was computed, in milliseconds since 1970, or 0.
        assignment_timestamp: i64 [0.., tag 0, ignorable],
    }
}

message! {
    /// The key of a member's target assignment.
    pub struct StreamsGroupTargetAssignmentMemberKey: coordinator_key 21, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
        /// The member's id.
        member_id: String [0..=0],
    }
}

message! {
    /// A member's target assignment.
    pub struct StreamsGroupTargetAssignmentMemberValue: coordinator_value 21, versions 0..=0, flexible 0.. {
        /// The active tasks.
        active_tasks: Vec<TaskIds> [0..],
        /// The standby tasks.
        standby_tasks: Vec<TaskIds> [0..],
        /// The warm-up tasks.
        warmup_tasks: Vec<TaskIds> [0..],
    }
}

part! {
    /// Tasks of a subtopology: one of [`StreamsGroupTargetAssignmentMemberValue::active_tasks`].
    pub struct TaskIds {
        /// The subtopology's id.
        subtopology_id: String [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}

message! {
    /// The key of a member's current assignment.
    pub struct StreamsGroupCurrentMemberAssignmentKey: coordinator_key 22, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
        /// The member's id.
        member_id: String [0..=0],
    }
}

message! {
    /// A member's current assignment.
    pub struct StreamsGroupCurrentMemberAssignmentValue: coordinator_value 22, versions 0..=0, flexible 0.. {
        /// The member's epoch.
        member_epoch: i32 [0..],
        /// The epoch before that.
        previous_member_epoch: i32 [0..],
        /// The member's state.
        state: i8 [0..],
        /// The active tasks.
        active_tasks: Vec<CurrentTaskIds> [0..],
        /// The standby tasks.
        standby_tasks: Vec<CurrentTaskIds> [0..],
        /// The warm-up tasks.
        warmup_tasks: Vec<CurrentTaskIds> [0..],
        /// The active tasks that are still to be given up.
        active_tasks_pending_revocation: Vec<CurrentTaskIds> [0..],
        /// The standby tasks that are still to be given up.
        standby_tasks_pending_revocation: Vec<CurrentTaskIds> [0..],
        /// The warm-up tasks that are still to be given up.
        warmup_tasks_pending_revocation: Vec<CurrentTaskIds> [0..],
    }
}

part! {
    /// Tasks of a subtopology: one of [`StreamsGroupCurrentMemberAssignmentValue::active_tasks`].
    pub struct CurrentTaskIds {
        /// The subtopology's id.
        subtopology_id: String [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
        /// The epoch in which each of them was assigned; empty or null where that is not known.
        assignment_epochs: Option<Vec<i32>> [0.., null 0.., tag 0, = Some(Vec::new())],
    }
}

message! {
    /// The key of a topology.
    pub struct StreamsGroupTopologyKey: coordinator_key 23, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
    }
}

message! {
    /// A topology.
    pub struct StreamsGroupTopologyValue: coordinator_value 23, versions 0..=0, flexible 0.. {
        /// The epoch of the topology.
        epoch: i32 [0..],
        /// The subtopologies.
        subtopologies: Vec<Subtopology> [0..],
    }
}

part! {
    /// A subtopology: one of [`StreamsGroupTopologyValue::subtopologies`].
    pub struct Subtopology {
        /// The subtopology's id.
        subtopology_id: String [0..],
        /// The topics that it reads.
        source_topics: Vec<String> [0..],
        /// The regular expressions of topics that it reads.
        source_topic_regex: Vec<String> [0..],
        /// The change logs of its state.
        state_changelog_topics: Vec<TopicInfo> [0..],
        /// The repartition topics that it writes.
        repartition_sink_topics: Vec<String> [0..],
        /// The repartition topics that it reads.
        repartition_source_topics: Vec<TopicInfo> [0..],
        /// The topics that are partitioned alike.
        copartition_groups: Vec<CopartitionGroup> [0..],
    }
}

part! {
    /// A topic: one of [`Subtopology::state_changelog_topics`].
    pub struct TopicInfo {
        /// Its name.
        name: String [0..],
        /// The number of partitions, or 0 where it follows from others.
        partitions: i32 [0..],
        /// The number of replicas, or 0 for the default.
        replication_factor: i16 [0..],
        /// The settings.
        topic_configs: Vec<TopicConfig> [0..],
    }
}

part! {
    /// A setting: one of [`TopicInfo::topic_configs`].
    pub struct TopicConfig {
        /// The key.
        key: String [0..],
        /// The value.
        value: String [0..],
    }
}

part! {
    /// Topics that are partitioned alike: one of [`Subtopology::copartition_groups`].
    pub struct CopartitionGroup {
        /// Indices into the topics that the subtopology reads.
        source_topics: Vec<i16> [0..],
        /// Indices into its regular expressions.
        source_topic_regex: Vec<i16> [0..],
        /// Indices into its repartition topics.
        repartition_source_topics: Vec<i16> [0..],
    }
}
