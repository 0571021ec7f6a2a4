//! Snapshots of the metadata: written, loaded, bounded; rotten, lost, or cut short by death and by a power cut.
//! Oracle: the image that was live before. Every start serves the same one, or refuses and changes nothing (#39, #99).

use sawlog_wire::messages::create_topics::CreateTopicsRequest;

use super::{refused, start};
use crate::answer::*;
use crate::cluster::image::Image;
use crate::config::BrokerConfig;
use crate::effect::Line;
use crate::event::Found;
use crate::ids::*;
use crate::node::testing::*;

/// A node that writes a snapshot after every few records of metadata.
fn eager(shards: u16) -> Found {
    let config = BrokerConfig {
        snapshot_bytes: 600,
        ..Default::default()
    };
    Found {
        config: config.into(),
        ..found(shards)
    }
}

fn snapshots(files: &Files) -> Vec<String> {
    let in_dir =
        |path: &&String| path.starts_with("__cluster_metadata-0/") && path.ends_with(".checkpoint");
    files.keys().filter(in_dir).cloned().collect()
}

/// A node of several lives and topics, with two snapshots and a metadata log that begins at the older one.
fn long_lived() -> (Files, Image) {
    let mut files = Files::new();
    for life in 0..4 {
        let mut world = start(files, eager(1));
        for topic in 0..3 {
            world.create_one(&format!("t{life}-{topic}"), 2);
        }
        files = world.files;
        if life == 3 {
            return (files, (*world.image.unwrap()).clone());
        }
    }
    unreachable!()
}

#[test]
pub(super) fn snapshots_are_written_loaded_and_bounded_and_the_image_is_the_same_by_every_way() {
    let (files, before) = long_lived();
    assert_eq!(snapshots(&files).len(), 2, "{:?}", snapshots(&files));
    let world = start(files.clone(), eager(1));
    assert!(world.is_ready(), "{:?}", world.lines);
    let image = world.image.unwrap();
    assert_eq!(
        image.topics.keys().collect::<Vec<_>>(),
        before.topics.keys().collect::<Vec<_>>(),
        "#41"
    );
    assert_eq!(image.configs, before.configs);
    assert_eq!(image.producer_ids, before.producer_ids);

    // The newest is lost or rotten: the one before it and the log say the same.
    let newest = snapshots(&files).pop().unwrap();
    for damage in 0..3 {
        let mut files = files.clone();
        let bytes = files.get_mut(&newest).unwrap().as_mut().unwrap();
        match damage {
            0 => bytes.truncate(bytes.len() / 2),
            1 => bytes[100] ^= 1,
            _ => drop(files.remove(&newest)),
        }
        let world = start(files, found(1));
        assert!(world.is_ready(), "#39: {:?}", world.lines);
        let other = world.image.unwrap();
        assert_eq!(
            other.topics.keys().collect::<Vec<_>>(),
            image.topics.keys().collect::<Vec<_>>(),
            "#39"
        );
    }
}

#[test]
pub(super) fn a_metadata_log_that_no_whole_snapshot_reaches_is_refused_and_left_alone() {
    let (mut files, _) = long_lived();
    for name in snapshots(&files) {
        files.get_mut(&name).unwrap().as_mut().unwrap()[100] ^= 1;
    }
    assert!(
        refused(files, found(1))
            .why
            .contains("newest whole snapshot"),
        "#39"
    );
}

/// One bit is flipped, at many places of the commit log of a node that was killed, and of the metadata log's own files of one
/// that was stopped. Where the metadata of a whole snapshot covers it, the node goes on from that and says so; where it
/// does not, it refuses and changes nothing; and what it serves is always the same.
#[test]
pub(super) fn rot_in_the_metadata_log_is_covered_by_a_whole_snapshot_above_it_or_refused_39_99() {
    let (files, _) = long_lived();
    // The last life writes no snapshot: what it says is in the log alone.
    let mut world = start(files, found(1));
    world.create_one("late", 2);
    let before = world.image.clone().unwrap();
    rot_is_covered_or_refused(&world.files, &before, "commit/", 37);
    world.stop();
    rot_is_covered_or_refused(&world.files, &before, "__cluster_metadata-0/0", 11);
}

fn rot_is_covered_or_refused(files: &Files, before: &Image, below: &str, step: usize) {
    let known: Vec<_> = before.topics.keys().collect();
    let (mut covered, mut refusals) = (0, 0);
    for (name, bytes) in files {
        let bytes = match bytes {
            Some(bytes) if name.starts_with(below) && !name.ends_with(".checkpoint") => bytes,
            _ => continue,
        };
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        for at in (0..used).step_by(step).filter(|at| bytes[*at] != 0) {
            let mut files = files.clone();
            files.get_mut(name).unwrap().as_mut().unwrap()[at] ^= 0x10;
            let world = start(files.clone(), eager(1));
            if !world.is_ready() {
                let complaint = world.fatal().unwrap();
                assert!(world.files == files, "byte {at} of {name}: {complaint}");
                refusals += 1;
                continue;
            }
            let image = world.image.as_ref().unwrap();
            let topics: Vec<_> = image.topics.keys().collect();
            assert_eq!(topics, known, "#39: byte {at} of {name}");
            assert_eq!(image.configs, before.configs);
            let says = |line: &Line| matches!(line, Line::Warn(text) if text.contains("goes on from that"));
            if world.lines.iter().any(says) {
                covered += 1;
                // And again, from what that start left.
                let world = start(world.files, eager(1));
                assert!(world.is_ready(), "byte {at} of {name}: {:?}", world.lines);
                assert_eq!(world.image.unwrap().topics.len(), known.len());
            }
        }
    }
    assert!(covered > 2, "#144: {covered} were covered below {below}");
    assert!(refusals > 2, "#144: {refusals} were refused below {below}");
}

#[test]
pub(super) fn a_node_that_dies_anywhere_while_it_writes_snapshots_comes_back_with_all_its_topics() {
    let (files, _) = long_lived();
    let mut whole = start(files.clone(), eager(1));
    let from = whole.operations;
    whole.create_one("last", 30);
    let to = whole.operations;
    assert!(
        to > from + 5,
        "#144: a snapshot was written: {from} to {to}"
    );
    for at in from + 1..=to {
        let mut world = World::new(files.clone(), 1);
        world.die_at = Some(at);
        world.start(eager(1));
        let known = world.image.as_ref().unwrap().topics.len();
        let deadline = world.after(1000);
        let request = CreateTopicsRequest {
            topics: vec![topic("last", 30)],
            ..Default::default()
        };
        world.ask(
            ShardId(0),
            command(Command::CreateTopics(request), deadline),
        );
        world.run();
        let world = start(world.files, eager(1));
        assert!(
            world.is_ready(),
            "#39: died before operation {at}: {:?}",
            world.lines
        );
        assert!(
            world.image.unwrap().topics.len() >= known,
            "#39: died before operation {at}"
        );
    }
}

#[test]
pub(super) fn a_power_cut_after_snapshots_were_written_loses_no_topic() {
    let mut world = start(Files::new(), eager(1));
    for number in 0..8 {
        world.create_one(&format!("t{number}"), 20);
    }
    assert!(snapshots(&world.files).len() == 2, "#144");
    let mut world = World::new(world.power_cut(), 1);
    world.start(eager(1));
    assert!(world.is_ready(), "#39, #102: {:?}", world.lines);
    assert_eq!(world.image.unwrap().topics.len(), 8, "#39, #102");
}
