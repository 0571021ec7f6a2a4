//! Snappy as Kafka's clients send it: one raw block, or the framing of Java's xerial library.
//! Decides how much a block may claim before it is decompressed (#128, #130); the block format
//! itself is the crate `snap`'s.
//!
//! ```text
//! xerial   82 'S' 'N' 'A' 'P' 'P' 'Y' 00 | version i32 | lowest version that can read it i32
//!          then until the end: length i32 | raw block of that many bytes      (all big-endian)
//! ```

use super::batch::Codec;
use super::fault::InflateFault;
use super::inflate::{Room, claim, grow};
use super::pool::Grant;

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const VERSION: i32 = 1;
/// Java's default block size.
const BLOCK: usize = 32 << 10;
/// The best a block can do is three bytes that copy 64: a larger claim is a lie.
const MOST_PER_BYTE: usize = 22;

/// The raw blocks of one payload.
#[derive(Debug)]
pub(super) struct SnappyBlocks<'a> {
    rest: &'a [u8],
    framed: bool,
}

impl<'a> SnappyBlocks<'a> {
    pub(super) fn new(input: &'a [u8]) -> Result<SnappyBlocks<'a>, InflateFault> {
        let Some(after) = input.strip_prefix(&MAGIC) else {
            return Ok(SnappyBlocks {
                rest: input,
                framed: false,
            });
        };
        let (_version, after) = after.split_first_chunk::<4>().ok_or(CUT)?;
        let (lowest, rest) = after.split_first_chunk::<4>().ok_or(CUT)?;
        if i32::from_be_bytes(*lowest) > VERSION {
            return Err(malformed("a framing version newer than 1"));
        }
        Ok(SnappyBlocks { rest, framed: true })
    }

    pub(super) fn fill(
        &mut self,
        out: &mut Vec<u8>,
        grant: &mut Grant<'_>,
        room: Room,
    ) -> Result<usize, InflateFault> {
        while !self.rest.is_empty() {
            let block = self.block()?;
            let size = snap::raw::decompress_len(block).map_err(|_| malformed("block length"))?;
            if size > block.len().saturating_mul(MOST_PER_BYTE) {
                return Err(malformed("a block cannot grow to what it claims"));
            }
            room.check(size)?;
            if size > grant.bytes() {
                claim(grant, size - grant.bytes())?;
            }
            grow(out, size);
            let place = out.get_mut(..size).unwrap_or_default();
            let n = snap::raw::Decoder::new()
                .decompress(block, place)
                .map_err(|_| malformed("block"))?;
            if n > 0 {
                return Ok(n);
            }
        }
        Ok(0)
    }

    fn block(&mut self) -> Result<&'a [u8], InflateFault> {
        if !self.framed {
            return Ok(std::mem::take(&mut self.rest));
        }
        let (length, rest) = self.rest.split_first_chunk::<4>().ok_or(CUT)?;
        let length = usize::try_from(i32::from_be_bytes(*length))
            .map_err(|_| malformed("chunk length below zero"))?;
        let (block, rest) = rest.split_at_checked(length).ok_or(CUT)?;
        self.rest = rest;
        Ok(block)
    }
}

/// How to frame snappy blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnappyFraming {
    /// One raw block, as librdkafka and Sarama send.
    Raw,
    /// Blocks of 32 KiB in xerial framing, as Java sends.
    Xerial,
}

/// Compresses `input` to the end of `out`.
pub(super) fn compress(
    input: &[u8],
    framing: SnappyFraming,
    out: &mut Vec<u8>,
) -> Result<(), snap::Error> {
    if framing == SnappyFraming::Raw {
        return compress_block(input, out);
    }
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&VERSION.to_be_bytes());
    for block in input.chunks(BLOCK) {
        let length_at = out.len();
        out.extend_from_slice(&[0; 4]);
        compress_block(block, out)?;
        let length = (out.len() - length_at - 4) as i32;
        if let Some(place) = out.get_mut(length_at..length_at + 4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }
    Ok(())
}

fn compress_block(block: &[u8], out: &mut Vec<u8>) -> Result<(), snap::Error> {
    let at = out.len();
    out.resize(at + snap::raw::max_compress_len(block.len()), 0);
    let n = snap::raw::Encoder::new().compress(block, out.get_mut(at..).unwrap_or_default())?;
    out.truncate(at + n);
    Ok(())
}

const CUT: InflateFault = InflateFault::Cut {
    codec: Codec::Snappy,
};

fn malformed(why: &'static str) -> InflateFault {
    InflateFault::Malformed {
        codec: Codec::Snappy,
        why,
    }
}
