//! Batches that go straight to their segment, and what may come between: each test's name is the promise.

use super::super::EngineConf;
use super::super::direct::Way;
use super::super::testing::{World, small};
use crate::config::TopicConfig;
use crate::file::{FileName, FileOp, RingKind};
use crate::ids::LogId;
use crate::marks::Durability;

fn conf() -> EngineConf {
    EngineConf {
        direct_min: 2000,
        direct_after: 10_000,
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
    let mut world = World::fresh(conf);
    let id = world.open_plain(1);
    for _ in 0..40 {
        world.fill(id, 1, 3000);
        world.settle();
    }
    assert!(is_direct(&world, id));
    (world, id)
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
