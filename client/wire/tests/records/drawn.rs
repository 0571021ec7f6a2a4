//! Batches drawn at random: what is built is judged well and comes back the same, and of changed bytes the walk and the
//! reader say the same (#27, #128).

use proptest::prelude::*;
use sawlog_wire::records::batch::HEADER_BYTES;
use sawlog_wire::records::{BatchBuilder, BatchFault, BatchHeader, Codec, NewRecord, Records};

use super::{built, compressed, judge, plain, with_payload};

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
