//! The fetch sessions of the connections that live on one thread: how many there may be, what they may hold together, and
//! which one makes room for another, as in Kafka (KIP-227). Decides who gets a session, never what one means
//! (`fetch_sessions`). Holds #131 and #132 for sessions: who gets none is answered in full, under number 0.

use alloc::vec::Vec;
use core::time::Duration;

use super::fetch_sessions::{BYTES_MAX, Session};
use crate::config::BrokerConfig;
use crate::ids::{ConnId, ShardId};
use crate::map::{Map, Set};
use crate::now::{Mono, Now};
use crate::proof;

/// Bytes that the sessions of a node hold at most.
const NODE_MAX: usize = if cfg!(test) {
    BYTES_MAX * 7 / 2
} else {
    64 << 20
};

/// A session makes room for any other after so long without a request, and for a larger one when it is so old.
const SETTLED: Duration = Duration::from_secs(120);

/// How exactly it is known when a session was last used.
const NOTED: Duration = Duration::from_secs(1);

/// The sessions of one thread's connections, at most one each.
#[derive(Debug)]
pub struct FetchSessions {
    of: Map<ConnId, Entry>,
    /// The one that was not used for longest comes first.
    uses: Set<(Mono, ConnId)>,
    /// The smallest comes first.
    sizes: Set<(usize, ConnId)>,
    slots: usize,
    bytes_max: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    session: Session,
    begun: Mono,
    used: Mono,
    bytes: usize,
}

impl FetchSessions {
    /// No sessions; room for a shard's share of what the node may have.
    pub fn new(config: &BrokerConfig, shard: ShardId, shards: u16) -> FetchSessions {
        let (slots, shards) = (config.session_slots as usize, usize::from(shards.max(1)));
        let odd = usize::from(usize::from(shard.0) < slots % shards);
        FetchSessions {
            of: Map::new(),
            uses: Set::new(),
            sizes: Set::new(),
            slots: slots / shards + odd,
            bytes_max: NODE_MAX / shards,
            bytes: 0,
        }
    }

    /// How many there may be.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.of.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// Bytes that they hold together.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The connection is gone, or its session is over.
    pub fn end(&mut self, conn: ConnId) {
        if let Some(entry) = self.of.remove(&conn) {
            self.uses.remove(&(entry.used, conn));
            self.sizes.remove(&(entry.bytes, conn));
            self.bytes -= entry.bytes;
        }
    }

    /// The session of a connection.
    pub(super) fn of(&self, conn: ConnId) -> Option<&Session> {
        self.of.get(&conn).map(|entry| &entry.session)
    }

    /// The same, to be changed by an answer, which makes it no larger.
    pub(super) fn of_mut(&mut self, conn: ConnId) -> Option<&mut Session> {
        self.of.get_mut(&conn).map(|entry| &mut entry.session)
    }

    /// Makes room for a new session of about this size, and says whether there is: judged before one is put together,
    /// because whoever is refused asks again with every request. Nobody is ended for one that is refused all the same.
    pub(super) fn make_room(&mut self, now: Now, bytes: usize) -> bool {
        if proof::mutant("sessions-without-bound") {
            return true;
        }
        let (mut slots, mut sum) = (self.of.len() + 1, self.bytes.saturating_add(bytes));
        let mut go = Vec::new();
        for (conn, size) in self.dispensable(now, bytes) {
            if slots <= self.slots && sum <= self.bytes_max {
                break;
            }
            slots -= 1;
            sum -= size;
            go.push(conn);
        }
        let fits = slots <= self.slots && sum <= self.bytes_max;
        if fits || proof::mutant("refused-session-ends-others") {
            for conn in go {
                proof::sometimes("session-made-room-for-another");
                self.end(conn);
            }
        }
        fits
    }

    /// The sessions that are worth less than one of this size, those that are worth least first, and what each holds.
    fn dispensable(&self, now: Now, bytes: usize) -> impl Iterator<Item = (ConnId, usize)> {
        let settled = move |since: Mono| now.since(since) > SETTLED;
        let entry = |conn: &ConnId| Some((*conn, self.of.get(conn)?));
        let idle = self.uses.iter().take_while(move |(used, _)| settled(*used));
        let idle = idle.filter_map(move |(_, conn)| entry(conn));
        let smaller = self.sizes.iter().take_while(move |(size, _)| *size < bytes);
        let old = smaller
            .filter_map(move |(_, conn)| entry(conn))
            .filter(move |(_, entry)| settled(entry.begun) && !settled(entry.used));
        idle.chain(old).map(|(conn, entry)| (conn, entry.bytes))
    }

    /// A connection begins a session, for which room was made; false if it turned out too large for that.
    pub(super) fn begin(&mut self, now: Now, conn: ConnId, session: Session) -> bool {
        self.end(conn);
        let bytes = session.bytes();
        if !self.make_room(now, bytes) {
            return false;
        }
        let (begun, used) = (now.mono, now.mono);
        self.uses.insert((used, conn));
        self.sizes.insert((bytes, conn));
        self.bytes += bytes;
        self.of.insert(
            conn,
            Entry {
                session,
                begun,
                used,
                bytes,
            },
        );
        true
    }

    /// A connection goes on with its session, which may be larger or smaller now; false if there is no room for that: then
    /// it is over.
    pub(super) fn go_on(&mut self, now: Now, conn: ConnId) -> bool {
        let Some(entry) = self.of.get_mut(&conn) else {
            return false;
        };
        if now.since(entry.used) >= NOTED {
            self.uses.remove(&(entry.used, conn));
            entry.used = now.mono;
            self.uses.insert((entry.used, conn));
        }
        let bytes = entry.session.bytes();
        if bytes != entry.bytes {
            self.sizes.remove(&(entry.bytes, conn));
            self.bytes = self.bytes - entry.bytes + bytes;
            entry.bytes = bytes;
            self.sizes.insert((bytes, conn));
        }
        let fits = self.bytes <= self.bytes_max;
        if !fits {
            self.end(conn);
        }
        fits
    }
}
