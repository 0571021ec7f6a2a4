//! May this batch of a client be stored? Decides it by a borrowed walk: header, CRC, every record's
//! lengths, offsets and timestamps; a compressed batch is walked as it streams out of the codec.
//! Never rewrites, copies or keeps a byte. Holds #27, #114, #118, #128, #130.
//!
//! Refused is what Kafka 4.4 refuses, and what it would store although it is a lie: offset deltas
//! that are not 0, 1, 2 .., attribute bits that mean nothing, a transaction without a producer,
//! bytes hidden behind a compressed stream, a max timestamp later than every record.
//!
//! A max timestamp that is too *early* is mended, as Kafka mends it: kafkajs sends the last record's
//! time instead of the largest, older Sarama none at all. [`BatchFacts::to_store`] does it; all
//! other batches are stored as they were sent.

use bytes::Bytes;

use super::alike::FARTHEST_DELTA;
use super::batch::{
    Attributes, Batch, BatchHeader, Codec, NO_PRODUCER_ID, NO_TIMESTAMP, TimestampType,
    sequence_after, set_max_timestamp,
};
use super::fault::BatchFault;
use super::inflate::{Caps, Inflater};
use super::pool::Pool;
use super::walk::{Plain, Stream, Walk};

/// What a client's batch must keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// `max.message.bytes` of the topic: bytes of the batch as sent.
    pub bytes_max: usize,
    /// Records in one batch.
    pub records_max: u32,
    /// What decompression may use.
    pub caps: Caps,
    /// Whether zstd may be used: not before Produce version 7 (KIP-110).
    pub zstd: bool,
}

impl Rules {
    /// The rules for a Produce request of `version`, for a topic with this `max.message.bytes`.
    pub fn produce(version: i16, bytes_max: usize) -> Rules {
        Rules {
            bytes_max,
            records_max: 1 << 20,
            caps: Caps::DEFAULT,
            zstd: version >= 7,
        }
    }
}

/// The producer of an idempotent batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    /// Not negative.
    pub id: i64,
    /// Not negative.
    pub epoch: i16,
    /// Sequence of the first record.
    pub base_sequence: i32,
    /// Sequence of the last record; it may have wrapped to 0.
    pub last_sequence: i32,
}

/// What the log must know of a batch that may be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchFacts {
    /// Bytes of the batch.
    pub size: usize,
    /// Bytes of its records without compression.
    pub plain_size: u64,
    /// Records, at least one.
    pub count: u32,
    /// `count - 1`.
    pub last_offset_delta: i32,
    /// How the records are compressed.
    pub codec: Codec,
    /// Whether it is part of a transaction; then `producer` is there.
    pub transactional: bool,
    /// The producer, if it is idempotent.
    pub producer: Option<Producer>,
    /// The smallest record timestamp other than "none" (-1); -1 if none has one.
    pub min_timestamp: i64,
    /// The largest record timestamp; -1 if none has one.
    pub max_timestamp: i64,
    /// The first record without a key, which a compacted topic refuses.
    pub keyless: Option<u32>,
    /// The CRC that the stored batch will have, if it is stored as sent.
    pub crc: u32,
    /// Whether the max timestamp in the header is too early and has to be mended.
    pub mend: bool,
}

impl BatchFacts {
    /// The bytes to store: those sent, or, with a max timestamp to mend, a copy with that and the
    /// CRC put right.
    pub fn to_store(&self, sent: Bytes) -> Bytes {
        if !self.mend {
            return sent;
        }
        let mut mended = sent.to_vec();
        set_max_timestamp(&mut mended, self.max_timestamp);
        Bytes::from(mended)
    }
}

/// Judges the records that a client sent for one partition: exactly one batch, from the first byte
/// of `sent` to the last.
pub fn validate(
    sent: &[u8],
    rules: &Rules,
    inflater: &mut Inflater,
    pool: &Pool,
) -> Result<BatchFacts, BatchFault> {
    if sent.is_empty() {
        return Err(BatchFault::Empty);
    }
    let batch = Batch::first(sent)?;
    let header = &batch.header;
    let codec = Attributes::parse(header.raw_attributes).map(|a| a.codec);
    if codec == Ok(Codec::Zstd) && !rules.zstd {
        return Err(BatchFault::ZstdTooEarly);
    }
    if header.base_offset != 0 {
        return Err(BatchFault::BaseOffset {
            base_offset: header.base_offset,
        });
    }
    if sent.len() > rules.bytes_max {
        return Err(BatchFault::TooLarge {
            size: sent.len(),
            max: rules.bytes_max,
        });
    }
    batch.check_crc()?;
    if sent.len() > batch.bytes.len() {
        return Err(BatchFault::MoreThanOne {
            bytes: sent.len() - batch.bytes.len(),
        });
    }

    let attributes = client_attributes(header)?;
    if header.count <= 0 {
        return Err(BatchFault::Count {
            count: header.count,
        });
    }
    if header.count as u32 > rules.records_max {
        return Err(BatchFault::TooMany {
            count: header.count,
            max: rules.records_max,
        });
    }
    if header.last_offset_delta != header.count - 1 {
        return Err(BatchFault::LastOffsetDelta {
            delta: header.last_offset_delta,
            count: header.count,
        });
    }
    let producer = producer(header, attributes)?;

    let (records, plain_size) = if attributes.codec == Codec::None {
        (
            judge(Plain::new(batch.payload()), header)?,
            batch.payload().len() as u64,
        )
    } else {
        let inflate = inflater.open(attributes.codec, batch.payload(), rules.caps, pool)?;
        let mut stream = Stream::new(inflate);
        (judge(&mut stream, header)?, stream.produced())
    };
    if header.max_timestamp > records.max_timestamp {
        return Err(BatchFault::MaxTimestamp {
            declared: header.max_timestamp,
            found: records.max_timestamp,
        });
    }

    Ok(BatchFacts {
        size: sent.len(),
        plain_size,
        count: header.count as u32,
        last_offset_delta: header.last_offset_delta,
        codec: attributes.codec,
        transactional: attributes.transactional,
        producer,
        min_timestamp: records.min_timestamp,
        max_timestamp: records.max_timestamp,
        keyless: records.keyless,
        crc: header.crc,
        mend: header.max_timestamp < records.max_timestamp,
    })
}

/// The attributes, if a client may set them (#118).
fn client_attributes(header: &BatchHeader) -> Result<Attributes, BatchFault> {
    let attributes = header.attributes()?;
    if attributes.control {
        return Err(BatchFault::Control);
    }
    if attributes.delete_horizon {
        return Err(BatchFault::DeleteHorizon);
    }
    if attributes.timestamp_type == TimestampType::LogAppend {
        return Err(BatchFault::LogAppendTime);
    }
    Ok(attributes)
}

/// The producer. Without an id the epoch and the sequence mean nothing, whatever they are: aiokafka
/// sends sequence 0 there, older Sarama epoch 0.
fn producer(header: &BatchHeader, attributes: Attributes) -> Result<Option<Producer>, BatchFault> {
    if header.producer_id < NO_PRODUCER_ID {
        return Err(BatchFault::ProducerId {
            id: header.producer_id,
        });
    }
    if header.producer_id == NO_PRODUCER_ID {
        return if attributes.transactional {
            Err(BatchFault::TransactionWithoutProducer)
        } else {
            Ok(None)
        };
    }
    if header.producer_epoch < 0 {
        return Err(BatchFault::ProducerEpoch {
            epoch: header.producer_epoch,
        });
    }
    if header.base_sequence < 0 {
        return Err(BatchFault::BaseSequence {
            sequence: header.base_sequence,
        });
    }
    Ok(Some(Producer {
        id: header.producer_id,
        epoch: header.producer_epoch,
        base_sequence: header.base_sequence,
        last_sequence: sequence_after(header.base_sequence, header.last_offset_delta),
    }))
}

/// What the walk over the records found.
struct Judged {
    min_timestamp: i64,
    max_timestamp: i64,
    keyless: Option<u32>,
}

/// Walks all records: as many as counted, their offsets 0, 1, 2 .., their timestamps in range.
#[inline(always)]
fn judge(mut walk: impl Walk, header: &BatchHeader) -> Result<Judged, BatchFault> {
    let count = header.count as u32;
    let mut max = NO_TIMESTAMP;
    let mut min = i64::MAX;
    let mut keyless = None;
    let mut index = 0;
    // Where no sum of a delta of `alike` overflows, and none is "none" by chance.
    let base = header.base_timestamp;
    let usual = base > FARTHEST_DELTA && base < i64::MAX - FARTHEST_DELTA;
    loop {
        if usual && let Some(alike) = walk.alike(index, count - index) {
            max = max.max(base + alike.max_timestamp_delta);
            min = min.min(base + alike.min_timestamp_delta);
            if !alike.has_keys && keyless.is_none() {
                keyless = Some(index);
            }
            index += alike.records;
        }
        let Some(seen) = walk.next().map_err(|fault| fault.at(index))? else {
            break;
        };
        if index == count {
            return Err(BatchFault::More {
                count: header.count,
            });
        }
        if seen.offset_delta != index as i32 {
            return Err(BatchFault::OffsetDelta {
                index,
                delta: seen.offset_delta,
            });
        }
        let Some(timestamp) = header.base_timestamp.checked_add(seen.timestamp_delta) else {
            return Err(BatchFault::Timestamp { index });
        };
        max = max.max(timestamp);
        if timestamp != NO_TIMESTAMP {
            min = min.min(timestamp);
        }
        if !seen.has_key && keyless.is_none() {
            keyless = Some(index);
        }
        index += 1;
    }
    if index < count {
        return Err(BatchFault::Fewer {
            found: index,
            count: header.count,
        });
    }
    let min_timestamp = if min == i64::MAX { NO_TIMESTAMP } else { min };
    Ok(Judged {
        min_timestamp,
        max_timestamp: max,
        keyless,
    })
}
