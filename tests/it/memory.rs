//! Clients that ask for much and take nothing: the broker's memory stays in its bounds and it serves others (#131, #132).
//! Memory is what the kernel says of the process, at its highest.

use std::time::Instant;

use sawlog_wire::messages::FetchRequest;
use sawlog_wire::messages::fetch::{FetchPartition, FetchTopic};
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
    let mut last = (time_taken(&broker), Instant::now());
    wait_until("the broker rests", || {
        let now = time_taken(&broker);
        if now != last.0 {
            last = (now, Instant::now());
        }
        last.1.elapsed().as_millis() > 500
    })
    .unwrap();
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
