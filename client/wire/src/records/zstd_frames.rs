//! zstd frames, one after the other, and who decodes them: the crate `zstd` (C) where it is compiled in, else `ruzstd`.
//! Decides no limit itself: `header` reads what a frame asks for before anything is allocated (#130).

use super::batch::Codec;
use super::fault::InflateFault;
use super::inflate::Room;
use super::pool::Grant;

#[cfg_attr(
    not(any(feature = "zstd", feature = "zstd-decode")),
    expect(dead_code, reason = "nobody decodes: every frame is refused")
)]
mod header;
#[cfg(feature = "zstd")]
mod in_c;
#[cfg(feature = "zstd-decode")]
mod in_rust;

/// Who decodes.
#[derive(Clone, Copy)]
enum By {
    C,
    Rust,
    Nobody,
}

const BEST: By = if cfg!(feature = "zstd") {
    By::C
} else if cfg!(feature = "zstd-decode") {
    By::Rust
} else {
    By::Nobody
};

/// What decodes frames, kept from payload to payload. Nothing is held before the first.
pub(super) struct Kept {
    by: By,
    #[cfg(feature = "zstd")]
    in_c: Option<in_c::Context>,
    #[cfg(feature = "zstd-decode")]
    in_rust: Option<in_rust::Decoder>,
}

impl Kept {
    pub(super) const fn new() -> Kept {
        Kept {
            by: BEST,
            #[cfg(feature = "zstd")]
            in_c: None,
            #[cfg(feature = "zstd-decode")]
            in_rust: None,
        }
    }

    /// The same without C, although it may be there.
    #[cfg(feature = "zstd-decode")]
    pub(super) const fn without_c() -> Kept {
        let mut kept = Kept::new();
        kept.by = By::Rust;
        kept
    }

    /// Bytes that are held.
    pub(super) fn held(&self) -> usize {
        let held = 0;
        #[cfg(feature = "zstd")]
        let held = held + self.in_c.as_ref().map_or(0, in_c::held);
        #[cfg(feature = "zstd-decode")]
        let held = held + self.in_rust.as_ref().map_or(0, in_rust::Decoder::held);
        held
    }

    /// The frames of `input`.
    pub(super) fn frames<'a>(
        &'a mut self,
        input: &'a [u8],
        window_max: usize,
    ) -> Result<Box<dyn Frames + 'a>, InflateFault> {
        let _ = (input, window_max);
        match self.by {
            #[cfg(feature = "zstd")]
            By::C => Ok(Box::new(in_c::InC::new(input, &mut self.in_c, window_max))),
            #[cfg(feature = "zstd-decode")]
            By::Rust => Ok(Box::new(in_rust::InRust::new(
                input,
                &mut self.in_rust,
                window_max,
            ))),
            _ => Err(InflateFault::NotCompiledIn { codec: Codec::Zstd }),
        }
    }
}

/// The frames of one payload, being decoded.
pub(super) trait Frames {
    /// Puts the next bytes at the beginning of `out`; 0 at the end of the last frame.
    fn fill(
        &mut self,
        out: &mut Vec<u8>,
        grant: &mut Grant<'_>,
        room: Room,
    ) -> Result<usize, InflateFault>;
}
