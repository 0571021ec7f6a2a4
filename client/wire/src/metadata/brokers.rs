//! Records about brokers: registered, fenced, changed, gone.
//! Decides their fields in each version; what they do to the state of a cluster is not known here.

use crate::Uuid;

message! {
    /// A broker has registered.
    pub struct RegisterBrokerRecord: metadata 0, versions 0..=4, flexible 0.. {
        /// The broker's id.
        broker_id: i32 [0..],
        /// A remainder of the ZooKeeper migration.
        is_migrating_zk_broker: bool [2..],
        /// The id of the process.
        incarnation_id: Uuid [0..],
        /// The epoch of the broker's registration.
        broker_epoch: i64 [0..],
        /// Where the node listens.
        end_points: Vec<BrokerEndpoint> [0..],
        /// The features.
        features: Vec<BrokerFeature> [0..],
        /// The rack, or null.
        rack: Option<String> [0.., null 0..],
        /// Whether the broker is fenced.
        fenced: bool [0.., = true],
        /// Whether the broker is shutting down.
        in_controlled_shutdown: bool [1..],
        /// The ids of the log directories.
        log_dirs: Vec<Uuid> [3.., tag 0],
        /// The log directories that take no new replicas.
        cordoned_log_dirs: Option<Vec<Uuid>> [4.., null 4.., tag 1],
    }
}

part! {
    /// A listener: one of [`RegisterBrokerRecord::end_points`].
    pub struct BrokerEndpoint {
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
    /// A feature: one of [`RegisterBrokerRecord::features`].
    pub struct BrokerFeature {
        /// Its name.
        name: String [0..],
        /// The lowest version supported.
        min_supported_version: i16 [0..],
        /// The highest version supported.
        max_supported_version: i16 [0..],
    }
}

message! {
    /// A broker's registration is gone.
    pub struct UnregisterBrokerRecord: metadata 1, versions 0..=0, flexible 0.. {
        /// The broker's id.
        broker_id: i32 [0..],
        /// The epoch of the broker's registration.
        broker_epoch: i64 [0..],
    }
}

message! {
    /// A broker is fenced.
    pub struct FenceBrokerRecord: metadata 7, versions 0..=0, flexible 0.. {
        /// The broker's id.
        id: i32 [0..],
        /// The epoch of the broker's registration.
        epoch: i64 [0..],
    }
}

message! {
    /// A broker is unfenced.
    pub struct UnfenceBrokerRecord: metadata 8, versions 0..=0, flexible 0.. {
        /// The broker's id.
        id: i32 [0..],
        /// The epoch of the broker's registration.
        epoch: i64 [0..],
    }
}

message! {
    /// A broker's registration has changed; fields left at their default have not.
    pub struct BrokerRegistrationChangeRecord: metadata 17, versions 0..=3, flexible 0.. {
        /// The broker's id.
        broker_id: i32 [0..],
        /// The epoch of the broker's registration.
        broker_epoch: i64 [0..],
        /// 1 fences, -1 unfences, 0 leaves it.
        fenced: i8 [0.., tag 0],
        /// 1 begins to shut down, 0 leaves it.
        in_controlled_shutdown: i8 [1.., tag 1],
        /// The ids of the log directories.
        log_dirs: Vec<Uuid> [2.., tag 2],
        /// The log directories that take no new replicas.
        cordoned_log_dirs: Option<Vec<Uuid>> [3.., null 3.., tag 3],
    }
}
