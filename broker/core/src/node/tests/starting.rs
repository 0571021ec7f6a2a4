//! How a node comes up: founded once, cut short anywhere, over damage, or not at all and with nothing changed.
//! Held for deaths at every operation of a founding and of a restart: what was acknowledged is there, and once.

use sawlog_wire::Code;

use super::{refused, start, used};
use crate::effect::Line;
use crate::event::Found;
use crate::ids::*;
use crate::node::testing::*;

/// What a node says of itself, which must not change from one life to the next.
fn identity(files: &Files) -> Vec<u8> {
    files["meta.properties"].clone().unwrap()
}

#[test]
pub(super) fn a_node_that_stops_says_so_once_and_comes_back_as_itself() {
    for shards in [1, 2] {
        let mut world = World::started(Files::new(), shards);
        let topic = world.create_one("a", 4);
        for number in 0..4 {
            world.produce(log(topic, number), batch(&["x", "y"], None));
        }
        world.stop();
        let (files, before) = (world.files, world.image.unwrap());
        assert_eq!(
            files["a-0/00000000000000000000.log"]
                .as_ref()
                .unwrap()
                .len(),
            batch(&["x", "y"], None).len()
        );

        let mut world = World::started(files.clone(), shards);
        assert_eq!(identity(&world.files), identity(&files));
        let image = world.image.clone().unwrap();
        assert_eq!(
            (&image.cluster, image.topics.keys().collect::<Vec<_>>()),
            (&before.cluster, before.topics.keys().collect())
        );
        assert!(
            image.brokers[&BrokerId(1)].epoch > before.brokers[&BrokerId(1)].epoch,
            "#42"
        );
        assert!(image.term > before.term, "#33");
        for number in 0..4 {
            let log = log(topic, number);
            let (was, is) = (
                before.partition(log).unwrap().epoch,
                image.partition(log).unwrap().epoch,
            );
            assert_eq!(is.0, was.0 + 1, "#3");
            assert_eq!(world.fetch(log, 0).hw, Offset(2), "#96");
            assert_eq!(world.produce(log, batch(&["z"], None)).base, Offset(2));
        }
    }
}

#[test]
pub(super) fn a_node_that_is_killed_comes_back_with_all_that_was_acknowledged() {
    let mut files = Files::new();
    let mut known = None;
    for life in 0..5i64 {
        let mut world = World::started(files, 1);
        let topic = *known.get_or_insert_with(|| world.create_one("a", 1));
        let log = log(topic, 0);
        let epoch = world.image.as_ref().unwrap().partition(log).unwrap().epoch;
        assert_eq!(i64::from(epoch.0), life, "#3, #41");
        assert_eq!(world.fetch(log, 0).hw, Offset(life), "#96");
        assert_eq!(
            world.produce(log, batch(&["x"], None)).base,
            Offset(life),
            "#1"
        );
        files = world.files;
    }
}

#[test]
pub(super) fn a_node_with_nothing_stops_too() {
    let mut world = World::started(Files::new(), 1);
    world.stop();
    let mut world = World::started(world.files, 1);
    world.stop();
}

/// Every point of a founding at which the process may die or the power may go: the next start is a whole node, founded
/// once.
#[test]
pub(super) fn a_founding_that_was_cut_short_anywhere_is_made_again_or_gone_on_from() {
    for (shards, power) in [(1, false), (1, true), (2, false), (2, true)] {
        let whole = World::started(Files::new(), shards).operations;
        for at in 1..=whole {
            let mut world = World::new(Files::new(), shards);
            world.die_at = Some(at);
            world.start(found(shards));
            let files = if power {
                world.power_cut()
            } else {
                world.files
            };
            let before = files.get("meta.properties").cloned();
            let mut world = World::new(files, shards);
            world.start(found(shards));
            assert!(
                world.is_ready(),
                "#97: died before operation {at}: {:?}",
                world.lines
            );
            if before.is_some() {
                assert_eq!(
                    world.files.get("meta.properties"),
                    before.as_ref(),
                    "#97: operation {at}"
                );
            }
            let topic = world.create_one("a", 1);
            assert_eq!(
                world.produce(log(topic, 0), batch(&["x"], None)).code,
                Code::None
            );
        }
    }
}

/// Every point of a restart at which the process may die: nothing that was acknowledged is lost, nothing is doubled.
#[test]
pub(super) fn a_start_that_was_cut_short_anywhere_is_made_again() {
    let mut first = World::started(Files::new(), 2);
    let topic = first.create_one("a", 2);
    for number in 0..2 {
        first.produce(log(topic, number), batch(&["x"], None));
    }
    let files = first.files;
    let whole = World::started(files.clone(), 2).operations;
    for at in 1..=whole {
        let mut world = World::new(files.clone(), 2);
        world.die_at = Some(at);
        world.start(found(2));
        let mut world = World::new(world.files, 2);
        world.start(found(2));
        assert!(
            world.is_ready(),
            "#97: died before operation {at}: {:?}",
            world.lines
        );
        for number in 0..2 {
            assert_eq!(
                world.fetch(log(topic, number), 0).hw,
                Offset(1),
                "#96: died before operation {at}"
            );
        }
    }
}

/// Every point of a start that cuts a damaged last commit on each shard: whether or not the start comes to its end, the
/// process that made the cut durable, or the one after it, has named the shard.
#[test]
pub(super) fn a_cut_is_told_before_a_start_that_dies_can_make_it_durable_99() {
    let mut first = World::started(Files::new(), 2);
    let topic = first.create_one("a", 2);
    for number in 0..2 {
        first.produce(log(topic, number), batch(&["precious"], None));
    }
    let mut files = first.files;
    let mut struck = 0;
    for (_, bytes) in files
        .iter_mut()
        .filter(|(name, _)| name.starts_with("commit/"))
    {
        let bytes = bytes.as_mut().unwrap();
        while let Some(at) = bytes.windows(8).position(|window| window == b"precious") {
            bytes[at] ^= 1;
            struck += 1;
        }
    }
    assert_eq!(struck, 2, "each shard's last commit holds one batch");
    let whole = World::started(files.clone(), 2).operations;
    for at in 1..=whole {
        let mut dying = World::new(files.clone(), 2);
        dying.die_at = Some(at);
        dying.start(found(2));
        let next = World::started(dying.files, 2);
        for shard in 0..2 {
            let named = format!("of shard {shard}; ");
            let mut lines = dying.lines.iter().chain(&next.lines);
            assert!(
                lines.any(|line| matches!(
                    line,
                    Line::Warn(text) if text.contains("Cut at byte") && text.contains(&named)
                )),
                "#99: died before operation {at}: {:?}, then {:?}",
                dying.lines,
                next.lines
            );
        }
    }
}

#[test]
pub(super) fn a_directory_that_is_not_ours_is_refused_and_left_alone() {
    let stranger = Files::from([("precious.txt".to_string(), Some(b"mine".to_vec()))]);
    assert!(refused(stranger, found(1)).why.contains("precious.txt"));

    let another = Found {
        cluster_id: Some("another".into()),
        ..found(1)
    };
    assert_eq!(
        refused(used(), another).code,
        Some(Code::InconsistentClusterId)
    );

    let config = crate::config::BrokerConfig {
        node_id: BrokerId(5),
        ..Default::default()
    };
    let other_node = Found {
        config: config.into(),
        ..found(1)
    };
    assert!(refused(used(), other_node).why.contains("node.id=5"));

    let mut newer = used();
    newer.insert(
        "meta.properties".into(),
        Some(b"version=2\ncluster.id=x\n".to_vec()),
    );
    assert_eq!(
        refused(newer, found(1)).code,
        Some(Code::UnsupportedVersion)
    );
}

#[test]
pub(super) fn a_directory_that_lost_its_identity_is_refused_not_founded_anew() {
    let mut files = used();
    files.remove("meta.properties");
    assert!(
        refused(files.clone(), found(1))
            .why
            .contains("meta.properties is missing"),
        "#109"
    );
    files.remove("__cluster_metadata-0/quorum-state");
    assert!(
        refused(files, found(1)).why.contains("commit/"),
        "#109: the ring holds commits"
    );

    for at in 0..used()["meta.properties"].as_ref().unwrap().len() {
        let mut files = used();
        files.get_mut("meta.properties").unwrap().as_mut().unwrap()[at] ^= 0x40;
        let mut world = World::new(files.clone(), 1);
        world.start(found(1));
        let same = world.is_ready() && world.image.as_ref().unwrap().topics.len() == 1;
        assert!(
            same || world.files == files,
            "#102: byte {at}: {:?}",
            world.lines
        );
    }
}

#[test]
pub(super) fn a_directory_that_kafka_wrote_is_named_as_such_and_left_as_it_is() {
    let meta = "#\n#Sat Nov 21 13:15:12 UTC 2026\nnode.id=1\ndirectory.id=X93LQlHipR7_0SMEmZm_uA\nversion=1\n\
                cluster.id=AAAAAAAAQACAAAAAAAAAAQ\n";
    let mut files = Files::new();
    for (name, bytes) in [
        ("meta.properties", Some(meta)),
        ("bootstrap.checkpoint", Some("records")),
        ("__cluster_metadata-0", None),
        (
            "__cluster_metadata-0/00000000000000000000.log",
            Some("records"),
        ),
        ("orders-0", None),
        ("orders-0/00000000000000000000.log", Some("records")),
    ] {
        files.insert(
            name.into(),
            bytes.map(|text: &str| text.as_bytes().to_vec()),
        );
    }
    let said = refused(files, found(1));
    assert!(said.why.ends_with("as one of Apache Kafka's"), "{said}");
    // One of ours that lost a part of itself is not taken for it.
    let mut files = used();
    files.retain(|name, _| !name.starts_with("checkpoint."));
    assert!(!refused(files, found(1)).why.contains("Kafka"));
}

#[test]
pub(super) fn a_lost_or_damaged_quorum_state_is_rebuilt_from_the_log_with_a_higher_term() {
    let files = used();
    let term = World::started(files.clone(), 1).image.unwrap().term;
    for damage in [
        None,
        Some(Vec::new()),
        Some(b"{\"leaderEpoch\":-4}".to_vec()),
    ] {
        let mut files = files.clone();
        match damage {
            None => drop(files.remove("__cluster_metadata-0/quorum-state")),
            damage => drop(files.insert("__cluster_metadata-0/quorum-state".into(), damage)),
        }
        let world = World::started(files, 1);
        assert!(world.image.unwrap().term >= term, "#33");
    }
}

#[test]
pub(super) fn a_directory_that_matches_no_topic_is_left_as_it_is() {
    let mut files = used();
    files.insert("orphan-0".into(), None);
    files.insert(
        "orphan-0/00000000000000000000.log".into(),
        Some(b"precious".to_vec()),
    );
    let world = World::started(files, 1);
    assert!(
        world
            .files
            .contains_key("orphan-0/00000000000000000000.log"),
        "#40"
    );
}

#[test]
pub(super) fn a_node_of_full_size_stops_too() {
    let full = Found {
        engine: crate::log::EngineConf::default(),
        ..found(1)
    };
    let mut world = start(Files::new(), full.clone());
    let log = log(world.create_one("a", 1), 0);
    world.produce(log, batch(&["x"], None));
    world.stop();
    let mut world = start(world.files, full);
    assert_eq!(world.fetch(log, 0).hw, Offset(1));
    world.stop();
}

#[test]
pub(super) fn producer_ids_of_one_life_are_never_those_of_another() {
    let mut world = World::started(Files::new(), 1);
    let first = [world.producer_id(), world.producer_id()];
    let mut world = World::started(world.files, 1);
    assert!(!first.contains(&world.producer_id()), "#73");
}

#[test]
pub(super) fn a_node_serves_all_it_had_with_any_other_number_of_shards() {
    for stopped in [false, true] {
        let mut world = World::started(Files::new(), 2);
        let topic = world.create_one("a", 8);
        for (life, shards) in (0..).zip([1, 3, 2, 2, 1]) {
            for number in 0..8 {
                let log = log(topic, number);
                assert_eq!(world.fetch(log, 0).hw, Offset(life), "#96");
                assert_eq!(
                    world.produce(log, batch(&["x"], None)).base,
                    Offset(life),
                    "#1"
                );
            }
            if stopped {
                world.stop();
            }
            world = World::started(world.files, shards);
        }
        for number in 0..8 {
            assert_eq!(world.fetch(log(topic, number), 0).hw, Offset(5), "#96");
        }
    }
}

/// What a node says of its start.
fn told(world: &World) -> &str {
    let text = world.lines.iter().find_map(|line| match line {
        Line::Ready { text } => Some(text.as_str()),
        _ => None,
    });
    text.unwrap()
}

#[test]
fn a_start_says_how_the_last_one_ended_and_counts_each_log_once_whatever_the_number_of_shards() {
    let mut world = World::started(Files::new(), 2);
    assert_eq!(told(&world), "a new node");
    let topic = world.create_one("a", 8);
    for number in 0..8 {
        world.produce(log(topic, number), batch(&["x"], None));
    }
    // Eight of users, and the cluster's own.
    let beginnings = [
        (2, true, "after a crash: 9 logs, "),
        (3, true, "after a clean stop with sawlog.shards=2: 9 logs, "),
        (3, false, "after a clean stop: 9 logs, "),
        (1, true, "after a crash with sawlog.shards=3: 9 logs, "),
        (1, true, "after a clean stop: 9 logs, "),
    ];
    for (shards, stops, beginning) in beginnings {
        world = World::started(world.files, shards);
        let text = told(&world);
        assert!(text.starts_with(beginning), "{shards} shards: {text}");
        assert!(
            text.ends_with(" bytes") && text.contains(" replayed from "),
            "{text}"
        );
        if stops {
            world.stop();
        }
    }
}
