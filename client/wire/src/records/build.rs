//! Makes record batches: for clients, for the broker's own logs, for tests. Decides deltas, header
//! and CRC; never an offset or a sequence, which it is told.

use std::fmt;
use std::io;

use super::batch::{
    Attributes, BatchHeader, Codec, HEADER_BYTES, LENGTH_PREFIX, NO_PRODUCER_ID, NO_TIMESTAMP,
    TimestampType, seal,
};
use super::compress::compress;
use super::control::ControlKind;
use super::varint::{put_varint, put_varlong, varint_size, varlong_size};

/// A record to be put into a batch.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewRecord<'a> {
    /// Milliseconds since 1970, or -1.
    pub timestamp: i64,
    /// The key, or null.
    pub key: Option<&'a [u8]>,
    /// The value, or null.
    pub value: Option<&'a [u8]>,
    /// Names and values; names may repeat.
    pub headers: &'a [(&'a [u8], Option<&'a [u8]>)],
}

impl NewRecord<'_> {
    /// What it may take in a batch at most, before compression: each length and number at its widest.
    pub fn size_max(&self) -> usize {
        let part = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len) + 5;
        let header = |(name, value): &(&[u8], Option<&[u8]>)| part(Some(name)) + part(*value);
        let headers: usize = self.headers.iter().map(header).sum();
        26 + part(self.key) + part(self.value) + headers
    }
}

/// Why a batch cannot be made.
#[derive(Debug)]
pub enum BuildFault {
    /// A length or the count does not fit in 31 bits.
    TooLarge,
    /// A timestamp too far from the first one.
    Timestamp,
    /// Kafka knows no batch of no records from a producer.
    Empty,
    /// The codec failed.
    Compress(io::Error),
}

impl fmt::Display for BuildFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildFault::TooLarge => f.write_str("batch larger than 2 GiB"),
            BuildFault::Timestamp => f.write_str("timestamp too far from the first record's"),
            BuildFault::Empty => f.write_str("batch without records"),
            BuildFault::Compress(error) => write!(f, "compress: {error}"),
        }
    }
}

impl std::error::Error for BuildFault {}

/// A batch in the making.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    attributes: Attributes,
    base_offset: i64,
    leader_epoch: i32,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    count: i32,
    /// Room for the header, then the records: a batch that is not compressed is finished in place.
    plain: Vec<u8>,
}

impl BatchBuilder {
    /// A batch as a producer without idempotence sends it.
    pub fn new(codec: Codec) -> BatchBuilder {
        BatchBuilder {
            attributes: Attributes::plain(codec),
            base_offset: 0,
            leader_epoch: -1,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: -1,
            base_sequence: -1,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
            count: 0,
            plain: vec![0; HEADER_BYTES],
        }
    }

    /// The same, with room for so many bytes of records.
    pub fn with_capacity(codec: Codec, bytes: usize) -> BatchBuilder {
        let mut batch = BatchBuilder::new(codec);
        batch.plain.reserve_exact(bytes);
        batch
    }

    /// A batch of control records.
    pub fn control() -> BatchBuilder {
        let mut batch = BatchBuilder::new(Codec::None);
        batch.attributes.control = true;
        batch
    }

    /// Says where the batch lies in a log.
    pub fn at(mut self, base_offset: i64, leader_epoch: i32) -> BatchBuilder {
        self.base_offset = base_offset;
        self.leader_epoch = leader_epoch;
        self
    }

    /// Says which idempotent producer sends it.
    pub fn producer(mut self, id: i64, epoch: i16, base_sequence: i32) -> BatchBuilder {
        self.producer_id = id;
        self.producer_epoch = epoch;
        self.base_sequence = base_sequence;
        self
    }

    /// Makes it part of a transaction.
    pub fn transactional(mut self) -> BatchBuilder {
        self.attributes.transactional = true;
        self
    }

    /// Gives all records the broker's time `now`.
    pub fn log_append_time(mut self, now: i64) -> BatchBuilder {
        self.attributes.timestamp_type = TimestampType::LogAppend;
        self.max_timestamp = now;
        self
    }

    /// Adds a record.
    pub fn push(&mut self, record: NewRecord<'_>) -> Result<(), BuildFault> {
        if self.count == 0 {
            self.base_timestamp = record.timestamp;
        }
        let timestamp_delta = record
            .timestamp
            .checked_sub(self.base_timestamp)
            .ok_or(BuildFault::Timestamp)?;
        let next = self.count.checked_add(1).ok_or(BuildFault::TooLarge)?;
        let length = 1
            + varlong_size(timestamp_delta)
            + varint_size(self.count)
            + nullable_size(record.key)?
            + nullable_size(record.value)?
            + headers_size(record.headers)?;
        put_length(&mut self.plain, length)?;
        let end = self.plain.len() + length;
        self.plain.push(0);
        put_varlong(&mut self.plain, timestamp_delta);
        put_varint(&mut self.plain, self.count);
        put_nullable(&mut self.plain, record.key)?;
        put_nullable(&mut self.plain, record.value)?;
        put_length(&mut self.plain, record.headers.len())?;
        for (name, value) in record.headers {
            put_nullable(&mut self.plain, Some(name))?;
            put_nullable(&mut self.plain, *value)?;
        }
        assert_eq!(self.plain.len(), end, "a record is as long as it says");
        if self.attributes.timestamp_type == TimestampType::Create {
            self.max_timestamp = self.max_timestamp.max(record.timestamp);
        }
        self.count = next;
        Ok(())
    }

    /// Adds a control record.
    pub fn push_control(
        &mut self,
        timestamp: i64,
        kind: ControlKind,
        value: &[u8],
    ) -> Result<(), BuildFault> {
        self.push(NewRecord {
            timestamp,
            key: Some(&kind.key()),
            value: Some(value),
            headers: &[],
        })
    }

    /// Records so far.
    pub fn count(&self) -> i32 {
        self.count
    }

    /// Bytes of the records so far, before compression.
    pub fn plain_size(&self) -> usize {
        self.plain.len() - HEADER_BYTES
    }

    /// The batch. The builder may go on and give a longer one.
    pub fn build(&self) -> Result<Vec<u8>, BuildFault> {
        let mut batch = match self.attributes.codec {
            Codec::None => self.plain.clone(),
            codec => self.compressed(codec)?,
        };
        self.seal(&mut batch)?;
        Ok(batch)
    }

    /// The batch, in the memory that the records lie in if they are not compressed.
    pub fn finish(mut self) -> Result<Vec<u8>, BuildFault> {
        let mut batch = match self.attributes.codec {
            Codec::None => std::mem::take(&mut self.plain),
            codec => self.compressed(codec)?,
        };
        self.seal(&mut batch)?;
        Ok(batch)
    }

    fn compressed(&self, codec: Codec) -> Result<Vec<u8>, BuildFault> {
        let mut batch = vec![0; HEADER_BYTES];
        let (_, records) = self.plain.split_at(HEADER_BYTES);
        compress(codec, records, &mut batch).map_err(BuildFault::Compress)?;
        Ok(batch)
    }

    fn seal(&self, batch: &mut [u8]) -> Result<(), BuildFault> {
        if self.count == 0 {
            return Err(BuildFault::Empty);
        }
        let header = BatchHeader {
            base_offset: self.base_offset,
            length: i32::try_from(batch.len() - LENGTH_PREFIX).map_err(|_| BuildFault::TooLarge)?,
            leader_epoch: self.leader_epoch,
            crc: 0,
            raw_attributes: self.attributes.raw(),
            last_offset_delta: self.count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: self.base_sequence,
            count: self.count,
        };
        let (place, _) = batch.split_at_mut(HEADER_BYTES);
        place.copy_from_slice(&header.encode());
        seal(batch);
        Ok(())
    }
}

fn nullable_size(bytes: Option<&[u8]>) -> Result<usize, BuildFault> {
    let Some(bytes) = bytes else {
        return Ok(1);
    };
    let length = i32::try_from(bytes.len()).map_err(|_| BuildFault::TooLarge)?;
    Ok(varint_size(length) + bytes.len())
}

fn headers_size(headers: &[(&[u8], Option<&[u8]>)]) -> Result<usize, BuildFault> {
    let count = i32::try_from(headers.len()).map_err(|_| BuildFault::TooLarge)?;
    let mut size = varint_size(count);
    for (name, value) in headers {
        size += nullable_size(Some(name))? + nullable_size(*value)?;
    }
    Ok(size)
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) -> Result<(), BuildFault> {
    match bytes {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_length(out, bytes.len())?;
            out.extend_from_slice(bytes);
        }
    }
    Ok(())
}

fn put_length(out: &mut Vec<u8>, length: usize) -> Result<(), BuildFault> {
    put_varint(
        out,
        i32::try_from(length).map_err(|_| BuildFault::TooLarge)?,
    );
    Ok(())
}
