//! zstd frames through one reused context of the C library, which is held to the limit too.
//! Decides what memory a frame takes of the grant, and which context is kept; the limit of the window is `header`'s.

use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

use super::super::fault::InflateFault;
use super::super::inflate::{CHUNK, Room, claim, grow};
use super::super::pool::Grant;
use super::Frames;
use super::header::{BLOCK_MAX, Begin, CUT, begin, malformed};

pub(super) type Context = DCtx<'static>;

/// The context itself, without window: tables of entropy and of literals.
const CONTEXT: usize = 128 << 10;
/// A context larger than this is given back instead of kept. Java streams at level 3, whose window is
/// 2 MiB for the smallest batch: those are kept.
const KEEP_CONTEXT: usize = 3 << 20;

/// Bytes that it holds.
pub(super) fn held(context: &Context) -> usize {
    context.sizeof()
}

/// The frames of one payload.
pub(super) struct InC<'a> {
    slot: &'a mut Option<Context>,
    input: &'a [u8],
    at: usize,
    in_frame: bool,
    window_max: usize,
    claimed: usize,
}

impl<'a> InC<'a> {
    pub(super) fn new(
        input: &'a [u8],
        slot: &'a mut Option<Context>,
        window_max: usize,
    ) -> InC<'a> {
        if let Some(context) = slot
            && context.reset(ResetDirective::SessionOnly).is_err()
        {
            *slot = None;
        }
        InC {
            slot,
            input,
            at: 0,
            in_frame: false,
            window_max,
            claimed: 0,
        }
    }

    /// Takes the memory that the frame that begins here needs. What is to be left out the library leaves out.
    fn begin(&mut self, grant: &mut Grant<'_>) -> Result<(), InflateFault> {
        self.in_frame = true;
        let frame = self.input.get(self.at..).unwrap_or_default();
        let window = match begin(frame, self.window_max)? {
            Begin::Data { window } => window,
            Begin::Skip { .. } => 0,
        };
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

impl Frames for InC<'_> {
    fn fill(
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
}

impl Drop for InC<'_> {
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
fn context(slot: &mut Option<Context>, window_max: usize) -> Result<&mut Context, InflateFault> {
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
