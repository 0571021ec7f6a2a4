//! kill -9, again and again, under idempotent load in both durabilities; then everything is read.
//! Holds #1 (nothing acknowledged is lost or changed), #69 and #70 (no retry is stored twice), #97 and #98, with floors.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use tests::broker::{Broker, Start, wait_until};
use tests::client::{Connection, Identity, Place, batch};
use tests::host::{Folder, say};

/// What librdkafka and Kafka's own client keep open at most, and the window that a broker remembers (#69).
const IN_FLIGHT: usize = 5;
/// How many kills, where nobody says (`SAWLOG_KILLS`).
const KILLS: u64 = 10;
/// Least acknowledgements between two kills; up to three times as many are drawn.
const BETWEEN: u64 = 100;

/// A small generator (xorshift): a failing run names its seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// One batch of a producer.
struct Sent {
    sequence: i32,
    count: i32,
    bytes: Bytes,
}

/// An idempotent producer that owns one partition, over all lives of the broker.
struct Producer {
    place: Place,
    identity: Identity,
    dice: Dice,
    next: i32,
    /// Sent and not answered, oldest first: a broker that comes back gets them again.
    open: VecDeque<Sent>,
    /// Base offset and first sequence of each batch that was acknowledged.
    acknowledged: Vec<(i64, i32, i32)>,
}

impl Producer {
    fn value(&self, sequence: i32) -> Vec<u8> {
        // Mostly small, now and then over several blocks of the ring; each byte follows from who and which.
        let mixed = (sequence as u32).wrapping_mul(2_654_435_761) >> 16;
        let len = if mixed.is_multiple_of(32) {
            20_000
        } else {
            20 + mixed % 400
        };
        let mut value = format!("{}:{sequence}:", self.identity.id).into_bytes();
        value.extend((0..len).map(|at| (at.wrapping_mul(31) ^ mixed) as u8));
        value
    }

    fn make(&mut self) -> Sent {
        let count = 1 + self.dice.below(3) as i32;
        let values: Vec<Vec<u8>> = (self.next..self.next + count)
            .map(|sequence| self.value(sequence))
            .collect();
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let bytes = batch(Some(self.identity), self.next, &values).unwrap();
        let sent = Sent {
            sequence: self.next,
            count,
            bytes,
        };
        self.next += count;
        sent
    }

    /// Produces until the connection ends: first what a former life left open, then new batches.
    fn run(&mut self, address: SocketAddr, total: &AtomicU64) {
        let Ok(mut connection) = Connection::open(address) else {
            return;
        };
        let mut sent = 0;
        loop {
            while sent < IN_FLIGHT {
                if sent == self.open.len() {
                    let made = self.make();
                    self.open.push_back(made);
                }
                let bytes = self.open[sent].bytes.clone();
                sent += 1;
                if connection.send_batch(&self.place, bytes).is_err() {
                    // Answers that came before the end still count.
                    while self.take(&mut connection, total) {}
                    return;
                }
            }
            if !self.take(&mut connection, total) {
                return;
            }
            sent -= 1;
        }
    }

    fn take(&mut self, connection: &mut Connection, total: &AtomicU64) -> bool {
        let Ok(answer) = connection.answer() else {
            return false;
        };
        let sent = self.open.pop_front().unwrap();
        assert!(
            answer.error.is_none(),
            "{:?} sequence {}: {:?}",
            self.place,
            sent.sequence,
            answer.error
        );
        self.acknowledged
            .push((answer.base, sent.sequence, sent.count));
        total.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// The offset after the last record that was acknowledged.
    fn known_end(&self) -> i64 {
        let last = self.acknowledged.last();
        last.map_or(0, |(base, _, count)| base + i64::from(*count))
    }

    /// Reads everything: each sequence once, in order, whole, and where its acknowledgement said.
    fn check(&self, connection: &mut Connection) {
        let stored = connection.read_all(&self.place).unwrap();
        for (at, record) in stored.iter().enumerate() {
            assert_eq!(record.offset, at as i64, "{:?}: offsets", self.place);
            // Sequences are counted from 0 like offsets, and this producer alone writes here: they must be equal.
            let expected = self.value(i32::try_from(at).unwrap());
            assert!(
                record.value == expected,
                "{:?} offset {at}: lost, doubled or changed: {:?}...",
                self.place,
                String::from_utf8_lossy(&record.value[..record.value.len().min(40)])
            );
        }
        assert!(
            stored.len() as i64 >= self.known_end(),
            "{:?}: {} records are left of {} acknowledged",
            self.place,
            stored.len(),
            self.known_end()
        );
        for (base, sequence, _) in &self.acknowledged {
            assert_eq!(
                *base,
                i64::from(*sequence),
                "{:?}: acknowledged elsewhere than stored",
                self.place
            );
        }
    }
}

fn ready(start: &Start) -> Broker {
    start.ready().unwrap()
}

#[test]
fn no_kill_loses_doubles_or_changes_what_was_acknowledged() {
    let kills: u64 = std::env::var("SAWLOG_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let seed = std::env::var("SAWLOG_SEED").map_or(0x5a17, |text| text.parse().unwrap());
    let mut dice = Dice(seed);
    let folder = Folder::new("kill").unwrap();
    let start = Start::on(&folder.join("data"));
    let mut broker = ready(&start);
    let mut connection = Connection::open(broker.address).unwrap();
    let mut producers = Vec::new();
    for durability in ["durable", "replicated"] {
        let settings = [("sawlog.durability", durability)];
        connection.create_topic(durability, 2, &settings).unwrap();
        for partition in 0..2 {
            producers.push(Producer {
                place: Place {
                    topic: durability.to_owned(),
                    partition,
                },
                identity: connection.identity().unwrap(),
                dice: Dice(dice.below(u64::MAX) | 1),
                next: 0,
                open: VecDeque::new(),
                acknowledged: Vec::new(),
            });
        }
    }

    let total: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(0)));
    let mut held = 0;
    let mut retried = 0;
    for kill in 1..=kills {
        let address = broker.address;
        let threads: Vec<JoinHandle<Producer>> = producers
            .drain(..)
            .map(|mut producer| {
                std::thread::spawn(move || {
                    producer.run(address, total);
                    producer
                })
            })
            .collect();
        let enough = total.load(Ordering::Relaxed) + BETWEEN + dice.below(2 * BETWEEN);
        wait_until("acknowledgements", || {
            total.load(Ordering::Relaxed) >= enough || threads.iter().all(JoinHandle::is_finished)
        })
        .unwrap();
        broker.kill().unwrap();
        producers.extend(threads.into_iter().map(|thread| thread.join().unwrap()));
        assert!(
            total.load(Ordering::Relaxed) >= enough,
            "kill {kill}: the broker ended by itself: {}",
            start.said().unwrap()
        );
        let open: usize = producers.iter().map(|producer| producer.open.len()).sum();
        assert!(open > 0, "kill {kill} met no request in flight");
        retried += open;

        broker = ready(&start);
        let mut connection = Connection::open(broker.address).unwrap();
        let mut more = false;
        for producer in &producers {
            let end = connection.end(&producer.place).unwrap();
            assert!(
                end >= producer.known_end(),
                "kill {kill}, seed {seed}: {:?} ends at {end}, acknowledged up to {}",
                producer.place,
                producer.known_end()
            );
            more |= end > producer.known_end();
        }
        held += u64::from(more);
    }

    let mut connection = Connection::open(broker.address).unwrap();
    for producer in &producers {
        producer.check(&mut connection);
    }
    drop(connection);
    broker.stop().unwrap();
    let broker = ready(&start);
    let mut connection = Connection::open(broker.address).unwrap();
    for producer in &producers {
        producer.check(&mut connection);
    }
    drop(connection);
    broker.stop().unwrap();

    let total = total.load(Ordering::Relaxed);
    say(&format!(
        "kill: {kills} cycles, seed {seed}: {total} acknowledgements, {retried} requests in flight when killed, {held} kills \
         after which the ring held what nobody was answered for"
    ));
    assert!(total >= 1_000, "only {total} acknowledgements prove little");
    assert!(
        held * 10 >= kills,
        "only {held} of {kills} kills left a whole commit that nobody was answered for"
    );
}
