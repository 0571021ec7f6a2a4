//! What a topic's settings make of a batch: whatever codec and time it wishes, the same records come out, the header says
//! the truth about them, and the memory is counted for as long as somebody holds it (#130).

use std::sync::Arc;

use sawlog_wire::records::TimestampType;
use sawlog_wire::records::lookup::outside;
use sawlog_wire::records::rewrite::{Wish, to_store};

use super::*;

const NOW: i64 = 9_999;

fn rewritten(sent: &Bytes, wish: &Wish, pool: &Arc<Pool>) -> Result<Bytes, BatchFault> {
    let mut inflater = Inflater::new();
    let facts = validate(sent, &RULES, &mut inflater, pool).expect("a batch of three is whole");
    to_store(sent.clone(), &facts, wish, &mut inflater, pool)
}

fn plain(bytes: &[u8]) -> (BatchHeader, Vec<u8>) {
    let batch = Batch::first(bytes).expect("a batch of three is whole");
    batch.check_crc().expect("a batch of three is whole");
    assert_eq!(batch.bytes.len(), bytes.len(), "its length is its own");
    let mut plain = Vec::new();
    let codec = batch
        .header
        .attributes()
        .expect("a batch of three is whole")
        .codec;
    let pool = Pool::new(64 << 20);
    let _grant = Inflater::new()
        .read_all(codec, batch.payload(), Caps::DEFAULT, &pool, &mut plain)
        .expect("a batch of three is whole");
    (batch.header, plain)
}

#[test]
fn whatever_codec_and_time_a_topic_wishes_the_records_are_those_that_were_sent() {
    let pool = Arc::new(Pool::new(64 << 20));
    for from in Codec::ALL {
        let sent: Bytes = three(from).producer(7, 2, 40).build().unwrap().into();
        let (had, records) = plain(&sent);
        for to in Codec::ALL.map(Some).into_iter().chain([None]) {
            for append_time in [None, Some(NOW)] {
                let wish = Wish {
                    codec: to,
                    append_time,
                };
                let stored = rewritten(&sent, &wish, &pool).unwrap();
                let (has, same) = plain(&stored);
                assert_eq!(same, records, "{from} to {to:?}");
                let attributes = has.attributes().unwrap();
                assert_eq!(attributes.codec, to.unwrap_or(from));
                let (kind, max) = match append_time {
                    Some(now) => (TimestampType::LogAppend, now),
                    None => (TimestampType::Create, had.max_timestamp),
                };
                assert_eq!((attributes.timestamp_type, has.max_timestamp), (kind, max));
                let expected = BatchHeader {
                    length: has.length,
                    crc: has.crc,
                    raw_attributes: has.raw_attributes,
                    max_timestamp: has.max_timestamp,
                    ..had
                };
                assert_eq!(has, expected, "no other field changes");
            }
        }
    }
    assert_eq!(pool.used(), 0);
}

#[test]
fn what_is_wished_as_it_is_costs_nothing_and_what_is_made_is_counted_while_it_is_held() {
    let pool = Arc::new(Pool::new(64 << 20));
    let sent: Bytes = three(Codec::Zstd).build().unwrap().into();
    let same = Wish {
        codec: Some(Codec::Zstd),
        append_time: None,
    };
    let stored = rewritten(&sent, &same, &pool).unwrap();
    assert_eq!((stored.as_ptr(), pool.used()), (sent.as_ptr(), 0));
    let other = Wish {
        codec: Some(Codec::Gzip),
        append_time: Some(NOW),
    };
    let stored = rewritten(&sent, &other, &pool).unwrap();
    let slice = stored.slice(4..);
    drop(stored);
    assert!(pool.used() > slice.len());
    drop(slice);
    assert_eq!(pool.used(), 0);
}

#[test]
fn a_pool_without_room_refuses_for_now_and_keeps_nothing_130() {
    let sent: Bytes = three(Codec::None).build().unwrap().into();
    let pool = Arc::new(Pool::new(sent.len() - 1));
    for wish in [
        Wish {
            codec: Some(Codec::Gzip),
            append_time: None,
        },
        Wish {
            codec: None,
            append_time: Some(NOW),
        },
    ] {
        let fault = rewritten(&sent, &wish, &pool).unwrap_err();
        assert_eq!(fault.code(), sawlog_wire::Code::RequestTimedOut);
        assert_eq!(pool.used(), 0);
    }
}

#[test]
fn records_outside_of_two_times_are_named_by_their_place_up_to_a_number() {
    let pool = Pool::new(64 << 20);
    for codec in Codec::ALL {
        // The times of the three are 1000, 1700 and 400.
        let sent = three(codec).build().unwrap();
        let batch = Batch::first(&sent).unwrap();
        let named = |bounds, most| {
            let mut inflater = Inflater::new();
            let found = outside(&batch, bounds, most, Caps::DEFAULT, &mut inflater, &pool);
            let found = found.unwrap();
            found.iter().map(|found| found.offset).collect::<Vec<_>>()
        };
        assert_eq!(named((400, 1_700), 9), [] as [i64; 0]);
        assert_eq!(named((401, 1_699), 9), [1, 2]);
        assert_eq!(named((1_001, i64::MAX), 9), [0, 2]);
        assert_eq!(named((1_001, i64::MAX), 1), [0]);
    }
}
