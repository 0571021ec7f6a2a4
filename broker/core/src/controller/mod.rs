//! The active controller: what every command writes to the metadata log.
//! Decides on the metadata as it will be once everything proposed is committed; never publishes it, never answers before
//! the commit (`node` does both). Holds #43 and #44: its image is a copy, thrown away with the leadership.

mod register;
#[cfg(test)]
mod tests;
mod topics;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use sawlog_wire::messages::create_topics::{CreateTopicsRequest, CreateTopicsResponse};
use sawlog_wire::metadata::ProducerIdsRecord;

pub use register::Registration;

use crate::cluster::image::Image;
use crate::cluster::record::Record;
use crate::config::BrokerConfig;
use crate::ids::{BrokerEpoch, BrokerId, Offset};
use crate::machine::{Decision, Machine};
use crate::now::{Dice, Now};

/// How many producer ids a broker gets at a time (KIP-730).
pub const PRODUCER_ID_BLOCK: i64 = 1000;

/// The active controller.
#[derive(Debug)]
pub struct Controller {
    /// The committed image and everything proposed since.
    ahead: Image,
    config: Arc<BrokerConfig>,
}

/// A command.
#[derive(Debug)]
pub enum Ask {
    /// The first of a term: finalize what a new cluster begins with (#46), register this node, raise the epochs of all
    /// that it leads (#3).
    Activate(Box<Registration>),
    /// Kafka's CreateTopics; topic ids are drawn from the dice.
    CreateTopics(Box<CreateTopicsRequest>, Dice),
    /// A block of producer ids for this registration (#73).
    ProducerIds(BrokerId, BrokerEpoch),
}

/// What is true once the command's records are committed.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// This node is registered.
    Active(BrokerEpoch),
    /// One result per topic asked for.
    Topics(Box<CreateTopicsResponse>),
    /// The block begins here and has [`PRODUCER_ID_BLOCK`] ids.
    ProducerIds(i64),
}

impl Controller {
    /// Takes office with the image as committed up to the head of its own term.
    pub fn new(committed: Image, config: Arc<BrokerConfig>) -> Controller {
        Controller {
            ahead: committed,
            config,
        }
    }

    /// The metadata as it will be.
    pub fn ahead(&self) -> &Image {
        &self.ahead
    }
}

impl Machine for Controller {
    type Record = Record;
    type Ask = Ask;
    type Reply = Reply;

    fn decide(&self, _now: Now, ask: &Ask) -> Decision<Record, Reply> {
        match ask {
            Ask::Activate(registration) => register::decide(&self.ahead, registration),
            Ask::CreateTopics(request, dice) => {
                topics::decide(&self.ahead, &self.config, request, *dice)
            }
            Ask::ProducerIds(broker, epoch) => {
                let first = self.ahead.producer_ids.next;
                let record = ProducerIdsRecord {
                    broker_id: broker.0,
                    broker_epoch: epoch.0,
                    next_producer_id: first.saturating_add(PRODUCER_ID_BLOCK),
                    ..Default::default()
                };
                Decision {
                    log: Vec::from([record.into()]),
                    reply: Reply::ProducerIds(first),
                }
            }
        }
    }

    /// A record of its own that does not fit is a bug of `decide`: the process must not go on with it.
    fn apply(&mut self, at: Offset, record: &Record) {
        let done = self.ahead.apply(record);
        assert!(done.is_ok(), "#41: record at {at}: {done:?}");
        self.ahead.offset = at.plus(1);
    }
}
