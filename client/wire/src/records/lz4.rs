//! The LZ4 frame format, as far as Kafka's clients can read it. Decides where blocks lie and what
//! they may claim (#128, #130); the block format itself is the crate `lz4_flex`'s.
//!
//! ```text
//! 04 22 4D 18 | FLG | BD | [content size u64] | header checksum
//! then blocks: size u32, top bit = stored plain | bytes | [block checksum u32]
//! end:         size 0 | [content checksum u32]                             (all little-endian)
//! ```
//!
//! Stricter than the format, because Java's reader is: blocks must be independent of each other, no
//! dictionary, one frame, nothing behind it. All checksums are verified: librdkafka verifies them,
//! so a batch with a wrong one would be stored and could not be read.

use super::batch::Codec;
use super::fault::InflateFault;
use super::inflate::{Room, claim, grow};
use super::pool::Grant;

const MAGIC: u32 = 0x184d_2204;
const VERSION: u8 = 0b0100_0000;
const VERSION_MASK: u8 = 0b1100_0000;
const INDEPENDENT: u8 = 0b0010_0000;
const BLOCK_CHECKSUM: u8 = 0b0001_0000;
const CONTENT_SIZE: u8 = 0b0000_1000;
const CONTENT_CHECKSUM: u8 = 0b0000_0100;
const STORED_PLAIN: u32 = 1 << 31;
/// A sequence cannot yield more than 255 bytes a byte, and a few for its token.
const MOST_PER_BYTE: usize = 256;

/// The blocks of one frame.
#[derive(Debug)]
pub(super) struct Lz4Frame<'a> {
    rest: &'a [u8],
    block_max: usize,
    block_checksum: bool,
    content_checksum: Option<Xxh32>,
    content_left: Option<u64>,
    ended: bool,
}

impl<'a> Lz4Frame<'a> {
    pub(super) fn new(input: &'a [u8]) -> Result<Lz4Frame<'a>, InflateFault> {
        let mut rest = input;
        if u32::from_le_bytes(take(&mut rest)?) != MAGIC {
            return Err(malformed("magic"));
        }
        let described = rest;
        let [flags, block] = take(&mut rest)?;
        if flags & VERSION_MASK != VERSION || flags & 0b11 != 0 {
            return Err(malformed("version, dictionary or reserved bit"));
        }
        if flags & INDEPENDENT == 0 {
            return Err(malformed(
                "blocks depend on each other, which Kafka's clients cannot read",
            ));
        }
        let block_max = match block {
            0x40 => 64 << 10,
            0x50 => 256 << 10,
            0x60 => 1 << 20,
            0x70 => 4 << 20,
            _ => return Err(malformed("block size")),
        };
        let content_left = if flags & CONTENT_SIZE == 0 {
            None
        } else {
            Some(u64::from_le_bytes(take(&mut rest)?))
        };
        let described = described
            .get(..described.len() - rest.len())
            .unwrap_or_default();
        let [checksum] = take(&mut rest)?;
        if checksum != (Xxh32::of(described) >> 8) as u8 {
            return Err(malformed("header checksum"));
        }
        Ok(Lz4Frame {
            rest,
            block_max,
            block_checksum: flags & BLOCK_CHECKSUM != 0,
            content_checksum: (flags & CONTENT_CHECKSUM != 0).then(Xxh32::new),
            content_left,
            ended: false,
        })
    }

    pub(super) fn fill(
        &mut self,
        out: &mut Vec<u8>,
        grant: &mut Grant<'_>,
        room: Room,
    ) -> Result<usize, InflateFault> {
        while !self.ended {
            let size = u32::from_le_bytes(take(&mut self.rest)?);
            if size == 0 {
                self.end()?;
                break;
            }
            let n = self.block(size, out, grant)?;
            room.check(n)?;
            let content = out.get(..n).unwrap_or_default();
            if let Some(checksum) = &mut self.content_checksum {
                checksum.add(content);
            }
            if let Some(left) = &mut self.content_left {
                *left = left
                    .checked_sub(n as u64)
                    .ok_or(malformed("content size"))?;
            }
            if n > 0 {
                return Ok(n);
            }
        }
        Ok(0)
    }

    fn block(
        &mut self,
        size: u32,
        out: &mut Vec<u8>,
        grant: &mut Grant<'_>,
    ) -> Result<usize, InflateFault> {
        let length = (size & !STORED_PLAIN) as usize;
        if length == 0 || length > self.block_max {
            return Err(malformed("block size"));
        }
        let (block, rest) = self.rest.split_at_checked(length).ok_or(CUT)?;
        self.rest = rest;
        if self.block_checksum && u32::from_le_bytes(take(&mut self.rest)?) != Xxh32::of(block) {
            return Err(malformed("block checksum"));
        }
        let most = self.block_max.min(length.saturating_mul(MOST_PER_BYTE));
        if most > grant.bytes() {
            claim(grant, most - grant.bytes())?;
        }
        grow(out, most);
        let place = out.get_mut(..most).unwrap_or_default();
        if size & STORED_PLAIN == 0 {
            return lz4_flex::block::decompress_into(block, place).map_err(|_| malformed("block"));
        }
        place
            .get_mut(..length)
            .unwrap_or_default()
            .copy_from_slice(block);
        Ok(length)
    }

    fn end(&mut self) -> Result<(), InflateFault> {
        self.ended = true;
        if let Some(checksum) = &self.content_checksum
            && u32::from_le_bytes(take(&mut self.rest)?) != checksum.finish()
        {
            return Err(malformed("content checksum"));
        }
        if self.content_left.is_some_and(|left| left != 0) {
            return Err(malformed("content size"));
        }
        if !self.rest.is_empty() {
            return Err(malformed("bytes after the end of the frame"));
        }
        Ok(())
    }
}

const CUT: InflateFault = InflateFault::Cut { codec: Codec::Lz4 };

fn malformed(why: &'static str) -> InflateFault {
    InflateFault::Malformed {
        codec: Codec::Lz4,
        why,
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], InflateFault> {
    let (head, tail) = bytes.split_first_chunk::<N>().ok_or(CUT)?;
    *bytes = tail;
    Ok(*head)
}

const PRIME_1: u32 = 0x9e37_79b1;
const PRIME_2: u32 = 0x85eb_ca77;
const PRIME_3: u32 = 0xc2b2_ae3d;
const PRIME_4: u32 = 0x27d4_eb2f;
const PRIME_5: u32 = 0x1656_67b1;

/// XXH32 with seed 0, the checksum of the frame format.
#[derive(Debug)]
struct Xxh32 {
    lanes: [u32; 4],
    /// Bytes that do not yet fill a stripe of 16.
    tail: [u8; 16],
    tail_len: usize,
    total: u64,
}

impl Xxh32 {
    fn new() -> Xxh32 {
        let lanes = [
            PRIME_1.wrapping_add(PRIME_2),
            PRIME_2,
            0,
            0_u32.wrapping_sub(PRIME_1),
        ];
        Xxh32 {
            lanes,
            tail: [0; 16],
            tail_len: 0,
            total: 0,
        }
    }

    fn of(bytes: &[u8]) -> u32 {
        let mut hash = Xxh32::new();
        hash.add(bytes);
        hash.finish()
    }

    fn add(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let (fill, rest) = bytes.split_at(bytes.len().min(16 - self.tail_len));
        let place = self
            .tail
            .get_mut(self.tail_len..self.tail_len + fill.len())
            .unwrap_or_default();
        place.copy_from_slice(fill);
        self.tail_len += fill.len();
        if self.tail_len < 16 {
            return;
        }
        let tail = self.tail;
        self.stripe(&tail);
        let (stripes, rest) = rest.as_chunks::<16>();
        for stripe in stripes {
            self.stripe(stripe);
        }
        self.tail_len = rest.len();
        self.tail
            .get_mut(..rest.len())
            .unwrap_or_default()
            .copy_from_slice(rest);
    }

    fn stripe(&mut self, stripe: &[u8; 16]) {
        let (words, _) = stripe.as_chunks::<4>();
        for (lane, word) in self.lanes.iter_mut().zip(words) {
            let input = u32::from_le_bytes(*word).wrapping_mul(PRIME_2);
            *lane = lane
                .wrapping_add(input)
                .rotate_left(13)
                .wrapping_mul(PRIME_1);
        }
    }

    fn finish(&self) -> u32 {
        let [a, b, c, d] = self.lanes;
        let mut hash = if self.total >= 16 {
            a.rotate_left(1)
                .wrapping_add(b.rotate_left(7))
                .wrapping_add(c.rotate_left(12))
                .wrapping_add(d.rotate_left(18))
        } else {
            PRIME_5
        };
        hash = hash.wrapping_add(self.total as u32);
        let tail = self.tail.get(..self.tail_len % 16).unwrap_or_default();
        let (words, bytes) = tail.as_chunks::<4>();
        for word in words {
            let input = u32::from_le_bytes(*word).wrapping_mul(PRIME_3);
            hash = hash
                .wrapping_add(input)
                .rotate_left(17)
                .wrapping_mul(PRIME_4);
        }
        for byte in bytes {
            let input = u32::from(*byte).wrapping_mul(PRIME_5);
            hash = hash
                .wrapping_add(input)
                .rotate_left(11)
                .wrapping_mul(PRIME_1);
        }
        hash = (hash ^ hash >> 15).wrapping_mul(PRIME_2);
        hash = (hash ^ hash >> 13).wrapping_mul(PRIME_3);
        hash ^ hash >> 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_the_frame_format_is_xxh32() {
        // Vectors of the xxHash specification's sanity checks, seed 0.
        assert_eq!(Xxh32::of(b""), 0x02cc_5d05);
        assert_eq!(Xxh32::of(b"a"), 0x550d_7456);
        assert_eq!(Xxh32::of(b"abc"), 0x32d1_53ff);
        assert_eq!(
            Xxh32::of(b"Nobody inspects the spammish repetition"),
            0xe229_3b2f
        );
    }

    #[test]
    fn the_checksum_does_not_depend_on_how_the_bytes_come() {
        let bytes: Vec<u8> = (0..1000_u32).map(|i| (i * 7) as u8).collect();
        for step in 1..40 {
            let mut hash = Xxh32::new();
            bytes.chunks(step).for_each(|part| hash.add(part));
            assert_eq!(hash.finish(), Xxh32::of(&bytes), "in steps of {step}");
        }
    }
}
