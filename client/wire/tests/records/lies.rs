//! Batches that lie: each lie in a header, a record or a compressed stream is refused by its own name and code, and
//! nothing is believed before it is checked (#27, #118, #128, #130).

use sawlog_wire::Code;
use sawlog_wire::records::batch::HEADER_BYTES;
use sawlog_wire::records::{
    BatchBuilder, BatchFault, BatchHeader, Caps, Codec, InflateFault, Inflater, NewRecord, Pool,
    RecordFault, Rules, validate,
};

use super::{
    COMPRESSED, RULES, built, compressed, judge, judge_by, three, with_header, with_payload,
};

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
