//! Whose read comes next: connections take turns, one run of neighbouring batches each.
//! Decides only the order, so that nobody waits for all that somebody else asked for (#132, #133).

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use sawlog_core::ids::ConnId;

/// Things to be done for connections, by connection.
#[derive(Debug)]
pub struct Turns<T> {
    waiting: BTreeMap<ConnId, VecDeque<T>>,
    /// Who had the last turn.
    last: Option<ConnId>,
}

impl<T> Default for Turns<T> {
    fn default() -> Turns<T> {
        Turns::new()
    }
}

impl<T> Turns<T> {
    /// Nobody waits.
    pub fn new() -> Turns<T> {
        Turns {
            waiting: BTreeMap::new(),
            last: None,
        }
    }

    /// Something more for this connection.
    pub fn push(&mut self, conn: ConnId, one: T) {
        self.waiting.entry(conn).or_default().push_back(one);
    }

    /// Its turn is over and the thing is not: it goes on when the turn comes round.
    pub fn push_rest(&mut self, conn: ConnId, one: T) {
        self.waiting.entry(conn).or_default().push_front(one);
    }

    /// The next thing: of the connection after the one that had the last turn.
    pub fn pop(&mut self) -> Option<T> {
        let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let mut later = self.waiting.range((after, Bound::Unbounded));
        let (conn, _) = later.next().or_else(|| self.waiting.iter().next())?;
        let conn = *conn;
        let queue = self.waiting.get_mut(&conn)?;
        let one = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&conn);
        }
        self.last = Some(conn);
        one
    }

    /// The connection is gone: what it waited for.
    pub fn forget(&mut self, conn: ConnId) -> VecDeque<T> {
        self.waiting.remove(&conn).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sawlog_core::ids::ShardId;

    fn conn(number: u64) -> ConnId {
        let shard = ShardId(0);
        ConnId { shard, number }
    }

    #[test]
    fn who_asks_once_waits_for_one_turn_of_each_other_and_not_for_all_they_asked() {
        let mut turns = Turns::new();
        for i in 0..100 {
            turns.push(conn(1), (1, i));
            turns.push(conn(2), (2, i));
        }
        assert_eq!(turns.pop(), Some((1, 0)));
        turns.push(conn(3), (3, 0));
        assert_eq!(turns.pop(), Some((2, 0)));
        assert_eq!(turns.pop(), Some((3, 0)), "after 198 others");
        assert_eq!(turns.pop(), Some((1, 1)));
    }

    #[test]
    fn a_long_read_gives_way_after_its_turn_and_goes_on_before_later_ones_of_its_connection() {
        let mut turns = Turns::new();
        turns.push(conn(1), "long");
        turns.push(conn(1), "later");
        turns.push(conn(2), "other");
        assert_eq!(turns.pop(), Some("long"));
        turns.push_rest(conn(1), "rest of long");
        assert_eq!(turns.pop(), Some("other"));
        assert_eq!(turns.pop(), Some("rest of long"));
        assert_eq!(turns.forget(conn(1)), ["later"]);
        assert_eq!(turns.pop(), None);
    }
}
