//! Records about committed offsets.
//! Decides their fields in each version; when an offset is forgotten is not known here.

use crate::Uuid;

message! {
    /// The key of a committed offset, as early versions of Kafka wrote it.
    pub struct LegacyOffsetCommitKey: coordinator_key 0, versions 0..=0, flexible never {
        /// The group.
        group: String [0..=0],
        /// The topic's name.
        topic: String [0..=0],
        /// The partition's index.
        partition: i32 [0..=0],
    }
}

message! {
    /// A committed offset, as early versions of Kafka wrote it.
    pub struct LegacyOffsetCommitValue: coordinator_value 0, versions 0..=0, flexible never {
        /// The offset of the next record to be read.
        offset: i64 [0..=0],
        /// The consumer's own words.
        metadata: String [0..=0],
        /// When it was committed, in milliseconds since 1970.
        commit_timestamp: i64 [0..=0],
    }
}

message! {
    /// The key of a committed offset.
    pub struct OffsetCommitKey: coordinator_key 1, versions 0..=0, flexible never {
        /// The group.
        group: String [0..=0],
        /// The topic's name.
        topic: String [0..=0],
        /// The partition's index.
        partition: i32 [0..=0],
    }
}

message! {
    /// A committed offset.
    pub struct OffsetCommitValue: coordinator_value 1, versions 0..=4, flexible 4.. {
        /// The offset of the next record to be read.
        offset: i64 [0..],
        /// The epoch of the leader that the record before it was read from, or -1.
        leader_epoch: i32 [3.., ignorable, = -1],
        /// The consumer's own words.
        metadata: String [0..],
        /// When it was committed, in milliseconds since 1970.
        commit_timestamp: i64 [0..],
        /// When it is forgotten, in milliseconds since 1970, or -1.
        expire_timestamp: i64 [1..=1, ignorable, = -1],
        /// The topic's id.
        topic_id: Uuid [4.., tag 0, ignorable],
    }
}
