//! A Fetch request, read where it lies: what [`crate::messages::FetchRequest`] declares.
//! Decides which fields each version has, and the values of those it has not; what they ask for is not known here.

use super::{List, NULL, TopicKey, View, since, skip_tags, text};
use crate::{
    message::Message,
    messages::FetchRequest,
    primitives::{At, DecodeError, Reader, Tags, Uuid},
};

/// A Fetch request. The defaults of fields that a version lacks are those of the message.
#[derive(Clone, Debug)]
pub struct FetchView<'a> {
    /// The cluster the sender believes in.
    pub cluster_id: Option<&'a str>,
    /// The broker that fetches, or -1 for a consumer: of all versions.
    pub replica_id: i32,
    /// The epoch of that broker's registration, or -1.
    pub replica_epoch: i64,
    /// How long to wait for enough bytes, in milliseconds.
    pub max_wait_ms: i32,
    /// How many bytes are enough.
    pub min_bytes: i32,
    /// The most bytes to answer with.
    pub max_bytes: i32,
    /// 0: read uncommitted; 1: read committed.
    pub isolation_level: i8,
    /// The fetch session, or 0.
    pub session_id: i32,
    /// The epoch of the session: 0 opens one, -1 does without.
    pub session_epoch: i32,
    /// The topics.
    pub topics: List<'a, FetchTopicView<'a>>,
    /// What to take out of the session.
    pub forgotten: List<'a, ForgottenTopicView<'a>>,
    /// The rack of the sender.
    pub rack_id: &'a str,
}

/// The partitions of one topic.
#[derive(Clone, Debug)]
pub struct FetchTopicView<'a> {
    /// Which topic.
    pub topic: TopicKey<'a>,
    /// The partitions.
    pub partitions: List<'a, FetchPartitionView>,
}

/// Where to read in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchPartitionView {
    /// Its index.
    pub index: i32,
    /// The leader epoch the sender believes in, or -1.
    pub current_leader_epoch: i32,
    /// The first offset wanted.
    pub fetch_offset: i64,
    /// The epoch of the last record the replica has, or -1.
    pub last_fetched_epoch: i32,
    /// Where the follower's log starts, or -1.
    pub log_start_offset: i64,
    /// The most bytes of this partition.
    pub partition_max_bytes: i32,
    /// The directory in which the fetching replica lies.
    pub replica_directory_id: Uuid,
    /// The high watermark that the follower knows.
    pub high_watermark: i64,
}

/// What to take out of the session, of one topic.
#[derive(Clone, Debug)]
pub struct ForgottenTopicView<'a> {
    /// Which topic.
    pub topic: TopicKey<'a>,
    /// The partitions.
    pub partitions: List<'a, i32>,
}

impl<'a> FetchView<'a> {
    /// Reads a request that fills the rest of its frame, and checks all of it.
    #[inline]
    pub fn decode(mut reader: Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        if !FetchRequest::VERSIONS.contains(version) {
            let message = FetchRequest::NAME;
            return Err(DecodeError::UnsupportedVersion { message, version });
        }
        let at = FetchRequest::at(version);
        let reader = &mut reader;
        let mut view = Self {
            cluster_id: None,
            replica_id: if version <= 14 { reader.i32()? } else { -1 },
            replica_epoch: -1,
            max_wait_ms: reader.i32()?,
            min_bytes: reader.i32()?,
            max_bytes: reader.i32()?,
            isolation_level: reader.i8()?,
            session_id: since(7, 0, reader, at)?,
            session_epoch: since(7, -1, reader, at)?,
            topics: List::read(reader, at)?,
            forgotten: if version >= 7 {
                List::read(reader, at)?
            } else {
                List::none(at)
            },
            rack_id: if version >= 11 {
                text(reader, at)?.ok_or(NULL)?
            } else {
                ""
            },
        };
        if at.flexible {
            view.read_tags(reader, at)?;
        }
        reader.finish()?;
        Ok(view)
    }

    fn read_tags(&mut self, reader: &mut Reader<'a>, at: At) -> Result<(), DecodeError> {
        Tags::walk(reader, |number, value| {
            match number {
                0 => self.cluster_id = text(value, at)?,
                1 if at.version >= 15 => {
                    (self.replica_id, self.replica_epoch) = (value.i32()?, value.i64()?);
                    Tags::skip(value)?;
                }
                _ => return Ok(false),
            }
            Ok(true)
        })
    }
}

impl<'a> View<'a> for FetchTopicView<'a> {
    #[inline]
    fn read(reader: &mut Reader<'a>, at: At) -> Result<Self, DecodeError> {
        let topic = TopicKey::read(reader, at)?;
        let partitions = List::read(reader, at)?;
        skip_tags(reader, at)?;
        Ok(Self { topic, partitions })
    }
}

impl View<'_> for FetchPartitionView {
    #[inline]
    fn read(reader: &mut Reader<'_>, at: At) -> Result<Self, DecodeError> {
        let mut view = Self {
            index: reader.i32()?,
            current_leader_epoch: since(9, -1, reader, at)?,
            fetch_offset: reader.i64()?,
            last_fetched_epoch: since(12, -1, reader, at)?,
            log_start_offset: since(5, -1, reader, at)?,
            partition_max_bytes: reader.i32()?,
            replica_directory_id: Uuid::ZERO,
            high_watermark: i64::MAX,
        };
        if at.flexible {
            Tags::walk(reader, |number, value| {
                match number {
                    0 if at.version >= 17 => view.replica_directory_id = Uuid(value.array()?),
                    1 if at.version >= 18 => view.high_watermark = value.i64()?,
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
        }
        Ok(view)
    }
}

impl<'a> View<'a> for ForgottenTopicView<'a> {
    #[inline]
    fn read(reader: &mut Reader<'a>, at: At) -> Result<Self, DecodeError> {
        let topic = TopicKey::read(reader, at)?;
        let partitions = List::read(reader, at)?;
        skip_tags(reader, at)?;
        Ok(Self { topic, partitions })
    }
}
