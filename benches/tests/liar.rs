//! A broker that lies, one lie at a time: each must end the cell, or the figures of a fast wrong answer would count.
//! It serves just what the generator asks (Produce 7, Fetch 4) from memory; it is no measure of anything.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a fake in a test: what goes wrong here must end it"
)]

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use benches::bytes::Cursor;
use benches::fetching::{self, Reads};
use benches::load::{self, Pace, Shape};
use benches::verify::{self, Found, Source};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Lie {
    None,
    /// The tenth request is refused.
    Error,
    /// The tenth request is acknowledged and not stored.
    Lost,
    /// The tenth request is stored twice, with offsets to match.
    Twice,
    /// The tenth batch changes on the way.
    Flipped,
    /// The tenth batch becomes another whole one.
    Exchanged,
    /// The tenth reply names an offset that is one too high.
    Offset,
    /// The tenth reply answers another request.
    Order,
    /// The tenth reply names another partition.
    Partition,
    /// The tenth reply never comes: the connection is closed.
    Silence,
}

#[derive(Default)]
struct Log {
    batches: Vec<Vec<u8>>,
    next: i64,
}

type Logs = Arc<Mutex<HashMap<i32, Log>>>;

fn serve(lie: Lie) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let logs = Logs::default();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let logs = Arc::clone(&logs);
            std::thread::spawn(move || connection(stream.unwrap(), lie, &logs));
        }
    });
    address
}

fn connection(mut stream: TcpStream, lie: Lie, logs: &Logs) {
    let mut produced = 0;
    let mut length = [0; 4];
    while stream.read_exact(&mut length).is_ok() {
        let mut frame = vec![0; i32::from_be_bytes(length) as usize];
        if stream.read_exact(&mut frame).is_err() {
            return;
        }
        let mut cursor = Cursor::new(&frame);
        let key = cursor.i16().unwrap();
        cursor.skip(2).unwrap();
        let correlation = cursor.i32().unwrap();
        cursor.string().unwrap();
        let reply = if key == 0 {
            produced += 1;
            let lie = if produced == 10 { lie } else { Lie::None };
            match produce(&mut cursor, correlation, lie, logs) {
                Some(reply) => reply,
                None => return,
            }
        } else {
            fetch(&mut cursor, correlation, logs)
        };
        let length = (reply.len() as i32).to_be_bytes();
        if stream
            .write_all(&[&length, reply.as_slice()].concat())
            .is_err()
        {
            return;
        }
    }
}

fn produce(cursor: &mut Cursor<'_>, correlation: i32, lie: Lie, logs: &Logs) -> Option<Vec<u8>> {
    cursor.skip(2 + 2 + 4 + 4).unwrap();
    let topic = cursor.string().unwrap();
    cursor.skip(4).unwrap();
    let partition = cursor.i32().unwrap();
    let length = cursor.count().unwrap();
    let mut batch = cursor.take(length).unwrap().to_vec();
    let mut logs = logs.lock().unwrap();
    let log = logs.entry(partition).or_default();
    let records = i64::from(i32::from_be_bytes(batch[57..61].try_into().unwrap()));
    let base = log.next;
    let store = |batch: &mut Vec<u8>, log: &mut Log| {
        batch[..8].copy_from_slice(&log.next.to_be_bytes());
        log.batches.push(batch.clone());
        log.next += records;
    };
    match lie {
        Lie::Silence => return None,
        Lie::Lost => log.next += records,
        Lie::Twice => {
            store(&mut batch, log);
            store(&mut batch, log);
        }
        Lie::Flipped => {
            batch[80] ^= 1;
            store(&mut batch, log);
        }
        Lie::Exchanged => {
            batch = benches::batch::encode(records as u32, 7, 1);
            store(&mut batch, log);
        }
        _ => store(&mut batch, log),
    }
    let mut reply = Vec::new();
    let correlation = if lie == Lie::Order {
        correlation + 1
    } else {
        correlation
    };
    reply.extend(correlation.to_be_bytes());
    reply.extend(1_i32.to_be_bytes());
    reply.extend((topic.len() as i16).to_be_bytes());
    reply.extend(topic);
    reply.extend(1_i32.to_be_bytes());
    let partition = if lie == Lie::Partition {
        partition + 1
    } else {
        partition
    };
    reply.extend(partition.to_be_bytes());
    reply.extend((if lie == Lie::Error { 87_i16 } else { 0 }).to_be_bytes());
    let base = if lie == Lie::Offset { base + 1 } else { base };
    reply.extend(base.to_be_bytes());
    reply.extend([0; 20]);
    Some(reply)
}

fn fetch(cursor: &mut Cursor<'_>, correlation: i32, logs: &Logs) -> Vec<u8> {
    cursor.skip(4 + 4 + 4 + 4 + 1 + 4).unwrap();
    let topic = cursor.string().unwrap();
    cursor.skip(4).unwrap();
    let partition = cursor.i32().unwrap();
    let offset = cursor.i64().unwrap();
    let logs = logs.lock().unwrap();
    let (end, records) = logs.get(&partition).map_or((0, vec![]), |log| {
        let from = |batch: &&Vec<u8>| i64::from_be_bytes(batch[..8].try_into().unwrap()) >= offset;
        (
            log.next,
            log.batches.iter().filter(from).flatten().copied().collect(),
        )
    });
    let mut reply = Vec::new();
    reply.extend(correlation.to_be_bytes());
    reply.extend(0_i32.to_be_bytes());
    reply.extend(1_i32.to_be_bytes());
    reply.extend((topic.len() as i16).to_be_bytes());
    reply.extend(topic);
    reply.extend(1_i32.to_be_bytes());
    reply.extend(partition.to_be_bytes());
    reply.extend(0_i16.to_be_bytes());
    reply.extend(end.to_be_bytes());
    reply.extend(end.to_be_bytes());
    reply.extend((-1_i32).to_be_bytes());
    reply.extend((records.len() as i32).to_be_bytes());
    reply.extend(records);
    reply
}

fn shape(pace: Pace, connections: usize) -> Shape {
    Shape {
        topics: vec!["t".to_owned()],
        partitions: connections as i32,
        connections,
        in_flight: 3,
        records: 2,
        value_bytes: 50,
        pace,
        warm: Duration::from_millis(20),
        run: Duration::from_millis(250),
        bytes_max: 200_000,
        parts: 0,
    }
}

fn cell(lie: Lie, pace: Pace, connections: usize) -> anyhow::Result<Found> {
    let address = serve(lie);
    let shape = shape(pace, connections);
    let outcome = load::run(address, &shape, None)?;
    assert!(outcome.figures.requests > 0);
    assert!(outcome.acknowledged.iter().sum::<u64>() >= outcome.figures.records);
    verify::all(
        Source::Broker(address),
        &shape.topics,
        &outcome.acknowledged,
        outcome.expect,
    )
}

const PACES: [(Pace, usize); 3] = [
    (Pace::Closed, 1),
    (Pace::Closed, 3),
    (Pace::Open { per_second: 2000.0 }, 1),
];

#[test]
fn an_honest_broker_passes_in_every_pace() {
    for (pace, connections) in PACES {
        let found = cell(Lie::None, pace, connections).unwrap();
        assert!(found.records > 20, "{pace:?}: {found:?}");
    }
}

#[test]
fn every_lie_ends_the_cell_in_every_pace() {
    use Lie::{Error, Exchanged, Flipped, Lost, Offset, Order, Partition, Silence, Twice};
    for lie in [
        Error, Lost, Twice, Flipped, Exchanged, Offset, Order, Partition, Silence,
    ] {
        for (pace, connections) in PACES {
            assert!(
                cell(lie, pace, connections).is_err(),
                "{lie:?} went unnoticed in {pace:?}"
            );
        }
    }
}

#[test]
fn a_reader_at_speed_notices_what_is_not_whole_or_not_there() {
    let read = |lie| {
        let address = serve(lie);
        let filled = load::run(address, &shape(Pace::Closed, 1), None).unwrap();
        let reads = Reads {
            topic: "t".to_owned(),
            partition: 0,
            bytes_max: 1 << 20,
            run: Duration::from_millis(250),
        };
        (filled.acknowledged, fetching::run(address, &reads, None))
    };
    let (written, found) = read(Lie::None);
    let (found, written) = (found.unwrap(), written[0]);
    let passes = found.records / written;
    assert!(passes > 1 && found.records == passes * written, "{found:?}");
    for lie in [Lie::Lost, Lie::Flipped] {
        assert!(read(lie).1.is_err(), "{lie:?} went unnoticed");
    }
}

#[test]
fn a_stall_is_charged_to_every_request_that_was_due_in_it() {
    // The broker answers nothing for 40 ms once: a closed loop of three sees three slow requests, an open loop forty.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let logs = Logs::default();
        let mut length = [0; 4];
        let mut number = 0;
        while stream.read_exact(&mut length).is_ok() {
            let mut frame = vec![0; i32::from_be_bytes(length) as usize];
            stream.read_exact(&mut frame).unwrap();
            let mut cursor = Cursor::new(&frame);
            cursor.skip(4).unwrap();
            let correlation = cursor.i32().unwrap();
            cursor.string().unwrap();
            number += 1;
            if number == 20 {
                std::thread::sleep(Duration::from_millis(40));
            }
            let reply = produce(&mut cursor, correlation, Lie::None, &logs).unwrap();
            let length = (reply.len() as i32).to_be_bytes();
            if stream
                .write_all(&[&length, reply.as_slice()].concat())
                .is_err()
            {
                return;
            }
        }
    });
    let shape = Shape {
        topics: vec!["t".to_owned()],
        partitions: 1,
        connections: 1,
        in_flight: 1000,
        records: 1,
        value_bytes: 50,
        pace: Pace::Open { per_second: 1000.0 },
        warm: Duration::ZERO,
        run: Duration::from_millis(80),
        bytes_max: u64::MAX,
        parts: 0,
    };
    let latency = load::run(address, &shape, None)
        .unwrap()
        .figures
        .latency
        .unwrap();
    // 40 of 80 were due in the stall and waited 20 ms on average.
    assert!(latency.p50 > 1_000.0, "{latency:?}");
    assert!(latency.max > 35_000.0, "{latency:?}");
}
