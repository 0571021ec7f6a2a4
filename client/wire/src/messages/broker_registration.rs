//! Key 62, BrokerRegistration: registers a broker with the controller.
//!
//! Versions 0-4, flexible from 0. KIP-631, KIP-903, KIP-858, KIP-919.

use crate::{ErrorCode, Uuid};

message! {
    /// The broker: its process, listeners, features, directories.
    pub struct BrokerRegistrationRequest: request BrokerRegistration -> BrokerRegistrationResponse,
    versions 0..=4, flexible 0.. {
        /// The broker's id.
        broker_id: i32 [0..],
        /// The cluster the sender believes in.
        cluster_id: String [0..],
        /// The id of the process.
        incarnation_id: Uuid [0..],
        /// Where the node listens.
        listeners: Vec<Listener> [0..],
        /// The features.
        features: Vec<Feature> [0..],
        /// The rack, if known.
        rack: Option<String> [0.., null 0..],
        /// A remainder of the ZooKeeper migration.
        is_migrating_zk_broker: bool [1..],
        /// The ids of the log directories.
        log_dirs: Vec<Uuid> [2.., ignorable],
        /// The epoch before, after a clean shutdown, or -1.
        previous_broker_epoch: i64 [3.., ignorable, = -1],
    }
}

part! {
    /// A listener: one of [`BrokerRegistrationRequest::listeners`].
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
    /// A feature: one of [`BrokerRegistrationRequest::features`].
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
    /// Its epoch.
    pub struct BrokerRegistrationResponse: response, versions 0..=4, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// The epoch of the broker's registration.
        broker_epoch: i64 [0.., = -1],
    }
}
