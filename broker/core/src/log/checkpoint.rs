//! What a checkpoint file looks like: one or more frames, the first the whole fold, each further one what changed
//! since. Decides bytes only; a file counts only as a whole (#102). Holds #8, #71 and #104 for what recovery starts from.
//!
//! ```text
//! at  bytes  frame header (64)                          body
//!  0    4    magic "SLck"                               durable point (28), fast point (28)
//!  4    2    format version, 2                          logs: count (4), then each: length (4), log
//!  6    2    shard                                      logs that are gone: count (4), then each: log id (20)
//!  8    2    shards of the node                         dropped logs: count (4), then each: log id (20), dir
//! 10    2    zero                                         lost ends: count (4), then each: seed (4), offset (8)
//! 12    4    CRC of the frame before, 0 for the first   point: at (4), commit (8), hash (8), file (8)
//! 16    8    number: rises over both files              dir: length (2), bytes; length 0xffff = none
//! 24   16    the ring's secret
//! 40    8    bytes of the body                          log: log id (20), generation (4), start (8), next (8),
//! 48    4    CRC-32C of the body                          spilled (8), reached (8), direct (1; not in
//! 52    8    wall clock, milliseconds; 0 = not told       version 1), dir, then five lists, each count (4) and
//! 60    4    CRC-32C of bytes 0..60                       segments (48), epochs (12), producers, ring (45), beyond
//!
//! segment  base, next, bytes (8 each), batches, chain (4), largest, first timestamp (8)
//! epoch    leader epoch (4), first offset (8)
//! producer id (8), epoch (2), next (8), last timestamp (8), window: count (1), each first sequence (4), delta (4), base (8)
//! ring     base (8), delta, epoch, length, checksum (4 each), largest timestamp (8), ring (1), file (8), at (4)
//! beyond   a batch entry as in a commit (74 or 90), ring (1), file (8), at (4)
//! ```
//!
//! All numbers are little-endian.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::file::RingKind;
use crate::ids::{
    Generation, LeaderEpoch, LogId, Offset, ProducerEpoch, ProducerId, Sequence, ShardId,
};
use crate::log::commit::{HeadFault, RingSecret, put_batch, put_point, take_batch, take_point};
use crate::log::producers::{Producer, Sent, WINDOW};
use crate::log::raw::{Put, Short, Take};
use crate::log::state::{Fold, LogState, RingBatch, SegmentState, Spot};
use crate::map::{Map, Set};
use crate::now::Wall;
use crate::proof;

/// Bytes of a frame's header.
pub const HEADER: usize = 64;
const MAGIC: [u8; 4] = *b"SLck";
const VERSION: u16 = 2;
/// The last version whose logs do not say whether batches go straight to their segments.
const UNTOLD: u16 = 1;
const NO_DIR: u16 = u16::MAX;

/// What a checkpoint says besides the fold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// Whose it is.
    pub shard: ShardId,
    /// How many shards the node had.
    pub shards: u16,
    /// Its number: the newest of the two files has the greater one.
    pub number: u64,
    /// The ring's secret.
    pub secret: RingSecret,
    /// The wall clock as it was believed when this was written (#111).
    pub wall: Wall,
}

/// A checkpoint file that was read and found whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Of its last frame.
    pub stamp: Stamp,
    /// The fold that all its frames make.
    pub fold: Fold,
    /// CRC of its last frame's header: what a further frame names.
    pub chain: u32,
}

/// Why bytes are not a whole checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckpointFault {
    /// No magic of ours, or no bytes at all.
    NotOurs,
    /// Written by a newer Sawlog.
    Version(u16),
    /// The frame that begins here is cut off, damaged, or does not follow the one before it.
    Damaged {
        /// Byte in the file.
        at: usize,
    },
}

/// A frame ready to be written, and the chain value for the next one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Header and body.
    pub bytes: Bytes,
    /// What a further frame of the same file names.
    pub chain: u32,
}

/// The whole fold as the first frame of a file.
pub fn base(stamp: Stamp, fold: &Fold) -> Frame {
    let all: Vec<(&LogId, &LogState)> = fold
        .logs
        .iter()
        .map(|(log, state)| (log, &**state))
        .collect();
    frame(stamp, 0, fold, &all, &[])
}

/// What changed since the file's last frame: the logs named, as they are now.
pub fn further(stamp: Stamp, chain: u32, fold: &Fold, changed: &Set<LogId>) -> Frame {
    let now: Vec<(&LogId, &LogState)> = changed
        .iter()
        .filter_map(|log| Some((log, &**fold.logs.get(log)?)))
        .collect();
    let gone: Vec<LogId> = changed
        .iter()
        .filter(|log| !fold.logs.contains_key(log))
        .copied()
        .collect();
    frame(stamp, chain, fold, &now, &gone)
}

fn frame(
    stamp: Stamp,
    chain: u32,
    fold: &Fold,
    logs: &[(&LogId, &LogState)],
    gone: &[LogId],
) -> Frame {
    let mut body = Vec::new();
    put_point(&mut body, &fold.durable);
    put_point(&mut body, &fold.fast);
    body.u32(count(logs.len()));
    for (log, state) in logs {
        let one = put_log(**log, state);
        body.u32(count(one.len()));
        body.raw(&one);
    }
    body.u32(count(gone.len()));
    gone.iter().for_each(|log| body.log(*log));
    body.u32(count(fold.dropped.len()));
    for (log, dir) in &fold.dropped {
        body.log(*log);
        put_dir(&mut body, dir.as_deref());
    }
    body.u32(count(fold.lost.len()));
    for (seed, end) in &fold.lost {
        body.u32(*seed);
        body.i64(end.0);
    }

    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.raw(&MAGIC);
    bytes.u16(VERSION);
    bytes.u16(stamp.shard.0);
    bytes.u16(stamp.shards);
    bytes.u16(0);
    bytes.u32(chain);
    bytes.u64(stamp.number);
    bytes.raw(&stamp.secret.0);
    bytes.u64(body.len() as u64);
    bytes.u32(crc32c::crc32c(&body));
    bytes.i64(stamp.wall.0);
    let chain = crc32c::crc32c(&bytes);
    bytes.u32(chain);
    bytes.extend_from_slice(&body);
    Frame {
        bytes: Bytes::from(bytes),
        chain,
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n)
        .unwrap_or_else(|_| unreachable!("lists of a fold are bounded far below 2^32 (#132)"))
}

fn put_dir(to: &mut Vec<u8>, dir: Option<&str>) {
    match dir {
        // A directory's name is at most a topic's 249 bytes and a number.
        Some(dir) => {
            to.u16(u16::try_from(dir.len()).unwrap_or(NO_DIR - 1));
            to.raw(
                dir.as_bytes()
                    .get(..usize::from(NO_DIR - 1))
                    .unwrap_or(dir.as_bytes()),
            );
        }
        None => to.u16(NO_DIR),
    }
}

fn put_spot(to: &mut Vec<u8>, spot: Spot) {
    to.u8(match spot.kind {
        RingKind::Durable => 0,
        RingKind::Fast => 1,
    });
    to.u64(spot.file);
    to.u32(spot.at);
}

fn put_log(log: LogId, state: &LogState) -> Vec<u8> {
    let mut to = Vec::new();
    to.log(log);
    to.u32(state.generation.0);
    to.i64(state.start.0);
    to.i64(state.next.0);
    to.i64(state.spilled.0);
    to.i64(state.reached.0);
    to.u8(u8::from(state.direct));
    put_dir(&mut to, state.dir.as_deref());
    to.u32(count(state.segments.len()));
    for segment in &state.segments {
        to.i64(segment.base.0);
        to.i64(segment.next.0);
        to.u64(segment.bytes);
        to.u32(segment.batches);
        to.u32(segment.chain);
        to.i64(segment.max_timestamp);
        to.i64(segment.first_timestamp);
    }
    to.u32(count(state.epochs.iter().len()));
    for (epoch, at) in state.epochs.iter() {
        to.i32(epoch.0);
        to.i64(at.0);
    }
    to.u32(count(state.producers.by_id.len()));
    for (id, producer) in &state.producers.by_id {
        put_producer(&mut to, *id, producer);
    }
    to.u32(count(state.ring.len()));
    for batch in &state.ring {
        to.i64(batch.base.0);
        to.u32(batch.delta);
        to.i32(batch.epoch.0);
        to.u32(batch.len);
        to.u32(batch.checksum);
        to.i64(batch.max_timestamp);
        put_spot(&mut to, batch.spot);
    }
    to.u32(count(state.beyond.len()));
    for kept in &state.beyond {
        put_batch(&mut to, kept);
        put_spot(&mut to, kept.batch.spot);
    }
    to
}

fn put_producer(to: &mut Vec<u8>, id: ProducerId, producer: &Producer) {
    to.i64(id.0);
    to.i16(producer.epoch.0);
    to.i64(producer.next.0);
    to.i64(producer.last_timestamp);
    let forgotten = usize::from(proof::mutant("snapshot-misses-last-batch"));
    let kept = producer.window.len().min(WINDOW).saturating_sub(forgotten);
    to.u8(u8::try_from(kept).unwrap_or_else(|_| unreachable!("#70: a window has at most five")));
    for sent in producer.window.iter().take(kept) {
        to.i32(sent.first.0);
        to.u32(sent.delta);
        to.i64(sent.base.0);
    }
}

/// Reads a checkpoint file: whole, or not at all.
pub fn decode(bytes: &[u8]) -> Result<Checkpoint, CheckpointFault> {
    if bytes.get(..MAGIC.len()) != Some(&MAGIC) {
        return Err(CheckpointFault::NotOurs);
    }
    let mut rest = bytes;
    let mut whole: Option<Checkpoint> = None;
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let chain = whole.as_ref().map_or(0, |read| read.chain);
        let (version, stamp, body, next, chain) = take_header(rest, chain, at)?;
        let fold = whole.take().map(|read| read.fold).unwrap_or_default();
        let fold = take_body(body, version, fold).map_err(|_| CheckpointFault::Damaged { at })?;
        whole = Some(Checkpoint { stamp, fold, chain });
        rest = next;
    }
    whole.ok_or(CheckpointFault::NotOurs)
}

type Opened<'a> = (u16, Stamp, &'a [u8], &'a [u8], u32);

/// The header of a frame: gives its version, its stamp, its body, what follows it, and its chain value.
fn take_header(bytes: &[u8], chain: u32, at: usize) -> Result<Opened<'_>, CheckpointFault> {
    let damaged = CheckpointFault::Damaged { at };
    let (head, rest) = bytes.split_at_checked(HEADER).ok_or(damaged)?;
    let mut take = Take(head);
    let own = crc32c::crc32c(head.get(..HEADER - 4).unwrap_or_default());
    let mut fields = || -> Result<(u16, Stamp, u64, u32, bool), Short> {
        let magic = take.array::<4>()?;
        let version = take.u16()?;
        let shard = ShardId(take.u16()?);
        let (shards, zero) = (take.u16()?, take.u16()?);
        let before = take.u32()?;
        let number = take.u64()?;
        let secret = RingSecret(take.array()?);
        let (len, crc) = (take.u64()?, take.u32()?);
        let wall = Wall(take.i64()?);
        let whole = take.u32()? == own && magic == MAGIC;
        let follows = before == chain && zero == 0;
        let stamp = Stamp {
            shard,
            shards,
            number,
            secret,
            wall,
        };
        // Only a version whose checksum holds is one: rot in it is damage like any other.
        Ok((if whole { version } else { 0 }, stamp, len, crc, follows))
    };
    let (version, stamp, len, crc, follows) = fields().map_err(|_| damaged)?;
    if version > VERSION {
        return Err(CheckpointFault::Version(version));
    }
    if version < UNTOLD || !follows {
        return Err(damaged);
    }
    let (body, next) = usize::try_from(len)
        .ok()
        .and_then(|len| rest.split_at_checked(len))
        .ok_or(damaged)?;
    if crc32c::crc32c(body) != crc {
        return Err(damaged);
    }
    Ok((version, stamp, body, next, own))
}

/// A field that cannot be, in bytes whose checksum holds: written by a bug, read without harm.
struct Wrong;

impl From<Short> for Wrong {
    fn from(_: Short) -> Wrong {
        Wrong
    }
}

impl From<HeadFault> for Wrong {
    fn from(_: HeadFault) -> Wrong {
        Wrong
    }
}

/// Lays one frame over the fold of those before it.
fn take_body(body: &[u8], version: u16, mut fold: Fold) -> Result<Fold, Wrong> {
    let mut take = Take(body);
    fold.durable = take_point(&mut take)?;
    fold.fast = take_point(&mut take)?;
    for _ in 0..take.u32()? {
        let len = take.u32()? as usize;
        let (log, state) = take_log(take.bytes(len)?, version)?;
        fold.logs.insert(log, state.into());
    }
    for _ in 0..take.u32()? {
        fold.logs.remove(&take.log()?);
    }
    fold.dropped = Map::new();
    for _ in 0..take.u32()? {
        let log = take.log()?;
        fold.dropped.insert(log, take_dir(&mut take)?);
    }
    fold.lost = Map::new();
    for _ in 0..take.u32()? {
        let seed = take.u32()?;
        fold.lost.insert(seed, Offset(take.i64()?));
    }
    if take.0.is_empty() {
        Ok(fold)
    } else {
        Err(Wrong)
    }
}

fn take_dir(take: &mut Take<'_>) -> Result<Option<Arc<str>>, Wrong> {
    match take.u16()? {
        NO_DIR => Ok(None),
        len => {
            let name = take.bytes(usize::from(len))?;
            core::str::from_utf8(name)
                .map(|name| Some(Arc::from(name)))
                .map_err(|_| Wrong)
        }
    }
}

fn take_spot(take: &mut Take<'_>) -> Result<Spot, Wrong> {
    let kind = match take.u8()? {
        0 => RingKind::Durable,
        1 => RingKind::Fast,
        _ => return Err(Wrong),
    };
    Ok(Spot {
        kind,
        file: take.u64()?,
        at: take.u32()?,
    })
}

fn take_log(bytes: &[u8], version: u16) -> Result<(LogId, LogState), Wrong> {
    let mut take = Take(bytes);
    let log = take.log()?;
    let mut state = LogState {
        generation: Generation(take.u32()?),
        start: Offset(take.i64()?),
        next: Offset(take.i64()?),
        spilled: Offset(take.i64()?),
        reached: Offset(take.i64()?),
        direct: version > UNTOLD && take.u8()? != 0,
        dir: take_dir(&mut take)?,
        ..LogState::default()
    };
    // Lists grow as their bytes are there, never by their counts (#128).
    for _ in 0..take.u32()? {
        state.segments.push(SegmentState {
            base: Offset(take.i64()?),
            next: Offset(take.i64()?),
            bytes: take.u64()?,
            batches: take.u32()?,
            chain: take.u32()?,
            max_timestamp: take.i64()?,
            first_timestamp: take.i64()?,
        });
    }
    let mut epochs = Vec::new();
    for _ in 0..take.u32()? {
        epochs.push((LeaderEpoch(take.i32()?), Offset(take.i64()?)));
    }
    state.epochs = epochs.into_iter().collect();
    for _ in 0..take.u32()? {
        let (id, producer) = take_producer(&mut take)?;
        state.producers.by_id.insert(id, producer);
    }
    for _ in 0..take.u32()? {
        let base = Offset(take.i64()?);
        let delta = take.u32()?;
        let epoch = LeaderEpoch(take.i32()?);
        let (len, checksum) = (take.u32()?, take.u32()?);
        let max_timestamp = take.i64()?;
        let spot = take_spot(&mut take)?;
        state.ring.push_back(RingBatch {
            base,
            delta,
            epoch,
            len,
            checksum,
            max_timestamp,
            spot,
        });
    }
    for _ in 0..take.u32()? {
        let nowhere = Spot {
            kind: RingKind::Durable,
            file: 0,
            at: 0,
        };
        let mut kept = take_batch(&mut take, nowhere)?;
        kept.batch.spot = take_spot(&mut take)?;
        state.beyond.push(kept);
    }
    let orderly =
        Offset::ZERO <= state.start && Offset::ZERO <= state.next && Offset::ZERO <= state.spilled;
    if orderly && take.0.is_empty() {
        Ok((log, state))
    } else {
        Err(Wrong)
    }
}

fn take_producer(take: &mut Take<'_>) -> Result<(ProducerId, Producer), Wrong> {
    let id = ProducerId(take.i64()?);
    let epoch = ProducerEpoch(take.i16()?);
    let (next, last_timestamp) = (Offset(take.i64()?), take.i64()?);
    let mut producer = Producer {
        epoch,
        next,
        last_timestamp,
        window: Default::default(),
    };
    let kept = take.u8()?;
    if usize::from(kept) > WINDOW {
        return Err(Wrong);
    }
    for _ in 0..kept {
        let (first, delta) = (Sequence(take.i32()?), take.u32()?);
        producer.window.push_back(Sent {
            first,
            delta,
            base: Offset(take.i64()?),
        });
    }
    Ok((id, producer))
}

#[cfg(test)]
mod tests;
