//! Disks that fail in one place: the damage stays with the partitions whose bytes lie there.
//! Held by who is offline, who still serves and whether the ring goes on; rot that a start meets is `recover`'s.

use super::super::testing::{World, failed, log, small};
use super::super::{EngineConf, Told};
use crate::config::TopicConfig;
use crate::file::{FaultKind, FileName, FileOp, Served};
use crate::ids::{LogId, Offset};

/// The batch at the log's start can no longer be read from the medium.
fn spoil(world: &mut World, id: LogId) {
    let plan = world.plan(id, 0, 1).expect("a plan");
    let (name, place) = (plan.files[0].to_string(), plan.places[0]);
    world.engine.served(&plan, &Served::Dropped, &mut world.ops);
    let from = place.at + 70;
    world.disk.bad.push((name, from..from + 1));
}

fn offline(world: &World) -> Vec<LogId> {
    let told = world.told.iter();
    told.filter_map(|told| match told {
        Told::Offline(log, _) => Some(*log),
        _ => None,
    })
    .collect()
}

/// One commit of a hundred partitions, one sector of it bad.
pub(in crate::log) fn one_sector_under_many_partitions() {
    let mut world = World::fresh(small());
    let logs: Vec<_> = (0..100).map(|n| world.open_plain(n + 1)).collect();
    for id in &logs {
        world.fill(*id, 1, 300);
    }
    world.settle();
    spoil(&mut world, logs[37]);
    world.told.clear();
    world.engine.spill.everything = true;
    world.settle();
    assert_eq!(offline(&world), [logs[37]], "#106");
    for id in &logs {
        if *id != logs[37] {
            assert_eq!(world.read_all(*id, 0), [0]);
            let dir = format!("t{}-0/", id.topic.0.0[0]);
            assert!(!world.disk.names(&dir).is_empty(), "{dir} was not spilled");
        }
    }
}

#[test]
fn one_bad_sector_under_a_large_read_costs_its_own_partition_only_106() {
    one_sector_under_many_partitions();
}

/// Damaged logs, each with its only batch in another file of a ring that may have four.
pub(in crate::log) fn damaged_logs_in_as_many_files(logs: u8) {
    let mut world = World::fresh(EngineConf {
        ring_max: Some(256 << 10),
        ..small()
    });
    let busy = world.open_plain(1);
    for n in 0..logs {
        let id = world.open_plain(10 + n);
        world.fill(id, 1, 50);
        world.settle();
        spoil(&mut world, id);
        for _ in 0..30 {
            world.fill(busy, 1, 3000);
            world.settle();
        }
    }
    for _ in 0..300 {
        world.fill(busy, 1, 3000);
        world.settle();
    }
    assert_eq!(
        offline(&world).len(),
        usize::from(logs),
        "the sectors were never read"
    );
    let next = world.engine.marks(busy).expect("known").next.0;
    assert_eq!(world.durable(busy), next, "#106: the shard stands still");
    let rings: u64 = world
        .disk
        .names("commit/")
        .iter()
        .map(|name| world.disk.files[name].len() as u64)
        .sum();
    assert!(rings <= u64::from(4 + logs) * (64 << 10), "{rings}");
    world.stop();
}

#[test]
fn files_that_damaged_logs_need_do_not_take_the_ring_from_the_others_106() {
    damaged_logs_in_as_many_files(3);
}

#[test]
fn more_damaged_files_than_the_ring_may_have_do_not_take_it_from_the_others_106() {
    damaged_logs_in_as_many_files(12);
}

/// The log is trimmed while its directory is being made, and then the disk says that this failed.
pub(in crate::log) fn a_directory_fails_after_its_log_was_trimmed() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    world.fill(id, 20, 1000);
    world.settle();
    world.engine.raise(id, Offset(20), Offset(20));
    world.engine.spill.everything = true;
    world.flush();
    let tag = |op: &FileOp| matches!(op, FileOp::SyncDir(FileName::Named(dir)) if &**dir == "t1-0");
    while !world.queue.iter().any(|(_, op)| tag(op)) {
        assert!(!world.queue.is_empty(), "the directory was not made");
        world.step(0);
    }
    let index = world
        .queue
        .iter()
        .position(|(_, op)| tag(op))
        .expect("it is there");
    let sync = world.queue.remove(index).expect("it is there");
    world.engine.trim(id, Offset(10)).expect("is accepted");
    world.settle();
    world.queue.push_back(sync);
    world.fault = Some(|_| Some(failed(FaultKind::Broken, "Input/output error")));
    world.step(0);
    assert!(world.broken().is_some(), "#101");
}

#[test]
fn a_directory_that_could_not_be_synced_ends_the_process_though_nobody_needs_it_now_101() {
    a_directory_fails_after_its_log_was_trimmed();
}

#[test]
fn a_reader_of_a_segment_does_not_keep_what_lies_past_its_end_104() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    for _ in 0..40 {
        world.fill(id, 1, 1000);
        world.settle();
    }
    world.stop();
    let name = "t1-0/00000000000000000000.log";
    let whole = world.disk.files[name].len();
    world
        .disk
        .files
        .get_mut(name)
        .expect("the segment")
        .extend([7; 5000]);
    let mut world = world.restart(small());
    world.open(id, TopicConfig::default());
    let plan = world.plan(id, 0, 3000).expect("a plan");
    world.fill(id, 1, 100);
    world.settle();
    world.stop();
    let stored = world.disk.files[name].len();
    assert!(
        stored > whole && stored < whole + 500,
        "{stored} after {whole}"
    );
    assert!(!world.serve(&plan).is_empty(), "#7");
}

#[test]
fn a_segment_that_lost_its_end_is_not_written_to_behind_the_hole_99() {
    let mut world = World::fresh(small());
    let (a, b) = (world.open_plain(1), world.open_plain(2));
    for _ in 0..40 {
        world.fill(a, 1, 1000);
        world.fill(b, 1, 1000);
        world.settle();
    }
    world.stop();
    let name = "t1-0/00000000000000000000.log";
    world
        .disk
        .files
        .get_mut(name)
        .expect("the segment")
        .truncate(20_000);
    let mut world = world.restart(small());
    world.open_plain(1);
    world.open_plain(2);
    world.fill(a, 1, 100);
    world.fill(b, 1, 100);
    world.settle();
    world.stop();
    assert_eq!(offline(&world), [a]);
    assert_eq!(
        world.disk.files[name].len(),
        20_000,
        "it stays as it was found"
    );
    assert_eq!(world.read_all(b, 0).len(), 41);
}

#[test]
fn a_directory_whose_first_spill_died_before_its_tag_was_whole_is_its_own_45() {
    for tag in ["", "version: 0\ntop", "\0\0\0\0\0"] {
        let mut world = World::fresh(small());
        let id = world.open_plain(1);
        world.disk.dirs.insert("t1-0".into());
        let name = "t1-0/partition.metadata";
        world
            .disk
            .files
            .insert(name.into(), tag.as_bytes().to_vec());
        for _ in 0..60 {
            world.fill(id, 1, 1000);
            world.settle();
        }
        let stray = world.disk.files.keys().find(|name| name.contains("stray"));
        assert_eq!(stray, None, "{tag:?}");
        let text = String::from_utf8(world.disk.files[name].clone()).expect("text");
        assert!(text.contains("topic_id: "), "{text:?}");
        assert_eq!(world.read_all(log(1), 0).len(), 60);
    }
}
