//! What a segment's sidecar says of each of its batches: place, checksum, time, producer. Offset index, time index and
//! proof against rot in one file (#6, #8). Decides bytes only; the spill writes them, `engine` looks things up in them.
//!
//! ```text
//! at  bytes  header (48)                      at  bytes  entry (72), one per batch, in offset order
//!  0    4    magic "SLsc"                      0    8    base offset
//!  4    2    format version, 1                 8    4    last offset delta
//!  6    2    zero                             12    4    leader epoch
//!  8   16    topic id                         16    8    where the batch begins in the segment
//! 24    4    partition                        24    4    length
//! 28    8    base offset of the segment       28    4    checksum of the batch, bound to topic id and partition
//! 36    8    zero                             32    8    largest timestamp of the batch
//! 44    4    CRC-32C of bytes 0..44           40    8    largest timestamp of the segment up to here
//!            = the chain's first value        48    8    producer id, -1 = none
//!                                             56    4    base sequence
//!                                             60    2    producer epoch
//!                                             62    2    attributes
//!                                             64    4    chain: the CRC of the entry before, or of the header
//!                                             68    4    CRC-32C of bytes 0..68
//! ```
//!
//! All numbers are little-endian. Entries have one size, so that a look-up reads any window of them; each proves itself,
//! and the chain proves that none is missing, doubled or of another file.

use alloc::vec::Vec;

use sawlog_wire::records::batch::BatchHeader;

use crate::ids::{LeaderEpoch, LogId, Offset, ProducerEpoch, ProducerId, Sequence};
use crate::log::raw::{Put, Short, Take};
use crate::log::state::{BatchEntry, ProducerBatch, RingBatch};
use crate::proof;

/// Bytes of the header.
pub const HEADER: u64 = 48;
/// Bytes of an entry.
pub const ENTRY: usize = 72;
const HEADER_LEN: usize = 48;
const MAGIC: [u8; 4] = *b"SLsc";
const VERSION: u16 = 1;

/// What is known of one batch of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SideEntry {
    /// Offset of its first record.
    pub base: Offset,
    /// Its last record's offset, relative to `base`.
    pub delta: u32,
    /// The leadership that appended it.
    pub epoch: LeaderEpoch,
    /// Where it begins in the segment.
    pub at: u64,
    /// Bytes, header included.
    pub len: u32,
    /// Over all its bytes as stored, bound to topic id and partition: carried over from the ring, never recomputed (#8).
    pub checksum: u32,
    /// Its largest timestamp, -1 if it has none.
    pub max_timestamp: i64,
    /// Largest timestamp of the segment's batches up to and with this one: rises, so that a look-up by time bisects.
    pub running_max: i64,
    /// Who sent it, if the producer is idempotent.
    pub producer: Option<ProducerBatch>,
    /// Its attributes.
    pub attributes: i16,
}

impl SideEntry {
    /// The entry of a batch that the spill puts at `at`, behind batches whose largest timestamp is `before`. What the
    /// ring said of the batch is carried over, the rest is read in its header.
    pub fn of(batch: &RingBatch, header: &BatchHeader, at: u64, before: i64) -> SideEntry {
        let id = ProducerId(header.producer_id);
        let (epoch, base_sequence) = (
            ProducerEpoch(header.producer_epoch),
            Sequence(header.base_sequence),
        );
        SideEntry {
            base: batch.base,
            delta: batch.delta,
            epoch: batch.epoch,
            at,
            len: batch.len,
            checksum: batch.checksum,
            max_timestamp: batch.max_timestamp,
            running_max: batch.max_timestamp.max(before),
            producer: (id != ProducerId::NONE).then_some(ProducerBatch {
                id,
                epoch,
                base_sequence,
            }),
            attributes: header.raw_attributes,
        }
    }

    /// The entry of a batch that went straight to `at` of its segment: all of it is known since the append.
    pub fn placed(entry: &BatchEntry, at: u64, before: i64) -> SideEntry {
        let batch = &entry.batch;
        SideEntry {
            base: batch.base,
            delta: batch.delta,
            epoch: batch.epoch,
            at,
            len: batch.len,
            checksum: batch.checksum,
            max_timestamp: batch.max_timestamp,
            running_max: batch.max_timestamp.max(before),
            producer: entry.producer,
            attributes: entry.attributes,
        }
    }

    /// Offset after its last record.
    pub fn next(&self) -> Offset {
        self.base.plus(i64::from(self.delta) + 1)
    }
}

/// Why bytes are not a sidecar's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SideFault {
    /// No magic of ours.
    NotOurs,
    /// Written by a newer Sawlog.
    Version(u16),
    /// Fewer bytes than a header or an entry has.
    Short,
    /// The CRC does not match, or a field cannot be.
    Crc,
    /// The entry does not follow the one before it.
    Chain,
}

impl From<Short> for SideFault {
    fn from(_: Short) -> SideFault {
        SideFault::Short
    }
}

/// Whose sidecar it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SideHeader {
    /// Which log.
    pub log: LogId,
    /// Base offset of its segment.
    pub base: Offset,
    /// What the first entry's chain names.
    pub chain: u32,
}

/// The header of a sidecar.
pub fn header(log: LogId, base: Offset) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LEN);
    bytes.raw(&MAGIC);
    bytes.u16(VERSION);
    bytes.u16(0);
    bytes.log(log);
    bytes.i64(base.0);
    bytes.u64(0);
    let crc = crc32c::crc32c(&bytes);
    bytes.u32(crc);
    bytes
}

/// The chain's value before the first entry of this segment.
pub fn first_chain(log: LogId, base: Offset) -> u32 {
    let bytes = header(log, base);
    crc32c::crc32c(bytes.get(..HEADER_LEN - 4).unwrap_or_default())
}

/// Reads the header.
pub fn take_header(bytes: &[u8]) -> Result<SideHeader, SideFault> {
    let mut take = Take(bytes);
    if take.array()? != MAGIC {
        return Err(SideFault::NotOurs);
    }
    let version = take.u16()?;
    if version != VERSION {
        return Err(SideFault::Version(version));
    }
    let _zero = take.u16()?;
    let (log, base, _zero) = (take.log()?, Offset(take.i64()?), take.u64()?);
    let chain = take.u32()?;
    let whole = bytes
        .get(..HEADER_LEN - 4)
        .is_some_and(|own| crc32c::crc32c(own) == chain);
    if whole {
        Ok(SideHeader { log, base, chain })
    } else {
        Err(SideFault::Crc)
    }
}

/// Writes one entry behind one whose chain value is `chain`; gives back the new chain value.
pub fn put(to: &mut Vec<u8>, entry: &SideEntry, chain: u32) -> u32 {
    let begin = to.len();
    let none = ProducerBatch {
        id: ProducerId::NONE,
        epoch: ProducerEpoch(-1),
        base_sequence: Sequence(-1),
    };
    let producer = entry.producer.unwrap_or(none);
    to.i64(entry.base.0);
    to.u32(entry.delta);
    to.i32(entry.epoch.0);
    to.u64(entry.at);
    to.u32(entry.len);
    to.u32(entry.checksum);
    to.i64(entry.max_timestamp);
    to.i64(entry.running_max);
    to.i64(producer.id.0);
    to.i32(producer.base_sequence.0);
    to.i16(producer.epoch.0);
    to.i16(entry.attributes);
    to.u32(chain);
    let crc = crc_of(to.get(begin..).unwrap_or_default());
    to.u32(crc);
    crc
}

fn crc_of(entry: &[u8]) -> u32 {
    if proof::mutant("header-outside-checksum") {
        // Leaves out base offset, delta and epoch, as Kafka's own checksum does.
        return crc32c::crc32c(entry.get(16..).unwrap_or_default());
    }
    crc32c::crc32c(entry)
}

/// Reads one entry, by its own checksum. Gives back the chain value that it names and the one after it.
pub fn take(bytes: &[u8]) -> Result<(SideEntry, u32, u32), SideFault> {
    let bytes = bytes.get(..ENTRY).ok_or(SideFault::Short)?;
    let mut take = Take(bytes);
    let (base, delta) = (Offset(take.i64()?), take.u32()?);
    let epoch = LeaderEpoch(take.i32()?);
    let at = take.u64()?;
    let (len, checksum) = (take.u32()?, take.u32()?);
    let (max_timestamp, running_max) = (take.i64()?, take.i64()?);
    let id = ProducerId(take.i64()?);
    let base_sequence = Sequence(take.i32()?);
    let (producer_epoch, attributes) = (ProducerEpoch(take.i16()?), take.i16()?);
    let (before, crc) = (take.u32()?, take.u32()?);
    let own = crc_of(bytes.get(..ENTRY - 4).unwrap_or_default());
    let orderly = base.0 >= 0 && base.0.checked_add(i64::from(delta) + 1).is_some();
    if own != crc || !orderly {
        return Err(SideFault::Crc);
    }
    let producer = (id != ProducerId::NONE).then_some(ProducerBatch {
        id,
        epoch: producer_epoch,
        base_sequence,
    });
    let entry = SideEntry {
        base,
        delta,
        epoch,
        at,
        len,
        checksum,
        max_timestamp,
        running_max,
        producer,
        attributes,
    };
    Ok((entry, before, crc))
}

/// The entries of a sidecar one after another, each checked by itself and against the one before it.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
    chain: u32,
}

impl<'a> Entries<'a> {
    /// The entries behind a header, or behind any entry whose chain value is known.
    pub fn after(chain: u32, rest: &'a [u8]) -> Entries<'a> {
        Entries { rest, chain }
    }

    /// The chain value after the last entry given out.
    pub fn chain(&self) -> u32 {
        self.chain
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<SideEntry, SideFault>;

    /// The next entry; after a fault there is none.
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = take(self.rest).and_then(|(entry, before, after)| {
            if before == self.chain {
                Ok((entry, after))
            } else {
                Err(SideFault::Chain)
            }
        });
        match read {
            Ok((entry, after)) => {
                self.rest = self.rest.get(ENTRY..).unwrap_or_default();
                self.chain = after;
                Some(Ok(entry))
            }
            Err(fault) => {
                self.rest = &[];
                Some(Err(fault))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{PartitionId, TopicId, Uuid};

    const LOG: LogId = LogId {
        topic: TopicId(Uuid([3; 16])),
        partition: PartitionId(4),
    };

    fn entry(base: i64) -> SideEntry {
        let producer = ProducerBatch {
            id: ProducerId(9),
            epoch: ProducerEpoch(2),
            base_sequence: Sequence(5),
        };
        SideEntry {
            base: Offset(base),
            delta: 9,
            epoch: LeaderEpoch(3),
            at: 61,
            len: 500,
            checksum: 0x0102_0304,
            max_timestamp: 1_700_000_000_000,
            running_max: 1_700_000_000_001,
            producer: (base > 0).then_some(producer),
            attributes: 3,
        }
    }

    fn whole() -> Vec<u8> {
        let mut bytes = header(LOG, Offset(0));
        let mut chain = first_chain(LOG, Offset(0));
        for base in [0, 10] {
            chain = put(&mut bytes, &entry(base), chain);
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Vec<SideEntry>, SideFault> {
        let header = take_header(bytes)?;
        if (header.log, header.base) != (LOG, Offset(0)) {
            return Err(SideFault::NotOurs);
        }
        Entries::after(header.chain, &bytes[HEADER_LEN..]).collect()
    }

    #[test]
    fn golden_bytes_of_a_sidecar() {
        let hex: String = whole()
            .chunks(16)
            .map(|row| row.iter().map(|b| format!("{b:02x}")).collect::<String>() + "\n")
            .collect();
        assert_eq!(hex, include_str!("sidecar.golden"));
    }

    #[test]
    fn what_is_put_is_read() {
        assert_eq!(read(&whole()), Ok(vec![entry(0), entry(10)]));
    }

    #[test]
    fn every_flip_of_one_bit_is_noticed() {
        let good = whole();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bad).is_err(), "#8: bit {bit} was missed");
        }
    }

    #[test]
    #[cfg(feature = "mutants")]
    fn a_checksum_without_the_offsets_is_caught() {
        proof::choose(Some("header-outside-checksum"));
        let mut bad = whole();
        bad[HEADER_LEN] ^= 1;
        let missed = read(&bad).is_ok();
        proof::choose(None);
        assert!(missed, "M20 must be seen");
    }

    #[test]
    fn an_entry_of_another_place_or_file_breaks_the_chain() {
        let mut other = header(LOG, Offset(0));
        let chain = put(&mut Vec::new(), &entry(0), first_chain(LOG, Offset(7)));
        put(&mut other, &entry(10), chain);
        assert_eq!(read(&other), Err(SideFault::Chain));
        let twice = [whole(), whole()[HEADER_LEN..].to_vec()].concat();
        assert_eq!(read(&twice), Err(SideFault::Chain));
    }

    #[test]
    fn short_bytes_are_an_error_at_every_length() {
        let good = whole();
        for len in 0..good.len() {
            let boundary = len >= HEADER_LEN && (len - HEADER_LEN).is_multiple_of(ENTRY);
            assert_eq!(read(&good[..len]).is_ok(), boundary, "at {len}");
        }
    }
}
