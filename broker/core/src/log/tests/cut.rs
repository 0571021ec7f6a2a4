//! A log that is cut back and goes on: its segments are those of the history that stayed.
//! Held by the records read back and the names of their segments (#1); where a log is cut, its leader's history says.

use super::super::testing::{World, log, small};
use crate::config::TopicConfig;
use crate::file::FileOp;
use crate::ids::Offset;

#[test]
fn a_cut_forgets_the_segments_that_began_behind_it_1() {
    let mut world = World::fresh(small());
    let id = log(1);
    let config = TopicConfig {
        segment_bytes: 3000,
        ..TopicConfig::default()
    };
    world.open(id, config);
    world.fill(id, 20, 100);
    world.flush();
    while let Some(index) = world
        .queue
        .iter()
        .position(|(_, op)| matches!(op, FileOp::Put { .. }))
    {
        world.step(index);
    }
    let rolls = world.engine.live[&id].rolls.clone();
    let last = *rolls.back().expect("it rolled");
    assert!(last > Offset(3), "{rolls:?}");
    world
        .engine
        .cut(id, Offset(3))
        .expect("above the high watermark");
    let live = &world.engine.live[&id];
    assert!(
        live.rolls.iter().all(|roll| *roll <= Offset(3)),
        "{:?}",
        live.rolls
    );
    assert_eq!(live.open.base, Offset(3));
    world.fill(id, 40, 100);
    world.settle();
    world.stop();
    assert_eq!(world.read_all(id, 0), (0..43).collect::<Vec<_>>());
    assert!(
        world
            .disk
            .files
            .contains_key("t1-0/00000000000000000003.log")
    );
}
