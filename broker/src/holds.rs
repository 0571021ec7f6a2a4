//! Which shards ask that no socket be read, because their commit log is full.
//! Decides only whether sockets are read; when a shard asks for it, the core decides.

use std::collections::BTreeSet;

use sawlog_core::ids::ShardId;

/// The shards that ask for it.
#[derive(Debug, Default)]
pub struct Holds(BTreeSet<ShardId>);

impl Holds {
    /// A shard asks for it, or no longer.
    pub fn set(&mut self, shard: ShardId, hold: bool) {
        if hold {
            self.0.insert(shard);
        } else {
            self.0.remove(&shard);
        }
    }

    /// Whether sockets are read: only while no shard asks that they be not.
    pub fn is_open(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_rest_until_the_last_shard_that_asked_lets_go() {
        let mut holds = Holds::default();
        assert!(holds.is_open());
        holds.set(ShardId(0), true);
        holds.set(ShardId(1), true);
        holds.set(ShardId(1), false);
        assert!(!holds.is_open(), "shard 0 still asks");
        holds.set(ShardId(2), false);
        holds.set(ShardId(0), true);
        assert!(!holds.is_open(), "asked twice");
        holds.set(ShardId(0), false);
        assert!(holds.is_open());
    }
}
