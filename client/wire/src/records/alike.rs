//! Records that look alike, one behind the other: the same lengths, no headers, the next offset.
//! Decides "all these are right" by comparing each with the form of the first; what is not alike is
//! left to the walk field by field (`walk`), every fault too. Holds #128.
//!
//! The walk by field must read a length before it knows where the next record begins, and waits for
//! memory each time. Here the next place is known, and the processor reads many records at once.

use super::varint::{Bytes, Slice};

/// Records that were read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alike {
    /// At least one.
    pub(super) records: u32,
    pub(super) bytes: usize,
    pub(super) min_timestamp_delta: i64,
    pub(super) max_timestamp_delta: i64,
    /// Whether they have keys.
    pub(super) has_keys: bool,
}

/// No timestamp delta of [`Alike`] is farther from 0 than this.
pub(super) const FARTHEST_DELTA: i64 = 1 << 13;

/// Bytes of a record's head that are compared at once.
const HEAD: usize = 16;

/// When to look for records that are alike: after two of one length, and not where it was in vain
/// again and again, as with headers.
#[derive(Debug, Default)]
pub(super) struct Looks {
    last: usize,
    twice: bool,
    in_vain: u32,
}

impl Looks {
    /// So many are in vain before there are no more in this batch.
    const MOST_IN_VAIN: u32 = 8;
    /// A look that finds fewer costs more than it saves.
    const WORTH: u32 = 4;

    /// A record of this length was read field by field.
    #[inline(always)]
    pub(super) fn seen(&mut self, length: usize) {
        self.twice = self.last == length && self.in_vain < Self::MOST_IN_VAIN;
        self.last = length;
    }

    /// [`alike`], if it is worth while.
    #[inline(always)]
    pub(super) fn look(&mut self, rest: &[u8], offset: u32, most: u32) -> Option<Alike> {
        if !self.twice {
            return None;
        }
        let found = alike(rest, offset, most);
        if found.is_none_or(|found| found.records < Self::WORTH) {
            self.in_vain += 1;
        }
        found
    }
}

/// The records at the beginning of `rest` that look like its first one and have the offsets `offset`,
/// `offset + 1` ..; `most` at most. `None` says nothing about the record there.
#[inline(never)]
fn alike(rest: &[u8], offset: u32, most: u32) -> Option<Alike> {
    let form = Form::of(rest)?;
    let end = offset.saturating_add(most).min(form.offset_end);
    let (mut min, mut max) = (i64::MAX, i64::MIN);
    let mut left = rest;
    let mut at = offset;
    while at < end
        && let Some((record, behind)) = left.split_at_checked(form.size)
        && let Some(delta) = form.timestamp_delta(record, at)
    {
        min = min.min(delta);
        max = max.max(delta);
        left = behind;
        at += 1;
    }
    (at > offset).then_some(Alike {
        records: at - offset,
        bytes: rest.len() - left.len(),
        min_timestamp_delta: min,
        max_timestamp_delta: max,
        has_keys: form.has_key,
    })
}

/// What records that are alike have in common.
struct Form {
    /// Bytes of a whole record, its length field included.
    size: usize,
    has_key: bool,
    /// Which bits of the head must be what; those of the offset are added for each record.
    mask: u128,
    pattern: u128,
    /// Where in the head the timestamp delta lies, in bits, and which bits there are its.
    timestamp_shift: u32,
    timestamp_mask: u64,
    /// Where in the head the offset delta lies, in bits, and the first offset that takes more.
    offset_shift: u32,
    offset_end: u32,
    /// The value's length, if it lies behind a key.
    value: Option<Length>,
}

/// A length of one byte or two: where it lies, and which bits there must be what.
struct Length {
    at: usize,
    mask: u16,
    pattern: u16,
}

impl Form {
    /// The form of the record that `rest` begins with, if it is a right one without headers whose
    /// numbers have at most two bytes, its offset three, and if it is as long as a head.
    fn of(rest: &[u8]) -> Option<Form> {
        let mut at = Slice(rest);
        let place = |at: &Slice<'_>| rest.len() - at.left();
        let length = usize::try_from(at.varint().ok()?).ok()?;
        let size = place(&at) + length;
        let attributes = place(&at);
        at.byte().ok()?;
        let timestamp = place(&at);
        at.varint().ok()?;
        let offset = place(&at);
        at.varint().ok()?;
        let key_length = place(&at);
        let key = at.varint().ok()?;
        let key_at = place(&at);
        at.skip(key.max(0) as usize).ok()?;
        let value_length = place(&at);
        let value = at.varint().ok()?;
        let value_at = place(&at);
        at.skip(value.max(0) as usize).ok()?;
        let headers = place(&at);

        let (timestamp_bytes, offset_bytes) = (offset - timestamp, key_length - offset);
        let right = key >= -1 && value >= -1 && headers + 1 == size && size >= HEAD;
        let short = attributes <= 2
            && timestamp_bytes <= 2
            && offset_bytes <= 3
            && key_at - key_length <= 2
            && value_at - value_length <= 2;
        if !right || !short {
            return None;
        }
        // Of the timestamp only how many bytes it has is the same, and the attributes mean nothing.
        let mut mask =
            bits(0, attributes, 0xff) | bits(timestamp, offset, 0x80) | bits(offset, key_at, 0xff);
        let mut value = None;
        if key_at == value_length {
            mask |= bits(value_length, value_at, 0xff);
        } else {
            let bytes = *rest.get(value_length..)?.first_chunk()?;
            let long = value_at - value_length == 2;
            let mask = if long { 0xffff } else { 0xff };
            value = Some(Length {
                at: value_length,
                mask,
                pattern: u16::from_le_bytes(bytes) & mask,
            });
        }
        let head = u128::from_le_bytes(*rest.first_chunk()?);
        Some(Form {
            size,
            has_key: key >= 0,
            mask,
            pattern: head & mask & !bits(offset, key_length, 0x7f),
            timestamp_shift: 8 * timestamp as u32,
            timestamp_mask: (1 << (8 * timestamp_bytes)) - 1,
            offset_shift: 8 * offset as u32,
            offset_end: 1 << (7 * offset_bytes - 1),
            value,
        })
    }

    /// The timestamp delta of a record of `size` bytes, if it has this form and this offset.
    #[inline(always)]
    fn timestamp_delta(&self, record: &[u8], offset: u32) -> Option<i64> {
        let head = u128::from_le_bytes(*record.first_chunk()?);
        // The offset as it must lie there: zig-zag, seven bits a byte.
        let raw = u64::from(offset) << 1;
        let spread = raw & 0x7f | (raw & 0x3f80) << 1 | (raw & 0x1f_c000) << 2;
        let pattern = self.pattern | u128::from(spread << self.offset_shift);
        // The last byte is the count of headers.
        if head & self.mask != pattern || *record.last()? != 0 {
            return None;
        }
        if let Some(value) = &self.value
            && u16::from_le_bytes(*record.get(value.at..)?.first_chunk()?) & value.mask
                != value.pattern
        {
            return None;
        }
        let raw = head as u64 >> self.timestamp_shift & self.timestamp_mask;
        let raw = raw & 0x7f | raw >> 1 & 0x3f80;
        Some((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }
}

/// The bits `of` in each byte of a head from one place to another.
fn bits(from: usize, to: usize, of: u8) -> u128 {
    (from..to).fold(0, |all, byte| all | u128::from(of) << (8 * byte))
}
