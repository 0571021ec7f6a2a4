//! Key 89, StreamsGroupDescribe: describes Streams groups.
//!
//! Versions 0-1, flexible from 0. KIP-1071, KIP-1331 (v1).

use crate::ErrorCode;

message! {
    /// The groups.
    pub struct StreamsGroupDescribeRequest:
    request StreamsGroupDescribe -> StreamsGroupDescribeResponse,
    versions 0..=1, flexible 0.. {
        /// The groups.
        group_ids: Vec<String> [0..],
        /// Also say what the sender is allowed to do.
        include_authorized_operations: bool [0..],
        /// Also give the description of the topology.
        include_topology_description: bool [1..],
    }
}

message! {
    /// Their states, topologies and members.
    pub struct StreamsGroupDescribeResponse: response, versions 0..=1, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// The groups.
        groups: Vec<DescribedGroup> [0..],
    }
}

part! {
    /// A group: one of [`StreamsGroupDescribeResponse::groups`].
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
        /// The topology.
        topology: Option<Topology> [0.., null 0..],
        /// The members.
        members: Vec<Member> [0..],
        /// What the sender is allowed to do, as bits.
        authorized_operations: i32 [0.., = i32::MIN],
        /// The description of the topology.
        topology_description: Option<TopologyDescription> [1.., null 1..],
        /// Whether a description is there.
        topology_description_status: i8 [1..],
        /// The assignor.
        assignor_name: Option<String> [1.., null 1.., ignorable],
    }
}

part! {
    /// The value of [`DescribedGroup::topology`].
    pub struct Topology {
        /// The epoch.
        epoch: i32 [0..],
        /// The subtopologies.
        subtopologies: Option<Vec<Subtopology>> [0.., null 0..],
    }
}

part! {
    /// One of [`Topology::subtopologies`].
    pub struct Subtopology {
        /// The subtopology.
        subtopology_id: String [0..],
        /// The topics it reads.
        source_topics: Vec<String> [0..],
        /// The repartition topics it writes.
        repartition_sink_topics: Vec<String> [0..],
        /// The topics that hold its state.
        state_changelog_topics: Vec<TopicInfo> [0..],
        /// The repartition topics it reads.
        repartition_source_topics: Vec<TopicInfo> [0..],
    }
}

part! {
    /// One of [`Subtopology::state_changelog_topics`].
    pub struct TopicInfo {
        /// Its name.
        name: String [0..],
        /// How many partitions, or 0 for as many as the sources have.
        partitions: i32 [0..],
        /// How many replicas.
        replication_factor: i16 [0..],
        /// The topic's configuration.
        topic_configs: Vec<KeyValue> [0..],
    }
}

part! {
    /// One of [`TopicInfo::topic_configs`].
    pub struct KeyValue {
        /// Its key.
        key: String [0..],
        /// Its value.
        value: String [0..],
    }
}

part! {
    /// A member: one of [`DescribedGroup::members`].
    pub struct Member {
        /// The member's id.
        member_id: String [0..],
        /// The member's epoch.
        member_epoch: i32 [0..],
        /// The member's static name, if it has one.
        instance_id: Option<String> [0.., null 0..],
        /// The rack of the sender.
        rack_id: Option<String> [0.., null 0..],
        /// The client's name for itself.
        client_id: String [0..],
        /// The address of the client.
        client_host: String [0..],
        /// The epoch of the topology.
        topology_epoch: i32 [0..],
        /// The process of the member.
        process_id: String [0..],
        /// Where the application answers interactive queries.
        user_endpoint: Option<Endpoint> [0.., null 0..],
        /// The client's tags.
        client_tags: Vec<KeyValue> [0..],
        /// How far each task has come.
        task_offsets: Vec<TaskOffset> [0..],
        /// Where each task's input ends.
        task_end_offsets: Vec<TaskOffset> [0..],
        /// What is assigned.
        assignment: Assignment [0..],
        /// What the member shall have in the end.
        target_assignment: Assignment [0..],
        /// Whether the member speaks the classic protocol.
        is_classic: bool [0..],
    }
}

part! {
    /// The value of [`Member::user_endpoint`].
    pub struct Endpoint {
        /// The host to connect to.
        host: String [0..],
        /// The port to connect to.
        port: u16 [0..],
    }
}

part! {
    /// One of [`Member::task_offsets`].
    pub struct TaskOffset {
        /// The subtopology.
        subtopology_id: String [0..],
        /// The partition's index.
        partition: i32 [0..],
        /// The offset.
        offset: i64 [0..],
    }
}

part! {
    /// The value of [`Member::assignment`].
    pub struct Assignment {
        /// The active tasks.
        active_tasks: Vec<TaskIds> [0..],
        /// The standby tasks.
        standby_tasks: Vec<TaskIds> [0..],
        /// The warm-up tasks.
        warmup_tasks: Vec<TaskIds> [0..],
    }
}

part! {
    /// One of [`Assignment::active_tasks`].
    pub struct TaskIds {
        /// The subtopology.
        subtopology_id: String [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}

part! {
    /// The value of [`DescribedGroup::topology_description`].
    pub struct TopologyDescription {
        /// The subtopologies.
        subtopologies: Vec<TopologyDescriptionSubtopology> [1..],
        /// The global stores.
        global_stores: Vec<TopologyDescriptionGlobalStore> [1..],
    }
}

part! {
    /// One of [`TopologyDescription::subtopologies`].
    pub struct TopologyDescriptionSubtopology {
        /// The subtopology.
        subtopology_id: String [1..],
        /// The nodes.
        nodes: Vec<TopologyDescriptionNode> [1..],
    }
}

part! {
    /// One of [`TopologyDescriptionSubtopology::nodes`].
    pub struct TopologyDescriptionNode {
        /// Its name.
        name: String [1..],
        /// 0 source, 1 processor, 2 sink.
        node_type: i8 [1..],
        /// The topics it reads.
        source_topics: Vec<String> [1..],
        /// The topic it writes, if it is a sink.
        sink_topic: Option<String> [1.., null 1..],
        /// The state stores it uses.
        stores: Vec<String> [1..],
        /// The nodes behind it.
        successors: Vec<String> [1..],
    }
}

part! {
    /// One of [`TopologyDescription::global_stores`].
    pub struct TopologyDescriptionGlobalStore {
        /// Where the value comes from.
        source: TopologyDescriptionNode [1..],
        /// The processor.
        processor: TopologyDescriptionNode [1..],
    }
}
