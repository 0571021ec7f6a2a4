//! Key 49, AlterClientQuotas: changes client quotas.
//!
//! Versions 0-1, flexible from 1. KIP-546.

use crate::ErrorCode;

message! {
    /// The entities, with the changes.
    pub struct AlterClientQuotasRequest: request AlterClientQuotas -> AlterClientQuotasResponse,
    versions 0..=1, flexible 1.. {
        /// The entries.
        entries: Vec<RequestEntryData> [0..],
        /// Only check, change nothing.
        validate_only: bool [0..],
    }
}

part! {
    /// One of [`AlterClientQuotasRequest::entries`].
    pub struct RequestEntryData {
        /// The entity.
        entity: Vec<EntityData> [0..],
        /// What to set or remove.
        ops: Vec<OpData> [0..],
    }
}

part! {
    /// One of [`RequestEntryData::entity`].
    pub struct EntityData {
        /// The kind of entity.
        entity_type: String [0..],
        /// Its name, or null for the default.
        entity_name: Option<String> [0.., null 0..],
    }
}

part! {
    /// One of [`RequestEntryData::ops`].
    pub struct OpData {
        /// The quota.
        key: String [0..],
        /// The limit.
        value: f64 [0..],
        /// Whether to remove it.
        remove: bool [0..],
    }
}

message! {
    /// What became of each.
    pub struct AlterClientQuotasResponse: response, versions 0..=1, flexible 1.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// The entries.
        entries: Vec<ResponseEntryData> [0..],
    }
}

part! {
    /// One of [`AlterClientQuotasResponse::entries`].
    pub struct ResponseEntryData {
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// The entity.
        entity: Vec<EntityData> [0..],
    }
}
