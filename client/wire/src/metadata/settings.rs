//! Records about configuration, features and quotas.
//! Decides their fields in each version; what they do to the state of a cluster is not known here.

message! {
    /// A configuration value is set, or null to remove it.
    pub struct ConfigRecord: metadata 4, versions 0..=0, flexible 0.. {
        /// The kind of the resource.
        resource_type: i8 [0..],
        /// The name of the resource.
        resource_name: String [0..],
        /// The key.
        name: String [0..],
        /// The value, or null to remove it.
        value: Option<String> [0.., null 0..],
    }
}

message! {
    /// A feature is at a version.
    pub struct FeatureLevelRecord: metadata 12, versions 0..=0, flexible 0.. {
        /// Its name.
        name: String [0..],
        /// The version in force; 0 takes the feature out.
        feature_level: i16 [0..],
    }
}

message! {
    /// A quota is set or removed.
    pub struct ClientQuotaRecord: metadata 14, versions 0..=0, flexible 0.. {
        /// The entity.
        entity: Vec<EntityData> [0..],
        /// The quota.
        key: String [0..],
        /// The limit.
        value: f64 [0..],
        /// Whether to remove it.
        remove: bool [0..],
    }
}

part! {
    /// One of [`ClientQuotaRecord::entity`].
    pub struct EntityData {
        /// The kind of entity.
        entity_type: String [0..],
        /// Its name, or null for the default.
        entity_name: Option<String> [0.., null 0..],
    }
}
