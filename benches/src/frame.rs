//! Decides the bytes of the few requests that the generator sends, and reads their replies.
//! One fixed version per key, served by every broker under test. Not built on `sawlog-wire`, on purpose: a mistake that
//! both ends share would measure as correct.

use crate::bytes::{Cursor, Malformed};

const PRODUCE: (i16, i16) = (0, 7);
pub(crate) const FETCH: (i16, i16) = (1, 4);
const METADATA: (i16, i16) = (3, 4);
const CREATE_TOPICS: (i16, i16) = (19, 4);
const DELETE_TOPICS: (i16, i16) = (20, 1);

/// An error code of the protocol that is not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub i16);

impl Refused {
    /// Whether a broker that is still starting, or a topic that is still being made, answers so.
    #[must_use]
    pub fn passes(self) -> bool {
        // UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT,
        // COORDINATOR_LOAD_IN_PROGRESS, NOT_CONTROLLER, KAFKA_STORAGE_ERROR
        matches!(self.0, 3 | 5 | 6 | 7 | 14 | 41 | 56)
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "error code {}", self.0)
    }
}

impl std::error::Error for Refused {}

pub(crate) fn accepted(code: i16) -> Result<(), Refused> {
    if code == 0 {
        Ok(())
    } else {
        Err(Refused(code))
    }
}

/// Builds one frame: length, header v1, body.
pub(crate) struct Frame(Vec<u8>);

impl Frame {
    pub(crate) fn new((key, version): (i16, i16), correlation: i32) -> Self {
        let mut frame = Self(Vec::with_capacity(128));
        frame.i32(0);
        frame.i16(key);
        frame.i16(version);
        frame.i32(correlation);
        frame.string("bench");
        frame
    }

    pub(crate) fn i8(&mut self, value: i8) {
        self.0.extend(value.to_be_bytes());
    }

    pub(crate) fn i16(&mut self, value: i16) {
        self.0.extend(value.to_be_bytes());
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.0.extend(value.to_be_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.0.extend(value.to_be_bytes());
    }

    pub(crate) fn string(&mut self, value: &str) {
        self.i16(value.len() as i16);
        self.0.extend(value.as_bytes());
    }

    /// The frame, its length field counting `behind` further bytes that the caller sends after it.
    pub(crate) fn done(mut self, behind: usize) -> Vec<u8> {
        let length = (self.0.len() - 4 + behind) as i32;
        if let Some(field) = self.0.first_chunk_mut::<4>() {
            *field = length.to_be_bytes();
        }
        self.0
    }
}

/// A Produce request for one partition without its records, which follow it on the wire: one copy of the records serves
/// every request, and only two fields change from one request to the next.
#[derive(Clone, Debug)]
pub struct ProduceHead {
    bytes: Vec<u8>,
}

impl ProduceHead {
    /// acks=all, to `topic`, `records_len` bytes of records to follow.
    #[must_use]
    pub fn new(topic: &str, records_len: usize) -> Self {
        let mut frame = Frame::new(PRODUCE, 0);
        frame.i16(-1);
        frame.i16(-1);
        frame.i32(30_000);
        frame.i32(1);
        frame.string(topic);
        frame.i32(1);
        frame.i32(0);
        frame.i32(records_len as i32);
        Self {
            bytes: frame.done(records_len),
        }
    }

    /// Makes it the request with this correlation id, for this partition.
    pub fn stamp(&mut self, correlation: i32, partition: i32) {
        if let Some(field) = self.bytes.get_mut(8..12) {
            field.copy_from_slice(&correlation.to_be_bytes());
        }
        if let Some((front, _)) = self.bytes.split_last_chunk_mut::<4>()
            && let Some((_, field)) = front.split_last_chunk_mut::<4>()
        {
            *field = partition.to_be_bytes();
        }
    }

    /// What goes on the wire before the records.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What a broker answered to a Produce for one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Produced {
    /// Which request it answers.
    pub correlation: i32,
    /// Where the records went.
    pub partition: i32,
    /// The offset of the first one, or why there is none.
    pub base: Result<i64, Refused>,
}

/// Reads a Produce reply (without its length field) that must name exactly `topic` and one partition.
pub fn produced(reply: &[u8], topic: &str) -> Result<Produced, Malformed> {
    let mut cursor = Cursor::new(reply);
    let correlation = cursor.i32()?;
    if cursor.count()? != 1 || cursor.string()? != topic.as_bytes() || cursor.count()? != 1 {
        return Err(Malformed("the reply is not about the topic asked for"));
    }
    let partition = cursor.i32()?;
    let code = cursor.i16()?;
    let base = cursor.i64()?;
    cursor.skip(8 + 8 + 4)?;
    if !cursor.rest().is_empty() {
        return Err(Malformed("bytes behind the reply"));
    }
    Ok(Produced {
        correlation,
        partition,
        base: accepted(code).map(|()| base),
    })
}

/// A Fetch of one partition from `offset`, waiting so long for a first byte.
#[must_use]
pub fn fetch(topic: &str, partition: i32, offset: i64, bytes_max: i32, wait: Wait) -> Vec<u8> {
    let mut frame = Frame::new(FETCH, 0);
    frame.i32(-1);
    frame.i32(match wait {
        Wait::No => 0,
        Wait::Briefly => 100,
    });
    frame.i32(1);
    frame.i32(bytes_max);
    frame.i8(0);
    frame.i32(1);
    frame.string(topic);
    frame.i32(1);
    frame.i32(partition);
    frame.i64(offset);
    frame.i32(bytes_max);
    frame.done(0)
}

/// How long a Fetch may wait where there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// 100 ms.
    Briefly,
}

/// What a Fetch brought.
#[derive(Clone, Copy, Debug)]
pub struct Fetched<'a> {
    /// Records below this offset may be read.
    pub high_watermark: i64,
    /// Batches, the last of them possibly cut short.
    pub records: &'a [u8],
}

/// Reads a Fetch reply of one partition.
pub fn fetched(reply: &[u8]) -> Result<Result<Fetched<'_>, Refused>, Malformed> {
    let mut cursor = Cursor::new(reply);
    cursor.skip(4 + 4)?;
    if cursor.count()? != 1 {
        return Err(Malformed(
            "a fetch of one topic answered with another number",
        ));
    }
    cursor.string()?;
    if cursor.count()? != 1 {
        return Err(Malformed(
            "a fetch of one partition answered with another number",
        ));
    }
    cursor.skip(4)?;
    let code = cursor.i16()?;
    let high_watermark = cursor.i64()?;
    cursor.skip(8)?;
    // Null (-1) where nothing was aborted.
    let aborted = usize::try_from(cursor.i32()?).unwrap_or(0);
    cursor.skip(aborted.saturating_mul(16))?;
    let length = usize::try_from(cursor.i32()?).unwrap_or(0);
    let records = cursor.take(length)?;
    Ok(accepted(code).map(|()| Fetched {
        high_watermark,
        records,
    }))
}

/// CreateTopics for one topic with one replica.
#[must_use]
pub fn create_topic(topic: &str, partitions: i32, configs: &[(&str, &str)]) -> Vec<u8> {
    let mut frame = Frame::new(CREATE_TOPICS, 0);
    frame.i32(1);
    frame.string(topic);
    frame.i32(partitions);
    frame.i16(1);
    frame.i32(0);
    frame.i32(configs.len() as i32);
    for (name, value) in configs {
        frame.string(name);
        frame.string(value);
    }
    frame.i32(30_000);
    frame.i8(0);
    frame.done(0)
}

/// Reads a CreateTopics reply: the error and the broker's own words.
pub fn created(reply: &[u8]) -> Result<Result<(), (Refused, String)>, Malformed> {
    let mut cursor = Cursor::new(reply);
    cursor.skip(4 + 4)?;
    if cursor.count()? != 1 {
        return Err(Malformed("one topic asked for, another number answered"));
    }
    cursor.string()?;
    let code = cursor.i16()?;
    let words = String::from_utf8_lossy(cursor.string()?).into_owned();
    Ok(accepted(code).map_err(|refused| (refused, words)))
}

/// DeleteTopics for one topic.
#[must_use]
pub fn delete_topic(topic: &str) -> Vec<u8> {
    let mut frame = Frame::new(DELETE_TOPICS, 0);
    frame.i32(1);
    frame.string(topic);
    frame.i32(30_000);
    frame.done(0)
}

/// Metadata of one topic, without making it.
#[must_use]
pub fn metadata(topic: &str) -> Vec<u8> {
    let mut frame = Frame::new(METADATA, 0);
    frame.i32(1);
    frame.string(topic);
    frame.i8(0);
    frame.done(0)
}

/// Reads a Metadata reply about one topic: how many of its partitions have a leader.
pub fn led_partitions(reply: &[u8]) -> Result<usize, Malformed> {
    let mut cursor = Cursor::new(reply);
    cursor.skip(4 + 4)?;
    for _ in 0..cursor.count()? {
        cursor.skip(4)?;
        cursor.string()?;
        cursor.skip(4)?;
        cursor.string()?;
    }
    cursor.string()?;
    cursor.skip(4)?;
    let mut led = 0;
    for _ in 0..cursor.count()? {
        cursor.skip(2)?;
        cursor.string()?;
        cursor.skip(1)?;
        for _ in 0..cursor.count()? {
            let code = cursor.i16()?;
            cursor.skip(4)?;
            let leader = cursor.i32()?;
            let replicas = cursor.count()?;
            cursor.skip(replicas.saturating_mul(4))?;
            let in_sync = cursor.count()?;
            cursor.skip(in_sync.saturating_mul(4))?;
            led += usize::from(code == 0 && leader >= 0);
        }
    }
    Ok(led)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_changes_correlation_and_partition_and_nothing_else() {
        let plain = ProduceHead::new("topic", 1000);
        let mut stamped = plain.clone();
        stamped.stamp(0x0102_0304, 7);
        let differ: Vec<usize> = (0..plain.bytes.len())
            .filter(|&at| plain.bytes[at] != stamped.bytes[at])
            .collect();
        let end = plain.bytes.len();
        assert_eq!(differ, [8, 9, 10, 11, end - 5]);
        assert_eq!(
            i32::from_be_bytes(plain.bytes[..4].try_into().unwrap()) as usize,
            end - 4 + 1000
        );
    }

    #[test]
    fn a_produce_reply_cut_anywhere_is_malformed() {
        let mut reply = Frame(vec![]);
        reply.i32(9);
        reply.i32(1);
        reply.string("t");
        reply.i32(1);
        reply.i32(3);
        reply.i16(0);
        for value in [42, -1, 0] {
            reply.i64(value);
        }
        reply.i32(0);
        let reply = reply.0;
        assert_eq!(
            produced(&reply, "t"),
            Ok(Produced {
                correlation: 9,
                partition: 3,
                base: Ok(42)
            })
        );
        assert!(produced(&reply, "u").is_err());
        for cut in 0..reply.len() {
            assert!(produced(&reply[..cut], "t").is_err(), "cut at {cut}");
        }
    }
}
