//! The closed list of wishes: everything that a shard can want done.
//! Decides nothing. An effect that tells anybody anything is emitted only after the event that proves it, so effects
//! need no ordering contract: they may be carried out in the order they stand, or any other that keeps each file's.

use alloc::string::String;
use alloc::sync::Arc;

use crate::answer::{FetchAnswer, Response};
use crate::cluster::image::Image;
pub use crate::complaint::Complaint;
use crate::event::Event;
use crate::file::{FileOp, ReadPlan};
use crate::ids::{ShardId, Ticket, Waiter};
use crate::now::Deadline;
use crate::timers::AlarmKey;

/// What a shard wants done.
#[derive(Debug)]
pub enum Effect {
    /// Do this to the log directory and say [`Event::Done`].
    File(Ticket, FileOp),
    /// Give the waiter these bytes (with this answer around them), from memory or from the files, each batch
    /// checked once per read from media (#7); then say [`Event::Served`].
    Serve(Waiter, ReadPlan, FetchAnswer),
    /// Answer a part.
    Reply(Waiter, Response),
    /// Everybody should know the new metadata: every shard by [`Event::Image`], every connection.
    Image(Arc<Image>),
    /// Look at the file system and say [`Event::Space`].
    AskSpace,
    /// Say [`Event::Alarm`] then.
    Wake(AlarmKey, Deadline),
    /// Hand this to another shard.
    Pass(ShardId, Event),
    /// While true the sockets are not read: the commit log is full because spilling is behind.
    Hold(bool),
    /// Say this to the people who run the node.
    Tell(Line),
}

/// Something said to people, or to the process that runs the shard.
#[derive(Clone, PartialEq, Debug)]
pub enum Line {
    /// The node serves (shard 0 says it once).
    Ready {
        /// How the start went, for the ready line and the log.
        text: String,
    },
    /// Worth knowing.
    Info(String),
    /// Something is wrong and was dealt with as the text says.
    Warn(String),
    /// All shards are in order and the process may exit with 0 (shard 0 says it once).
    Stopped,
    /// The node cannot go on; the process exits with another code and says why.
    Fatal(Complaint),
}
