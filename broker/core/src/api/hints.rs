//! Where a client is to go: which topic a request means, who leads its partitions, where brokers are reached (KIP-951).
//! Decides nothing of its own: it reads the image, so that every answer of one moment agrees with Metadata (gotcha 13).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;

use sawlog_wire::views::TopicKey;
use sawlog_wire::{Code, Uuid};

use super::Door;
use crate::cluster::image::{Broker, Image, Topic};
use crate::ids::{BrokerId, Endpoint, LeaderEpoch, LogId, PartitionId, TopicId};

/// The topic that a request names: by id in versions that carry ids, else by name.
pub(super) fn topic<'i>(image: &'i Image, key: TopicKey<'_>) -> Result<&'i Arc<Topic>, Code> {
    match key {
        TopicKey::Name(name) => image.topic(name).ok_or(Code::UnknownTopicOrPartition),
        TopicKey::Id(id) => image.topic_by_id(TopicId(id)).ok_or(Code::UnknownTopicId),
    }
}

/// The same for an answer: name and id, of which its version writes one.
pub(super) fn key(key: TopicKey<'_>) -> (String, Uuid) {
    match key {
        TopicKey::Name(name) => (name.to_owned(), Uuid::ZERO),
        TopicKey::Id(id) => (String::new(), id),
    }
}

/// One partition of a topic, if there is one of that number.
pub(super) fn log(topic: &Topic, index: i32) -> Result<LogId, Code> {
    let partition = PartitionId(index);
    match topic.partition(partition) {
        Some(_) => Ok(LogId {
            topic: topic.id,
            partition,
        }),
        None => Err(Code::UnknownTopicOrPartition),
    }
}

/// Who leads a log.
pub(super) struct Leads<'i> {
    pub(super) broker: BrokerId,
    pub(super) epoch: LeaderEpoch,
    /// Where it is reached through the client's listener.
    pub(super) at: Option<(&'i Endpoint, &'i Broker)>,
}

/// Who leads a log, if anybody does.
pub(super) fn leader<'i>(image: &'i Image, door: &'i Door, log: LogId) -> Option<Leads<'i>> {
    let partition = image.partition(log)?;
    let (broker, epoch) = (partition.leader?, partition.epoch);
    Some(Leads {
        broker,
        epoch,
        at: endpoint(image, door, broker),
    })
}

/// Where a broker is reached by whoever came through this door; none of one that is fenced or not there.
pub(super) fn endpoint<'i>(
    image: &'i Image,
    door: &'i Door,
    id: BrokerId,
) -> Option<(&'i Endpoint, &'i Broker)> {
    let broker = image.brokers.get(&id).filter(|broker| !broker.fenced)?;
    let endpoint = broker
        .endpoints
        .iter()
        .find(|endpoint| endpoint.listener == door.listener)?;
    let reached = door.reached.as_ref().filter(|_| id == image.node.node_id);
    Some((reached.unwrap_or(endpoint), broker))
}
