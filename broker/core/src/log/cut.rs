//! Cutting a log back to where its history parts from its leader's. Decides what of the live state goes with it: a cut
//! begins a new generation, and completions of an older one move no mark (#10). What already lies in segment files is
//! not cut here: a follower's log reaches them only with replication.

use crate::ids::{Generation, LeaderEpoch, LogId, Offset};
use crate::log::direct::Way;
use crate::log::engine::Engine;
use crate::log::epochs::Epochs;
use crate::log::live::OpenSegment;
use crate::log::refusal::CutRefusal;
use crate::log::state::Fact;

impl Engine {
    /// Ends the log at `end`, which must not lie below the high watermark. Batches on their way fall with it.
    pub fn cut(&mut self, log: LogId, end: Offset) -> Result<(), CutRefusal> {
        let state = self.fold.logs.get(&log);
        let live = self.live.get_mut(&log).ok_or(CutRefusal::NotOpen)?;
        if live.dropping {
            return Err(CutRefusal::NotOpen);
        }
        if end < live.marks.hw || end > live.marks.next {
            return Err(CutRefusal::OutOfRange {
                hw: live.marks.hw,
                next: live.marks.next,
            });
        }
        let direct = !matches!(live.direct.way, Way::Ring(_));
        if direct || state.is_some_and(|state| end < state.spilled) {
            return Err(CutRefusal::Spilled);
        }
        live.generation = Generation(live.generation.0 + 1);
        live.marks.next = end;
        live.marks.written = live.marks.written.min(end);
        live.marks.durable = live.marks.durable.min(end);
        live.placed.retain(|batch| batch.next() <= end);
        live.ahead.clear();
        live.pending = 0;
        live.begun = Epochs::default();
        // Segments that began behind the cut are none any more: what comes next begins one there.
        live.rolls.retain(|roll| *roll < end);
        if live.open.base >= end {
            live.rolls.push_back(end);
            live.open = OpenSegment {
                base: end,
                bytes: 0,
                first_timestamp: -1,
            };
        }
        live.epoch = state
            .and_then(|state| state.epochs.at(Offset(end.0 - 1)))
            .unwrap_or(LeaderEpoch(-1));
        let generation = live.generation;
        self.queue_fact(log, Fact::Cut(end, generation));
        Ok(())
    }
}
