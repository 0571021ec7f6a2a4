//! Clocks that are wrong and clients that fill in old records: nobody's time but the steady clock's decides what goes.
//! Held under jumps of the wall clock both ways, for retention (#111), producers (#74) and where an epoch ends (#4).

use std::time::Duration;

use super::super::testing::{World, batch, log, small};
use super::super::{Appended, EngineConf, Told};
use crate::config::TopicConfig;
use crate::ids::{LeaderEpoch, LogId, Offset};

const HOUR: u64 = 3_600_000;
const DAY: i64 = 24 * 3_600_000;

fn keeping_a_day() -> TopicConfig {
    TopicConfig {
        segment_bytes: 8000,
        segment_time: Duration::from_secs(3600),
        retention_time: Some(Duration::from_secs(24 * 3600)),
        ..TopicConfig::default()
    }
}

fn start_of(world: &World, id: LogId) -> i64 {
    world.engine.marks(id).expect("known").start.0
}

/// A process with fifty batches stops; the next one's clock has jumped by so much.
fn comes_back_after(jump: i64) -> World {
    let mut world = World::fresh(small());
    let id = log(1);
    world.open(id, keeping_a_day());
    world.fill(id, 50, 1000);
    world.settle();
    world.stop();
    world.now.wall.0 += jump;
    let mut world = world.restart(small());
    world.open(id, keeping_a_day());
    world.engine.raise(id, Offset(50), Offset(50));
    world
}

pub(in crate::log) fn a_start_whose_clock_is_a_month_ahead() {
    let mut world = comes_back_after(30 * DAY);
    for _ in 0..6 {
        world.pass(301_000);
    }
    assert_eq!(start_of(&world, log(1)), 0, "#111");
    // A process that dies under the wrong clock has not made it right.
    let mut world = world.restart(small());
    world.open(log(1), keeping_a_day());
    world.engine.raise(log(1), Offset(50), Offset(50));
    for _ in 0..6 {
        world.pass(301_000);
    }
    assert_eq!(start_of(&world, log(1)), 0, "#111");
}

#[test]
fn a_clock_that_is_wrong_when_the_process_starts_retires_nothing_111() {
    a_start_whose_clock_is_a_month_ahead();
}

#[test]
fn a_node_that_was_off_for_a_month_says_so_and_retires_what_it_has_kept_for_long_enough_111() {
    let mut world = World::fresh(small());
    world.open(log(1), keeping_a_day());
    world.fill(log(1), 50, 1000);
    world.settle();
    world.stop();
    world.now.wall.0 += 30 * DAY;
    let mut world = World::on_what(world, small());
    assert!(matches!(world.begin(), Told::Judged(_)));
    world
        .engine
        .accept(world.now, crate::now::Dice([8; 16]), &mut world.ops);
    world.settle();
    let said = world
        .told
        .iter()
        .any(|told| matches!(told, Told::Note(text) if text.contains("720 hours ahead")));
    assert!(said, "{:?}", world.told);
    world.open(log(1), keeping_a_day());
    world.engine.raise(log(1), Offset(50), Offset(50));
    for _ in 0..23 {
        world.pass(HOUR);
    }
    assert_eq!(start_of(&world, log(1)), 0);
    world.pass(HOUR);
    world.pass(HOUR);
    assert_eq!(start_of(&world, log(1)), 50);
}

#[test]
fn a_directory_that_rests_is_told_the_time_once_a_day() {
    let mut world = World::fresh(small());
    let written = world.engine.keeper.written;
    for _ in 0..10 * 24 {
        world.pass(HOUR);
    }
    let told = world.engine.keeper.written - written;
    assert!((9..=11).contains(&told), "{told} checkpoints in ten days");
    let wall = world.now.wall;
    let mut world = World::on_what(world, small());
    world.begin();
    world.accept();
    assert!(wall.0 - world.engine.keeper.stamp.wall.0 <= DAY + HOUR as i64);
}

/// Records of last year, a retry after the producers were looked through.
pub(in crate::log) fn a_producer_fills_in_old_records() {
    let mut world = World::fresh(small());
    world.now.wall.0 = 400 * DAY;
    let id = world.open_plain(1);
    let first = batch(2, 10, 30 * DAY, Some((9, 0, 0)));
    world.append(id, first.clone());
    world.settle();
    world.pass(301_000);
    assert_eq!(
        world.append(id, first),
        Appended::Duplicate {
            base: Offset(0),
            last: Offset(1)
        },
        "#69"
    );
    world.append(id, batch(2, 10, 30 * DAY, Some((9, 0, 2))));
}

#[test]
fn a_producer_that_fills_in_old_records_is_not_forgotten_69_74() {
    a_producer_fills_in_old_records();
}

#[test]
fn a_silent_producer_is_forgotten_whatever_its_records_say_74() {
    let conf = EngineConf {
        producer_idle: Duration::from_secs(3600),
        ..small()
    };
    let mut world = World::fresh(conf);
    let id = world.open_plain(1);
    // Records of the next century, and records without a timestamp.
    world.append(id, batch(1, 10, 40_000 * DAY, Some((8, 0, 0))));
    world.append(id, batch(1, 10, -1, Some((9, 0, 0))));
    world.settle();
    let mut world = world.restart(conf);
    world.open_plain(1);
    world.pass(HOUR / 2);
    world.append(id, batch(1, 10, -1, Some((9, 0, 1))));
    world.settle();
    for _ in 0..8 {
        world.pass(HOUR / 12);
    }
    let known = |world: &World| {
        let producers = &world.engine.fold.logs.get(&id).expect("known").producers;
        producers.by_id.keys().map(|id| id.0).collect::<Vec<_>>()
    };
    assert_eq!(known(&world), [9], "the other was heard last at the start");
    for _ in 0..8 {
        world.pass(HOUR / 12);
    }
    assert!(known(&world).is_empty());
}

/// Batches of a new leadership lie in the fast ring, are read, and its fact is not durable yet.
pub(in crate::log) fn a_leadership_is_read_before_its_fact_is_durable() {
    let mut world = World::fresh(small());
    let id = world.open_fast(1);
    world.settle();
    world.engine.begin_epoch(id, LeaderEpoch(3));
    world.fill(id, 80, 10);
    world.settle();
    world.pass(11);
    world.engine.begin_epoch(id, LeaderEpoch(4));
    world.fill(id, 20, 10);
    world.engine.begin_epoch(id, LeaderEpoch(5));
    world.fill(id, 20, 10);
    for (epoch, end) in [(3, 80), (4, 100), (5, 120)] {
        assert_eq!(
            world.engine.epoch_end(id, LeaderEpoch(epoch)),
            Some((LeaderEpoch(epoch), Offset(end))),
            "#4"
        );
    }
    world.settle();
    world.pass(11);
    for (epoch, end) in [(3, 80), (4, 100), (5, 120)] {
        assert_eq!(
            world.engine.epoch_end(id, LeaderEpoch(epoch)),
            Some((LeaderEpoch(epoch), Offset(end)))
        );
    }
    assert_eq!(
        world.engine.live[&id].begun.iter().len(),
        0,
        "the fold knows them"
    );
}

#[test]
fn an_epoch_ends_where_the_next_began_even_before_that_is_durable_4() {
    a_leadership_is_read_before_its_fact_is_durable();
}
