//! What waiters are told when things go wrong: never that it worked before it did, never a refusal that may come true.
//! Held by the reply of every waiter, one trouble at a time; faults in any order are the simulator's.

use sawlog_wire::Code;
use sawlog_wire::messages::create_topics::CreateTopicsRequest;

use crate::answer::*;
use crate::effect::Line;
use crate::event::Event;
use crate::file::{Fault, FaultKind, FileName, FileOp};
use crate::ids::*;
use crate::node::testing::*;

#[test]
pub(super) fn a_reply_that_comes_too_late_says_that_the_effect_may_still_happen() {
    let mut world = World::started(Files::new(), 1);
    let log = log(world.create_one("a", 1), 0);
    world.slow = true;
    let part = world.produce_part(log, Acks::All, batch(&["x"], None));
    let produced = world.ask(ShardId(0), part);
    let deadline = world.after(1000);
    let request = CreateTopicsRequest {
        topics: vec![topic("b", 1)],
        ..Default::default()
    };
    let created = world.ask(
        ShardId(0),
        command(Command::CreateTopics(request), deadline),
    );
    world.run();
    assert!(
        !world.replies.contains_key(&produced) && !world.replies.contains_key(&created),
        "#11, #43"
    );
    world.pass(31_000_000_000);
    world.run();
    match world.replies[&produced].as_slice() {
        [Response::Append(answer)] => assert_eq!(answer.code, Code::RequestTimedOut, "#114"),
        other => panic!("{other:?}"),
    }
    match world.replies[&created].as_slice() {
        [Response::Command(answer)] => match &**answer {
            Commanded::CreateTopics(answer) => {
                assert_eq!(answer.topics[0].error_code, Code::RequestTimedOut, "#114")
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
pub(super) fn a_commit_that_fails_ends_the_node_and_nobody_is_told_that_it_worked() {
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
pub(super) fn a_gone_connection_is_not_answered_and_what_it_sent_stays() {
    let mut world = World::started(Files::new(), 1);
    let log = log(world.create_one("a", 1), 0);
    let part = world.produce_part(log, Acks::All, batch(&["x"], None));
    let waiter = world.ask(ShardId(0), part);
    world.give(ShardId(0), Event::Gone(waiter.conn));
    world.run();
    assert_eq!(world.replies.get(&waiter), None, "#137");
    assert_eq!(world.fetch(log, 0).hw, Offset(1));
}

#[test]
pub(super) fn nobody_is_answered_before_his_own_batch_is_durable() {
    let mut world = World::started(Files::new(), 1);
    let log = log(world.create_one("a", 1), 0);
    world.slow = true;
    let parts = [batch(&["x"], None), batch(&["y"], None)]
        .map(|bytes| world.produce_part(log, Acks::All, bytes));
    let waiters = parts.map(|part| {
        let waiter = world.ask(ShardId(0), part);
        world.run();
        waiter
    });
    assert!(world.replies.is_empty(), "#11");
    // The first commit comes back; the second is still on its way.
    world.release();
    assert!(world.replies.contains_key(&waiters[0]), "#31");
    assert!(!world.replies.contains_key(&waiters[1]), "#11");
    assert_eq!(world.fetch(log, 0).hw, Offset(1), "#12");
    world.release();
    assert!(world.replies.contains_key(&waiters[1]), "#31");
}

#[test]
pub(super) fn a_retry_is_not_answered_before_its_original_is_durable() {
    let mut world = World::started(Files::new(), 1);
    let log = log(world.create_one("a", 1), 0);
    let id = world.producer_id();
    world.slow = true;
    let sent = batch(&["x"], Some((id, 0, 0)));
    let waiters = [sent.clone(), sent].map(|bytes| {
        let part = world.produce_part(log, Acks::All, bytes);
        let waiter = world.ask(ShardId(0), part);
        world.run();
        waiter
    });
    assert!(world.replies.is_empty(), "#11, #69");
    world.release();
    for waiter in waiters {
        match world.replies.get(&waiter).map(Vec::as_slice) {
            Some([Response::Append(answer)]) => {
                assert_eq!((answer.code, answer.base), (Code::None, Offset(0)), "#72")
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
pub(super) fn a_full_disk_refuses_writes_reads_go_on_and_it_heals() {
    let mut world = World::started(Files::new(), 1);
    let log = log(world.create_one("a", 1), 0);
    world.produce(log, batch(&["x"], None));
    world.free.free = 0;
    world.pass(2_000_000_000);
    let refused = world.produce(log, batch(&["y"], None));
    assert_eq!(refused.code, Code::KafkaStorageError, "#105");
    assert!(
        refused
            .message
            .is_some_and(|text| text.contains("disk is full")),
        "#105"
    );
    assert_eq!(world.fetch(log, 0).records.len(), 1, "#105");
    world.create_one("b", 1);
    world.free.free = 1 << 30;
    world.pass(2_000_000_000);
    assert_eq!(
        world.produce(log, batch(&["y"], None)).base,
        Offset(1),
        "#105"
    );
}

#[test]
pub(super) fn rot_takes_one_partition_out_and_all_others_serve() {
    let mut world = World::started(Files::new(), 1);
    let topic = world.create_one("a", 2);
    for number in 0..2 {
        world.produce(log(topic, number), batch(&["precious"], None));
    }
    world.stop();
    let mut files = world.files;
    let bytes = files
        .get_mut("a-0/00000000000000000000.log")
        .unwrap()
        .as_mut()
        .unwrap();
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    let mut world = World::started(files, 1);
    assert_eq!(
        world.fetch(log(topic, 0), 0).code,
        Code::KafkaStorageError,
        "#7, #106"
    );
    assert!(
        world
            .lines
            .iter()
            .any(|line| matches!(line, Line::Warn(text) if text.contains("a-0"))),
        "#99: {:?}",
        world.lines
    );
    assert_eq!(
        world.produce(log(topic, 0), batch(&["y"], None)).code,
        Code::KafkaStorageError,
        "#99"
    );
    assert_eq!(world.fetch(log(topic, 1), 0).records.len(), 1, "#106");
    assert_eq!(
        world.produce(log(topic, 1), batch(&["y"], None)).base,
        Offset(1),
        "#106"
    );
}

#[test]
pub(super) fn a_node_that_is_not_up_yet_refuses_and_does_nothing() {
    let whole = World::started(Files::new(), 1).operations;
    for released in 0..whole {
        let mut world = World::new(Files::new(), 1);
        world.slow = true;
        world.start(found(1));
        for _ in 0..released {
            world.release();
        }
        if world.is_ready() {
            continue;
        }
        let waiter = world.ask(ShardId(0), Part::ProducerId(ProducerIdPart { had: None }));
        world.run();
        match world.replies.get(&waiter).map(Vec::as_slice) {
            Some([Response::ProducerId { code, .. }]) => {
                assert_eq!(*code, Code::CoordinatorNotAvailable, "#44: {released}");
            }
            other => panic!("#44: {released}: {other:?}"),
        }
    }
}

/// Five batches may be in flight: when the first of a new producer is refused, the second must not take its place.
#[test]
pub(super) fn of_several_first_batches_in_flight_none_is_taken_before_the_first_70() {
    let mut world = World::started(Files::new(), 1);
    let log = log(world.create_one("a", 1), 0);
    world.free.free = 0;
    world.pass(2_000_000_000);
    let first = batch(&["first"], Some((7, 0, 0)));
    let second = batch(&["second"], Some((7, 0, 1)));
    assert_eq!(
        world.produce(log, first.clone()).code,
        Code::KafkaStorageError
    );
    world.free.free = 1 << 30;
    world.pass(2_000_000_000);
    assert_eq!(
        world.produce(log, second.clone()).code,
        Code::UnknownProducerId,
        "#70: what was sent later would lie before what was sent first"
    );
    assert_eq!(world.produce(log, first).base, Offset(0));
    assert_eq!(world.produce(log, second).base, Offset(1));
}

#[test]
pub(super) fn a_full_disk_is_told_once_and_so_is_its_end_105() {
    let mut world = World::started(Files::new(), 2);
    let total = world.free.total;
    let mut see = |free| {
        world.lines.clear();
        world.free.free = free;
        // Both shards look more than once.
        for _ in 0..3 {
            world.pass(2_000_000_000);
            world.run();
        }
        core::mem::take(&mut world.lines)
    };
    let told = see(4096);
    let [Line::Warn(text)] = told.as_slice() else {
        panic!("{told:?}")
    };
    for part in [
        "writes are refused",
        "4096 bytes are free",
        "Make room",
        "[KAFKA_STORAGE_ERROR]",
    ] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    assert_eq!(see(2048), []);
    let told = see(total / 2);
    assert!(
        matches!(told.as_slice(), [Line::Info(text)] if text.contains("taken again")),
        "{told:?}"
    );
}
