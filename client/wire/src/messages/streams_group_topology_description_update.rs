//! Key 93, StreamsGroupTopologyDescriptionUpdate: stores the description of a Streams group's
//! topology (KIP-1331).
//!
//! Version 0, flexible from 0. KIP-1331.

use crate::ErrorCode;

message! {
    /// The group and the description.
    pub struct StreamsGroupTopologyDescriptionUpdateRequest:
    request StreamsGroupTopologyDescriptionUpdate -> StreamsGroupTopologyDescriptionUpdateResponse,
    versions 0..=0, flexible 0.. {
        /// The group.
        group_id: String [0..],
        /// The member's id.
        member_id: String [0..],
        /// The epoch of the topology.
        topology_epoch: i32 [0..],
        /// The description of the topology.
        topology_description: TopologyDescription [0..],
    }
}

part! {
    /// The value of [`StreamsGroupTopologyDescriptionUpdateRequest::topology_description`].
    pub struct TopologyDescription {
        /// The subtopologies.
        subtopologies: Vec<TopologyDescriptionSubtopology> [0..],
        /// The global stores.
        global_stores: Vec<TopologyDescriptionGlobalStore> [0..],
    }
}

part! {
    /// One of [`TopologyDescription::subtopologies`].
    pub struct TopologyDescriptionSubtopology {
        /// The subtopology.
        subtopology_id: String [0..],
        /// The nodes.
        nodes: Vec<TopologyDescriptionNode> [0..],
    }
}

part! {
    /// One of [`TopologyDescriptionSubtopology::nodes`].
    pub struct TopologyDescriptionNode {
        /// Its name.
        name: String [0..],
        /// 0 source, 1 processor, 2 sink.
        node_type: i8 [0..],
        /// The topics it reads.
        source_topics: Vec<String> [0..],
        /// The topic it writes, if it is a sink.
        sink_topic: Option<String> [0.., null 0..],
        /// The state stores it uses.
        stores: Vec<String> [0..],
        /// The nodes behind it.
        successors: Vec<String> [0..],
    }
}

part! {
    /// One of [`TopologyDescription::global_stores`].
    pub struct TopologyDescriptionGlobalStore {
        /// Where the value comes from.
        source: TopologyDescriptionNode [0..],
        /// The processor.
        processor: TopologyDescriptionNode [0..],
    }
}

message! {
    /// Whether it is stored.
    pub struct StreamsGroupTopologyDescriptionUpdateResponse: response,
    versions 0..=0, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
    }
}
