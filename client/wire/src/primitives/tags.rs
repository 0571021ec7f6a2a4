//! Tagged fields (KIP-482): optional fields behind a flexible structure, each with its number.
//!
//! Decides how they are framed and that those nobody knows here are kept, in order; never what
//! a known one means.

use bytes::Bytes;

use super::{DecodeError, EncodeError, Reader, Writer};

/// A tagged field this build has no name for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its number.
    pub number: u32,
    /// Its bytes, not understood.
    pub value: Bytes,
}

/// The unknown tagged fields of a structure, by ascending number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(pub Vec<Tag>);

impl Tags {
    /// Least bytes of a tagged field on the wire: number and length.
    const LEAST: usize = 2;

    /// Reads the tagged fields of a structure: `known` takes those it has a name for, the others
    /// are kept.
    #[inline]
    pub fn read<'a>(
        &mut self,
        reader: &mut Reader<'a>,
        mut known: impl FnMut(u32, &mut Reader<'a>) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        Self::each(reader, |number, left, value| {
            if known(number, value)? {
                return Ok(());
            }
            if self.0.is_empty() {
                self.0 = value.claim(left)?;
            }
            let value = value.bytes(value.left())?;
            self.0.push(Tag { number, value });
            Ok(())
        })
    }

    /// Reads the tagged fields of a structure: `known` takes those it has a name for, the others
    /// are dropped.
    #[inline]
    pub fn walk<'a>(
        reader: &mut Reader<'a>,
        mut known: impl FnMut(u32, &mut Reader<'a>) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        Self::each(reader, |number, _, value| {
            if !known(number, value)? {
                value.take(value.left())?;
            }
            Ok(())
        })
    }

    /// Drops the tagged fields of a structure.
    #[inline]
    pub fn skip(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        Self::walk(reader, |_, _| Ok(false))
    }

    /// Hands each tagged field to `take`, with how many are left, itself included.
    #[inline]
    fn each<'a>(
        reader: &mut Reader<'a>,
        mut take: impl FnMut(u32, usize, &mut Reader<'a>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let count = reader.uvarint()? as usize;
        if count > reader.left() / Self::LEAST {
            return Err(DecodeError::Truncated);
        }
        let mut lowest = 0;
        for left in (1..=count).rev() {
            let number = reader.uvarint()?;
            if number < lowest {
                let what = "tagged fields that do not ascend";
                return Err(DecodeError::Malformed { what });
            }
            // The last number has none after it: nothing is written for it, so nothing is read.
            lowest = number.checked_add(1).ok_or(DecodeError::Malformed {
                what: "a tagged field of the highest number",
            })?;
            let length = reader.uvarint()? as usize;
            reader.within(length, |value| take(number, left, value))?;
        }
        Ok(())
    }

    /// Writes those with numbers in `from..below`: between two known ones.
    #[inline]
    pub fn write(&self, writer: &mut Writer, from: u64, below: u64) -> Result<(), EncodeError> {
        let between = |tag: &&Tag| (from..below).contains(&u64::from(tag.number));
        for tag in self.0.iter().filter(between) {
            writer.uvarint(tag.number);
            let length = u32::try_from(tag.value.len()).map_err(|_| EncodeError::TooLong)?;
            writer.uvarint(length);
            writer.slice(&tag.value);
        }
        Ok(())
    }

    /// Refuses to lose any in a version that has no tagged fields.
    #[inline]
    pub fn none(&self, version: i16) -> Result<(), EncodeError> {
        if self.is_empty() {
            return Ok(());
        }
        Err(EncodeError::FieldNotInVersion {
            field: "unknown",
            version,
        })
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}
