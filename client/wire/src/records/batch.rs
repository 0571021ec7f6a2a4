//! The header of a record batch: reading it, stamping it, checking its CRC, and cutting a run of
//! bytes into batches. Decides where each field lies; never looks at a record (#27, #128).
//!
//! ```text
//! at   bytes  field                    under the CRC
//!  0     8    base offset              no   stamped by the log
//!  8     4    length (bytes after it)  no
//! 12     4    partition leader epoch   no   stamped by the log
//! 16     1    magic = 2                no
//! 17     4    CRC-32C of all that follows it
//! 21     2    attributes               yes
//! 23     4    last offset delta        yes
//! 27     8    base timestamp           yes  (delete horizon, when that bit is set)
//! 35     8    max timestamp            yes
//! 43     8    producer id              yes  -1 = none
//! 51     2    producer epoch           yes
//! 53     4    base sequence            yes
//! 57     4    count of records         yes
//! 61     -    records, compressed as one stream when the codec says so
//!
//! attributes   15 ........ 7 |  6             |  5      |  4            |  3             | 2 1 0
//!              unused, zero  | delete horizon | control | transactional | log append time| codec
//! ```
//!
//! All numbers are big-endian. The four fields outside the CRC are covered by what stores a batch
//! (#8), not by the batch.

use super::fault::BatchFault;

/// Bytes of a batch before its first record.
pub const HEADER_BYTES: usize = 61;
/// Bytes that the length field does not count: the base offset and the length itself.
pub const LENGTH_PREFIX: usize = 12;
/// The only magic that Kafka 4 stores or accepts.
pub const MAGIC: i8 = 2;
/// "No producer id", and so no sequence numbers.
pub const NO_PRODUCER_ID: i64 = -1;
/// "No timestamp".
pub const NO_TIMESTAMP: i64 = -1;

const LENGTH_AT: usize = 8;
const EPOCH_AT: usize = 12;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
/// Where the checksummed part begins.
const ATTRIBUTES_AT: usize = 21;
const MAX_TIMESTAMP_AT: usize = 35;
const PRODUCER_AT: usize = 43;

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Codec {
    /// Not at all.
    None,
    /// RFC 1952, one member or several.
    Gzip,
    /// Raw snappy, or snappy in the framing of Java's xerial library.
    Snappy,
    /// The LZ4 frame format with independent blocks.
    Lz4,
    /// RFC 8878 (KIP-110).
    Zstd,
}

impl Codec {
    /// Every codec, in the order of its number on the wire.
    pub const ALL: [Codec; 5] = [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ];

    /// The codec of that number.
    pub fn from_number(number: u8) -> Option<Codec> {
        Codec::ALL.get(usize::from(number)).copied()
    }

    /// Its number in the attributes.
    pub fn number(self) -> u8 {
        match self {
            Codec::None => 0,
            Codec::Gzip => 1,
            Codec::Snappy => 2,
            Codec::Lz4 => 3,
            Codec::Zstd => 4,
        }
    }

    /// Its name in `compression.type`.
    pub fn name(self) -> &'static str {
        match self {
            Codec::None => "none",
            Codec::Gzip => "gzip",
            Codec::Snappy => "snappy",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        }
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Who set the timestamps of a batch (KIP-32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The producer, record by record.
    Create,
    /// The broker, one for the whole batch: its max timestamp.
    LogAppend,
}

/// The attributes of a batch, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attributes {
    /// How the records are compressed.
    pub codec: Codec,
    /// Who set the timestamps.
    pub timestamp_type: TimestampType,
    /// Part of a transaction.
    pub transactional: bool,
    /// Holds control records, which clients may not write.
    pub control: bool,
    /// The base timestamp is a delete horizon (KIP-534), set by compaction only.
    pub delete_horizon: bool,
}

impl Attributes {
    /// Plain records with the producer's timestamps.
    pub const fn plain(codec: Codec) -> Attributes {
        Attributes {
            codec,
            timestamp_type: TimestampType::Create,
            transactional: false,
            control: false,
            delete_horizon: false,
        }
    }

    /// Takes the number apart; a codec or a bit that Kafka 4.4 does not define is a fault.
    pub fn parse(raw: i16) -> Result<Attributes, BatchFault> {
        let number = (raw & 0x07) as u8;
        let codec = Codec::from_number(number).ok_or(BatchFault::Codec { number })?;
        if raw & !0x7f != 0 {
            return Err(BatchFault::Attributes { raw });
        }
        Ok(Attributes {
            codec,
            timestamp_type: if raw & 0x08 == 0 {
                TimestampType::Create
            } else {
                TimestampType::LogAppend
            },
            transactional: raw & 0x10 != 0,
            control: raw & 0x20 != 0,
            delete_horizon: raw & 0x40 != 0,
        })
    }

    /// The number again.
    pub fn raw(self) -> i16 {
        let log_append = self.timestamp_type == TimestampType::LogAppend;
        i16::from(self.codec.number())
            | i16::from(log_append) << 3
            | i16::from(self.transactional) << 4
            | i16::from(self.control) << 5
            | i16::from(self.delete_horizon) << 6
    }
}

/// The header of a batch as it lies in the bytes: every field told, none believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record; 0 in a Produce request.
    pub base_offset: i64,
    /// Bytes after the length field.
    pub length: i32,
    /// Epoch of the leader that appended the batch.
    pub leader_epoch: i32,
    /// CRC-32C over everything from the attributes on.
    pub crc: u32,
    /// See [`BatchHeader::attributes`].
    pub raw_attributes: i16,
    /// Offset of the last record, relative to the base.
    pub last_offset_delta: i32,
    /// What record timestamps are relative to, or the delete horizon.
    pub base_timestamp: i64,
    /// The largest record timestamp, or the log append time.
    pub max_timestamp: i64,
    /// -1 when the producer is not idempotent.
    pub producer_id: i64,
    /// Epoch of that producer.
    pub producer_epoch: i16,
    /// Sequence of the first record.
    pub base_sequence: i32,
    /// How many records are said to follow.
    pub count: i32,
}

impl BatchHeader {
    /// Reads a header. Fewer than 61 bytes, another magic or a length that cannot hold the header
    /// itself are faults; the records need not be there yet.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchFault> {
        let Some(&magic) = bytes.get(MAGIC_AT) else {
            return Err(BatchFault::Cut {
                need: HEADER_BYTES,
                have: bytes.len(),
            });
        };
        match magic as i8 {
            MAGIC => {}
            magic @ (0 | 1) => return Err(BatchFault::OldMagic { magic }),
            magic => return Err(BatchFault::UnknownMagic { magic }),
        }
        let header = Self::read(bytes).ok_or(BatchFault::Cut {
            need: HEADER_BYTES,
            have: bytes.len(),
        })?;
        if header.length < (HEADER_BYTES - LENGTH_PREFIX) as i32 {
            return Err(BatchFault::Length {
                length: header.length,
            });
        }
        Ok(header)
    }

    fn read(mut bytes: &[u8]) -> Option<BatchHeader> {
        let rest = &mut bytes;
        let base_offset = i64::from_be_bytes(take(rest)?);
        let length = i32::from_be_bytes(take(rest)?);
        let leader_epoch = i32::from_be_bytes(take(rest)?);
        let [_magic] = take(rest)?;
        Some(BatchHeader {
            base_offset,
            length,
            leader_epoch,
            crc: u32::from_be_bytes(take(rest)?),
            raw_attributes: i16::from_be_bytes(take(rest)?),
            last_offset_delta: i32::from_be_bytes(take(rest)?),
            base_timestamp: i64::from_be_bytes(take(rest)?),
            max_timestamp: i64::from_be_bytes(take(rest)?),
            producer_id: i64::from_be_bytes(take(rest)?),
            producer_epoch: i16::from_be_bytes(take(rest)?),
            base_sequence: i32::from_be_bytes(take(rest)?),
            count: i32::from_be_bytes(take(rest)?),
        })
    }

    /// Writes the header; the CRC is written as it stands here.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        put(&mut bytes, 0, self.base_offset.to_be_bytes());
        put(&mut bytes, 8, self.length.to_be_bytes());
        put(&mut bytes, EPOCH_AT, self.leader_epoch.to_be_bytes());
        put(&mut bytes, MAGIC_AT, MAGIC.to_be_bytes());
        put(&mut bytes, CRC_AT, self.crc.to_be_bytes());
        put(&mut bytes, ATTRIBUTES_AT, self.raw_attributes.to_be_bytes());
        put(&mut bytes, 23, self.last_offset_delta.to_be_bytes());
        put(&mut bytes, 27, self.base_timestamp.to_be_bytes());
        put(
            &mut bytes,
            MAX_TIMESTAMP_AT,
            self.max_timestamp.to_be_bytes(),
        );
        put(&mut bytes, 43, self.producer_id.to_be_bytes());
        put(&mut bytes, 51, self.producer_epoch.to_be_bytes());
        put(&mut bytes, 53, self.base_sequence.to_be_bytes());
        put(&mut bytes, 57, self.count.to_be_bytes());
        bytes
    }

    /// The attributes, or the fault in them.
    pub fn attributes(&self) -> Result<Attributes, BatchFault> {
        Attributes::parse(self.raw_attributes)
    }

    /// Bytes of the whole batch, header included. `parse` has seen that the length holds a header.
    pub fn size(&self) -> usize {
        LENGTH_PREFIX + self.length as usize
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> i64 {
        self.base_offset
            .saturating_add(i64::from(self.last_offset_delta))
    }

    /// Offset after the last record.
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// Sequence of the last record; sequences wrap from `i32::MAX` to 0.
    pub fn last_sequence(&self) -> i32 {
        sequence_after(self.base_sequence, self.last_offset_delta)
    }
}

/// The sequence `by` records after `sequence`; sequences wrap from `i32::MAX` to 0.
pub fn sequence_after(sequence: i32, by: i32) -> i32 {
    ((i64::from(sequence) + i64::from(by)) & i64::from(i32::MAX)) as i32
}

/// One whole batch in borrowed bytes.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Its header.
    pub header: BatchHeader,
    /// All its bytes, header included, and none beyond.
    pub bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// The batch at the start of `bytes`, which may hold more behind it.
    pub fn first(bytes: &'a [u8]) -> Result<Batch<'a>, BatchFault> {
        let header = BatchHeader::parse(bytes)?;
        let have = bytes.len();
        let bytes = bytes.get(..header.size()).ok_or(BatchFault::Cut {
            need: header.size(),
            have,
        })?;
        Ok(Batch { header, bytes })
    }

    /// The records as they lie here: compressed, if the codec says so.
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(HEADER_BYTES..).unwrap_or_default()
    }

    /// Checks the CRC (#7, #27).
    pub fn check_crc(&self) -> Result<(), BatchFault> {
        let computed = crc_of(self.bytes);
        if computed != self.header.crc {
            return Err(BatchFault::Crc {
                stored: self.header.crc,
                computed,
            });
        }
        Ok(())
    }
}

/// Cuts a run of bytes into batches: a segment, a Fetch response, a commit.
///
/// A last batch that is not whole ends the walk without an item, as in a Fetch response that was
/// cut at its byte limit: what is left is in [`Batches::rest`]. A length or a magic that cannot be
/// is a fault and ends the walk too. CRCs are left to the caller.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
    ended: bool,
}

impl<'a> Batches<'a> {
    /// The batches in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Batches<'a> {
        Batches {
            rest: bytes,
            ended: false,
        }
    }

    /// The bytes not yet walked: after the end, those of a batch that is not whole or not one.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, BatchFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended || self.rest.is_empty() {
            return None;
        }
        match Batch::first(self.rest) {
            Ok(batch) => {
                self.rest = self.rest.get(batch.bytes.len()..).unwrap_or_default();
                Some(Ok(batch))
            }
            Err(BatchFault::Cut { .. }) => {
                self.ended = true;
                None
            }
            Err(fault) => {
                self.ended = true;
                Some(Err(fault))
            }
        }
    }
}

/// The CRC-32C of a whole batch: of everything from the attributes on.
pub fn crc_of(batch: &[u8]) -> u32 {
    crc32c::crc32c(batch.get(ATTRIBUTES_AT..).unwrap_or_default())
}

/// Stamps where the batch lies: base offset and leader epoch, both outside the CRC. Bytes too few
/// for a batch are left as they are.
pub fn stamp(batch: &mut [u8], base_offset: i64, leader_epoch: i32) {
    if batch.len() >= HEADER_BYTES {
        put(batch, 0, base_offset.to_be_bytes());
        put(batch, EPOCH_AT, leader_epoch.to_be_bytes());
    }
}

/// Sets the max timestamp and computes the CRC anew, as Kafka does where a client left it wrong.
pub fn set_max_timestamp(batch: &mut [u8], max_timestamp: i64) {
    if batch.len() >= HEADER_BYTES {
        put(batch, MAX_TIMESTAMP_AT, max_timestamp.to_be_bytes());
        seal(batch);
    }
}

/// Turns the batch into one of log append time `now` and computes the CRC anew, for topics whose
/// `message.timestamp.type` is LogAppendTime.
pub fn set_log_append_time(batch: &mut [u8], now: i64) {
    let Some(header) = BatchHeader::read(batch) else {
        return;
    };
    put(
        batch,
        ATTRIBUTES_AT,
        (header.raw_attributes | 0x08).to_be_bytes(),
    );
    set_max_timestamp(batch, now);
}

/// Says that the records lie in this codec, and how long they are now. The CRC is not right any more then.
pub(super) fn set_codec(batch: &mut [u8], codec: Codec) -> Result<(), BatchFault> {
    let size = batch.len();
    let Some(header) = BatchHeader::read(batch) else {
        return Ok(());
    };
    let length = i32::try_from(size - LENGTH_PREFIX).map_err(|_| BatchFault::TooLarge {
        size,
        max: i32::MAX as usize,
    })?;
    let attributes = header.raw_attributes & !0x07 | i16::from(codec.number());
    put(batch, LENGTH_AT, length.to_be_bytes());
    put(batch, ATTRIBUTES_AT, attributes.to_be_bytes());
    Ok(())
}

/// Says anew which idempotent producer sends the batch, and computes the CRC.
pub fn set_producer(batch: &mut [u8], id: i64, epoch: i16, base_sequence: i32) {
    if batch.len() >= HEADER_BYTES {
        put(batch, PRODUCER_AT, id.to_be_bytes());
        put(batch, PRODUCER_AT + 8, epoch.to_be_bytes());
        put(batch, PRODUCER_AT + 10, base_sequence.to_be_bytes());
        seal(batch);
    }
}

/// Computes and writes the CRC.
pub(super) fn seal(batch: &mut [u8]) {
    let crc = crc_of(batch);
    put(batch, CRC_AT, crc.to_be_bytes());
}

fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(place) = bytes.get_mut(at..at + N) {
        place.copy_from_slice(&value);
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = bytes.split_first_chunk::<N>()?;
    *bytes = tail;
    Some(*head)
}
