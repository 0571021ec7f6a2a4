//! Decides the bytes of requests about many partitions at once, and reads their replies: ListOffsets, ApiVersions, a Fetch
//! of a whole topic. Everything else about them is `frame`'s.

use crate::bytes::{Cursor, Malformed};
use crate::frame::{FETCH, Fetched, Frame, Refused, accepted};

const LIST_OFFSETS: (i16, i16) = (2, 1);
const API_VERSIONS: (i16, i16) = (18, 0);
/// The timestamp that asks for the end of a log.
const LATEST: i64 = -1;

/// ListOffsets: where do partitions 0 to `partitions` - 1 of `topic` end?
#[must_use]
pub fn list_ends(topic: &str, partitions: i32) -> Vec<u8> {
    let mut frame = Frame::new(LIST_OFFSETS, 0);
    frame.i32(-1);
    frame.i32(1);
    frame.string(topic);
    frame.i32(partitions);
    for partition in 0..partitions {
        frame.i32(partition);
        frame.i64(LATEST);
    }
    frame.done(0)
}

/// Reads the reply: the end of each partition, in the order of their numbers, or the first refusal.
pub fn listed_ends(reply: &[u8]) -> Result<Result<Vec<u64>, Refused>, Malformed> {
    let mut cursor = Cursor::new(reply);
    cursor.skip(4)?;
    if cursor.count()? != 1 {
        return Err(Malformed("one topic asked for, another number answered"));
    }
    cursor.string()?;
    let count = cursor.count()?;
    let mut ends = vec![None; count];
    for _ in 0..count {
        let partition = cursor.count()?;
        if let Err(refused) = accepted(cursor.i16()?) {
            return Ok(Err(refused));
        }
        cursor.skip(8)?;
        let end = u64::try_from(cursor.i64()?).map_err(|_| Malformed("negative offset"))?;
        match ends.get_mut(partition) {
            Some(known @ None) => *known = Some(end),
            _ => return Err(Malformed("a partition that was not asked for, or twice")),
        }
    }
    Ok(Ok(ends.into_iter().flatten().collect()))
}

/// ApiVersions.
#[must_use]
pub fn api_versions() -> Vec<u8> {
    Frame::new(API_VERSIONS, 0).done(0)
}

/// Reads the reply: how many API keys are served.
pub fn api_keys(reply: &[u8]) -> Result<Result<usize, Refused>, Malformed> {
    let mut cursor = Cursor::new(reply);
    cursor.skip(4)?;
    let code = cursor.i16()?;
    let keys = cursor.count()?;
    Ok(accepted(code).map(|()| keys))
}

/// What a Fetch of several partitions may bring and how long it may wait.
#[derive(Clone, Copy, Debug)]
pub struct Appetite {
    /// Answer as soon as so many bytes are there,
    pub bytes_min: i32,
    /// with at most so many in all,
    pub bytes_max: i32,
    /// or after so long.
    pub wait_ms: i32,
}

/// A Fetch of each partition of `topic` from its own offset.
#[must_use]
pub fn fetch_all(topic: &str, offsets: &[i64], appetite: Appetite) -> Vec<u8> {
    let mut frame = Frame::new(FETCH, 0);
    frame.i32(-1);
    frame.i32(appetite.wait_ms);
    frame.i32(appetite.bytes_min);
    frame.i32(appetite.bytes_max);
    frame.i8(0);
    frame.i32(1);
    frame.string(topic);
    frame.i32(offsets.len() as i32);
    for (partition, &offset) in (0..).zip(offsets) {
        frame.i32(partition);
        frame.i64(offset);
        frame.i32(1 << 20);
    }
    frame.done(0)
}

/// Reads the reply and gives each partition of it to `each`.
pub fn fetched_all<E: From<Malformed>>(
    reply: &[u8],
    mut each: impl FnMut(i32, Result<Fetched<'_>, Refused>) -> Result<(), E>,
) -> Result<(), E> {
    let mut cursor = Cursor::new(reply);
    cursor.skip(4 + 4)?;
    for _ in 0..cursor.count()? {
        cursor.string()?;
        for _ in 0..cursor.count()? {
            let partition = cursor.i32()?;
            let code = cursor.i16()?;
            let high_watermark = cursor.i64()?;
            cursor.skip(8)?;
            // Null (-1) where nothing was aborted.
            let aborted = usize::try_from(cursor.i32()?).unwrap_or(0);
            cursor.skip(aborted.saturating_mul(16))?;
            let length = usize::try_from(cursor.i32()?).unwrap_or(0);
            let records = cursor.take(length)?;
            let fetched = accepted(code).map(|()| Fetched {
                high_watermark,
                records,
            });
            each(partition, fetched)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(partitions: &[(i32, i16, i64)]) -> Vec<u8> {
        let mut reply = vec![0, 0, 0, 9, 0, 0, 0, 1, 0, 1, b't'];
        reply.extend((partitions.len() as i32).to_be_bytes());
        for &(partition, code, end) in partitions {
            reply.extend(partition.to_be_bytes());
            reply.extend(code.to_be_bytes());
            reply.extend((-1_i64).to_be_bytes());
            reply.extend(end.to_be_bytes());
        }
        reply
    }

    #[test]
    fn ends_come_in_the_order_of_the_partitions() {
        let reply = ends(&[(1, 0, 7), (0, 0, 5)]);
        assert_eq!(listed_ends(&reply), Ok(Ok(vec![5, 7])));
        for cut in 0..reply.len() {
            assert!(listed_ends(&reply[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn one_refused_partition_is_not_an_end_and_one_named_twice_is_a_lie() {
        assert_eq!(
            listed_ends(&ends(&[(0, 0, 5), (1, 6, -1)])),
            Ok(Err(Refused(6)))
        );
        assert!(listed_ends(&ends(&[(0, 0, 5), (0, 0, 5)])).is_err());
    }
}
