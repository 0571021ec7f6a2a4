//! The borrowed walk over records: over plain bytes, or over a decompression as it streams.
//! Decides whether a record's lengths are exact; keeps nothing of it but three numbers, and
//! allocates nothing (#128, #130).

use super::alike::{Alike, Looks};
use super::fault::{BatchFault, InflateFault, RecordFault};
use super::inflate::Inflate;
use super::varint::{Bytes, Slice};

/// What the walk saw of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    pub(super) has_key: bool,
}

/// Why the walk ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WalkFault {
    Record(RecordFault),
    Inflate(InflateFault),
}

impl From<RecordFault> for WalkFault {
    fn from(fault: RecordFault) -> WalkFault {
        WalkFault::Record(fault)
    }
}

impl From<InflateFault> for WalkFault {
    fn from(fault: InflateFault) -> WalkFault {
        WalkFault::Inflate(fault)
    }
}

impl WalkFault {
    pub(super) fn at(self, index: u32) -> BatchFault {
        match self {
            WalkFault::Record(fault) => BatchFault::Record { index, fault },
            WalkFault::Inflate(fault) => BatchFault::Inflate(fault),
        }
    }
}

/// Records one after the other; `None` at the exact end of the bytes.
pub(super) trait Walk {
    fn next(&mut self) -> Result<Option<Seen>, WalkFault>;

    /// The next records at once, if they are as they must be, from this offset on, `most` at most.
    fn alike(&mut self, offset: u32, most: u32) -> Option<Alike>;
}

impl<W: Walk> Walk for &mut W {
    fn next(&mut self) -> Result<Option<Seen>, WalkFault> {
        (**self).next()
    }

    fn alike(&mut self, offset: u32, most: u32) -> Option<Alike> {
        (**self).alike(offset, most)
    }
}

/// Walks the fields of one record and demands that they end where the record ends.
#[inline(always)]
fn fields<B: Bytes>(body: &mut B) -> Result<Seen, B::Fault> {
    let _attributes = body.byte()?;
    let timestamp_delta = body.varlong()?;
    let offset_delta = body.varint()?;
    let has_key = skip_nullable(body)?;
    skip_nullable(body)?;
    let headers = body.varint()?;
    if headers != 0 {
        skip_headers(body, headers)?;
    }
    if body.left() != 0 {
        return Err(RecordFault::Slack { bytes: body.left() }.into());
    }
    Ok(Seen {
        timestamp_delta,
        offset_delta,
        has_key,
    })
}

/// A header is at least two bytes, so a count can be judged before it is believed.
fn skip_headers<B: Bytes>(body: &mut B, count: i32) -> Result<(), B::Fault> {
    if count < 0 || count as usize > body.left() / 2 {
        return Err(RecordFault::Headers { count }.into());
    }
    for _ in 0..count {
        let key = body.varint()?;
        if key < 0 {
            return Err(RecordFault::Length { length: key }.into());
        }
        body.skip(key as usize)?;
        skip_nullable(body)?;
    }
    Ok(())
}

#[inline(always)]
fn skip_nullable<B: Bytes>(body: &mut B) -> Result<bool, B::Fault> {
    let length = body.varint()?;
    if length >= 0 {
        body.skip(length as usize)?;
        return Ok(true);
    }
    if length == -1 {
        return Ok(false);
    }
    Err(RecordFault::Length { length }.into())
}

/// Records that lie plain in memory.
pub(super) struct Plain<'a> {
    rest: Slice<'a>,
    looks: Looks,
}

impl<'a> Plain<'a> {
    pub(super) fn new(payload: &'a [u8]) -> Plain<'a> {
        Plain {
            rest: Slice(payload),
            looks: Looks::default(),
        }
    }
}

impl Walk for Plain<'_> {
    #[inline(always)]
    fn next(&mut self) -> Result<Option<Seen>, WalkFault> {
        if self.rest.left() == 0 {
            return Ok(None);
        }
        let length = self.rest.varint()?;
        if length < 0 {
            return Err(RecordFault::Length { length }.into());
        }
        let mut body = Slice(self.rest.take(length as usize)?);
        self.looks.seen(length as usize);
        Ok(Some(fields(&mut body)?))
    }

    #[inline(always)]
    fn alike(&mut self, offset: u32, most: u32) -> Option<Alike> {
        let alike = self.looks.look(self.rest.0, offset, most)?;
        self.rest.take(alike.bytes).ok()?;
        Some(alike)
    }
}

/// Records that come out of a decompression, chunk after chunk.
pub(super) struct Stream<'a> {
    inflate: Inflate<'a>,
    at: usize,
    looks: Looks,
}

impl<'a> Stream<'a> {
    pub(super) fn new(inflate: Inflate<'a>) -> Stream<'a> {
        Stream {
            inflate,
            at: 0,
            looks: Looks::default(),
        }
    }

    /// Bytes that came out so far.
    pub(super) fn produced(&self) -> u64 {
        self.inflate.produced()
    }

    fn here(&self) -> &[u8] {
        self.inflate.chunk().get(self.at..).unwrap_or_default()
    }

    /// Sees to it that there is a byte; false at the end of the stream.
    fn fill(&mut self) -> Result<bool, InflateFault> {
        while self.here().is_empty() {
            self.at = 0;
            if !self.inflate.fill()? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Walk for Stream<'_> {
    fn next(&mut self) -> Result<Option<Seen>, WalkFault> {
        if !self.fill()? {
            return Ok(None);
        }
        let length = Straddle {
            stream: self,
            left: 5,
        }
        .varint()?;
        if length < 0 {
            return Err(RecordFault::Length { length }.into());
        }
        let length = length as usize;
        if let Some(body) = self.here().get(..length) {
            let seen = fields(&mut Slice(body))?;
            self.at += length;
            self.looks.seen(length);
            return Ok(Some(seen));
        }
        Ok(Some(fields(&mut Straddle {
            stream: self,
            left: length,
        })?))
    }

    fn alike(&mut self, offset: u32, most: u32) -> Option<Alike> {
        // `here`, spelt out: the looks are borrowed beside it.
        let here = self.inflate.chunk().get(self.at..).unwrap_or_default();
        let alike = self.looks.look(here, offset, most)?;
        self.at += alike.bytes;
        Some(alike)
    }
}

/// A record that begins in one chunk and ends in a later one.
struct Straddle<'s, 'a> {
    stream: &'s mut Stream<'a>,
    left: usize,
}

impl Bytes for Straddle<'_, '_> {
    type Fault = WalkFault;

    fn byte(&mut self) -> Result<u8, WalkFault> {
        if self.left == 0 || !self.stream.fill()? {
            return Err(RecordFault::Cut.into());
        }
        let byte = self
            .stream
            .here()
            .first()
            .copied()
            .ok_or(RecordFault::Cut)?;
        self.stream.at += 1;
        self.left -= 1;
        Ok(byte)
    }

    fn skip(&mut self, n: usize) -> Result<(), WalkFault> {
        if n > self.left {
            return Err(RecordFault::Cut.into());
        }
        self.left -= n;
        let mut n = n;
        while n > 0 {
            if !self.stream.fill()? {
                return Err(RecordFault::Cut.into());
            }
            let step = n.min(self.stream.here().len());
            self.stream.at += step;
            n -= step;
        }
        Ok(())
    }

    fn left(&self) -> usize {
        self.left
    }
}
