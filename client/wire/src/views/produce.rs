//! A Produce request, read where it lies: what [`crate::messages::ProduceRequest`] declares.
//! Decides which fields each version has, and checks all of them but the batches: those are `records`'s.

use bytes::Bytes;

use super::{List, NULL, TopicKey, View, skip_tags, text};
use crate::{
    RequestHeader,
    message::Message,
    messages::{ApiKey, ProduceRequest},
    primitives::{At, DecodeError, Reader},
};

/// A Produce request.
#[derive(Clone, Debug)]
pub struct ProduceView<'a> {
    /// Names the transaction of transactional batches.
    pub transactional_id: Option<&'a str>,
    /// 0: no answer; 1: written by the leader; -1: held by every replica in sync.
    pub acks: i16,
    /// How long to wait for the replicas, in milliseconds.
    pub timeout_ms: i32,
    /// The topics.
    pub topics: List<'a, ProduceTopicView<'a>>,
}

/// The batches for one topic.
#[derive(Clone, Debug)]
pub struct ProduceTopicView<'a> {
    /// Which topic.
    pub topic: TopicKey<'a>,
    /// The partitions.
    pub partitions: List<'a, ProducePartitionView<'a>>,
}

/// The batches for one partition.
#[derive(Clone, Copy, Debug)]
pub struct ProducePartitionView<'a> {
    /// Its index.
    pub index: i32,
    /// The batches, as they are to be stored.
    pub records: Option<&'a [u8]>,
    frame: Option<&'a Bytes>,
}

impl<'a> ProduceView<'a> {
    /// Reads a request that fills the rest of its frame, and checks all of it but the batches.
    #[inline]
    pub fn decode(mut reader: Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        if !ProduceRequest::VERSIONS.contains(version) {
            let message = ProduceRequest::NAME;
            return Err(DecodeError::UnsupportedVersion { message, version });
        }
        let at = ProduceRequest::at(version);
        let view = Self {
            transactional_id: text(&mut reader, at)?,
            acks: reader.i16()?,
            timeout_ms: reader.i32()?,
            topics: List::read(&mut reader, at)?,
        };
        skip_tags(&mut reader, at)?;
        reader.finish()?;
        Ok(view)
    }
}

impl<'a> View<'a> for ProduceTopicView<'a> {
    #[inline]
    fn read(reader: &mut Reader<'a>, at: At) -> Result<Self, DecodeError> {
        let topic = TopicKey::read(reader, at)?;
        let partitions = List::read(reader, at)?;
        skip_tags(reader, at)?;
        Ok(Self { topic, partitions })
    }
}

impl<'a> View<'a> for ProducePartitionView<'a> {
    #[inline]
    fn read(reader: &mut Reader<'a>, at: At) -> Result<Self, DecodeError> {
        let index = reader.i32()?;
        let length = reader.count(at)?;
        let records = length.map(|length| reader.take(length)).transpose()?;
        skip_tags(reader, at)?;
        Ok(Self {
            index,
            records,
            frame: reader.frame(),
        })
    }
}

impl ProducePartitionView<'_> {
    /// The batches as a slice of their frame that may outlive the view: no copy when the request
    /// was read from [`Bytes`].
    pub fn payload(&self) -> Result<Bytes, DecodeError> {
        let records = self.records.ok_or(NULL)?;
        Ok(match self.frame {
            Some(frame) => frame.slice_ref(records),
            None => Bytes::copy_from_slice(records),
        })
    }
}

/// The first batches of a Produce request of which only the beginning has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstBatch<'a> {
    /// Their topic.
    pub topic: TopicKey<'a>,
    /// Their partition.
    pub index: i32,
    /// How many bytes of the frame lie before them.
    pub at: usize,
}

impl<'a> FirstBatch<'a> {
    /// Finds them by the first bytes of a frame, its length left out. Nothing where those do not reach so far, or are those
    /// of another request; that the rest makes sense is not known yet.
    pub fn find(frame: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(frame);
        let header = RequestHeader::decode(&mut reader).ok()?;
        let (key, version) = (ApiKey::from_number(header.key), header.version);
        if key != Some(ApiKey::Produce) || !ProduceRequest::VERSIONS.contains(version) {
            return None;
        }
        Self::read(frame.len(), &mut reader, ProduceRequest::at(version)).ok()
    }

    fn read(len: usize, reader: &mut Reader<'a>, at: At) -> Result<Self, DecodeError> {
        text(reader, at)?;
        let (_acks, _timeout) = (reader.i16()?, reader.i32()?);
        reader.count(at)?;
        let topic = TopicKey::read(reader, at)?;
        reader.count(at)?;
        let index = reader.i32()?;
        reader.count(at)?;
        let at = len - reader.left();
        Ok(Self { topic, index, at })
    }
}
