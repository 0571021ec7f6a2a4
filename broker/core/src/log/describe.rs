//! What is told of logs beside their records: how much they take, which producers they remember, what space is left.
//! Decides what counts towards a log's size. Changes nothing; what becomes of it in an answer is the node's.

use crate::file::Free;
use crate::ids::{LogId, ProducerId};
use crate::log::engine::Engine;
use crate::log::producers::Producer;

impl Engine {
    /// Bytes of the batches of a log, wherever they lie.
    pub fn size(&self, log: LogId) -> u64 {
        let state = self.fold.logs.get(&log);
        let files = state.into_iter().flat_map(|state| &state.segments);
        let ring = state.into_iter().flat_map(|state| &state.ring);
        let placed = self
            .live
            .get(&log)
            .into_iter()
            .flat_map(|live| &live.placed);
        let batches = ring.chain(placed).map(|batch| u64::from(batch.len));
        files.map(|segment| segment.bytes).sum::<u64>() + batches.sum::<u64>()
    }

    /// The idempotent producers of a log, with what they sent last, durable or not.
    pub fn producers(&self, log: LogId) -> impl Iterator<Item = (ProducerId, &Producer)> {
        let ahead = self.live.get(&log).map(|live| &live.ahead);
        let sent = move |id: &ProducerId| ahead.and_then(|ahead| ahead.get(id));
        let folded = self.fold.logs.get(&log).map(|state| &state.producers.by_id);
        let known = folded.into_iter().flatten();
        let new = ahead.into_iter().flatten();
        let new = new.filter(move |(id, _)| folded.is_none_or(|folded| !folded.contains_key(id)));
        let known = known
            .map(move |(id, producer)| (*id, sent(id).map_or(producer, |ahead| &ahead.producer)));
        known.chain(new.map(|(id, ahead)| (*id, &ahead.producer)))
    }

    /// How much space the log directory has, as of the last look.
    pub fn free(&self) -> Free {
        self.space
    }
}
