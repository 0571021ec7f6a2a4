//! Records inside a batch, borrowed from its plain bytes. Decides where key, value and headers
//! lie; headers stay an ordered list in which names may repeat. Never copies or decompresses (#128).
//!
//! ```text
//! length varint | attributes i8 | timestamp delta varlong | offset delta varint
//! key length varint (-1 = null) | key | value length varint (-1 = null) | value
//! headers varint, then for each: name length varint | name | value length varint (-1 = null) | value
//! ```

use super::batch::{BatchHeader, NO_TIMESTAMP, TimestampType};
use super::fault::{BatchFault, RecordFault};
use super::varint::{Bytes, Slice};

/// One record, its fields borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Offset, relative to the batch's base.
    pub offset_delta: i32,
    /// Timestamp, relative to the batch's base; without meaning where the broker set the time.
    pub timestamp_delta: i64,
    /// The key, or null.
    pub key: Option<&'a [u8]>,
    /// The value, or null: a tombstone on a compacted topic.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: Headers<'a>,
}

impl<'a> Record<'a> {
    /// Reads a record from exactly its bytes, the length before it left out.
    pub fn parse(body: &'a [u8]) -> Result<Record<'a>, RecordFault> {
        let mut body = Slice(body);
        let _attributes = body.byte()?;
        let timestamp_delta = body.varlong()?;
        let offset_delta = body.varint()?;
        let key = nullable(&mut body)?;
        let value = nullable(&mut body)?;
        let count = body.varint()?;
        if count < 0 || count as usize > body.left() / 2 {
            return Err(RecordFault::Headers { count });
        }
        let headers = Headers {
            count: count as u32,
            rest: body,
        };
        let mut end = headers;
        while end.count > 0 {
            end.read()?;
        }
        match end.rest.left() {
            0 => Ok(Record {
                offset_delta,
                timestamp_delta,
                key,
                value,
                headers,
            }),
            bytes => Err(RecordFault::Slack { bytes }),
        }
    }

    /// Its offset in the log.
    pub fn offset(&self, batch: &BatchHeader) -> i64 {
        batch
            .base_offset
            .saturating_add(i64::from(self.offset_delta))
    }

    /// Its timestamp: the producer's, or the batch's where the broker set it.
    pub fn timestamp(&self, batch: &BatchHeader) -> i64 {
        timestamp_of(batch, self.timestamp_delta)
    }
}

/// The timestamp of a record of `batch`.
pub(super) fn timestamp_of(batch: &BatchHeader, timestamp_delta: i64) -> i64 {
    match batch.attributes() {
        Ok(a) if a.timestamp_type == TimestampType::LogAppend => batch.max_timestamp,
        // Compaction replaced the base by a delete horizon, and made the deltas relative to it.
        _ => batch
            .base_timestamp
            .checked_add(timestamp_delta)
            .unwrap_or(NO_TIMESTAMP),
    }
}

fn nullable<'a>(body: &mut Slice<'a>) -> Result<Option<&'a [u8]>, RecordFault> {
    match body.varint()? {
        -1 => Ok(None),
        length if length < 0 => Err(RecordFault::Length { length }),
        length => Ok(Some(body.take(length as usize)?)),
    }
}

/// A header of a record (KIP-82). The name is UTF-8 by agreement; no broker checks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its name, which may occur again in the same record.
    pub name: &'a [u8],
    /// Its value, or null.
    pub value: Option<&'a [u8]>,
}

/// The headers of one record, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    count: u32,
    rest: Slice<'a>,
}

impl<'a> Headers<'a> {
    fn read(&mut self) -> Result<Header<'a>, RecordFault> {
        let length = self.rest.varint()?;
        if length < 0 {
            return Err(RecordFault::Length { length });
        }
        let name = self.rest.take(length as usize)?;
        let value = nullable(&mut self.rest)?;
        self.count -= 1;
        Ok(Header { name, value })
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        // `Record::parse` has read them all once, so none can fail.
        if self.count == 0 {
            None
        } else {
            self.read().ok()
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count as usize, Some(self.count as usize))
    }
}

impl ExactSizeIterator for Headers<'_> {}

/// The records of plain (decompressed) bytes, one after the other. A fault ends the walk.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    rest: Slice<'a>,
    index: u32,
}

impl<'a> Records<'a> {
    /// The records in `plain`: a batch's payload, or what [`Inflater::read_all`] made of it.
    ///
    /// [`Inflater::read_all`]: super::Inflater::read_all
    pub fn new(plain: &'a [u8]) -> Records<'a> {
        Records {
            rest: Slice(plain),
            index: 0,
        }
    }

    fn read(&mut self) -> Result<Record<'a>, RecordFault> {
        let length = self.rest.varint()?;
        if length < 0 {
            return Err(RecordFault::Length { length });
        }
        Record::parse(self.rest.take(length as usize)?)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BatchFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.left() == 0 {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.rest = Slice(&[]);
        }
        let index = self.index;
        self.index += 1;
        Some(read.map_err(|fault| BatchFault::Record { index, fault }))
    }
}
