//! What a node writes when it becomes the controller of a quorum of one: features, its registrations, its leaderships.
//! Decides the records of one activation; never when it is whole. Holds #3, #42, #45 and #46.

use alloc::string::String;
use alloc::vec::Vec;

use sawlog_wire::metadata::{
    BrokerRegistrationChangeRecord, FeatureLevelRecord, PartitionChangeRecord,
};

use crate::cluster::dump::{METADATA_VERSION, broker_record, controller_record};
use crate::cluster::features::SUPPORTED;
use crate::cluster::image::{Broker, Controller, FeatureRange, Image};
use crate::cluster::record::Record;
use crate::controller::Reply;
use crate::ids::{BrokerEpoch, BrokerId, Endpoint, Offset, Uuid};
use crate::machine::Decision;

/// The level that a new cluster begins with, 4.3-IV0: the newest that Kafka's published tools can read.
const METADATA_LEVEL: i16 = 30;

/// Listeners of the quorum are registered apart from those of clients (KIP-919).
const CONTROLLER_LISTENER: &str = "CONTROLLER";

/// Who registers.
#[derive(Clone, Debug)]
pub struct Registration {
    /// `node.id`.
    pub node: BrokerId,
    /// This life of the process.
    pub incarnation: Uuid,
    /// The log directory (#19).
    pub directory: Uuid,
    /// Listeners.
    pub endpoints: Vec<Endpoint>,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// Where the first record of the decision will stand: a registration is named by its offset (#42).
    pub at: Offset,
}

pub(super) fn decide(image: &Image, who: &Registration) -> Decision<Record, Reply> {
    let mut log: Vec<Record> = Vec::new();
    if !image.features.contains_key(METADATA_VERSION) {
        let name = String::from(METADATA_VERSION);
        log.push(
            FeatureLevelRecord {
                name,
                feature_level: METADATA_LEVEL,
                ..Default::default()
            }
            .into(),
        );
    }
    let (quorum, clients): (Vec<_>, Vec<_>) = who
        .endpoints
        .iter()
        .cloned()
        .partition(|at| at.listener == CONTROLLER_LISTENER);
    let controller = Controller {
        incarnation: who.incarnation,
        endpoints: quorum,
        features: supported(),
    };
    log.push(controller_record(who.node, &controller).into());

    let epoch = BrokerEpoch(
        who.at
            .0
            .saturating_add(i64::try_from(log.len()).unwrap_or(i64::MAX)),
    );
    let broker = Broker {
        epoch,
        incarnation: who.incarnation,
        fenced: true,
        endpoints: clients,
        features: supported(),
        rack: who.rack.clone(),
        directories: Vec::from([who.directory]),
    };
    log.push(broker_record(who.node, &broker).into());
    // Leaderships first, then the fence falls: nobody may find this node unfenced at an epoch of its former life.
    log.extend(
        image
            .partitions()
            .filter(|(_, _, partition)| partition.replicas.contains(&who.node))
            .map(|(log, _, partition)| {
                let isr = (partition.isr.is_empty()).then(|| Vec::from([who.node.0]));
                let (partition_id, topic_id) = (log.partition.0, log.topic.0);
                PartitionChangeRecord {
                    partition_id,
                    topic_id,
                    isr,
                    leader: who.node.0,
                    ..Default::default()
                }
                .into()
            }),
    );
    let unfenced = BrokerRegistrationChangeRecord {
        broker_id: who.node.0,
        broker_epoch: epoch.0,
        fenced: -1,
        ..Default::default()
    };
    log.push(unfenced.into());
    Decision {
        log,
        reply: Reply::Active(epoch),
    }
}

fn supported() -> Vec<FeatureRange> {
    SUPPORTED
        .iter()
        .map(|(name, min, max)| FeatureRange {
            name: String::from(*name),
            min: *min,
            max: *max,
        })
        .collect()
}
