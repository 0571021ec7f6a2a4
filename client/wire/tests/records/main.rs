//! Record batches from outside: what is built is judged well and comes back the same with every
//! codec, and each lie is refused by its own name (#27, #118, #128).

#![expect(
    clippy::indexing_slicing,
    reason = "a test that slices wrongly fails, as it should"
)]

use bytes::Bytes;
use sawlog_wire::records::batch::{self, HEADER_BYTES, LENGTH_PREFIX, set_producer};
use sawlog_wire::records::compress::{SnappyFraming, compress, compress_snappy};
use sawlog_wire::records::lookup::{Found, first_at_or_after, first_with_max_timestamp};
use sawlog_wire::records::{
    Batch, BatchBuilder, BatchFacts, BatchFault, BatchHeader, Batches, Caps, Codec, ControlKind,
    EndMarker, InflateFault, Inflater, NewRecord, Pool, Producer, Record, Records, Rules, validate,
};

mod alike;
mod drawn;
mod lies;
mod rewritten;

const RULES: Rules = Rules {
    bytes_max: 1 << 20,
    records_max: 1 << 20,
    caps: Caps::DEFAULT,
    zstd: true,
};
const COMPRESSED: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

fn judge(sent: &[u8]) -> Result<BatchFacts, BatchFault> {
    judge_by(sent, &RULES)
}

fn judge_by(sent: &[u8], rules: &Rules) -> Result<BatchFacts, BatchFault> {
    let pool = Pool::new(256 << 20);
    let verdict = validate(sent, rules, &mut Inflater::new(), &pool);
    assert_eq!(pool.used(), 0, "a judgement gives back all it took");
    verdict
}

/// Three records: with a key, without, with headers of which one repeats and one is null.
fn three(codec: Codec) -> BatchBuilder {
    let mut batch = BatchBuilder::new(codec);
    let long = [b'v'; 300];
    let records = [
        NewRecord {
            timestamp: 1_000,
            key: Some(b"k"),
            value: Some(&long),
            headers: &[],
        },
        NewRecord {
            timestamp: 1_700,
            key: None,
            value: None,
            headers: &[],
        },
        NewRecord {
            timestamp: 400,
            key: Some(b""),
            value: Some(b""),
            headers: &[(b"h", Some(b"1")), (b"h", Some(b"2")), (b"", None)],
        },
    ];
    for record in records {
        batch.push(record).expect("it fits");
    }
    batch
}

fn built(batch: &BatchBuilder) -> Vec<u8> {
    batch.build().expect("a batch")
}

fn plain(sent: &[u8]) -> Vec<u8> {
    let batch = Batch::first(sent).expect("a batch");
    let codec = batch.header.attributes().expect("known attributes").codec;
    let mut plain = Vec::new();
    let pool = Pool::new(256 << 20);
    Inflater::new()
        .read_all(codec, batch.payload(), Caps::DEFAULT, &pool, &mut plain)
        .expect("it decompresses");
    plain
}

/// The batch with its header changed and its CRC made right again.
fn with_header(sent: &[u8], change: impl FnOnce(&mut BatchHeader)) -> Vec<u8> {
    let mut header = BatchHeader::parse(sent).expect("a header");
    change(&mut header);
    let mut lie = sent.to_vec();
    lie[..HEADER_BYTES].copy_from_slice(&header.encode());
    reseal(&mut lie);
    lie
}

/// The batch with other records behind its header, length and CRC made right.
fn with_payload(sent: &[u8], codec: Codec, payload: &[u8]) -> Vec<u8> {
    let mut lie = sent[..HEADER_BYTES].to_vec();
    lie.extend_from_slice(payload);
    let length = (lie.len() - LENGTH_PREFIX) as i32;
    lie[8..12].copy_from_slice(&length.to_be_bytes());
    lie[22] = codec.number();
    reseal(&mut lie);
    lie
}

fn reseal(batch: &mut [u8]) {
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

fn compressed(codec: Codec, plain: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    compress(codec, plain, &mut payload).expect("it compresses");
    payload
}

#[test]
fn an_honest_batch_of_every_codec_tells_its_facts() {
    for codec in Codec::ALL {
        let sent = built(&three(codec).producer(77, 3, i32::MAX - 1).transactional());
        let facts = judge(&sent).expect("an honest batch");
        assert_eq!(facts.size, sent.len());
        assert_eq!(facts.plain_size as usize, plain(&sent).len());
        assert_eq!(
            (facts.count, facts.last_offset_delta, facts.codec),
            (3, 2, codec)
        );
        assert_eq!((facts.min_timestamp, facts.max_timestamp), (400, 1_700));
        assert_eq!(facts.keyless, Some(1));
        assert!(facts.transactional && !facts.mend);
        let producer = Producer {
            id: 77,
            epoch: 3,
            base_sequence: i32::MAX - 1,
            last_sequence: 0,
        };
        assert_eq!(facts.producer, Some(producer));
        let sent = Bytes::from(sent);
        assert_eq!(
            facts.to_store(sent.clone()).as_ptr(),
            sent.as_ptr(),
            "stored as sent, without a copy"
        );
    }
}

#[test]
fn records_come_back_with_repeated_and_null_headers() {
    for codec in Codec::ALL {
        let sent = built(&three(codec));
        let plain = plain(&sent);
        let records: Vec<Record<'_>> = Records::new(&plain).map(|r| r.expect("a record")).collect();
        assert_eq!(records.len(), 3);
        assert_eq!((records[1].key, records[1].value), (None, None));
        assert_eq!(
            (records[2].key, records[2].value),
            (Some(&b""[..]), Some(&b""[..]))
        );
        let headers: Vec<_> = records[2].headers.map(|h| (h.name, h.value)).collect();
        assert_eq!(
            headers,
            [
                (&b"h"[..], Some(&b"1"[..])),
                (b"h", Some(b"2")),
                (b"", None)
            ]
        );
        let header = BatchHeader::parse(&sent).expect("a header");
        assert_eq!(
            records
                .iter()
                .map(|r| r.timestamp(&header))
                .collect::<Vec<_>>(),
            [1_000, 1_700, 400]
        );
    }
}

#[test]
fn a_max_timestamp_too_early_is_mended_and_nothing_else_is_changed() {
    // kafkajs sends the last record's, old Sarama -1 or 0.
    for declared in [-1, 0, 400] {
        for codec in Codec::ALL {
            let honest = built(&three(codec));
            let sent = Bytes::from(with_header(&honest, |h| h.max_timestamp = declared));
            let facts = judge(&sent).expect("it is mended");
            assert!(facts.mend);
            assert_eq!(facts.max_timestamp, 1_700);
            assert_eq!(facts.to_store(sent), honest);
        }
    }
}

#[test]
fn records_across_the_seams_of_xerial_blocks_are_read() {
    let mut large = BatchBuilder::new(Codec::None);
    for i in 0..3_000_i64 {
        large
            .push(NewRecord {
                timestamp: i,
                value: Some(&[i as u8; 31]),
                ..NewRecord::default()
            })
            .expect("it fits");
    }
    let large = built(&large);
    for framing in [SnappyFraming::Raw, SnappyFraming::Xerial] {
        let mut payload = Vec::new();
        compress_snappy(framing, &large[HEADER_BYTES..], &mut payload).expect("it compresses");
        let facts = judge(&with_payload(&large, Codec::Snappy, &payload)).expect("snappy");
        assert_eq!(
            (facts.count, facts.plain_size as usize),
            (3_000, large.len() - HEADER_BYTES)
        );
    }
}

#[test]
fn stamping_moves_a_batch_without_touching_its_checksum() {
    let mut stored = built(&three(Codec::Lz4));
    batch::stamp(&mut stored, 1 << 40, 9);
    let batch = Batch::first(&stored).expect("a batch");
    assert_eq!(batch.check_crc(), Ok(()));
    assert_eq!(
        (batch.header.base_offset, batch.header.leader_epoch),
        (1 << 40, 9)
    );
    assert_eq!(
        (batch.header.last_offset(), batch.header.next_offset()),
        ((1 << 40) + 2, (1 << 40) + 3)
    );

    batch::set_log_append_time(&mut stored, 55);
    let batch = Batch::first(&stored).expect("a batch");
    assert_eq!(batch.check_crc(), Ok(()));
    let plain = plain(&stored);
    assert!(Records::new(&plain).all(|r| r.expect("a record").timestamp(&batch.header) == 55));
}

#[test]
fn a_batch_finished_in_place_is_the_one_built_and_takes_another_producer() {
    for codec in Codec::ALL {
        let mut batch = built(&three(codec));
        assert_eq!(three(codec).finish().unwrap(), batch, "{codec:?}");
        set_producer(&mut batch, 7, 3, 41);
        let other = built(&three(codec).producer(7, 3, 41));
        assert_eq!(batch, other, "{codec:?}");
    }
}

#[test]
fn a_run_of_bytes_is_cut_into_batches_and_a_partial_last_one_is_left() {
    let one = built(&three(Codec::None));
    let run = [one.clone(), one.clone(), one[..40].to_vec()].concat();
    let mut batches = Batches::new(&run);
    assert_eq!(batches.by_ref().filter(Result::is_ok).count(), 2);
    assert_eq!(batches.rest().len(), 40);
    let mut broken = run;
    broken[one.len() + 16] = 9;
    let found: Vec<_> = Batches::new(&broken).collect();
    assert_eq!(found.len(), 2);
    assert!(matches!(
        found[1],
        Err(BatchFault::UnknownMagic { magic: 9 })
    ));
}

#[test]
fn control_batches_carry_markers_and_are_refused_from_clients() {
    let marker = EndMarker {
        coordinator_epoch: 3,
    };
    let mut batch = BatchBuilder::control().producer(4, 2, 0).transactional();
    batch
        .push_control(5, ControlKind::Commit, &marker.value())
        .expect("it fits");
    let sent = built(&batch);
    let record = Records::new(&sent[HEADER_BYTES..])
        .next()
        .expect("one")
        .expect("a record");
    assert_eq!(
        ControlKind::of_key(record.key.expect("a key")),
        Some(ControlKind::Commit)
    );
    assert_eq!(
        EndMarker::of_value(record.value.expect("a value")),
        Some(marker)
    );
    assert_eq!(judge(&sent), Err(BatchFault::Control));
}

#[test]
fn offsets_are_found_by_time_inside_a_batch() {
    let pool = Pool::new(1 << 20);
    let mut inflater = Inflater::new();
    for codec in Codec::ALL {
        let stored = built(&three(codec).at(100, 0));
        let batch = Batch::first(&stored).expect("a batch");
        let mut from = |from, t| {
            first_at_or_after(&batch, t, from, Caps::DEFAULT, &mut inflater, &pool)
                .expect("it reads")
        };
        let third = from(102, 0).expect("there are three");
        assert_eq!(third.offset, 102, "what lies before is passed over");
        assert_eq!(from(102, 1_700), None);
        let mut at = |t| from(100, t);
        assert_eq!(
            at(0),
            Some(Found {
                offset: 100,
                timestamp: 1_000
            })
        );
        assert_eq!(
            at(1_001),
            Some(Found {
                offset: 101,
                timestamp: 1_700
            })
        );
        assert_eq!(at(1_701), None);
        let mut max = |from| {
            first_with_max_timestamp(&batch, from, Caps::DEFAULT, &mut inflater, &pool)
                .expect("it reads")
        };
        assert_eq!(
            max(0),
            Some(Found {
                offset: 101,
                timestamp: 1_700
            })
        );
        assert_eq!(max(102), Some(third), "the largest of the rest");
        assert_eq!(max(103), None);
    }
}

/// What a reader makes of a payload.
fn unpacked(mut inflater: Inflater, payload: &[u8]) -> Result<Vec<u8>, InflateFault> {
    let mut plain = Vec::new();
    let pool = Pool::new(256 << 20);
    let held = inflater.read_all(Codec::Zstd, payload, Caps::DEFAULT, &pool, &mut plain);
    held.map(|_| plain)
}

#[test]
fn zstd_is_read_alike_with_c_and_without() {
    let text: Vec<u8> = (0..40_000)
        .flat_map(|n: u32| n.to_string().into_bytes())
        .collect();
    let framed = |level, hashed: bool| {
        let mut encoder = zstd::Encoder::new(Vec::new(), level).expect("an encoder");
        encoder.include_checksum(hashed).expect("a parameter");
        std::io::Write::write_all(&mut encoder, &text).expect("to memory");
        encoder.finish().expect("to memory")
    };
    let skipped = [&[0x51, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"not"].concat();
    let mut payloads: Vec<Vec<u8>> = vec![Vec::new(), compressed(Codec::Zstd, &text)];
    for level in [1, 3, 9, 19] {
        for hashed in [false, true] {
            let one = framed(level, hashed);
            payloads.push([&one[..], &skipped, &one].concat());
            payloads.push(one);
        }
    }
    for payload in &payloads {
        let plain = unpacked(Inflater::new(), payload);
        assert!(plain.is_ok(), "{plain:?}");
        assert_eq!(unpacked(Inflater::without_c(), payload), plain);
    }

    // What is wrong is wrong to both: cut anywhere, hashed otherwise, a window beyond the limit, no zstd at all.
    let hashed = framed(3, true);
    let mut other = hashed.clone();
    *other.last_mut().expect("a hash") ^= 1;
    let mut wide = hashed.clone();
    wide[5] = 0xff;
    let mut wrong = vec![other, wide, skipped[..9].to_vec(), b"no zstd".to_vec()];
    wrong.extend(
        (1..hashed.len())
            .step_by(997)
            .map(|at| hashed[..at].to_vec()),
    );
    for payload in &wrong {
        let said = unpacked(Inflater::new(), payload).expect_err("it is wrong");
        let without = unpacked(Inflater::without_c(), payload).expect_err("it is wrong");
        assert_eq!(
            std::mem::discriminant(&said),
            std::mem::discriminant(&without),
            "{said:?} {without:?}"
        );
    }
}
