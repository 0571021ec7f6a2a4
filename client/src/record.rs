//! Records as a program has them: owned, so that they outlive the batch and the connection they came with (R1).
//! Decides their shape; batches are made and taken apart here by the codec of `sawlog-wire`.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use sawlog_wire::records::{
    BatchBuilder, Batches, Caps, Codec, Inflater, NewRecord, Pool, Records,
};

use crate::error::{Error, Kind};

/// What decompression of one answer may take.
const INFLATE_MAX: usize = 256 << 20;

/// A header of a record (KIP-82). Names may repeat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// Its name.
    pub name: Bytes,
    /// Its value, or null.
    pub value: Option<Bytes>,
}

/// A record to be appended.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// The key, or null.
    pub key: Option<Bytes>,
    /// The value, or null.
    pub value: Option<Bytes>,
    /// The headers, in order.
    pub headers: Vec<Header>,
    /// Milliseconds since 1970; now, if it is not given.
    pub timestamp: Option<i64>,
}

impl Record {
    /// A record with this value and nothing else.
    pub fn value(value: impl Into<Bytes>) -> Record {
        Record {
            value: Some(value.into()),
            ..Record::default()
        }
    }

    /// With a key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Bytes>) -> Record {
        self.key = Some(key.into());
        self
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) -> Record {
        self.headers.push(Header {
            name: name.into(),
            value: Some(value.into()),
        });
        self
    }
}

/// A record that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Where it lies.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The key, or null.
    pub key: Option<Bytes>,
    /// The value, or null.
    pub value: Option<Bytes>,
    /// The headers, in order.
    pub headers: Vec<Header>,
}

/// The records as one batch.
pub(crate) fn batch(records: &[Record]) -> Result<Bytes, Error> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let invalid = |why: &dyn std::fmt::Display| {
        Error::new(Kind::Invalid, format!("the records make no batch: {why}"))
    };
    let mut builder = BatchBuilder::new(Codec::None);
    for record in records {
        let headers: Vec<(&[u8], Option<&[u8]>)> = record
            .headers
            .iter()
            .map(|header| (&*header.name, header.value.as_deref()))
            .collect();
        let new = NewRecord {
            timestamp: record.timestamp.unwrap_or(now),
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &headers,
        };
        builder.push(new).map_err(|why| invalid(&why))?;
    }
    builder
        .build()
        .map(Bytes::from)
        .map_err(|why| invalid(&why))
}

/// The records of whole batches from `from` on, each checked by its CRC, and the offset after the last batch. Control
/// records are left out: they speak to clients, not to programs.
pub(crate) fn unpack(bytes: &Bytes, from: i64) -> Result<(Vec<Stored>, i64), Error> {
    let corrupt = |why: &dyn std::fmt::Display| {
        Error::new(Kind::Protocol, format!("records cannot be read: {why}"))
    };
    let (mut stored, mut next) = (Vec::new(), from);
    let (mut inflater, pool) = (Inflater::new(), Pool::new(INFLATE_MAX));
    for batch in Batches::new(bytes) {
        let batch = batch.map_err(|why| corrupt(&why))?;
        batch.check_crc().map_err(|why| corrupt(&why))?;
        let attributes = batch.header.attributes().map_err(|why| corrupt(&why))?;
        next = next.max(batch.header.next_offset());
        if attributes.control {
            continue;
        }
        let mut plain = Vec::new();
        let payload = if attributes.codec == Codec::None {
            batch.payload()
        } else {
            let _grant = inflater
                .read_all(
                    attributes.codec,
                    batch.payload(),
                    Caps::DEFAULT,
                    &pool,
                    &mut plain,
                )
                .map_err(|why| corrupt(&why))?;
            &plain
        };
        for record in Records::new(payload) {
            let record = record.map_err(|why| corrupt(&why))?;
            let offset = record.offset(&batch.header);
            // A batch may begin before what was asked for.
            if offset < from {
                continue;
            }
            let headers = record.headers.map(|header| Header {
                name: Bytes::copy_from_slice(header.name),
                value: header.value.map(Bytes::copy_from_slice),
            });
            stored.push(Stored {
                offset,
                timestamp: record.timestamp(&batch.header),
                key: record.key.map(Bytes::copy_from_slice),
                value: record.value.map(Bytes::copy_from_slice),
                headers: headers.collect(),
            });
        }
    }
    Ok((stored, next))
}
