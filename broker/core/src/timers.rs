//! Alarms by key: setting a key again moves it. Decides when each is due, never what is then done.
//! Used by the shell and the simulator alike; the core only wishes for alarms.

use crate::ids::ShardId;
use crate::map::{Map, Set};
use crate::now::{Deadline, Now};

/// What an alarm is for. One alarm per key and shard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AlarmKey {
    /// Promises and plans whose deadline may have passed.
    Parked,
    /// The fast ring's flush bound.
    Flush,
    /// The directory rests: write the mark alone, so that the last commit is not in doubt.
    Mark,
    /// Look for segments to roll or to retire.
    Retention,
    /// Look for producers that have been silent too long (#74).
    Producers,
    /// Look at the free space again.
    Space,
    /// A metadata snapshot is due.
    Snapshot,
}

/// The alarms of one shard.
#[derive(Debug, Default)]
pub struct Alarms {
    by_key: Map<(ShardId, AlarmKey), Deadline>,
    by_time: Set<(Deadline, ShardId, AlarmKey)>,
}

impl Alarms {
    /// Sets or moves one alarm.
    pub fn set(&mut self, shard: ShardId, key: AlarmKey, deadline: Deadline) {
        if let Some(old) = self.by_key.insert((shard, key), deadline) {
            self.by_time.remove(&(old, shard, key));
        }
        self.by_time.insert((deadline, shard, key));
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Deadline> {
        self.by_time.first().map(|(deadline, ..)| *deadline)
    }

    /// Takes one alarm that is due.
    pub fn due(&mut self, now: Now) -> Option<(ShardId, AlarmKey)> {
        let (deadline, shard, key) = *self.by_time.first()?;
        if !deadline.passed(now) {
            return None;
        }
        self.by_time.pop_first();
        self.by_key.remove(&(shard, key));
        Some((shard, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::now::Mono;

    fn at(nanos: u64) -> Now {
        Now {
            mono: Mono(nanos),
            ..Now::default()
        }
    }

    #[test]
    fn an_alarm_set_again_rings_once_at_the_later_time() {
        let mut alarms = Alarms::default();
        alarms.set(ShardId(0), AlarmKey::Flush, Deadline(Mono(5)));
        alarms.set(ShardId(0), AlarmKey::Flush, Deadline(Mono(9)));
        alarms.set(ShardId(1), AlarmKey::Flush, Deadline(Mono(7)));
        assert_eq!(alarms.due(at(6)), None);
        assert_eq!(alarms.due(at(8)), Some((ShardId(1), AlarmKey::Flush)));
        assert_eq!(alarms.due(at(8)), None);
        assert_eq!(alarms.due(at(9)), Some((ShardId(0), AlarmKey::Flush)));
        assert_eq!(alarms.next(), None);
    }
}
