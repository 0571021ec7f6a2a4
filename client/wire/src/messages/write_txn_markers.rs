//! Key 27, WriteTxnMarkers: writes the markers that end transactions, between brokers.
//!
//! Versions 1-2, flexible from 1. KIP-98, KIP-1228 (v2).

use crate::ErrorCode;

message! {
    /// The markers.
    pub struct WriteTxnMarkersRequest: request WriteTxnMarkers -> WriteTxnMarkersResponse,
    versions 1..=2, flexible 1.. {
        /// The markers.
        markers: Vec<WritableTxnMarker> [0..],
    }
}

part! {
    /// One of [`WriteTxnMarkersRequest::markers`].
    pub struct WritableTxnMarker {
        /// The producer's id.
        producer_id: i64 [0..],
        /// The producer's epoch.
        producer_epoch: i16 [0..],
        /// Commit, or abort.
        transaction_result: bool [0..],
        /// The topics.
        topics: Vec<WritableTxnMarkerTopic> [0..],
        /// The epoch of the transaction coordinator.
        coordinator_epoch: i32 [0..],
        /// The version of the transaction protocol (KIP-1228).
        transaction_version: i8 [2.., ignorable],
    }
}

part! {
    /// A topic: one of [`WritableTxnMarker::topics`].
    pub struct WritableTxnMarkerTopic {
        /// Its name.
        name: String [0..],
        /// The partitions' indexes.
        partition_indexes: Vec<i32> [0..],
    }
}

message! {
    /// What became of each.
    pub struct WriteTxnMarkersResponse: response, versions 1..=2, flexible 1.. {
        /// The markers.
        markers: Vec<WritableTxnMarkerResult> [0..],
    }
}

part! {
    /// One of [`WriteTxnMarkersResponse::markers`].
    pub struct WritableTxnMarkerResult {
        /// The producer's id.
        producer_id: i64 [0..],
        /// The topics.
        topics: Vec<WritableTxnMarkerTopicResult> [0..],
    }
}

part! {
    /// A topic: one of [`WritableTxnMarkerResult::topics`].
    pub struct WritableTxnMarkerTopicResult {
        /// Its name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<WritableTxnMarkerPartitionResult> [0..],
    }
}

part! {
    /// A partition: one of [`WritableTxnMarkerTopicResult::partitions`].
    pub struct WritableTxnMarkerPartitionResult {
        /// The partition's index.
        partition_index: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
    }
}
