//! Key 70, ControllerRegistration: registers a controller with the active one.
//!
//! Version 0, flexible from 0. KIP-919.

use crate::{ErrorCode, Uuid};

message! {
    /// The controller: its process, listeners, features.
    pub struct ControllerRegistrationRequest:
    request ControllerRegistration -> ControllerRegistrationResponse,
    versions 0..=0, flexible 0.. {
        /// The controller's id.
        controller_id: i32 [0..],
        /// The id of the process.
        incarnation_id: Uuid [0..],
        /// A remainder of the ZooKeeper migration.
        zk_migration_ready: bool [0..],
        /// Where the node listens.
        listeners: Vec<Listener> [0..],
        /// The features.
        features: Vec<Feature> [0..],
    }
}

part! {
    /// A listener: one of [`ControllerRegistrationRequest::listeners`].
    pub struct Listener {
        /// Its name.
        name: String [0..],
        /// The host to connect to.
        host: String [0..],
        /// The port to connect to.
        port: u16 [0..],
        /// How the listener is secured.
        security_protocol: i16 [0..],
    }
}

part! {
    /// A feature: one of [`ControllerRegistrationRequest::features`].
    pub struct Feature {
        /// Its name.
        name: String [0..],
        /// The lowest version supported.
        min_supported_version: i16 [0..],
        /// The highest version supported.
        max_supported_version: i16 [0..],
    }
}

message! {
    /// Whether it is registered.
    pub struct ControllerRegistrationResponse: response, versions 0..=0, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
    }
}
