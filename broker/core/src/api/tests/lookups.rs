//! ListOffsets and FindCoordinator: which questions there are, by version, and what is said where there is no answer.
//! Held row by row, as Kafka's versions differ; which offset belongs to a time is the engine's, and not asked here.

use sawlog_wire::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsTopic,
};
use sawlog_wire::messages::{
    ApiKey, FindCoordinatorRequest, ListOffsetsRequest, ListOffsetsResponse,
};

use super::*;
use crate::answer::{Find, FindAnswer, FindPart, Isolation};

fn offsets(parts: &[(&str, i32, i64)]) -> ListOffsetsRequest {
    let topic = |&(name, index, timestamp): &(&str, i32, i64)| ListOffsetsTopic {
        name: name.into(),
        partitions: vec![ListOffsetsPartition {
            partition_index: index,
            current_leader_epoch: -1,
            timestamp,
            ..ListOffsetsPartition::default()
        }],
        ..ListOffsetsTopic::default()
    };
    let topics = parts.iter().map(topic).collect();
    ListOffsetsRequest {
        replica_id: -1,
        topics,
        ..ListOffsetsRequest::default()
    }
}

fn rows(told: ListOffsetsResponse) -> Vec<ListOffsetsPartitionResponse> {
    told.topics
        .into_iter()
        .flat_map(|topic| topic.partitions)
        .collect()
}

fn finds(bench: &mut Bench) -> Vec<(Waiter, FindPart)> {
    let find = |(_, waiter, part)| match part {
        Part::Find(part) => (waiter, part),
        other => panic!("{other:?}"),
    };
    bench.asks().into_iter().map(find).collect()
}

#[test]
fn gotcha_17_each_special_time_is_asked_from_its_version_on_and_refused_before() {
    for (timestamp, since, find) in [
        (-1, 1, Find::Latest(Isolation::ReadUncommitted)),
        (-2, 1, Find::Earliest),
        (-3, 7, Find::MaxTimestamp),
        (-4, 8, Find::Earliest),
        (-5, 9, Find::LastTiered),
        (-6, 11, Find::EarliestPendingUpload),
        (0, 1, Find::At(Wall(0))),
        (NOW_MS, 1, Find::At(Wall(NOW_MS))),
    ] {
        for version in 1..=11 {
            let mut bench = Bench::new(&[("t", 1)]);
            bench.send(version, &offsets(&[("t", 0, timestamp)]));
            if version >= since {
                assert_eq!(
                    finds(&mut bench)[0].1,
                    FindPart {
                        log: log("t", 0),
                        epoch: None,
                        find
                    }
                );
                continue;
            }
            let (_, told) = bench.response::<ListOffsetsResponse>(ApiKey::ListOffsets, version);
            let row = &rows(told)[0];
            assert_eq!(
                (row.error_code, row.offset, row.timestamp),
                (Code::UnsupportedVersion.into(), -1, -1)
            );
        }
    }
    let told = Bench::new(&[("t", 1)]).ask(11, &offsets(&[("t", 0, -7)]));
    assert_eq!(rows(told)[0].error_code, Code::UnsupportedVersion);
}

#[test]
fn what_a_log_found_is_told_with_its_epoch() {
    for version in 1..=11 {
        let mut bench = Bench::new(&[("t", 1)]);
        bench.send(version, &offsets(&[("t", 0, 55)]));
        let (waiter, _) = finds(&mut bench).remove(0);
        let found = FindAnswer {
            code: Code::None,
            offset: Offset(6),
            timestamp: Wall(57),
            epoch: LeaderEpoch(4),
        };
        bench.answer(waiter, Response::Find(found));
        let (_, told) = bench.response::<ListOffsetsResponse>(ApiKey::ListOffsets, version);
        let row = &rows(told)[0];
        let epoch = if version >= 4 { 4 } else { -1 };
        assert_eq!(
            (
                row.error_code.0,
                row.offset,
                row.timestamp,
                row.leader_epoch
            ),
            (0, 6, 57, epoch)
        );
    }
}

#[test]
fn read_committed_asks_for_the_stable_end_and_epochs_go_to_the_log() {
    let mut bench = Bench::new(&[("t", 1)]);
    let mut request = ListOffsetsRequest {
        isolation_level: 1,
        ..offsets(&[("t", 0, -1)])
    };
    request.topics[0].partitions[0].current_leader_epoch = 3;
    bench.send(7, &request);
    let (_, part) = finds(&mut bench).remove(0);
    assert_eq!(part.find, Find::Latest(Isolation::ReadCommitted));
    assert_eq!(part.epoch, Some(LeaderEpoch(3)));
}

#[test]
fn partitions_that_are_not_there_or_named_twice_are_refused_alone() {
    let mut bench = Bench::new(&[("t", 3)]);
    bench.send(
        7,
        &offsets(&[
            ("t", 0, -1),
            ("nowhere", 0, -1),
            ("t", 1, -1),
            ("t", 9, -1),
            ("t", 1, -2),
        ]),
    );
    let asked = finds(&mut bench);
    assert_eq!(asked.len(), 1);
    let found = FindAnswer {
        code: Code::None,
        offset: Offset(2),
        timestamp: Wall(-1),
        epoch: LeaderEpoch(4),
    };
    bench.answer(asked[0].0, Response::Find(found));
    let (_, told) = bench.response::<ListOffsetsResponse>(ApiKey::ListOffsets, 7);
    let codes: Vec<_> = rows(told)
        .iter()
        .map(|row| (row.error_code.0, row.offset))
        .collect();
    assert_eq!(codes, [(0, 2), (3, -1), (42, -1), (3, -1), (42, -1)]);
}

#[test]
fn there_are_no_coordinators_and_that_is_said_once_and_for_good_with_words() {
    for version in 0..=6 {
        for key_type in [0, 1, 2, 9] {
            let key_type = if version == 0 { 0 } else { key_type };
            let key = if version < 4 {
                "g".to_string()
            } else {
                String::new()
            };
            let coordinator_keys = if version < 4 {
                vec![]
            } else {
                vec!["g".to_string(), "h".to_string()]
            };
            let request = FindCoordinatorRequest {
                key,
                key_type,
                coordinator_keys,
                ..Default::default()
            };
            let told = Bench::new(&[]).ask(version, &request);
            let said: Vec<_> = if version < 4 {
                assert_eq!((told.node_id, told.port), (-1, -1));
                vec![(told.error_code, told.error_message)]
            } else {
                let keys: Vec<&str> = told
                    .coordinators
                    .iter()
                    .map(|coordinator| &*coordinator.key)
                    .collect();
                assert_eq!(keys, ["g", "h"]);
                told.coordinators
                    .iter()
                    .map(|one| (one.error_code, one.error_message.clone()))
                    .collect()
            };
            for (code, message) in said {
                assert!(!code.code().unwrap().retriable(), "{code:?}");
                assert_eq!(message.is_some(), version >= 1);
                let names = [
                    (0, "consumer groups"),
                    (1, "transactions"),
                    (9, "not known"),
                ];
                if let Some((_, name)) = names.iter().find(|(number, _)| *number == key_type)
                    && let Some(message) = message
                {
                    assert!(message.contains(name), "{message}");
                }
            }
        }
    }
}
