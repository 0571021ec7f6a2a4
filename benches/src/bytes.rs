//! Decides how fixed-width fields are read from a reply. Never allocates and never trusts a length.
//! Which fields a reply has, and in which order, is `frame`'s and `wide`'s.

/// A reply that is shorter than its own fields say, or says something it must not.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// Reads big-endian fields off the front of a slice.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Starts at the front of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(Malformed("truncated"))?;
        self.rest = rest;
        Ok(head)
    }

    /// Leaves `count` bytes out.
    pub fn skip(&mut self, count: usize) -> Result<(), Malformed> {
        self.take(count).map(|_| ())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(Malformed("truncated"))?;
        self.rest = rest;
        Ok(*head)
    }

    /// A signed byte.
    pub fn i8(&mut self) -> Result<i8, Malformed> {
        self.array().map(i8::from_be_bytes)
    }

    /// A 16-bit number.
    pub fn i16(&mut self) -> Result<i16, Malformed> {
        self.array().map(i16::from_be_bytes)
    }

    /// A 32-bit number.
    pub fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    /// An unsigned 32-bit number.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// A 64-bit number.
    pub fn i64(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_be_bytes)
    }

    /// A count or length that must not be negative.
    pub fn count(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.i32()?).map_err(|_| Malformed("negative count"))
    }

    /// A string with a 16-bit length; null reads as empty.
    pub fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.i16()?;
        self.take(usize::try_from(length).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_read_past_the_end_is_an_error_and_takes_nothing() {
        let mut cursor = Cursor::new(&[0, 1, 2]);
        assert_eq!(cursor.i64(), Err(Malformed("truncated")));
        assert_eq!(cursor.take(4), Err(Malformed("truncated")));
        assert_eq!(cursor.i16(), Ok(1));
        assert_eq!(cursor.rest(), &[2]);
    }

    #[test]
    fn a_negative_count_is_refused() {
        assert_eq!(
            Cursor::new(&[0xff; 4]).count(),
            Err(Malformed("negative count"))
        );
    }
}
