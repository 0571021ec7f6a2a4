//! What one commit looks like in a ring: header, echoes and entries (the head), then the batches, then padding.
//! Decides bytes only: where a commit lies, when it is written and whether it counts is for others. Holds #8, #104.
//!
//! ```text
//! at  bytes  header (all numbers little-endian)
//!  0    4    magic "SLcm"
//!  4    2    format version, 2 (1 had no echoes of starts, and zeros from byte 72 on)
//!  6    1    ring: 0 durable, 1 fast
//!  7    1    phase: 0 live, 1 start (from `resumed` to `ready`)
//!  8    8    ring id: keyed hash of ring, shard and the file's SEQUENCE
//! 16    8    sequence of the commit in its ring, from 1
//! 24    8    mark: the highest sequence known durable when this was written
//! 32   16    boot id of the kernel
//! 48    8    hash of the previous commit's header; 0 for the first
//! 56    4    length of head and batches, without padding
//! 60    4    length of the head
//! 64    4    echoes of ends
//! 68    4    entries
//! 72    2    echoes of starts
//! 74    2    how many commits ago a start was said in this ring; 65535: so many or more
//! 76    4    CRC-32C of bytes 0..76 and of the head from 80 on
//! 80         echoes of ends, echoes of starts, entries, then the batches in the order of their entries
//!
//! echoes: what the four commits before held, so that one that cannot be read still has a name
//! end (12)                                      start (28)
//!  0    4    checksum seed of a log              0  16  topic id
//!  4    8    offset after its last batch there  16   4  partition
//!                                               20   8  offset at which it was made to start
//!
//! batch (74, 90)                               fact (44)                         node fact
//!  0    1    kind: 1 new, 2 moved, 3 again   0   1  kind: 16 start, 17 cut,    resumed (40): kind 32, ring (1),
//!  1    1    1: its bytes lie in a segment          18 dropped, 19 expired,      zero (2), at (4), commit (8),
//!  2    2    attributes                             20 epoch                     hash (8), file (8), next (8)
//!  4   16    topic id                        1   3  zero                       ready (4): kind 33, zero (3)
//! 20    4    partition                       4  16  topic id                   stopped (12): kind 34, zero (3),
//! 24    4    generation                     20   4  partition                    broker epoch (8)
//! 28    4    leader epoch                   24   4  generation                 lost (16): kind 35, zero (3),
//! 32    8    base offset                    28   8  start, cut: offset;          checksum seed (4), offset (8)
//! 40    4    last offset delta                      expired: producer id; epoch: leader epoch
//! 44    4    length                         36   8  cut: new generation; expired, epoch: offset
//! 48    4    checksum over the whole batch, bound to topic id and partition
//! 52    4    base sequence
//! 56    8    producer id, -1 = none
//! 64    8    largest timestamp
//! 72    2    producer epoch
//! 74    8    only where the bytes lie in a segment: the segment's base offset
//! 82    8    and where the batch begins in it
//! ```
//!
//! In the durable ring each commit begins at a multiple of 4096 (a block that was synced is never written again, #96),
//! in the fast ring at a multiple of 8.

mod echo;
mod entry;

use alloc::vec::Vec;

use bytes::Bytes;

use crate::file::RingKind;
use crate::ids::{BootId, ShardId};
pub use crate::log::commit::echo::{
    ECHO_DEPTH, ECHOES_MAX, Echo, STARTS_MAX, STARTS_PER_COMMIT, StartEcho, echo_room, start_of,
};
use crate::log::commit::echo::{END, Memory, START};
pub use crate::log::commit::entry::{ENTRY_MAX, entry_len};
use crate::log::commit::entry::{ENTRY_MIN, put_entry, ring_byte, ring_of, take_entry};
pub(super) use crate::log::commit::entry::{put_batch, put_point, take_batch, take_point};
use crate::log::hash;
use crate::log::raw::{Put, Short, Take};
use crate::log::state::{Entry, RingPoint, Spot};
use crate::proof;

/// Bytes of a header.
pub const HEADER: usize = 80;
const MAGIC: [u8; 4] = *b"SLcm";
const VERSION: u16 = 2;
/// The oldest version that is read.
const FIRST_VERSION: u16 = 1;
/// The place of the head's length in the header.
const HEAD_AT: usize = 60;
/// The CRC's place in the header.
const CRC_AT: usize = 76;

/// What makes one ring's commits its own: minted with the ring, kept in every checkpoint, told to nobody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RingSecret(pub [u8; 16]);

/// Whether a commit belongs to a start that is under way, or to a node that is up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Written after `ready` was durable: its existence proves that.
    Live,
    /// Written by a start, from `resumed` to `ready`: void unless `ready` is proved.
    Start,
}

/// The header of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Which ring.
    pub kind: RingKind,
    /// Written by a start, or by a node that is up.
    pub phase: Phase,
    /// Hash of the ring's secret and the file's SEQUENCE.
    pub ring: u64,
    /// Number of the commit in its ring.
    pub sequence: u64,
    /// Highest number known durable when it was written.
    pub mark: u64,
    /// Under which boot of the kernel.
    pub boot: BootId,
    /// Hash of the previous commit's header.
    pub previous: u64,
    /// Bytes of head and batches.
    pub total: u32,
    /// Bytes of the head.
    pub head: u32,
    /// How many echoes of ends.
    pub echoes: u32,
    /// How many entries.
    pub entries: u32,
    /// How many echoes of starts.
    pub starts: u16,
    /// How many commits ago one of this ring said a start: `u16::MAX` if that is so many or more, 0 if nobody says.
    pub since_start: u16,
}

/// A head that was read and found whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// Its header.
    pub header: Header,
    /// Hash of that header: what the next commit names.
    pub hash: u64,
    /// Where logs ended in the commits before.
    pub echoes: Vec<Echo>,
    /// Where logs were made to start in the commits before.
    pub starts: Vec<StartEcho>,
    /// What this one holds; places are filled in.
    pub entries: Vec<Entry>,
}

/// Why bytes are not a head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeadFault {
    /// No magic of ours: nothing was ever written here, or something else.
    NotOurs,
    /// Written by a newer Sawlog.
    Version(u16),
    /// More bytes are needed to judge: this many in all.
    Short(usize),
    /// A field that cannot be.
    Field,
    /// The CRC does not match.
    Crc,
}

impl From<Short> for HeadFault {
    fn from(_: Short) -> HeadFault {
        HeadFault::Field
    }
}

/// The id of one life of one ring file.
pub fn ring_id(secret: RingSecret, kind: RingKind, shard: ShardId, file: u64) -> u64 {
    let mut of = Vec::with_capacity(11);
    of.u8(ring_byte(kind));
    of.u16(shard.0);
    of.u64(file);
    hash::sip(&secret.0, &of)
}

/// Where commits of a ring may begin.
pub fn step(kind: RingKind) -> u32 {
    match kind {
        RingKind::Durable => 4096,
        RingKind::Fast => 8,
    }
}

/// The length of a commit with its padding.
pub fn padded(kind: RingKind, total: u32) -> u32 {
    total.next_multiple_of(step(kind))
}

/// The commits of one ring, one after another: numbers them, chains them, and echoes what the last one held.
#[derive(Clone, Debug)]
pub struct Chain {
    kind: RingKind,
    shard: ShardId,
    secret: RingSecret,
    next: u64,
    previous: u64,
    /// What the next head says of those before it.
    memory: Memory,
    /// The last commit that may have said a start.
    started: u64,
}

/// What is common to the commits of one moment.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// SEQUENCE of the file it goes to.
    pub file: u64,
    /// The kernel's boot id.
    pub boot: BootId,
    /// The highest commit of this ring known durable.
    pub mark: u64,
    /// A start's, or a running node's.
    pub phase: Phase,
}

/// A head ready to be put before its batches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// Header, echoes, entries.
    pub head: Bytes,
    /// Number of the commit.
    pub sequence: u64,
    /// Hash of its header.
    pub hash: u64,
    /// Bytes of head and batches, without padding.
    pub total: u32,
}

impl Chain {
    /// Goes on after `point` with the commit numbered `next` (which is `point.commit` + 1 except after a start).
    pub fn new(
        kind: RingKind,
        shard: ShardId,
        secret: RingSecret,
        point: RingPoint,
        next: u64,
    ) -> Chain {
        assert!(next > point.commit, "#1: a commit's number is used once");
        Chain {
            kind,
            shard,
            secret,
            next,
            previous: point.hash,
            memory: Memory::default(),
            // Nobody tells what stood there: it may have been one.
            started: point.commit,
        }
    }

    /// The next heads also echo these entries, which lie in a commit before: of another life of the ring.
    pub fn remember(&mut self, entries: &[Entry]) {
        self.memory.remember(entries);
    }

    /// The number of the next commit.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Bytes that the head of these entries will take: the batches follow it back to back.
    pub fn head_len(&self, entries: &[Entry]) -> usize {
        HEADER + self.memory.len() + entries.iter().map(entry_len).sum::<usize>()
    }

    /// Writes the head of the next commit and moves on. The entries' batches must follow in their order.
    pub fn seal(&mut self, written: Written, entries: &[Entry]) -> Sealed {
        let head = self.head_len(entries);
        let batches: u64 = entries
            .iter()
            .map(|entry| u64::from(batch_len(entry)))
            .sum();
        let header = Header {
            kind: self.kind,
            phase: written.phase,
            ring: ring_id(self.secret, self.kind, self.shard, written.file),
            sequence: self.next,
            mark: written.mark,
            boot: written.boot,
            previous: self.previous,
            total: count(head as u64 + batches),
            head: count(head as u64),
            echoes: count(self.memory.ends().len() as u64),
            entries: count(entries.len() as u64),
            starts: u16::try_from(self.memory.starts().len()).unwrap_or(u16::MAX),
            since_start: u16::try_from(self.next - self.started).unwrap_or(u16::MAX),
        };
        assert!(
            header.mark < header.sequence,
            "#11: a commit is not durable before it is written"
        );
        let mut bytes = Vec::with_capacity(head);
        put_header(&mut bytes, &header);
        self.memory.put(&mut bytes);
        for entry in entries {
            put_entry(&mut bytes, entry);
        }
        assert!(
            bytes.len() == head,
            "#8: the head has the length that its batches were placed by"
        );
        let crc = crc_of(&bytes);
        if let Some(slot) = bytes.get_mut(CRC_AT..HEADER) {
            slot.copy_from_slice(&crc.to_le_bytes());
        }
        let hash = hash_of(&bytes);
        if entries.iter().any(|entry| start_of(entry).is_some()) {
            self.started = self.next;
        }
        self.next += 1;
        self.previous = hash;
        self.remember(entries);
        Sealed {
            head: Bytes::from(bytes),
            sequence: header.sequence,
            hash,
            total: header.total,
        }
    }
}

fn count(n: u64) -> u32 {
    u32::try_from(n).unwrap_or_else(|_| unreachable!("a commit is bounded far below 4 GiB"))
}

fn batch_len(entry: &Entry) -> u32 {
    match entry {
        Entry::Batch(batch) => batch.stored_len(),
        Entry::Fact(..) | Entry::Node(_) => 0,
    }
}

fn put_header(to: &mut Vec<u8>, header: &Header) {
    to.raw(&MAGIC);
    to.u16(VERSION);
    to.u8(ring_byte(header.kind));
    to.u8(match header.phase {
        Phase::Live => 0,
        Phase::Start => 1,
    });
    to.u64(header.ring);
    to.u64(header.sequence);
    to.u64(header.mark);
    to.raw(&header.boot.0);
    to.u64(header.previous);
    to.u32(header.total);
    to.u32(header.head);
    to.u32(header.echoes);
    to.u32(header.entries);
    to.raw(&header.starts.to_le_bytes());
    to.raw(&header.since_start.to_le_bytes());
    to.u32(0); // the CRC, once the entries are there
}

/// Reads a header, without its CRC: enough to know how many bytes the head has.
pub fn peek(bytes: &[u8]) -> Result<Header, HeadFault> {
    let mut take = Take(bytes.get(..HEADER).ok_or(HeadFault::Short(HEADER))?);
    if take.array()? != MAGIC {
        return Err(HeadFault::NotOurs);
    }
    let version = take.u16()?;
    if !(FIRST_VERSION..=VERSION).contains(&version) {
        return Err(HeadFault::Version(version));
    }
    let kind = ring_of(take.u8()?)?;
    let phase = match take.u8()? {
        0 => Phase::Live,
        1 => Phase::Start,
        _ => return Err(HeadFault::Field),
    };
    let header = Header {
        kind,
        phase,
        ring: take.u64()?,
        sequence: take.u64()?,
        mark: take.u64()?,
        boot: BootId(take.array()?),
        previous: take.u64()?,
        total: take.u32()?,
        head: take.u32()?,
        echoes: take.u32()?,
        entries: take.u32()?,
        starts: take.u16()?,
        since_start: take.u16()?,
    };
    let least = HEADER as u64
        + u64::from(header.echoes) * END as u64
        + u64::from(header.starts) * START as u64
        + u64::from(header.entries) * ENTRY_MIN as u64;
    let fits = header.head <= header.total && u64::from(header.head) >= least;
    let says_starts = match version {
        FIRST_VERSION => header.starts == 0 && header.since_start == 0,
        _ => header.since_start > 0,
    };
    if fits && says_starts && header.mark < header.sequence {
        Ok(header)
    } else {
        Err(HeadFault::Field)
    }
}

/// Whether the CRC of a head holds, whatever its version: later versions keep the places of length and CRC, so that
/// rot in the version is not taken for a newer format. `Short` tells how many bytes it takes.
pub fn crc_holds(bytes: &[u8]) -> Result<bool, HeadFault> {
    let mut take = Take(bytes.get(HEAD_AT..HEADER).ok_or(HeadFault::Short(HEADER))?);
    let head = (take.u32()? as usize).max(HEADER);
    let bytes = bytes.get(..head).ok_or(HeadFault::Short(head))?;
    Ok(bytes.get(CRC_AT..HEADER) == Some(&crc_of(bytes).to_le_bytes()))
}

/// Whether the first bytes of a header could be these: a quick look for a scan.
pub fn may_begin(bytes: &[u8; 16], ring: u64) -> bool {
    let [magic @ .., _, _, _, _, a, b, c, d, e, f, g, h] = bytes;
    *magic == MAGIC || u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]) == ring
}

/// What bytes that are no whole header claim to be, if magic or ring id say that a commit was meant.
pub fn resemble(bytes: &[u8], ring: u64) -> Option<Header> {
    let mut take = Take(bytes.get(..HEADER)?);
    let magic = take.array::<4>().ok()? == MAGIC;
    take.array::<4>().ok()?;
    let header = Header {
        kind: RingKind::Durable,
        phase: Phase::Live,
        ring: take.u64().ok()?,
        sequence: take.u64().ok()?,
        mark: take.u64().ok()?,
        boot: BootId(take.array().ok()?),
        previous: take.u64().ok()?,
        total: take.u32().ok()?,
        head: take.u32().ok()?,
        echoes: 0,
        entries: 0,
        starts: 0,
        since_start: 0,
    };
    (magic || header.ring == ring).then_some(header)
}

/// Reads a whole head that lies at `at` of the ring file `file`. `Short` tells how many bytes it takes.
pub fn decode(file: u64, at: u32, bytes: &[u8]) -> Result<Head, HeadFault> {
    let header = peek(bytes)?;
    let head = header.head as usize;
    let bytes = bytes.get(..head).ok_or(HeadFault::Short(head))?;
    let stored = bytes.get(CRC_AT..HEADER).ok_or(HeadFault::Field)?;
    if stored != crc_of(bytes).to_le_bytes() {
        return Err(HeadFault::Crc);
    }
    let mut take = Take(bytes.get(HEADER..).ok_or(HeadFault::Field)?);
    // `peek` has checked that the head is long enough for all counts.
    let echoes = echo::take_ends(&mut take, header.echoes)?;
    let starts = echo::take_starts(&mut take, header.starts)?;
    let mut entries = Vec::new();
    let mut place = u64::from(at) + u64::from(header.head);
    let end = u64::from(at) + u64::from(header.total);
    for _ in 0..header.entries {
        let spot = Spot {
            kind: header.kind,
            file,
            at: u32::try_from(place).map_err(|_| HeadFault::Field)?,
        };
        let entry = take_entry(&mut take, spot)?;
        place += u64::from(batch_len(&entry));
        entries.push(entry);
    }
    if !take.0.is_empty() || place != end {
        return Err(HeadFault::Field);
    }
    Ok(Head {
        header,
        hash: hash_of(bytes),
        echoes,
        starts,
        entries,
    })
}

fn crc_of(head: &[u8]) -> u32 {
    let before = head.get(..CRC_AT).unwrap_or_default();
    let after = head.get(HEADER..).unwrap_or_default();
    if proof::mutant("header-outside-checksum") {
        return crc32c::crc32c(after);
    }
    crc32c::crc32c_append(crc32c::crc32c(before), after)
}

/// The hash by which a commit names the one before it: of the header, whose CRC covers the entries.
fn hash_of(head: &[u8]) -> u64 {
    hash::sip(b"previous header.", head.get(..HEADER).unwrap_or(head))
}

#[cfg(test)]
mod tests;
