//! Streaming decompression under caps: bytes of output, size of window, and memory from a pool
//! (#130, #131). Decides when a stream is too much, and that it ends exactly where its bytes end;
//! never believes a length that the stream states before checking it.
//!
//! An [`Inflater`] belongs to one thread and is used again for batch after batch: it keeps a small
//! output buffer and what decodes zstd. What one decompression needs beyond the compressed bytes is
//! taken from the [`Pool`] before it is allocated.

use std::fmt;
use std::io::Read;

use flate2::bufread::MultiGzDecoder;

use super::batch::Codec;
use super::fault::InflateFault;
use super::lz4::Lz4Frame;
use super::pool::{Grant, Pool};
use super::snappy::SnappyBlocks;
use super::zstd_frames::{Frames, Kept};
use crate::proof;

/// Output of the codecs that stream is handed on in pieces of this size.
pub(super) const CHUNK: usize = 64 << 10;
/// What an idle inflater may keep of its output buffer.
const KEEP_OUT: usize = 1 << 20;
/// zlib-rs: state, 32 KiB window twice, tables.
const GZIP_STATE: usize = 96 << 10;

/// What one decompression may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Bytes of output.
    pub output: usize,
    /// Bytes of zstd's window.
    pub window: usize,
}

impl Caps {
    /// 64 MiB of output, 8 MiB of window: what every Kafka client's default levels stay within.
    pub const DEFAULT: Caps = Caps {
        output: 64 << 20,
        window: 8 << 20,
    };
}

impl Default for Caps {
    fn default() -> Caps {
        Caps::DEFAULT
    }
}

/// Buffers and contexts of one thread, used again for each decompression.
pub struct Inflater {
    out: Vec<u8>,
    zstd: Kept,
}

impl Default for Inflater {
    fn default() -> Inflater {
        Inflater::new()
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("kept", &self.kept())
            .finish()
    }
}

impl Inflater {
    /// An inflater that holds nothing yet.
    pub const fn new() -> Inflater {
        Inflater {
            out: Vec::new(),
            zstd: Kept::new(),
        }
    }

    /// The same, but one that reads zstd without C, even where C is compiled in.
    #[cfg(feature = "zstd-decode")]
    pub const fn without_c() -> Inflater {
        Inflater {
            out: Vec::new(),
            zstd: Kept::without_c(),
        }
    }

    /// Bytes that it holds while it is idle.
    pub fn kept(&self) -> usize {
        self.out.capacity() + self.zstd.held()
    }

    /// Begins to decompress `input`.
    pub fn open<'a>(
        &'a mut self,
        codec: Codec,
        input: &'a [u8],
        caps: Caps,
        pool: &'a Pool,
    ) -> Result<Inflate<'a>, InflateFault> {
        let Inflater { out, zstd } = self;
        let mut grant = pool.take(0).ok_or(InflateFault::NoRoom)?;
        let state = match codec {
            Codec::None => State::Plain(input),
            Codec::Gzip => {
                claim(&mut grant, GZIP_STATE + CHUNK)?;
                State::Gzip(Box::new(MultiGzDecoder::new(input)))
            }
            Codec::Snappy => State::Snappy(SnappyBlocks::new(input)?),
            Codec::Lz4 => State::Lz4(Lz4Frame::new(input)?),
            Codec::Zstd => State::Zstd(zstd.frames(input, caps.window)?),
        };
        Ok(Inflate {
            state,
            out,
            filled: 0,
            produced: 0,
            caps,
            grant,
        })
    }

    /// Decompresses all of `input` to the end of `into`, whose growth the pool gives too.
    ///
    /// The grant that comes back stands for the bytes in `into`: hold it as long as they are held.
    pub fn read_all<'p>(
        &mut self,
        codec: Codec,
        input: &[u8],
        caps: Caps,
        pool: &'p Pool,
        into: &mut Vec<u8>,
    ) -> Result<Grant<'p>, InflateFault> {
        let mut held = pool.take(0).ok_or(InflateFault::NoRoom)?;
        let mut inflate = self.open(codec, input, caps, pool)?;
        while inflate.fill()? {
            let more = inflate.chunk();
            let free = into.capacity() - into.len();
            if more.len() > free {
                let grown = more
                    .len()
                    .max(into.capacity())
                    .min(caps.output.max(more.len()));
                claim(&mut held, grown)?;
                into.reserve_exact(grown);
            }
            into.extend_from_slice(more);
        }
        Ok(held)
    }
}

/// Takes memory from the pool, or says that there is none.
pub(super) fn claim(grant: &mut Grant<'_>, bytes: usize) -> Result<(), InflateFault> {
    if grant.grow(bytes) {
        Ok(())
    } else {
        Err(InflateFault::NoRoom)
    }
}

enum State<'a> {
    Plain(&'a [u8]),
    Gzip(Box<MultiGzDecoder<&'a [u8]>>),
    Snappy(SnappyBlocks<'a>),
    Lz4(Lz4Frame<'a>),
    Zstd(Box<dyn Frames + 'a>),
}

/// One decompression under way.
pub struct Inflate<'a> {
    state: State<'a>,
    out: &'a mut Vec<u8>,
    filled: usize,
    produced: u64,
    caps: Caps,
    grant: Grant<'a>,
}

impl fmt::Debug for Inflate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflate")
            .field("produced", &self.produced)
            .field("grant", &self.grant.bytes())
            .finish()
    }
}

impl Inflate<'_> {
    /// Bytes that came out so far.
    pub fn produced(&self) -> u64 {
        self.produced
    }

    /// Bytes taken from the pool.
    pub fn claimed(&self) -> usize {
        self.grant.bytes()
    }

    /// What the last [`Inflate::fill`] brought.
    pub fn chunk(&self) -> &[u8] {
        match &self.state {
            State::Plain(bytes) => bytes.get(..self.filled).unwrap_or_default(),
            _ => self.out.get(..self.filled).unwrap_or_default(),
        }
    }

    /// Brings the next bytes; false at the end, which is also the end of the compressed bytes.
    pub fn fill(&mut self) -> Result<bool, InflateFault> {
        let room = (self.caps.output as u64).saturating_sub(self.produced);
        let room = Room {
            left: usize::try_from(room).unwrap_or(usize::MAX),
            max: self.caps.output,
        };
        self.filled = match &mut self.state {
            State::Plain(_) if self.produced > 0 => 0,
            State::Plain(bytes) => {
                room.check(bytes.len())?;
                bytes.len()
            }
            State::Gzip(gzip) => {
                grow(self.out, CHUNK);
                let n = loop {
                    match gzip.read(self.out) {
                        Ok(n) => break n,
                        Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                        Err(e) => return Err(gzip_fault(&e)),
                    }
                };
                room.check(n)?;
                n
            }
            State::Snappy(snappy) => snappy.fill(self.out, &mut self.grant, room)?,
            State::Lz4(lz4) => lz4.fill(self.out, &mut self.grant, room)?,
            State::Zstd(zstd) => zstd.fill(self.out, &mut self.grant, room)?,
        };
        self.produced += self.filled as u64;
        Ok(self.filled > 0)
    }
}

impl Drop for Inflate<'_> {
    fn drop(&mut self) {
        if self.out.capacity() > KEEP_OUT {
            *self.out = Vec::new();
        }
    }
}

/// Output that is still allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    left: usize,
    max: usize,
}

impl Room {
    pub(super) fn check(self, bytes: usize) -> Result<(), InflateFault> {
        if bytes > self.left && !proof::mutant("output-uncapped") {
            Err(InflateFault::Output { max: self.max })
        } else {
            Ok(())
        }
    }
}

/// Makes the buffer `bytes` long, without keeping what it held.
pub(super) fn grow(out: &mut Vec<u8>, bytes: usize) {
    if out.len() < bytes {
        out.clear();
        out.reserve_exact(bytes);
        out.resize(bytes, 0);
    }
}

fn gzip_fault(error: &std::io::Error) -> InflateFault {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        InflateFault::Cut { codec: Codec::Gzip }
    } else {
        InflateFault::Malformed {
            codec: Codec::Gzip,
            why: "header, data or checksum",
        }
    }
}
