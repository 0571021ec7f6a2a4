//! Finds every commit of one ring file, whatever lies between them. Decides what is a commit of this life of the file
//! and which of its batches are whole; never which of them count: that is `judge`. Holds #8, #99 and #104 with it.
//!
//! Sans-IO: it says which bytes it wants next and is fed them. It holds one commit at a time in memory.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::file::RingKind;
use crate::ids::{BootId, ShardId};
use crate::log::checksum;
use crate::log::commit::{self, HEADER, Head, HeadFault, Header, RingSecret};
use crate::log::state::{Entry, Spot};
use crate::proof;

/// Bytes asked for at once.
const CHUNK: u32 = 1 << 20;
/// Bytes asked for at once where a larger read failed: no more than these are given up.
const CAREFUL: u32 = 4096;
/// Of a file that is believed to be spare this part is read, and no more than a chunk.
const PROBE_PART: u64 = 16;
/// A head above this length is none: a commit has at most 32 MiB, and entries far fewer.
const HEAD_MAX: u32 = 8 << 20;
/// More places than this that look like a damaged commit are not told of one file.
const TRACES_MAX: usize = 1024;

/// A commit whose head is whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// SEQUENCE of its file.
    pub file: u64,
    /// Where it begins.
    pub at: u32,
    /// The byte after its padding.
    pub end: u32,
    /// Its head.
    pub head: Head,
    /// Batches, by their place, whose bytes do not match their checksum.
    pub bad: Vec<Spot>,
    /// The batches' bytes, once a start has read them to write them again; else none.
    pub bytes: Bytes,
}

/// Bytes that look like a commit of this ring and are not one: torn or rotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trace {
    /// SEQUENCE of the file.
    pub file: u64,
    /// Where in the file.
    pub at: u32,
    /// Whether the ring id is right: then nobody else can have written it.
    pub own: bool,
    /// The sequence it claims.
    pub sequence: u64,
    /// The header before it, as it claims.
    pub previous: u64,
    /// The boot id it claims.
    pub boot: BootId,
    /// The length it claims.
    pub total: u32,
    /// It says nothing, for the medium does not give it out: a commit may have lain there, whole and acknowledged.
    pub unreadable: bool,
}

/// What is known of one ring file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scanned {
    /// Its commits, by place.
    pub found: Vec<Found>,
    /// Places that look like damaged commits.
    pub traces: Vec<Trace>,
    /// Bytes read.
    pub bytes: u64,
    /// Bytes that could not be read.
    pub unreadable: u64,
    /// The newest format seen that is not ours.
    pub newer: Option<u16>,
}

impl Scanned {
    /// Adds what was found in a further file of the same ring.
    pub fn extend(&mut self, further: Scanned) {
        self.found.extend(further.found);
        self.traces.extend(further.traces);
        self.bytes += further.bytes;
        self.unreadable += further.unreadable;
        self.newer = self.newer.or(further.newer);
    }
}

/// The scan of one file.
#[derive(Debug)]
pub struct Scan {
    kind: RingKind,
    #[cfg(feature = "mutants")]
    shard: ShardId,
    #[cfg(feature = "mutants")]
    secret: RingSecret,
    ring: u64,
    file: u64,
    /// Byte in the file where `window` begins: always a place where a commit may begin.
    at: u64,
    end: u64,
    window: Vec<u8>,
    /// How many bytes `window` must have before more can be said.
    need: usize,
    careful_until: u64,
    /// Below this place the batches of a damaged commit should lie.
    damaged_until: u64,
    /// If nothing is seen to begin below this place, the rest is not read.
    probe: Option<u64>,
    scanned: Scanned,
}

/// What one look at the window came to.
enum Look {
    /// This many bytes are needed.
    Need(usize),
    /// Nothing begins here.
    Nothing,
    /// Something that looks like a damaged commit begins here.
    Trace(Header),
    /// A commit.
    Found(Found),
}

impl Scan {
    /// Scans `file` from `from` to `end`, its length.
    pub fn new(
        kind: RingKind,
        shard: ShardId,
        secret: RingSecret,
        file: u64,
        from: u32,
        end: u64,
    ) -> Scan {
        let ring = commit::ring_id(secret, kind, shard, file);
        Scan {
            kind,
            #[cfg(feature = "mutants")]
            shard,
            #[cfg(feature = "mutants")]
            secret,
            ring,
            file,
            at: u64::from(from),
            end: end.min(u64::from(u32::MAX)),
            window: Vec::new(),
            need: HEADER,
            careful_until: 0,
            damaged_until: 0,
            probe: None,
            scanned: Scanned::default(),
        }
    }

    /// The file is believed to be spare: unless something is seen to begin in its first bytes, the rest is not read.
    pub fn probe(&mut self) {
        self.probe = Some((self.end / PROBE_PART).clamp(u64::from(CAREFUL), u64::from(CHUNK)));
    }

    /// Whether nothing of this life of the file was found in it.
    pub fn shows_nothing(&self) -> bool {
        let own = |trace: &Trace| trace.own || trace.unreadable;
        self.scanned.found.is_empty() && !self.scanned.traces.iter().any(own)
    }

    /// Where the reading of a file that is believed to be spare ends.
    fn probed_until(&self) -> Option<u64> {
        let undecided = !self.window.is_empty();
        let seen = !self.scanned.found.is_empty() || !self.scanned.traces.is_empty();
        self.probe.filter(|_| !undecided && !seen)
    }

    /// Which bytes are wanted next: from where and how many. `None` when the file is scanned.
    pub fn wants(&self) -> Option<(u64, u32)> {
        let from = self.at + self.window.len() as u64;
        let end = self.probed_until().unwrap_or(self.end).min(self.end);
        let left = end.checked_sub(from).filter(|left| *left > 0)?;
        let chunk = if from < self.careful_until {
            CAREFUL
        } else {
            let missing = self.need.saturating_sub(self.window.len());
            CHUNK.max(u32::try_from(missing).unwrap_or(u32::MAX))
        };
        Some((from, chunk.min(u32::try_from(left).unwrap_or(u32::MAX))))
    }

    /// Takes the bytes that were wanted. Fewer than wanted mean that the file ends there.
    pub fn feed(&mut self, bytes: &[u8]) {
        if let Some((from, wanted)) = self.wants()
            && bytes.len() < wanted as usize
        {
            self.end = from + bytes.len() as u64;
        }
        self.scanned.bytes += bytes.len() as u64;
        self.window.extend_from_slice(bytes);
        self.advance();
    }

    /// The bytes that were wanted cannot be read: they are asked for again in small pieces, and of those the ones that
    /// fail too count as damaged.
    pub fn failed(&mut self) {
        let Some((from, wanted)) = self.wants() else {
            return;
        };
        if wanted > CAREFUL {
            self.careful_until = from + u64::from(wanted);
            return;
        }
        proof::sometimes("ring-block-unreadable");
        self.scanned.unreadable += u64::from(wanted);
        if self.scanned.traces.len() < TRACES_MAX {
            self.scanned.traces.push(Trace {
                file: self.file,
                at: u32::try_from(from).unwrap_or(u32::MAX),
                own: true,
                sequence: 0,
                previous: 0,
                boot: BootId([0; 16]),
                total: wanted,
                unreadable: true,
            });
        }
        let len = self.window.len() + wanted as usize;
        self.window.resize(len, 0xa5);
        self.advance();
    }

    /// The file's SEQUENCE.
    pub fn file(&self) -> u64 {
        self.file
    }

    /// What was found.
    pub fn end(self) -> Scanned {
        self.scanned
    }

    fn advance(&mut self) {
        // Bytes before `done` are spent; they are removed once, at the end.
        let mut done = 0;
        let step = commit::step(self.kind) as usize;
        let mut window = core::mem::take(&mut self.window);
        while let Some(rest) = window.get(done..).filter(|rest| !rest.is_empty()) {
            let at = self.at + done as u64;
            let over = at + rest.len() as u64 >= self.end;
            let skipped = self.skip(rest);
            if skipped > 0 {
                done += skipped;
                continue;
            }
            match self.look(at, rest) {
                Look::Need(need) if !over => {
                    self.need = need;
                    break;
                }
                // The file ends before it does.
                Look::Need(_) | Look::Nothing => done += step,
                Look::Trace(header) => {
                    if at >= self.damaged_until {
                        self.trace(at, &header);
                    }
                    done += step;
                }
                Look::Found(found) => {
                    done += (self.behind(&found) - at) as usize;
                    self.scanned.found.push(found);
                }
            }
        }
        let spent = done.min(window.len());
        window.drain(..spent);
        self.window = window;
        // A commit's padding may reach beyond what was read.
        self.at += done as u64;
        if spent < done {
            self.need = HEADER;
        }
        if self.window.is_empty() {
            self.need = HEADER;
        }
    }

    /// Where the next commit may begin. What landed at the wrong place was partly written over since: where its batches
    /// should lie there may be whole commits (#104). Nothing else is to be learned from there.
    fn behind(&mut self, found: &Found) -> u64 {
        let end = u64::from(found.end);
        if found.bad.is_empty() || proof::mutant("damaged-commit-hides-others") {
            return end;
        }
        self.damaged_until = self.damaged_until.max(end);
        u64::from(found.at) + u64::from(commit::padded(self.kind, found.head.header.head))
    }

    /// Whether this ring wrote it, under one of the last names of its files.
    #[cfg(feature = "mutants")]
    fn is_older_life(&self, ring: u64) -> bool {
        let (kind, shard) = (self.kind, self.shard);
        let mut names = self.file.saturating_sub(256)..=self.file;
        names.any(|file| commit::ring_id(self.secret, kind, shard, file) == ring)
    }

    /// How many bytes can be passed over at once, for no header begins in them.
    fn skip(&self, rest: &[u8]) -> usize {
        let step = commit::step(self.kind) as usize;
        let mut skipped = 0;
        while let Some(head) = rest.get(skipped..).and_then(<[u8]>::first_chunk::<16>) {
            if commit::may_begin(head, self.ring) {
                return skipped;
            }
            skipped += step;
        }
        skipped.min(rest.len() / step * step)
    }

    fn trace(&mut self, at: u64, header: &Header) {
        if self.scanned.traces.len() < TRACES_MAX {
            self.scanned.traces.push(Trace {
                file: self.file,
                at: u32::try_from(at).unwrap_or(u32::MAX),
                own: header.ring == self.ring,
                sequence: header.sequence,
                previous: header.previous,
                boot: header.boot,
                total: header.total,
                unreadable: false,
            });
        }
    }

    fn look(&mut self, at: u64, rest: &[u8]) -> Look {
        let header = match commit::peek(rest) {
            Ok(header) => header,
            Err(HeadFault::Short(need)) => return Look::Need(need),
            Err(fault) => {
                let seen = commit::resemble(rest, self.ring);
                if let (HeadFault::Version(version), Some(header)) = (fault, &seen)
                    && header.ring == self.ring
                    && header.head <= HEAD_MAX
                {
                    match commit::crc_holds(rest) {
                        Ok(true) => self.scanned.newer = Some(version),
                        Err(HeadFault::Short(need)) if at + need as u64 <= self.end => {
                            return Look::Need(need);
                        }
                        _ => {}
                    }
                }
                return seen.map_or(Look::Nothing, Look::Trace);
            }
        };
        let foreign = header.ring != self.ring || header.kind != self.kind;
        let fits = at + u64::from(header.total) <= self.end;
        if !fits || header.head > HEAD_MAX {
            return Look::Trace(header);
        }
        if rest.len() < header.head as usize {
            return Look::Need(header.head as usize);
        }
        let Ok(place) = u32::try_from(at) else {
            return Look::Nothing;
        };
        let head = match commit::decode(self.file, place, rest) {
            Ok(head) => head,
            Err(_) => return Look::Trace(header),
        };
        if foreign {
            // A commit of another life of this file, or bytes that a client shaped like one.
            #[cfg(feature = "mutants")]
            proof::sometimes(if self.is_older_life(header.ring) {
                "old-life-of-a-recycled-file"
            } else {
                "bytes-of-a-client-shaped-like-a-commit"
            });
            if !proof::mutant("ring-id-ignored") {
                return Look::Nothing;
            }
        }
        if rest.len() < header.total as usize {
            return Look::Need(header.total as usize);
        }
        let bad = bad_batches(&head, at, rest);
        let Some(end) = place.checked_add(commit::padded(self.kind, header.total)) else {
            return Look::Nothing;
        };
        Look::Found(Found {
            file: self.file,
            at: place,
            end,
            head,
            bad,
            bytes: Bytes::new(),
        })
    }
}

/// The batches of a commit that begins at `at`, as the first of `bytes`, whose checksum does not hold.
fn bad_batches(head: &Head, at: u64, bytes: &[u8]) -> Vec<Spot> {
    let mut bad = Vec::new();
    for entry in &head.entries {
        let Entry::Batch(entry) = entry else { continue };
        if entry.home.is_some() {
            // Its bytes were durable before the commit was written.
            continue;
        }
        let begin = (u64::from(entry.batch.spot.at) - at) as usize;
        let stored = bytes.get(begin..begin + entry.batch.len as usize);
        let whole = stored.is_some_and(|stored| {
            checksum::over(checksum::seed(entry.log), stored) == entry.batch.checksum
        });
        if !whole {
            bad.push(entry.batch.spot);
        }
    }
    bad
}
