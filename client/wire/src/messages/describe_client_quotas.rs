//! Key 48, DescribeClientQuotas: lists client quotas.
//!
//! Versions 0-1, flexible from 1. KIP-546.

use crate::ErrorCode;

message! {
    /// Which entities.
    pub struct DescribeClientQuotasRequest:
    request DescribeClientQuotas -> DescribeClientQuotasResponse,
    versions 0..=1, flexible 1.. {
        /// The parts of the entity to match.
        components: Vec<ComponentData> [0..],
        /// Whether entities with other parts are left out.
        strict: bool [0..],
    }
}

part! {
    /// One of [`DescribeClientQuotasRequest::components`].
    pub struct ComponentData {
        /// The kind of entity.
        entity_type: String [0..],
        /// 0 this name, 1 the default, 2 any.
        match_type: i8 [0..],
        /// The name, when a name is to match.
        r#match: Option<String> [0.., null 0..],
    }
}

message! {
    /// Their quotas.
    pub struct DescribeClientQuotasResponse: response, versions 0..=1, flexible 1.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// The entries.
        entries: Option<Vec<EntryData>> [0.., null 0..],
    }
}

part! {
    /// One of [`DescribeClientQuotasResponse::entries`].
    pub struct EntryData {
        /// The entity.
        entity: Vec<EntityData> [0..],
        /// The quotas.
        values: Vec<ValueData> [0..],
    }
}

part! {
    /// One of [`EntryData::entity`].
    pub struct EntityData {
        /// The kind of entity.
        entity_type: String [0..],
        /// Its name, or null for the default.
        entity_name: Option<String> [0.., null 0..],
    }
}

part! {
    /// One of [`EntryData::values`].
    pub struct ValueData {
        /// The quota.
        key: String [0..],
        /// The limit.
        value: f64 [0..],
    }
}
