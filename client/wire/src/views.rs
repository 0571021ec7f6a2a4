//! Requests of the hot path, read where they lie.
//!
//! Decides how Produce and Fetch requests are walked without allocating (#128): a view is checked
//! as a whole when it is made, so walking it cannot fail. Reads what the owned messages read, and
//! never keeps tagged fields nobody knows.

mod fetch;
mod produce;

pub use fetch::{FetchPartitionView, FetchTopicView, FetchView, ForgottenTopicView};
pub use produce::{FirstBatch, ProducePartitionView, ProduceTopicView, ProduceView};

use core::marker::PhantomData;

use crate::primitives::{At, DecodeError, Field, Reader, Tags, Uuid};

/// How a request names a topic: by name in old versions, by id in new ones (KIP-516).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicKey<'a> {
    /// By name.
    Name(&'a str),
    /// By id.
    Id(Uuid),
}

impl<'a> TopicKey<'a> {
    /// The first version of Produce and of Fetch that names topics by id.
    const IDS_FROM: i16 = 13;

    #[inline]
    fn read(reader: &mut Reader<'a>, at: At) -> Result<Self, DecodeError> {
        if at.version >= Self::IDS_FROM {
            return Ok(Self::Id(Uuid(reader.array()?)));
        }
        Ok(Self::Name(text(reader, at)?.ok_or(NULL)?))
    }
}

const NULL: DecodeError = DecodeError::Malformed {
    what: "null in a field that has none",
};

/// A value that borrows from its frame.
pub trait View<'a>: Sized {
    /// Reads one, checking all of it.
    fn read(reader: &mut Reader<'a>, at: At) -> Result<Self, DecodeError>;
}

impl View<'_> for i32 {
    #[inline]
    fn read(reader: &mut Reader<'_>, _: At) -> Result<Self, DecodeError> {
        reader.i32()
    }
}

/// A list that is read anew at each walk instead of being kept.
#[derive(Clone, Debug)]
pub struct List<'a, T> {
    reader: Reader<'a>,
    count: usize,
    at: At,
    of: PhantomData<T>,
}

impl<'a, T: View<'a>> View<'a> for List<'a, T> {
    #[inline]
    fn read(reader: &mut Reader<'a>, at: At) -> Result<Self, DecodeError> {
        let count = reader.count(at)?.ok_or(NULL)?;
        let list = Self {
            reader: reader.clone(),
            count,
            at,
            of: PhantomData,
        };
        for _ in 0..count {
            T::read(reader, at)?;
        }
        Ok(list)
    }
}

impl<'a, T: View<'a>> List<'a, T> {
    /// No items: for a version that lacks the list.
    fn none(at: At) -> Self {
        Self {
            reader: Reader::new(&[]),
            count: 0,
            at,
            of: PhantomData,
        }
    }

    /// How many items there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The items in order.
    pub fn iter(&self) -> Walk<'a, T> {
        Walk(Self {
            reader: self.reader.clone(),
            of: PhantomData,
            ..*self
        })
    }
}

impl<'a, T: View<'a>> IntoIterator for &List<'a, T> {
    type Item = T;
    type IntoIter = Walk<'a, T>;

    fn into_iter(self) -> Walk<'a, T> {
        self.iter()
    }
}

/// A walk over a [`List`].
#[derive(Clone, Debug)]
pub struct Walk<'a, T>(List<'a, T>);

impl<'a, T: View<'a>> Iterator for Walk<'a, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.0.count = self.0.count.checked_sub(1)?;
        // Checked when the list was made.
        T::read(&mut self.0.reader, self.0.at).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.count, Some(self.0.count))
    }
}

impl<'a, T: View<'a>> ExactSizeIterator for Walk<'a, T> {}

#[inline]
fn text<'a>(reader: &mut Reader<'a>, at: At) -> Result<Option<&'a str>, DecodeError> {
    reader
        .text_length(at)?
        .map(|length| reader.text(length))
        .transpose()
}

/// Reads a field that only some versions carry.
#[inline]
fn since<T: Field>(
    from: i16,
    default: T,
    reader: &mut Reader<'_>,
    at: At,
) -> Result<T, DecodeError> {
    if at.version >= from {
        T::read(reader, at)
    } else {
        Ok(default)
    }
}

#[inline]
fn skip_tags(reader: &mut Reader<'_>, at: At) -> Result<(), DecodeError> {
    if at.flexible {
        Tags::skip(reader)
    } else {
        Ok(())
    }
}
