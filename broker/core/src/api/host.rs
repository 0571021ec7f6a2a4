//! What a connection may know of the node whose thread it lives on, lent to it for one call.
//! Decides nothing: the node fills it, and each file of this folder reads what it needs.

use alloc::sync::Arc;

use sawlog_wire::records::{Inflater, Pool};

use super::session_cache::FetchSessions;
use super::waits::FetchWaits;
use crate::cluster::image::Image;
use crate::config::BrokerConfig;
use crate::now::Now;

/// Lent to a [`Conn`](super::Conn) for one call.
#[derive(Debug)]
pub struct Host<'h> {
    /// Both clocks.
    pub now: Now,
    /// The cluster as this node knows it now.
    pub image: &'h Arc<Image>,
    /// The node's settings.
    pub config: &'h BrokerConfig,
    /// How many shards the node has: a log's owner follows from it.
    pub shards: u16,
    /// What the connections of this thread fetch again and again (KIP-227). Whoever sees a connection go ends its session.
    pub sessions: &'h mut FetchSessions,
    /// What the open Fetches of the node hold, on all threads (#131).
    pub waits: &'h Arc<FetchWaits>,
    /// The thread's own decompressor.
    pub inflater: &'h mut Inflater,
    /// Memory for decompression, shared by all threads (#130).
    pub pool: &'h Arc<Pool>,
}
