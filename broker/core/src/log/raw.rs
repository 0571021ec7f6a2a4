//! Little-endian numbers in and out of the files that are ours alone. Decides nothing; a reader that runs dry says so
//! and never reserves memory by a number it read (#128).

use alloc::vec::Vec;

use crate::ids::{LogId, PartitionId, TopicId, Uuid};

/// The bytes end before the value does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Short;

/// Bytes still to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Take<'a>(pub(super) &'a [u8]);

impl<'a> Take<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Short)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn bytes(&mut self, n: usize) -> Result<&'a [u8], Short> {
        let (head, rest) = self.0.split_at_checked(n).ok_or(Short)?;
        self.0 = rest;
        Ok(head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Short> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Short> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn i16(&mut self) -> Result<i16, Short> {
        self.array().map(i16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Short> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, Short> {
        self.array().map(i32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Short> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, Short> {
        self.array().map(i64::from_le_bytes)
    }

    pub(super) fn log(&mut self) -> Result<LogId, Short> {
        let topic = TopicId(Uuid(self.array()?));
        Ok(LogId {
            topic,
            partition: PartitionId(self.i32()?),
        })
    }
}

/// Bytes being written.
pub(super) trait Put {
    fn u8(&mut self, value: u8);
    fn raw(&mut self, bytes: &[u8]);

    fn u16(&mut self, value: u16) {
        self.raw(&value.to_le_bytes());
    }

    fn i16(&mut self, value: i16) {
        self.raw(&value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.raw(&value.to_le_bytes());
    }

    fn i32(&mut self, value: i32) {
        self.raw(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.raw(&value.to_le_bytes());
    }

    fn i64(&mut self, value: i64) {
        self.raw(&value.to_le_bytes());
    }

    fn log(&mut self, log: LogId) {
        self.raw(&log.topic.0.0);
        self.i32(log.partition.0);
    }
}

impl Put for Vec<u8> {
    fn u8(&mut self, value: u8) {
        self.push(value);
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}
