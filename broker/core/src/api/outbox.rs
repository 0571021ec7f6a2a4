//! What a connection wants done after a call: parts for shards, bytes for the socket, its end.
//! Decides nothing. One outbox serves all connections of a thread, so that its memory is used again.

use alloc::string::String;
use alloc::vec::Vec;

use sawlog_wire::{Pieces, Writer};

use crate::answer::Part;
use crate::ids::{ShardId, Waiter};

/// Filled by a [`Conn`](super::Conn), emptied by its driver after each call, or after several of the same connection.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Parts, in order; each is handed to its shard as [`Event::Ask`](crate::event::Event::Ask).
    pub asks: Vec<(ShardId, Waiter, Part)>,
    /// Whole frames for the socket, in request order. Stored records in them are spliced, not copied.
    pub wire: Writer,
    /// The connection is to be closed once `wire` is sent: why, for one line in the log at WARN.
    pub close: Option<String>,
    /// Lines for the log at WARN.
    pub warn: Vec<String>,
}

impl Outbox {
    /// Takes the bytes for the socket.
    pub fn take_wire(&mut self) -> Pieces {
        self.wire.finish()
    }
}
