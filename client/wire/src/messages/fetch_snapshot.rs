//! Key 59, FetchSnapshot: reads a piece of a snapshot of the metadata log.
//!
//! Versions 0-1, flexible from 0. KIP-630, KIP-853 (v1).

use crate::{ErrorCode, Pieces, Uuid};

message! {
    /// Which snapshot, from which byte.
    pub struct FetchSnapshotRequest: request FetchSnapshot -> FetchSnapshotResponse,
    versions 0..=1, flexible 0.. {
        /// The node that fetches.
        replica_id: i32 [0.., = -1],
        /// The most bytes to answer with.
        max_bytes: i32 [0.., = i32::MAX],
        /// The topics.
        topics: Vec<RequestTopicSnapshot> [0..],
        /// The cluster the sender believes in.
        cluster_id: Option<String> [0.., null 0.., tag 0],
    }
}

part! {
    /// A topic: one of [`FetchSnapshotRequest::topics`].
    pub struct RequestTopicSnapshot {
        /// Its name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<RequestPartitionSnapshot> [0..],
    }
}

part! {
    /// A partition: one of [`RequestTopicSnapshot::partitions`].
    pub struct RequestPartitionSnapshot {
        /// The partition's index.
        partition: i32 [0..],
        /// The leader epoch the sender believes in, or -1.
        current_leader_epoch: i32 [0..],
        /// The snapshot, by its end.
        snapshot_id: SnapshotId [0..],
        /// The first byte.
        position: i64 [0..],
        /// The directory id of the node that fetches.
        replica_directory_id: Uuid [1.., tag 0, ignorable],
    }
}

part! {
    /// The value of [`RequestPartitionSnapshot::snapshot_id`].
    pub struct SnapshotId {
        /// The offset behind the last record.
        end_offset: i64 [0..],
        /// The epoch.
        epoch: i32 [0..],
    }
}

message! {
    /// The bytes.
    pub struct FetchSnapshotResponse: response, versions 0..=1, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0.., ignorable],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The topics.
        topics: Vec<ResponseTopicSnapshot> [0..],
        /// Where the leaders named here can be reached.
        node_endpoints: Vec<NodeEndpoint> [1.., tag 0],
    }
}

part! {
    /// A topic: one of [`FetchSnapshotResponse::topics`].
    pub struct ResponseTopicSnapshot {
        /// Its name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<ResponsePartitionSnapshot> [0..],
    }
}

part! {
    /// A partition: one of [`ResponseTopicSnapshot::partitions`].
    pub struct ResponsePartitionSnapshot {
        /// The partition's index.
        index: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The snapshot, by its end.
        snapshot_id: SnapshotId [0..],
        /// The size of the snapshot in bytes.
        size: i64 [0..],
        /// The first byte.
        position: i64 [0..],
        /// Bytes of the snapshot, cut anywhere.
        unaligned_records: Pieces [0..],
        /// Who leads now, if the receiver does not.
        current_leader: LeaderIdAndEpoch [0.., tag 0],
    }
}

part! {
    /// The value of [`ResponsePartitionSnapshot::current_leader`].
    pub struct LeaderIdAndEpoch {
        /// The node that leads.
        leader_id: i32 [0..],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [0..],
    }
}

part! {
    /// A node: one of [`FetchSnapshotResponse::node_endpoints`].
    pub struct NodeEndpoint {
        /// The node's id.
        node_id: i32 [1..],
        /// The host to connect to.
        host: String [1..],
        /// The port to connect to.
        port: u16 [1..],
    }
}
