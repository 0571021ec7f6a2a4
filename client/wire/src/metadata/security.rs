//! Records about credentials, delegation tokens and access rules.
//! Decides their fields in each version; what they do to the state of a cluster is not known here.

use bytes::Bytes;

use crate::Uuid;

message! {
    /// A user has a SCRAM credential.
    pub struct UserScramCredentialRecord: metadata 11, versions 0..=0, flexible 0.. {
        /// Its name.
        name: String [0..],
        /// The mechanism.
        mechanism: i8 [0..],
        /// The salt.
        salt: Bytes [0..],
        /// The stored key.
        stored_key: Bytes [0..],
        /// The server key.
        server_key: Bytes [0..],
        /// The number of iterations.
        iterations: i32 [0..],
    }
}

message! {
    /// A user's SCRAM credential is gone.
    pub struct RemoveUserScramCredentialRecord: metadata 22, versions 0..=0, flexible 0.. {
        /// Its name.
        name: String [0..],
        /// The mechanism.
        mechanism: i8 [0..],
    }
}

message! {
    /// A delegation token exists.
    pub struct DelegationTokenRecord: metadata 10, versions 0..=0, flexible 0.. {
        /// The principal that owns the token.
        owner: String [0..],
        /// The principal that asked for the token.
        requester: String [0..],
        /// Who may renew the token.
        renewers: Vec<String> [0..],
        /// When it was issued, in milliseconds since 1970.
        issue_timestamp: i64 [0..],
        /// The last moment it can be renewed to, in milliseconds since 1970.
        max_timestamp: i64 [0..],
        /// When it expires, in milliseconds since 1970.
        expiration_timestamp: i64 [0..],
        /// The token's id.
        token_id: String [0..],
    }
}

message! {
    /// A delegation token is gone.
    pub struct RemoveDelegationTokenRecord: metadata 26, versions 0..=0, flexible 0.. {
        /// The token's id.
        token_id: String [0..],
    }
}

message! {
    /// An access rule exists.
    pub struct AccessControlEntryRecord: metadata 18, versions 0..=0, flexible 0.. {
        /// The rule's id.
        id: Uuid [0..],
        /// The kind of the resource.
        resource_type: i8 [0..],
        /// The name of the resource.
        resource_name: String [0..],
        /// Whether the name is literal or a prefix.
        pattern_type: i8 [0..],
        /// The principal.
        principal: String [0..],
        /// The host to connect to.
        host: String [0..],
        /// The operation.
        operation: i8 [0..],
        /// Allow or deny.
        permission_type: i8 [0..],
    }
}

message! {
    /// An access rule is gone.
    pub struct RemoveAccessControlEntryRecord: metadata 19, versions 0..=0, flexible 0.. {
        /// The rule's id.
        id: Uuid [0..],
    }
}
