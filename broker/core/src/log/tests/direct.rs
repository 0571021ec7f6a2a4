//! Batches that go straight to their segment, and what may come between: each test's name is the promise.
//! Held by the order of file operations and by what a reader gets: nothing is named before it is durable (#1, #96).

use core::time::Duration;

use super::super::EngineConf;
use super::super::direct::Way;
use super::super::state::{
    BatchEntry, BatchKind, Entry, Fact, Fold, Home, LogState, RingBatch, SegmentState, Spot,
};
use super::super::testing::{World, failed, is_commit, log, small};
use crate::config::TopicConfig;
use crate::file::{FaultKind, FileName, FileOp, How, Piece, RingKind};
use crate::ids::{Generation, LeaderEpoch, LogId, Offset, Ticket};
use crate::marks::Durability;

fn conf() -> EngineConf {
    EngineConf {
        direct_min: 2000,
        direct_after: 10_000,
        direct_within: Duration::MAX,
        direct_max: 16 << 10,
        ..small()
    }
}

fn is_direct(world: &World, id: LogId) -> bool {
    let live = world.engine.live.get(&id).expect("open");
    matches!(live.direct.way, Way::Segment(_))
}

/// A world whose log 1 goes straight to its segment.
fn direct(conf: EngineConf) -> (World, LogId) {
    direct_of(conf, TopicConfig::default())
}

fn direct_of(conf: EngineConf, config: TopicConfig) -> (World, LogId) {
    let mut world = World::fresh(conf);
    let id = log(1);
    world.open(id, config);
    for _ in 0..40 {
        world.fill(id, 1, 3000);
        world.settle();
    }
    assert!(is_direct(&world, id));
    (world, id)
}

#[test]
fn a_log_that_is_slow_stays_with_the_ring_until_the_spill_cannot_keep_up() {
    let second = Duration::from_secs(1);
    let mut world = World::fresh(EngineConf {
        direct_within: 2 * second,
        ..conf()
    });
    let id = log(1);
    world.open(id, TopicConfig::default());
    let bring = |world: &mut World| {
        for _ in 0..40 {
            world.fill(id, 1, 3000);
            world.settle();
            world.now.mono = world.now.after(second).0;
        }
    };
    bring(&mut world);
    assert!(!is_direct(&world, id));
    world.engine.holding = true;
    world.fill(id, 4, 3000);
    world.settle();
    bring(&mut world);
    assert!(is_direct(&world, id));
}

/// No segment file is shorter than what is known to be durable in it.
fn check(world: &World, id: LogId) {
    let Some(state) = world.engine.fold.logs.get(&id) else {
        return;
    };
    for segment in &state.segments {
        let name = format!("t1-0/{:020}.log", segment.base.0);
        let len = world.disk.files[&name].len() as u64;
        assert!(
            len >= segment.bytes,
            "#96: {name} has {len} of {} bytes",
            segment.bytes
        );
    }
}

/// Where a write puts each of its batches: file, base offset, position.
fn places(op: &FileOp) -> Vec<(FileName, Offset, u64)> {
    let FileOp::Put {
        file: file @ FileName::Segment { .. },
        at,
        pieces,
        how: How::Durable,
    } = op
    else {
        return Vec::new();
    };
    let mut next = *at;
    let mut found = Vec::new();
    for piece in pieces {
        if let Piece::Batch(_, stamp) = piece {
            found.push((file.clone(), stamp.base, next));
        }
        next += piece.len() as u64;
    }
    found
}

#[test]
fn a_batch_is_put_where_it_was_said_that_the_next_one_will_lie() {
    let config = TopicConfig {
        segment_bytes: 200_000,
        ..TopicConfig::default()
    };
    let (mut world, id) = direct_of(conf(), config);
    let (mut current, mut right, mut begun) = (None, 0, 0);
    for turn in 0..200_usize {
        let mut said = Vec::new();
        // Others may be staged before it, and writes be under way.
        for number in 0..=turn % 3 {
            let base = world.engine.marks(id).expect("known").next;
            let at = world.engine.next_direct(id).expect("not by the ring");
            said.push((base, at));
            world.fill(id, 1, 2500 + 97 * (turn % 41) + number);
        }
        world.flush();
        let put: Vec<_> = world.queue.iter().flat_map(|(_, op)| places(op)).collect();
        for (base, at) in said {
            let (file, _, lies) = put.iter().find(|(_, of, _)| *of == base).expect("put");
            if *current.get_or_insert(file.clone()) == *file {
                assert_eq!(*lies, at, "batch {base}");
                right += 1;
            } else {
                begun += 1;
            }
        }
        current = put.last().map(|(file, ..)| file.clone());
        if turn % 4 == 0 {
            world.settle();
        }
    }
    assert!(
        right > 300 && begun > 0,
        "{right} right, {begun} segments begun"
    );
}

/// The ring is full, and is relieved, while names of batches that lie in their segment wait in its queue.
pub(in crate::log) fn a_full_ring_with_names_in_its_queue() {
    let (mut world, id) = direct(EngineConf {
        ring_max: Some(256 << 10),
        commit_max: 8 << 10,
        moved_passed_max: u32::MAX,
        ..conf()
    });
    let busy = world.open_plain(2);
    let mut relieved = 0;
    for turn in 0..600_u32 {
        if turn % 5 == 0 && turn < 400 {
            // Copies of it wait behind all others, and hold their files.
            let quiet = world.open_plain(u8::try_from(10 + turn / 5).expect("few"));
            world.fill(quiet, 1, 50);
        }
        let lane = world.engine.lanes.durable.as_ref().expect("a ring");
        if lane.queue.bytes() < 40_000 {
            world.fill(busy, 8, 1500);
        }
        world.flush();
        if is_direct(&world, id) && world.engine.stuck() {
            world.fill(id, 2, 3000);
            world.flush();
            let own = |(_, op): &(_, FileOp)| matches!(op, FileOp::Put { file: FileName::Segment { dir, .. } | FileName::Sidecar { dir, .. }, .. } if &**dir == "t1-0");
            while let Some(index) = world.queue.iter().position(own) {
                world.step(index);
            }
            world.fill(id, 1, 50);
            world.flush();
            relieved += 1;
        } else if !is_direct(&world, id) {
            world.fill(id, 1, 3000);
        }
        while !world.queue.is_empty() {
            world.step(0);
            check(&world, id);
        }
    }
    world.settle();
    check(&world, id);
    assert!(
        relieved > 0,
        "the ring was never full while batches went by it"
    );
    let next = world.engine.marks(id).expect("known").next.0;
    assert_eq!(world.read_all(id, 0).len() as i64, next);
}

#[test]
fn a_directory_is_not_tidied_of_batches_whose_names_still_wait_for_the_ring_96() {
    a_full_ring_with_names_in_its_queue();
}

#[test]
fn a_log_that_becomes_replicated_is_written_in_offset_order_10() {
    let (mut world, id) = direct(conf());
    world.open_fast(9);
    world.settle();
    assert!(world.engine.lanes.fast.is_some());
    let config = TopicConfig {
        durability: Durability::Replicated,
        ..TopicConfig::default()
    };
    world.open(id, config);
    // Small: it goes back to the ring, and the next may not overtake it.
    world.fill(id, 1, 50);
    world.flush();
    world.fill(id, 1, 50);
    world.flush();
    let fast = world.queue.iter().position(|(_, op)| {
        matches!(
            op,
            FileOp::Put {
                file: FileName::Ring {
                    kind: RingKind::Fast,
                    ..
                },
                ..
            }
        )
    });
    if let Some(fast) = fast {
        let before = world.engine.marks(id).expect("known").written;
        world.step(fast);
        let marks = world.engine.marks(id).expect("known");
        assert_eq!(
            marks.written, before,
            "#10: written, and what lies below is not"
        );
    }
    world.settle();
    assert_eq!(world.read_all(id, 0).len(), 42);
}

/// Of some writes under way the second meets a full disk: all that is not named yet goes by the ring, whether its bytes are
/// where they came or were copied since.
pub(in crate::log) fn a_full_disk_behind_copied_writes() {
    for full in 0..4 {
        let (mut world, id) = direct(conf());
        for _ in 0..4 {
            world.fill(id, 2, 2999);
            world.flush();
        }
        let data = |(_, op): &(Ticket, FileOp)| is_data(op);
        let puts = world.queue.iter().filter(|op| data(op)).count();
        assert_eq!(puts, 4, "a write waits for none before it");
        for _ in 0..full {
            let index = world.queue.iter().position(data).expect("a write");
            world.step(index);
        }
        world.fault =
            Some(|op| is_data(op).then(|| failed(FaultKind::Full, "No space left on device")));
        world.settle();
        assert!(world.fault.is_none() && !is_direct(&world, id));
        let read = world.read_all(id, 0);
        assert_eq!(read.len(), 48, "#1: after {full} writes that were done");
        assert_eq!(world.durable(id), 48);
    }
}

fn is_data(op: &FileOp) -> bool {
    let file = |file: &FileName| matches!(file, FileName::Segment { .. });
    matches!(op, FileOp::Put { file: name, how: How::Durable, .. } if file(name))
}

#[test]
fn batches_that_a_full_disk_did_not_take_go_by_the_ring_as_they_were_sent_1() {
    a_full_disk_behind_copied_writes();
}

/// Carries out commits only, as long as there are any.
fn commit(world: &mut World) {
    while let Some(index) = world.queue.iter().position(|(_, op)| is_commit(op)) {
        world.step(index);
        world.flush();
    }
}

pub(in crate::log) fn a_leadership_begins_while_batches_are_being_put() {
    let (mut world, id) = direct(conf());
    world.fill(id, 1, 3000);
    world.flush();
    world.engine.begin_epoch(id, LeaderEpoch(7));
    world.flush();
    commit(&mut world);
    let state = &world.engine.fold.logs[&id];
    assert_eq!(state.next, Offset(40), "the batch is not named yet");
    let begun: Vec<Offset> = state.epochs.iter().map(|(_, at)| at).collect();
    assert!(
        begun.iter().all(|at| *at <= state.next),
        "#4: {begun:?} behind the end {}",
        state.next
    );
    world.settle();
    let state = &world.engine.fold.logs[&id];
    assert_eq!(state.epochs.last(), Some((LeaderEpoch(7), Offset(41))));
}

#[test]
fn what_is_said_of_a_log_stands_behind_the_names_of_the_batches_before_it_4() {
    a_leadership_begins_while_batches_are_being_put();
}

/// A direct log with small segments, trimmed to its end: the last segment stays.
fn trimmed_to_its_end() -> (World, LogId, Vec<String>) {
    let config = TopicConfig {
        segment_bytes: 10_000,
        ..TopicConfig::default()
    };
    let (mut world, id) = direct_of(conf(), config);
    while last(&world, id).batches != 3 {
        world.fill(id, 1, 3000);
        world.settle();
    }
    let end = last(&world, id).next;
    world.engine.raise(id, end, end);
    world.engine.trim(id, end).expect("is accepted");
    world.settle();
    let kept = segments(&world);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(world.engine.marks(id).expect("known").start, end);
    (world, id, kept)
}

fn last(world: &World, id: LogId) -> SegmentState {
    let state = &world.engine.fold.logs[&id];
    *state.segments.last().expect("one")
}

fn segments(world: &World) -> Vec<String> {
    let names = world.disk.names("t1-0/");
    names
        .into_iter()
        .filter(|name| name.ends_with(".log"))
        .collect()
}

#[test]
fn a_segment_kept_for_the_next_batch_goes_when_that_begins_another_89() {
    let (mut world, id, kept) = trimmed_to_its_end();
    for _ in 0..4 {
        world.fill(id, 1, 3000);
        world.settle();
        assert!(is_direct(&world, id));
    }
    let left = segments(&world);
    assert!(!left.contains(&kept[0]), "{left:?}");
    let state = &world.engine.fold.logs[&id];
    assert_eq!(state.segments.len(), left.len());
    assert_eq!(world.read_all(id, last(&world, id).base.0).len(), 1);
}

#[test]
fn a_start_and_the_next_segments_first_batch_in_one_commit_leave_no_file_89() {
    let config = TopicConfig {
        segment_bytes: 10_000,
        ..TopicConfig::default()
    };
    let (mut world, id) = direct_of(conf(), config);
    let others = [world.open_plain(2), world.open_plain(3)];
    while last(&world, id).batches != 3 {
        world.fill(id, 1, 3000);
        world.settle();
    }
    let before = last(&world, id);
    world.engine.raise(id, before.next, before.next);
    for other in others {
        // Two commits under way: what follows waits, and shares one.
        world.fill(other, 1, 50);
        world.flush();
    }
    world.fill(id, 1, 3000);
    world.flush();
    while let Some(index) = world.queue.iter().position(|(_, op)| !is_commit(op)) {
        world.step(index);
    }
    world.engine.trim(id, before.next).expect("is accepted");
    world.settle();
    assert_eq!(
        last(&world, id).base,
        before.next,
        "another segment was begun"
    );
    assert_eq!(
        segments(&world),
        [format!("t1-0/{:020}.log", before.next.0)]
    );
}

/// The kept segment is freed, and the process dies before a checkpoint knows.
pub(in crate::log) fn a_kept_segment_is_freed_and_the_process_dies() {
    let (mut world, id, _) = trimmed_to_its_end();
    let end = last(&world, id).next.0;
    let number = world.engine.keeper.stamp.number;
    world.engine.free_kept(id);
    world.settle();
    assert_eq!(segments(&world), Vec::<String>::new(), "freed at once");
    assert_eq!(
        world.engine.keeper.stamp.number, number,
        "no checkpoint knows"
    );
    let mut world = world.restart(conf());
    world.open_plain(1);
    let state = &world.engine.fold.logs[&id];
    assert!(state.direct, "the checkpoint says so");
    for _ in 0..40 {
        world.fill(id, 1, 1500);
        world.settle();
    }
    assert_eq!(
        world.engine.offline(id),
        None,
        "#89, #99: nothing is missing"
    );
    assert!(!segments(&world).is_empty(), "it was spilled again");
    assert_eq!(world.read_all(id, end).len(), 40);
}

#[test]
fn a_kept_segment_is_freed_at_once_and_no_start_looks_for_it_89_97() {
    a_kept_segment_is_freed_and_the_process_dies();
}

/// A batch of one record that lies in the segment of offset 0, a hundred bytes behind the one before.
fn named(offset: i64) -> Entry {
    let spot = Spot {
        kind: RingKind::Durable,
        file: 1,
        at: u32::MAX,
    };
    Entry::Batch(BatchEntry {
        kind: BatchKind::New,
        log: log(1),
        generation: Generation(0),
        batch: RingBatch {
            base: Offset(offset),
            delta: 0,
            epoch: LeaderEpoch(0),
            len: 100,
            checksum: 0,
            max_timestamp: 0,
            spot,
        },
        attributes: 0,
        producer: None,
        home: Some(Home {
            base: Offset(0),
            at: u64::try_from(offset).expect("positive") * 100,
        }),
    })
}

#[test]
fn rot_in_names_of_what_was_removed_takes_nothing_else_99() {
    let state = |start: i64| {
        let direct = LogState {
            direct: true,
            ..LogState::default()
        };
        let mut fold = Fold::default();
        fold.logs.insert(log(1), direct.into());
        let begins = Entry::Fact(log(1), Generation(0), Fact::Start(Offset(start)));
        // The commit that named offset 1 cannot be read.
        fold.replay(&[named(0), named(2), begins]);
        *fold.logs.remove(&log(1)).expect("known")
    };
    let below = state(3);
    assert!(!below.is_torn());
    assert_eq!((below.next, below.segments.len()), (Offset(3), 0));
    // Where the batch lies is known, but not what its segment holds before it.
    assert!(state(2).is_torn());
}
