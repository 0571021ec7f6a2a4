//! Fetch: what is read of which log, when it is enough, and that nobody waits longer than was asked for.
//! Held on logs whose answers the test gives, by a clock that it moves; what a log has is the engine's.

use sawlog_wire::Pieces;
use sawlog_wire::messages::fetch::{FetchPartition, FetchTopic, PartitionData, ReplicaState};
use sawlog_wire::messages::{ApiKey, FetchRequest, FetchResponse};

use super::*;
use crate::answer::{FetchPart, Isolation, MeasureAnswer, WatchPart};
use crate::api::waits::WAIT_MAX;

const KIB: i32 = 1024;

pub(super) fn fetch(parts: &[(&str, i32, i64)]) -> FetchRequest {
    let partition = |index, fetch_offset| FetchPartition {
        partition: index,
        fetch_offset,
        current_leader_epoch: -1,
        partition_max_bytes: 1024 * KIB,
        ..FetchPartition::default()
    };
    let topic = |&(name, index, offset): &(&str, i32, i64)| FetchTopic {
        topic: name.into(),
        topic_id: id_of(name).0,
        partitions: vec![partition(index, offset)],
        ..FetchTopic::default()
    };
    FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 50 * 1024 * KIB,
        topics: parts.iter().map(topic).collect(),
        ..FetchRequest::default()
    }
}

/// What was asked to be read, in order.
pub(super) fn reads(bench: &mut Bench) -> Vec<(Waiter, FetchPart)> {
    let read = |(_, waiter, part)| match part {
        Part::Fetch(part) => (waiter, part),
        other => panic!("{other:?}"),
    };
    bench.asks().into_iter().map(read).collect()
}

/// What was asked to be measured, in order.
fn measures(bench: &mut Bench) -> Vec<(Waiter, FetchPart)> {
    let measure = |(_, waiter, part)| match part {
        Part::Measure(part) => (waiter, part),
        other => panic!("{other:?}"),
    };
    bench.asks().into_iter().map(measure).collect()
}

/// What a log says that was measured: so many bytes up to its end.
fn measured(bytes: usize, end: i64) -> Response {
    let (bytes, upto, full) = (bytes as u64, Offset(end), false);
    Response::Measured(Some(MeasureAnswer {
        bytes,
        upto,
        end: upto,
        full,
    }))
}

/// What was asked to be watched, in order.
fn watches(bench: &mut Bench) -> Vec<(Waiter, WatchPart)> {
    let watch = |(_, waiter, part)| match part {
        Part::Watch(part) => (waiter, part),
        other => panic!("{other:?}"),
    };
    bench.asks().into_iter().map(watch).collect()
}

pub(super) fn rows(told: FetchResponse) -> Vec<PartitionData> {
    told.responses
        .into_iter()
        .flat_map(|topic| topic.partitions)
        .collect()
}

fn bytes_of(row: &PartitionData) -> usize {
    row.records.as_ref().map_or(0, Pieces::len)
}

#[test]
fn what_a_log_has_is_answered_at_once_in_every_version_without_copying_it() {
    for version in 4..=18 {
        let mut bench = Bench::new(&[("t", 2)]);
        bench.send(version, &fetch(&[("t", 1, 3)]));
        let (waiter, part) = reads(&mut bench).remove(0);
        let wanted = FetchPart {
            log: log("t", 1),
            from: Offset(3),
            epoch: None,
            last_epoch: None,
            isolation: Isolation::ReadUncommitted,
            max_bytes: 1024 * 1024,
            at_least_one: true,
        };
        assert_eq!(part, wanted);
        let stored = batch(Codec::None, 40);
        bench.answer(waiter, there(43, std::slice::from_ref(&stored)));
        let pieces = bench.out.wire.finish();
        assert!(
            pieces.iter().any(|piece| piece.as_ptr() == stored.as_ptr()),
            "it was copied"
        );
        let frame = pieces.into_bytes().slice(4..);
        let (_, told) = read::<FetchResponse>(&frame, ApiKey::Fetch, version);
        assert_eq!((told.error_code.0, told.session_id), (0, 0));
        let row = &rows(told)[0];
        assert_eq!(
            (row.partition_index, row.error_code.0, row.high_watermark),
            (1, 0, 43)
        );
        assert_eq!(
            (row.last_stable_offset, row.preferred_read_replica),
            (43, -1)
        );
        assert_eq!(row.log_start_offset, if version >= 5 { 0 } else { -1 });
        assert_eq!(row.aborted_transactions, None);
        assert_eq!(row.records, Some(stored.into()));
    }
}

#[test]
fn gotcha_11_the_batch_that_holds_an_offset_passes_whole() {
    let mut bench = Bench::new(&[("t", 1)]);
    bench.send(12, &fetch(&[("t", 0, 2)]));
    let (waiter, part) = reads(&mut bench).remove(0);
    assert_eq!(part.from, Offset(2));
    let whole = batch(Codec::None, 5);
    bench.answer(waiter, there(5, std::slice::from_ref(&whole)));
    let (_, told) = bench.response::<FetchResponse>(ApiKey::Fetch, 12);
    assert_eq!(rows(told)[0].records, Some(whole.into()));
}

/// Waits for a Fetch's `max_wait` of 500 ms and looks at what its two logs told: nothing, and what `stored` has.
fn answered_at_its_deadline(min_bytes: i32, stored: &[Bytes]) {
    let mut bench = Bench::new(&[("t", 1), ("u", 1)]);
    let request = FetchRequest {
        min_bytes,
        ..fetch(&[("t", 0, 7), ("u", 0, 0)])
    };
    bench.send(12, &request);
    let bytes = stored.iter().map(Bytes::len).sum();
    let end = stored.len() as i64;
    let answer = |bench: &mut Bench| {
        let asked = reads(bench);
        bench.answer(asked[0].0, there(7, &[]));
        bench.answer(asked[1].0, there(end, stored));
    };
    if min_bytes == 1 {
        answer(&mut bench);
    } else {
        let asked = measures(&mut bench);
        bench.answer(asked[0].0, measured(0, 7));
        bench.answer(asked[1].0, measured(bytes, end));
    }
    let watched = watches(&mut bench);
    assert_eq!(watched.len(), 2);
    assert_eq!(
        (watched[0].1.log, watched[0].1.beyond),
        (log("t", 0), Offset(7))
    );
    bench.pass(499);
    assert!(bench.frames().is_empty());
    let deadline = bench.conn.deadline().expect("somebody waits");
    assert_eq!(deadline.0.0, bench.now.mono.0 + 1_000_000);
    bench.pass(1);
    // Nothing is left behind in the logs.
    let mut asks = bench.asks();
    let left: Vec<Part> = asks.drain(..2).map(|(_, _, part)| part).collect();
    assert_eq!(
        left,
        [Part::Unwatch(log("t", 0)), Part::Unwatch(log("u", 0))]
    );
    // What there is is read now.
    bench.out.asks = asks;
    if min_bytes > 1 {
        answer(&mut bench);
    }
    let (_, told) = bench.response::<FetchResponse>(ApiKey::Fetch, 12);
    let told = rows(told);
    assert_eq!((told[0].error_code.0, told[0].high_watermark), (0, 7));
    assert_eq!(bytes_of(&told[1]), bytes);
    assert_eq!(bench.conn.deadline(), None);
    // A watch that was on its way is dropped.
    bench.answer(watched[0].0, Response::Watched);
    assert!(bench.asks().is_empty());
}

#[test]
pub(super) fn gotcha_12_every_fetch_is_answered_within_its_max_wait_though_min_bytes_is_never_met()
{
    answered_at_its_deadline(1, &[]);
    answered_at_its_deadline(1 << 20, &[batch(Codec::None, 1)]);
}

#[test]
fn a_watch_is_a_hint_that_log_is_read_again_and_the_others_are_not() {
    let mut bench = Bench::new(&[("t", 2)]);
    bench.send(12, &fetch(&[("t", 0, 0), ("t", 1, 0)]));
    for (waiter, _) in reads(&mut bench) {
        bench.answer(waiter, there(0, &[]));
    }
    let watched = watches(&mut bench);
    // It was nothing: that log is read again, and watched again.
    bench.answer(watched[1].0, Response::Watched);
    let again = reads(&mut bench);
    assert_eq!((again.len(), again[0].1.log), (1, log("t", 1)));
    bench.answer(again[0].0, there(0, &[]));
    assert_eq!(watches(&mut bench).len(), 1);
    bench.answer(watched[0].0, Response::Watched);
    let again = reads(&mut bench);
    let small = batch(Codec::None, 1);
    bench.answer(again[0].0, there(1, std::slice::from_ref(&small)));
    let (_, told) = bench.response::<FetchResponse>(ApiKey::Fetch, 12);
    let told: Vec<usize> = rows(told).iter().map(bytes_of).collect();
    assert_eq!(told, [small.len(), 0]);
    assert_eq!(bench.asked().1, Part::Unwatch(log("t", 1)));
}

#[test]
pub(super) fn a_fetch_that_waits_for_more_is_measured_on_and_holds_no_records_131() {
    let mut bench = Bench::new(&[("t", 2)]);
    let small = batch(Codec::None, 1);
    let request = FetchRequest {
        min_bytes: 3 * small.len() as i32,
        ..fetch(&[("t", 0, 0), ("t", 1, 0)])
    };
    bench.send(12, &request);
    // Any log would answer a read with what it has.
    let mut watched = Vec::new();
    for (_, waiter, part) in bench.asks() {
        match part {
            Part::Measure(_) => bench.answer(waiter, measured(small.len(), 1)),
            _ => bench.answer(waiter, there(1, std::slice::from_ref(&small))),
        }
        assert_eq!(bench.conn.held(), 0, "#131");
        watched.extend(watches(&mut bench));
    }
    // More in one log, and not yet enough: only what came since is measured.
    bench.answer(watched[1].0, Response::Watched);
    assert_eq!(bench.conn.deadline(), None, "an answer is on its way");
    let again = measures(&mut bench);
    assert_eq!(
        (again.len(), again[0].1.log, again[0].1.from),
        (1, log("t", 1), Offset(1))
    );
    bench.answer(again[0].0, measured(0, 1));
    let watched_again = watches(&mut bench);
    assert_eq!(watched_again[0].1.beyond, Offset(1));
    // The other one brings enough: all are read, from where they were asked for.
    bench.answer(watched[0].0, Response::Watched);
    let again = measures(&mut bench);
    bench.answer(again[0].0, measured(small.len(), 2));
    let mut asks = bench.asks();
    assert_eq!(asks.remove(0).2, Part::Unwatch(log("t", 1)));
    bench.out.asks = asks;
    let asked = reads(&mut bench);
    let from: Vec<_> = asked.iter().map(|(_, part)| part.from).collect();
    assert_eq!(from, [Offset(0); 2]);
    bench.answer(asked[0].0, there(2, &[small.clone(), small.clone()]));
    bench.answer(asked[1].0, there(1, std::slice::from_ref(&small)));
    let (_, told) = bench.response::<FetchResponse>(ApiKey::Fetch, 12);
    let told: Vec<usize> = rows(told).iter().map(bytes_of).collect();
    assert_eq!(told, [2 * small.len(), small.len()]);
}

#[test]
pub(super) fn a_fetch_behind_another_reads_nothing_until_its_turn_131() {
    let mut bench = Bench::new(&[("t", 2)]);
    bench.send(12, &fetch(&[("t", 0, 0)]));
    bench.send(12, &fetch(&[("t", 1, 0)]));
    let asked = reads(&mut bench);
    assert_eq!(asked.len(), 1, "the second could not be told yet");
    bench.answer(asked[0].0, there(0, &[]));
    let watched = watches(&mut bench);
    // The time of both passes, and each is answered in turn.
    bench.pass(500);
    assert_eq!(bench.frames().len(), 1);
    let mut asks = bench.asks();
    assert_eq!(asks.remove(0).2, Part::Unwatch(log("t", 0)));
    bench.out.asks = asks;
    let asked = reads(&mut bench);
    assert_eq!((asked.len(), asked[0].1.log), (1, log("t", 1)));
    bench.answer(asked[0].0, there(0, &[]));
    assert_eq!(bench.frames().len(), 1, "its deadline is over");
    bench.answer(watched[0].0, Response::Watched);
    assert!(bench.asks().is_empty());
}

/// A Fetch of so many partitions of one topic, on a connection of its own; all of them are read, and there is nothing.
fn wide(waits: &Arc<FetchWaits>, partitions: i32, request: FetchRequest) -> Bench {
    let mut bench = Bench::new(&[("t", partitions)]);
    bench.waits = waits.clone();
    reads_nothing(&mut bench, partitions, request);
    bench
}

fn reads_nothing(bench: &mut Bench, partitions: i32, mut request: FetchRequest) {
    let one = request.topics[0].partitions[0].clone();
    let named = |partition| FetchPartition {
        partition,
        ..one.clone()
    };
    request.topics[0].partitions = (0..partitions).map(named).collect();
    bench.send(12, &request);
    finds_nothing(bench);
}

/// Whatever was asked to be read or measured has nothing.
fn finds_nothing(bench: &mut Bench) {
    let asked = |part: &Part| matches!(part, Part::Fetch(_) | Part::Measure(_));
    loop {
        let asks = bench.asks();
        if !asks.iter().any(|(_, _, part)| asked(part)) {
            bench.out.asks = asks;
            return;
        }
        for (_, waiter, part) in asks {
            match part {
                Part::Fetch(_) => bench.answer(waiter, there(0, &[])),
                Part::Measure(_) => bench.answer(waiter, measured(0, 0)),
                _ => {}
            }
        }
    }
}

#[test]
pub(super) fn fetches_that_wait_hold_a_bounded_sum_and_who_finds_no_room_is_answered_131_132() {
    const WIDE: i32 = 40;
    for min_bytes in [1, 1000] {
        let waits = Arc::new(FetchWaits::default());
        let request = FetchRequest {
            min_bytes,
            max_wait_ms: i32::MAX,
            ..fetch(&[("t", 0, 0)])
        };
        let all = (0..20).map(|_| wide(&waits, WIDE, request.clone()));
        let (waiting, told): (Vec<_>, Vec<_>) = all.partition(|bench| bench.conn.open() == 1);
        assert!(waits.used() <= WAIT_MAX, "{} bytes wait", waits.used());
        assert!(!waiting.is_empty() && !told.is_empty());
        for mut bench in told {
            let (_, told) = bench.response::<FetchResponse>(ApiKey::Fetch, 12);
            assert_eq!(told.throttle_time_ms, 500, "KIP-219");
            assert_eq!(rows(told).len(), WIDE as usize, "answered in full");
            // It asks no more often than that, whatever it sends.
            bench.pass(499);
            assert!(!bench.conn.room());
            bench.pass(1);
            assert!(bench.conn.room());
            assert_eq!(bench.conn.deadline(), None);
        }
        // Who would have waited for less is told to rest for less.
        let brief = FetchRequest {
            max_wait_ms: 200,
            ..request.clone()
        };
        let mut brief = wide(&waits, WIDE, brief);
        let (_, told) = brief.response::<FetchResponse>(ApiKey::Fetch, 12);
        assert_eq!(told.throttle_time_ms, 200);
        // One that holds little waits as ever ...
        let mut little = wide(&waits, 1, request.clone());
        assert_eq!((little.conn.open(), little.conn.room()), (1, true));
        // ... unless too much comes behind it: then all are answered.
        little.change(|image| {
            image.topics.insert("t".into(), Arc::new(topic("t", WIDE)));
        });
        reads_nothing(&mut little, WIDE, request.clone());
        assert_eq!((little.frames().len(), little.conn.open()), (2, 0));
        assert!(waits.used() <= WAIT_MAX);
        // What waits no more leaves room for others.
        drop(waiting);
        assert_eq!(waits.used(), 0);
        assert_eq!(wide(&waits, WIDE, request).conn.open(), 1);
    }
}

#[test]
fn what_has_no_room_in_a_fetch_counts_as_full_and_is_watched_only_for_its_end() {
    let mut bench = Bench::new(&[("t", 2)]);
    let mut request = FetchRequest {
        min_bytes: 1500,
        ..fetch(&[("t", 0, 0), ("t", 1, 0)])
    };
    for topic in &mut request.topics {
        topic.partitions[0].partition_max_bytes = 1000;
    }
    bench.send(12, &request);
    let asked = measures(&mut bench);
    let full = Response::Measured(Some(MeasureAnswer {
        bytes: 700,
        upto: Offset(1),
        end: Offset(9),
        full: true,
    }));
    bench.answer(asked[0].0, full);
    bench.answer(asked[1].0, measured(400, 4));
    let watched = watches(&mut bench);
    let beyond: Vec<_> = watched.iter().map(|(_, part)| part.beyond).collect();
    assert_eq!(beyond, [Offset(i64::MAX), Offset(4)]);
    bench.answer(watched[1].0, Response::Watched);
    let again = measures(&mut bench);
    assert_eq!(again[0].1.max_bytes, 600, "what it has room for yet");
    bench.answer(again[0].0, measured(100, 5));
    assert_eq!(bench.asks().len(), 3, "1,000 and 500 are enough");
}

#[test]
fn an_end_of_waiting_that_a_measure_meets_is_told_by_a_read() {
    let mut bench = Bench::new(&[("t", 1)]);
    let request = FetchRequest {
        min_bytes: 1000,
        ..fetch(&[("t", 0, 0)])
    };
    bench.send(12, &request);
    let asked = measures(&mut bench);
    bench.answer(asked[0].0, measured(10, 1));
    let watched = watches(&mut bench);
    // The topic is deleted, or its start has gone past what was measured.
    bench.answer(watched[0].0, Response::Watched);
    let asked = measures(&mut bench);
    bench.answer(asked[0].0, Response::Measured(None));
    let asked = reads(&mut bench);
    bench.answer(asked[0].0, not_there(Code::OffsetOutOfRange));
    let (_, told) = bench.response::<FetchResponse>(ApiKey::Fetch, 12);
    assert_eq!(rows(told)[0].error_code, Code::OffsetOutOfRange);
}

#[test]
fn what_cannot_wait_is_answered_at_once() {
    let now = |request: FetchRequest| {
        let mut bench = Bench::new(&[("t", 1)]);
        bench.send(12, &request);
        for (waiter, _) in reads(&mut bench) {
            bench.answer(waiter, there(0, &[]));
        }
        assert!(bench.asks().is_empty(), "nothing is watched");
        bench.response::<FetchResponse>(ApiKey::Fetch, 12).1
    };
    assert_eq!(
        rows(now(FetchRequest {
            min_bytes: 0,
            ..fetch(&[("t", 0, 0)])
        }))
        .len(),
        1
    );
    assert_eq!(
        rows(now(FetchRequest {
            max_wait_ms: 0,
            ..fetch(&[("t", 0, 0)])
        }))
        .len(),
        1
    );
    assert_eq!(
        rows(now(FetchRequest {
            max_wait_ms: -5,
            ..fetch(&[("t", 0, 0)])
        }))
        .len(),
        1
    );
    assert_eq!(rows(now(fetch(&[]))).len(), 0);
    let told = rows(now(fetch(&[("t", 0, 0), ("nowhere", 0, 0), ("t", 99, 0)])));
    let told: Vec<_> = told
        .iter()
        .map(|row| (row.error_code.0, row.high_watermark))
        .collect();
    assert_eq!(told, [(0, 0), (3, -1), (3, -1)]);
}

#[test]
fn an_error_of_a_log_is_told_at_once_and_says_who_leads_from_version_16_on() {
    for (code, version, hints) in [
        (Code::OffsetOutOfRange, 18, false),
        (Code::UnknownLeaderEpoch, 18, false),
        (Code::NotLeaderOrFollower, 12, false),
        (Code::NotLeaderOrFollower, 16, true),
        (Code::FencedLeaderEpoch, 16, true),
    ] {
        let mut bench = Bench::new(&[("t", 1)]);
        bench.send(version, &fetch(&[("t", 0, 0)]));
        let (waiter, _) = reads(&mut bench).remove(0);
        bench.answer(waiter, not_there(code));
        let (_, told) = bench.response::<FetchResponse>(ApiKey::Fetch, version);
        let nodes: Vec<_> = told
            .node_endpoints
            .iter()
            .map(|node| (node.node_id, &*node.host, node.port))
            .collect();
        assert_eq!(nodes, [(1, "here.example", 9092)][..usize::from(hints)]);
        let row = &rows(told)[0];
        assert_eq!((row.error_code, row.high_watermark), (code.into(), -1));
        assert_eq!(row.current_leader.leader_epoch, if hints { 4 } else { -1 });
        assert_eq!(bytes_of(row), 0);
    }
}

#[test]
fn epochs_go_to_the_log_and_a_parting_of_histories_comes_back() {
    let mut bench = Bench::new(&[("t", 1)]);
    let mut request = fetch(&[("t", 0, 10)]);
    request.topics[0].partitions[0].current_leader_epoch = 4;
    request.topics[0].partitions[0].last_fetched_epoch = 3;
    bench.send(12, &request);
    let (waiter, part) = reads(&mut bench).remove(0);
    assert_eq!(
        (part.epoch, part.last_epoch),
        (Some(LeaderEpoch(4)), Some(LeaderEpoch(3)))
    );
    let Response::Fetch(answer) = there(20, &[]) else {
        unreachable!()
    };
    let diverging = Some((LeaderEpoch(2), Offset(8)));
    bench.answer(
        waiter,
        Response::Fetch(FetchAnswer {
            diverging,
            ..answer
        }),
    );
    let (_, told) = bench.response::<FetchResponse>(ApiKey::Fetch, 12);
    let row = &rows(told)[0];
    assert_eq!(
        (
            row.diverging_epoch.epoch,
            row.diverging_epoch.end_offset,
            bytes_of(row)
        ),
        (2, 8, 0)
    );
}

#[test]
fn bytes_stay_within_max_bytes_and_the_logs_behind_still_tell_their_marks() {
    let mut bench = Bench::new(&[("t", 4)]);
    let parts = [("t", 0, 0), ("t", 1, 0), ("t", 2, 0), ("t", 3, 0)];
    let mut request = FetchRequest {
        max_bytes: 2000,
        ..fetch(&parts)
    };
    for topic in &mut request.topics {
        topic.partitions[0].partition_max_bytes = 1500;
    }
    bench.send(12, &request);
    // Two fit the room if each brings all it may.
    let asked = reads(&mut bench);
    assert_eq!(
        asked
            .iter()
            .map(|(_, part)| part.max_bytes)
            .collect::<Vec<_>>(),
        [1500, 500]
    );
    assert_eq!(
        asked
            .iter()
            .map(|(_, part)| part.at_least_one)
            .collect::<Vec<_>>(),
        [true, false]
    );
    let large = batch(Codec::None, 10);
    assert!(large.len() > 1000 && large.len() < 1500);
    bench.answer(asked[1].0, there(1, &[]));
    let third = reads(&mut bench);
    assert_eq!(
        third
            .iter()
            .map(|(_, part)| part.max_bytes)
            .collect::<Vec<_>>(),
        [500]
    );
    bench.answer(asked[0].0, there(10, std::slice::from_ref(&large)));
    let fourth = reads(&mut bench);
    assert_eq!(fourth[0].1.max_bytes as usize, 2000 - large.len() - 500);
    bench.answer(third[0].0, there(1, &[]));
    bench.answer(fourth[0].0, there(9, &[]));
    let (_, told) = bench.response::<FetchResponse>(ApiKey::Fetch, 12);
    let told: Vec<_> = rows(told)
        .iter()
        .map(|row| (row.high_watermark, bytes_of(row)))
        .collect();
    assert_eq!(told, [(10, large.len()), (1, 0), (1, 0), (9, 0)]);
}

#[test]
fn a_batch_beyond_all_limits_still_gets_through_from_whichever_log_has_one() {
    let mut bench = Bench::new(&[("t", 2)]);
    bench.send(
        12,
        &FetchRequest {
            max_bytes: 1,
            ..fetch(&[("t", 0, 5), ("t", 1, 0)])
        },
    );
    let asked = reads(&mut bench);
    assert!(asked[0].1.at_least_one);
    bench.answer(asked[0].0, there(5, &[]));
    let asked = reads(&mut bench);
    assert!(!asked[0].1.at_least_one);
    bench.answer(asked[0].0, there(3, &[]));
    // The second log has something, and nothing was sent: it is asked for one batch, whatever its size (KIP-74).
    let asked = reads(&mut bench);
    assert_eq!(
        (asked.len(), asked[0].1.log, asked[0].1.at_least_one),
        (1, log("t", 1), true)
    );
    let large = batch(Codec::None, 3);
    bench.answer(asked[0].0, there(3, std::slice::from_ref(&large)));
    let (_, told) = bench.response::<FetchResponse>(ApiKey::Fetch, 12);
    assert_eq!(
        rows(told).iter().map(bytes_of).collect::<Vec<_>>(),
        [0, large.len()]
    );
}

#[test]
fn gotcha_14_a_read_committed_reader_waits_for_the_stable_end_and_gets_an_empty_list() {
    let mut bench = Bench::new(&[("t", 1)]);
    bench.send(
        12,
        &FetchRequest {
            isolation_level: 1,
            ..fetch(&[("t", 0, 5)])
        },
    );
    let (waiter, part) = reads(&mut bench).remove(0);
    assert_eq!(part.isolation, Isolation::ReadCommitted);
    let Response::Fetch(answer) = there(9, &[]) else {
        unreachable!()
    };
    bench.answer(
        waiter,
        Response::Fetch(FetchAnswer {
            stable: Offset(5),
            ..answer
        }),
    );
    let (_, watch) = watches(&mut bench).remove(0);
    assert_eq!(
        (watch.isolation, watch.beyond),
        (Isolation::ReadCommitted, Offset(5))
    );
    bench.pass(500);
    let (_, told) = bench.response::<FetchResponse>(ApiKey::Fetch, 12);
    let row = &rows(told)[0];
    assert_eq!(row.aborted_transactions, Some(vec![]));
    assert_eq!((row.high_watermark, row.last_stable_offset), (9, 5));
}

#[test]
fn a_reader_before_version_10_gets_what_stands_before_zstd_and_then_the_error() {
    let (plain, zstd) = (batch(Codec::Lz4, 2), batch(Codec::Zstd, 2));
    let joined = Bytes::from([&plain[..], &zstd[..], &plain[..]].concat());
    for (version, records, told_code, told_bytes) in [
        (9, vec![zstd.clone()], 76, 0),
        (
            9,
            vec![plain.clone(), zstd.clone(), plain.clone()],
            0,
            plain.len(),
        ),
        (9, vec![joined.clone()], 0, plain.len()),
        (9, vec![plain.clone(), plain.clone()], 0, 2 * plain.len()),
        (10, vec![joined.clone()], 0, joined.len()),
    ] {
        let mut bench = Bench::new(&[("t", 1)]);
        bench.send(version, &fetch(&[("t", 0, 0)]));
        let (waiter, _) = reads(&mut bench).remove(0);
        bench.answer(waiter, there(6, &records));
        let (_, told) = bench.response::<FetchResponse>(ApiKey::Fetch, version);
        let row = &rows(told)[0];
        assert_eq!(
            (row.error_code.0, bytes_of(row), row.high_watermark),
            (told_code, told_bytes, 6)
        );
    }
}

#[test]
pub(super) fn a_replicas_powers_are_not_to_be_had_on_a_clients_listener() {
    let replica_state = ReplicaState {
        replica_id: 1,
        replica_epoch: 9,
        ..ReplicaState::default()
    };
    for (version, request) in [
        (
            11,
            FetchRequest {
                replica_id: 1,
                ..fetch(&[("t", 0, 0)])
            },
        ),
        (
            18,
            FetchRequest {
                replica_state,
                ..fetch(&[("t", 0, 0)])
            },
        ),
    ] {
        let told = Bench::new(&[("t", 1)]).ask(version, &request);
        let row = &rows(told)[0];
        assert_eq!(
            (row.error_code, bytes_of(row)),
            (Code::NotLeaderOrFollower.into(), 0),
            "#116"
        );
    }
}

#[test]
fn a_partition_named_twice_is_one_row() {
    let mut bench = Bench::new(&[("t", 1)]);
    bench.send(12, &fetch(&[("t", 0, 0), ("t", 0, 0)]));
    let asked = reads(&mut bench);
    assert_eq!(asked.len(), 1);
    bench.answer(asked[0].0, there(1, &[batch(Codec::None, 1)]));
    assert_eq!(
        rows(bench.response::<FetchResponse>(ApiKey::Fetch, 12).1).len(),
        1
    );
}

#[test]
fn an_unknown_topic_id_is_told_without_a_name() {
    let told = rows(Bench::new(&[("t", 1)]).ask(13, &fetch(&[("nowhere", 0, 0)])));
    assert_eq!(told[0].error_code, Code::UnknownTopicId);
}
