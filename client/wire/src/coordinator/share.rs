//! Records of `__share_group_state`: which records of a partition a share group has dealt with (KIP-932).
//!
//! Decides their numbers and their fields in each version; what a delivery does is not known here.

use crate::Uuid;

coordinator_records! {
    "__share_group_state",
    /// Any record of `__share_group_state`.
    ShareRecord,
    /// The type of a record of `__share_group_state`.
    ShareRecordType:
    0 ShareSnapshot(ShareSnapshotKey, ShareSnapshotValue);
    1 ShareUpdate(ShareUpdateKey, ShareUpdateValue);
}

message! {
    /// The key of a snapshot of the state of a share partition.
    pub struct ShareSnapshotKey: coordinator_key 0, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
        /// The topic's id.
        topic_id: Uuid [0..=0],
        /// The partition's index.
        partition: i32 [0..=0],
    }
}

message! {
    /// The state of a share partition, all of it.
    pub struct ShareSnapshotValue: coordinator_value 0, versions 0..=0, flexible 0.. {
        /// The epoch of the snapshot.
        snapshot_epoch: i32 [0..],
        /// The state's epoch.
        state_epoch: i32 [0..],
        /// The epoch of the partition's leader.
        leader_epoch: i32 [0..],
        /// The first offset that is not done with, or -1.
        start_offset: i64 [0..],
        /// When the state was made, in milliseconds since 1970.
        create_timestamp: i64 [0..],
        /// When the snapshot was written, in milliseconds since 1970.
        write_timestamp: i64 [0..],
        /// The states of runs of records.
        state_batches: Vec<StateBatch> [0..],
        /// How many records from there on are done with, or -1.
        delivery_complete_count: i32 [0.., tag 0, = -1],
    }
}

part! {
    /// A run of records: one of [`ShareSnapshotValue::state_batches`].
    pub struct StateBatch {
        /// The first offset.
        first_offset: i64 [0..],
        /// The last offset.
        last_offset: i64 [0..],
        /// The state of the delivery.
        delivery_state: i8 [0..],
        /// How often it was delivered.
        delivery_count: i16 [0..],
    }
}

message! {
    /// The key of a change of the state of a share partition.
    pub struct ShareUpdateKey: coordinator_key 1, versions 0..=0, flexible never {
        /// The group.
        group_id: String [0..=0],
        /// The topic's id.
        topic_id: Uuid [0..=0],
        /// The partition's index.
        partition: i32 [0..=0],
    }
}

message! {
    /// What has changed since the snapshot.
    pub struct ShareUpdateValue: coordinator_value 1, versions 0..=0, flexible 0.. {
        /// The epoch of the snapshot.
        snapshot_epoch: i32 [0..],
        /// The epoch of the partition's leader.
        leader_epoch: i32 [0..],
        /// The first offset that is not done with, or -1.
        start_offset: i64 [0..],
        /// The states of runs of records.
        state_batches: Vec<StateBatch> [0..],
        /// How many records from there on are done with, or -1.
        delivery_complete_count: i32 [0.., tag 0, = -1],
    }
}
