//! Fetch sessions (KIP-227): what a client fetches, remembered, so that it names only what changed and is told only what
//! is new. Decides what a request of a session means and which partitions its answer leaves out; never reads a log.
//! A session belongs to its connection and ends with it: nobody can name another's. How many there are, and what they hold
//! together, is bounded by `session_cache`; what one holds, here (#131, #132).

use alloc::sync::Arc;
use alloc::vec::Vec;

use sawlog_wire::messages::FetchResponse;
use sawlog_wire::messages::fetch::PartitionData;
use sawlog_wire::views::{FetchPartitionView, FetchView, TopicKey};
use sawlog_wire::{Code, Pieces, Uuid};

use super::session_cache::FetchSessions;
use crate::ids::ConnId;
use crate::map::Map;
use crate::now::Now;
use crate::proof;

/// What a partition takes in both maps, but for its topic's name.
const PLACE_BYTES: usize = size_of::<(u64, Line)>() + size_of::<((Key, i32), u64)>();
/// The same at most: a map's nodes are not half full at the least.
const LINE_BYTES: usize = 3 * PLACE_BYTES;
/// What a session takes for its first node of each map and whatever else is not a partition's.
const SESSION_BYTES: usize = 13 * PLACE_BYTES;

/// Bytes that one session holds at most, some 8,000 partitions; who fetches more names them every time.
pub(super) const BYTES_MAX: usize = if cfg!(test) {
    SESSION_BYTES + 16 * (LINE_BYTES + 32)
} else {
    4 << 20
};

/// From here on topics go by id.
const BY_ID: i16 = 13;

/// The session of one connection.
#[derive(Debug)]
pub(super) struct Session {
    id: i32,
    /// What the next request must say.
    epoch: i32,
    by_id: bool,
    /// In the order in which they are read: what had something goes to the end, so that nobody starves behind it.
    lines: Map<u64, Line>,
    places: Map<(Key, i32), u64>,
    next: u64,
    bytes: usize,
}

/// A topic as the client names it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Key {
    Name(Arc<str>),
    Id(Uuid),
}

impl Key {
    /// What a partition of this topic takes at most: as if each had the name for itself.
    fn line(&self) -> usize {
        line_bytes(&match self {
            Key::Name(name) => TopicKey::Name(name),
            Key::Id(id) => TopicKey::Id(*id),
        })
    }
}

fn line_bytes(topic: &TopicKey<'_>) -> usize {
    LINE_BYTES
        + match topic {
            TopicKey::Name(name) => name.len() + 2 * size_of::<usize>(),
            TopicKey::Id(_) => 0,
        }
}

/// One partition of a session.
#[derive(Debug)]
struct Line {
    key: Key,
    wanted: FetchPartitionView,
    /// Watermark and start as the client heard them last.
    told: Option<(i64, i64)>,
}

/// What a request is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Of no session: it names all that it wants.
    Alone,
    /// The first of this session: it names all, and is told all.
    First(i32),
    /// One that goes on with this session: what it names is what changed, what it is told is what is new.
    Further(i32),
}

impl From<TopicKey<'_>> for Key {
    fn from(key: TopicKey<'_>) -> Key {
        match key {
            TopicKey::Name(name) => Key::Name(name.into()),
            TopicKey::Id(id) => Key::Id(id),
        }
    }
}

/// Takes a request in: the session is made, changed or ended as it says.
pub(super) fn begin(
    sessions: &mut FetchSessions,
    (conn, request): (ConnId, u64),
    now: Now,
    version: i16,
    fetch: &FetchView<'_>,
) -> Result<Kind, Code> {
    if version < 7 {
        return Ok(Kind::Alone);
    }
    let by_id = version >= BY_ID;
    let own = sessions.of(conn).map(|session| session.id);
    match fetch.session_epoch {
        -1 => {
            if own == Some(fetch.session_id) {
                sessions.end(conn);
            }
            Ok(Kind::Alone)
        }
        0 => {
            sessions.end(conn);
            // As many as are named, each with its topic's name: the session is no larger.
            let lines = fetch.topics.iter().map(|topic| {
                let (lines, each) = (topic.partitions.len(), line_bytes(&topic.topic));
                lines.saturating_mul(each)
            });
            let lines = lines.fold(0, usize::saturating_add);
            let most = lines.saturating_add(SESSION_BYTES);
            if lines == 0 || most > BYTES_MAX || !sessions.make_room(now, most) {
                return Ok(Kind::Alone);
            }
            let mut session = Session::new(number(conn, request), by_id);
            let id = session.id;
            if !session.change(fetch) || !sessions.begin(now, conn, session) {
                return Ok(Kind::Alone);
            }
            Ok(Kind::First(id))
        }
        epoch => {
            let session = sessions
                .of_mut(conn)
                .filter(|session| session.id == fetch.session_id)
                .ok_or(Code::FetchSessionIdNotFound)?;
            if epoch != session.epoch && !proof::mutant("session-epoch-ignored") {
                return Err(Code::InvalidFetchSessionEpoch);
            }
            if by_id != session.by_id {
                return Err(Code::FetchSessionTopicIdError);
            }
            session.epoch = epoch.checked_add(1).unwrap_or(1);
            let (id, fits) = (session.id, session.change(fetch));
            let empty = session.lines.is_empty();
            if !fits || empty {
                sessions.end(conn);
            }
            if !fits || !empty && !sessions.go_on(now, conn) {
                return Err(Code::FetchSessionIdNotFound);
            }
            Ok(if empty {
                Kind::Alone
            } else {
                Kind::Further(id)
            })
        }
    }
}

/// A number that no session of an earlier connection has, or hardly any: an old one is then not found, not mistaken.
fn number(conn: ConnId, request: u64) -> i32 {
    let seed = (conn.number ^ (u64::from(conn.shard.0) << 48))
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(request.wrapping_mul(0xD1B5_4A32_D192_ED03));
    i32::try_from(seed >> 33).unwrap_or(i32::MAX).max(1)
}

impl Session {
    fn new(id: i32, by_id: bool) -> Session {
        Session {
            id,
            epoch: 1,
            by_id,
            lines: Map::new(),
            places: Map::new(),
            next: 0,
            bytes: SESSION_BYTES,
        }
    }

    /// What it holds at most.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes in what a request forgets and names; false if that is more than a session remembers.
    fn change(&mut self, fetch: &FetchView<'_>) -> bool {
        for topic in fetch.forgotten.iter() {
            let key = Key::from(topic.topic);
            for index in &topic.partitions {
                if let Some(place) = self.places.remove(&(key.clone(), index)) {
                    self.lines.remove(&place);
                    self.bytes -= key.line();
                }
            }
        }
        for topic in fetch.topics.iter() {
            let key = Key::from(topic.topic);
            for wanted in &topic.partitions {
                let place = (key.clone(), wanted.index);
                match self
                    .places
                    .get(&place)
                    .and_then(|at| self.lines.get_mut(at))
                {
                    Some(line) => line.wanted = wanted,
                    None => {
                        self.bytes += key.line();
                        if self.bytes > BYTES_MAX && !proof::mutant("session-of-any-size") {
                            return false;
                        }
                        let (key, told) = (key.clone(), None);
                        self.lines.insert(self.next, Line { key, wanted, told });
                        self.places.insert(place, self.next);
                        self.next += 1;
                    }
                }
            }
        }
        true
    }

    /// All that it reads, in order.
    pub(super) fn wanted(&self) -> impl Iterator<Item = (TopicKey<'_>, FetchPartitionView)> {
        self.lines.values().map(|line| {
            let key = match &line.key {
                Key::Name(name) => TopicKey::Name(name),
                Key::Id(id) => TopicKey::Id(*id),
            };
            (key, line.wanted)
        })
    }

    /// Notes what the client is told, and takes out of the answer what it has heard already.
    fn settle(&mut self, response: &mut FetchResponse, all: bool) {
        let mut served = Vec::new();
        for topic in &mut response.responses {
            let key = if self.by_id {
                Key::Id(topic.topic_id)
            } else {
                Key::Name(topic.topic.as_str().into())
            };
            topic.partitions.retain(|row| {
                let place = (key.clone(), row.partition_index);
                let Some(at) = self.places.get(&place).copied() else {
                    return true;
                };
                let Some(line) = self.lines.get_mut(&at) else {
                    return true;
                };
                if row
                    .records
                    .as_ref()
                    .is_some_and(|records| Pieces::len(records) > 0)
                {
                    served.push((at, place));
                }
                line.is_new(row) || all
            });
        }
        response
            .responses
            .retain(|topic| !topic.partitions.is_empty());
        for (at, place) in served {
            if let Some(line) = self.lines.remove(&at) {
                self.lines.insert(self.next, line);
                self.places.insert(place, self.next);
                self.next += 1;
            }
        }
    }
}

impl Line {
    /// Whether a row says anything that the client has not heard.
    fn is_new(&mut self, row: &PartitionData) -> bool {
        if !row.error_code.is_none() {
            // Once the error is over, the next answer says so.
            self.told = None;
            return true;
        }
        let marks = (row.high_watermark, row.log_start_offset);
        let moved = self.told.replace(marks) != Some(marks);
        let records = row
            .records
            .as_ref()
            .is_some_and(|records| Pieces::len(records) > 0);
        let silent = proof::mutant("session-hides-new-marks");
        records || row.diverging_epoch.epoch != -1 || (moved && !silent)
    }
}

/// Brings an answer into the form of its session, as its connection has it now.
pub(super) fn settle(
    sessions: &mut FetchSessions,
    conn: ConnId,
    kind: Kind,
    response: &mut FetchResponse,
) {
    let (Kind::First(id) | Kind::Further(id)) = kind else {
        return;
    };
    response.session_id = id;
    // One that is over since, by a later request or for another's sake, is answered in full.
    if let Some(session) = sessions.of_mut(conn).filter(|session| session.id == id) {
        session.settle(response, matches!(kind, Kind::First(_)));
    }
}
