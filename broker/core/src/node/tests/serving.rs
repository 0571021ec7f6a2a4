//! What a node that serves answers: topics, produce, fetch, watch, find, producer ids.
//! Held by answers alone, as a connection gets them; frames and versions are `api`'s.

use sawlog_wire::Code;
use sawlog_wire::messages::create_topics::CreateTopicsRequest;

use crate::answer::*;
use crate::ids::*;
use crate::node::testing::*;

#[test]
pub(super) fn a_new_node_founds_itself_and_what_is_produced_is_read_back() {
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
pub(super) fn two_shards_serve_what_each_owns_as_soon_as_a_topic_is_created() {
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
pub(super) fn good_and_bad_topics_of_one_request_are_judged_each_by_itself() {
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
pub(super) fn validate_only_answers_and_creates_nothing() {
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
pub(super) fn producer_ids_are_granted_once_and_a_retry_gets_its_original_offset() {
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
pub(super) fn acks_0_gets_no_answer_and_is_stored() {
    let mut world = World::started(Files::new(), 1);
    let log = log(world.create_one("a", 1), 0);
    let part = world.produce_part(log, Acks::None, batch(&["x"], None));
    let waiter = world.ask(ShardId(0), part);
    world.run();
    assert_eq!(world.replies.get(&waiter), None, "gotcha 16");
    assert_eq!(world.fetch(log, 0).records.len(), 1);
}

#[test]
pub(super) fn a_watch_is_answered_when_there_is_more_to_read() {
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
fn a_measure_tells_what_a_read_would_bring_and_leaves_all_else_to_the_read() {
    let mut world = World::started(Files::new(), 1);
    let log = log(world.create_one("a", 1), 0);
    let batches = [batch(&["x", "y"], None), batch(&["z"], None)];
    let lens = batches.each_ref().map(|batch| batch.len() as u32);
    for batch in batches {
        world.produce(log, batch);
    }
    let both = lens[0] + lens[1];
    let mut measure = |from: i64, max_bytes: u32, epoch| {
        let part = FetchPart {
            log,
            from: Offset(from),
            epoch: Some(LeaderEpoch(epoch)),
            last_epoch: None,
            isolation: Isolation::ReadUncommitted,
            max_bytes,
            at_least_one: true,
        };
        match world.answer(ShardId(0), Part::Measure(part)) {
            Response::Measured(answer) => answer.map(|told| {
                assert_eq!(told.end, Offset(3), "#9");
                (told.bytes as u32, told.upto.0, told.full)
            }),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(measure(0, both, 0), Some((both, 3, false)));
    assert_eq!(measure(1, both, 0), Some((both, 3, false)), "gotcha 11");
    assert_eq!(measure(0, both - 1, 0), Some((lens[0], 2, true)));
    assert_eq!(measure(0, 0, 0), Some((lens[0], 2, true)), "KIP-74");
    assert_eq!(measure(2, both, 0), Some((lens[1], 3, false)));
    assert_eq!(measure(3, both, 0), Some((0, 3, false)));
    assert_eq!(measure(4, both, 0), None, "out of range");
    assert_eq!(measure(0, both, 9), None, "#26");
}

#[test]
pub(super) fn a_request_that_names_another_leadership_is_refused_by_name() {
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
pub(super) fn a_log_nobody_knows_is_answered_so() {
    let mut world = World::started(Files::new(), 1);
    let nowhere = log(TopicId(Uuid::from_u128(12345)), 0);
    assert_eq!(
        world.produce(nowhere, batch(&["x"], None)).code,
        Code::UnknownTopicOrPartition
    );
    assert_eq!(world.fetch(nowhere, 0).code, Code::UnknownTopicOrPartition);
}
