//! Looks for an offset by time inside one stored batch, for ListOffsets (KIP-79, KIP-734). Decides
//! which record is meant; decompresses under the same caps as everything else (#130), and the caller
//! has checked the CRC (#7).

use super::batch::{Batch, Codec, NO_TIMESTAMP};
use super::fault::BatchFault;
use super::inflate::{Caps, Inflater};
use super::pool::Pool;
use super::record::timestamp_of;
use super::walk::{Plain, Stream, Walk};

/// A record's offset and timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// In the log.
    pub offset: i64,
    /// The record's, or the batch's where the broker set the time.
    pub timestamp: i64,
}

/// The first record of the batch, at or behind the offset `from`, with this timestamp or a later one.
pub fn first_at_or_after(
    batch: &Batch<'_>,
    timestamp: i64,
    from: i64,
    caps: Caps,
    inflater: &mut Inflater,
    pool: &Pool,
) -> Result<Option<Found>, BatchFault> {
    // The header's maximum holds for every stored batch: the log mends it.
    if batch.header.max_timestamp < timestamp {
        return Ok(None);
    }
    scan(batch, caps, inflater, pool, |found| {
        found.offset >= from && found.timestamp >= timestamp
    })
}

/// Of the batch's records at or behind the offset `from`, the first with the largest timestamp.
pub fn first_with_max_timestamp(
    batch: &Batch<'_>,
    from: i64,
    caps: Caps,
    inflater: &mut Inflater,
    pool: &Pool,
) -> Result<Option<Found>, BatchFault> {
    let max = batch.header.max_timestamp;
    let mut latest: Option<Found> = None;
    scan(batch, caps, inflater, pool, |found| {
        let later = latest.is_none_or(|latest| latest.timestamp < found.timestamp);
        if found.offset >= from && later {
            latest = Some(*found);
        }
        latest.is_some_and(|latest| latest.timestamp == max)
    })?;
    Ok(latest)
}

/// The records of a client's batch that are older than `earliest` or later than `latest`, the first `most` of them. Their
/// offsets are their places, for such a batch begins at offset 0; one without a time is neither old nor new.
pub fn outside(
    batch: &Batch<'_>,
    (earliest, latest): (i64, i64),
    most: usize,
    caps: Caps,
    inflater: &mut Inflater,
    pool: &Pool,
) -> Result<Vec<Found>, BatchFault> {
    let mut all = Vec::new();
    scan(batch, caps, inflater, pool, |found| {
        let inside = (earliest..=latest).contains(&found.timestamp);
        if !inside && found.timestamp != NO_TIMESTAMP {
            all.push(*found);
        }
        all.len() >= most
    })?;
    Ok(all)
}

fn scan(
    batch: &Batch<'_>,
    caps: Caps,
    inflater: &mut Inflater,
    pool: &Pool,
    is_it: impl FnMut(&Found) -> bool,
) -> Result<Option<Found>, BatchFault> {
    let codec = batch.header.attributes()?.codec;
    if codec == Codec::None {
        return scan_walk(batch, Plain::new(batch.payload()), is_it);
    }
    let inflate = inflater.open(codec, batch.payload(), caps, pool)?;
    scan_walk(batch, Stream::new(inflate), is_it)
}

fn scan_walk(
    batch: &Batch<'_>,
    mut walk: impl Walk,
    mut is_it: impl FnMut(&Found) -> bool,
) -> Result<Option<Found>, BatchFault> {
    let header = &batch.header;
    let mut index = 0;
    while let Some(seen) = walk.next().map_err(|fault| fault.at(index))? {
        let offset = header
            .base_offset
            .saturating_add(i64::from(seen.offset_delta));
        let found = Found {
            offset,
            timestamp: timestamp_of(header, seen.timestamp_delta),
        };
        if is_it(&found) {
            return Ok(Some(found));
        }
        index += 1;
    }
    Ok(None)
}
