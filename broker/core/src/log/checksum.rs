//! The checksum that ring entries and sidecars carry for a batch: CRC-32C over all its bytes as stored, begun with
//! topic id and partition, so that a whole batch at a wrong place is found out (#8, #104). Decides nothing else.
//!
//! Kafka's own checksum begins at the attributes: base offset, length, leader epoch and magic lie outside it.

use sawlog_wire::records::batch::{self, HEADER_BYTES};

use crate::file::Stamp;
use crate::ids::LogId;
use crate::proof;

/// First byte that Kafka's own checksum covers.
const UNDER_KAFKA: usize = 21;

/// From here on joining two checksums is cheaper than a pass over the bytes.
const LARGE: usize = 64 << 10;

/// What a log's checksums begin with: computed once per log.
pub fn seed(log: LogId) -> u32 {
    crc32c::crc32c_append(
        crc32c::crc32c(&log.topic.0.0),
        &log.partition.0.to_be_bytes(),
    )
}

/// The checksum of a batch as it is stored.
pub fn over(seed: u32, stored: &[u8]) -> u32 {
    if proof::mutant("header-outside-checksum") {
        return crc32c::crc32c(stored.get(UNDER_KAFKA..).unwrap_or_default());
    }
    crc32c::crc32c_append(seed, stored)
}

/// The checksum that a batch will have once it is stamped, without a copy of its bytes. Kafka's own checksum of the
/// batch was compared before: of a large one it is taken over instead of being computed a second time.
pub fn stamped(seed: u32, sent: &[u8], stamp: Stamp) -> u32 {
    let Some((head, rest)) = sent.split_first_chunk::<HEADER_BYTES>() else {
        return over(seed, sent);
    };
    let mut head = *head;
    batch::stamp(&mut head, stamp.base.0, stamp.epoch.0);
    if proof::mutant("header-outside-checksum") {
        return over(seed, sent);
    }
    let (fixed, covered) = head.split_at(UNDER_KAFKA);
    let begun = crc32c::crc32c_append(seed, fixed);
    if sent.len() >= LARGE
        && let Some(kafka) = fixed.last_chunk::<4>()
    {
        let covered = covered.len() + rest.len();
        return joined(begun, u32::from_be_bytes(*kafka), covered);
    }
    crc32c::crc32c_append(crc32c::crc32c_append(begun, covered), rest)
}

/// The CRC-32C of two stretches behind each other, from that of each and the length of the second. Appending n bits
/// multiplies by x^n modulo the polynomial: a product for each bit of the length, where `crc32c_combine` squares matrices.
fn joined(first: u32, second: u32, len: usize) -> u32 {
    let mut power = ONE;
    let mut bytes = len;
    for square in SQUARES {
        if bytes & 1 == 1 {
            power = times(square, power);
        }
        bytes >>= 1;
    }
    times(power, first) ^ second
}

/// The polynomial of CRC-32C and the number 1, lowest power first: x^0 is the highest bit.
const POLYNOMIAL: u32 = 0x82f6_3b78;
const ONE: u32 = 1 << 31;

/// x^8, x^16, x^32 ...: a byte appended, two, four.
const SQUARES: [u32; 32] = {
    let mut squares = [ONE >> 8; 32];
    let mut at = 1;
    while at < 32 {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            squares[at] = times(squares[at - 1], squares[at - 1]);
        }
        at += 1;
    }
    squares
};

/// A product modulo the polynomial.
const fn times(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    let mut bit = ONE;
    while bit > 0 {
        if a & bit != 0 {
            product ^= b;
        }
        b = if b & 1 == 1 {
            b >> 1 ^ POLYNOMIAL
        } else {
            b >> 1
        };
        bit >>= 1;
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{LeaderEpoch, Offset, PartitionId, TopicId, Uuid};

    fn log(topic: u8, partition: i32) -> LogId {
        LogId {
            topic: TopicId(Uuid([topic; 16])),
            partition: PartitionId(partition),
        }
    }

    #[test]
    fn stamping_before_or_after_gives_the_same_checksum() {
        let sent: Vec<u8> = (0..200).map(|i| i as u8).collect();
        let stamp = Stamp {
            base: Offset(77),
            epoch: LeaderEpoch(5),
        };
        let mut stored = sent.clone();
        batch::stamp(&mut stored, 77, 5);
        assert_eq!(
            stamped(seed(log(1, 0)), &sent, stamp),
            over(seed(log(1, 0)), &stored)
        );
    }

    #[test]
    fn checksums_of_two_stretches_join_to_that_of_both() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|i| i.wrapping_mul(i) as u8).collect();
        let whole = crc32c::crc32c(&bytes);
        for cut in [0, 1, 2, 21, 4095, 4096, 65_537, 99_999, 100_000] {
            let (first, second) = bytes.split_at(cut);
            let (first, second) = (crc32c::crc32c(first), crc32c::crc32c(second));
            assert_eq!(
                joined(first, second, bytes.len() - cut),
                whole,
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_large_batch_takes_over_the_checksum_that_was_compared() {
        let mut sent: Vec<u8> = (0..LARGE + 77).map(|i| (i * 7) as u8).collect();
        let kafka = crc32c::crc32c(&sent[UNDER_KAFKA..]);
        sent[17..UNDER_KAFKA].copy_from_slice(&kafka.to_be_bytes());
        let stamp = Stamp {
            base: Offset(1 << 40),
            epoch: LeaderEpoch(9),
        };
        let mut stored = sent.clone();
        batch::stamp(&mut stored, 1 << 40, 9);
        let own = seed(log(3, 4));
        assert_eq!(stamped(own, &sent, stamp), over(own, &stored));
    }

    #[test]
    fn the_same_bytes_of_another_partition_or_topic_have_another_checksum() {
        let stored = [7_u8; 100];
        let own = over(seed(log(1, 0)), &stored);
        assert_ne!(own, over(seed(log(1, 1)), &stored));
        assert_ne!(own, over(seed(log(2, 0)), &stored));
    }

    #[test]
    fn every_byte_of_the_header_is_covered() {
        let stored = [7_u8; 100];
        let own = over(seed(log(1, 0)), &stored);
        for at in 0..stored.len() {
            let mut other = stored;
            other[at] ^= 1;
            assert_ne!(own, over(seed(log(1, 0)), &other), "byte {at} is outside");
        }
    }
}
