//! Zig-zag varints as records use them. Decides how many bytes a number may take (5 and 10, as in
//! Kafka); never allocates. Reading is generic over where bytes come from, so that the walk over
//! plain and over decompressed records is one (#128).

use super::fault::RecordFault;

/// Bytes of one record: either a slice, or a stream cut to the record's length.
pub(super) trait Bytes {
    /// Why the bytes may end early.
    type Fault: From<RecordFault>;

    /// The next byte.
    fn byte(&mut self) -> Result<u8, Self::Fault>;
    /// Leaves out `n` bytes.
    fn skip(&mut self, n: usize) -> Result<(), Self::Fault>;
    /// Bytes left in the record.
    fn left(&self) -> usize;

    /// A zig-zag 32-bit number of at most 5 bytes.
    #[inline(always)]
    fn varint(&mut self) -> Result<i32, Self::Fault> {
        let first = self.byte()?;
        let raw = if first < 0x80 {
            u32::from(first)
        } else {
            self.long_varint(first)?
        };
        Ok(zigzag_32(raw))
    }

    /// The bytes of a varint after a first one that was not the last.
    #[cold]
    #[inline(never)]
    fn long_varint(&mut self, first: u8) -> Result<u32, Self::Fault> {
        let mut raw = u32::from(first & 0x7f);
        for shift in [7, 14, 21] {
            let byte = self.byte()?;
            raw |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(raw);
            }
        }
        let last = self.byte()?;
        if last > 0x0f {
            return Err(RecordFault::Varint.into());
        }
        Ok(raw | u32::from(last) << 28)
    }

    /// A zig-zag 64-bit number of at most 10 bytes.
    #[inline(always)]
    fn varlong(&mut self) -> Result<i64, Self::Fault> {
        let first = self.byte()?;
        let raw = if first < 0x80 {
            u64::from(first)
        } else {
            self.long_varlong(first)?
        };
        Ok(zigzag_64(raw))
    }

    /// The bytes of a varlong after a first one that was not the last.
    #[cold]
    #[inline(never)]
    fn long_varlong(&mut self, first: u8) -> Result<u64, Self::Fault> {
        let mut raw = u64::from(first & 0x7f);
        for shift in [7, 14, 21, 28, 35, 42, 49, 56] {
            let byte = self.byte()?;
            raw |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(raw);
            }
        }
        let last = self.byte()?;
        if last > 1 {
            return Err(RecordFault::Varint.into());
        }
        Ok(raw | u64::from(last) << 63)
    }
}

fn zigzag_32(raw: u32) -> i32 {
    (raw >> 1) as i32 ^ -((raw & 1) as i32)
}

fn zigzag_64(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

/// The bytes of a record that lies whole in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slice<'a>(pub(super) &'a [u8]);

impl<'a> Slice<'a> {
    /// The next `n` bytes.
    #[inline(always)]
    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8], RecordFault> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(RecordFault::Cut)?;
        self.0 = tail;
        Ok(head)
    }
}

impl Bytes for Slice<'_> {
    type Fault = RecordFault;

    #[inline(always)]
    fn byte(&mut self) -> Result<u8, RecordFault> {
        let (&byte, tail) = self.0.split_first().ok_or(RecordFault::Cut)?;
        self.0 = tail;
        Ok(byte)
    }

    #[inline(always)]
    fn skip(&mut self, n: usize) -> Result<(), RecordFault> {
        self.take(n).map(|_| ())
    }

    #[inline(always)]
    fn left(&self) -> usize {
        self.0.len()
    }

    // Deltas and lengths of one and of two bytes are nearly all there are.
    #[inline(always)]
    fn varint(&mut self) -> Result<i32, RecordFault> {
        match *self.0 {
            [a @ ..0x80, ref rest @ ..] => {
                self.0 = rest;
                Ok(zigzag_32(u32::from(a)))
            }
            [a, b @ ..0x80, ref rest @ ..] => {
                self.0 = rest;
                Ok(zigzag_32(u32::from(a & 0x7f) | u32::from(b) << 7))
            }
            _ => {
                let first = self.byte()?;
                Ok(zigzag_32(self.long_varint(first)?))
            }
        }
    }

    #[inline(always)]
    fn varlong(&mut self) -> Result<i64, RecordFault> {
        match *self.0 {
            [a @ ..0x80, ref rest @ ..] => {
                self.0 = rest;
                Ok(zigzag_64(u64::from(a)))
            }
            [a, b @ ..0x80, ref rest @ ..] => {
                self.0 = rest;
                Ok(zigzag_64(u64::from(a & 0x7f) | u64::from(b) << 7))
            }
            _ => {
                let first = self.byte()?;
                Ok(zigzag_64(self.long_varlong(first)?))
            }
        }
    }
}

/// Appends a zig-zag 32-bit number.
pub(super) fn put_varint(out: &mut Vec<u8>, value: i32) {
    put_unsigned(out, u64::from((value << 1 ^ value >> 31) as u32));
}

/// Appends a zig-zag 64-bit number.
pub(super) fn put_varlong(out: &mut Vec<u8>, value: i64) {
    put_unsigned(out, (value << 1 ^ value >> 63) as u64);
}

fn put_unsigned(out: &mut Vec<u8>, mut raw: u64) {
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// How many bytes [`put_varint`] appends.
pub(super) fn varint_size(value: i32) -> usize {
    unsigned_size(u64::from((value << 1 ^ value >> 31) as u32))
}

/// How many bytes [`put_varlong`] appends.
pub(super) fn varlong_size(value: i64) -> usize {
    unsigned_size((value << 1 ^ value >> 63) as u64)
}

fn unsigned_size(raw: u64) -> usize {
    // Seven bits a byte, one byte at least.
    (70 - (raw | 1).leading_zeros() as usize) / 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_of_a_number_comes_back() {
        for shift in 0..64 {
            for value in [
                1_i64 << shift,
                (1_i64 << shift).wrapping_neg(),
                (1_i64 << shift).wrapping_sub(1),
                i64::MIN,
                i64::MAX,
            ] {
                let mut bytes = Vec::new();
                put_varlong(&mut bytes, value);
                assert!(bytes.len() <= 10);
                assert_eq!(varlong_size(value), bytes.len());
                assert_eq!(Slice(&bytes).varlong(), Ok(value));

                let small = value as i32;
                let mut bytes = Vec::new();
                put_varint(&mut bytes, small);
                assert!(bytes.len() <= 5);
                assert_eq!(varint_size(small), bytes.len());
                assert_eq!(Slice(&bytes).varint(), Ok(small));
            }
        }
    }

    #[test]
    fn a_varint_of_too_many_bytes_or_bits_is_refused() {
        assert_eq!(Slice(&[0xff; 6]).varint(), Err(RecordFault::Varint));
        assert_eq!(
            Slice(&[0xff, 0xff, 0xff, 0xff, 0x10]).varint(),
            Err(RecordFault::Varint)
        );
        assert_eq!(Slice(&[0xff; 11]).varlong(), Err(RecordFault::Varint));
        let mut ten = [0xff; 10];
        ten[9] = 2;
        assert_eq!(Slice(&ten).varlong(), Err(RecordFault::Varint));
        assert_eq!(Slice(&[0xff; 4]).varint(), Err(RecordFault::Cut));
    }
}
