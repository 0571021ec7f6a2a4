//! Checkpoints come back as they were written, and a damaged one is told apart at every byte.
//! Held against the fold that was written, by golden bytes of both formats, every flip of one bit, and any bytes.

use proptest::prelude::*;

use super::*;
use crate::ids::{PartitionId, TopicId, Uuid};
use crate::log::fold::stories::{History, arb_history};

fn stamp(number: u64) -> Stamp {
    Stamp {
        shard: ShardId(1),
        shards: 2,
        number,
        secret: RingSecret([7; 16]),
        wall: crate::now::Wall(0),
    }
}

fn small() -> (Fold, Vec<u8>) {
    let fold = History::small().fold();
    let bytes = base(stamp(5), &fold).bytes.to_vec();
    (fold, bytes)
}

#[test]
fn golden_bytes_of_a_checkpoint() {
    let hex: String = small()
        .1
        .chunks(16)
        .map(|row| row.iter().map(|b| format!("{b:02x}")).collect::<String>() + "\n")
        .collect();
    assert_eq!(hex, include_str!("checkpoint.2.golden"));
}

#[test]
fn a_checkpoint_of_the_first_format_is_read() {
    let digits: Vec<u8> = include_str!("checkpoint.1.golden")
        .bytes()
        .filter(u8::is_ascii_hexdigit)
        .collect();
    let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
    let bytes: Vec<u8> = digits.chunks(2).map(byte).collect();
    assert_eq!(decode(&bytes).unwrap().fold, small().0);
}

#[test]
fn every_flip_of_one_bit_is_noticed() {
    let (_, good) = small();
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&bad).is_err(), "#8: bit {bit} was missed");
    }
}

#[test]
fn a_checkpoint_is_whole_or_nothing() {
    let (fold, good) = small();
    assert_eq!(decode(&good).unwrap().fold, fold);
    for len in 0..good.len() {
        assert!(decode(&good[..len]).is_err(), "cut at {len}");
    }
    let trailing = [good.clone(), vec![0; 3]].concat();
    assert_eq!(
        decode(&trailing),
        Err(CheckpointFault::Damaged { at: good.len() })
    );
}

#[test]
fn a_newer_format_is_named() {
    let (_, mut newer) = small();
    newer[4] = 3;
    let crc = crc32c::crc32c(&newer[..60]);
    newer[60..64].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(decode(&newer), Err(CheckpointFault::Version(3)));
}

#[test]
fn a_frame_of_another_file_does_not_follow() {
    let (fold, good) = small();
    let alien = further(stamp(6), 12345, &fold, &Set::new());
    let both = [good.clone(), alien.bytes.to_vec()].concat();
    assert_eq!(
        decode(&both),
        Err(CheckpointFault::Damaged { at: good.len() })
    );
}

proptest! {
    #[test]
    fn base_and_further_frames_read_as_the_last_fold(history in arb_history(), cut in 0..100_usize) {
        let cut = cut * history.commits.len() / 100;
        let mut fold = Fold::default();
        history.commits[..cut].iter().for_each(|commit| fold.apply(commit));
        let first = base(stamp(1), &fold);
        let before = fold.clone();
        history.commits[cut..].iter().for_each(|commit| fold.apply(commit));
        let all: Set<LogId> = fold.logs.keys().chain(before.logs.keys()).copied().collect();
        let changed = all.into_iter().filter(|log| fold.logs.get(log) != before.logs.get(log)).collect();
        let second = further(stamp(2), first.chain, &fold, &changed);
        let file = [first.bytes, second.bytes].concat();
        let read = decode(&file).unwrap();
        prop_assert_eq!(read.fold, fold);
        prop_assert_eq!(read.stamp, stamp(2));
        prop_assert_eq!(read.chain, second.chain);
    }

    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        // Hostile bytes under checksums that hold.
        let log = LogId { topic: TopicId(Uuid([1; 16])), partition: PartitionId(0) };
        let mut fold = Fold::default();
        fold.logs.insert(log, LogState::default().into());
        let mut bytes = base(stamp(1), &fold).bytes.to_vec();
        bytes.truncate(HEADER);
        bytes.extend_from_slice(&body);
        bytes[40..48].copy_from_slice(&(body.len() as u64).to_le_bytes());
        bytes[48..52].copy_from_slice(&crc32c::crc32c(&body).to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
        let _ = decode(&bytes);
    }
}
