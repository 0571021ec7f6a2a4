//! Batches change over from the ring to their segment: each of them has one place or the other, whenever the process dies
//! and in whatever order the disk does what it was asked for (#94).

use super::super::testing::{World, log, small};
use crate::ids::LogId;

/// Cycles of the spill before the process may die, and until it has gone on for long enough.
const CYCLES: core::ops::Range<u64> = 1..3;

const LOGS: [(u8, usize); 2] = [(1, 1000), (2, 300)];

/// A process that dies after so many operations of the disk since its first spill, done as they were asked for or the last
/// one first; and whether it lived until the end.
fn dies_after(mut operations: usize, last_first: bool) -> (World, bool) {
    let mut world = World::fresh(small());
    for (number, _) in LOGS {
        world.open_plain(number);
    }
    while world.engine.spill.cycles < CYCLES.end {
        for (number, bytes) in LOGS {
            world.fill(log(number), 1, bytes);
        }
        world.flush();
        while !world.queue.is_empty() {
            if world.engine.spill.cycles >= CYCLES.start {
                if operations == 0 {
                    return (world, false);
                }
                operations -= 1;
            }
            let last = world.queue.len() - 1;
            world.step(if last_first { last } else { 0 });
            world.flush();
        }
    }
    (world, true)
}

/// All that was called durable is there after the next start, once and in order.
fn is_whole(world: World) {
    let durable = |world: &World, id: LogId| world.durable(id);
    let promised = LOGS.map(|(number, _)| (number, durable(&world, log(number))));
    let mut world = world.restart(small());
    for (number, end) in promised {
        let id = world.open_plain(number);
        assert!(
            world.engine.offline(id).is_none(),
            "#94: log {number} is offline"
        );
        let there = world.read_all(id, 0);
        let found = there.len() as i64;
        assert!(
            found >= end,
            "#94: {found} of {end} batches of log {number}"
        );
        assert_eq!(there, (0..found).collect::<Vec<_>>(), "#94");
    }
}

pub(in crate::log) fn a_process_dies_after_any_operation_of_a_spill() {
    // In the order in which they were asked for nothing overtakes anything: a look here and there is enough.
    for (last_first, each) in [(false, 5), (true, 1)] {
        for operations in (0..).step_by(each) {
            let (world, lived) = dies_after(operations, last_first);
            is_whole(world);
            if lived {
                assert!(operations > 30, "too few operations for a spill");
                break;
            }
        }
    }
}

#[test]
fn a_batch_is_in_the_ring_or_in_its_segment_after_whichever_operation_the_process_dies_94() {
    a_process_dies_after_any_operation_of_a_spill();
}
