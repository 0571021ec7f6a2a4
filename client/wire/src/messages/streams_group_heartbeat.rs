//! Key 88, StreamsGroupHeartbeat: joins, keeps and leaves a Streams group (KIP-1071).
//!
//! Versions 0-1, flexible from 0. KIP-1071, KIP-1331 (v1).

use crate::ErrorCode;

message! {
    /// The member, and what has changed about it.
    pub struct StreamsGroupHeartbeatRequest:
    request StreamsGroupHeartbeat -> StreamsGroupHeartbeatResponse,
    versions 0..=1, flexible 0.. {
        /// The group.
        group_id: String [0..],
        /// The member's id.
        member_id: String [0..],
        /// The member's epoch.
        member_epoch: i32 [0..],
        /// The epoch of the endpoint information.
        endpoint_information_epoch: i32 [0..],
        /// The member's static name, if it has one.
        instance_id: Option<String> [0.., null 0..],
        /// The rack of the sender.
        rack_id: Option<String> [0.., null 0..],
        /// How long the group waits for the member in a rebalance, in milliseconds.
        rebalance_timeout_ms: i32 [0.., = -1],
        /// The topology, when it is new.
        topology: Option<Topology> [0.., null 0..],
        /// The active tasks.
        active_tasks: Option<Vec<TaskIds>> [0.., null 0..],
        /// The standby tasks.
        standby_tasks: Option<Vec<TaskIds>> [0.., null 0..],
        /// The warm-up tasks.
        warmup_tasks: Option<Vec<TaskIds>> [0.., null 0..],
        /// The process of the member.
        process_id: Option<String> [0.., null 0..],
        /// Where the application answers interactive queries.
        user_endpoint: Option<Endpoint> [0.., null 0..],
        /// The client's tags.
        client_tags: Option<Vec<KeyValue>> [0.., null 0..],
        /// How far each task has come.
        task_offsets: Option<Vec<TaskOffset>> [0.., null 0..],
        /// Where each task's input ends.
        task_end_offsets: Option<Vec<TaskOffset>> [0.., null 0..],
        /// Whether all members shall stop.
        shutdown_application: bool [0..],
    }
}

part! {
    /// The topology, when it is new.
    pub struct Topology {
        /// The epoch.
        epoch: i32 [0..],
        /// The subtopologies.
        subtopologies: Vec<Subtopology> [0..],
    }
}

part! {
    /// One of [`Topology::subtopologies`].
    pub struct Subtopology {
        /// The subtopology.
        subtopology_id: String [0..],
        /// The topics it reads.
        source_topics: Vec<String> [0..],
        /// Regular expressions of the topics it reads.
        source_topic_regex: Vec<String> [0..],
        /// The topics that hold its state.
        state_changelog_topics: Vec<TopicInfo> [0..],
        /// The repartition topics it writes.
        repartition_sink_topics: Vec<String> [0..],
        /// The repartition topics it reads.
        repartition_source_topics: Vec<TopicInfo> [0..],
        /// Topics that must have the same number of partitions.
        copartition_groups: Vec<CopartitionGroup> [0..],
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
    /// One of [`Subtopology::copartition_groups`].
    pub struct CopartitionGroup {
        /// Which of the source topics, by their places in the list.
        source_topics: Vec<i16> [0..],
        /// Which of the regular expressions, by their places.
        source_topic_regex: Vec<i16> [0..],
        /// Which of the repartition topics, by their places.
        repartition_source_topics: Vec<i16> [0..],
    }
}

part! {
    /// One of [`StreamsGroupHeartbeatRequest::active_tasks`].
    pub struct TaskIds {
        /// The subtopology.
        subtopology_id: String [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}

part! {
    /// The value of [`StreamsGroupHeartbeatRequest::user_endpoint`].
    pub struct Endpoint {
        /// The host to connect to.
        host: String [0..],
        /// The port to connect to.
        port: u16 [0..],
    }
}

part! {
    /// One of [`StreamsGroupHeartbeatRequest::task_offsets`].
    pub struct TaskOffset {
        /// The subtopology.
        subtopology_id: String [0..],
        /// The partition's index.
        partition: i32 [0..],
        /// The offset.
        offset: i64 [0..],
    }
}

message! {
    /// The member's epoch, assignment and status.
    pub struct StreamsGroupHeartbeatResponse: response, versions 0..=1, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// The member's id.
        member_id: String [0..],
        /// The member's epoch.
        member_epoch: i32 [0..],
        /// How often to send a heartbeat, in milliseconds.
        heartbeat_interval_ms: i32 [0..],
        /// How far behind a task may be and count as caught up.
        acceptable_recovery_lag_legacy: i32 [0..=0],
        /// How often to send task offsets, in milliseconds.
        task_offset_interval_ms: i32 [0..],
        /// How far behind a task may be and count as caught up.
        acceptable_recovery_lag: i64 [1.., ignorable, = -1],
        /// What else the member must know.
        status: Option<Vec<Status>> [0.., null 0..],
        /// The active tasks.
        active_tasks: Option<Vec<TaskIds>> [0.., null 0..],
        /// The standby tasks.
        standby_tasks: Option<Vec<TaskIds>> [0.., null 0..],
        /// The warm-up tasks.
        warmup_tasks: Option<Vec<TaskIds>> [0.., null 0..],
        /// Whether the broker wants the topology described (KIP-1331).
        topology_description_required: bool [1..],
        /// The epoch of the endpoint information.
        endpoint_information_epoch: i32 [0..],
        /// Which partitions each endpoint serves.
        partitions_by_user_endpoint: Option<Vec<EndpointToPartitions>> [0.., null 0..],
    }
}

part! {
    /// One of [`StreamsGroupHeartbeatResponse::status`].
    pub struct Status {
        /// The kind of the status.
        status_code: i8 [0..],
        /// The status, for people.
        status_detail: String [0..],
    }
}

part! {
    /// One of [`StreamsGroupHeartbeatResponse::partitions_by_user_endpoint`].
    pub struct EndpointToPartitions {
        /// Where the application answers interactive queries.
        user_endpoint: Endpoint [0..],
        /// The partitions it serves.
        active_partitions: Vec<TopicPartition> [0..],
        /// The partitions it stands by for.
        standby_partitions: Vec<TopicPartition> [0..],
    }
}

part! {
    /// One of [`EndpointToPartitions::active_partitions`].
    pub struct TopicPartition {
        /// The topic's name.
        topic: String [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}
