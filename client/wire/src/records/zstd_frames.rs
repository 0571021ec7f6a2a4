//! zstd frames, one after the other, through one reused context. Decides which window a frame may
//! ask for, before the library allocates it (#130); the format itself is the crate `zstd`'s.
//!
//! ```text
//! 28 B5 2F FD | descriptor | [window] | [dictionary id] | [content size] | blocks ...
//! [50-5F] 2A 4D 18 | size u32 | that many bytes to leave out
//! ```

use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

use super::batch::Codec;
use super::fault::InflateFault;
use super::inflate::{CHUNK, Room, claim, grow};
use super::pool::Grant;

const MAGIC: u32 = 0xfd2f_b528;
const SKIPPABLE: u32 = 0x184d_2a50;
const SKIPPABLE_MASK: u32 = 0xffff_fff0;
const BLOCK_MAX: usize = 128 << 10;
/// The context itself, without window: tables of entropy and of literals.
const CONTEXT: usize = 128 << 10;
/// A context larger than this is given back instead of kept. Java streams at level 3, whose window is
/// 2 MiB for the smallest batch: those are kept.
const KEEP_CONTEXT: usize = 3 << 20;

/// The frames of one payload.
pub(super) struct ZstdFrames<'a> {
    slot: &'a mut Option<DCtx<'static>>,
    input: &'a [u8],
    at: usize,
    in_frame: bool,
    window_max: usize,
    claimed: usize,
}

impl<'a> ZstdFrames<'a> {
    pub(super) fn new(
        input: &'a [u8],
        slot: &'a mut Option<DCtx<'static>>,
        window_max: usize,
    ) -> Result<ZstdFrames<'a>, InflateFault> {
        if let Some(context) = slot
            && context.reset(ResetDirective::SessionOnly).is_err()
        {
            *slot = None;
        }
        Ok(ZstdFrames {
            slot,
            input,
            at: 0,
            in_frame: false,
            window_max,
            claimed: 0,
        })
    }

    pub(super) fn fill(
        &mut self,
        out: &mut Vec<u8>,
        grant: &mut Grant<'_>,
        room: Room,
    ) -> Result<usize, InflateFault> {
        loop {
            if !self.in_frame {
                if self.at == self.input.len() {
                    return Ok(0);
                }
                self.begin(grant)?;
            }
            let context = context(self.slot, self.window_max)?;
            grow(out, CHUNK);
            let mut to = OutBuffer::around(out.as_mut_slice());
            let mut from = InBuffer::around(self.input);
            from.set_pos(self.at);
            let left = context
                .decompress_stream(&mut to, &mut from)
                .map_err(|_| malformed("block or checksum"))?;
            let stuck = from.pos() == self.at && to.pos() == 0;
            self.at = from.pos();
            self.in_frame = left != 0;
            let n = to.pos();
            room.check(n)?;
            if n > 0 {
                return Ok(n);
            }
            if self.in_frame && (stuck || self.at == self.input.len()) {
                return Err(CUT);
            }
        }
    }

    /// Reads the header of the frame that begins here and takes the memory it needs.
    fn begin(&mut self, grant: &mut Grant<'_>) -> Result<(), InflateFault> {
        self.in_frame = true;
        let window = window(self.input.get(self.at..).unwrap_or_default())?;
        if window > self.window_max as u64 {
            return Err(InflateFault::Window {
                window,
                max: self.window_max,
            });
        }
        let window = window as usize;
        // As zstd 1.5.7 allocates: an input buffer of a block, an output buffer of the window and
        // two blocks.
        let need = CHUNK + CONTEXT + window + 3 * window.min(BLOCK_MAX) + 1024;
        if need > self.claimed {
            claim(grant, need - self.claimed)?;
            self.claimed = need;
        }
        Ok(())
    }
}

impl Drop for ZstdFrames<'_> {
    fn drop(&mut self) {
        if self
            .slot
            .as_ref()
            .is_some_and(|context| context.sizeof() > KEEP_CONTEXT)
        {
            *self.slot = None;
        }
    }
}

/// The context, made at its first use.
fn context<'s>(
    slot: &'s mut Option<DCtx<'static>>,
    window_max: usize,
) -> Result<&'s mut DCtx<'static>, InflateFault> {
    if slot.is_none() {
        let mut fresh = DCtx::try_create().ok_or(InflateFault::NoRoom)?;
        // The header was judged already; this holds the library to the same limit.
        let log = window_max.max(1024).ilog2().min(31);
        fresh
            .set_parameter(DParameter::WindowLogMax(log))
            .map_err(|_| malformed("window limit"))?;
        *slot = Some(fresh);
    }
    slot.as_mut().ok_or(InflateFault::NoRoom)
}

/// The window that the frame at the start of `frame` asks for; 0 for a frame to be left out.
fn window(frame: &[u8]) -> Result<u64, InflateFault> {
    let mut rest = frame;
    let magic = u32::from_le_bytes(take(&mut rest)?);
    if magic & SKIPPABLE_MASK == SKIPPABLE {
        return Ok(0);
    }
    if magic != MAGIC {
        return Err(malformed("magic"));
    }
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

const CUT: InflateFault = InflateFault::Cut { codec: Codec::Zstd };

fn malformed(why: &'static str) -> InflateFault {
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
