//! Commits come back as they were written, and a damaged one is told apart at every byte.
//! Held against the entries that were sealed, by golden bytes of both versions, every flip of one bit, and any bytes.

use proptest::prelude::*;

use super::entry::{BATCH, FACT};
use super::*;
use crate::ids::{
    BrokerEpoch, Generation, LeaderEpoch, LogId, Offset, PartitionId, ProducerEpoch, ProducerId,
    Sequence, TopicId, Uuid,
};
use crate::log::checksum;
use crate::log::state::{BatchEntry, BatchKind, Fact, Home, NodeFact, ProducerBatch, RingBatch};

const SECRET: RingSecret = RingSecret([9; 16]);

fn log(topic: u8, partition: i32) -> LogId {
    LogId {
        topic: TopicId(Uuid([topic; 16])),
        partition: PartitionId(partition),
    }
}

fn written(file: u64, mark: u64) -> Written {
    Written {
        file,
        boot: BootId([0xb0; 16]),
        mark,
        phase: Phase::Live,
    }
}

fn batch(log: LogId, base: i64, at: u32) -> Entry {
    let spot = Spot {
        kind: RingKind::Durable,
        file: 3,
        at,
    };
    let batch = RingBatch {
        base: Offset(base),
        delta: 4,
        epoch: LeaderEpoch(2),
        len: 100,
        checksum: 0xdead_beef,
        max_timestamp: 1_700_000_000_000,
        spot,
    };
    let producer = ProducerBatch {
        id: ProducerId(77),
        epoch: ProducerEpoch(1),
        base_sequence: Sequence(30),
    };
    let (kind, generation) = (BatchKind::New, Generation(1));
    Entry::Batch(BatchEntry {
        kind,
        log,
        generation,
        batch,
        attributes: 4,
        producer: Some(producer),
        home: None,
    })
}

fn chain() -> Chain {
    Chain::new(
        RingKind::Durable,
        ShardId(0),
        SECRET,
        RingPoint::default(),
        1,
    )
}

/// One batch and one fact in the first commit of file 3, at byte 4096.
fn small() -> Bytes {
    let at = 4096 + u32::try_from(HEADER + BATCH + FACT).unwrap();
    let fact = Entry::Fact(
        log(1, 0),
        Generation(1),
        Fact::Epoch(LeaderEpoch(2), Offset(10)),
    );
    chain()
        .seal(written(3, 0), &[batch(log(1, 0), 10, at), fact])
        .head
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .chunks(16)
        .map(|row| row.iter().map(|b| format!("{b:02x}")).collect::<String>() + "\n")
        .collect()
}

#[test]
fn golden_bytes_of_a_head() {
    assert_eq!(hex(&small()), include_str!("head.golden"));
}

#[test]
fn the_second_commit_echoes_and_names_the_first() {
    let mut chain = chain();
    let first = chain.seal(
        written(3, 0),
        &[
            batch(log(1, 0), 10, 0),
            batch(log(1, 0), 15, 0),
            batch(log(2, 5), 0, 0),
        ],
    );
    let second = chain.seal(written(3, 1), &[]);
    let read = decode(3, 8192, &second.head).unwrap();
    assert_eq!(read.header.previous, first.hash);
    assert_eq!(read.header.sequence, 2);
    let mut expected = [
        Echo {
            seed: checksum::seed(log(1, 0)),
            next: Offset(20),
        },
        Echo {
            seed: checksum::seed(log(2, 5)),
            next: Offset(5),
        },
    ];
    expected.sort();
    assert_eq!(read.echoes, expected);
}

/// A directory that an earlier build wrote is read as it is.
#[test]
fn a_head_of_version_1_is_read_and_says_nothing_of_starts() {
    let hex: String = include_str!("head.v1.golden").split_whitespace().collect();
    let bytes: Vec<u8> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect();
    let old = decode(3, 4096, &bytes).unwrap();
    let new = decode(3, 4096, &small()).unwrap();
    assert_eq!(old.entries, new.entries);
    assert_eq!((old.header.starts, old.header.since_start), (0, 0));
    let mut mixed = bytes;
    mixed[72] = 1;
    assert_eq!(peek(&mixed), Err(HeadFault::Field));
}

fn start(log: LogId, at: i64) -> Entry {
    Entry::Fact(log, Generation(0), Fact::Start(Offset(at)))
}

/// The starts that each of six commits echoes, and how long ago one was said.
fn echoed(commits: &[&[Entry]]) -> Vec<(Vec<(LogId, i64)>, u16)> {
    let mut chain = chain();
    let read = commits.iter().map(|entries| {
        let sealed = chain.seal(written(3, 0), entries);
        let read = decode(3, 0, &sealed.head).unwrap();
        let starts = read.starts.iter().map(|echo| (echo.log, echo.start.0));
        (starts.collect(), read.header.since_start)
    });
    read.collect()
}

#[test]
fn four_commits_echo_a_start_with_the_greatest_offset_and_all_later_ones_say_how_long_ago_it_was() {
    let (a, b) = (log(1, 0), log(2, 5));
    let said = echoed(&[
        &[start(a, 10), start(b, 7), start(a, 20)],
        &[start(a, 15)],
        &[],
        &[],
        &[],
        &[],
        &[],
    ]);
    let both = || vec![(a, 20), (b, 7)];
    assert_eq!(
        said,
        [
            (vec![], 1), // nobody tells what stood before the first
            (both(), 1),
            (both(), 1),
            (both(), 2),
            (both(), 3),
            (vec![(a, 15)], 4),
            (vec![], 5),
        ],
        "#89"
    );
}

#[test]
fn more_starts_than_a_head_echoes_fill_its_list() {
    let many: Vec<Entry> = (0..i32::try_from(STARTS_MAX).unwrap() + 1)
        .map(|partition| start(log(1, partition), 1))
        .collect();
    let said = echoed(&[&many, &[]]);
    assert_eq!(said[1].0.len(), STARTS_MAX, "a full list may not be all");
    let most = STARTS_PER_COMMIT * ECHO_DEPTH;
    assert!(most < STARTS_MAX, "a running node never fills it");
}

#[test]
fn ring_ids_differ_by_secret_ring_shard_and_life() {
    let base = ring_id(SECRET, RingKind::Durable, ShardId(0), 3);
    assert_ne!(
        base,
        ring_id(RingSecret([8; 16]), RingKind::Durable, ShardId(0), 3)
    );
    assert_ne!(base, ring_id(SECRET, RingKind::Fast, ShardId(0), 3));
    assert_ne!(base, ring_id(SECRET, RingKind::Durable, ShardId(1), 3));
    assert_ne!(base, ring_id(SECRET, RingKind::Durable, ShardId(0), 4));
}

/// How many flips of one bit of a small head are not noticed.
fn unnoticed() -> usize {
    let good = small();
    let whole = decode(3, 4096, &good).unwrap();
    (0..good.len() * 8)
        .filter(|bit| {
            let mut bad = good.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            decode(3, 4096, &bad).is_ok_and(|read| read != whole)
        })
        .count()
}

#[test]
fn every_flip_of_one_bit_in_a_head_is_noticed() {
    assert_eq!(unnoticed(), 0, "#8");
}

#[test]
#[cfg(feature = "mutants")]
fn a_checksum_without_the_header_is_caught() {
    let good = small();
    proof::choose(Some("header-outside-checksum"));
    let sealed_by_mutant = small();
    let missed = (0..HEADER * 8)
        .filter(|bit| {
            let mut bad = sealed_by_mutant.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            decode(3, 4096, &bad).is_ok()
        })
        .count();
    proof::choose(None);
    assert_ne!(good, sealed_by_mutant);
    assert!(missed > 100, "M20 must be seen: {missed} flips were missed");
}

prop_compose! {
    fn any_entry()(
        which in 0..9_u8, topic in 0..3_u8, partition in 0..3, generation in 0..3_u32, a in 0..i64::MAX / 2,
        delta in any::<u32>(), len in 0..10_000_u32, checksum in any::<u32>(), producer in -1..5_i64, small in 0..i32::MAX,
    ) -> Entry {
        let (log, generation) = (log(topic, partition), Generation(generation));
        let kind = match which { 0 => BatchKind::New, 1 => BatchKind::Moved, _ => BatchKind::Again };
        match which {
            0..=2 => {
                let spot = Spot { kind: RingKind::Fast, file: 1, at: 0 };
                let epoch = LeaderEpoch(small);
                let batch = RingBatch { base: Offset(a), delta, epoch, len, checksum, max_timestamp: a, spot };
                let producer = (producer >= 0).then_some(ProducerBatch {
                    id: ProducerId(producer), epoch: ProducerEpoch(7), base_sequence: Sequence(small),
                });
                let home = (delta % 3 == 0).then_some(Home { base: Offset(a / 2), at: a.unsigned_abs() });
                Entry::Batch(BatchEntry { kind, log, generation, batch, attributes: 5, producer, home })
            }
            3 => Entry::Fact(log, generation, Fact::Start(Offset(a))),
            4 => Entry::Fact(log, generation, Fact::Cut(Offset(a), Generation(delta))),
            5 => Entry::Fact(log, generation, Fact::Dropped),
            6 => Entry::Fact(log, generation, Fact::Expired(ProducerId(producer), Offset(a))),
            7 => {
                let point = RingPoint { commit: 5, hash: 6, file: 7, at: len };
                Entry::Node(NodeFact::Resumed { kind: RingKind::Durable, point, next: 9 })
            }
            8 => Entry::Node(NodeFact::Lost(len, Offset(a))),
            _ => Entry::Node(if len % 2 == 0 { NodeFact::Ready } else { NodeFact::Stopped(BrokerEpoch(a)) }),
        }
    }
}

proptest! {
    #[test]
    fn what_is_sealed_is_read(mut entries in prop::collection::vec(any_entry(), 0..20), file in 0..9_u64) {
        let mut chain = Chain::new(RingKind::Fast, ShardId(1), SECRET, RingPoint::default(), 1);
        chain.seal(written(file, 0), &entries);
        let mut at = 64 + u32::try_from(chain.head_len(&entries)).unwrap();
        for entry in &mut entries {
            if let Entry::Batch(batch) = entry {
                batch.batch.spot = Spot { kind: RingKind::Fast, file, at };
                if batch.home.is_some() {
                    batch.batch.spot.at = u32::MAX;
                }
                at += batch.stored_len();
            }
        }
        let sealed = chain.seal(written(file, 1), &entries);
        let read = decode(file, 64, &sealed.head).unwrap();
        prop_assert_eq!(&read.entries, &entries);
        prop_assert_eq!(read.hash, sealed.hash);
        prop_assert_eq!(read.header.total, sealed.total);
        prop_assert_eq!(read.header.ring, ring_id(SECRET, RingKind::Fast, ShardId(1), file));
        for short in 0..sealed.head.len() {
            prop_assert!(decode(file, 64, &sealed.head[..short]).is_err());
        }
    }

    #[test]
    fn no_bytes_make_it_panic_or_reserve_more_than_they_are(
        bytes in prop::collection::vec(any::<u8>(), 0..400), fix in any::<bool>(), version in 1..=2_u8, starts in 0..9_u8,
    ) {
        let mut bytes = bytes;
        if fix && bytes.len() >= HEADER {
            // A header that is right as far as `peek` can see, and a CRC that holds: the entries are hostile.
            let len = u32::try_from(bytes.len()).unwrap();
            bytes[..8].copy_from_slice(&[b'S', b'L', b'c', b'm', version, 0, 0, 0]);
            bytes[24..32].fill(0);
            bytes[56..60].copy_from_slice(&len.to_le_bytes());
            bytes[60..64].copy_from_slice(&len.to_le_bytes());
            bytes[64..68].fill(0);
            bytes[69..76].fill(0);
            if version == 2 {
                (bytes[72], bytes[74]) = (starts, 1);
            }
            let crc = crc_of(&bytes);
            bytes[76..80].copy_from_slice(&crc.to_le_bytes());
        }
        let _ = decode(1, 0, &bytes);
    }
}
