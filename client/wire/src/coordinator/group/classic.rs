//! Records about classic groups: each is whole in one record.
//! Decides their fields in each version; what a member said on joining is bytes here.

use bytes::Bytes;

message! {
    /// The key of a classic group.
    pub struct GroupMetadataKey: coordinator_key 2, versions 0..=0, flexible never {
        /// The group.
        group: String [0..=0],
    }
}

message! {
    /// A classic group, all of it.
    pub struct GroupMetadataValue: coordinator_value 2, versions 0..=4, flexible 4.. {
        /// The kind of protocol: `consumer`, `connect`...
        protocol_type: String [0..],
        /// The generation.
        generation: i32 [0..],
        /// The protocol that was chosen, or null.
        protocol: Option<String> [0.., null 0..],
        /// The member that leads, or null.
        leader: Option<String> [0.., null 0..],
        /// When the group came to its state, in milliseconds since 1970, or -1.
        current_state_timestamp: i64 [2.., ignorable, = -1],
        /// The members.
        members: Vec<MemberMetadata> [0..],
    }
}

part! {
    /// A member: one of [`GroupMetadataValue::members`].
    pub struct MemberMetadata {
        /// The member's id.
        member_id: String [0..],
        /// The id of a static member, or null (KIP-345).
        group_instance_id: Option<String> [3.., null 3.., ignorable],
        /// The client's id.
        client_id: String [0..],
        /// The client's host.
        client_host: String [0..],
        /// How long a rebalance waits for the member, in milliseconds, or -1.
        rebalance_timeout: i32 [1.., ignorable, = -1],
        /// How long the member may be silent, in milliseconds.
        session_timeout: i32 [0..],
        /// What the member said on joining.
        subscription: Bytes [0..],
        /// What the member was assigned.
        assignment: Bytes [0..],
    }
}
