//! A log that goes: its directory goes with it, whenever the process died (#40).
//! Held by the names that are left on the disk: none of the dropped log's, and every one of the next log of that name.

use super::super::testing::{World, batch, is_commit, log, small};
use super::super::{AppendRefusal, LogSpec, Told};
use crate::config::TopicConfig;
use crate::file::{FileName, FileOp, RingKind, Served};
use crate::ids::Offset;
use crate::timers::AlarmKey;

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
        config: config.into(),
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

#[test]
fn a_dropped_log_goes_after_its_fact_is_durable_and_the_next_of_its_name_is_another_40_45() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    for _ in 0..60 {
        world.fill(id, 1, 1000);
        world.settle();
    }
    assert!(!world.disk.names("t1-0/").is_empty());
    world.fill(id, 1, 1000);
    world.drop_log(id);
    world.settle();
    assert!(world.told.contains(&Told::Gone(id)));
    assert!(world.disk.names("t1-0").is_empty());
    assert_eq!(
        world.try_append(id, batch(1, 10, 0, None)),
        Err(AppendRefusal::NotOpen)
    );
    let mut next = log(1);
    next.topic.0.0[15] = 99;
    world.open(next, TopicConfig::default());
    for _ in 0..60 {
        world.fill(next, 1, 1000);
        world.settle();
    }
    assert_eq!(world.read_all(next, 0).len(), 60);
}

#[test]
pub(in crate::log) fn the_next_log_of_a_name_waits_until_the_one_before_has_left_40_45() {
    let mut world = World::fresh(small());
    let id = world.open_fast(1);
    world.settle();
    for _ in 0..60 {
        world.fill(id, 1, 1000);
        world.flush();
        world.alarm(AlarmKey::Flush);
        world.settle();
    }
    assert!(!world.disk.names("t1-0/").is_empty());
    // 1. Its last batch is not synced when it is told to go, so the fact must wait.
    world.fill(id, 1, 1000);
    world.flush();
    world.drop_log(id);
    // 2. The next one of its name is made, and enough is written to spill it.
    let mut next = log(1);
    next.topic.0.0[15] = 99;
    world.open(next, TopicConfig::default());
    let is_fast_sync = |op: &FileOp| {
        matches!(
            op,
            FileOp::Sync(FileName::Ring {
                kind: RingKind::Fast,
                ..
            })
        )
    };
    for _ in 0..60 {
        world.fill(next, 1, 1000);
        world.flush();
        while let Some(index) = world.queue.iter().position(|(_, op)| !is_fast_sync(op)) {
            world.step(index);
            world.flush();
        }
    }
    assert_eq!(world.durable(next), 60);
    // 3. The sync lands, the fact follows, and the directory of that name goes.
    world.settle();
    assert!(world.told.contains(&Told::Gone(id)));
    for _ in 0..60 {
        world.fill(next, 1, 1000);
        world.settle();
    }
    assert_eq!(world.read_all(next, 0).len(), 120);
    let mut world = world.restart(small());
    world.open(next, TopicConfig::default());
    assert_eq!(world.read_all(next, 0).len(), 120);
    let strays = world.disk.dirs.iter().filter(|dir| dir.contains("-stray"));
    assert_eq!(strays.count(), 0, "a leaver's directory is no stranger's");
}

#[test]
fn a_drop_that_is_made_again_leaves_the_next_topics_directory_40() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    for _ in 0..60 {
        world.fill(id, 1, 1000);
        world.settle();
    }
    // Somebody else's directory took the name: the drop looks at its tag first.
    let tag = world.disk.files.get_mut("t1-0/partition.metadata");
    *tag.expect("a tag") = b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAw".to_vec();
    let before = world.disk.names("t1-0/");
    world.drop_log(id);
    world.settle();
    assert!(world.told.contains(&Told::Gone(id)));
    assert_eq!(world.disk.names("t1-0/"), before);
}

#[test]
fn a_directory_of_another_topic_is_put_aside_not_adopted_45() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    world.disk.dirs.insert("t1-0".into());
    world.disk.files.insert(
        "t1-0/partition.metadata".into(),
        b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAw".to_vec(),
    );
    world
        .disk
        .files
        .insert("t1-0/00000000000000000000.log".into(), b"theirs".to_vec());
    for _ in 0..60 {
        world.fill(id, 1, 1000);
        world.settle();
    }
    let kept: Vec<_> = world
        .disk
        .files
        .iter()
        .filter(|(_, bytes)| *bytes == b"theirs")
        .collect();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].0.contains("-stray/"));
    assert_eq!(world.read_all(id, 0).len(), 60);
}

#[test]
fn a_dropped_log_stays_dropped_after_a_start_40() {
    let mut world = World::fresh(small());
    let (a, b) = (world.open_plain(1), world.open_plain(2));
    for _ in 0..60 {
        world.fill(a, 1, 900);
        world.fill(b, 1, 100);
        world.settle();
    }
    world.drop_log(a);
    world.flush();
    // The fact is written, and nothing else is done.
    while let Some(index) = world.queue.iter().position(|(_, op)| is_commit(op)) {
        world.step(index);
    }
    let mut world = world.restart(small());
    assert_eq!(world.engine.marks(a), None);
    world.settle();
    assert!(
        world.disk.names("t1-0").is_empty(),
        "{:?}",
        world.disk.names("t1-0")
    );
    world.open_plain(2);
    assert_eq!(world.read_all(b, 0).len(), 60);
}
