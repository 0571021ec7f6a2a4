//! Records as a program has them: owned, so that they outlive the batch and the connection they came with (R1).
//! Decides their shape; batches are made by the engine and taken apart here, by the codec of `sawlog-wire`.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use sawlog_wire::records::{
    Batch, Batches, Caps, Codec, Inflater, NewRecord, Pool, Records, TimestampType,
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

/// A record to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition; the partitioner's choice if it is not given.
    pub partition: Option<i32>,
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
    /// A record to this topic, with nothing in it yet.
    pub fn to(topic: impl Into<Arc<str>>) -> Record {
        Record {
            topic: topic.into(),
            partition: None,
            key: None,
            value: None,
            headers: Vec::new(),
            timestamp: None,
        }
    }

    /// With a value.
    #[must_use]
    pub fn value(mut self, value: impl Into<Bytes>) -> Record {
        self.value = Some(value.into());
        self
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

    /// To this partition, whatever the key says.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Record {
        self.partition = Some(partition);
        self
    }

    /// With a time, in milliseconds since 1970.
    #[must_use]
    pub fn timestamp(mut self, timestamp: i64) -> Record {
        self.timestamp = Some(timestamp);
        self
    }

    /// The record as the codec takes it. `headers` is room for its headers.
    pub(crate) fn borrowed<'a>(
        &'a self,
        headers: &'a mut Vec<(&'a [u8], Option<&'a [u8]>)>,
    ) -> NewRecord<'a> {
        let pair = |header: &'a Header| (&*header.name, header.value.as_deref());
        headers.extend(self.headers.iter().map(pair));
        NewRecord {
            timestamp: self.timestamp.unwrap_or_else(now),
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers,
        }
    }
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// Who set a record's time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeOf {
    /// Its sender.
    Creation,
    /// The broker, when it was appended.
    Append,
}

/// A record that was read. Key, value and headers share the memory of the answer they came in: keep a copy of a small one
/// that is to live long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// Where it lies.
    pub offset: i64,
    /// In which leadership it was appended; -1 if nobody said.
    pub leader_epoch: i32,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// Who set the time.
    pub time_of: TimeOf,
    /// The key, or null.
    pub key: Option<Bytes>,
    /// The value, or null.
    pub value: Option<Bytes>,
    /// The headers, in order.
    pub headers: Vec<Header>,
}

/// Takes batches apart: one for each task that reads, so that its buffers serve again.
#[derive(Debug)]
pub(crate) struct Unpacker {
    inflater: Inflater,
    pool: Pool,
}

impl Unpacker {
    pub(crate) fn new() -> Unpacker {
        Unpacker {
            inflater: Inflater::new(),
            pool: Pool::new(INFLATE_MAX),
        }
    }

    /// The records of whole batches from `from` on, each checked by its CRC, and the offset after the last batch. Control
    /// records are left out: they speak to clients, not to programs.
    pub(crate) fn unpack(
        &mut self,
        topic: &Arc<str>,
        partition: i32,
        bytes: &Bytes,
        from: i64,
    ) -> Result<(Vec<Message>, i64), Error> {
        let (mut messages, mut next) = (Vec::new(), from);
        for batch in Batches::new(bytes) {
            let batch = batch.map_err(|why| corrupt(&why))?;
            batch.check_crc().map_err(|why| corrupt(&why))?;
            next = next.max(batch.header.next_offset());
            self.batch(topic, partition, bytes, &batch, from, &mut messages)?;
        }
        Ok((messages, next))
    }

    fn batch(
        &mut self,
        topic: &Arc<str>,
        partition: i32,
        bytes: &Bytes,
        batch: &Batch<'_>,
        from: i64,
        messages: &mut Vec<Message>,
    ) -> Result<(), Error> {
        let attributes = batch.header.attributes().map_err(|why| corrupt(&why))?;
        if attributes.control {
            return Ok(());
        }
        let plain = match attributes.codec {
            Codec::None => bytes.slice_ref(batch.payload()),
            codec => {
                let mut plain = Vec::new();
                // The bytes live as long as the messages do; the grant bounds one batch at a time.
                let _grant = self
                    .inflater
                    .read_all(
                        codec,
                        batch.payload(),
                        Caps::DEFAULT,
                        &self.pool,
                        &mut plain,
                    )
                    .map_err(|why| corrupt(&why))?;
                Bytes::from(plain)
            }
        };
        let time_of = match attributes.timestamp_type {
            TimestampType::Create => TimeOf::Creation,
            TimestampType::LogAppend => TimeOf::Append,
        };
        messages.reserve(
            usize::try_from(batch.header.count)
                .unwrap_or(0)
                .min(plain.len() / 7),
        );
        for record in Records::new(&plain) {
            let record = record.map_err(|why| corrupt(&why))?;
            let offset = record.offset(&batch.header);
            // A batch may begin before what was asked for.
            if offset < from {
                continue;
            }
            let headers = record.headers.map(|header| Header {
                name: plain.slice_ref(header.name),
                value: header.value.map(|value| plain.slice_ref(value)),
            });
            messages.push(Message {
                topic: topic.clone(),
                partition,
                offset,
                leader_epoch: batch.header.leader_epoch,
                timestamp: record.timestamp(&batch.header),
                time_of,
                key: record.key.map(|key| plain.slice_ref(key)),
                value: record.value.map(|value| plain.slice_ref(value)),
                headers: headers.collect(),
            });
        }
        Ok(())
    }
}

fn corrupt(why: &dyn std::fmt::Display) -> Error {
    Error::new(Kind::Protocol, format!("records cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Java's producer 4.3.1 sends with `compression.type=zstd`: k1, k2 and k3, as the golden batches of
    /// `sawlog-wire` have it.
    const ZSTD: &str = "00000000000000000000007fffffffff02de946f99000400000002000001a1fe729d26000001a1fe729d6d0000\
        00000000000e0000000000000000000328b52ffd0058140200540362000000046b31525361776c6f67200054008c0102046b3242616e642061\
        207365636f6e640052008e0104046b334074686972640003009c0adb531f22a7d401010000";

    fn unpacked() -> Result<Vec<Message>, Error> {
        let byte = |at: usize| u8::from_str_radix(&ZSTD[at..at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..ZSTD.len()).step_by(2).map(byte).collect();
        let unpacked = Unpacker::new().unpack(&"t".into(), 0, &bytes.into(), 1);
        unpacked.map(|(messages, next)| {
            assert_eq!(next, 3);
            messages
        })
    }

    #[cfg(any(feature = "zstd", feature = "zstd-decode"))]
    #[test]
    fn zstd_is_read_by_every_build_that_has_one_of_its_features() {
        let messages = unpacked().unwrap();
        let keys: Vec<_> = messages
            .iter()
            .map(|message| message.key.as_deref())
            .collect();
        assert_eq!(keys, [Some(&b"k2"[..]), Some(&b"k3"[..])]);
        let offsets: Vec<_> = messages.iter().map(|message| message.offset).collect();
        assert_eq!(offsets, [1, 2]);
    }

    #[cfg(not(any(feature = "zstd", feature = "zstd-decode")))]
    #[test]
    fn without_a_feature_for_zstd_the_error_names_it() {
        let error = unpacked().unwrap_err().to_string();
        assert!(error.contains("feature \"zstd-decode\""), "{error}");
    }
}
