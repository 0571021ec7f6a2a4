//! Records about topics and partitions, and who replicates and leads them.
//! Decides their fields in each version; what they do to the state of a cluster is not known here.

use crate::Uuid;

message! {
    /// A topic exists.
    pub struct TopicRecord: metadata 2, versions 0..=0, flexible 0.. {
        /// Its name.
        name: String [0..],
        /// The topic's id.
        topic_id: Uuid [0..],
    }
}

message! {
    /// A topic is gone.
    pub struct RemoveTopicRecord: metadata 9, versions 0..=0, flexible 0.. {
        /// The topic's id.
        topic_id: Uuid [0..],
    }
}

message! {
    /// A partition exists.
    pub struct PartitionRecord: metadata 3, versions 0..=2, flexible 0.. {
        /// The partition's index.
        partition_id: i32 [0.., = -1],
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The brokers that hold a replica.
        replicas: Vec<i32> [0..],
        /// The replicas in sync.
        isr: Vec<i32> [0..],
        /// The replicas that are being removed.
        removing_replicas: Vec<i32> [0..],
        /// The replicas that are being added.
        adding_replicas: Vec<i32> [0..],
        /// The broker that leads, or -1.
        leader: i32 [0.., = -1],
        /// The epoch in which the leader leads.
        leader_epoch: i32 [0.., = -1],
        /// The epoch of the partition's state.
        partition_epoch: i32 [0.., = -1],
        /// The directories of the replicas, in their order.
        directories: Vec<Uuid> [1..],
        /// Whether the leader was chosen uncleanly and still recovers.
        leader_recovery_state: i8 [0.., tag 0],
        /// Replicas outside the in-sync set that may still lead (KIP-966).
        eligible_leader_replicas: Option<Vec<i32>> [2.., null 2.., tag 1],
        /// The replicas that were eligible last (KIP-966).
        last_known_elr: Option<Vec<i32>> [2.., null 2.., tag 2],
    }
}

message! {
    /// A partition has changed; fields left at their default have not.
    pub struct PartitionChangeRecord: metadata 5, versions 0..=2, flexible 0.. {
        /// The partition's index.
        partition_id: i32 [0.., = -1],
        /// The topic's id.
        topic_id: Uuid [0..],
        /// The replicas in sync.
        isr: Option<Vec<i32>> [0.., null 0.., tag 0],
        /// The broker that leads, -1 for none, -2 for no change.
        leader: i32 [0.., tag 1, = -2],
        /// The brokers that hold a replica.
        replicas: Option<Vec<i32>> [0.., null 0.., tag 2],
        /// The replicas that are being removed.
        removing_replicas: Option<Vec<i32>> [0.., null 0.., tag 3],
        /// The replicas that are being added.
        adding_replicas: Option<Vec<i32>> [0.., null 0.., tag 4],
        /// Whether the leader still recovers, or -1 for no change.
        leader_recovery_state: i8 [0.., tag 5, = -1],
        /// Replicas outside the in-sync set that may still lead (KIP-966).
        eligible_leader_replicas: Option<Vec<i32>> [2.., null 2.., tag 6],
        /// The replicas that were eligible last (KIP-966).
        last_known_elr: Option<Vec<i32>> [2.., null 2.., tag 7],
        /// The directories of the replicas, in their order.
        directories: Option<Vec<Uuid>> [1.., null 1.., tag 8],
    }
}

message! {
    /// The replicas eligible to lead are forgotten, of one topic or of all.
    pub struct ClearElrRecord: metadata 28, versions 0..=0, flexible 0.. {
        /// The topic's name; empty for all topics.
        topic_name: String [0..],
    }
}
