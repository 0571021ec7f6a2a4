//! The active controller: what every command writes to the metadata log.
//! Decides on the metadata as it will be once everything proposed is committed; never publishes it, never answers before
//! the commit (`node` does both). Holds #43 and #44: its image is a copy, thrown away with the leadership.

mod asker;
mod configs;
mod delete;
mod partitions;
mod register;
#[cfg(test)]
mod tests;
mod topics;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use sawlog_wire::Code;
use sawlog_wire::metadata::ProducerIdsRecord;

pub use register::Registration;

use crate::answer::{Command, Commanded};
use crate::cluster::image::Image;
use crate::cluster::record::Record;
use crate::config::BrokerConfig;
use crate::ids::{BrokerEpoch, BrokerId, Offset};
use crate::machine::{Decision, Machine};
use crate::now::{Dice, Now};

/// How many producer ids a broker gets at a time (KIP-730).
pub const PRODUCER_ID_BLOCK: i64 = 1000;

/// Most partitions that one request may make, so that its records fit one batch (as in Kafka).
const PARTITIONS_MAX: usize = 10_000;

/// Why one thing that a command names is not done. Definite (#114).
struct Refused(Code, String);

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
    /// A client's command, and the address that it came from, if any; topic ids are drawn from the dice.
    Command(Box<Command>, Option<IpAddr>, Dice),
    /// A block of producer ids for this registration (#73).
    ProducerIds(BrokerId, BrokerEpoch),
}

/// What is true once the command's records are committed.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// This node is registered.
    Active(BrokerEpoch),
    /// One result for each thing that the command names.
    Command(Box<Commanded>),
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

    /// No shard has anything left of topics that were deleted below this offset.
    pub fn forget_removed(&mut self, upto: Offset) {
        self.ahead.forget_removed(upto);
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
            Ask::Command(command, from, dice) => {
                let (image, config) = (&self.ahead, &*self.config);
                let (log, answer) = match &**command {
                    Command::CreateTopics(request) => topics::decide(image, config, request, *dice),
                    Command::DeleteTopics(request) => delete::decide(image, request),
                    Command::CreatePartitions(request) => partitions::decide(image, request),
                    Command::AlterConfigs(request) => configs::replace(image, request, *from),
                    Command::IncrementalAlterConfigs(request) => {
                        configs::change(image, request, *from)
                    }
                };
                Decision {
                    log,
                    reply: Reply::Command(Box::new(answer)),
                }
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
