//! Deletion: a topic goes with all it had, for ever, and takes nothing with it; a log starts later, and stays so.
//! Held by names on the disk and by answers, through deaths at any operation and into later lives (#40, #45).

use sawlog_wire::Code;

use crate::answer::*;
use crate::event::Event;
use crate::ids::*;
use crate::node::testing::*;

/// Whether anything of a topic lies in a directory that may still be used.
fn on_disk(world: &World, name: &str) -> bool {
    let prefix = format!("{name}-");
    world.files.keys().any(|path| path.starts_with(&prefix))
}

/// A clean stop puts what was produced into segments, so that there are directories to remove.
fn spilled(mut world: World, shards: u16) -> World {
    world.stop();
    World::started(world.files, shards)
}

#[test]
pub(super) fn a_deleted_topic_goes_with_its_records_and_nothing_of_another_is_touched_40_45() {
    for shards in [1, 2] {
        let mut world = World::started(Files::new(), shards);
        let (gone, kept) = (world.create_one("gone", 4), world.create_one("kept", 4));
        for number in 0..4 {
            world.produce(log(gone, number), batch(&["x"], None));
            world.produce(log(kept, number), batch(&["y", "z"], None));
        }
        let mut world = spilled(world, shards);
        assert!(
            on_disk(&world, "gone"),
            "#144: there is something to remove"
        );
        assert_eq!(
            world.delete(&["gone", "absent"]),
            [Code::None, Code::UnknownTopicOrPartition]
        );
        assert_eq!(
            world.fetch(log(gone, 0), 0).code,
            Code::UnknownTopicOrPartition
        );
        assert!(!on_disk(&world, "gone"), "#40: its bytes are gone");
        for _ in 0..2 {
            for number in 0..4 {
                assert_eq!(world.fetch(log(kept, number), 0).hw, Offset(2), "#40");
                assert_eq!(world.fetch(log(kept, number), 0).records.len(), 1, "#40");
            }
            let again = world.create_one("gone", 4);
            assert_ne!(again, gone, "#45: an id never returns");
            for number in 0..4 {
                assert_eq!(world.fetch(log(again, number), 0).hw, Offset(0), "#45");
            }
            assert_eq!(world.delete(&["gone"]), [Code::None]);
            world = World::started(world.files, shards);
            assert_eq!(
                world.fetch(log(gone, 1), 0).code,
                Code::UnknownTopicOrPartition,
                "#45: it does not come back with a start"
            );
        }
    }
}

#[test]
pub(super) fn a_deletion_that_was_answered_outlives_a_death_at_any_operation_40() {
    let mut world = World::started(Files::new(), 2);
    let (gone, kept) = (world.create_one("gone", 4), world.create_one("kept", 4));
    for number in 0..4 {
        world.produce(log(gone, number), batch(&["x"], None));
        world.produce(log(kept, number), batch(&["y"], None));
    }
    let world = spilled(world, 2);
    let (files, from) = (world.files.clone(), world.operations);
    let to = {
        let mut world = world;
        assert_eq!(world.delete(&["gone"]), [Code::None]);
        world.operations
    };
    assert!(to > from + 8, "#144: something was removed: {from} to {to}");
    for at in 1..=to - from {
        let mut world = World::started(files.clone(), 2);
        world.die_at = Some(world.operations + at);
        let deadline = world.after(1000);
        let request = sawlog_wire::messages::DeleteTopicsRequest {
            topic_names: vec!["gone".into()],
            ..Default::default()
        };
        let waiter = world.ask(
            ShardId(0),
            command(Command::DeleteTopics(request), deadline),
        );
        world.run();
        let answered = world.replies.contains_key(&waiter);
        let mut world = World::started(world.files, 2);
        let there = world.image.as_ref().unwrap().topic("gone").is_some();
        assert!(!(answered && there), "#43: died at {at}");
        assert_eq!(on_disk(&world, "gone"), there, "#40: died at {at}");
        for number in 0..4 {
            assert_eq!(
                world.fetch(log(kept, number), 0).hw,
                Offset(1),
                "#40: died at {at}"
            );
        }
    }
}

/// A stop spills a topic for the first time and is killed; the topic is deleted in the next life.
#[test]
fn a_deletion_removes_what_a_first_spill_had_only_begun_40() {
    let mut world = World::started(Files::new(), 2);
    let (gone, kept) = (world.create_one("gone", 4), world.create_one("kept", 4));
    for number in 0..4 {
        world.produce(log(gone, number), batch(&["x"], None));
        world.produce(log(kept, number), batch(&["y"], None));
    }
    let files = world.files.clone();
    let (mut begun, mut at) = (0, 0);
    loop {
        let mut world = World::started(files.clone(), 2);
        at += 1;
        let die_at = world.operations + at;
        world.die_at = Some(die_at);
        world.give(ShardId(0), Event::Stop);
        world.run();
        if world.operations < die_at {
            break;
        }
        begun += u32::from(on_disk(&world, "gone"));
        let mut world = World::started(world.files, 2);
        assert_eq!(world.delete(&["gone"]), [Code::None]);
        let left: Vec<_> = world
            .files
            .keys()
            .filter(|path| path.contains("gone"))
            .collect();
        assert!(left.is_empty(), "#40: died at {at}: {left:?}");
        let ids = |path: &&String| path.starts_with("unknown/");
        assert_eq!(world.files.keys().find(ids), None, "#40: died at {at}");
        assert_eq!(
            world.fetch(log(kept, 3), 0).hw,
            Offset(1),
            "#40: died at {at}"
        );
    }
    assert!(begun > 4, "#144: {begun} of {at} deaths left a directory");
}

#[test]
pub(super) fn no_snapshot_is_written_before_every_shard_has_let_go_of_what_was_deleted_40() {
    let mut eager = found(2);
    let config = crate::config::BrokerConfig {
        snapshot_bytes: 200,
        ..Default::default()
    };
    eager.config = std::sync::Arc::new(config);
    let mut world = World::new(Files::new(), 2);
    world.start(eager.clone());
    let gone = world.create_one("gone", 8);
    for number in 0..8 {
        world.produce(log(gone, number), batch(&["x"], None));
    }
    world.stop();
    let mut world = World::new(world.files, 2);
    world.start(eager.clone());
    // What shard 1 is to do hangs; the metadata log moves on, by as much as a snapshot is due for.
    world.hang = Some(ShardId(1));
    let deadline = world.after(1000);
    let request = sawlog_wire::messages::DeleteTopicsRequest {
        topic_names: vec!["gone".into()],
        ..Default::default()
    };
    world.ask(
        ShardId(0),
        command(Command::DeleteTopics(request), deadline),
    );
    world.run();
    let deadline = world.after(1000);
    let request = sawlog_wire::messages::CreateTopicsRequest {
        topics: vec![topic("more", 6)],
        ..Default::default()
    };
    world.ask(
        ShardId(0),
        command(Command::CreateTopics(request), deadline),
    );
    world.run();
    let mut world = World::new(world.files, 2);
    world.start(eager);
    assert!(world.is_ready(), "{:?}", world.lines);
    assert!(
        world.image.as_ref().unwrap().topic("more").is_some(),
        "#144"
    );
    assert!(!on_disk(&world, "gone"), "#40: the next start finishes it");
    assert_eq!(
        world.fetch(log(gone, 0), 0).code,
        Code::UnknownTopicOrPartition
    );
}

#[test]
pub(super) fn whoever_waits_for_a_deleted_topic_is_answered_137() {
    let mut world = World::started(Files::new(), 1);
    let gone = log(world.create_one("gone", 1), 0);
    let watch = WatchPart {
        log: gone,
        isolation: Isolation::ReadUncommitted,
        beyond: Offset(0),
    };
    let watching = world.ask(ShardId(0), Part::Watch(watch));
    world.run();
    assert!(!world.replies.contains_key(&watching));
    assert_eq!(world.delete(&["gone"]), [Code::None]);
    assert_eq!(world.replies[&watching], [Response::Watched]);
}

#[test]
pub(super) fn a_log_starts_later_once_that_is_durable_and_never_earlier_again_5_89() {
    let mut world = World::started(Files::new(), 1);
    let (cut, other) = (world.create_one("cut", 1), world.create_one("other", 1));
    let (cut, other) = (log(cut, 0), log(other, 0));
    for _ in 0..5 {
        world.produce(cut, batch(&["x", "y"], None));
        world.produce(other, batch(&["z"], None));
    }
    assert_eq!(
        world.trim(cut, Some(11)),
        (Code::OffsetOutOfRange, Offset(-1)),
        "#5"
    );
    assert_eq!(world.trim(cut, Some(3)), (Code::None, Offset(3)));
    assert_eq!(
        world.trim(cut, Some(1)),
        (Code::None, Offset(3)),
        "#5: it never falls"
    );
    assert_eq!(world.fetch(cut, 2).code, Code::OffsetOutOfRange);
    assert_eq!(world.fetch(cut, 3).records.len(), 4, "gotcha 11");
    let mut world = World::started(world.files, 1);
    assert_eq!(world.fetch(cut, 2).code, Code::OffsetOutOfRange, "#89");
    assert_eq!(world.fetch(cut, 3).start, Offset(3));
    assert_eq!(world.trim(cut, None), (Code::None, Offset(10)));
    assert_eq!(
        (world.fetch(cut, 10).start, world.fetch(cut, 10).hw),
        (Offset(10), Offset(10))
    );
    assert_eq!(
        world.produce(cut, batch(&["x"], None)).base,
        Offset(10),
        "#1"
    );
    assert_eq!(
        (world.fetch(other, 0).start, world.fetch(other, 0).hw),
        (Offset(0), Offset(5))
    );
}

#[test]
pub(super) fn a_new_start_is_not_told_before_it_is_durable_89() {
    let mut world = World::started(Files::new(), 1);
    let cut = log(world.create_one("cut", 1), 0);
    world.produce(cut, batch(&["x", "y"], None));
    world.slow = true;
    let (to, deadline) = (Some(Offset(1)), world.after(1000));
    let asked = world.ask(
        ShardId(0),
        Part::Trim(TrimPart {
            log: cut,
            to,
            deadline,
        }),
    );
    world.run();
    assert!(!world.replies.contains_key(&asked), "#89");
    world.pass(2_000_000_000);
    world.run();
    let late = Response::Trimmed {
        code: Code::RequestTimedOut,
        start: Offset(-1),
    };
    assert_eq!(world.replies[&asked], [late], "#114");
}

#[test]
pub(super) fn more_partitions_serve_as_soon_as_it_is_answered_43() {
    let mut world = World::started(Files::new(), 2);
    let topic = world.create_one("grows", 1);
    world.produce(log(topic, 0), batch(&["x"], None));
    let request = sawlog_wire::messages::CreatePartitionsRequest {
        topics: vec![
            sawlog_wire::messages::create_partitions::CreatePartitionsTopic {
                name: "grows".into(),
                count: 8,
                ..Default::default()
            },
        ],
        ..Default::default()
    };
    match world.command(Command::CreatePartitions(request)) {
        Commanded::CreatePartitions(answer) => assert_eq!(answer.results[0].error_code, Code::None),
        other => panic!("{other:?}"),
    }
    for _ in 0..2 {
        for number in 1..8 {
            assert_eq!(world.fetch(log(topic, number), 0).code, Code::None, "#43");
        }
        assert_eq!(world.fetch(log(topic, 0), 0).hw, Offset(1));
        world = World::started(world.files, 2);
    }
}
