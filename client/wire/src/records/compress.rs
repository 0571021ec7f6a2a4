//! Compression of records, as Kafka's clients can read it. Decides framing and levels; never
//! whether to compress.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

use super::batch::Codec;
use super::snappy;
pub use super::snappy::SnappyFraming;

/// gzip's level in Kafka's producer by default.
const GZIP_LEVEL: u32 = 6;
/// zstd's level in Kafka's producer by default.
#[cfg(feature = "zstd")]
const ZSTD_LEVEL: i32 = 3;

/// Whether this build writes `codec`: the only encoder for zstd there is, is C.
pub const fn writes(codec: Codec) -> bool {
    match codec {
        Codec::None | Codec::Gzip | Codec::Snappy | Codec::Lz4 => true,
        Codec::Zstd => cfg!(feature = "zstd"),
    }
}

/// Compresses `input` to the end of `out`, with the level that Kafka's producer has by default and
/// snappy in one raw block.
pub fn compress(codec: Codec, input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    match codec {
        Codec::None => {
            out.extend_from_slice(input);
            Ok(())
        }
        Codec::Gzip => {
            let mut encoder = GzEncoder::new(out, flate2::Compression::new(GZIP_LEVEL));
            encoder.write_all(input)?;
            encoder.finish().map(|_| ())
        }
        Codec::Snappy => compress_snappy(SnappyFraming::Raw, input, out),
        Codec::Lz4 => {
            // Independent blocks of 64 KiB: Java's reader knows no others.
            let info = FrameInfo::new()
                .block_size(BlockSize::Max64KB)
                .block_mode(BlockMode::Independent);
            let mut encoder = FrameEncoder::with_frame_info(info, out);
            encoder.write_all(input)?;
            encoder.finish().map(|_| ()).map_err(io::Error::other)
        }
        Codec::Zstd => compress_zstd(input, out),
    }
}

#[cfg(feature = "zstd")]
fn compress_zstd(input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    out.extend_from_slice(&zstd::bulk::Compressor::new(ZSTD_LEVEL)?.compress(input)?);
    Ok(())
}

#[cfg(not(feature = "zstd"))]
fn compress_zstd(_: &[u8], _: &mut Vec<u8>) -> io::Result<()> {
    let why = "zstd is not compiled in: build with the cargo feature \"zstd\"";
    Err(io::Error::new(io::ErrorKind::Unsupported, why))
}

/// Compresses `input` with snappy to the end of `out`, framed or not.
pub fn compress_snappy(framing: SnappyFraming, input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    snappy::compress(input, framing, out).map_err(io::Error::other)
}
