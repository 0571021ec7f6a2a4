//! One batch on its way: open, full, stamped with its place in the producer's sequence, sent, maybe sent again. Decides its
//! bytes, once: a batch that is sent again is the same to the byte, or the broker could not tell it from a new one.

use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;
use sawlog_wire::records::batch::{sequence_after, set_producer};
use sawlog_wire::records::{
    Batch as Bare, BatchBuilder, BuildFault, Caps, Codec, Inflater, NewRecord, Pool, Records,
};

use super::RequestId;
use crate::time::Mono;

/// Who the broker believes us to be: what `InitProducerId` granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The producer id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
}

/// Which records of a producer a batch holds: what the broker tells a repeated batch by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stamp {
    pub(super) identity: Identity,
    pub(super) sequence: i32,
}

#[derive(Debug)]
enum Body {
    /// Takes more records.
    Open(BatchBuilder),
    /// Takes no more.
    Full(BatchBuilder),
    Sealed(Bytes),
}

#[derive(Debug)]
pub(super) struct Batch<T> {
    /// What the caller knows it by.
    pub(super) tag: T,
    /// The number of its first record among those of its tag: not 0 once it was split.
    pub(super) first: u32,
    pub(super) count: u32,
    pub(super) began: Mono,
    /// What it takes of the buffer.
    pub(super) held: usize,
    body: Body,
    pub(super) stamp: Option<Stamp>,
    /// A request with it was lost: it may have been written.
    pub(super) doubted: bool,
    pub(super) flying: Option<RequestId>,
}

impl<T: Clone> Batch<T> {
    pub(super) fn open(tag: T, codec: Codec, expect: usize, now: Mono) -> Batch<T> {
        Batch {
            tag,
            first: 0,
            count: 0,
            began: now,
            held: 0,
            body: Body::Open(BatchBuilder::with_capacity(codec, expect)),
            stamp: None,
            doubted: false,
            flying: None,
        }
    }

    /// Whether it takes a record of that size without growing beyond `most`.
    pub(super) fn has_room(&self, size: usize, most: usize) -> bool {
        match &self.body {
            Body::Open(builder) => builder.plain_size() + size <= most,
            Body::Full(_) | Body::Sealed(_) => false,
        }
    }

    /// Takes a record and gives its number.
    pub(super) fn push(&mut self, record: NewRecord<'_>, size: usize) -> Result<u32, BuildFault> {
        let (Body::Open(builder) | Body::Full(builder)) = &mut self.body else {
            return Err(BuildFault::TooLarge);
        };
        builder.push(record)?;
        let number = self.first + self.count;
        self.count += 1;
        self.held += size;
        Ok(number)
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.body, Body::Open(_))
    }

    pub(super) fn close(&mut self) {
        if let Body::Open(builder) = &mut self.body {
            let builder = mem::replace(builder, BatchBuilder::new(Codec::None));
            self.body = Body::Full(builder);
        }
    }

    /// Bytes of the records before compression, or of the whole batch once it is sealed.
    pub(super) fn size(&self) -> usize {
        match &self.body {
            Body::Open(builder) | Body::Full(builder) => builder.plain_size(),
            Body::Sealed(bytes) => bytes.len(),
        }
    }

    /// Its bytes, stamped if it has a stamp; made at the first call.
    pub(super) fn seal(&mut self) -> Result<Bytes, BuildFault> {
        let body = mem::replace(&mut self.body, Body::Sealed(Bytes::new()));
        let bytes = match body {
            Body::Open(builder) | Body::Full(builder) => {
                let builder = match self.stamp {
                    Some(Stamp { identity, sequence }) => {
                        builder.producer(identity.id, identity.epoch, sequence)
                    }
                    None => builder,
                };
                Bytes::from(builder.finish()?)
            }
            Body::Sealed(bytes) => bytes,
        };
        self.body = Body::Sealed(bytes.clone());
        Ok(bytes)
    }

    /// Gives it a place in a sequence: the first one, or another after it was found not to be written.
    pub(super) fn stamp(&mut self, stamp: Stamp) {
        self.stamp = Some(stamp);
        if let Body::Sealed(bytes) = &mut self.body {
            let mut copy = Vec::from(mem::take(bytes));
            set_producer(
                &mut copy,
                stamp.identity.id,
                stamp.identity.epoch,
                stamp.sequence,
            );
            *bytes = Bytes::from(copy);
        }
    }

    /// The sequence behind its last record.
    pub(super) fn next_sequence(&self) -> Option<i32> {
        let count = i32::try_from(self.count).ok()?;
        self.stamp
            .map(|stamp| sequence_after(stamp.sequence, count))
    }

    /// Two batches of half as many records each, in the same place of the sequence (KIP-126). `None` if it cannot be.
    pub(super) fn split(&mut self, codec: Codec) -> Option<[Batch<T>; 2]> {
        if self.count < 2 {
            return None;
        }
        let bytes = self.seal().ok()?;
        let (head, tail) = (self.count / 2, self.count - self.count / 2);
        let half = |first: u32, count: u32| -> Option<Batch<T>> {
            let mut batch = Batch::open(self.tag.clone(), codec, bytes.len() / 2, self.began);
            batch.first = self.first + first;
            let mut number = 0;
            each_record(&bytes, |record| {
                if (first..first + count).contains(&number) {
                    batch.push(record, record.size_max()).ok()?;
                }
                number += 1;
                Some(())
            })?;
            batch.close();
            batch.doubted = self.doubted;
            if let Some(Stamp { identity, sequence }) = self.stamp {
                let sequence = sequence_after(sequence, i32::try_from(first).ok()?);
                batch.stamp(Stamp { identity, sequence });
            }
            Some(batch)
        };
        let mut halves = [half(0, head)?, half(head, tail)?];
        // What it holds of the buffer is what its parts hold, to the byte.
        let [one, other] = &mut halves;
        one.held = self.held.min(one.held);
        other.held = self.held - one.held;
        Some(halves)
    }
}

/// Gives each record of a batch that we made ourselves; `None` as soon as one is refused or cannot be read.
pub fn each_record(bytes: &[u8], mut to: impl FnMut(NewRecord<'_>) -> Option<()>) -> Option<()> {
    let batch = Bare::first(bytes).ok()?;
    let attributes = batch.header.attributes().ok()?;
    let (mut plain, pool) = (Vec::new(), Pool::new(usize::MAX));
    let payload = match attributes.codec {
        Codec::None => batch.payload(),
        codec => {
            let caps = Caps {
                output: usize::MAX,
                ..Caps::DEFAULT
            };
            let _grant = Inflater::new()
                .read_all(codec, batch.payload(), caps, &pool, &mut plain)
                .ok()?;
            &plain
        }
    };
    for record in Records::new(payload) {
        let record = record.ok()?;
        let headers: Vec<_> = record
            .headers
            .map(|header| (header.name, header.value))
            .collect();
        to(NewRecord {
            timestamp: record.timestamp(&batch.header),
            key: record.key,
            value: record.value,
            headers: &headers,
        })?;
    }
    Some(())
}
