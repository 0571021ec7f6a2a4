//! Any bytes as frames: no panic, no reply without a request, and every ask names a log that exists.
//! Held without an oracle, for requests as `wire` draws them, damaged ones, and any bytes; each one taken is answered.

use proptest::prelude::*;
use sawlog_wire::header::RequestHeader;
use sawlog_wire::random::Dice;
use sawlog_wire::registry::{self, Kind};

use super::*;
use crate::answer::FindAnswer;
use crate::api::{OPEN_MAX, table};
use crate::ids::{ProducerEpoch, ProducerId};

/// An answer of the right kind.
fn fitting(part: &Part, bytes: &Bytes) -> Option<Response> {
    let (offset, timestamp, epoch) = (Offset(1), Wall(2), LeaderEpoch(3));
    Some(match part {
        Part::Append(_) => stored(1),
        Part::Fetch(_) => there(2, std::slice::from_ref(bytes)),
        Part::Watch(_) => Response::Watched,
        Part::Unwatch(_) => return None,
        Part::Find(_) => Response::Find(FindAnswer {
            code: Code::None,
            offset,
            timestamp,
            epoch,
        }),
        Part::ProducerId(_) => Response::ProducerId {
            code: Code::None,
            id: ProducerId(1),
            epoch: ProducerEpoch(0),
        },
        other => nothing_told(other),
    })
}

/// Feeds frames and answers what is asked; every request that is taken is answered in the end.
fn drive(frames: impl IntoIterator<Item = Bytes>) {
    let mut bench = Bench::new(&[("t", 2), ("", 1)]);
    let bytes = batch(Codec::None, 1);
    for frame in frames {
        if !bench.conn.room() {
            break;
        }
        bench.raw(frame);
        for _ in 0..8 {
            for (shard, waiter, part) in bench.asks() {
                assert!(shard.0 < SHARDS);
                assert_eq!(waiter.conn.number, 5);
                if let Some(response) = fitting(&part, &bytes) {
                    bench.answer(waiter, response);
                }
            }
        }
        assert!(bench.conn.open() <= OPEN_MAX);
        // Whoever still waits is a long poll.
        bench.pass(i32::MAX as u64);
        bench.asks();
        match &bench.out.close {
            Some(why) => assert!(!why.contains("cannot be written"), "{why}"),
            None => assert_eq!(bench.conn.open(), 0, "a request was never answered"),
        }
    }
    bench.frames();
}

/// A request of this key and version as `wire` draws it, perhaps damaged.
fn drawn(dice: &mut Dice, key: ApiKey, version: i16) -> Bytes {
    let entry = registry::all()
        .find(|entry| entry.kind == Kind::Request(key.number()))
        .unwrap();
    let body = (entry.sample)(dice, version);
    let mut writer = Writer::new();
    let header = RequestHeader {
        key: key.number(),
        version,
        correlation_id: 1,
        client_id: Some("x"),
    };
    header.encode(&mut writer).unwrap();
    writer.slice(&body);
    let mut frame = writer.finish().into_bytes().to_vec();
    match dice.below(4) {
        0 => frame.truncate(dice.below(frame.len() as u64 + 1) as usize),
        1 => {
            let at = dice.below(frame.len() as u64) as usize;
            frame[at] = dice.next() as u8;
        }
        _ => {}
    }
    frame.into()
}

#[test]
fn no_request_that_the_wire_can_carry_or_nearly_can_panics_or_hangs() {
    let mut dice = Dice::new(20);
    for row in table::ROWS {
        for version in row.served.iter() {
            for _ in 0..60 {
                drive([drawn(&mut dice, row.key, version)]);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_panic_or_hang(frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 1..4)) {
        drive(frames.into_iter().map(Bytes::from));
    }

    #[test]
    fn no_bytes_behind_a_right_header_panic_or_hang(
        row in 0..table::ROWS.len(),
        version in -1i16..20,
        body in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let key = table::ROWS[row].key.number();
        let mut frame = [key.to_be_bytes(), version.to_be_bytes()].concat();
        frame.extend([0, 0, 0, 1, 0xff, 0xff]);
        frame.extend(&body);
        drive([Bytes::from(frame.clone())]);
        frame.splice(10..10, [0]);
        drive([Bytes::from(frame)]);
    }
}
