//! A growing buffer that a message is written into in one pass.
//!
//! Decides how encoded bytes are collected, and that large payloads are spliced in, not copied;
//! never what is written.

use bytes::{BufMut, Bytes, BytesMut};

use super::{At, EncodeError, Pieces};

/// Collects the bytes of one frame.
///
/// After [`Writer::finish`] it is empty and may be used for the next frame: its memory comes back
/// as soon as the frame before has been dropped.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: BytesMut,
    splices: Vec<Splice>,
    spliced: usize,
    /// Inside a length that is only known afterwards: bytes move, so nothing may be spliced.
    held: bool,
}

#[derive(Debug)]
struct Splice {
    /// Behind this many bytes of the buffer.
    at: usize,
    bytes: Bytes,
}

impl Writer {
    /// Payloads shorter than this are copied: one more piece in a vectored write costs more.
    const SPLICE_MIN: usize = 1024;
    /// What is longer leaves in memory of its own size: a buffer that grew is up to twice as large as what is in it, and
    /// whoever does not take his answer would hold all of it (#131).
    const SHARED_MAX: usize = 64 << 10;
    /// A buffer that grew beyond this is not kept for the next frame.
    const KEPT_MAX: usize = 1 << 20;

    /// An empty writer.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty writer with room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            buffer: BytesMut::with_capacity(bytes),
            ..Self::default()
        }
    }

    /// How many bytes have been written, splices included.
    #[inline]
    pub fn len(&self) -> usize {
        self.buffer.len() + self.spliced
    }

    /// Whether nothing has been written.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops what has been written.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.splices.clear();
        self.spliced = 0;
        self.held = false;
    }

    /// What has been written, in as many pieces as the splices make.
    pub fn finish(&mut self) -> Pieces {
        let mut written = if self.buffer.len() > Self::SHARED_MAX {
            self.copied()
        } else {
            self.buffer.split().freeze()
        };
        self.spliced = 0;
        self.held = false;
        if self.splices.is_empty() {
            return written.into();
        }
        let mut pieces = Pieces::new();
        let mut taken = 0;
        for splice in self.splices.drain(..) {
            pieces.push(written.split_to(splice.at - taken));
            pieces.push(splice.bytes);
            taken = splice.at;
        }
        pieces.push(written);
        pieces
    }

    fn copied(&mut self) -> Bytes {
        let written = Bytes::copy_from_slice(&self.buffer);
        self.buffer.clear();
        if self.buffer.capacity() > Self::KEPT_MAX {
            self.buffer = BytesMut::new();
        }
        written
    }

    /// Copies bytes in.
    #[inline]
    pub fn slice(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes a payload in without copying it, unless it is small.
    #[inline]
    pub fn splice(&mut self, bytes: &Bytes) {
        if self.held || bytes.len() < Self::SPLICE_MIN {
            return self.slice(bytes);
        }
        self.spliced += bytes.len();
        self.splices.push(Splice {
            at: self.buffer.len(),
            bytes: bytes.clone(),
        });
    }

    /// Writes four bytes of length in front of what `write` writes; after an error nothing of it is left.
    #[inline]
    pub fn framed(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let at = self.buffer.len();
        let splices = self.splices.len();
        self.i32(0);
        let start = self.len();
        let length = write(self)
            .and_then(|()| i32::try_from(self.len() - start).map_err(|_| EncodeError::TooLong));
        let length = match length {
            Ok(length) => length,
            Err(error) => {
                self.buffer.truncate(at);
                let undone = self
                    .splices
                    .drain(splices..)
                    .map(|splice| splice.bytes.len());
                self.spliced -= undone.sum::<usize>();
                self.held = false;
                return Err(error);
            }
        };
        if let Some(field) = self.buffer.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *field = length.to_be_bytes();
        }
        Ok(())
    }

    /// Writes a varint of length in front of what `write` writes.
    ///
    /// One byte is left for it; the few longer values are moved to make room.
    #[inline]
    pub fn sized(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let at = self.buffer.len();
        self.u8(0);
        let held = core::mem::replace(&mut self.held, true);
        write(self)?;
        self.held = held;
        let length = self.buffer.len() - at - 1;
        if length < 0x80 {
            if let Some(field) = self.buffer.get_mut(at) {
                *field = length as u8;
            }
            return Ok(());
        }
        let length = u32::try_from(length).map_err(|_| EncodeError::TooLong)?;
        let value = self.buffer.split_off(at + 1);
        self.buffer.truncate(at);
        self.uvarint(length);
        self.slice(&value);
        Ok(())
    }

    /// The length of a list or blob, `None` for null.
    #[inline]
    pub fn count(&mut self, count: Option<usize>, at: At) -> Result<(), EncodeError> {
        if at.flexible {
            return self.compact(count);
        }
        let length = count
            .map_or(Ok(-1), i32::try_from)
            .map_err(|_| EncodeError::TooLong)?;
        self.i32(length);
        Ok(())
    }

    /// The length of a string, `None` for null.
    #[inline]
    pub fn text_length(&mut self, length: Option<usize>, at: At) -> Result<(), EncodeError> {
        let length = length
            .map_or(Ok(-1), i16::try_from)
            .map_err(|_| EncodeError::TooLong)?;
        if at.flexible {
            return self.compact(usize::try_from(length).ok());
        }
        self.i16(length);
        Ok(())
    }

    #[inline]
    fn compact(&mut self, count: Option<usize>) -> Result<(), EncodeError> {
        // 0 is null, so a length is stored as one more than it is.
        let length = match count {
            None => 0,
            Some(count) if count < i32::MAX as usize => count as u32 + 1,
            Some(_) => return Err(EncodeError::TooLong),
        };
        self.uvarint(length);
        Ok(())
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self, value: u8) {
        self.buffer.put_u8(value);
    }

    /// One byte with a sign.
    #[inline]
    pub fn i8(&mut self, value: i8) {
        self.buffer.put_i8(value);
    }

    /// Two bytes without a sign, big-endian like all that follow.
    #[inline]
    pub fn u16(&mut self, value: u16) {
        self.slice(&value.to_be_bytes());
    }

    /// Two bytes with a sign.
    #[inline]
    pub fn i16(&mut self, value: i16) {
        self.slice(&value.to_be_bytes());
    }

    /// Four bytes without a sign.
    #[inline]
    pub fn u32(&mut self, value: u32) {
        self.slice(&value.to_be_bytes());
    }

    /// Four bytes with a sign.
    #[inline]
    pub fn i32(&mut self, value: i32) {
        self.slice(&value.to_be_bytes());
    }

    /// Eight bytes with a sign.
    #[inline]
    pub fn i64(&mut self, value: i64) {
        self.slice(&value.to_be_bytes());
    }

    /// An IEEE 754 double.
    #[inline]
    pub fn f64(&mut self, value: f64) {
        self.slice(&value.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_payload_is_spliced_and_its_length_counted() {
        let payload = Bytes::from(vec![7; Writer::SPLICE_MIN]);
        let mut writer = Writer::new();
        writer
            .framed(|writer| {
                writer.u8(1);
                writer.splice(&payload);
                writer.u8(2);
                Ok(())
            })
            .unwrap();
        let pieces = writer.finish();
        let parts: Vec<_> = pieces.iter().cloned().collect();
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[0], [0, 0, 4, 2, 1][..]);
        assert_eq!(parts[1].as_ptr(), payload.as_ptr());
        assert_eq!(parts[2], [2][..]);
        assert!(writer.is_empty());
    }

    #[test]
    fn a_frame_that_fails_leaves_nothing_behind() {
        let payload = Bytes::from(vec![7; Writer::SPLICE_MIN]);
        let mut writer = Writer::new();
        writer.u8(9);
        let failed = writer.framed(|writer| {
            writer.splice(&payload);
            writer.u8(1);
            Err(EncodeError::TooLong)
        });
        assert_eq!(failed, Err(EncodeError::TooLong));
        assert_eq!(writer.len(), 1);
        assert_eq!(writer.finish().into_bytes(), [9][..]);
    }

    #[test]
    fn a_small_payload_is_copied() {
        let mut writer = Writer::new();
        writer.splice(&Bytes::from_static(b"small"));
        assert_eq!(writer.finish().iter().count(), 1);
    }

    #[test]
    fn a_length_in_front_grows_with_its_value() {
        for length in [0, 1, 127, 128, 16_383, 16_384] {
            let payload = Bytes::from(vec![9; length]);
            let mut writer = Writer::new();
            writer.u8(5);
            writer
                .sized(|writer| {
                    writer.splice(&payload);
                    Ok(())
                })
                .unwrap();
            let bytes = writer.finish().into_bytes();
            let mut reader = crate::Reader::new(&bytes[1..]);
            assert_eq!(reader.uvarint(), Ok(length as u32));
            assert_eq!(reader.rest(), payload);
        }
    }
}
