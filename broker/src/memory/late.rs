//! Answers that leave later than they are ready, as over a long network. Decides when each leaves: in order, all by the same
//! time later; what is asked meanwhile is worked on.

use std::time::Duration;

use bytes::Bytes;
use sawlog_core::ids::ConnId;
use sawlog_core::now::{Deadline, Now};
use tokio::sync::mpsc;

use super::faults::Faults;
use crate::shard_loop::Local;

/// What one connection's answers pass through.
#[derive(Debug)]
pub struct Late {
    by: Duration,
    way: mpsc::UnboundedSender<(Deadline, Bytes)>,
}

impl Late {
    /// A way for the answers of a connection; none where none is late.
    pub fn of(faults: &Faults, local: &Local, id: ConnId) -> Option<Box<Late>> {
        let by = faults.latency();
        if by.is_zero() {
            return None;
        }
        let (way, mut comes) = mpsc::unbounded_channel::<(Deadline, Bytes)>();
        let local = local.clone();
        // Ends when the connection does, which drops the sender.
        tokio::task::spawn_local(async move {
            let clock = local.clock();
            while let Some((due, piece)) = comes.recv().await {
                clock.until(due).await;
                local.send_late(id, piece);
            }
        });
        Some(Box::new(Late { by, way }))
    }

    /// This is ready.
    pub fn push(&self, piece: Bytes, now: Now) {
        // A connection that is gone takes nothing.
        let _ = self.way.send((now.after(self.by), piece));
    }
}
