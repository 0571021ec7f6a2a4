//! zstd frames through one reused decoder of `ruzstd`, block by block. Decides what it may hold, and that a frame is as long
//! and hashes as it says.

use std::error::Error;
use std::io;

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::super::fault::InflateFault;
use super::super::inflate::{CHUNK, Room, claim, grow};
use super::super::pool::Grant;
use super::Frames;
use super::header::{BLOCK_MAX, Begin, CUT, begin, malformed};

/// Tables, and what one block holds: its bytes, its literals, its sequences at twelve bytes each.
const TABLES: usize = 2 << 20;
/// What decodes with a larger window is given back instead of kept. Java streams at level 3, whose window is 2 MiB for the
/// smallest batch: those are kept.
const KEEP_WINDOW: usize = 2 << 20;

/// What decodes, and the largest window that it had to hold.
pub(super) struct Decoder {
    frames: Box<FrameDecoder>,
    window: usize,
}

impl Decoder {
    /// Bytes that it holds at most.
    pub(super) fn held(&self) -> usize {
        room(self.window)
    }
}

/// What is held for a window. The buffer grows to the next power of two, from one half as large that is still there.
fn room(window: usize) -> usize {
    3 * (window + 2 * BLOCK_MAX).next_power_of_two() + TABLES
}

/// The frames of one payload.
pub(super) struct InRust<'a> {
    slot: &'a mut Option<Decoder>,
    rest: &'a [u8],
    window_max: usize,
    claimed: usize,
    /// Bytes that came out of the frame that has begun.
    frame: Option<u64>,
}

impl<'a> InRust<'a> {
    pub(super) fn new(
        input: &'a [u8],
        slot: &'a mut Option<Decoder>,
        window_max: usize,
    ) -> InRust<'a> {
        InRust {
            slot,
            rest: input,
            window_max,
            claimed: 0,
            frame: None,
        }
    }

    /// Takes the memory that the frame that begins here needs, or leaves it out.
    fn begin(&mut self, grant: &mut Grant<'_>) -> Result<(), InflateFault> {
        let window = match begin(self.rest, self.window_max)? {
            Begin::Data { window } => window,
            Begin::Skip { bytes } => {
                self.rest = self.rest.get(bytes..).ok_or(CUT)?;
                return Ok(());
            }
        };
        let need = CHUNK + room(window);
        if need > self.claimed {
            claim(grant, need - self.claimed)?;
            self.claimed = need;
        }
        let decoder = self.slot.get_or_insert_with(|| Decoder {
            frames: Box::new(FrameDecoder::new()),
            window: 0,
        });
        decoder.window = decoder.window.max(window);
        decoder.frames.reset(&mut self.rest).map_err(fault)?;
        self.frame = Some(0);
        Ok(())
    }
}

impl Frames for InRust<'_> {
    fn fill(
        &mut self,
        out: &mut Vec<u8>,
        grant: &mut Grant<'_>,
        room: Room,
    ) -> Result<usize, InflateFault> {
        loop {
            let Some(produced) = self.frame else {
                if self.rest.is_empty() {
                    return Ok(0);
                }
                self.begin(grant)?;
                continue;
            };
            let decoder = self.slot.as_mut().ok_or(InflateFault::NoRoom)?;
            let frames = &mut decoder.frames;
            // What came out of the last block is taken first, so that the window is all that is held beside one block.
            if frames.can_collect() > 0 {
                grow(out, CHUNK);
                let n = io::Read::read(frames.as_mut(), out).map_err(|_| malformed("block"))?;
                room.check(n)?;
                self.frame = Some(produced + n as u64);
                return Ok(n);
            }
            if frames.is_finished() {
                if frames.get_checksum_from_data().is_some()
                    && frames.get_checksum_from_data() != frames.get_calculated_checksum()
                {
                    return Err(malformed("block or checksum"));
                }
                // Without a size in its header it says 0.
                if ![0, produced].contains(&frames.content_size()) {
                    return Err(malformed("size"));
                }
                self.frame = None;
                continue;
            }
            frames
                .decode_blocks(&mut self.rest, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(fault)?;
        }
    }
}

impl Drop for InRust<'_> {
    fn drop(&mut self) {
        if self
            .slot
            .as_ref()
            .is_some_and(|decoder| decoder.window > KEEP_WINDOW)
        {
            *self.slot = None;
        }
    }
}

/// Bytes that are missing are told from bytes that are wrong.
fn fault(error: impl Error + 'static) -> InflateFault {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::UnexpectedEof) {
            return CUT;
        }
        cause = error.source();
    }
    malformed("block or header")
}
