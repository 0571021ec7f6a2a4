//! kill -9, again and again, under idempotent load in both durabilities; then everything is read.
//! Holds #1 (nothing acknowledged is lost or changed), #69 and #70 (no retry is stored twice), #97 and #98, with floors.

use std::path::Path;
use std::sync::atomic::Ordering;

use tests::broker::{Broker, Start};
use tests::client::Connection;
use tests::host::{Folder, say};

use crate::producer::{Dice, Load, Producer, counter};

/// How many kills, where nobody says (`SAWLOG_KILLS`).
const KILLS: u64 = 10;
/// Least acknowledgements between two kills; up to three times as many are drawn.
const BETWEEN: u64 = 100;

fn ready(start: &Start) -> Broker {
    start.ready().unwrap()
}

/// Kills where batches are so large that they go straight to their segments, each of which moves some 20 MB.
const LARGE_KILLS: u64 = 6;

#[test]
fn no_kill_loses_doubles_or_changes_what_was_acknowledged() {
    let kills = std::env::var("SAWLOG_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let folder = Folder::new("kill").unwrap();
    let start = Start::on(&folder.join("data"));
    let broker = ready(&start);
    let mut producers = Producer::of_topic(&broker, "durable", 2);
    producers.extend(Producer::of_topic(&broker, "replicated", 2));
    let held = killed(&start, broker, producers, kills, || ());
    assert!(
        held * 10 >= kills,
        "only {held} of {kills} kills left a whole commit that nobody was answered for"
    );
}

#[test]
fn no_kill_loses_batches_that_went_straight_to_their_segment_96_104() {
    let folder = Folder::new("kill-large").unwrap();
    let data = folder.join("data");
    // However slow this machine is just now, 4 MiB leave the ring.
    let start = Start::on(&data).set("sawlog.direct.ms=600000");
    let broker = ready(&start);
    let producers = Producer::of_topic(&broker, "durable", 2);
    let producers = producers.into_iter().map(|one| one.sized(40_000));
    let mut straight = 0;
    killed(&start, broker, producers.collect(), LARGE_KILLS, || {
        // Only what goes straight to a segment is whole blocks long; a start cuts it to its last batch.
        let whole = |file: &[u8]| !file.is_empty() && file.len().is_multiple_of(4096);
        straight += u64::from(segments(&data).iter().any(|file| whole(file)));
    });
    assert!(
        straight * 2 >= LARGE_KILLS,
        "only {straight} of {LARGE_KILLS} kills met batches that go straight to their segment (#144)"
    );
    // After a stop each segment ends with its last batch, whatever blocks were written whole before.
    let mut bytes = 0;
    for segment in segments(&data) {
        let mut rest = segment.as_slice();
        while !rest.is_empty() {
            let len = i32::from_be_bytes(rest[8..12].try_into().unwrap());
            assert!(len > 49, "no batch at the end of a segment");
            rest = &rest[12 + len as usize..];
        }
        bytes += segment.len();
    }
    say(&format!(
        "kill: {bytes} bytes in segments, {straight} of {LARGE_KILLS} kills met batches on their way there"
    ));
    assert!(bytes > 50_000_000, "{bytes} bytes prove little (#144)");
}

/// The segments of the topic, as they lie there.
fn segments(data: &Path) -> Vec<Vec<u8>> {
    let of_partition = |partition| {
        let files = std::fs::read_dir(data.join(partition))
            .into_iter()
            .flatten();
        let paths = files.map(|entry| entry.unwrap().path());
        let segments = paths.filter(|path| path.extension().is_some_and(|ending| ending == "log"));
        segments
            .map(|path| std::fs::read(path).unwrap())
            .collect::<Vec<_>>()
    };
    ["durable-0", "durable-1"].map(of_partition).concat()
}

/// Kills the broker again and again under the load of these producers, then reads everything. Gives how many kills left
/// a whole commit that nobody was answered for; `look` is called before each start.
fn killed(
    start: &Start,
    mut broker: Broker,
    mut producers: Vec<Producer>,
    kills: u64,
    mut look: impl FnMut(),
) -> u64 {
    let seed = std::env::var("SAWLOG_SEED").map_or(0x5a17, |text| text.parse().unwrap());
    let mut dice = Dice(seed);
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

        look();
        broker = ready(start);
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
    let broker = ready(start);
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
    assert!(
        total >= 100 * kills,
        "only {total} acknowledgements prove little"
    );
    held
}
