//! How one entry of a commit's head lies there, and a batch in a checkpoint. Decides bytes only, and refuses those that no
//! entry has; whole heads, their checksum and their chain are `commit`'s.

use alloc::vec::Vec;

use crate::file::RingKind;
use crate::ids::{
    BrokerEpoch, Generation, LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence,
};
use crate::log::commit::HeadFault;
use crate::log::raw::{Put, Short, Take};
use crate::log::state::{
    BatchEntry, BatchKind, Entry, Fact, Home, NodeFact, ProducerBatch, RingBatch, RingPoint, Spot,
};

pub(super) const BATCH: usize = 74;
const HOME: usize = 16;
pub(super) const FACT: usize = 44;
const RESUMED: usize = 40;
const READY: usize = 4;
const STOPPED: usize = 12;
const LOST: usize = 16;
/// Bytes of the shortest entry.
pub(super) const ENTRY_MIN: usize = READY;
/// Bytes of the largest entry.
pub const ENTRY_MAX: usize = BATCH + HOME;

/// Bytes of an entry in the head.
pub fn entry_len(entry: &Entry) -> usize {
    match entry {
        Entry::Batch(batch) if batch.home.is_some() => BATCH + HOME,
        Entry::Batch(_) => BATCH,
        Entry::Fact(..) => FACT,
        Entry::Node(NodeFact::Resumed { .. }) => RESUMED,
        Entry::Node(NodeFact::Ready) => READY,
        Entry::Node(NodeFact::Stopped(_)) => STOPPED,
        Entry::Node(NodeFact::Lost(..)) => LOST,
    }
}

/// A ring, as headers and entries name it.
pub(super) fn ring_byte(kind: RingKind) -> u8 {
    match kind {
        RingKind::Durable => 0,
        RingKind::Fast => 1,
    }
}

/// See [`ring_byte`].
pub(super) fn ring_of(byte: u8) -> Result<RingKind, HeadFault> {
    match byte {
        0 => Ok(RingKind::Durable),
        1 => Ok(RingKind::Fast),
        _ => Err(HeadFault::Field),
    }
}

/// An entry, as the table of `commit` lays it out.
pub(super) fn put_entry(to: &mut Vec<u8>, entry: &Entry) {
    match entry {
        Entry::Batch(entry) => put_batch(to, entry),
        Entry::Fact(log, generation, fact) => {
            let (kind, a, b) = match *fact {
                Fact::Start(offset) => (16, offset.0, 0),
                Fact::Cut(offset, generation) => (17, offset.0, i64::from(generation.0)),
                Fact::Dropped => (18, 0, 0),
                Fact::Expired(producer, offset) => (19, producer.0, offset.0),
                Fact::Epoch(epoch, offset) => (20, i64::from(epoch.0), offset.0),
            };
            to.raw(&[kind, 0, 0, 0]);
            to.log(*log);
            to.u32(generation.0);
            to.i64(a);
            to.i64(b);
        }
        Entry::Node(NodeFact::Resumed { kind, point, next }) => {
            to.raw(&[32, ring_byte(*kind), 0, 0]);
            put_point(to, point);
            to.u64(*next);
        }
        Entry::Node(NodeFact::Ready) => to.raw(&[33, 0, 0, 0]),
        Entry::Node(NodeFact::Stopped(epoch)) => {
            to.raw(&[34, 0, 0, 0]);
            to.i64(epoch.0);
        }
        Entry::Node(NodeFact::Lost(seed, end)) => {
            to.raw(&[35, 0, 0, 0]);
            to.u32(*seed);
            to.i64(end.0);
        }
    }
}

/// A place between two commits: 28 bytes.
pub(in crate::log) fn put_point(to: &mut Vec<u8>, point: &RingPoint) {
    to.u32(point.at);
    to.u64(point.commit);
    to.u64(point.hash);
    to.u64(point.file);
}

/// See [`put_point`].
pub(in crate::log) fn take_point(take: &mut Take<'_>) -> Result<RingPoint, Short> {
    Ok(RingPoint {
        at: take.u32()?,
        commit: take.u64()?,
        hash: take.u64()?,
        file: take.u64()?,
    })
}

/// A batch as heads and checkpoints write it.
pub(in crate::log) fn put_batch(to: &mut Vec<u8>, entry: &BatchEntry) {
    let none = ProducerBatch {
        id: ProducerId::NONE,
        epoch: ProducerEpoch(-1),
        base_sequence: Sequence(-1),
    };
    let producer = entry.producer.unwrap_or(none);
    let batch = &entry.batch;
    to.u8(match entry.kind {
        BatchKind::New => 1,
        BatchKind::Moved => 2,
        BatchKind::Again => 3,
    });
    to.u8(u8::from(entry.home.is_some()));
    to.i16(entry.attributes);
    to.log(entry.log);
    to.u32(entry.generation.0);
    to.i32(batch.epoch.0);
    to.i64(batch.base.0);
    to.u32(batch.delta);
    to.u32(batch.len);
    to.u32(batch.checksum);
    to.i32(producer.base_sequence.0);
    to.i64(producer.id.0);
    to.i64(batch.max_timestamp);
    to.i16(producer.epoch.0);
    if let Some(home) = &entry.home {
        to.i64(home.base.0);
        to.u64(home.at);
    }
}

/// See [`put_entry`]. The bytes of a batch would lie at `spot`.
pub(super) fn take_entry(take: &mut Take<'_>, spot: Spot) -> Result<Entry, HeadFault> {
    match take.0.first() {
        Some(1..=3) => take_batch(take, spot).map(Entry::Batch),
        Some(16..=20) => take_fact(take),
        Some(32..=35) => take_node(take).map(Entry::Node),
        _ => Err(HeadFault::Field),
    }
}

/// See [`put_batch`].
pub(in crate::log) fn take_batch(take: &mut Take<'_>, spot: Spot) -> Result<BatchEntry, HeadFault> {
    let kind = match take.u8()? {
        1 => BatchKind::New,
        2 => BatchKind::Moved,
        3 => BatchKind::Again,
        _ => return Err(HeadFault::Field),
    };
    let elsewhere = match take.u8()? {
        0 => false,
        1 => true,
        _ => return Err(HeadFault::Field),
    };
    let attributes = take.i16()?;
    let log = take.log()?;
    let generation = Generation(take.u32()?);
    let epoch = LeaderEpoch(take.i32()?);
    let base = Offset(take.i64()?);
    let (delta, len, checksum) = (take.u32()?, take.u32()?, take.u32()?);
    let base_sequence = Sequence(take.i32()?);
    let id = ProducerId(take.i64()?);
    let max_timestamp = take.i64()?;
    let producer_epoch = ProducerEpoch(take.i16()?);
    let home = if elsewhere {
        Some(Home {
            base: offset(take.i64()?)?,
            at: take.u64()?,
        })
    } else {
        None
    };
    let orderly = base.0 >= 0 && base.0.checked_add(i64::from(delta) + 1).is_some();
    if !orderly {
        return Err(HeadFault::Field);
    }
    let batch = RingBatch {
        base,
        delta,
        epoch,
        len,
        checksum,
        max_timestamp,
        // No byte of it lies in the ring: no place there is its own.
        spot: Spot {
            at: if elsewhere { u32::MAX } else { spot.at },
            ..spot
        },
    };
    let producer = (id != ProducerId::NONE).then_some(ProducerBatch {
        id,
        epoch: producer_epoch,
        base_sequence,
    });
    Ok(BatchEntry {
        kind,
        log,
        generation,
        batch,
        attributes,
        producer,
        home,
    })
}

fn take_fact(take: &mut Take<'_>) -> Result<Entry, HeadFault> {
    let [kind, zeros @ ..] = take.array::<4>()?;
    let log = take.log()?;
    let generation = Generation(take.u32()?);
    let (a, b) = (take.i64()?, take.i64()?);
    let fact = match kind {
        16 => Fact::Start(offset(a)?),
        17 => Fact::Cut(
            offset(a)?,
            Generation(u32::try_from(b).map_err(|_| HeadFault::Field)?),
        ),
        18 => Fact::Dropped,
        19 => Fact::Expired(ProducerId(a), offset(b)?),
        20 => Fact::Epoch(
            LeaderEpoch(i32::try_from(a).map_err(|_| HeadFault::Field)?),
            offset(b)?,
        ),
        _ => return Err(HeadFault::Field),
    };
    if zeros == [0; 3] {
        Ok(Entry::Fact(log, generation, fact))
    } else {
        Err(HeadFault::Field)
    }
}

fn offset(raw: i64) -> Result<Offset, HeadFault> {
    if raw >= 0 {
        Ok(Offset(raw))
    } else {
        Err(HeadFault::Field)
    }
}

fn take_node(take: &mut Take<'_>) -> Result<NodeFact, HeadFault> {
    match take.array::<4>()? {
        [32, ring, 0, 0] => {
            let kind = ring_of(ring)?;
            let point = take_point(take)?;
            Ok(NodeFact::Resumed {
                kind,
                point,
                next: take.u64()?,
            })
        }
        [33, 0, 0, 0] => Ok(NodeFact::Ready),
        [34, 0, 0, 0] => Ok(NodeFact::Stopped(BrokerEpoch(take.i64()?))),
        [35, 0, 0, 0] => Ok(NodeFact::Lost(take.u32()?, offset(take.i64()?)?)),
        _ => Err(HeadFault::Field),
    }
}
