//! What a commit says of the four before it, so that one that cannot be read still has a name: where logs ended there,
//! and where they were made to start. Decides what is remembered and how it lies; what rot took is `judge`'s. Holds #89, #99.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::ids::{LogId, Offset};
use crate::log::checksum;
use crate::log::commit::HeadFault;
use crate::log::raw::{Put, Take};
use crate::log::state::{BatchKind, Entry, Fact};

/// Bytes of an echo of an end.
pub(super) const END: usize = 12;
/// Bytes of an echo of a start.
pub(super) const START: usize = 28;
/// A head echoes so many commits before it.
pub const ECHO_DEPTH: usize = 4;
/// A head echoes the ends of no more logs than this; a full list may not be all.
pub const ECHOES_MAX: usize = 1024;
/// A head echoes the starts of no more logs than this; a full list may not be all.
pub const STARTS_MAX: usize = 256;
/// A running node says no more starts in one commit, so that four of them never fill the list.
pub const STARTS_PER_COMMIT: usize = STARTS_MAX / ECHO_DEPTH - 1;

/// The echoes of a head take no more bytes than this, if so many starts may be among what it echoes.
pub fn echo_room(starts: usize) -> usize {
    ECHOES_MAX * END + starts.min(STARTS_MAX) * START
}

/// The end of one log in the commits before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Echo {
    /// The log's [`checksum::seed`].
    pub seed: u32,
    /// Offset after its last batch there.
    pub next: Offset,
}

/// The start of one log in the commits before. By its whole name: a start given to the wrong log would remove its records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct StartEcho {
    /// Which log.
    pub log: LogId,
    /// The greatest offset at which it was made to start there.
    pub start: Offset,
}

/// The last commits, as the next head echoes them.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// Of each commit, oldest first.
    recent: VecDeque<(Vec<Echo>, Vec<StartEcho>)>,
    /// All of that in one list of each kind.
    ends: Vec<Echo>,
    starts: Vec<StartEcho>,
}

impl Memory {
    pub(super) fn remember(&mut self, entries: &[Entry]) {
        if self.recent.len() == ECHO_DEPTH {
            self.recent.pop_front();
        }
        self.recent
            .push_back((ends_of(entries), starts_of(entries)));
        let ends = self.recent.iter().flat_map(|(ends, _)| ends);
        self.ends = ends.copied().collect();
        merge_ends(&mut self.ends);
        let starts = self.recent.iter().flat_map(|(_, starts)| starts);
        self.starts = starts.copied().collect();
        merge_starts(&mut self.starts);
    }

    pub(super) fn ends(&self) -> &[Echo] {
        &self.ends
    }

    pub(super) fn starts(&self) -> &[StartEcho] {
        &self.starts
    }

    /// Bytes of it in a head.
    pub(super) fn len(&self) -> usize {
        self.ends.len() * END + self.starts.len() * START
    }

    pub(super) fn put(&self, to: &mut Vec<u8>) {
        for echo in &self.ends {
            to.u32(echo.seed);
            to.i64(echo.next.0);
        }
        for echo in &self.starts {
            to.log(echo.log);
            to.i64(echo.start.0);
        }
    }
}

/// So many echoes of ends. The bytes were seen to be there.
pub(super) fn take_ends(take: &mut Take<'_>, count: u32) -> Result<Vec<Echo>, HeadFault> {
    let mut ends = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let (seed, next) = (take.u32()?, Offset(take.i64()?));
        ends.push(Echo { seed, next });
    }
    Ok(ends)
}

/// So many echoes of starts. The bytes were seen to be there.
pub(super) fn take_starts(take: &mut Take<'_>, count: u16) -> Result<Vec<StartEcho>, HeadFault> {
    let mut starts = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let (log, start) = (take.log()?, take.i64()?);
        if start < 0 {
            return Err(HeadFault::Field);
        }
        starts.push(StartEcho {
            log,
            start: Offset(start),
        });
    }
    Ok(starts)
}

/// The start that an entry says, if it says one.
pub fn start_of(entry: &Entry) -> Option<StartEcho> {
    match *entry {
        Entry::Fact(log, _, Fact::Start(start)) => Some(StartEcho { log, start }),
        _ => None,
    }
}

/// The ends of the logs that these entries append to.
fn ends_of(entries: &[Entry]) -> Vec<Echo> {
    let end = |entry: &Entry| match entry {
        Entry::Batch(batch) if batch.kind != BatchKind::Moved => Some(Echo {
            seed: checksum::seed(batch.log),
            next: batch.batch.next(),
        }),
        _ => None,
    };
    let mut ends: Vec<Echo> = entries.iter().filter_map(end).collect();
    merge_ends(&mut ends);
    ends
}

fn starts_of(entries: &[Entry]) -> Vec<StartEcho> {
    let mut starts: Vec<StartEcho> = entries.iter().filter_map(start_of).collect();
    merge_starts(&mut starts);
    starts
}

/// Of each log the greatest end: sorted by (log, end descending), the first of each log stays.
fn merge_ends(echoes: &mut Vec<Echo>) {
    echoes.sort_unstable_by(|a, b| (a.seed, b.next).cmp(&(b.seed, a.next)));
    echoes.dedup_by_key(|echo| echo.seed);
    echoes.truncate(ECHOES_MAX);
}

/// Of each log the greatest start, in the same way.
fn merge_starts(echoes: &mut Vec<StartEcho>) {
    echoes.sort_unstable_by(|a, b| (a.log, b.start).cmp(&(b.log, a.start)));
    echoes.dedup_by_key(|echo| echo.log);
    echoes.truncate(STARTS_MAX);
}
