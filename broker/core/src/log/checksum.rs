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

/// The checksum that a batch will have once it is stamped, without a copy of its bytes.
pub fn stamped(seed: u32, sent: &[u8], stamp: Stamp) -> u32 {
    let Some((head, rest)) = sent.split_first_chunk::<HEADER_BYTES>() else {
        return over(seed, sent);
    };
    let mut head = *head;
    batch::stamp(&mut head, stamp.base.0, stamp.epoch.0);
    if proof::mutant("header-outside-checksum") {
        return over(seed, sent);
    }
    crc32c::crc32c_append(crc32c::crc32c_append(seed, &head), rest)
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
