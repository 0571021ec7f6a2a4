//! Large batches in a row: when is the ring no bargain any more for what a log brings?
//! Decides when a log leaves it; how it leaves, and when it comes back, is `direct`'s (decision 0011).

use core::time::Duration;

use crate::file::RingKind;
use crate::ids::LogId;
use crate::log::direct::Way;
use crate::log::engine::Engine;
use crate::log::queue::Class;
use crate::log::rise::Phase;
use crate::log::state::RingBatch;
use crate::now::{Mono, Now};

/// The large batches that came with nothing between them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Row {
    bytes: u64,
    since: Mono,
}

impl Row {
    /// Takes in a large batch, and tells what the row has brought. Unless `pressed`, one that takes longer than `within`
    /// begins anew: the ring writes what a slow log brings together with all others', and has the time to write it twice.
    fn add(&mut self, len: u64, now: Now, within: Duration, pressed: bool) -> u64 {
        if self.bytes == 0 || (!pressed && now.since(self.since) > within) {
            *self = Row {
                bytes: 0,
                since: now.mono,
            };
        }
        self.bytes += len;
        self.bytes
    }
}

impl Engine {
    /// Looks whether a log that brought this batch leaves the ring with it.
    pub(crate) fn choose_way(&mut self, now: Now, log: LogId, batch: &RingBatch, class: Class) {
        let may = matches!(self.phase, Phase::Ready) && !self.full && !self.starved;
        let Some(live) = self.live.get_mut(&log) else {
            return;
        };
        let Way::Ring(row) = &mut live.direct.way else {
            return;
        };
        let len = u64::from(batch.len);
        if len < self.conf.direct_min || batch.spot.kind != RingKind::Durable {
            *row = Row::default();
            return;
        }
        let brought = row.add(len, now, self.conf.direct_within, self.holding);
        if brought >= self.conf.direct_after && class == Class::User && may {
            live.direct.way = Way::Closing {
                cycles: self.spill.cycles,
                unknown: None,
            };
            self.placing.logs.insert(log);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_says_nothing_has_the_engines_own_measure() {
        let said = crate::config::BrokerConfig::default().direct_within;
        assert_eq!(crate::log::EngineConf::default().direct_within, said);
    }

    #[test]
    fn a_row_is_what_came_in_time_unless_sockets_rest() {
        let within = Duration::from_millis(100);
        let ms = |ms: u64| Now {
            mono: Mono(ms * 1_000_000),
            ..Now::default()
        };
        let mut row = Row::default();
        assert_eq!(row.add(5, ms(1_000), within, false), 5);
        assert_eq!(row.add(6, ms(1_100), within, false), 11);
        assert_eq!(
            row.add(7, ms(1_101), within, false),
            7,
            "too slow: it begins anew"
        );
        assert_eq!(
            row.add(8, ms(9_000), within, true),
            15,
            "slow, but the disk is slower"
        );
        assert_eq!(row.add(9, ms(9_001), within, false), 9);
    }
}
