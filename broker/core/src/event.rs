//! The closed list of causes: everything that can make a shard do anything.
//! Decides nothing. Peers and their answers join this list with the cluster; nothing else may.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::answer::Part;
use crate::cluster::image::Image;
use crate::config::BrokerConfig;
use crate::file::{Fault, Free, Outcome, ReadPlan, Served};
use crate::ids::{BootId, BrokerEpoch, ConnId, Endpoint, Offset, ShardId, Ticket, Waiter};
use crate::log::{EngineConf, Report};
use crate::now::{Dice, Now};
use crate::timers::AlarmKey;

/// One cause, with the time and the chance that go with it.
#[derive(Debug)]
pub struct Step {
    /// Both clocks.
    pub now: Now,
    /// Fresh random bytes.
    pub dice: Dice,
    /// What happened.
    pub event: Event,
}

/// What can happen to a shard.
#[derive(Debug)]
pub enum Event {
    /// Come up, from whatever lies in the directory. First shard 0, which starts the others by `Pass`.
    Start(Box<Found>),
    /// A connection wants something.
    Ask(Waiter, Part),
    /// A file operation came back.
    Done(Ticket, Outcome),
    /// A write whose pieces were put together in memory of their own, and is under way: these are its bytes, one run after
    /// the other. What the core keeps until it is done may be taken from them, and the memory that the pieces came in is free.
    /// Who carries out an operation need not say so.
    Copied(Ticket, Vec<Bytes>),
    /// A plan came back from [`Effect::Serve`](crate::effect::Effect::Serve).
    Served(Waiter, ReadPlan, Served),
    /// The cluster's metadata moved on.
    Image(Arc<Image>),
    /// A connection is gone: whoever waits for it waits for nothing.
    Gone(ConnId),
    /// An alarm that was wished for.
    Alarm(AlarmKey),
    /// How much space the log directory has.
    Space(Free),
    /// The disk has been silent for longer than it may (#107).
    Stuck(Fault),
    /// Another shard says so.
    News(ShardId, News),
    /// Put everything in order and stop.
    Stop,
}

/// What shards tell each other. All judge what they find before any of them changes anything.
#[derive(Debug)]
pub enum News {
    /// From shard 0: look at what is yours, change nothing.
    Start(Box<Found>),
    /// To shard 0: this is what I found.
    Judged(Box<Judged>),
    /// From shard 0: the directory is new, or you are: lay out what is yours.
    Lay,
    /// To shard 0: it is laid out, not yet synced.
    Laid,
    /// From shard 0: what was found is good; go on from it.
    Accept,
    /// To shard 0: my logs are recovered, what I accepted is durable again.
    Recovered,
    /// From shard 0: this is the node's registration.
    Registered(BrokerEpoch),
    /// To shard 0: what is mine of the image up to this offset is open.
    Open(Offset),
    /// To shard 0: of topics that were deleted below this offset nothing is left with me.
    Cleared(Offset),
    /// To shard 0: everything is spilled and my ring says so.
    Stopped,
}

/// What a shard found of its own when it looked.
#[derive(Debug)]
pub enum Judged {
    /// Nothing.
    Fresh,
    /// Logs, and how they are.
    Logs(Report),
}

/// What the shell knows when it starts a node.
#[derive(Clone, Debug)]
pub struct Found {
    /// The kernel's boot id.
    pub boot: BootId,
    /// How many shards the node has.
    pub shards: u16,
    /// How much space the log directory has.
    pub space: Free,
    /// The settings, checked.
    pub config: Arc<BrokerConfig>,
    /// Where clients are told to connect: listener name, host, port, once the sockets are bound.
    pub endpoints: Arc<[Endpoint]>,
    /// The cluster that the node must belong to (`CLUSTER_ID`); none takes whatever the directory says.
    pub cluster_id: Option<Arc<str>>,
    /// Sizes and bounds of the storage engine.
    pub engine: EngineConf,
}
