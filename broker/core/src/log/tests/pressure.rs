//! A ring that runs full and a disk that runs full: what waits must come through, and what may wait must not pay.
//! Held by progress within so many steps, by what is refused meanwhile (#105), and by the bytes that are written twice.

use super::super::testing::{World, batch, failed, is_commit, log, small};
use super::super::{AppendRefusal, EngineConf, Told};
use crate::file::{FaultKind, FileName, FileOp, Free, Piece};
use crate::ids::LogId;

/// A ring of four files, commits of two or three batches.
fn four_files() -> EngineConf {
    EngineConf {
        ring_max: Some(256 << 10),
        commit_max: 8 << 10,
        ..small()
    }
}

fn is_making(op: &FileOp) -> bool {
    let ring = matches!(
        op,
        FileOp::Alloc {
            file: FileName::Ring { .. },
            ..
        }
    );
    ring || matches!(
        op,
        FileOp::Rename {
            from: FileName::Ring { .. },
            ..
        }
    )
}

/// Keeps the queue of users from ever being empty for so many commits' worth of steps.
fn press(world: &mut World, busy: LogId, turns: usize) {
    for _ in 0..turns {
        let lane = world.engine.lanes.durable.as_ref().expect("a ring");
        if lane.queue.bytes() < 40_000 {
            world.fill(busy, 8, 3000);
        }
        world.flush();
        while !world.queue.is_empty() {
            world.step(0);
        }
    }
}

/// Copies of quiet batches wait behind users, who wait for a file, which waits for the copies.
pub(in crate::log) fn copies_wait_while_the_ring_is_full() {
    let mut world = World::fresh(EngineConf {
        moved_passed_max: u32::MAX,
        ..four_files()
    });
    let busy = world.open_plain(1);
    for n in 10..14 {
        let quiet = world.open_plain(n);
        world.fill(quiet, 1, 50);
        press(&mut world, busy, 5);
    }
    press(&mut world, busy, 400);
    world.settle();
    let next = world.engine.marks(busy).expect("known").next.0;
    assert_eq!(world.durable(busy), next, "the shard stands still");
    assert!(next > 1000, "only {next} batches were taken");
    for n in 10..14 {
        assert_eq!(world.read_all(log(n), 0), [0]);
    }
    world.stop();
}

#[test]
fn a_full_ring_is_relieved_of_copies_that_wait_in_the_queue() {
    copies_wait_while_the_ring_is_full();
}

#[test]
fn a_load_that_never_ends_passes_a_copy_forward_a_few_times_only() {
    let mut world = World::fresh(four_files());
    let (busy, quiet) = (world.open_plain(1), world.open_plain(2));
    world.fill(quiet, 1, 50);
    press(&mut world, busy, 200);
    let state = world.engine.fold.logs.get(&quiet).expect("known");
    let spot = state.ring.front().expect("it stays in the ring").spot;
    assert!(spot.file > 3, "never copied forward: {spot:?}");
    assert!(
        world.disk.names("t2-0/").is_empty(),
        "the ring was never full, so it needs no file"
    );
}

#[test]
fn a_batch_that_stands_in_no_list_is_noticed() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    world.fill(id, 2, 100);
    world.settle();
    let lane = world.engine.lanes.durable.as_mut().expect("a ring");
    let mut files = lane.ring.files.iter_mut();
    let lies = files.find_map(|file| file.quiet.pop().or_else(|| file.order().pop_front()));
    let lies = lies.expect("a batch");
    assert_eq!(world.unaccounted(), [(id, lies.base)]);
}

/// The first file is full before the next one is made: that is no reason to give every quiet log its files.
pub(in crate::log) fn a_burst_meets_a_disk_that_is_slow_to_make_files() {
    let mut world = World::fresh(small());
    let busy = world.open_plain(1);
    for n in 10..30 {
        let quiet = world.open_plain(n);
        world.fill(quiet, 1, 50);
    }
    world.settle();
    for _ in 0..200 {
        world.fill(busy, 1, 3000);
        world.flush();
        while let Some(index) = world.queue.iter().position(|(_, op)| !is_making(op)) {
            world.step(index);
            world.flush();
        }
    }
    assert!(world.durable(busy) < 200, "the disk was not slow");
    for n in 10..30 {
        let dir = format!("t{n}-0/");
        assert!(world.disk.names(&dir).is_empty(), "{dir} was made");
    }
    world.settle();
    assert_eq!(world.durable(busy), 200);
}

#[test]
fn a_burst_behind_a_slow_disk_gives_no_quiet_log_its_files() {
    a_burst_meets_a_disk_that_is_slow_to_make_files();
}

#[test]
fn a_full_disk_is_tried_again_when_its_space_was_looked_at_and_not_before_105() {
    let mut world = World::fresh(four_files());
    let busy = world.open_plain(1);
    world.settle();
    world.standing = Some(|op| {
        let takes = matches!(op, FileOp::Alloc { .. })
            || matches!(
                op,
                FileOp::Put {
                    file: FileName::Segment { .. },
                    ..
                }
            );
        takes.then(|| failed(FaultKind::Full, "No space left on device"))
    });
    while world.try_append(busy, batch(1, 3000, 0, None)) != Err(AppendRefusal::NoSpace) {
        world.flush();
        while let Some(index) = world.queue.iter().position(|(_, op)| is_commit(op)) {
            world.step(index);
        }
        world.settle();
    }
    // Metadata goes on until the ring is full as well.
    let metadata = LogId::METADATA;
    world.open(metadata, crate::config::TopicConfig::default());
    for _ in 0..100 {
        world.append(metadata, batch(1, 3000, 0, None));
        world.settle();
    }
    let waits = world.durable(metadata);
    assert!(waits < 100, "the ring was not full");
    let done = world.done.len();
    world.settle();
    assert_eq!(world.done.len(), done, "a full disk is tried for ever");
    for _ in 0..20 {
        world.engine.space(Free {
            total: 1 << 30,
            free: 1 << 20,
        });
        world.settle();
    }
    assert!(
        world.done.len() < done + 20 * 12,
        "{} operations for 20 looks",
        world.done.len() - done
    );
    let partial = world.disk.names("commit/").len();
    assert!(partial <= 4, "a file that met the full disk is still there");
    world.standing = None;
    world.engine.space(Free {
        total: 1 << 30,
        free: 1 << 29,
    });
    world.settle();
    assert_eq!(world.durable(metadata), 100, "it heals");
    world.append(busy, batch(1, 3000, 0, None));
    world.settle();
    world.stop();
}

#[test]
fn a_node_whose_disk_and_ring_are_full_stops_when_it_is_told_to_105() {
    let mut world = World::fresh(four_files());
    let busy = world.open_plain(1);
    world.settle();
    world.standing = Some(|op| {
        let takes = matches!(op, FileOp::Alloc { .. })
            || matches!(
                op,
                FileOp::Put {
                    file: FileName::Segment { .. },
                    ..
                }
            );
        takes.then(|| failed(FaultKind::Full, "No space left on device"))
    });
    for _ in 0..400 {
        // The space is said to be ample: another file system's quota, or inodes.
        world.engine.space(Free {
            total: 1 << 30,
            free: 1 << 29,
        });
        if world.try_append(busy, batch(1, 3000, 0, None)).is_ok() {
            world.flush();
        }
        while let Some(index) = world.queue.iter().position(|(_, op)| is_commit(op)) {
            world.step(index);
        }
    }
    world.settle();
    let acknowledged = world.durable(busy);
    assert!(acknowledged < world.engine.marks(busy).expect("known").next.0);
    world.stop();
    world.standing = None;
    let mut world = world.restart(four_files());
    world.open_plain(1);
    assert_eq!(world.read_all(busy, 0).len() as i64, acknowledged);
}

/// Lets commits come back and nothing else.
fn commits_only(world: &mut World) {
    world.flush();
    while let Some(at) = world.queue.iter().position(|(_, op)| is_commit(op)) {
        world.step(at);
        world.flush();
    }
}

fn held(world: &World) -> Option<bool> {
    let mut holds = world.told.iter().filter_map(|told| match told {
        Told::Hold(hold) => Some(*hold),
        _ => None,
    });
    holds.next_back()
}

#[test]
fn sockets_rest_while_the_spill_is_far_behind_and_go_on_when_it_has_caught_up() {
    let mut world = World::fresh(EngineConf {
        behind_max: 16 << 10,
        ..small()
    });
    let id = world.open_plain(1);
    world.fill(id, 4, 3000);
    commits_only(&mut world);
    assert_eq!(held(&world), None, "not far yet");
    world.fill(id, 4, 3000);
    commits_only(&mut world);
    assert_eq!(held(&world), Some(true));
    // Nobody sends anything now: the spill must come out of it by itself.
    world.settle();
    assert_eq!(held(&world), Some(false));
    assert_eq!(world.read_all(id, 0), (0..8).collect::<Vec<i64>>());
}

#[test]
fn whole_blocks_are_spilled_until_the_end_of_a_cycle_and_every_byte_once() {
    let mut world = World::fresh(EngineConf {
        block_bytes: 16 << 10,
        ..small()
    });
    let id = world.open_plain(1);
    for _ in 0..12 {
        world.fill(id, 4, 3001);
        world.settle();
    }
    world.stop();
    let puts = world.done.iter().filter_map(|op| match op {
        FileOp::Put {
            file: FileName::Segment { dir, .. },
            at,
            pieces,
            ..
        } if !dir.starts_with("__") => Some((*at, pieces.iter().map(Piece::len).sum::<usize>())),
        _ => None,
    });
    let puts: Vec<(u64, usize)> = puts.collect();
    let partial = puts
        .iter()
        .filter(|(at, len)| !(at + *len as u64).is_multiple_of(4096));
    let syncs = world.count(|op| matches!(op, FileOp::Sync(FileName::Segment { .. })));
    assert!(puts.len() > syncs, "{} puts in {syncs} cycles", puts.len());
    assert!(
        partial.count() <= syncs,
        "a partial block is put at the end of a cycle only: {puts:?}"
    );
    assert_eq!(world.read_all(id, 0), (0..48).collect::<Vec<i64>>());
}

/// More than the ring takes is queued for a log, and then it is dropped: the fact waits for what was queued before it.
pub(in crate::log) fn a_log_is_dropped_while_its_batches_fill_the_ring() {
    let mut world = World::fresh(small());
    let (id, other) = (world.open_plain(1), world.open_plain(2));
    world.fill(other, 1, 10);
    world.fill(id, 300, 3000);
    world.drop_log(id);
    world.settle();
    assert!(world.told.contains(&Told::Gone(id)), "#40: it never goes");
    world.fill(other, 1, 10);
    world.settle();
    assert_eq!(world.durable(other), 2, "#138: the shard stands still");
    assert!(world.disk.names("t1-0/").is_empty());
    world.stop();
}

#[test]
fn a_log_on_its_way_out_does_not_fill_the_ring_for_ever_40_138() {
    a_log_is_dropped_while_its_batches_fill_the_ring();
}
