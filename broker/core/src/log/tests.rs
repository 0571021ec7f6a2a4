//! What the engine promises, on a disk in memory: each test's name is the promise.
//! Held by what the engine asks of files and tells; crashes at any point are the simulator's, starts mostly `recover`'s.

use super::testing::{World, batch, failed, is_commit, log, small};
use super::{AppendRefusal, Appended, ReadRefusal, Told, TrimRefusal};
use crate::config::TopicConfig;
use crate::file::{FaultKind, FileName, FileOp, Free, Served};
use crate::ids::{LeaderEpoch, Offset, ProducerEpoch, Sequence};
use std::time::Duration;

pub(super) mod copies;
mod cut;
pub(super) mod damage;
pub(super) mod direct;
pub(super) mod drops;
pub(super) mod find;
mod names;
pub(super) mod pressure;
pub(super) mod reserve;
pub(super) mod spills;
pub(super) mod stale;
mod starts;
pub(super) mod time;

#[test]
fn nothing_is_durable_before_its_commit_came_back_11() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    world.append(id, batch(3, 10, 0, None));
    world.flush();
    assert_eq!(world.durable(id), 0);
    assert_eq!(world.queue.len(), 1);
    assert!(world.told.is_empty());
    world.step(0);
    assert_eq!(world.durable(id), 3);
    assert_eq!(
        world.told,
        [Told::Written(id, Offset(3)), Told::Durable(id, Offset(3))]
    );
}

#[test]
fn one_commit_takes_all_that_queued_while_two_are_in_flight() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    let before = world.count(is_commit);
    for _ in 0..2 {
        world.append(id, batch(1, 10, 0, None));
        world.flush();
    }
    world.fill(id, 5, 10);
    world.flush();
    assert_eq!(world.engine.in_flight(), 2);
    world.step(0);
    world.flush();
    assert_eq!(world.engine.in_flight(), 2);
    world.settle();
    assert_eq!(world.count(is_commit) - before, 3);
    assert_eq!(world.durable(id), 7);
}

#[test]
fn acknowledgements_leave_in_commit_order() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    for _ in 0..2 {
        world.append(id, batch(1, 10, 0, None));
        world.flush();
    }
    world.step(1);
    assert_eq!(world.durable(id), 0);
    world.step(0);
    assert_eq!(world.durable(id), 2);
}

#[test]
fn what_was_written_is_read_back_from_the_ring_and_from_segments_1_7() {
    let mut world = World::fresh(small());
    let (a, b) = (world.open_plain(1), world.open_plain(2));
    for _ in 0..120 {
        world.fill(a, 1, 700);
        world.fill(b, 2, 300);
        world.settle();
    }
    assert!(
        world.engine.spill.cycles > 2,
        "the ring was too large for this test"
    );
    assert_eq!(world.read_all(a, 0), (0..120).collect::<Vec<_>>());
    assert_eq!(world.read_all(b, 0), (0..240).collect::<Vec<_>>());
    assert_eq!(world.read_all(b, 77), (77..240).collect::<Vec<_>>());
}

#[test]
pub(super) fn a_cycle_of_small_batches_ends_before_what_is_known_of_them_outgrows_their_bytes_132()
{
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    let mut most = 0;
    for _ in 0..100 {
        world.fill(id, 10, 20);
        world.settle();
        most = most.max(world.engine.fold.logs[&id].ring.len());
    }
    let cycle = world.engine.sizes.spill_batches as usize;
    // The next cycle begins a little later, and the batches of one step may be many.
    assert!(
        most <= 2 * cycle,
        "{most} batches are remembered, {cycle} end a cycle"
    );
    assert_eq!(world.read_all(id, 0), (0..1000).collect::<Vec<_>>());
}

#[test]
fn segment_files_hold_whole_batches_and_nothing_else_104() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    for _ in 0..100 {
        world.fill(id, 1, 1000);
        world.settle();
    }
    world.stop();
    let stored = &world.disk.files["t1-0/00000000000000000000.log"];
    let batches: Vec<i64> = sawlog_wire::records::Batches::new(stored)
        .map(|batch| batch.expect("a batch").header.base_offset)
        .collect();
    assert_eq!(batches, (0..100).collect::<Vec<_>>());
    let metadata =
        String::from_utf8(world.disk.files["t1-0/partition.metadata"].clone()).expect("text");
    assert!(metadata.starts_with("version: 0\ntopic_id: "), "{metadata}");
}

#[test]
fn a_ring_is_recycled_and_stays_within_its_bound() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    for _ in 0..600 {
        world.fill(id, 2, 1500);
        world.settle();
    }
    let rings: u64 = world
        .disk
        .names("commit/")
        .iter()
        .map(|name| world.disk.files[name].len() as u64)
        .sum();
    assert!(rings <= 512 << 10, "{rings}");
    let renamed = |op: &FileOp| {
        matches!(
            op,
            FileOp::Rename {
                from: FileName::Ring { .. },
                ..
            }
        )
    };
    assert!(world.count(renamed) > 3);
    assert_eq!(world.read_all(id, 0).len(), 1200);
}

#[test]
fn a_pinned_ring_file_is_not_recycled() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    world.fill(id, 3, 100);
    world.settle();
    let plan = world.plan(id, 0, 1 << 20).expect("a plan");
    assert!(matches!(plan.files[0], FileName::Ring { .. }));
    for _ in 0..400 {
        world.fill(id, 2, 1500);
        world.settle();
    }
    assert_eq!(world.serve(&plan).len(), 3);
    for _ in 0..100 {
        world.fill(id, 2, 1500);
        world.settle();
    }
    assert!(!world.disk.files.contains_key(&plan.files[0].to_string()));
}

#[test]
fn quiet_logs_are_copied_forward_and_get_no_file() {
    let mut world = World::fresh(small());
    let quiet: Vec<_> = (10..30).map(|n| world.open_plain(n)).collect();
    for id in &quiet {
        world.fill(*id, 1, 50);
    }
    let busy = world.open_plain(1);
    for _ in 0..400 {
        world.fill(busy, 2, 1500);
        world.settle();
    }
    for id in &quiet {
        assert_eq!(world.read_all(*id, 0), [0]);
    }
    assert!(world.disk.names("t10-0/").is_empty());
}

#[test]
fn a_log_whose_old_batch_was_moved_behind_newer_ones_is_spilled_in_order_1() {
    let mut world = World::fresh(small());
    let (quiet, busy) = (world.open_plain(2), world.open_plain(1));
    world.fill(quiet, 1, 50);
    for _ in 0..300 {
        world.fill(busy, 2, 1500);
        world.settle();
    }
    world.fill(quiet, 30, 500);
    for _ in 0..300 {
        world.fill(busy, 2, 1500);
        world.settle();
    }
    assert!(!world.disk.names("t2-0/").is_empty());
    assert_eq!(world.read_all(quiet, 0), (0..31).collect::<Vec<_>>());
}

#[test]
fn a_failed_commit_ends_the_directory_for_this_process_101() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    world.append(id, batch(1, 10, 0, None));
    world.fault = Some(|op| is_commit(op).then(|| failed(FaultKind::Broken, "Input/output error")));
    world.settle();
    assert!(world.broken().is_some());
    assert_eq!(world.durable(id), 0);
    assert_eq!(
        world.try_append(id, batch(1, 10, 0, None)),
        Err(AppendRefusal::Offline)
    );
}

#[test]
fn a_retry_is_the_duplicate_of_its_original_even_while_that_is_in_flight_69_72() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    let first = world.append(id, batch(2, 10, 0, Some((9, 0, 0))));
    assert_eq!(
        first,
        Appended::New {
            base: Offset(0),
            last: Offset(1)
        }
    );
    world.append(id, batch(2, 10, 0, Some((9, 0, 2))));
    let again = Appended::Duplicate {
        base: Offset(0),
        last: Offset(1),
    };
    assert_eq!(world.append(id, batch(2, 10, 0, Some((9, 0, 0)))), again);
    world.settle();
    assert_eq!(world.append(id, batch(2, 10, 0, Some((9, 0, 0)))), again);
    assert_eq!(
        world.engine.marks(id).map(|marks| marks.next),
        Some(Offset(4))
    );
}

#[test]
fn a_gap_in_sequences_and_a_fenced_epoch_are_refused_with_no_append_70() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    world.append(id, batch(2, 10, 0, Some((9, 1, 0))));
    assert_eq!(
        world.try_append(id, batch(1, 10, 0, Some((9, 1, 5)))),
        Err(AppendRefusal::OutOfOrder {
            expected: Sequence(2),
            got: Sequence(5)
        })
    );
    assert_eq!(
        world.try_append(id, batch(1, 10, 0, Some((9, 0, 2)))),
        Err(AppendRefusal::Fenced {
            epoch: ProducerEpoch(1)
        })
    );
    assert_eq!(
        world.engine.marks(id).map(|marks| marks.next),
        Some(Offset(2))
    );
}

#[test]
fn a_trim_is_told_when_it_is_durable_and_only_then_are_files_removed_89() {
    let mut world = World::fresh(small());
    let config = TopicConfig {
        segment_bytes: 8000,
        ..TopicConfig::default()
    };
    world.open(log(1), config);
    let id = log(1);
    for _ in 0..100 {
        world.fill(id, 1, 1000);
        world.settle();
    }
    let before = world.disk.names("t1-0/").len();
    assert_eq!(
        world.engine.trim(id, Offset(50)),
        Err(TrimRefusal::OutOfRange { hw: Offset(0) })
    );
    world.engine.raise(id, Offset(100), Offset(100));
    world.engine.trim(id, Offset(50)).expect("is accepted");
    world.flush();
    assert_eq!(world.disk.names("t1-0/").len(), before);
    assert_eq!(
        world.engine.marks(id).map(|marks| marks.start),
        Some(Offset(0))
    );
    world.told.clear();
    world.settle();
    assert!(world.told.contains(&Told::Started(id, Offset(50))));
    assert!(world.disk.names("t1-0/").len() < before);
    assert_eq!(
        world.plan(id, 49, 1),
        Err(ReadRefusal::OutOfRange {
            start: Offset(50),
            end: Offset(100)
        })
    );
    assert_eq!(world.read_all(id, 50), (50..100).collect::<Vec<_>>());
}

#[test]
fn retention_by_size_and_by_time_removes_closed_segments_only_89() {
    let mut world = World::fresh(small());
    let config = TopicConfig {
        segment_bytes: 8000,
        retention_bytes: Some(30_000),
        retention_time: Some(Duration::from_secs(3600)),
        ..TopicConfig::default()
    };
    world.open(log(1), config);
    let id = log(1);
    for _ in 0..100 {
        world.fill(id, 1, 1000);
        world.settle();
    }
    world.engine.raise(id, Offset(100), Offset(100));
    world.pass(301_000);
    let start = world.engine.marks(id).expect("known").start.0;
    assert!((60..75).contains(&start), "{start}");
    world.pass(3_600_000);
    let start = world.engine.marks(id).expect("known").start.0;
    assert!(
        (90..100).contains(&start),
        "the open segment stays, not {start}"
    );
    assert_eq!(world.read_all(id, start), (start..100).collect::<Vec<_>>());
}

#[test]
pub(super) fn a_jump_of_the_wall_clock_retires_nothing_111() {
    let mut world = World::fresh(small());
    let config = TopicConfig {
        segment_bytes: 8000,
        retention_time: Some(Duration::from_secs(3600)),
        ..TopicConfig::default()
    };
    world.open(log(1), config);
    world.fill(log(1), 50, 1000);
    world.settle();
    world.engine.raise(log(1), Offset(50), Offset(50));
    world.now.wall.0 += 400 * 24 * 3_600_000;
    world.pass(301_000);
    assert_eq!(
        world.engine.marks(log(1)).map(|marks| marks.start),
        Some(Offset(0))
    );
}

#[test]
fn a_rotten_batch_takes_its_log_offline_and_no_other_99_106() {
    let mut world = World::fresh(small());
    let (a, b) = (world.open_plain(1), world.open_plain(2));
    world.fill(a, 1, 100);
    world.fill(b, 1, 100);
    world.settle();
    let plan = world.plan(a, 0, 100).expect("a plan");
    let name = plan.files[0].to_string();
    let at = plan.places[0].at as usize + 70;
    world.disk.files.get_mut(&name).expect("the ring")[at] ^= 1;
    assert!(world.serve(&plan).is_empty());
    assert!(matches!(
        world.plan(a, 0, 100),
        Err(ReadRefusal::Offline(_))
    ));
    assert_eq!(world.read_all(b, 0), [0]);
}

#[test]
fn rot_in_the_ring_is_found_by_the_spill_and_never_copied_into_a_segment_7() {
    let mut world = World::fresh(small());
    let (a, b) = (world.open_plain(1), world.open_plain(2));
    // Quiet: it stays in the ring until its file is to be freed.
    world.fill(a, 1, 100);
    world.settle();
    let plan = world.plan(a, 0, 100).expect("a plan");
    let (name, at) = (plan.files[0].to_string(), plan.places[0].at as usize + 70);
    world.engine.served(&plan, &Served::Dropped, &mut world.ops);
    world.disk.files.get_mut(&name).expect("the ring")[at] ^= 1;
    for _ in 0..200 {
        world.fill(b, 1, 1500);
        world.settle();
    }
    assert!(world.engine.offline(a).is_some());
    assert!(world.disk.files.contains_key(&name), "the bytes are kept");
    assert_eq!(world.read_all(b, 0).len(), 200);
}

#[test]
fn a_replicated_log_is_written_at_once_and_durable_after_the_flush_bound() {
    let mut world = World::fresh(small());
    let id = world.open_fast(1);
    world.settle();
    world.fill(id, 3, 100);
    world.settle();
    let marks = world.engine.marks(id).expect("known");
    assert_eq!((marks.written, marks.durable), (Offset(3), Offset(0)));
    assert_eq!(world.read_all(id, 0), [0, 1, 2]);
    world.pass(11);
    assert_eq!(world.durable(id), 3);
    for _ in 0..200 {
        world.fill(id, 2, 1000);
        world.settle();
        world.pass(11);
    }
    assert_eq!(world.read_all(id, 0).len(), 403);
}

#[test]
fn a_log_that_changes_rings_is_durable_in_offset_order() {
    let mut world = World::fresh(small());
    let id = world.open_fast(1);
    world.settle();
    world.fill(id, 2, 100);
    world.settle();
    world.open(id, TopicConfig::default());
    world.fill(id, 1, 100);
    world.settle();
    assert_eq!(
        world.durable(id),
        0,
        "the third went to the fast ring behind the first two"
    );
    world.pass(11);
    world.fill(id, 1, 100);
    world.settle();
    assert_eq!(world.durable(id), 4);
    assert_eq!(world.read_all(id, 0), [0, 1, 2, 3]);
}

#[test]
fn a_resting_directory_gets_its_last_mark_written_once() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    world.fill(id, 1, 10);
    world.settle();
    let commits = world.count(is_commit);
    world.pass(60);
    assert_eq!(world.count(is_commit), commits + 1);
    world.pass(6000);
    assert_eq!(world.count(is_commit), commits + 1);
}

#[test]
fn a_full_disk_refuses_users_and_heals_105() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    world.engine.space(Free {
        total: 1 << 30,
        free: 1 << 20,
    });
    assert_eq!(
        world.try_append(id, batch(1, 10, 0, None)),
        Err(AppendRefusal::NoSpace)
    );
    world.open(crate::ids::LogId::METADATA, TopicConfig::default());
    world.append(crate::ids::LogId::METADATA, batch(1, 10, 0, None));
    world.settle();
    assert_eq!(world.durable(crate::ids::LogId::METADATA), 1);
    world.engine.space(Free {
        total: 1 << 30,
        free: 1 << 29,
    });
    world.append(id, batch(1, 10, 0, None));
    world.settle();
    assert_eq!(world.durable(id), 1);
}

#[test]
fn a_spill_that_meets_a_full_disk_is_repeated_when_there_is_space_105() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    world.fault = Some(|op| {
        matches!(
            op,
            FileOp::Put {
                file: FileName::Segment { .. },
                ..
            }
        )
        .then(|| failed(FaultKind::Full, "No space left on device"))
    });
    while !world.engine.is_full() {
        world.fill(id, 1, 1000);
        world.settle();
    }
    assert!(world.engine.is_full());
    assert!(world.broken().is_none());
    world.engine.space(Free {
        total: 1 << 30,
        free: 1 << 29,
    });
    for _ in 0..100 {
        world.fill(id, 1, 1000);
        world.settle();
    }
    assert_eq!(world.read_all(id, 0).len() as i64, world.durable(id));
    assert!(!world.disk.names("t1-0/").is_empty());
}

#[test]
fn a_clean_stop_spills_everything_and_ends_with_its_fact_103() {
    let mut world = World::fresh(small());
    let (a, b) = (world.open_plain(1), world.open_fast(2));
    world.settle();
    world.fill(a, 3, 10);
    world.fill(b, 4, 10);
    world.flush();
    world.stop();
    assert_eq!(world.disk.names("t1-0/").len(), 3);
    assert_eq!(world.disk.names("t2-0/").len(), 3);
    let last = world.done.iter().rposition(is_commit);
    assert_eq!(last, Some(world.done.len() - 1), "{:?}", world.done.last());
    assert_eq!(
        world.try_append(a, batch(1, 10, 0, None)),
        Err(AppendRefusal::Stopping)
    );
}

#[test]
fn a_log_larger_than_its_ring_part_is_refused_and_names_the_bound() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    assert_eq!(
        world.try_append(id, batch(1, 20_000, 0, None)),
        Err(AppendRefusal::TooLarge { max: 16 << 10 })
    );
}

#[test]
fn a_ring_that_cannot_grow_delays_and_refuses_nobody() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    // Nothing but commits is done: spill, checkpoint and new files are behind.
    for _ in 0..200 {
        world.fill(id, 1, 3000);
        world.flush();
        while let Some(index) = world.queue.iter().position(|(_, op)| is_commit(op)) {
            world.step(index);
            world.flush();
        }
    }
    let durable = world.durable(id);
    assert!(durable < 200, "{durable}");
    world.settle();
    assert_eq!(world.durable(id), 200);
    assert_eq!(world.read_all(id, 0).len(), 200);
}

#[test]
fn the_epoch_history_tells_where_a_leadership_ended_4() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    world.engine.begin_epoch(id, LeaderEpoch(3));
    world.fill(id, 2, 10);
    world.engine.begin_epoch(id, LeaderEpoch(4));
    world.engine.begin_epoch(id, LeaderEpoch(5));
    world.fill(id, 2, 10);
    world.settle();
    assert_eq!(
        world.engine.epoch_end(id, LeaderEpoch(3)),
        Some((LeaderEpoch(3), Offset(2)))
    );
    assert_eq!(
        world.engine.epoch_end(id, LeaderEpoch(5)),
        Some((LeaderEpoch(5), Offset(4)))
    );
    assert_eq!(world.engine.epoch_of(id, Offset(1)), Some(LeaderEpoch(3)));
}

/// The story of a stale completion: three batches on their way, cut back to one, another appended, then the old
/// completions arrive.
pub(super) fn a_completion_arrives_after_a_cut() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    world.fill(id, 1, 10);
    world.settle();
    world.fill(id, 3, 10);
    world.flush();
    world
        .engine
        .cut(id, Offset(1))
        .expect("above the high watermark");
    world.fill(id, 1, 10);
    world.flush();
    world.step(0);
    assert_eq!(
        world.durable(id),
        1,
        "#10: the old generation's completion moved the mark"
    );
    world.settle();
    assert_eq!(world.durable(id), 2);
    assert_eq!(world.read_all(id, 0), [0, 1]);
}

#[test]
fn a_completion_counts_for_the_generation_that_asked_for_it_10() {
    a_completion_arrives_after_a_cut();
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    world.fill(id, 2, 10);
    world.settle();
    world.engine.raise(id, Offset(2), Offset(2));
    assert!(
        world.engine.cut(id, Offset(1)).is_err(),
        "#2: what was exposed is not cut"
    );
}

#[test]
fn tidying_a_directory_leaves_a_retired_segment_to_its_reader_7() {
    let mut world = World::fresh(small());
    let config = TopicConfig {
        segment_bytes: 8000,
        ..TopicConfig::default()
    };
    let id = log(1);
    world.open(id, config.clone());
    for _ in 0..60 {
        world.fill(id, 1, 1000);
        world.settle();
    }
    world.stop();
    let mut world = world.restart(small());
    world.open(id, config);
    world.settle();
    world.engine.raise(id, Offset(60), Offset(60));
    let plan = world.plan(id, 0, 3000).expect("a plan");
    assert!(matches!(plan.files[0], FileName::Segment { .. }));
    world.engine.trim(id, Offset(30)).expect("is accepted");
    world.settle();
    for _ in 0..60 {
        world.fill(id, 1, 1000);
        world.settle();
    }
    let file = plan.files[0].to_string();
    assert!(!world.serve(&plan).is_empty(), "#7");
    assert!(
        !world.disk.files.contains_key(&file),
        "it goes when nobody reads it"
    );
    assert_eq!(world.read_all(id, 30), (30..120).collect::<Vec<_>>());
}
