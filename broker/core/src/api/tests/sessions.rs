//! Fetch sessions (KIP-227): what a request of one means, what its answer leaves out, and who gets none (#131, #132).
//! Held by the reads that a request causes and the rows that come back, on one connection and on many of one thread.

use sawlog_wire::messages::{ApiKey, FetchRequest, FetchResponse};

use super::fetching::{fetch, reads, rows};
use super::*;
use crate::api::fetch_sessions::BYTES_MAX;
use crate::ids::Offset;

/// A request of a session.
fn of_session(session: (i32, i32), parts: &[(&str, i32, i64)]) -> FetchRequest {
    FetchRequest {
        session_id: session.0,
        session_epoch: session.1,
        min_bytes: 0,
        max_wait_ms: 0,
        ..fetch(parts)
    }
}

/// Answers every read with this watermark and these records, and gives the response.
fn served(bench: &mut Bench, version: i16, told: &[(i64, &[Bytes])]) -> FetchResponse {
    let asked = reads(bench);
    assert_eq!(asked.len(), told.len(), "{asked:?}");
    for ((waiter, _), (hw, records)) in asked.into_iter().zip(told) {
        bench.answer(waiter, there(*hw, records));
    }
    bench.response(ApiKey::Fetch, version).1
}

#[test]
pub(super) fn a_session_is_told_only_what_is_new_and_names_only_what_changed() {
    for version in [7, 12, 13, 18] {
        let mut bench = Bench::new(&[("a", 2), ("b", 1)]);
        let one = batch(Codec::None, 1);
        bench.send(
            version,
            &of_session((0, 0), &[("a", 0, 0), ("a", 1, 0), ("b", 0, 7)]),
        );
        let first = served(&mut bench, version, &[(0, &[]), (0, &[]), (0, &[])]);
        let id = first.session_id;
        assert!(id > 0);
        assert_eq!(rows(first).len(), 3, "the first is told all");
        // Nothing is new: nothing is told.
        bench.send(version, &of_session((id, 1), &[]));
        let second = served(&mut bench, version, &[(0, &[]), (0, &[]), (0, &[])]);
        assert_eq!((second.session_id, rows(second).len()), (id, 0));
        // One has records, another only a new watermark.
        bench.send(version, &of_session((id, 2), &[]));
        let records = std::slice::from_ref(&one);
        let third = served(&mut bench, version, &[(1, records), (0, &[]), (7, &[])]);
        let told: Vec<_> = rows(third).iter().map(|row| row.high_watermark).collect();
        assert_eq!(told, [1, 7]);
        // What had records is read last; what the request names is read from there.
        bench.send(version, &of_session((id, 3), &[("a", 0, 1)]));
        let asked: Vec<_> = bench
            .out
            .asks
            .iter()
            .map(|(_, _, part)| part.clone())
            .collect();
        let Some(Part::Fetch(last)) = asked.last() else {
            panic!("{asked:?}")
        };
        assert_eq!((last.log, last.from), (log("a", 0), Offset(1)));
        assert_eq!(
            rows(served(&mut bench, version, &[(0, &[]), (7, &[]), (1, &[])])).len(),
            0
        );
        // What is forgotten is not read any more.
        let forgotten = vec![sawlog_wire::messages::fetch::ForgottenTopic {
            topic: "a".into(),
            topic_id: id_of("a").0,
            partitions: vec![0, 1],
            ..Default::default()
        }];
        let request = FetchRequest {
            forgotten_topics_data: forgotten,
            ..of_session((id, 4), &[])
        };
        bench.send(version, &request);
        assert_eq!(rows(served(&mut bench, version, &[(7, &[])])).len(), 0);
    }
}

#[test]
pub(super) fn a_session_of_another_epoch_number_or_form_is_refused() {
    let mut bench = Bench::new(&[("t", 1)]);
    bench.send(12, &of_session((0, 0), &[("t", 0, 0)]));
    let id = served(&mut bench, 12, &[(0, &[])]).session_id;
    for (version, session, code) in [
        (12, (id, 2), Code::InvalidFetchSessionEpoch),
        (12, (id, 7), Code::InvalidFetchSessionEpoch),
        (12, (id.wrapping_add(1), 1), Code::FetchSessionIdNotFound),
        (12, (0, 1), Code::FetchSessionIdNotFound),
        (12, (id, -2), Code::InvalidFetchSessionEpoch),
        (13, (id, 1), Code::FetchSessionTopicIdError),
    ] {
        let told = bench.ask(version, &of_session(session, &[]));
        assert_eq!(
            (told.error_code.code(), told.session_id),
            (Some(code), 0),
            "{session:?}"
        );
    }
    // It is ended by name, and by the beginning of another.
    bench.send(12, &of_session((id, -1), &[("t", 0, 0)]));
    assert_eq!(served(&mut bench, 12, &[(0, &[])]).session_id, 0);
    let told = bench.ask(12, &of_session((id, 1), &[]));
    assert_eq!(told.error_code, Code::FetchSessionIdNotFound);
    bench.send(12, &of_session((0, 0), &[("t", 0, 0)]));
    let other = served(&mut bench, 12, &[(0, &[])]).session_id;
    assert_ne!(other, id);
}

#[test]
fn an_error_in_a_session_is_told_each_time_and_so_is_its_end() {
    let mut bench = Bench::new(&[("t", 1)]);
    bench.send(12, &of_session((0, 0), &[("t", 0, 0)]));
    let id = served(&mut bench, 12, &[(0, &[])]).session_id;
    for epoch in [1, 2] {
        bench.send(12, &of_session((id, epoch), &[]));
        let (waiter, _) = reads(&mut bench).remove(0);
        bench.answer(waiter, not_there(Code::OffsetOutOfRange));
        let (_, told) = bench.response::<FetchResponse>(ApiKey::Fetch, 12);
        assert_eq!(rows(told)[0].error_code, Code::OffsetOutOfRange);
    }
    bench.send(12, &of_session((id, 3), &[]));
    assert_eq!(rows(served(&mut bench, 12, &[(0, &[])])).len(), 1);
}

#[test]
fn who_fetches_more_than_a_session_remembers_gets_none() {
    let mut bench = Bench::new(&[("t", 17)]);
    let parts: Vec<_> = (0..17).map(|index| ("t", index, 0)).collect();
    bench.send(12, &of_session((0, 0), &parts));
    let told: Vec<(i64, &[Bytes])> = vec![(0, &[]); 17];
    let told = served(&mut bench, 12, &told);
    assert_eq!((told.session_id, rows(told).len()), (0, 17));
}

impl Bench {
    /// The same thread, and the settings that it begins with.
    fn with_sessions(mut self, slots: u32) -> Bench {
        self.config.session_slots = slots;
        self.sessions = FetchSessions::new(&self.config, ShardId(0), 1);
        self
    }

    /// From here on another connection of this thread speaks.
    fn speaks(&mut self, number: u64) {
        let shard = ShardId(1);
        let id = ConnId { shard, number };
        self.conn = Conn::new(id, Door::of("PLAINTEXT"), Audience::Clients, None);
    }

    /// A connection asks for a session about so many partitions of `t`; the number it is given.
    fn begins(&mut self, number: u64, partitions: i32) -> i32 {
        self.speaks(number);
        let parts: Vec<_> = (0..partitions).map(|index| ("t", index, 0)).collect();
        self.send(12, &of_session((0, 0), &parts));
        let told: Vec<(i64, &[Bytes])> = vec![(0, &[]); parts.len()];
        let told = served(self, 12, &told);
        let (id, rows) = (told.session_id, rows(told).len());
        assert_eq!(rows, parts.len(), "all is told, with or without a session");
        id
    }

    /// A connection goes on with its session, in which nothing is new.
    fn goes_on(&mut self, number: u64, session: (i32, i32)) -> Code {
        self.speaks(number);
        self.send(12, &of_session(session, &[]));
        for (waiter, _) in reads(self) {
            self.answer(waiter, there(0, &[]));
        }
        let (_, told) = self.response::<FetchResponse>(ApiKey::Fetch, 12);
        told.error_code.code().unwrap()
    }
}

#[test]
pub(super) fn beyond_the_slots_a_reader_is_answered_in_full_under_number_0_131_132() {
    let mut bench = Bench::new(&[("t", 4)]).with_sessions(2);
    let (one, two) = (bench.begins(1, 1), bench.begins(2, 1));
    assert!(one > 0 && two > 0 && one != two);
    for _ in 0..3 {
        assert_eq!(bench.begins(3, 1), 0);
    }
    assert_eq!(bench.sessions.len(), 2);
    for (number, session) in [(1, one), (2, two)] {
        assert_eq!(bench.goes_on(number, (session, 1)), Code::None);
    }
    // A connection that begins again takes no second place, and one that is gone leaves its own.
    assert!(bench.begins(2, 1) > 0);
    assert_eq!(bench.sessions.len(), 2);
    let shard = ShardId(1);
    bench.sessions.end(ConnId { shard, number: 1 });
    assert!(bench.begins(3, 1) > 0);
    assert_eq!(bench.begins(4, 1), 0);
    assert_eq!(Bench::new(&[("t", 1)]).with_sessions(0).begins(1, 1), 0);
}

#[test]
fn what_a_node_may_have_is_shared_among_its_threads_to_the_last() {
    for (slots, shards) in [(1000, 3), (2, 4), (0, 1), (7, 7)] {
        let config = BrokerConfig {
            session_slots: slots,
            ..BrokerConfig::default()
        };
        let all = (0..shards).map(|shard| FetchSessions::new(&config, ShardId(shard), shards));
        let sum: usize = all.map(|sessions| sessions.slots()).sum();
        assert_eq!(sum, slots as usize);
    }
}

#[test]
fn a_session_that_was_not_used_for_two_minutes_makes_room_and_one_in_use_does_not() {
    let mut bench = Bench::new(&[("t", 1)]).with_sessions(2);
    let (idle, busy) = (bench.begins(1, 1), bench.begins(2, 1));
    for epoch in 1..=11 {
        bench.pass(10_000);
        assert_eq!(bench.begins(3, 1), 0);
        assert_eq!(bench.goes_on(2, (busy, epoch)), Code::None);
    }
    bench.pass(10_001);
    assert!(bench.begins(3, 1) > 0, "110 s were not enough, 120 s are");
    assert_eq!(bench.goes_on(1, (idle, 1)), Code::FetchSessionIdNotFound);
    assert_eq!(bench.goes_on(2, (busy, 12)), Code::None);
}

#[test]
fn a_larger_session_takes_the_place_of_a_smaller_one_that_is_old() {
    let mut bench = Bench::new(&[("t", 4)]).with_sessions(2);
    let (small, large) = (bench.begins(1, 1), bench.begins(2, 3));
    for (epoch, millis) in [(1, 119_000), (2, 2_000)] {
        assert_eq!(bench.begins(3, 4), 0, "nobody is old yet");
        bench.pass(millis);
        assert_eq!(bench.goes_on(1, (small, epoch)), Code::None);
        assert_eq!(bench.goes_on(2, (large, epoch)), Code::None);
    }
    assert_eq!(bench.begins(3, 1), 0, "no larger than the smallest");
    assert!(bench.begins(3, 2) > 0);
    assert_eq!(bench.goes_on(1, (small, 3)), Code::FetchSessionIdNotFound);
    assert_eq!(bench.goes_on(2, (large, 3)), Code::None);
    // The new one is young: even a larger one does not take its place, and takes the other's only if that is smaller.
    assert_eq!(bench.begins(4, 3), 0);
    assert!(bench.begins(4, 4) > 0);
}

#[test]
pub(super) fn a_session_that_is_refused_all_the_same_ends_no_other() {
    let mut bench = Bench::new(&[("t", 16)]).with_sessions(1000);
    let large: Vec<_> = (0..3).map(|number| bench.begins(number, 15)).collect();
    let small: Vec<_> = (100..102).map(|number| bench.begins(number, 1)).collect();
    let all: Vec<_> = (0..3).zip(large).chain((100..).zip(small)).collect();
    assert!(all.iter().all(|(_, id)| *id > 0), "{all:?}");
    // All are old, and in use; the small ones are worth less than a larger one, for which they do not make room.
    for (epoch, millis) in [(1, 60_000), (2, 60_001)] {
        bench.pass(millis);
        for (number, id) in &all {
            assert_eq!(bench.goes_on(*number, (*id, epoch)), Code::None);
        }
    }
    let before = (bench.sessions.len(), bench.sessions.bytes());
    assert_eq!(bench.begins(200, 14), 0);
    assert_eq!((bench.sessions.len(), bench.sessions.bytes()), before);
    // One for which a few of them suffice takes the place of those.
    assert!(bench.begins(200, 2) > 0);
}

#[test]
pub(super) fn sessions_hold_no_more_bytes_than_a_node_has_for_them_131() {
    let mut bench = Bench::new(&[("t", 16)]).with_sessions(1000);
    let large = (1..100)
        .take_while(|number| bench.begins(*number, 15) > 0)
        .count();
    assert_eq!(large, 3);
    // Small ones fill what is left, and then there is nothing.
    let mut small = Vec::new();
    for number in 100..200 {
        small.extend(Some(bench.begins(number, 1)).filter(|id| *id > 0));
    }
    assert!((1..10).contains(&small.len()), "{small:?}");
    assert!(bench.sessions.bytes() <= BYTES_MAX * 7 / 2);
    // One that grows beyond that is over: its client begins again, and is answered in full.
    bench.speaks(100);
    let more: Vec<_> = (1..14).map(|index| ("t", index, 0)).collect();
    let told = bench.ask(12, &of_session((small[0], 1), &more));
    assert_eq!(told.error_code, Code::FetchSessionIdNotFound);
    assert_eq!(bench.begins(100, 14), 0);
    assert_eq!(bench.sessions.len(), large + small.len() - 1);
    // What was held is given back.
    let shard = ShardId(1);
    (0..200).for_each(|number| bench.sessions.end(ConnId { shard, number }));
    assert!(bench.sessions.is_empty());
    assert_eq!(bench.sessions.bytes(), 0);
}

#[test]
pub(super) fn long_names_of_topics_that_are_not_there_make_no_session_larger_131() {
    let mut bench = Bench::new(&[]);
    let name = "n".repeat(BYTES_MAX);
    let told = bench.ask(12, &of_session((0, 0), &[(&name, 0, 0)]));
    assert_eq!((told.session_id, rows(told).len()), (0, 1));
    assert!(bench.sessions.is_empty());
    // Neither does a session that begins well.
    let told = bench.ask(12, &of_session((0, 0), &[("n", 0, 0)]));
    assert!(told.session_id > 0);
    let told = bench.ask(12, &of_session((told.session_id, 1), &[(&name, 0, 0)]));
    assert_eq!(told.error_code, Code::FetchSessionIdNotFound);
    assert!(bench.sessions.is_empty());
}

#[test]
fn what_is_forgotten_is_not_counted_any_more() {
    let mut bench = Bench::new(&[("t", 4)]).with_sessions(9);
    bench.begins(1, 2);
    let two = bench.sessions.bytes();
    let session = bench.begins(1, 3);
    assert!(bench.sessions.bytes() > two);
    let forgotten = vec![sawlog_wire::messages::fetch::ForgottenTopic {
        topic: "t".into(),
        partitions: vec![1, 1, 9],
        ..Default::default()
    }];
    let request = FetchRequest {
        forgotten_topics_data: forgotten,
        ..of_session((session, 1), &[("t", 0, 5)])
    };
    bench.send(12, &request);
    served(&mut bench, 12, &[(0, &[]), (0, &[])]);
    assert_eq!(bench.sessions.bytes(), two);
}
