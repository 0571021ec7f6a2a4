//! Key 43, ElectLeaders: elects leaders anew.
//!
//! Versions 0-2, flexible from 2. KIP-183, KIP-460 (v1).

use crate::ErrorCode;

message! {
    /// The partitions, and the kind of election.
    pub struct ElectLeadersRequest: request ElectLeaders -> ElectLeadersResponse,
    versions 0..=2, flexible 2.. {
        /// 0: preferred; 1: unclean.
        election_type: i8 [1..],
        /// The partitions, by topic; null for all.
        topic_partitions: Option<Vec<TopicPartitions>> [0.., null 0..],
        /// How long the server may take, in milliseconds.
        timeout_ms: i32 [0.., = 60_000],
    }
}

part! {
    /// The partitions, by topic; null for all.
    pub struct TopicPartitions {
        /// The topic's name.
        topic: String [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}

message! {
    /// What became of each.
    pub struct ElectLeadersResponse: response, versions 0..=2, flexible 2.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [1..],
        /// What became of each election.
        replica_election_results: Vec<ReplicaElectionResult> [0..],
    }
}

part! {
    /// One of [`ElectLeadersResponse::replica_election_results`].
    pub struct ReplicaElectionResult {
        /// The topic's name.
        topic: String [0..],
        /// What became of each partition.
        partition_result: Vec<PartitionResult> [0..],
    }
}

part! {
    /// One of [`ReplicaElectionResult::partition_result`].
    pub struct PartitionResult {
        /// The partition's index.
        partition_id: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
    }
}
