//! A whole node on a disk of memory: found, create, produce, read, stop, come back.

use sawlog_wire::Code;
use sawlog_wire::messages::create_topics::CreateTopicsRequest;

use crate::answer::*;
use crate::complaint::Complaint;
use crate::event::Found;
use crate::file::{Fault, FaultKind, FileName, FileOp};
use crate::ids::*;
use crate::node::testing::*;

#[test]
fn a_new_node_founds_itself_and_what_is_produced_is_read_back() {
    let mut world = World::started(Files::new(), 1);
    let topic = world.create_one("a", 2);
    let log = log(topic, 1);
    let produced = world.produce(log, batch(&["x", "y"], None));
    assert_eq!((produced.code, produced.base), (Code::None, Offset(0)));
    let produced = world.produce(log, batch(&["z"], None));
    assert_eq!((produced.code, produced.base), (Code::None, Offset(2)));
    let read = world.fetch(log, 0);
    assert_eq!(
        (read.code, read.hw, read.records.len()),
        (Code::None, Offset(3), 2)
    );
    assert_eq!(
        world.fetch(log, 1).records.len(),
        2,
        "gotcha 11: the batch that holds the offset comes whole"
    );
    assert_eq!(world.fetch(log, 3).code, Code::None);
    assert_eq!(world.fetch(log, 4).code, Code::OffsetOutOfRange);
}

#[test]
fn two_shards_serve_what_each_owns_as_soon_as_a_topic_is_created() {
    let mut world = World::started(Files::new(), 2);
    let topic = world.create_one("a", 16);
    let owners: std::collections::BTreeSet<ShardId> =
        (0..16).map(|n| log(topic, n).owner(2)).collect();
    assert_eq!(owners.len(), 2);
    for number in 0..16 {
        assert_eq!(
            world.produce(log(topic, number), batch(&["x"], None)).code,
            Code::None,
            "#43"
        );
    }
}

#[test]
fn good_and_bad_topics_of_one_request_are_judged_each_by_itself() {
    let mut world = World::started(Files::new(), 1);
    world.create_one("taken", 1);
    world.create_one("a.b", 1);
    let mut two = topic("two", 1);
    two.replication_factor = 2;
    let topics = vec![
        topic("good", 3),
        topic("taken", 1),
        topic("a_b", 1),
        topic("none", 0),
        topic("no/slash", 1),
        two,
    ];
    let response = world.create(CreateTopicsRequest {
        topics,
        ..Default::default()
    });
    let codes: Vec<_> = response
        .topics
        .iter()
        .map(|topic| topic.error_code.code().unwrap())
        .collect();
    use Code::*;
    let expected = [
        None,
        TopicAlreadyExists,
        InvalidTopicException,
        InvalidPartitions,
        InvalidTopicException,
    ];
    assert_eq!(codes[..5], expected, "gotcha 27");
    assert_eq!(codes[5], InvalidReplicationFactor);
    assert_eq!(response.topics[0].num_partitions, 3);
    let image = world.image.clone().unwrap();
    assert_eq!(
        image.topics.keys().map(|name| &**name).collect::<Vec<_>>(),
        ["a.b", "good", "taken"]
    );
}

#[test]
fn validate_only_answers_and_creates_nothing() {
    let mut world = World::started(Files::new(), 1);
    let request = CreateTopicsRequest {
        topics: vec![topic("a", 1)],
        validate_only: true,
        ..Default::default()
    };
    assert_eq!(world.create(request).topics[0].error_code, Code::None);
    assert!(world.image.clone().unwrap().topics.is_empty());
}

#[test]
fn producer_ids_are_granted_once_and_a_retry_gets_its_original_offset() {
    let mut world = World::started(Files::new(), 1);
    let log = log(world.create_one("a", 1), 0);
    let (first, second) = (world.producer_id(), world.producer_id());
    assert_ne!(first, second, "#73");
    let sent = batch(&["x", "y"], Some((first, 0, 0)));
    assert_eq!(world.produce(log, sent.clone()).base, Offset(0));
    assert_eq!(
        world.produce(log, batch(&["z"], Some((first, 0, 2)))).base,
        Offset(2)
    );
    let again = world.produce(log, sent);
    assert_eq!(
        (again.code, again.base),
        (Code::None, Offset(0)),
        "#72, gotcha 15"
    );
    let gap = world.produce(log, batch(&["w"], Some((first, 0, 9))));
    assert_eq!(gap.code, Code::OutOfOrderSequenceNumber, "#70");
    assert_eq!(
        world
            .find(log, Find::Latest(Isolation::ReadUncommitted))
            .offset,
        Offset(3),
        "#69"
    );
}

#[test]
fn acks_0_gets_no_answer_and_is_stored() {
    let mut world = World::started(Files::new(), 1);
    let log = log(world.create_one("a", 1), 0);
    let part = world.produce_part(log, Acks::None, batch(&["x"], None));
    let waiter = world.ask(ShardId(0), part);
    world.run();
    assert_eq!(world.replies.get(&waiter), None, "gotcha 16");
    assert_eq!(world.fetch(log, 0).records.len(), 1);
}

#[test]
fn a_watch_is_answered_when_there_is_more_to_read() {
    let mut world = World::started(Files::new(), 1);
    let log = log(world.create_one("a", 1), 0);
    let part = WatchPart {
        log,
        isolation: Isolation::ReadUncommitted,
        beyond: Offset(0),
    };
    let waiter = world.ask(ShardId(0), Part::Watch(part));
    world.run();
    assert_eq!(world.replies.get(&waiter), None);
    world.produce(log, batch(&["x"], None));
    assert_eq!(world.replies.get(&waiter), Some(&vec![Response::Watched]));
}

#[test]
fn a_request_that_names_another_leadership_is_refused_by_name() {
    let mut world = World::started(Files::new(), 1);
    let log = log(world.create_one("a", 1), 0);
    let mut part = FetchPart {
        log,
        from: Offset(0),
        epoch: Some(LeaderEpoch(9)),
        last_epoch: None,
        isolation: Isolation::ReadUncommitted,
        max_bytes: 1 << 20,
        at_least_one: true,
    };
    let code = |response| match response {
        Response::Fetch(answer) => answer.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        code(world.answer(ShardId(0), Part::Fetch(part))),
        Code::UnknownLeaderEpoch,
        "#26"
    );
    part.epoch = Some(LeaderEpoch(0));
    assert_eq!(
        code(world.answer(ShardId(0), Part::Fetch(part))),
        Code::None,
        "#26"
    );
}

#[test]
fn a_log_nobody_knows_is_answered_so() {
    let mut world = World::started(Files::new(), 1);
    let nowhere = log(TopicId(Uuid::from_u128(12345)), 0);
    assert_eq!(
        world.produce(nowhere, batch(&["x"], None)).code,
        Code::UnknownTopicOrPartition
    );
    assert_eq!(world.fetch(nowhere, 0).code, Code::UnknownTopicOrPartition);
}

/// What a node says of itself, which must not change from one life to the next.
fn identity(files: &Files) -> Vec<u8> {
    files["meta.properties"].clone().unwrap()
}

#[test]
fn a_node_that_stops_says_so_once_and_comes_back_as_itself() {
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
fn a_node_that_is_killed_comes_back_with_all_that_was_acknowledged() {
    let mut files = Files::new();
    let mut known = None;
    for life in 0..5i64 {
        let mut world = World::started(files, 1);
        let topic = *known.get_or_insert_with(|| world.create_one("a", 1));
        let log = log(topic, 0);
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
fn a_node_serves_all_it_had_with_any_other_number_of_shards() {
    for stopped in [false, true] {
        let mut world = World::started(Files::new(), 2);
        let topic = world.create_one("a", 8);
        let mut life = 0;
        for shards in [1, 3, 2, 2, 1] {
            for number in 0..8 {
                let log = log(topic, number);
                assert_eq!(world.fetch(log, 0).hw, Offset(life), "#96");
                assert_eq!(
                    world.produce(log, batch(&["x"], None)).base,
                    Offset(life),
                    "#1"
                );
            }
            life += 1;
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

#[test]
fn a_node_with_nothing_stops_too() {
    let mut world = World::started(Files::new(), 1);
    world.stop();
    let mut world = World::started(world.files, 1);
    world.stop();
}

/// Every point of a founding at which the process may die: the next start is a whole node, founded once.
#[test]
fn a_founding_that_was_cut_short_anywhere_is_made_again_or_gone_on_from() {
    for shards in [1, 2] {
        let whole = World::started(Files::new(), shards).operations;
        for at in 1..=whole {
            let mut world = World::new(Files::new(), shards);
            world.die_at = Some(at);
            world.start(found(shards));
            let before = world.files.get("meta.properties").cloned();
            let mut world = World::new(world.files, shards);
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
fn a_start_that_was_cut_short_anywhere_is_made_again() {
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

/// Starts a node that must refuse, and proves that it changed nothing.
fn refused(files: Files, found: Found) -> Complaint {
    let mut world = World::new(files.clone(), found.shards);
    world.start(found);
    assert!(!world.is_ready());
    let complaint = world
        .fatal()
        .unwrap_or_else(|| panic!("{:?}", world.lines))
        .clone();
    assert!(
        world.files == files,
        "a refusal changed the directory: {complaint}"
    );
    for part in [&complaint.what, &complaint.why, &complaint.attempt] {
        assert!(!part.is_empty(), "{complaint:?}");
    }
    assert!(complaint.code.is_some(), "{complaint:?}");
    complaint
}

fn used() -> Files {
    let mut world = World::started(Files::new(), 1);
    let topic = world.create_one("a", 1);
    world.produce(log(topic, 0), batch(&["x"], None));
    world.files
}

#[test]
fn a_directory_that_is_not_ours_is_refused_and_left_alone() {
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

    let mut config = crate::config::BrokerConfig::default();
    config.node_id = BrokerId(5);
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
fn a_directory_that_lost_its_identity_is_refused_not_founded_anew() {
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
fn a_lost_or_damaged_quorum_state_is_rebuilt_from_the_log_with_a_higher_term() {
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

/// A node that writes a snapshot after every few records of metadata.
fn eager(shards: u16) -> Found {
    let config = crate::config::BrokerConfig {
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

fn start(files: Files, found: Found) -> World {
    let mut world = World::new(files, found.shards);
    world.start(found);
    world
}

/// A node of several lives and topics, with two snapshots and a metadata log that begins at the older one.
fn long_lived() -> (Files, crate::cluster::image::Image) {
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
fn snapshots_are_written_loaded_and_bounded_and_the_image_is_the_same_by_every_way() {
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
fn a_metadata_log_that_no_whole_snapshot_reaches_is_refused_and_left_alone() {
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

#[test]
fn a_node_that_dies_anywhere_while_it_writes_snapshots_comes_back_with_all_its_topics() {
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
            Part::CreateTopics(Box::new(CreateTopicsPart { request, deadline })),
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
fn a_reply_that_comes_too_late_says_that_the_effect_may_still_happen() {
    let mut world = World::started(Files::new(), 1);
    let log = log(world.create_one("a", 1), 0);
    world.lost = true;
    let part = world.produce_part(log, Acks::All, batch(&["x"], None));
    let produced = world.ask(ShardId(0), part);
    let deadline = world.after(1000);
    let request = CreateTopicsRequest {
        topics: vec![topic("b", 1)],
        ..Default::default()
    };
    let created = world.ask(
        ShardId(0),
        Part::CreateTopics(Box::new(CreateTopicsPart { request, deadline })),
    );
    world.run();
    assert!(
        world.replies.get(&produced).is_none() && world.replies.get(&created).is_none(),
        "#11, #43"
    );
    world.pass(31_000_000_000);
    world.run();
    match world.replies[&produced].as_slice() {
        [Response::Append(answer)] => assert_eq!(answer.code, Code::RequestTimedOut, "#114"),
        other => panic!("{other:?}"),
    }
    match world.replies[&created].as_slice() {
        [Response::CreateTopics(answer)] => {
            assert_eq!(answer.topics[0].error_code, Code::RequestTimedOut, "#114")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_commit_that_fails_ends_the_node_and_nobody_is_told_that_it_worked() {
    let mut world = World::started(Files::new(), 1);
    let log = log(world.create_one("a", 1), 0);
    world.fault = Some(|op| match op {
        FileOp::Put {
            file: FileName::Ring { .. },
            ..
        } => Some(Fault {
            kind: FaultKind::Broken,
            text: "input/output error".into(),
        }),
        _ => None,
    });
    let part = world.produce_part(log, Acks::All, batch(&["x"], None));
    let waiter = world.ask(ShardId(0), part);
    world.run();
    assert!(world.fatal().is_some(), "#101: {:?}", world.lines);
    match world.replies[&waiter].as_slice() {
        [Response::Append(answer)] => assert_eq!(answer.code, Code::RequestTimedOut, "#101, #114"),
        other => panic!("{other:?}"),
    }
    world.fault = None;
    let after = world.produce(log, batch(&["y"], None));
    assert_eq!(
        after.code,
        Code::KafkaStorageError,
        "#101: no retry, no later success"
    );
    let world = World::started(world.files, 1);
    assert!(world.image.unwrap().topics.contains_key("a"));
}

#[test]
fn a_gone_connection_is_not_answered_and_what_it_sent_stays() {
    let mut world = World::started(Files::new(), 1);
    let log = log(world.create_one("a", 1), 0);
    let part = world.produce_part(log, Acks::All, batch(&["x"], None));
    let waiter = world.ask(ShardId(0), part);
    world.give(ShardId(0), crate::event::Event::Gone(waiter.conn));
    world.run();
    assert_eq!(world.replies.get(&waiter), None, "#137");
    assert_eq!(world.fetch(log, 0).hw, Offset(1));
}

#[test]
fn a_directory_that_matches_no_topic_is_left_as_it_is() {
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
