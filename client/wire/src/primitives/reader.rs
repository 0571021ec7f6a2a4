//! A cursor over bytes nobody vouches for.
//!
//! Decides whether enough bytes are left, and what a frame may make us allocate (#128, #129):
//! every method checks first, then moves. Never keeps a byte that it has not been given.

use bytes::Bytes;

use super::{At, DecodeError, Field};
use crate::proof;

/// How many more bytes of memory a decode may claim.
///
/// A count on the wire claims nothing by itself: [`Reader::list`] first compares it with the bytes
/// that are left, and then takes the memory from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(usize);

impl Budget {
    /// Memory per byte of a frame: above what the leanest legal encoding of any message needs.
    const PER_BYTE: usize = 48;
    /// Memory that even the shortest frame may claim.
    const FLOOR: usize = 64 * 1024;

    /// This many bytes.
    pub const fn of(bytes: usize) -> Self {
        Self(bytes)
    }

    /// What a frame of this length may claim.
    pub const fn for_frame(length: usize) -> Self {
        Self(
            length
                .saturating_mul(Self::PER_BYTE)
                .saturating_add(Self::FLOOR),
        )
    }

    /// What is left.
    pub const fn left(self) -> usize {
        self.0
    }

    /// Takes `bytes`, or refuses.
    #[inline]
    pub const fn take(&mut self, bytes: usize) -> Result<(), DecodeError> {
        match self.0.checked_sub(bytes) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => Err(DecodeError::OverBudget),
        }
    }
}

/// A bounded cursor over a frame.
///
/// Over a [`Bytes`] it hands out blobs as slices of that frame; over a plain slice it copies them.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    frame: Option<&'a Bytes>,
    budget: Budget,
}

impl<'a> Reader<'a> {
    /// Reads a slice; blobs are copied.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            frame: None,
            budget: Budget::for_frame(bytes.len()),
        }
    }

    /// Reads a frame; blobs are slices of it.
    #[inline]
    pub fn of(frame: &'a Bytes) -> Self {
        Self {
            rest: frame,
            frame: Some(frame),
            budget: Budget::for_frame(frame.len()),
        }
    }

    /// The same bytes with another budget.
    #[inline]
    #[must_use]
    pub const fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// The memory that may still be claimed.
    #[inline]
    pub const fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    /// The frame that is read, if its bytes can be shared.
    #[inline]
    pub const fn frame(&self) -> Option<&'a Bytes> {
        self.frame
    }

    /// How many bytes are left.
    #[inline]
    pub const fn left(&self) -> usize {
        self.rest.len()
    }

    /// The bytes that are left, without moving.
    #[inline]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Refuses bytes left over: for the end of a frame.
    #[inline]
    pub const fn finish(&self) -> Result<(), DecodeError> {
        match self.left() {
            0 => Ok(()),
            left => Err(DecodeError::TrailingBytes { left }),
        }
    }

    /// The next `count` bytes, borrowed.
    #[inline]
    pub const fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(DecodeError::Truncated),
        }
    }

    /// The next `N` bytes.
    #[inline]
    pub const fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.rest.split_first_chunk() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(DecodeError::Truncated),
        }
    }

    /// The next `count` bytes as a value of their own: a slice of the frame, else a copy.
    #[inline]
    pub fn bytes(&mut self, count: usize) -> Result<Bytes, DecodeError> {
        let taken = self.take(count)?;
        match self.frame {
            Some(frame) => Ok(frame.slice_ref(taken)),
            None => {
                self.budget.take(count)?;
                Ok(Bytes::copy_from_slice(taken))
            }
        }
    }

    /// The next `count` bytes as text, borrowed.
    #[inline]
    pub fn text(&mut self, count: usize) -> Result<&'a str, DecodeError> {
        core::str::from_utf8(self.take(count)?).map_err(|_| DecodeError::Malformed {
            what: "a string that is not UTF-8",
        })
    }

    /// Room for `count` values of which each takes at least `least` bytes on the wire.
    ///
    /// The only place where a number from the wire reserves memory (#128): the count must fit the
    /// bytes that are left, and the memory the budget.
    #[inline]
    pub fn room<T>(&mut self, count: usize, least: usize) -> Result<Vec<T>, DecodeError> {
        if proof::mutant("capacity-from-wire") {
            return Ok(Vec::with_capacity(count.min(1 << 20)));
        }
        if count > self.left() / least.max(1) {
            return Err(DecodeError::Truncated);
        }
        self.claim(count)
    }

    /// Room for a count that has been compared with the bytes left already.
    #[inline]
    pub(super) fn claim<T>(&mut self, count: usize) -> Result<Vec<T>, DecodeError> {
        self.budget.take(count.saturating_mul(size_of::<T>()))?;
        Ok(Vec::with_capacity(count))
    }

    /// A list, or `None` for null.
    #[inline]
    pub fn list<T: Field>(&mut self, at: At) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(count) = self.count(at)? else {
            return Ok(None);
        };
        let mut list = self.room(count, T::least(at))?;
        for _ in 0..count {
            list.push(T::read(self, at)?);
        }
        Ok(Some(list))
    }

    /// The length of a list or blob, or `None` for null.
    #[inline]
    pub fn count(&mut self, at: At) -> Result<Option<usize>, DecodeError> {
        if at.flexible {
            return Ok((self.uvarint()? as usize).checked_sub(1));
        }
        nullable_length(i64::from(self.i32()?))
    }

    /// The length of a string, or `None` for null.
    #[inline]
    pub fn text_length(&mut self, at: At) -> Result<Option<usize>, DecodeError> {
        if at.flexible {
            return Ok((self.uvarint()? as usize).checked_sub(1));
        }
        nullable_length(i64::from(self.i16()?))
    }

    /// The byte in front of a structure that may be null: whether it is there.
    #[inline]
    pub fn presence(&mut self) -> Result<bool, DecodeError> {
        Ok(self.i8()? >= 0)
    }

    /// The same in a tagged field, where it is an unsigned varint: 0 for null, 1 before a structure.
    #[inline]
    pub fn tagged_presence(&mut self) -> Result<bool, DecodeError> {
        Ok(self.uvarint()? as i32 > 0)
    }

    /// Reads the next `count` bytes with `read`, which must use them all.
    #[inline]
    pub fn within<T>(
        &mut self,
        count: usize,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let inner = self.take(count)?;
        let behind = core::mem::replace(&mut self.rest, inner);
        let value = read(self);
        let left = core::mem::replace(&mut self.rest, behind).len();
        match value {
            Ok(_) if left > 0 => Err(DecodeError::TrailingBytes { left }),
            value => value,
        }
    }

    /// One byte.
    #[inline]
    pub const fn u8(&mut self) -> Result<u8, DecodeError> {
        match self.rest.split_first() {
            Some((&byte, rest)) => {
                self.rest = rest;
                Ok(byte)
            }
            None => Err(DecodeError::Truncated),
        }
    }

    /// One byte with a sign.
    #[inline]
    pub fn i8(&mut self) -> Result<i8, DecodeError> {
        Ok(self.u8()? as i8)
    }

    /// Two bytes without a sign, big-endian like all that follow.
    #[inline]
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Two bytes with a sign.
    #[inline]
    pub fn i16(&mut self) -> Result<i16, DecodeError> {
        self.array().map(i16::from_be_bytes)
    }

    /// Four bytes without a sign.
    #[inline]
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Four bytes with a sign.
    #[inline]
    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    /// Eight bytes with a sign.
    #[inline]
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_be_bytes)
    }

    /// An IEEE 754 double.
    #[inline]
    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        self.array().map(f64::from_be_bytes)
    }
}

/// -1 is null; what is below has no meaning.
#[inline]
fn nullable_length(length: i64) -> Result<Option<usize>, DecodeError> {
    match usize::try_from(length) {
        Ok(length) => Ok(Some(length)),
        Err(_) if length == -1 => Ok(None),
        Err(_) => Err(DecodeError::Malformed {
            what: "a negative length",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_the_bytes_cannot_hold_reserves_nothing() {
        let at = At {
            version: 0,
            flexible: false,
        };
        let claim = i32::MAX.to_be_bytes();
        let mut reader = Reader::new(&claim).with_budget(Budget::of(usize::MAX));
        assert_eq!(reader.list::<i64>(at), Err(DecodeError::Truncated));
        assert_eq!(reader.budget().left(), usize::MAX);
    }

    #[test]
    fn a_list_beyond_the_budget_is_refused_before_it_is_reserved() {
        let at = At {
            version: 0,
            flexible: true,
        };
        let mut bytes = vec![101];
        bytes.resize(101, 1);
        let mut reader = Reader::new(&bytes).with_budget(Budget::of(100 * size_of::<String>() - 1));
        assert_eq!(reader.list::<String>(at), Err(DecodeError::OverBudget));
        let mut reader = Reader::new(&bytes).with_budget(Budget::of(100 * size_of::<String>()));
        assert_eq!(
            reader.list::<String>(at),
            Ok(Some(vec![String::new(); 100]))
        );
    }

    #[test]
    fn blobs_of_a_frame_are_slices_of_it() {
        let frame = Bytes::from_static(b"0123456789");
        let mut reader = Reader::of(&frame).with_budget(Budget::of(0));
        reader.take(2).unwrap();
        let blob = reader.bytes(3).unwrap();
        assert_eq!(blob, &frame[2..5]);
        assert_eq!(blob.as_ptr(), frame[2..].as_ptr());
        assert_eq!(
            Reader::new(b"abc").with_budget(Budget::of(2)).bytes(3),
            Err(DecodeError::OverBudget)
        );
    }

    #[test]
    fn an_inner_length_is_kept_exactly() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.within(2, |inner| inner.u16()), Ok(0x0102));
        assert_eq!(
            reader.within(2, |inner| inner.u8()),
            Err(DecodeError::Truncated)
        );
        assert_eq!(reader.u8(), Ok(3));
        assert_eq!(
            Reader::new(&[1, 2]).within(2, |inner| inner.u8()),
            Err(DecodeError::TrailingBytes { left: 1 })
        );
        assert_eq!(
            Reader::new(&[1]).within(1, |inner| inner.u16()),
            Err(DecodeError::Truncated)
        );
    }
}
