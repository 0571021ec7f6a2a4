//! Records about controllers, and a remainder of the ZooKeeper migration.
//! Decides their fields in each version; what they do to the state of a cluster is not known here.

use crate::Uuid;

message! {
    /// A controller has registered.
    pub struct RegisterControllerRecord: metadata 27, versions 0..=0, flexible 0.. {
        /// The controller's id.
        controller_id: i32 [0..],
        /// The id of the process.
        incarnation_id: Uuid [0..],
        /// A remainder of the ZooKeeper migration.
        zk_migration_ready: bool [0..],
        /// Where the node listens.
        end_points: Vec<ControllerEndpoint> [0..],
        /// The features.
        features: Vec<ControllerFeature> [0..],
    }
}

part! {
    /// A listener: one of [`RegisterControllerRecord::end_points`].
    pub struct ControllerEndpoint {
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
    /// A feature: one of [`RegisterControllerRecord::features`].
    pub struct ControllerFeature {
        /// Its name.
        name: String [0..],
        /// The lowest version supported.
        min_supported_version: i16 [0..],
        /// The highest version supported.
        max_supported_version: i16 [0..],
    }
}

message! {
    /// A controller's registration is gone.
    pub struct UnregisterControllerRecord: metadata 29, versions 0..=0, flexible 0.. {
        /// The controller's id.
        controller_id: i32 [0..],
    }
}

message! {
    /// A remainder of the ZooKeeper migration.
    pub struct ZkMigrationStateRecord: metadata 21, versions 0..=0, flexible 0.. {
        /// A remainder of the ZooKeeper migration.
        zk_migration_state: i8 [0..],
    }
}
