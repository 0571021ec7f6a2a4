//! What the metadata says of a log comes after the rings, and changes: names of a start, settings of a topic.
//! Held by what is kept of a log without a name (#40), and by the marks of one whose durability changes (#12).

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::testing::{World, log, small};
use crate::config::TopicConfig;
use crate::ids::Offset;

#[test]
fn a_log_that_is_not_open_yet_is_not_spilled_as_nobodys_40() {
    let mut world = World::fresh(small());
    let (a, b) = (world.open_plain(1), world.open_plain(2));
    world.fill(a, 3, 1000);
    world.settle();
    let mut world = World::on_what(world, small());
    world.engine.names_follow();
    world.begin();
    world.accept();
    world.open_plain(2);
    for _ in 0..100 {
        world.fill(b, 2, 1500);
        world.settle();
    }
    assert!(world.engine.spill.cycles > 2, "nothing was spilled");
    assert!(world.disk.names("unknown/").is_empty());
    world.open_plain(1);
    world.engine.named();
    world.fill(b, 20, 1500);
    world.settle();
    world.stop();
    assert_eq!(world.disk.names("t1-0/").len(), 3);
    assert_eq!(world.read_all(log(1), 0), [0, 1, 2]);
}

#[test]
fn a_log_that_the_metadata_does_not_name_is_kept_as_nobodys_40() {
    let mut world = World::fresh(small());
    let (a, b) = (world.open_plain(1), world.open_plain(2));
    world.fill(a, 3, 1000);
    world.settle();
    let mut world = World::on_what(world, small());
    world.engine.names_follow();
    world.begin();
    world.accept();
    world.engine.named();
    world.open_plain(2);
    world.fill(b, 100, 100);
    world.settle();
    world.stop();
    let kept = world.disk.names("unknown/").len();
    assert_eq!(kept, 3, "{:?}", world.disk.files.keys());
}

#[test]
fn a_topic_made_durable_keeps_showing_what_it_showed_and_shows_nothing_new_too_early_12() {
    let mut world = World::fresh(small());
    let id = world.open_fast(1);
    world.settle();
    world.fill(id, 3, 100);
    world.settle();
    world.engine.raise(id, Offset(2), Offset(2));
    assert_eq!(world.durable(id), 0);
    world.open(id, TopicConfig::default());
    world.engine.raise(id, Offset(2), Offset(2));
    let early = catch_unwind(AssertUnwindSafe(|| {
        world.engine.raise(id, Offset(3), Offset(3));
    }));
    assert!(early.is_err(), "#12: shown before it is durable");
}
