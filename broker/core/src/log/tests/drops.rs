//! A log that goes: its directory goes with it, whenever the process died (#40).

use super::super::testing::{World, is_commit, log, small};
use super::super::{LogSpec, Told};
use crate::config::TopicConfig;
use crate::file::Served;
use crate::ids::Offset;

/// Writes until the first spill of the log has made its directory, and no further: no checkpoint names it.
fn first_spill_begun() -> World {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    while world.disk.names("t1-0/").is_empty() {
        if world.queue.is_empty() {
            world.fill(id, 1, 1000);
        }
        world.flush();
        world.step(0);
    }
    assert_eq!(world.disk.names("t1-0/"), ["t1-0/partition.metadata"]);
    world
}

/// What is queued is committed, and nothing else is done.
fn land_commits(world: &mut World) {
    world.flush();
    while let Some(index) = world.queue.iter().position(|(_, op)| is_commit(op)) {
        world.step(index);
        world.flush();
    }
}

#[test]
fn a_directory_whose_first_spill_was_cut_short_goes_with_the_next_process_40() {
    let mut world = first_spill_begun().restart(small());
    world.drop_log(log(1));
    world.settle();
    assert!(world.told.contains(&Told::Gone(log(1))));
    assert!(world.disk.names("t1-0").is_empty());
    assert!(
        world.disk.names("unknown/").is_empty(),
        "its name is known: a leaver is not spilled as nobody's"
    );
}

/// The deletion is durable and the process dies: what it had begun to spill stands in no checkpoint. The metadata knows the
/// name.
pub(in crate::log) fn a_drop_is_finished_by_name() {
    let mut world = first_spill_begun();
    world.drop_log(log(1));
    land_commits(&mut world);
    let mut world = World::on_what(world, small());
    world.engine.names_follow();
    world.begin();
    world.accept();
    world.settle();
    assert_eq!(
        world.engine.marks(log(1)),
        None,
        "#144: the fact is durable"
    );
    assert!(
        !world.told.contains(&Told::Gone(log(1))),
        "#40: it is not gone before the metadata could say its name"
    );
    assert_eq!(world.engine.dropped_logs().collect::<Vec<_>>(), [log(1)]);
    world.drop_log(log(1));
    world.engine.named();
    world.settle();
    assert!(world.told.contains(&Told::Gone(log(1))));
    assert!(world.disk.names("t1-0").is_empty(), "#40: left behind");
}

#[test]
fn a_drop_of_which_no_checkpoint_knows_the_directory_is_finished_by_name_40() {
    a_drop_is_finished_by_name();
}

/// The name is no longer known once everything is gone: a drop that is replayed then asks for nothing.
#[test]
fn a_drop_that_the_metadata_has_forgotten_is_over_40() {
    let mut world = first_spill_begun();
    world.drop_log(log(1));
    world.settle();
    assert!(world.disk.names("t1-0").is_empty());
    let mut world = World::on_what(world, small());
    world.engine.names_follow();
    world.begin();
    world.accept();
    world.engine.named();
    world.settle();
    assert_eq!(world.engine.dropped_logs().count(), 0);
}

/// Both facts ride in one commit; the first one's removal begins before the second is looked at.
#[test]
fn two_logs_dropped_by_one_commit_both_take_their_directories_40() {
    let mut world = first_spill_begun();
    world.open_plain(2);
    world.fill(log(2), 1, 100);
    land_commits(&mut world);
    let mut world = world.restart(small());
    world.disk.dirs.insert("t2-0".into());
    world.drop_log(log(2));
    world.drop_log(log(1));
    world.settle();
    for id in [log(1), log(2)] {
        assert!(world.told.contains(&Told::Gone(id)));
    }
    assert_eq!(
        world.disk.dirs.iter().find(|dir| dir.starts_with('t')),
        None
    );
}

/// A reader holds a segment that the log lost at its front; the topic is deleted and made again by its name, and only then is
/// the reader done.
pub(in crate::log) fn a_reader_outlives_the_topic_that_had_the_name() {
    let mut world = World::fresh(small());
    let old = log(1);
    let config = TopicConfig {
        segment_bytes: 10_000,
        ..TopicConfig::default()
    };
    world.open(old, config.clone());
    for _ in 0..40 {
        world.fill(old, 1, 3000);
        world.settle();
    }
    let plan = world.plan(old, 0, 100).expect("a plan");
    let first = "t1-0/00000000000000000000.log";
    assert_eq!(plan.files[0].to_string(), first, "#144: it is spilled");
    world.engine.raise(old, Offset(40), Offset(40));
    world.engine.trim(old, Offset(30)).expect("is accepted");
    world.settle();
    assert!(world.disk.files.contains_key(first), "#7: it is being read");
    world.drop_log(old);
    world.settle();
    assert!(world.told.contains(&Told::Gone(old)));

    let new = log(2);
    let spec = LogSpec {
        dir: "t1-0".into(),
        config,
        urgent: false,
    };
    world.engine.open(new, spec);
    for _ in 0..40 {
        world.fill(new, 1, 3000);
        world.settle();
    }
    assert!(world.disk.files.contains_key(first), "#144: of the new one");
    world.engine.served(&plan, &Served::Dropped, &mut world.ops);
    world.settle();
    assert_eq!(
        world.read_all(new, 0).len(),
        40,
        "#7: a stranger's file is gone"
    );
}

#[test]
fn a_reader_that_outlives_its_topic_takes_no_file_of_the_next_one_of_that_name_7() {
    a_reader_outlives_the_topic_that_had_the_name();
}
