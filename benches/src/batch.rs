//! Decides the bytes of the batches that are sent, and whether the batches that come back are whole.
//! Knows Kafka's record batch v2 and nothing of requests, sockets or files.
//!
//! Byte layout, big-endian: base offset 8, length 4, leader epoch 4, magic 1, CRC-32C 4 (of all that follows), attributes 2,
//! last offset delta 4, base and largest timestamp 8 + 8, producer id 8, epoch 2, base sequence 4, count 4, records.

use crate::bytes::{Cursor, Malformed};

/// Bytes before the CRC field's end: what the broker may stamp lies here, outside the checksum.
const UNCHECKED: usize = 21;
/// Bytes of a batch that its own length field does not count.
const BEFORE_LENGTH: usize = 12;

/// A batch of `records` equal-sized values of letters, without keys, headers or compression, as a producer would send it.
#[must_use]
pub fn encode(records: u32, value_bytes: usize, now_ms: i64) -> Vec<u8> {
    let mut checked = Vec::with_capacity(UNCHECKED + (value_bytes + 16) * records as usize);
    put(&mut checked, &0_i16.to_be_bytes());
    put(&mut checked, &records.saturating_sub(1).to_be_bytes());
    put(&mut checked, &now_ms.to_be_bytes());
    put(&mut checked, &now_ms.to_be_bytes());
    put(&mut checked, &(-1_i64).to_be_bytes());
    put(&mut checked, &(-1_i16).to_be_bytes());
    put(&mut checked, &(-1_i32).to_be_bytes());
    put(&mut checked, &records.to_be_bytes());
    let mut letters = Letters(0x9e37_79b9_7f4a_7c15);
    let mut record = Vec::with_capacity(value_bytes + 16);
    for delta in 0..records {
        record.clear();
        record.push(0);
        varint(&mut record, 0);
        varint(&mut record, i64::from(delta));
        varint(&mut record, -1);
        varint(&mut record, value_bytes as i64);
        record.extend(letters.by_ref().take(value_bytes));
        varint(&mut record, 0);
        varint(&mut checked, record.len() as i64);
        put(&mut checked, &record);
    }

    let mut batch = Vec::with_capacity(UNCHECKED + checked.len());
    put(&mut batch, &0_i64.to_be_bytes());
    put(
        &mut batch,
        &((UNCHECKED - BEFORE_LENGTH + checked.len()) as i32).to_be_bytes(),
    );
    put(&mut batch, &(-1_i32).to_be_bytes());
    batch.push(2);
    put(&mut batch, &crc32c::crc32c(&checked).to_be_bytes());
    put(&mut batch, &checked);
    batch
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        out.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag as u8);
}

/// Endless letters that no codec shrinks much, the same in every run.
struct Letters(u64);

impl Iterator for Letters {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Some(b'a' + (self.0 % 26) as u8)
    }
}

/// What is known of one batch that was read back and whose checksum is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Offset of its first record.
    pub base: i64,
    /// Records in it.
    pub records: u32,
    /// The checksum over everything that only the producer may write.
    pub crc: u32,
    /// Its size on the wire and on disk.
    pub bytes: usize,
}

/// Why bytes that came back are not what was sent.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Broken {
    /// A field that a batch v2 must have is missing or lies.
    #[error("malformed batch: {0}")]
    Malformed(#[from] Malformed),
    /// Not the magic byte of this format.
    #[error("batch at offset {base} has magic {magic}, not 2")]
    Magic {
        /// Offset that the batch claims.
        base: i64,
        /// What stands where 2 should.
        magic: i8,
    },
    /// The bytes changed on the way.
    #[error("batch at offset {base}: CRC-32C is {found:08x}, the batch says {said:08x}")]
    Checksum {
        /// Offset that the batch claims.
        base: i64,
        /// What the bytes give.
        found: u32,
        /// What the batch says.
        said: u32,
    },
    /// Count and last delta of an uncompacted batch must agree.
    #[error("batch at offset {base}: {records} records, but the last delta is {last}")]
    Count {
        /// Offset that the batch claims.
        base: i64,
        /// Its record count.
        records: i32,
        /// Its last offset delta.
        last: i32,
    },
}

/// Where the whole batches that begin `bytes` lead to: the offset behind the last of them, if there is one. Looks at their
/// heads only.
#[must_use]
pub fn leads_to(mut bytes: &[u8]) -> Option<i64> {
    let mut offset = None;
    loop {
        let mut cursor = Cursor::new(bytes);
        let (Ok(base), Ok(length)) = (cursor.i64(), cursor.i32()) else {
            return offset;
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let whole = bytes.split_at_checked(BEFORE_LENGTH.saturating_add(length));
        let Some((batch, rest)) = whole else {
            return offset;
        };
        cursor = Cursor::new(batch);
        if cursor.skip(UNCHECKED + 2).is_err() {
            return offset;
        }
        let Ok(last) = cursor.i32() else {
            return offset;
        };
        offset = Some(base + i64::from(last) + 1);
        bytes = rest;
    }
}

/// Takes the next whole batch off `rest`; `None` when no whole one is left (a fetch may end in the middle of one).
pub fn next(rest: &mut &[u8]) -> Result<Option<Batch>, Broken> {
    let mut cursor = Cursor::new(rest);
    let Ok(base) = cursor.i64() else {
        return Ok(None);
    };
    let Ok(length) = cursor.i32() else {
        return Ok(None);
    };
    let length = usize::try_from(length).map_err(|_| Malformed("negative batch length"))?;
    let Some((batch, after)) = rest.split_at_checked(BEFORE_LENGTH + length) else {
        return Ok(None);
    };

    cursor = Cursor::new(batch);
    cursor.skip(BEFORE_LENGTH + 4)?;
    let magic = cursor.i8()?;
    if magic != 2 {
        return Err(Broken::Magic { base, magic });
    }
    let said = cursor.u32()?;
    let found = crc32c::crc32c(cursor.rest());
    if found != said {
        return Err(Broken::Checksum { base, found, said });
    }
    cursor.skip(2)?;
    let last = cursor.i32()?;
    cursor.skip(8 + 8 + 8 + 2 + 4)?;
    let records = cursor.i32()?;
    if records < 1 || last != records - 1 {
        return Err(Broken::Count {
            base,
            records,
            last,
        });
    }
    *rest = after;
    Ok(Some(Batch {
        base,
        records: records.unsigned_abs(),
        crc: said,
        bytes: batch.len(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_read_back_batch_by_batch() {
        let mut log = encode(3, 100, 1);
        log.extend(encode(1, 0, 1));
        let mut rest = log.as_slice();
        let first = next(&mut rest).unwrap().unwrap();
        let second = next(&mut rest).unwrap().unwrap();
        assert_eq!((first.records, second.records), (3, 1));
        assert_eq!(first.bytes + second.bytes, log.len());
        assert_eq!(next(&mut rest), Ok(None));
    }

    #[test]
    fn one_flipped_bit_behind_the_checksum_is_found() {
        for at in UNCHECKED..encode(2, 50, 1).len() {
            let mut batch = encode(2, 50, 1);
            batch[at] ^= 4;
            assert!(
                matches!(next(&mut batch.as_slice()), Err(Broken::Checksum { .. })),
                "byte {at}"
            );
        }
    }

    #[test]
    fn a_fetch_that_ends_inside_a_batch_yields_the_whole_ones_only() {
        let batch = encode(2, 50, 1);
        for cut in 0..batch.len() {
            assert_eq!(next(&mut &batch[..cut]), Ok(None), "cut at {cut}");
            assert_eq!(leads_to(&batch[..cut]), None, "cut at {cut}");
        }
        let two = [batch.clone(), batch.clone()].concat();
        assert_eq!((leads_to(&batch), leads_to(&two)), (Some(2), Some(2)));
        assert_eq!(leads_to(&two[..two.len() - 1]), Some(2));
    }

    #[test]
    fn a_count_that_disagrees_with_the_last_delta_is_refused() {
        let mut batch = encode(2, 10, 1);
        batch[60] = 3;
        let crc = crc32c::crc32c(&batch[UNCHECKED..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(
            next(&mut batch.as_slice()),
            Err(Broken::Count {
                base: 0,
                records: 3,
                last: 1
            })
        );
    }
}
