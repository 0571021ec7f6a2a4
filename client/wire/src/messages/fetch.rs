//! Key 1, Fetch: reads record batches, for consumers, replicas and the metadata quorum.
//!
//! Versions 4-18, flexible from 12. KIP-74, KIP-227 (v7), KIP-320 (v9), KIP-392 (v11), KIP-516
//! (v13), KIP-405 (v14), KIP-903 (v15), KIP-951 (v16), KIP-853 (v17), KIP-1166 (v18).

use crate::{ErrorCode, Pieces, Uuid};

message! {
    /// Where to read, and how long to wait for it.
    pub struct FetchRequest: request Fetch -> FetchResponse, versions 4..=18, flexible 12.. {
        /// The broker that fetches, or -1 for a consumer.
        replica_id: i32 [0..=14, = -1],
        /// How long to wait for enough bytes, in milliseconds.
        max_wait_ms: i32 [0..],
        /// How many bytes are enough.
        min_bytes: i32 [0..],
        /// The most bytes to answer with.
        max_bytes: i32 [3.., ignorable, = i32::MAX],
        /// 0: read uncommitted; 1: read committed.
        isolation_level: i8 [4.., ignorable],
        /// The fetch session, or 0.
        session_id: i32 [7.., ignorable],
        /// The epoch of the session: 0 opens one, -1 does without.
        session_epoch: i32 [7.., ignorable, = -1],
        /// The topics.
        topics: Vec<FetchTopic> [0..],
        /// What to take out of the session.
        forgotten_topics_data: Vec<ForgottenTopic> [7..],
        /// The rack of the sender.
        rack_id: String [11.., ignorable],
        /// The cluster the sender believes in.
        cluster_id: Option<String> [12.., null 12.., tag 0, ignorable],
        /// The replica that fetches.
        replica_state: ReplicaState [15.., tag 1],
    }
}

part! {
    /// The value of [`FetchRequest::replica_state`].
    pub struct ReplicaState {
        /// The broker that fetches, or -1 for a consumer.
        replica_id: i32 [15.., = -1],
        /// The epoch of that broker's registration, or -1.
        replica_epoch: i64 [15.., = -1],
    }
}

part! {
    /// A topic: one of [`FetchRequest::topics`].
    pub struct FetchTopic {
        /// The topic's name.
        topic: String [0..=12, ignorable],
        /// The topic's id.
        topic_id: Uuid [13.., ignorable],
        /// The partitions.
        partitions: Vec<FetchPartition> [0..],
    }
}

part! {
    /// A partition: one of [`FetchTopic::partitions`].
    pub struct FetchPartition {
        /// The partition's index.
        partition: i32 [0..],
        /// The leader epoch the sender believes in, or -1.
        current_leader_epoch: i32 [9.., ignorable, = -1],
        /// The first offset wanted.
        fetch_offset: i64 [0..],
        /// The epoch of the last record the replica has, or -1.
        last_fetched_epoch: i32 [12.., = -1],
        /// Where the log starts.
        log_start_offset: i64 [5.., ignorable, = -1],
        /// The most bytes of this partition.
        partition_max_bytes: i32 [0..],
        /// The directory in which the fetching replica lies.
        replica_directory_id: Uuid [17.., tag 0, ignorable],
        /// The high watermark that the follower knows.
        high_watermark: i64 [18.., tag 1, ignorable, = i64::MAX],
    }
}

part! {
    /// One of [`FetchRequest::forgotten_topics_data`].
    pub struct ForgottenTopic {
        /// The topic's name.
        topic: String [7..=12, ignorable],
        /// The topic's id.
        topic_id: Uuid [13.., ignorable],
        /// The partitions.
        partitions: Vec<i32> [7..],
    }
}

message! {
    /// The batches, and how far the log has come.
    pub struct FetchResponse: response, versions 4..=18, flexible 12.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [1.., ignorable],
        /// What went wrong with the whole request, if anything.
        error_code: ErrorCode [7.., ignorable],
        /// The fetch session, or 0.
        session_id: i32 [7..],
        /// What became of each.
        responses: Vec<FetchableTopicResponse> [0..],
        /// Where the leaders named here can be reached.
        node_endpoints: Vec<NodeEndpoint> [16.., tag 0],
    }
}

part! {
    /// A result: one of [`FetchResponse::responses`].
    pub struct FetchableTopicResponse {
        /// The topic's name.
        topic: String [0..=12, ignorable],
        /// The topic's id.
        topic_id: Uuid [13.., ignorable],
        /// The partitions.
        partitions: Vec<PartitionData> [0..],
    }
}

part! {
    /// A partition: one of [`FetchableTopicResponse::partitions`].
    pub struct PartitionData {
        /// The partition's index.
        partition_index: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The offset up to which all replicas in sync agree.
        high_watermark: i64 [0..],
        /// The offset up to which every transaction is decided.
        last_stable_offset: i64 [4.., ignorable, = -1],
        /// Where the log starts.
        log_start_offset: i64 [5.., ignorable, = -1],
        /// The aborted transactions in the records, or null.
        aborted_transactions: Option<Vec<AbortedTransaction>> [4.., null 4.., ignorable],
        /// A nearer replica to read from (KIP-392), or -1.
        preferred_read_replica: i32 [11.., = -1],
        /// The record batches, as they are stored; the last may be cut short.
        records: Option<Pieces> [0.., null 0..],
        /// The last epoch that both logs share, when the histories have parted.
        diverging_epoch: EpochEndOffset [12.., tag 0],
        /// Who leads, if the receiver does not.
        current_leader: LeaderIdAndEpoch [12.., tag 1],
        /// The snapshot, by its end.
        snapshot_id: SnapshotId [12.., tag 2],
    }
}

part! {
    /// The value of [`PartitionData::diverging_epoch`].
    pub struct EpochEndOffset {
        /// The epoch.
        epoch: i32 [12.., = -1],
        /// The offset behind the last record.
        end_offset: i64 [12.., = -1],
    }
}

part! {
    /// The value of [`PartitionData::current_leader`].
    pub struct LeaderIdAndEpoch {
        /// The node that leads.
        leader_id: i32 [12.., = -1],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [12.., = -1],
    }
}

part! {
    /// The value of [`PartitionData::snapshot_id`].
    pub struct SnapshotId {
        /// The offset behind the last record.
        end_offset: i64 [0.., = -1],
        /// The epoch.
        epoch: i32 [0.., = -1],
    }
}

part! {
    /// One of [`PartitionData::aborted_transactions`].
    pub struct AbortedTransaction {
        /// The producer's id.
        producer_id: i64 [4..],
        /// The first offset.
        first_offset: i64 [4..],
    }
}

part! {
    /// A node: one of [`FetchResponse::node_endpoints`].
    pub struct NodeEndpoint {
        /// The node's id.
        node_id: i32 [16..],
        /// The host to connect to.
        host: String [16..],
        /// The port to connect to.
        port: i32 [16..],
        /// The rack, if known.
        rack: Option<String> [16.., null 16..],
    }
}
