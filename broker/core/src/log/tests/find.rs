//! Look-ups by time, in the ring and in segments, below the start and above it.
//! Oracle: a walk over the times of all records that the test wrote (#6).

use super::super::Told;
use super::super::testing::{World, batch, log, small};
use super::super::{EngineConf, told::FoundAt};
use crate::answer::Find;
use crate::config::TopicConfig;
use crate::ids::{LogId, Offset};
use crate::now::Wall;

#[test]
fn a_record_is_found_by_time_in_the_ring_and_in_segments_6() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    for nth in 0..200 {
        world.append(id, batch(3, 300, nth * 10, None));
        world.settle();
    }
    assert!(world.engine.spill.cycles > 1);
    for time in [0, 5, 10, 991, 1990, 1992] {
        world
            .engine
            .find(id, Find::At(Wall(time)), Offset(600), 7, &mut world.ops);
        world.settle();
        let Some(Told::Found(7, Ok(Some(found)))) = world.told.pop() else {
            panic!("{time}")
        };
        let expected = (0..600)
            .find(|offset| offset / 3 * 10 + offset % 3 >= time)
            .expect("there is one");
        assert_eq!(found.offset, Offset(expected), "at {time}");
    }
    world
        .engine
        .find(id, Find::At(Wall(1993)), Offset(600), 8, &mut world.ops);
    world.settle();
    assert_eq!(world.told.pop(), Some(Told::Found(8, Ok(None))));
    world
        .engine
        .find(id, Find::MaxTimestamp, Offset(600), 9, &mut world.ops);
    world.settle();
    let Some(Told::Found(9, Ok(Some(found)))) = world.told.pop() else {
        panic!("no maximum")
    };
    assert_eq!((found.offset, found.timestamp), (Offset(599), Wall(1992)));
}

/// Asks, and waits for the answer.
fn ask(world: &mut World, id: LogId, find: Find) -> Option<FoundAt> {
    let end = world.engine.marks(id).expect("known").next;
    world.engine.find(id, find, end, 7, &mut world.ops);
    world.settle();
    match world.told.pop() {
        Some(Told::Found(7, Ok(found))) => found,
        told => panic!("{told:?}"),
    }
}

/// Batches of three records whose times rise by one; the times of the batches come from a fixed row of chances.
fn of_drawn_times(batches: usize) -> (World, LogId, Vec<i64>) {
    let mut world = World::fresh(EngineConf {
        windows_bytes: 0,
        ..small()
    });
    let id = log(1);
    let config = TopicConfig {
        segment_bytes: 100_000,
        ..TopicConfig::default()
    };
    world.open(id, config);
    let (mut times, mut drawn) = (Vec::new(), 1_u64);
    for nth in 0..batches {
        drawn = drawn
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let time = i64::try_from(drawn >> 44).expect("20 bits");
        times.extend((0..3).map(|n| time + n));
        world.append(id, batch(3, 20, time, None));
        if nth % 8 == 0 {
            world.settle();
        }
    }
    world.settle();
    let end = world.engine.marks(id).expect("known").next;
    world.engine.raise(id, end, end);
    (world, id, times)
}

pub(in crate::log) fn records_below_the_start_are_later_than_all_others() {
    let (mut world, id, times) = of_drawn_times(1500);
    let windows = |world: &World| {
        let state = &world.engine.fold.logs[&id];
        state.segments.first().map_or(0, |segment| segment.batches) / 256
    };
    assert!(windows(&world) > 1, "an index of several parts");
    for start in [0, 1, 47, 48, 300, 1001, 2000, 2999, 4300, 4400, 4499] {
        world.engine.trim(id, Offset(start)).expect("is accepted");
        world.settle();
        let left: Vec<(i64, i64)> = (start..)
            .zip(times.iter().copied().skip(start as usize))
            .collect();
        let latest = left.iter().map(|(_, time)| *time).max().expect("some");
        let wanted = left.iter().step_by(97).map(|(_, time)| *time + 1);
        for time in wanted.chain([0, latest, latest + 1, 1_048_000]) {
            let expected = left.iter().find(|(_, at)| *at >= time).copied();
            let found = ask(&mut world, id, Find::At(Wall(time)));
            let found = found.map(|found| (found.offset.0, found.timestamp.0));
            assert_eq!(found, expected, "#6: at {time}, from {start} on");
        }
        let expected = left.iter().find(|(_, at)| *at == latest).copied();
        let found = ask(&mut world, id, Find::MaxTimestamp);
        let found = found.map(|found| (found.offset.0, found.timestamp.0));
        assert_eq!(found, expected, "#6: the latest from {start} on");
    }
}

#[test]
fn a_record_that_was_removed_hides_none_that_is_there_6() {
    records_below_the_start_are_later_than_all_others();
}
