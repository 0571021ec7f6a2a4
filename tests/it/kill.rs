//! kill -9, again and again, under idempotent load in both durabilities; then everything is read.
//! Holds #1 (nothing acknowledged is lost or changed), #69 and #70 (no retry is stored twice), #97 and #98, with floors.

use std::sync::atomic::Ordering;

use tests::broker::{Broker, Start};
use tests::client::{Connection, Place};
use tests::host::{Folder, say};

use crate::producer::{Dice, Load, Producer, counter};

/// How many kills, where nobody says (`SAWLOG_KILLS`).
const KILLS: u64 = 10;
/// Least acknowledgements between two kills; up to three times as many are drawn.
const BETWEEN: u64 = 100;

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
            let topic = durability.to_owned();
            let place = Place { topic, partition };
            let seed = dice.below(u64::MAX);
            producers.push(Producer::new(&mut connection, place, seed));
        }
    }

    let total = counter();
    let mut held = 0;
    let mut retried = 0;
    for kill in 1..=kills {
        let load = Load::begin(std::mem::take(&mut producers), broker.address, total);
        let enough = total.load(Ordering::Relaxed) + BETWEEN + dice.below(2 * BETWEEN);
        let came = load.reached(enough);
        broker.kill().unwrap();
        producers = load.ended();
        let said = || start.said().unwrap();
        assert!(came, "kill {kill}: the broker ended by itself: {}", said());
        for producer in &producers {
            let refused = &producer.refused;
            assert!(refused.is_empty(), "{:?}: {refused:?}", producer.place);
        }
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
