//! The producer against a broker of a few lines that loses requests, loses answers, forgets, refuses and is slow, drawn
//! from a seed: what is said of each record is what the log holds, once, in order (#72).

use alloc::collections::BTreeMap;
use core::time::Duration;

use sawlog_wire::ErrorCode;
use sawlog_wire::messages::MetadataResponse;
use sawlog_wire::messages::metadata::{MetadataResponsePartition, MetadataResponseTopic};
use sawlog_wire::records::batch::sequence_after;
use sawlog_wire::records::{Batch as Bare, NewRecord};

use super::*;
use crate::backoff::Backoff;
use crate::connection::Outcome;

/// xorshift64*.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.roll() >> 33 & 0xffff_ffff < (1 << 31) / n
    }
}

fn cluster(partitions: i32) -> Metadata {
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 1 + partition_index % 2,
        leader_epoch: 0,
        ..Default::default()
    };
    let topic = MetadataResponseTopic {
        name: Some("t".into()),
        partitions: (0..partitions).map(partition).collect(),
        ..Default::default()
    };
    let mut known = Metadata::default();
    known.learn(
        &MetadataResponse {
            topics: vec![topic],
            ..Default::default()
        },
        true,
        Mono(0),
    );
    known
}

fn producer(settings: Settings, partitions: i32) -> Producer<u64> {
    let mut producer = Producer::new(settings);
    let refused = producer.enqueue(&outgoing(0, b"x"), Mono(0), 0);
    assert!(matches!(refused, Err(Refusal::Unknown)));
    assert_eq!(producer.wants_metadata(), ["t"]);
    producer.learn(&cluster(partitions));
    producer.granted(Identity { id: 1, epoch: 0 });
    producer
}

fn outgoing(partition: i32, value: &[u8]) -> Outgoing<'_> {
    let record = NewRecord {
        timestamp: 1,
        value: Some(value),
        ..Default::default()
    };
    Outgoing {
        topic: "t",
        partition: Some(partition),
        record,
    }
}

fn values(batch: &[u8]) -> Vec<String> {
    let mut values = Vec::new();
    each_record(batch, |record| {
        values.push(String::from_utf8(record.value?.to_vec()).ok()?);
        Some(())
    })
    .expect("a batch that we made");
    values
}

/// Partitions as a broker keeps them, with the last five batches of each producer (KIP-98).
#[derive(Default)]
struct Log {
    values: Vec<String>,
    /// Producer id -> next sequence, and the base sequences and offsets of its last five batches.
    producers: BTreeMap<i64, (i32, Vec<(i32, i64)>)>,
}

impl Log {
    fn append(&mut self, batch: &[u8], most: usize) -> (Code, i64) {
        let header = Bare::first(batch).unwrap().header;
        if header.count > 1 && batch.len() > most {
            return (Code::MessageTooLarge, -1);
        }
        let (next, last) = self.producers.entry(header.producer_id).or_default();
        if header.producer_id >= 0 {
            if let Some((_, offset)) = last.iter().find(|(base, _)| *base == header.base_sequence) {
                return (Code::None, *offset);
            }
            if header.base_sequence != *next {
                return (Code::OutOfOrderSequenceNumber, -1);
            }
            *next = sequence_after(header.base_sequence, header.count);
            last.push((header.base_sequence, self.values.len() as i64));
            if last.len() > 5 {
                last.remove(0);
            }
        }
        let base = self.values.len() as i64;
        self.values.extend(values(batch));
        (Code::None, base)
    }
}

struct World {
    dice: Dice,
    producer: Producer<u64>,
    logs: BTreeMap<i32, Log>,
    /// Requests of each broker, in the order sent: the broker carries them out in it.
    wire: BTreeMap<BrokerId, Vec<Send>>,
    identities: i64,
    now: Mono,
    faults: bool,
    /// By partition: what was taken.
    taken: BTreeMap<i32, Vec<String>>,
    /// What was said, with the records that came back.
    said: Vec<(Done<u64>, Vec<String>)>,
}

impl World {
    fn new(seed: u64, settings: Settings) -> World {
        World {
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1),
            producer: producer(settings, 3),
            logs: BTreeMap::new(),
            wire: BTreeMap::new(),
            identities: 1,
            now: Mono(1),
            faults: true,
            taken: BTreeMap::new(),
            said: Vec::new(),
        }
    }

    /// Offers a record; a full buffer refuses it.
    fn enqueue(&mut self, partition: i32, value: String) {
        let place = self
            .producer
            .enqueue(&outgoing(partition, value.as_bytes()), self.now, 0);
        if place.is_ok() {
            self.taken.entry(partition).or_default().push(value);
        }
    }

    fn step(&mut self) {
        self.now = self.now.after(Duration::from_millis(self.dice.roll() % 20));
        for send in self.producer.poll(self.now) {
            self.wire.entry(send.broker).or_default().push(send);
        }
        if self.producer.wants_identity() && !self.dice.one_in(3) {
            self.identities += 1;
            self.producer.granted(Identity {
                id: self.identities,
                epoch: 0,
            });
        }
        if !self.producer.wants_metadata().is_empty() && !self.dice.one_in(3) {
            self.producer.learn(&cluster(3));
        }
        let brokers: Vec<BrokerId> = self.wire.keys().copied().collect();
        for broker in brokers {
            self.carry(broker);
        }
        for done in self.producer.done() {
            let values = done
                .result
                .as_ref()
                .err()
                .map(|failed| values(&failed.batch));
            self.said.push((done, values.unwrap_or_default()));
        }
    }

    /// The broker takes the oldest request, or the connection is lost with all that is on it.
    fn carry(&mut self, broker: BrokerId) {
        let waiting = self.wire.entry(broker).or_default();
        if waiting.is_empty() || self.dice.one_in(3) {
            return;
        }
        if self.faults && self.dice.one_in(12) {
            // Some of them arrived, but no answer comes back.
            let arrived = self.dice.roll() as usize % (waiting.len() + 1);
            let sends = core::mem::take(waiting);
            for send in sends.iter().take(arrived) {
                self.answers(send);
            }
            for send in sends {
                self.producer
                    .lost(send.request, Outcome::Unknown, self.now, 7);
            }
            return;
        }
        let send = waiting.remove(0);
        let answers = self.answers(&send);
        let answers: Vec<Answer<'_>> = answers
            .iter()
            .map(|(partition, code, base_offset)| Answer {
                topic: "t",
                partition: *partition,
                code: (*code).into(),
                base_offset: *base_offset,
                log_append_time: -1,
                message: None,
                records: &[],
            })
            .collect();
        self.producer.answered(send.request, &answers, self.now, 7);
    }

    fn answers(&mut self, send: &Send) -> Vec<(i32, Code, i64)> {
        let mut answers = Vec::new();
        for part in &send.parts {
            let refused = self.faults.then(|| self.dice.roll() % 40);
            let (code, offset) = match refused {
                Some(0) => (Code::NotLeaderOrFollower, -1),
                Some(1) => (Code::NotEnoughReplicas, -1),
                Some(2) => (Code::TopicAuthorizationFailed, -1),
                Some(3) => {
                    self.logs
                        .entry(part.partition)
                        .or_default()
                        .append(&part.batch, 4_000);
                    (Code::NotEnoughReplicasAfterAppend, -1)
                }
                _ => self
                    .logs
                    .entry(part.partition)
                    .or_default()
                    .append(&part.batch, 4_000),
            };
            answers.push((part.partition, code, offset));
        }
        answers
    }
}

fn small(idempotent: bool) -> Settings {
    Settings {
        batch_bytes: 400,
        request_bytes: 2_000,
        record_bytes: 2_000,
        buffer_bytes: 20_000,
        delivery_timeout: Duration::from_secs(3),
        retry_backoff: Backoff::new(Duration::from_millis(5), Duration::from_millis(100)),
        idempotent,
        ..Settings::default()
    }
}

/// Runs a world until everything is decided, and compares what was said with what the logs hold.
fn judge(seed: u64, idempotent: bool) -> [usize; 3] {
    let mut world = World::new(seed, small(idempotent));
    for n in 0..600 {
        let partition = (world.dice.roll() % 3) as i32;
        let long = "x".repeat(world.dice.roll() as usize % 60);
        world.enqueue(partition, format!("{partition}:{n}:{long}"));
        if world.dice.one_in(3) {
            world.step();
        }
    }
    world.producer.flush();
    world.faults = seed.is_multiple_of(2);
    for _ in 0..20_000 {
        world.step();
        if world.producer.undecided() == 0 {
            break;
        }
    }
    assert_eq!(
        (world.producer.undecided(), world.producer.held()),
        (0, 0),
        "seed {seed}: something is never decided"
    );
    let taken: usize = world.taken.values().map(Vec::len).sum();
    let told: u32 = world.said.iter().map(|(done, _)| done.count).sum();
    assert_eq!(
        told as usize, taken,
        "seed {seed}: each record is decided once"
    );
    let mut counts = [0; 3];
    for (done, values) in &world.said {
        match &done.result {
            Ok(written) => {
                counts[0] += 1;
                if let Some(base) = written.base_offset {
                    let log = &world.logs[&written.partition].values;
                    let of = &log[base as usize..base as usize + done.count as usize];
                    let mine = &world.taken[&written.partition];
                    let at = mine.iter().position(|value| *value == of[0]).unwrap();
                    assert_eq!(
                        &mine[at..at + of.len()],
                        of,
                        "seed {seed}: the offsets are theirs"
                    );
                }
            }
            Err(failed) => {
                let log = &world.logs.entry(failed.partition).or_default().values;
                assert_eq!(
                    values.len(),
                    done.count as usize,
                    "seed {seed}: what failed comes back whole"
                );
                let there = values.iter().filter(|value| log.contains(value)).count();
                if failed.outcome == Outcome::NotWritten {
                    counts[1] += 1;
                    assert_eq!(there, 0, "seed {seed}: said to be not written");
                } else {
                    counts[2] += 1;
                    assert!(
                        there == 0 || there == values.len(),
                        "seed {seed}: a batch is there as a whole"
                    );
                }
            }
        }
    }
    for (partition, log) in &world.logs {
        let order = |value: &String| {
            value
                .split(':')
                .nth(1)
                .and_then(|n| n.parse::<u32>().ok())
                .unwrap()
        };
        let numbers: Vec<u32> = log.values.iter().map(order).collect();
        assert!(
            numbers.is_sorted_by(|a, b| a < b),
            "seed {seed}: partition {partition} has {numbers:?}"
        );
    }
    counts
}

#[test]
fn every_record_is_decided_truly_once_and_in_order_whatever_is_lost() {
    let mut seen = [0; 3];
    for seed in 0..300 {
        for (sum, count) in seen.iter_mut().zip(judge(seed, true)) {
            *sum += count;
        }
    }
    assert!(
        seen.iter().all(|count| *count > 100),
        "written, not written, unknown: {seen:?} prove nothing"
    );
}

#[test]
fn without_numbers_what_may_be_written_is_not_sent_again() {
    let mut seen = [0; 3];
    for seed in 0..100 {
        for (sum, count) in seen.iter_mut().zip(judge(seed, false)) {
            *sum += count;
        }
    }
    assert!(
        seen.iter().all(|count| *count > 50),
        "written, not written, unknown: {seen:?} prove nothing"
    );
}

#[test]
fn a_batch_waits_for_its_linger_or_until_it_is_full() {
    let settings = Settings {
        batch_bytes: 300,
        ..Settings::default()
    };
    let mut producer = producer(settings, 2);
    let now = Mono(1_000_000);
    assert!(
        producer
            .enqueue(&outgoing(0, &[b'a'; 100]), now, 0)
            .unwrap()
            .wake
    );
    assert!(
        !producer
            .enqueue(&outgoing(0, &[b'b'; 100]), now, 0)
            .unwrap()
            .wake
    );
    assert!(producer.poll(now).is_empty());
    let lingered = now.after(Duration::from_millis(5));
    assert_eq!(producer.deadline(now), Some(lingered));
    assert!(
        producer
            .enqueue(&outgoing(0, &[b'c'; 100]), now, 0)
            .unwrap()
            .wake,
        "the first batch is full"
    );
    let sends = producer.poll(now);
    assert_eq!(sends.len(), 1);
    assert_eq!(values(&sends[0].parts[0].batch).len(), 2);
    let sends = producer.poll(lingered);
    assert_eq!(values(&sends[0].parts[0].batch).len(), 1);
}

#[test]
fn one_request_carries_one_batch_of_each_partition_of_a_leader() {
    let mut producer = producer(Settings::default(), 4);
    for partition in [0, 1, 2, 3, 0] {
        producer
            .enqueue(&outgoing(partition, b"x"), Mono(0), 0)
            .unwrap();
    }
    producer.flush();
    let mut sends = producer.poll(Mono(1));
    sends.sort_by_key(|send| send.broker);
    let parts = |send: &Send| {
        send.parts
            .iter()
            .map(|part| part.partition)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        sends.iter().map(parts).collect::<Vec<_>>(),
        [[0, 2], [1, 3]]
    );
}

#[test]
fn a_full_buffer_refuses_and_takes_again_when_a_batch_is_done() {
    let settings = Settings {
        buffer_bytes: 1_000,
        ..Settings::default()
    };
    let mut producer = producer(settings, 1);
    let mut taken = 0;
    while producer
        .enqueue(&outgoing(0, &[b'x'; 100]), Mono(0), 0)
        .is_ok()
    {
        taken += 1;
    }
    assert_eq!(taken, 7);
    assert!(matches!(
        producer.enqueue(&outgoing(0, b"x"), Mono(0), 0),
        Err(Refusal::Full) | Ok(_)
    ));
    producer.flush();
    let send = producer.poll(Mono(0)).remove(0);
    let answer = Answer {
        topic: "t",
        partition: 0,
        code: ErrorCode::NONE,
        base_offset: 5,
        log_append_time: -1,
        message: None,
        records: &[],
    };
    producer.answered(send.request, &[answer], Mono(0), 0);
    assert!(
        producer
            .enqueue(&outgoing(0, &[b'x'; 100]), Mono(0), 0)
            .is_ok()
    );
    assert_eq!(
        producer.done()[0].result.as_ref().unwrap().base_offset,
        Some(5)
    );
}

#[test]
fn records_that_cannot_be_are_refused_and_leave_nothing_behind() {
    let mut producer = producer(small(true), 2);
    assert!(matches!(
        producer.enqueue(&outgoing(2, b"x"), Mono(0), 0),
        Err(Refusal::NoPartition(2))
    ));
    assert!(matches!(
        producer.enqueue(&outgoing(-1, b"x"), Mono(0), 0),
        Err(Refusal::NoPartition(2))
    ));
    assert!(matches!(
        producer.enqueue(&outgoing(0, &[0; 2_001]), Mono(0), 0),
        Err(Refusal::TooLarge { most: 2_000, .. })
    ));
    assert_eq!((producer.held(), producer.undecided()), (0, 0));
}
