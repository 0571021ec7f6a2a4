//! Records that look alike are judged many at once: whatever the bytes, the verdict and the facts are those of a reader
//! that looks at each field of each record (#128).

use proptest::prelude::*;
use sawlog_wire::records::batch::HEADER_BYTES;
use sawlog_wire::records::{
    BatchBuilder, BatchFault, BatchHeader, Codec, NewRecord, Records, Rules,
};

use super::{RULES, built, compressed, judge_by, with_header, with_payload};

/// What the walk over the records finds: how many, smallest and largest timestamp, the first without a key.
type Found = (u32, i64, i64, Option<u32>);

/// What the reader finds in plain records, field by field, and what it refuses.
fn by_field(sent: &[u8]) -> Result<Found, BatchFault> {
    let header = BatchHeader::parse(sent).expect("a header");
    let (mut index, mut min, mut max, mut keyless) = (0, i64::MAX, -1, None);
    for record in Records::new(&sent[HEADER_BYTES..]) {
        let record = record?;
        if index as i32 == header.count {
            let count = header.count;
            return Err(BatchFault::More { count });
        }
        if record.offset_delta != index as i32 {
            let delta = record.offset_delta;
            return Err(BatchFault::OffsetDelta { index, delta });
        }
        let timestamp = header.base_timestamp.checked_add(record.timestamp_delta);
        let timestamp = timestamp.ok_or(BatchFault::Timestamp { index })?;
        max = max.max(timestamp);
        if timestamp != -1 {
            min = min.min(timestamp);
        }
        if record.key.is_none() && keyless.is_none() {
            keyless = Some(index);
        }
        index += 1;
    }
    if (index as i32) < header.count {
        let (found, count) = (index, header.count);
        return Err(BatchFault::Fewer { found, count });
    }
    if header.max_timestamp > max {
        let declared = header.max_timestamp;
        return Err(BatchFault::MaxTimestamp {
            declared,
            found: max,
        });
    }
    Ok((index, if min == i64::MAX { -1 } else { min }, max, keyless))
}

fn at_once(sent: &[u8]) -> Result<Found, BatchFault> {
    let rules = Rules {
        bytes_max: 32 << 20,
        ..RULES
    };
    judge_by(sent, &rules).map(|f| (f.count, f.min_timestamp, f.max_timestamp, f.keyless))
}

/// So many records of one form.
#[derive(Clone, Debug)]
struct Group {
    records: usize,
    key: Option<usize>,
    value: Option<usize>,
    /// Milliseconds behind the base, in turn.
    times: Vec<i64>,
    header: bool,
}

fn batch(base: i64, groups: &[Group]) -> Vec<u8> {
    let mut batch = BatchBuilder::new(Codec::None);
    let mut first = true;
    for group in groups {
        let (key, value) = (
            group.key.map(|n| vec![b'k'; n]),
            group.value.map(|n| vec![b'v'; n]),
        );
        let header: &[(&[u8], Option<&[u8]>)] = if group.header { &[(b"h", None)] } else { &[] };
        for (_, delta) in (0..group.records).zip(group.times.iter().cycle()) {
            // The first record's time is the base of the batch.
            let timestamp = if first {
                base
            } else {
                base.saturating_add(*delta)
            };
            first = false;
            let record = NewRecord {
                timestamp,
                key: key.as_deref(),
                value: value.as_deref(),
                headers: header,
            };
            batch.push(record).expect("it fits");
        }
    }
    built(&batch)
}

fn group() -> impl Strategy<Value = Group> {
    let length = || {
        prop_oneof![
            Just(None),
            Just(Some(0)),
            (0..40_usize).prop_map(Some),
            Just(Some(63)),
            Just(Some(64)),
            Just(Some(200)),
            Just(Some(8_200))
        ]
    };
    let time = prop_oneof![
        Just(0),
        Just(1),
        Just(-1),
        Just(63),
        Just(64),
        Just(-64),
        Just(-65),
        Just(8_191),
        Just(-8_192),
        Just(8_192),
        Just(1 << 40)
    ];
    (
        1..80_usize,
        length(),
        length(),
        proptest::collection::vec(time, 1..4),
        proptest::bool::weighted(0.2),
    )
        .prop_map(|(records, key, value, times, header)| Group {
            records,
            key,
            value,
            times,
            header,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn groups_of_records_are_judged_as_each_of_them(
        base in prop_oneof![Just(1_700_000_000_000_i64), Just(0), Just(1), Just(8_191), Just(8_192), Just(8_193), Just(i64::MAX), Just(i64::MAX - 8_192)],
        groups in proptest::collection::vec(group(), 1..5),
        codec in proptest::sample::select(Codec::ALL.to_vec()),
        flip in proptest::option::of((any::<usize>(), 1_u8..)),
        more in -1_i32..=1,
    ) {
        let honest = batch(base, &groups);
        let mut payload = honest[HEADER_BYTES..].to_vec();
        if let Some((at, flip)) = flip {
            let at = at % payload.len();
            payload[at] ^= flip;
        }
        let counted = |sent: &[u8]| with_header(sent, |h| {
            h.count = (h.count + more).max(1);
            h.last_offset_delta = h.count - 1;
        });
        let sent = counted(&with_payload(&honest, Codec::None, &payload));
        let read = by_field(&sent);
        prop_assert_eq!(at_once(&sent), read);
        let sent = counted(&with_payload(&honest, codec, &compressed(codec, &payload)));
        match (at_once(&sent), read) {
            // A stream cannot know that a record is longer than what will come.
            (Err(fault), Err(other)) => prop_assert_eq!(fault.record(), other.record()),
            (streamed, read) => prop_assert_eq!(streamed, read),
        }
    }
}

/// Every value in each of these bytes, one after the other: the verdict is the reader's. Says how many were refused.
fn each_value(honest: &[u8], places: impl Iterator<Item = usize>) -> usize {
    let mut refused = 0;
    for at in places {
        for byte in 0..=255 {
            let mut payload = honest[HEADER_BYTES..].to_vec();
            payload[at - HEADER_BYTES] = byte;
            let sent = with_payload(honest, Codec::None, &payload);
            let verdict = at_once(&sent);
            assert_eq!(verdict, by_field(&sent), "byte {at} is {byte}");
            refused += usize::from(verdict.is_err());
        }
    }
    refused
}

#[test]
fn each_byte_of_records_alike_is_looked_at() {
    for key in [None, Some(0), Some(3)] {
        let group = Group {
            records: 72,
            key,
            value: Some(9),
            times: vec![5, 6],
            header: false,
        };
        let honest = batch(1_700_000_000_000, &[group]);
        // Records 10 to 12, and 66 to 69, whose offsets take two bytes; two of a length are read before many are at once.
        let size = 16 + key.unwrap_or(0);
        let short = HEADER_BYTES + 10 * size..HEADER_BYTES + 13 * size;
        let end = honest.len();
        let long = end - 6 * (size + 1)..end - 2 * (size + 1);
        assert!(each_value(&honest, short) > 3 * 5 * 240);
        assert!(each_value(&honest, long) > 4 * 6 * 240);
    }
}

#[test]
fn each_byte_of_lengths_and_times_of_two_bytes_is_looked_at() {
    let group = Group {
        records: 72,
        key: Some(64),
        value: Some(200),
        times: vec![100, 8_191],
        header: false,
    };
    let honest = batch(1_700_000_000_000, &[group]);
    // Length 2, attributes 1, time 2, offset 2, key's length 2 and its bytes, value's length 2 and its bytes, headers 1.
    let size = 2 + 1 + 2 + 2 + 2 + 64 + 2 + 200 + 1;
    for number in [2, 3] {
        let from = honest.len() - number * size;
        let ends = [8, 72, 73, 74, 75, size - 2, size - 1];
        let places = (0..8).chain(ends).map(|at| from + at);
        assert!(each_value(&honest, places) > 2_000);
    }
}

#[test]
fn offsets_of_each_width_are_judged_alike() {
    let group = |records| Group {
        records,
        key: None,
        value: Some(10),
        times: vec![0],
        header: false,
    };
    for records in [63, 64, 65, 66, 8_191, 8_192, 8_193, 8_194, 20_000] {
        let sent = batch(1_700_000_000_000, &[group(records)]);
        assert_eq!(at_once(&sent), by_field(&sent));
        assert_eq!(at_once(&sent).map(|found| found.0), Ok(records as u32));
    }
    // The offset that needs one byte more, in as many as the one before: 0 again, in one byte and in two.
    for (records, offset) in [(64, &[0_u8][..]), (8_192, &[0x80, 0])] {
        let honest = batch(1_700_000_000_000, &[group(records)]);
        let lie = [&[0, 0], offset, &[1, 20], b"ten bytes.", &[0]].concat();
        let payload = [&honest[HEADER_BYTES..], &[2 * lie.len() as u8], &lie].concat();
        let sent = with_payload(&honest, Codec::None, &payload);
        let sent = with_header(&sent, |h| {
            (h.count, h.last_offset_delta) = (h.count + 1, h.count)
        });
        let index = records as u32;
        assert_eq!(
            at_once(&sent),
            Err(BatchFault::OffsetDelta { index, delta: 0 })
        );
    }
}
