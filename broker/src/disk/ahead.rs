//! Reads on in a segment while what was read before goes out, so that disk and socket do not take turns. Decides what is
//! read ahead, how much of it is held and for how long; never what anybody may see. Holds #7, #131, #132.
//!
//! What is held here is a guess: bytes leave only for the places of a plan, and only where the checksum that was computed
//! when they came from the disk is the plan's. Where it is not, the file itself is read, and that alone says what is
//! rotten. All of it lies below one bound of the node, what is on its way to a socket included.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use sawlog_core::file::{FileName, FileOp, Place, ReadPlan};
use sawlog_core::log::checksum;
use sawlog_core::proof;

use super::buffer::taken;
use super::files::Files;
use super::reading::Reading;
use crate::net::allowance::{Allowance, Held};

/// Bytes that are read at once: whole batches, so one that is longer is not read ahead.
const CHUNK: usize = 2 << 20;
/// Chunks of one reader, that which it is in among them.
const DEPTH: usize = 3;
/// Bytes that are held at most, for all readers of a node.
pub const AHEAD_MAX: usize = 16 << 20;
/// Whoever takes less at a time is not waited for by the disk.
const LEAST: u64 = 256 << 10;
/// A stream of which nobody took while so many plans were served is not kept from those that want its memory.
const STALE: u64 = 256;
/// Ends of runs that are remembered, to know who goes on there.
const ENDS: usize = 64;
/// Bytes of a batch before its length, and with it; what the length counts begins behind it.
const LENGTH_AT: Range<usize> = 8..12;
/// The least that a length counts: a batch is at least its header.
const LENGTH_LEAST: usize = 49;

/// See the file's head.
#[derive(Debug)]
pub struct Ahead {
    memory: Allowance,
    streams: Vec<Stream>,
    /// Where runs ended that were read from the disk, newest last.
    ends: VecDeque<(FileName, u64)>,
    next_id: u64,
    /// Plans that were served.
    served: u64,
}

/// What is at hand of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AtHand {
    /// As many batches as it will get now.
    All,
    /// It is being read.
    Soon,
    /// Nothing.
    Nothing,
}

/// One reader in one file.
#[derive(Debug)]
struct Stream {
    id: u64,
    file: FileName,
    chunks: VecDeque<Chunk>,
    /// Where the chunk begins that comes next.
    edge: u64,
    under_way: usize,
    /// Nothing more can be read ahead.
    ended: bool,
    cursor: Arc<Mutex<Cursor>>,
    /// Somebody took of it since [`Ahead::tidy`].
    used: bool,
    /// What had been served by then.
    last: u64,
}

/// Whole batches as they lie in the file.
#[derive(Debug)]
struct Chunk {
    at: u64,
    bytes: Bytes,
    batches: Vec<Batch>,
}

/// A batch, or what was taken for one, and the checksum of its bytes.
#[derive(Debug)]
struct Batch {
    at: u64,
    len: u32,
    checksum: u32,
}

/// How far a file was read.
#[derive(Debug)]
struct Cursor {
    file: FileName,
    seed: u32,
    /// Where the next batch begins.
    next: u64,
}

/// A chunk that is to be read, by a thread that may wait for the disk.
#[derive(Debug)]
pub struct Job {
    id: u64,
    cursor: Arc<Mutex<Cursor>>,
    held: Held,
}

/// What came of it.
#[derive(Debug)]
pub struct Came {
    id: u64,
    chunk: Option<Chunk>,
    ended: bool,
}

impl Job {
    /// Reads it. One that fails ends the stream: whoever really wants the bytes will be told.
    pub fn run(self, files: &Files) -> Came {
        let mut cursor = self.cursor.lock().unwrap_or_else(PoisonError::into_inner);
        let (chunk, ended) = cursor.chunk(files, self.held).unwrap_or((None, true));
        let id = self.id;
        Came { id, chunk, ended }
    }
}

impl Cursor {
    /// The next whole batches, and whether there can be no more behind them.
    fn chunk(&mut self, files: &Files, held: Held) -> io::Result<(Option<Chunk>, bool)> {
        let at = self.next;
        let (bytes, more) = files.read_on(&self.file, at, CHUNK, held)?;
        let mut batches = Vec::new();
        let mut end = 0;
        while let Some(len) = bytes.get(end..).and_then(whole_batch) {
            let batch = bytes.get(end..end + len).unwrap_or_default();
            batches.push(Batch {
                at: at + end as u64,
                len: u32::try_from(len).unwrap_or(u32::MAX),
                checksum: checksum::over(self.seed, batch),
            });
            end += len;
        }
        if batches.is_empty() {
            return Ok((None, true));
        }
        self.next = at + end as u64;
        // A batch that is not whole here begins the next chunk.
        let bytes = bytes.slice(..end);
        Ok((Some(Chunk { at, bytes, batches }), !more))
    }
}

/// How long the batch is that begins here, if all of it is here.
fn whole_batch(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(LENGTH_AT)?.first_chunk::<4>()?;
    let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
    let len = length.checked_add(LENGTH_AT.end)?;
    (length >= LENGTH_LEAST && len <= bytes.len()).then_some(len)
}

impl Chunk {
    fn end(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }

    /// The batch that this place names, if it is here and what it should be.
    fn holds(&self, place: &Place) -> bool {
        let found = self.batches.binary_search_by_key(&place.at, |b| b.at);
        let found = found.ok().and_then(|index| self.batches.get(index));
        found.is_some_and(|batch| {
            let right = batch.checksum == place.checksum || proof::mutant("ahead-unchecked");
            batch.len == place.len && right
        })
    }

    /// The bytes from `at` to `end`.
    fn slice(&self, at: u64, end: u64) -> Bytes {
        let within = |at: u64| usize::try_from(at - self.at).unwrap_or(usize::MAX);
        self.bytes.slice(within(at)..within(end))
    }
}

impl Stream {
    /// How far it reads at most once all that is under way is there.
    fn horizon(&self) -> u64 {
        self.edge + (self.under_way * CHUNK) as u64
    }

    fn chunk_at(&self, at: u64) -> Option<&Chunk> {
        let chunk = self.chunks.iter().find(|chunk| at < chunk.end())?;
        (chunk.at <= at).then_some(chunk)
    }

    fn covers(&self, file: &FileName, at: u64) -> bool {
        let begin = self.chunks.front().map_or(self.edge, |chunk| chunk.at);
        self.file == *file && at >= begin && at < self.horizon()
    }

    /// As many of these places as are here, in runs.
    fn gather(&self, plan: &ReadPlan) -> (usize, Vec<Bytes>) {
        let mut runs: Vec<Bytes> = Vec::new();
        let mut count = 0;
        let mut rest = plan.places.iter().peekable();
        while let Some(first) = rest.next() {
            let named = plan.files.get(usize::from(first.file)) == Some(&self.file);
            let Some(chunk) = self.chunk_at(first.at).filter(|_| named) else {
                break;
            };
            if !chunk.holds(first) {
                break;
            }
            let mut end = first.at + u64::from(first.len);
            count += 1;
            while let Some(next) =
                rest.next_if(|next| next.file == first.file && next.at == end && chunk.holds(next))
            {
                end += u64::from(next.len);
                count += 1;
            }
            runs.push(chunk.slice(first.at, end));
        }
        (count, runs)
    }
}

impl Ahead {
    /// Nothing is held; `memory` is what the node may hold.
    pub fn new(memory: Allowance) -> Ahead {
        Ahead {
            memory,
            streams: Vec::new(),
            ends: VecDeque::new(),
            next_id: 0,
            served: 0,
        }
    }

    /// Takes what is here for a plan. One of which nothing further will come gets what there is: a reader may get fewer
    /// batches than it asked for, but always gets on.
    pub fn take(&mut self, reading: &mut Reading, jobs: &mut Vec<Job>) -> AtHand {
        let plan = &reading.plan;
        let Some((file, first)) = plan.places.first().and_then(|place| {
            let file = plan.files.get(usize::from(place.file))?;
            Some((file, place.at))
        }) else {
            return AtHand::Nothing;
        };
        let found = self.streams.iter().position(|s| s.covers(file, first));
        let Some(index) = found else {
            return AtHand::Nothing;
        };
        let Some(stream) = self.streams.get_mut(index) else {
            return AtHand::Nothing;
        };
        let (count, runs) = stream.gather(plan);
        if let Some(missing) = plan.places.get(count) {
            let same = plan.files.get(usize::from(missing.file)) == Some(&stream.file);
            if same && missing.at >= stream.edge && missing.at < stream.horizon() {
                return AtHand::Soon;
            }
        }
        if count == 0 {
            // Another file of that name, or damage: not for this one to tell.
            self.streams.remove(index);
            return AtHand::Nothing;
        }
        reading.plan.places.truncate(count);
        reading.answer.records = runs;
        let end = reading.plan.places.last();
        let end = end.map_or(0, |place| place.at + u64::from(place.len));
        self.served += 1;
        (stream.used, stream.last) = (true, self.served);
        stream.chunks.retain(|chunk| chunk.end() > end);
        self.order(index, jobs);
        AtHand::All
    }

    /// A plan was read from the disk. Who goes on where another run ended, or begins with a segment, will go on.
    pub fn noticed(&mut self, plan: &ReadPlan, jobs: &mut Vec<Job>) {
        let (Some(first), Some(last)) = (plan.places.first(), plan.places.last()) else {
            return;
        };
        let file = |place: &Place| plan.files.get(usize::from(place.file));
        let (Some(from), Some(to)) = (file(first), file(last)) else {
            return;
        };
        self.served += 1;
        let bytes: u64 = plan.places.iter().map(|place| u64::from(place.len)).sum();
        if bytes < LEAST || !matches!(to, FileName::Segment { .. }) {
            return;
        }
        let end = last.at + u64::from(last.len);
        let known = self
            .ends
            .iter()
            .position(|(file, at)| file == from && *at == first.at);
        let goes_on = known.is_some() || first.at == 0 || from != to;
        if let Some(known) = known {
            self.ends.remove(known);
        } else if self.ends.len() == ENDS {
            self.ends.pop_front();
        }
        self.ends.push_back((to.clone(), end));
        if !goes_on || self.streams.iter().any(|stream| stream.covers(to, end)) {
            return;
        }
        let cursor = Cursor {
            file: to.clone(),
            seed: checksum::seed(plan.log),
            next: end,
        };
        self.streams.push(Stream {
            id: self.next_id,
            file: to.clone(),
            chunks: VecDeque::new(),
            edge: end,
            under_way: 0,
            ended: false,
            cursor: Arc::new(Mutex::new(cursor)),
            used: true,
            last: self.served,
        });
        self.next_id += 1;
        self.order(self.streams.len() - 1, jobs);
    }

    /// A chunk was read.
    pub fn came(&mut self, came: Came, jobs: &mut Vec<Job>) {
        let index = self.streams.iter().position(|s| s.id == came.id);
        let Some(index) = index else {
            return;
        };
        let Some(stream) = self.streams.get_mut(index) else {
            return;
        };
        stream.under_way -= 1;
        stream.ended |= came.ended;
        if let Some(chunk) = came.chunk {
            stream.edge = chunk.end();
            stream.chunks.push_back(chunk);
        }
        self.order(index, jobs);
    }

    /// A plan was served from what was written last: whoever reads there needs nothing read ahead any more.
    pub fn passed(&mut self, plan: &ReadPlan) {
        let Some(first) = plan.places.first().filter(|_| !self.streams.is_empty()) else {
            return;
        };
        if let Some(file) = plan.files.get(usize::from(first.file)) {
            self.streams.retain(|stream| !stream.covers(file, first.at));
        }
    }

    /// Has a stream read on as far as it may; one that holds nothing and gets nothing is over.
    fn order(&mut self, index: usize, jobs: &mut Vec<Job>) {
        let Some(stream) = self.streams.get_mut(index) else {
            return;
        };
        while !stream.ended && stream.chunks.len() + stream.under_way < DEPTH {
            let Some(held) = self.memory.take(taken(CHUNK)) else {
                break;
            };
            stream.under_way += 1;
            jobs.push(Job {
                id: stream.id,
                cursor: stream.cursor.clone(),
                held,
            });
        }
        if stream.chunks.is_empty() && stream.under_way == 0 {
            self.streams.remove(index);
            // For the next one.
            let served = self.served;
            self.streams.retain(|stream| served - stream.last < STALE);
        }
    }

    /// Forgets what an operation makes untrue of a file.
    pub fn forget(&mut self, op: &FileOp) {
        match op {
            FileOp::Rename { from: gone, .. } | FileOp::Unlink(gone) | FileOp::RemoveDir(gone) => {
                let below = |name: &FileName| match (gone, name) {
                    (FileName::Named(path), FileName::Segment { dir, .. }) => dir == path,
                    _ => name == gone,
                };
                self.streams.retain(|stream| !below(&stream.file));
                self.ends.retain(|(file, _)| !below(file));
            }
            FileOp::Cut { file, len } => self
                .streams
                .retain(|stream| stream.file != *file || stream.edge <= *len),
            _ => {}
        }
    }

    /// Gives back what nobody took of since it was last called.
    pub fn tidy(&mut self) {
        self.streams
            .retain_mut(|stream| std::mem::take(&mut stream.used));
    }
}

#[cfg(test)]
mod tests;
