//! How a zstd frame begins. Decides whether its window is within the limit before anybody allocates it (#130).
//!
//! ```text
//! 28 B5 2F FD | descriptor | [window] | [dictionary id] | [content size] | blocks ...
//! [50-5F] 2A 4D 18 | size u32 | that many bytes to leave out
//! ```

use super::super::batch::Codec;
use super::super::fault::InflateFault;

const MAGIC: u32 = 0xfd2f_b528;
const SKIPPABLE: u32 = 0x184d_2a50;
const SKIPPABLE_MASK: u32 = 0xffff_fff0;
pub(super) const BLOCK_MAX: usize = 128 << 10;

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Begin {
    /// Data, with a window of so many bytes, which is allowed.
    Data { window: usize },
    /// None: so many bytes, its beginning among them, are to be left out.
    Skip { bytes: usize },
}

/// How the frame at the start of `frame` begins.
pub(super) fn begin(frame: &[u8], window_max: usize) -> Result<Begin, InflateFault> {
    let mut rest = frame;
    let magic = u32::from_le_bytes(take(&mut rest)?);
    if magic & SKIPPABLE_MASK == SKIPPABLE {
        let bytes = 8 + u32::from_le_bytes(take(&mut rest)?) as usize;
        return Ok(Begin::Skip { bytes });
    }
    if magic != MAGIC {
        return Err(malformed("magic"));
    }
    let window = window(rest)?;
    match usize::try_from(window) {
        Ok(window) if window <= window_max => Ok(Begin::Data { window }),
        _ => Err(InflateFault::Window {
            window,
            max: window_max,
        }),
    }
}

/// The window that a frame asks for, from its descriptor on.
fn window(mut rest: &[u8]) -> Result<u64, InflateFault> {
    let [descriptor] = take(&mut rest)?;
    if descriptor & 0b0000_1000 != 0 {
        return Err(malformed("reserved bit"));
    }
    if descriptor & 0b11 != 0 {
        return Err(malformed("a dictionary, which Kafka's clients do not have"));
    }
    let single_segment = descriptor & 0b0010_0000 != 0;
    if !single_segment {
        let [window] = take(&mut rest)?;
        let base = 1_u64 << (10 + (window >> 3));
        return Ok(base + base / 8 * u64::from(window & 7));
    }
    match descriptor >> 6 {
        0 => Ok(u64::from(u8::from_le_bytes(take(&mut rest)?))),
        1 => Ok(u64::from(u16::from_le_bytes(take(&mut rest)?)) + 256),
        2 => Ok(u64::from(u32::from_le_bytes(take(&mut rest)?))),
        _ => Ok(u64::from_le_bytes(take(&mut rest)?)),
    }
}

pub(super) const CUT: InflateFault = InflateFault::Cut { codec: Codec::Zstd };

pub(super) fn malformed(why: &'static str) -> InflateFault {
    InflateFault::Malformed {
        codec: Codec::Zstd,
        why,
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], InflateFault> {
    let (head, tail) = bytes.split_first_chunk::<N>().ok_or(CUT)?;
    *bytes = tail;
    Ok(*head)
}
