//! Variable-length integers: seven bits a byte, least significant first, the high bit says "more".
//!
//! Decides their bytes; never what they count. A 32-bit one has at most five bytes, a 64-bit one
//! at most ten, and bits beyond the width are refused (#128).

use super::{DecodeError, Reader, Writer};

const OVERLONG: DecodeError = DecodeError::Malformed {
    what: "a varint longer than its type",
};

impl Reader<'_> {
    /// An unsigned varint of at most five bytes.
    #[inline]
    pub fn uvarint(&mut self) -> Result<u32, DecodeError> {
        let first = self.u8()?;
        if first < 0x80 {
            return Ok(u32::from(first));
        }
        self.uvarint_tail(first)
    }

    fn uvarint_tail(&mut self, first: u8) -> Result<u32, DecodeError> {
        let mut value = u32::from(first & 0x7f);
        for shift in [7, 14, 21] {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        let last = self.u8()?;
        if last > 0x0f {
            return Err(OVERLONG);
        }
        Ok(value | u32::from(last) << 28)
    }

    /// An unsigned varint of at most ten bytes.
    #[inline]
    pub fn uvarlong(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        let mut shift = 0;
        while shift < 63 {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
        }
        let last = self.u8()?;
        if last > 1 {
            return Err(OVERLONG);
        }
        Ok(value | u64::from(last) << 63)
    }

    /// A signed varint in zigzag form, at most five bytes.
    #[inline]
    pub fn varint(&mut self) -> Result<i32, DecodeError> {
        let raw = self.uvarint()?;
        Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
    }

    /// A signed 64-bit varint in zigzag form, at most ten bytes.
    #[inline]
    pub fn varlong(&mut self) -> Result<i64, DecodeError> {
        let raw = self.uvarlong()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }
}

impl Writer {
    /// An unsigned varint.
    #[inline]
    pub fn uvarint(&mut self, value: u32) {
        self.uvarlong(u64::from(value));
    }

    /// An unsigned 64-bit varint.
    #[inline]
    pub fn uvarlong(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8);
    }

    /// A signed varint in zigzag form.
    #[inline]
    pub fn varint(&mut self, value: i32) {
        self.uvarint(zigzag(value));
    }

    /// A signed 64-bit varint in zigzag form.
    #[inline]
    pub fn varlong(&mut self, value: i64) {
        self.uvarlong(zigzag_long(value));
    }
}

#[inline]
const fn zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

#[inline]
const fn zigzag_long(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// How many bytes [`Writer::uvarint`] writes for `value`.
#[inline]
pub const fn uvarint_len(value: u32) -> usize {
    let bits = 32 - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// How many bytes [`Writer::varint`] writes for `value`.
#[inline]
pub const fn varint_len(value: i32) -> usize {
    uvarint_len(zigzag(value))
}

/// How many bytes [`Writer::varlong`] writes for `value`.
#[inline]
pub const fn varlong_len(value: i64) -> usize {
    let bits = 64 - (zigzag_long(value) | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges() -> Vec<i64> {
        let mut edges = vec![
            0,
            i64::MAX,
            i64::MIN,
            i64::from(i32::MAX),
            i64::from(i32::MIN),
        ];
        for bit in 0..63 {
            edges.extend([1 << bit, (1 << bit) - 1, -(1 << bit), -(1 << bit) - 1]);
        }
        edges
    }

    #[test]
    fn every_varint_comes_back_and_its_length_is_known() {
        for long in edges() {
            let mut writer = Writer::new();
            writer.varlong(long);
            writer.uvarlong(long as u64);
            writer.varint(long as i32);
            writer.uvarint(long as u32);
            let bytes = writer.finish().into_bytes();
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.varlong(), Ok(long));
            assert_eq!(bytes.len() - reader.left(), varlong_len(long));
            assert_eq!(reader.uvarlong(), Ok(long as u64));
            let before = reader.left();
            assert_eq!(reader.varint(), Ok(long as i32));
            assert_eq!(before - reader.left(), varint_len(long as i32));
            let before = reader.left();
            assert_eq!(reader.uvarint(), Ok(long as u32));
            assert_eq!(before - reader.left(), uvarint_len(long as u32));
            assert_eq!(reader.left(), 0);
        }
    }

    #[test]
    fn a_varint_has_at_most_five_bytes_and_a_varlong_ten() {
        let six = [0x80, 0x80, 0x80, 0x80, 0x80, 0x00];
        assert_eq!(Reader::new(&six).uvarint(), Err(OVERLONG));
        assert_eq!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).uvarint(),
            Ok(u32::MAX)
        );
        assert_eq!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).uvarint(),
            Err(OVERLONG)
        );
        let mut ten = [0xff; 10];
        ten[9] = 0x01;
        assert_eq!(Reader::new(&ten).uvarlong(), Ok(u64::MAX));
        ten[9] = 0x02;
        assert_eq!(Reader::new(&ten).uvarlong(), Err(OVERLONG));
        assert_eq!(Reader::new(&[0x80]).uvarint(), Err(DecodeError::Truncated));
        assert_eq!(Reader::new(&[]).varlong(), Err(DecodeError::Truncated));
    }
}
