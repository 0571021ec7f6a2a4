//! Reads the metadata log before a start changes anything, batch by batch: its ring part by the entries' checksums, its
//! segments by their sidecars, or by themselves where a sidecar is no help. Decides from which offset on the log is whole;
//! what follows from that is the node's to decide. Holds #39, #97, #99: a refusal has changed nothing.
//!
//! Only this log: it is short, for snapshots bound it, and without it nothing can be served. Of all others only what
//! somebody asks for is ever read.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::file::{FileName, FileOp, Outcome};
use crate::ids::{LogId, Offset, ShardId, Ticket};
use crate::log::checksum;
use crate::log::rebuild::Walk;
use crate::log::sidecar::{self, Entries, SideEntry};
use crate::log::state::{LogState, SegmentState};
use crate::log::told::Ops;

/// Bytes of one read, unless one batch is longer.
const BLOCK: u64 = 1 << 20;

/// One batch and where its bytes should be.
#[derive(Clone, Debug)]
struct Place {
    file: FileName,
    at: u64,
    len: u32,
    checksum: u32,
    next: Offset,
}

/// What is read now.
#[derive(Debug)]
enum Reading {
    /// A segment's sidecar.
    Index(Arc<str>, SegmentState),
    /// A segment whose sidecar is no help, by itself: what came so far.
    Whole(Arc<str>, SegmentState, Vec<u8>),
    /// So many of the places, which lie behind each other.
    Batches(usize),
}

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Prove {
    log: LogId,
    seed: u32,
    segments: VecDeque<(Arc<str>, SegmentState)>,
    places: VecDeque<Place>,
    reading: Option<(Ticket, Reading)>,
    /// The last damage found: what, and the offset behind it.
    damage: Option<(String, Offset)>,
}

impl Prove {
    /// Of a log as a start's fold has it.
    pub(crate) fn of(log: LogId, shard: ShardId, state: &LogState) -> Prove {
        let dir = state.dir.clone().unwrap_or_default();
        let ring = state.ring.iter().map(|batch| Place {
            file: FileName::Ring {
                kind: batch.spot.kind,
                shard,
                sequence: batch.spot.file,
            },
            at: u64::from(batch.spot.at),
            len: batch.len,
            checksum: batch.checksum,
            next: batch.next(),
        });
        Prove {
            log,
            seed: checksum::seed(log),
            segments: state
                .segments
                .iter()
                .filter(|segment| segment.next > state.start)
                .map(|segment| (dir.clone(), *segment))
                .collect(),
            places: ring.collect(),
            reading: None,
            damage: None,
        }
    }

    /// Asks for the next read; false when there is none left.
    pub(crate) fn next(&mut self, ops: &mut Ops) -> bool {
        let (op, reading) = if let Some((dir, segment)) = self.segments.pop_front() {
            let len = sidecar::HEADER + u64::from(segment.batches) * sidecar::ENTRY as u64;
            let base = segment.base;
            let file = FileName::Sidecar {
                dir: dir.clone(),
                base,
            };
            (read(file, 0, len), Reading::Index(dir, segment))
        } else {
            let Some(first) = self.places.front() else {
                return false;
            };
            let mut end = first.at;
            let run = self.places.iter().take_while(|place| {
                let joins = place.file == first.file && place.at == end;
                let fits = end == first.at || end - first.at + u64::from(place.len) <= BLOCK;
                end += u64::from(place.len);
                joins && fits
            });
            let count = run.count();
            let len = self.places.iter().take(count);
            let len = len.map(|place| u64::from(place.len)).sum();
            (
                read(first.file.clone(), first.at, len),
                Reading::Batches(count),
            )
        };
        self.reading = Some((ops.ask(op), reading));
        true
    }

    /// Whether a read is under way.
    pub(crate) fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    /// Whether this read is awaited.
    pub(crate) fn awaits(&self, ticket: Ticket) -> bool {
        self.reading
            .as_ref()
            .is_some_and(|(awaited, _)| *awaited == ticket)
    }

    /// A read came back.
    pub(crate) fn feed(&mut self, outcome: Outcome, ops: &mut Ops) {
        let bytes = match outcome {
            Outcome::Bytes(bytes) => Ok(bytes),
            Outcome::Failed(fault) => Err(fault.text),
            _ => Err(String::from("it gave no bytes")),
        };
        match self.reading.take() {
            Some((_, Reading::Index(dir, segment))) => {
                match entries(self.log, &segment, bytes.as_deref().unwrap_or_default()) {
                    Some(entries) => self.place(&dir, &segment, &entries),
                    // It is made again later, if the segment proves itself.
                    None => self.read_whole(dir, segment, Vec::new(), ops),
                }
            }
            Some((_, Reading::Whole(dir, segment, mut whole))) => match bytes {
                Ok(bytes) => {
                    whole.extend_from_slice(&bytes);
                    if bytes.is_empty() || whole.len() as u64 >= segment.bytes {
                        self.judge_whole(dir, &segment, &whole);
                    } else {
                        self.read_whole(dir, segment, whole, ops);
                    }
                }
                Err(why) => {
                    let base = segment.base;
                    let file = FileName::Segment { dir, base };
                    self.note(format!("{file} cannot be read: {why}"), segment.next);
                }
            },
            Some((_, Reading::Batches(count))) => self.judge(count, &bytes),
            None => {}
        }
    }

    /// What is damaged last, and the offset from which on the log is whole; nothing if all of it is.
    pub(crate) fn end(self) -> Option<(String, Offset)> {
        self.damage
    }

    fn note(&mut self, what: String, behind: Offset) {
        // Segments are judged before the ring, but their batches are not: the last damage counts.
        if self
            .damage
            .as_ref()
            .is_none_or(|(_, known)| *known < behind)
        {
            self.damage = Some((what, behind));
        }
    }

    fn place(&mut self, dir: &Arc<str>, segment: &SegmentState, entries: &[SideEntry]) {
        let file = FileName::Segment {
            dir: dir.clone(),
            base: segment.base,
        };
        self.places.extend(entries.iter().map(|entry| Place {
            file: file.clone(),
            at: entry.at,
            len: entry.len,
            checksum: entry.checksum,
            next: entry.next(),
        }));
    }

    fn read_whole(&mut self, dir: Arc<str>, segment: SegmentState, came: Vec<u8>, ops: &mut Ops) {
        let at = came.len() as u64;
        let left = segment.bytes.saturating_sub(at).min(BLOCK);
        let file = FileName::Segment {
            dir: dir.clone(),
            base: segment.base,
        };
        let ticket = ops.ask(read(file, at, left));
        self.reading = Some((ticket, Reading::Whole(dir, segment, came)));
    }

    fn judge_whole(&mut self, dir: Arc<str>, segment: &SegmentState, bytes: &[u8]) {
        let mut walk = Walk::begin(self.log, segment.base);
        let proved = walk
            .take(self.seed, bytes, &mut Vec::new())
            .and_then(|_| walk.proves(segment));
        if let Err(why) = proved {
            let base = segment.base;
            let (side, file) = (
                FileName::Sidecar {
                    dir: dir.clone(),
                    base,
                },
                FileName::Segment { dir, base },
            );
            let what = format!("{side} is damaged, and {file} does not match it either: {why}");
            self.note(what, segment.next);
        }
    }

    fn judge(&mut self, count: usize, bytes: &Result<bytes::Bytes, String>) {
        let mut at = 0;
        for _ in 0..count {
            let Some(place) = self.places.pop_front() else {
                return;
            };
            let end = at + place.len as usize;
            let stored = bytes.as_ref().map(|bytes| bytes.get(at..end));
            at = end;
            let (file, byte) = (&place.file, place.at);
            let what = match stored {
                Err(why) => format!("{file} cannot be read: {why}"),
                Ok(Some(batch)) if checksum::over(self.seed, batch) == place.checksum => continue,
                Ok(_) => {
                    format!("the batch in {file} at byte {byte} does not match its checksum")
                }
            };
            self.note(what, place.next);
        }
    }
}

fn read(file: FileName, at: u64, len: u64) -> FileOp {
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    FileOp::Read { file, at, len }
}

/// The entries of a whole sidecar, if it is the one that was written.
fn entries(log: LogId, segment: &SegmentState, bytes: &[u8]) -> Option<Vec<SideEntry>> {
    let header = sidecar::take_header(bytes).ok()?;
    if (header.log, header.base) != (log, segment.base) {
        return None;
    }
    let len = segment.batches as usize * sidecar::ENTRY;
    let from = usize::try_from(sidecar::HEADER).unwrap_or(usize::MAX);
    let mut walk = Entries::after(header.chain, bytes.get(from..)?.get(..len)?);
    let entries: Option<Vec<SideEntry>> = walk.by_ref().map(Result::ok).collect();
    entries.filter(|_| Entries::chain(&walk) == segment.chain)
}
