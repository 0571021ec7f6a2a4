//! Clients that ask for much and take nothing: the broker's memory stays in its bounds and it serves others (#131, #132).
//! Memory is what the kernel says of the process, at its highest.

use std::time::Instant;

use sawlog_wire::messages::describe_configs::DescribeConfigsResource;
use sawlog_wire::messages::fetch::{FetchPartition, FetchTopic};
use sawlog_wire::messages::{DescribeConfigsRequest, FetchRequest};
use tests::broker::{Broker, PATIENCE, Start, wait_until};
use tests::client::{Connection, Place};
use tests::host::Folder;

/// Memory for answers (256 MiB), the cache of what was written last (64 MiB), a batch for each reader, and the program.
const MEMORY_MAX: usize = 512 << 20;
const BATCH: usize = 1_000_000;
const BATCHES: usize = 100;
const READERS: usize = 20;

fn memory_at_its_highest(broker: &Broker) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", broker.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1));
    kibibytes.unwrap().parse::<usize>().unwrap() << 10
}

/// The processor time that it took, in ticks.
fn time_taken(broker: &Broker) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", broker.id())).unwrap();
    let (_, after) = stat.rsplit_once(") ").unwrap();
    let mut fields = after.split(' ').skip(11);
    let mut next = || fields.next().unwrap().parse::<u64>().unwrap();
    next() + next()
}

fn all_of(place: &Place) -> FetchRequest {
    let partition = FetchPartition {
        partition: place.partition,
        partition_max_bytes: 50 << 20,
        ..Default::default()
    };
    let topic = FetchTopic {
        topic: place.topic.clone(),
        partitions: vec![partition],
        ..Default::default()
    };
    FetchRequest {
        max_bytes: 50 << 20,
        topics: vec![topic],
        ..Default::default()
    }
}

#[test]
fn readers_that_take_nothing_cost_bounded_memory_and_others_are_served_131_132() {
    let folder = Folder::new("readers").unwrap();
    let start = Start::on(&folder.join("data"));
    let broker = start.ready().unwrap();
    let place = Place::first("t");
    let mut honest = Connection::open(broker.address).unwrap();
    honest.create_topic("t", 1, &[]).unwrap();
    let value: Vec<u8> = (0..BATCH).map(|at| ((at * at) >> 3) as u8).collect();
    for _ in 0..BATCHES {
        honest.append(&place, &[&value]).unwrap();
    }
    let mut greedy = Vec::new();
    for _ in 0..READERS {
        let mut connection = Connection::open(broker.address).unwrap();
        for _ in 0..64 {
            connection.send(12, &all_of(&place)).unwrap();
        }
        greedy.push(connection);
    }
    // All that will be read for them is read when the broker rests.
    rests(&broker);
    let memory = memory_at_its_highest(&broker);
    assert!(memory < MEMORY_MAX, "{} MiB", memory >> 20);
    // A batch that lies on the disk only.
    let asked = Instant::now();
    let (error, bytes) = honest.fetch(&place, 0).unwrap();
    assert!(error.is_none() && bytes.len() > BATCH, "{error:?}");
    assert!(asked.elapsed() < PATIENCE / 10, "{:?}", asked.elapsed());
    honest.append(&place, &[b"more"]).unwrap();
    // Who takes nothing is not kept for ever while memory is short.
    wait_until("the greedy are cut", || {
        broker.said().unwrap().contains("its client takes nothing")
    })
    .unwrap();
    drop(greedy);
    broker.stop().unwrap();
}

/// Waits until the broker takes no processor time: all that was asked of it is done, or waits.
fn rests(broker: &Broker) {
    let mut last = (time_taken(broker), Instant::now());
    wait_until("the broker rests", || {
        let now = time_taken(broker);
        if now != last.0 {
            last = (now, Instant::now());
        }
        last.1.elapsed().as_millis() > 500
    })
    .unwrap();
}

#[test]
fn fetches_that_wait_for_more_than_there_is_hold_no_records_131() {
    const WAITING: usize = 80;
    let folder = Folder::new("waiting").unwrap();
    let start = Start::on(&folder.join("data"));
    let broker = start.ready().unwrap();
    let place = Place::first("t");
    let mut honest = Connection::open(broker.address).unwrap();
    honest.create_topic("t", 1, &[]).unwrap();
    let value: Vec<u8> = (0..BATCH).map(|at| ((at * at) >> 3) as u8).collect();
    for offset in 0..40 {
        honest.append(&place, &[&value]).unwrap();
        let (error, bytes) = honest.fetch(&place, offset).unwrap();
        assert!(error.is_none() && bytes.len() > BATCH, "{error:?}");
    }
    // What serving takes.
    let before = memory_at_its_highest(&broker);
    let request = FetchRequest {
        min_bytes: 50 << 20,
        max_wait_ms: i32::MAX,
        ..all_of(&place)
    };
    let wait = || {
        let mut connection = Connection::open(broker.address).unwrap();
        // The second one waits behind the first, and there is enough for it.
        connection.send(12, &request).unwrap();
        connection.send(12, &all_of(&place)).unwrap();
        connection
    };
    let mut waiting: Vec<_> = (0..WAITING).map(|_| wait()).collect();
    rests(&broker);
    for _ in 0..20 {
        honest.append(&place, &[b"each wakes all of them"]).unwrap();
    }
    rests(&broker);
    let memory = memory_at_its_highest(&broker);
    let (was, is) = (before >> 20, memory >> 20);
    eprintln!("memory: {is} MiB at the most, {was} before {WAITING} Fetches waited");
    // A quarter of what one batch for each of them would take.
    assert!(memory < before + WAITING * BATCH / 4, "{was} MiB, {is} MiB");
    // They do wait, and hear of what ends that.
    honest.delete_topic("t").unwrap();
    for connection in &mut waiting {
        for _ in 0..2 {
            let told = connection.receive::<FetchRequest>(12).unwrap();
            let row = &told.responses[0].partitions[0];
            assert!(!row.error_code.is_none(), "{row:?}");
        }
    }
    broker.stop().unwrap();
}

/// A request of some hundred bytes whose answer is a thousand times as long: all settings of the broker, many times.
fn amplified() -> DescribeConfigsRequest {
    let resource = DescribeConfigsResource {
        resource_type: 4,
        resource_name: "1".to_owned(),
        ..Default::default()
    };
    DescribeConfigsRequest {
        resources: vec![resource; 65],
        include_documentation: true,
        ..Default::default()
    }
}

#[test]
fn answers_that_nobody_takes_cost_bounded_memory_whatever_is_in_them_131_133() {
    let folder = Folder::new("answers").unwrap();
    let start = Start::on(&folder.join("data"));
    let broker = start.ready().unwrap();
    let place = Place {
        topic: "t".to_owned(),
        partition: 0,
    };
    let mut honest = Connection::open(broker.address).unwrap();
    honest.create_topic("t", 1, &[]).unwrap();
    let request = amplified();
    let mut greedy = Vec::new();
    for _ in 0..80 {
        let mut connection = Connection::open(broker.address).unwrap();
        for _ in 0..40 {
            connection.send(4, &request).unwrap();
        }
        greedy.push(connection);
    }
    // Together they are owed more than there may be: some are cut, so that others are served.
    wait_until("some are cut", || {
        broker.said().unwrap().contains("is closed: ")
    })
    .unwrap_or_else(|error| panic!("{error}: {}", broker.said().unwrap()));
    let asked = Instant::now();
    honest.append(&place, &[b"honest"]).unwrap();
    let (error, _) = honest.fetch(&place, 0).unwrap();
    assert!(error.is_none(), "{error:?}");
    let took = asked.elapsed();
    let memory = memory_at_its_highest(&broker);
    let mebi = memory >> 20;
    eprintln!("memory: {mebi} MiB at the most, an honest client waited for {took:?} then");
    assert!(memory < MEMORY_MAX, "{mebi} MiB");
    assert!(took < PATIENCE / 3, "{took:?}");
    drop(greedy);
    broker.stop().unwrap();
}

/// A request that begins a fetch session about so many partitions of a topic that is not there.
fn session(partitions: i32) -> FetchRequest {
    let partition = |partition| FetchPartition {
        partition,
        ..Default::default()
    };
    let topic = FetchTopic {
        topic: "n".repeat(200),
        partitions: (0..partitions).map(partition).collect(),
        ..Default::default()
    };
    FetchRequest {
        session_epoch: 0,
        topics: vec![topic],
        ..Default::default()
    }
}

/// Begins a session on a connection of its own; its number, or 0.
fn begin_session(broker: &Broker, partitions: i32) -> (i32, Connection) {
    let mut connection = Connection::open(broker.address).unwrap();
    let id = begin_another(&mut connection, partitions);
    (id, connection)
}

fn begin_another(connection: &mut Connection, partitions: i32) -> i32 {
    connection.send(12, &session(partitions)).unwrap();
    let told = connection.receive::<FetchRequest>(12).unwrap();
    assert!(told.error_code.is_none());
    let rows = told.responses.iter().map(|topic| topic.partitions.len());
    assert_eq!(rows.sum::<usize>(), partitions as usize, "answered in full");
    told.session_id
}

#[test]
fn fetch_sessions_without_end_cost_bounded_memory_131_132() {
    let folder = Folder::new("sessions").unwrap();
    // Shards share the bound: of many, none has room for a session of this size.
    let start = Start::on(&folder.join("data")).set("sawlog.shards=2");
    let broker = start.ready().unwrap();
    let mut readers: Vec<_> = (0..300).map(|_| begin_session(&broker, 4_000)).collect();
    let given = readers.iter().filter(|(id, _)| *id > 0).count();
    let memory = memory_at_its_highest(&broker);
    eprintln!(
        "memory: {given} of 300 sessions of 4,000 partitions, {} MiB at the most",
        memory >> 20
    );
    // 64 MiB of sessions; 25 MiB of an idle broker; an answer and a connection's buffers here and there.
    assert!((8..64).contains(&given), "{given}");
    assert!(memory < 192 << 20, "{} MiB", memory >> 20);
    // Who has one goes on with it, and who has none is answered in full each time.
    for (id, connection) in &mut readers {
        if *id == 0 {
            assert_eq!(begin_another(connection, 4_000), 0);
            continue;
        }
        let request = FetchRequest {
            session_id: *id,
            session_epoch: 1,
            ..Default::default()
        };
        connection.send(12, &request).unwrap();
        let told = connection.receive::<FetchRequest>(12).unwrap();
        assert_eq!((told.error_code.is_none(), told.session_id), (true, *id));
    }
    // Who is gone leaves room for others.
    readers.retain(|(id, _)| *id == 0);
    let (_, waiting) = readers.first_mut().unwrap();
    wait_until("a session", || begin_another(waiting, 4_000) > 0).unwrap();
    drop(readers);
    broker.stop().unwrap();
}

#[test]
fn no_more_connections_have_a_fetch_session_than_there_are_slots_132() {
    let folder = Folder::new("slots").unwrap();
    let start = Start::on(&folder.join("data"))
        .set("max.incremental.fetch.session.cache.slots=7")
        .set("sawlog.shards=2");
    let broker = start.ready().unwrap();
    let readers: Vec<_> = (0..40).map(|_| begin_session(&broker, 1)).collect();
    let given = readers.iter().filter(|(id, _)| *id > 0).count();
    assert_eq!(given, 7);
    let (mut with, mut without): (Vec<_>, Vec<_>) =
        readers.into_iter().partition(|(id, _)| *id > 0);
    with.pop();
    wait_until("the slot of the one that went", || {
        without
            .iter_mut()
            .any(|(_, connection)| begin_another(connection, 1) > 0)
    })
    .unwrap();
    drop((with, without));
    broker.stop().unwrap();
}

/// Partitions of the topic that is waited for.
const WIDE: i32 = 2_000;

#[test]
fn fetches_of_many_partitions_that_wait_hold_a_bounded_sum_and_others_are_served_131_132() {
    let folder = Folder::new("wide").unwrap();
    let start = Start::on(&folder.join("data"));
    let broker = start.ready().unwrap();
    let place = Place::first("t");
    let mut honest = Connection::open(broker.address).unwrap();
    honest.create_topic("t", WIDE, &[]).unwrap();
    honest.append(&place, &[b"first"]).unwrap();
    let before = memory_at_its_highest(&broker);
    let mut request = all_of(&place);
    (request.min_bytes, request.max_wait_ms) = (1, i32::MAX);
    let mut wide = request.clone();
    let one = wide.topics[0].partitions[0].clone();
    let empty = (1..WIDE).map(|partition| FetchPartition {
        partition,
        ..one.clone()
    });
    wide.topics[0].partitions = empty.collect();
    let mut readers: Vec<_> = (0..300)
        .map(|_| {
            let mut reader = Connection::open(broker.address).unwrap();
            reader.send(12, &wide).unwrap();
            reader
        })
        .collect();
    rests(&broker);
    let memory = memory_at_its_highest(&broker);
    let (was, is) = (before >> 20, memory >> 20);
    eprintln!("memory: {is} MiB at the most, {was} before 300 Fetches of {WIDE} partitions");
    // 64 MiB of those that wait, as much of those that are answered meanwhile, what these ask the logs, and their answers.
    assert!(memory < before + (256 << 20), "{was} MiB, {is} MiB");
    // Who asks for little waits as ever.
    request.topics[0].partitions[0].fetch_offset = 1;
    let mut little = Connection::open(broker.address).unwrap();
    little.send(12, &request).unwrap();
    honest.append(&place, &[b"second"]).unwrap();
    let told = little.receive::<FetchRequest>(12).unwrap();
    assert_eq!(told.throttle_time_ms, 0);
    assert!(told.responses[0].partitions[0].records.is_some());
    // Who could not wait was told all, and to rest.
    let told = readers.pop().unwrap().receive::<FetchRequest>(12).unwrap();
    assert_eq!(told.throttle_time_ms, 500);
    assert_eq!(told.responses[0].partitions.len(), WIDE as usize - 1);
    drop(readers);
    broker.stop().unwrap();
}
