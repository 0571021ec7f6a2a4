//! Record batches from outside: what is built is judged well and comes back the same with every
//! codec, and each lie is refused by its own name (#27, #118, #128).

#![expect(
    clippy::indexing_slicing,
    reason = "a test that slices wrongly fails, as it should"
)]

use bytes::Bytes;
use proptest::prelude::*;
use sawlog_wire::Code;
use sawlog_wire::records::batch::{self, HEADER_BYTES, LENGTH_PREFIX};
use sawlog_wire::records::compress::{SnappyFraming, compress, compress_snappy};
use sawlog_wire::records::lookup::{Found, first_at_or_after, first_with_max_timestamp};
use sawlog_wire::records::{
    Batch, BatchBuilder, BatchFacts, BatchFault, BatchHeader, Batches, Caps, Codec, ControlKind,
    EndMarker, InflateFault, Inflater, NewRecord, Pool, Producer, Record, RecordFault, Records,
    Rules, validate,
};

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
fn each_lie_in_the_header_has_its_own_name_and_code() {
    use BatchFault as F;
    type Lie = (fn(&mut BatchHeader), BatchFault, Code);
    let lies: &[Lie] = &[
        (
            |h| h.base_offset = 1,
            F::BaseOffset { base_offset: 1 },
            Code::InvalidRecord,
        ),
        (
            |h| count(h, 4),
            F::Fewer { found: 3, count: 4 },
            Code::InvalidRecord,
        ),
        (|h| count(h, 2), F::More { count: 2 }, Code::InvalidRecord),
        (|h| count(h, 0), F::Count { count: 0 }, Code::InvalidRecord),
        (
            |h| count(h, -1),
            F::Count { count: -1 },
            Code::InvalidRecord,
        ),
        (
            |h| count(h, i32::MAX),
            F::TooMany {
                count: i32::MAX,
                max: 1 << 20,
            },
            Code::MessageTooLarge,
        ),
        (
            |h| h.last_offset_delta = 7,
            F::LastOffsetDelta { delta: 7, count: 3 },
            Code::InvalidRecord,
        ),
        (
            |h| h.max_timestamp = 1_701,
            F::MaxTimestamp {
                declared: 1_701,
                found: 1_700,
            },
            Code::InvalidTimestamp,
        ),
        (
            |h| h.base_timestamp = i64::MAX,
            F::Timestamp { index: 1 },
            Code::InvalidTimestamp,
        ),
        (
            |h| h.raw_attributes = 5,
            F::Codec { number: 5 },
            Code::UnsupportedCompressionType,
        ),
        (|h| h.raw_attributes = 0x20, F::Control, Code::InvalidRecord),
        (
            |h| h.raw_attributes = 0x08,
            F::LogAppendTime,
            Code::InvalidTimestamp,
        ),
        (
            |h| h.raw_attributes = 0x40,
            F::DeleteHorizon,
            Code::InvalidRecord,
        ),
        (
            |h| h.raw_attributes = 0x80,
            F::Attributes { raw: 0x80 },
            Code::InvalidRecord,
        ),
        (
            |h| h.raw_attributes = i16::MIN,
            F::Attributes { raw: i16::MIN },
            Code::InvalidRecord,
        ),
        (
            |h| h.raw_attributes = 0x10,
            F::TransactionWithoutProducer,
            Code::TransactionalIdAuthorizationFailed,
        ),
        (
            |h| h.producer_id = -2,
            F::ProducerId { id: -2 },
            Code::InvalidRecord,
        ),
        (
            |h| producer(h, -1, 0),
            F::ProducerEpoch { epoch: -1 },
            Code::InvalidRecord,
        ),
        (
            |h| producer(h, 0, -1),
            F::BaseSequence { sequence: -1 },
            Code::InvalidRecord,
        ),
    ];
    fn count(header: &mut BatchHeader, count: i32) {
        header.count = count;
        header.last_offset_delta = count.wrapping_sub(1);
    }
    fn producer(header: &mut BatchHeader, epoch: i16, sequence: i32) {
        header.producer_id = 9;
        header.producer_epoch = epoch;
        header.base_sequence = sequence;
    }
    let honest = built(&three(Codec::None));
    for (lie, fault, code) in lies {
        let verdict = judge(&with_header(&honest, lie)).expect_err("a lie");
        assert_eq!((verdict, verdict.code()), (*fault, *code));
        assert!(!verdict.to_string().is_empty());
    }
    // aiokafka sends sequence 0 without a producer id, older Sarama epoch 0.
    let without = with_header(&honest, |h| (h.producer_epoch, h.base_sequence) = (0, 0));
    assert_eq!(judge(&without).expect("no producer").producer, None);
}

#[test]
fn a_crc_a_length_and_a_magic_that_lie_are_named() {
    let honest = built(&three(Codec::None));
    let mut flipped = honest.clone();
    *flipped.last_mut().expect("bytes") ^= 1;
    let fault = judge(&flipped).expect_err("a flipped bit");
    assert!(matches!(fault, BatchFault::Crc { .. }));
    assert_eq!(fault.code(), Code::CorruptMessage);

    for length in [48, 0, -1, i32::MIN] {
        let short = judge(&with_header(&honest, |h| h.length = length)).expect_err("too short");
        assert_eq!(
            (short, short.code()),
            (BatchFault::Length { length }, Code::CorruptMessage)
        );
    }
    for more in [1, i32::MAX - honest.len() as i32] {
        let long = with_header(&honest, |h| h.length += more);
        assert!(matches!(judge(&long), Err(BatchFault::Cut { .. })));
    }
    for magic in [0, 1] {
        let mut old = honest.clone();
        old[16] = magic;
        let fault = judge(&old).expect_err("gone with Kafka 4");
        assert_eq!(
            (fault, fault.code()),
            (
                BatchFault::OldMagic { magic: magic as i8 },
                Code::InvalidRecord
            )
        );
    }
    let mut new = honest;
    new[16] = 3;
    assert_eq!(judge(&new).expect_err("new").code(), Code::CorruptMessage);
}

#[test]
fn exactly_one_batch_is_taken_and_none_larger_than_allowed() {
    let one = built(&three(Codec::None));
    let size = one.len();
    assert_eq!(judge(&[]), Err(BatchFault::Empty));
    assert_eq!(
        judge(&[one.clone(), one.clone()].concat()),
        Err(BatchFault::MoreThanOne { bytes: size })
    );
    assert_eq!(
        judge(&[one.clone(), vec![0]].concat()),
        Err(BatchFault::MoreThanOne { bytes: 1 })
    );
    let fault = judge_by(
        &one,
        &Rules {
            bytes_max: size - 1,
            ..RULES
        },
    )
    .expect_err("too large");
    assert_eq!(
        (fault, fault.code()),
        (
            BatchFault::TooLarge {
                size,
                max: size - 1
            },
            Code::MessageTooLarge
        )
    );
    assert!(
        judge_by(
            &one,
            &Rules {
                bytes_max: size,
                ..RULES
            }
        )
        .is_ok()
    );
}

#[test]
fn zstd_before_produce_7_gets_error_76() {
    let sent = built(&three(Codec::Zstd));
    let fault = judge_by(&sent, &Rules::produce(6, 1 << 20)).expect_err("too early");
    assert_eq!(fault.code().number(), 76);
    assert!(judge_by(&sent, &Rules::produce(7, 1 << 20)).is_ok());
}

#[test]
fn each_lie_in_a_record_has_its_own_name_plain_and_compressed() {
    // length, attributes, timestamp delta, offset delta, key length, value length, headers
    let lies: [(&[u8], RecordFault); 10] = [
        (&[20, 0, 0, 0, 1, 1, 0], RecordFault::Cut),
        (&[8, 0, 0, 0, 1, 1, 0], RecordFault::Cut),
        (&[14, 0, 0, 0, 1, 1, 0, 9], RecordFault::Slack { bytes: 1 }),
        (&[1, 0, 0, 0, 1, 1, 0], RecordFault::Length { length: -1 }),
        (&[12, 0, 0, 0, 6, 1, 0], RecordFault::Cut),
        (&[12, 0, 0, 0, 3, 1, 0], RecordFault::Length { length: -2 }),
        (&[12, 0, 0, 0, 1, 5, 0], RecordFault::Length { length: -3 }),
        (&[12, 0, 0, 0, 1, 1, 2], RecordFault::Headers { count: 1 }),
        (&[12, 0, 0, 0, 1, 1, 1], RecordFault::Headers { count: -1 }),
        (
            &[16, 0, 0, 0, 1, 1, 2, 1, 1],
            RecordFault::Length { length: -1 },
        ),
    ];
    let mut honest = BatchBuilder::new(Codec::None);
    honest
        .push(NewRecord {
            timestamp: -1,
            ..NewRecord::default()
        })
        .expect("it fits");
    let honest = built(&honest);
    assert_eq!(
        honest[HEADER_BYTES..],
        [12, 0, 0, 0, 1, 1, 0],
        "the smallest record"
    );
    for (record, fault) in lies {
        for codec in Codec::ALL {
            let lie = with_payload(&honest, codec, &compressed(codec, record));
            let verdict = judge(&lie).expect_err("a lie");
            // A stream cannot know that a record is longer than what will come.
            if codec == Codec::None || record[0] != 20 {
                assert_eq!(
                    verdict,
                    BatchFault::Record { index: 0, fault },
                    "{record:?}, {codec}"
                );
            }
            assert_eq!(
                (verdict.code(), verdict.record()),
                (Code::InvalidRecord, Some(0))
            );
        }
    }
}

#[test]
fn offset_deltas_out_of_order_are_refused() {
    let honest = built(&three(Codec::None));
    let records = [
        12, 0, 0, 0, 1, 1, 0, 12, 0, 0, 4, 1, 1, 0, 12, 0, 0, 2, 1, 1, 0,
    ];
    for codec in Codec::ALL {
        let verdict = judge(&with_payload(&honest, codec, &compressed(codec, &records)))
            .expect_err("swapped");
        assert_eq!(verdict, BatchFault::OffsetDelta { index: 1, delta: 2 });
    }
}

#[test]
fn bytes_hidden_behind_a_compressed_stream_are_refused() {
    for codec in COMPRESSED {
        let honest = built(&three(codec));
        let payload = [&honest[HEADER_BYTES..], b"\0hidden"].concat();
        let verdict = judge(&with_payload(&honest, codec, &payload)).expect_err("hidden bytes");
        assert!(
            matches!(verdict, BatchFault::Inflate(_)),
            "{codec}: {verdict:?}"
        );
        assert_eq!(verdict.code(), Code::InvalidRecord);
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
fn a_batch_cut_at_every_byte_is_refused_and_never_panics() {
    for codec in Codec::ALL {
        let sent = built(&three(codec));
        for end in 0..sent.len() {
            let cut = judge(&sent[..end]).expect_err("cut");
            assert!(
                matches!(cut, BatchFault::Empty | BatchFault::Cut { .. }),
                "{codec} at {end}: {cut:?}"
            );
        }
        let payload = &sent[HEADER_BYTES..];
        for end in 0..payload.len() {
            let cut = judge(&with_payload(&sent, codec, &payload[..end])).expect_err("cut payload");
            assert_eq!(cut.code(), Code::InvalidRecord, "{codec} at {end}: {cut:?}");
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
fn a_window_above_the_limit_and_output_above_the_cap_are_named() {
    let value = vec![0; 1 << 20];
    for codec in COMPRESSED {
        let mut batch = BatchBuilder::new(codec);
        for _ in 0..4 {
            batch
                .push(NewRecord {
                    timestamp: 1,
                    value: Some(&value),
                    ..NewRecord::default()
                })
                .expect("it fits");
        }
        let sent = built(&batch);
        let caps = Caps {
            output: 2 << 20,
            ..Caps::DEFAULT
        };
        let fault = judge_by(&sent, &Rules { caps, ..RULES }).expect_err("a bomb");
        assert_eq!(
            fault,
            BatchFault::Inflate(InflateFault::Output { max: 2 << 20 }),
            "{codec}"
        );
        assert_eq!(fault.code(), Code::MessageTooLarge);
        if codec == Codec::Zstd {
            let caps = Caps {
                window: 64 << 10,
                ..Caps::DEFAULT
            };
            let fault = judge_by(&sent, &Rules { caps, ..RULES }).expect_err("a window");
            assert!(matches!(
                fault,
                BatchFault::Inflate(InflateFault::Window { .. })
            ));
            assert_eq!(fault.code(), Code::UnsupportedCompressionType);
        }
    }
}

#[test]
fn without_room_in_the_pool_a_compressed_batch_is_refused_for_now() {
    for codec in COMPRESSED {
        let sent = built(&three(codec));
        let fault =
            validate(&sent, &RULES, &mut Inflater::new(), &Pool::new(100)).expect_err("no room");
        assert_eq!(fault, BatchFault::Inflate(InflateFault::NoRoom), "{codec}");
        assert!(fault.code().retriable());
    }
    let sent = built(&three(Codec::None));
    assert!(
        validate(&sent, &RULES, &mut Inflater::new(), &Pool::new(0)).is_ok(),
        "plain bytes need none"
    );
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
        let mut at = |t| {
            first_at_or_after(&batch, t, Caps::DEFAULT, &mut inflater, &pool).expect("it reads")
        };
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
        let max = first_with_max_timestamp(&batch, Caps::DEFAULT, &mut inflater, &pool)
            .expect("it reads");
        assert_eq!(
            max,
            Some(Found {
                offset: 101,
                timestamp: 1_700
            })
        );
    }
}

/// A record as the random tests make it.
#[derive(Clone, Debug)]
struct Made {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..=max),
        (0..=max).prop_map(|n| vec![7; n])
    ]
}

fn made() -> impl Strategy<Value = Made> {
    let time = prop_oneof![Just(-1_i64), 0..2_000_000_000_000_i64, 0..100_i64];
    let headers = proptest::collection::vec((bytes(5), proptest::option::of(bytes(9))), 0..4);
    (
        time,
        proptest::option::of(bytes(20)),
        proptest::option::of(bytes(9_000)),
        headers,
    )
        .prop_map(|(timestamp, key, value, headers)| Made {
            timestamp,
            key,
            value,
            headers,
        })
}

fn codec() -> impl Strategy<Value = Codec> {
    proptest::sample::select(Codec::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_built_is_judged_well_and_comes_back(
        codec in codec(),
        made in proptest::collection::vec(made(), 1..40),
    ) {
        let mut batch = BatchBuilder::new(codec);
        for m in &made {
            let headers: Vec<_> = m.headers.iter().map(|(n, v)| (n.as_slice(), v.as_deref())).collect();
            let record = NewRecord {
                timestamp: m.timestamp,
                key: m.key.as_deref(),
                value: m.value.as_deref(),
                headers: &headers,
            };
            prop_assert!(batch.push(record).is_ok());
        }
        let sent = built(&batch);
        let facts = judge(&sent).expect("honest");
        prop_assert_eq!(facts.count as usize, made.len());
        prop_assert_eq!(facts.max_timestamp, made.iter().map(|m| m.timestamp).max().unwrap_or(-1));
        prop_assert_eq!(facts.keyless, made.iter().position(|m| m.key.is_none()).map(|i| i as u32));
        let header = BatchHeader::parse(&sent).expect("a header");
        let plain = plain(&sent);
        let mut read = Records::new(&plain);
        for (i, m) in made.iter().enumerate() {
            let record = read.next().expect("a record more").expect("a record");
            prop_assert_eq!(record.offset(&header), i as i64);
            prop_assert_eq!(record.timestamp(&header), m.timestamp);
            prop_assert_eq!(record.key, m.key.as_deref());
            prop_assert_eq!(record.value, m.value.as_deref());
            let headers: Vec<_> = record.headers.map(|h| (h.name.to_vec(), h.value.map(<[u8]>::to_vec))).collect();
            prop_assert_eq!(&headers, &m.headers);
        }
        prop_assert!(read.next().is_none());
    }

    #[test]
    fn the_walk_and_the_reader_agree_on_any_bytes(
        codec in codec(),
        made in proptest::collection::vec(made(), 1..6),
        at in any::<usize>(),
        flip in 1_u8..,
    ) {
        let mut batch = BatchBuilder::new(Codec::None);
        for m in &made {
            let record = NewRecord { timestamp: 5, value: m.value.as_deref(), ..NewRecord::default() };
            prop_assert!(batch.push(record).is_ok());
        }
        let sent = built(&batch);
        let mut changed = sent[HEADER_BYTES..].to_vec();
        let at = at % changed.len();
        changed[at] ^= flip;
        let lie = with_payload(&sent, codec, &compressed(codec, &changed));
        let read: Result<Vec<_>, _> = Records::new(&changed).collect();
        match (judge(&lie), read) {
            (Ok(facts), Ok(records)) => prop_assert_eq!(records.len(), facts.count as usize),
            (Err(fault @ BatchFault::Record { .. }), Err(other)) => {
                // A stream cannot know that a record is longer than what will come.
                prop_assert_eq!(fault.record(), other.record());
                prop_assert!(codec != Codec::None || fault == other, "{:?} {:?}", fault, other);
            }
            // The judge knows more reasons than the reader, and sees them earlier.
            (Err(fault), _) => prop_assert!(!matches!(fault, BatchFault::Record { .. }), "{fault:?}"),
            (Ok(facts), Err(other)) => prop_assert!(false, "{facts:?} but {other:?}"),
        }
    }
}
