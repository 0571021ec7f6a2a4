//! What strangers may send: garbage, cut and lying frames, bombs, half a frame and then nothing, a thousand claims of a
//! hundred megabytes. Holds #128 to #131 and #133 on real sockets: such a connection ends with a reason in the log, memory
//! stays bounded, nothing is appended, and everybody else is served on.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sawlog_wire::messages::ProduceRequest;
use sawlog_wire::messages::produce::{PartitionProduceData, TopicProduceData};
use sawlog_wire::records::batch::crc_of;
use sawlog_wire::records::{BatchBuilder, Codec, NewRecord};
use sawlog_wire::{Code, Writer, frame};
use tests::broker::{Broker, PATIENCE, Start, wait_until};
use tests::client::{Connection, Place, batch};
use tests::host::{Folder, say};

use crate::producer::Dice;

const MEBI: u64 = 1 << 20;

fn place() -> Place {
    Place {
        topic: "t".to_owned(),
        partition: 0,
    }
}

/// A broker, and a client that behaves: what it appends it must find, whatever others do.
struct Scene {
    start: Start,
    broker: Broker,
    good: Connection,
    appended: i64,
    _folder: Folder,
}

impl Scene {
    fn begin(name: &str, settings: &[&str]) -> Scene {
        let folder = Folder::new(name).unwrap();
        let start = Start::on(&folder.join("data"));
        let start = settings.iter().fold(start, |start, one| start.set(one));
        let broker = start.ready().unwrap();
        let mut good = Connection::open(broker.address).unwrap();
        let large = [("max.message.bytes", "8388608")];
        good.create_topic("t", 1, &large).unwrap();
        Scene {
            start,
            broker,
            good,
            appended: 0,
            _folder: folder,
        }
    }

    /// The one that behaves is served, and soon.
    fn is_served(&mut self) {
        let asked = Instant::now();
        let value = format!("record {}", self.appended);
        let base = self.good.append(&place(), &[value.as_bytes()]).unwrap();
        assert_eq!(base, self.appended, "something else was appended");
        self.appended += 1;
        let took = asked.elapsed();
        assert!(took < Duration::from_secs(5), "served after {took:?}");
    }

    fn memory(&self, field: &str) -> u64 {
        let status = format!("/proc/{}/status", self.broker.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        let kibi = line.split_whitespace().nth(1).unwrap();
        kibi.parse::<u64>().unwrap() << 10
    }

    fn says(&self, words: &str) {
        wait_until(words, || self.start.said().unwrap().contains(words))
            .unwrap_or_else(|error| panic!("{error}: {}", self.start.said().unwrap()));
    }

    /// Everything of the one that behaves is there, nothing else is, and the broker stops in order.
    fn end(mut self) {
        self.is_served();
        let stored = self.good.read_all(&place()).unwrap();
        assert_eq!(stored.len() as i64, self.appended);
        for (number, record) in stored.iter().enumerate() {
            assert_eq!(record.value, format!("record {number}").as_bytes());
        }
        drop(self.good);
        let said = self.start.said().unwrap();
        assert!(!said.contains("panicked"), "{said}");
        self.broker.stop().unwrap();
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Waits until the broker ends the connection; what it said before that.
fn ended(mut socket: TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    match socket.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("it was not ended: {error}"),
    }
    answer
}

/// Sends bytes that no broker can take; the connection ends.
fn is_ended(address: SocketAddr, bytes: &[u8]) {
    let mut socket = connect(address);
    // It may be ended before all of it is sent.
    let _ = socket.write_all(bytes);
    ended(socket);
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as i32).to_be_bytes().to_vec();
    bytes.extend(body);
    bytes
}

/// A Produce of one batch, as a frame with its length.
fn produce(records: Vec<u8>) -> Vec<u8> {
    let data = PartitionProduceData {
        index: 0,
        records: Some(bytes::Bytes::from(records).into()),
        ..Default::default()
    };
    let topic = TopicProduceData {
        name: "t".to_owned(),
        partition_data: vec![data],
        ..Default::default()
    };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![topic],
        ..Default::default()
    };
    let mut writer = Writer::new();
    frame::request(&mut writer, 12, 1, Some("hostile"), &request).unwrap();
    writer.finish().into_bytes().to_vec()
}

#[test]
fn garbage_ends_its_connection_with_a_reason_and_nobody_elses_128() {
    let mut scene = Scene::begin("garbage", &[]);
    let address = scene.broker.address;
    let tls = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0x4a];
    let http = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let cases: [(&[u8], &str); 8] = [
        (http, "a frame claims 1195725856 bytes"),
        (&tls, "a frame claims 369295618 bytes"),
        (&[0xff; 4], "a frame claims -1 bytes"),
        (&i32::MAX.to_be_bytes(), "a frame claims 2147483647 bytes"),
        (
            &(100 * MEBI as i32 + 1).to_be_bytes(),
            "a frame claims 104857601 bytes; socket.request.max.bytes is 104857600",
        ),
        (&framed(&[]), "a frame of 0 bytes has no header"),
        (&framed(&[0; 3]), "a frame of 3 bytes has no header"),
        (
            &framed(&[0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff]),
            "(key 32767) version 0",
        ),
    ];
    for (bytes, reason) in cases {
        is_ended(address, bytes);
        scene.says(reason);
        scene.is_served();
    }
    // Any bytes at all: some look like the beginning of a long frame and are waited for, none does harm.
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let before = scene.memory("VmRSS");
    let mut waiting = Vec::new();
    for _ in 0..300 {
        let length = dice.below(2_000);
        let body: Vec<u8> = (0..length).map(|_| dice.below(256) as u8).collect();
        is_ended(address, &framed(&body));
        let mut socket = connect(address);
        let _ = socket.write_all(&body);
        waiting.push(socket);
    }
    scene.is_served();
    let grown = scene.memory("VmRSS").saturating_sub(before);
    assert!(grown < 64 * MEBI, "{grown} bytes for 300 strangers");
    drop(waiting);
    scene.end();
}

#[test]
fn a_request_cut_or_lengthened_anywhere_appends_nothing_128() {
    let mut scene = Scene::begin("cut", &[]);
    let address = scene.broker.address;
    let whole = produce(batch(None, 0, &[b"never stored"]).unwrap().to_vec());
    let body = &whole[4..];
    // The longest first: of many lines of a kind only the first are written, and those are to show a body.
    for length in (0..body.len()).rev() {
        // The frame is whole, what it says is not.
        is_ended(address, &framed(&body[..length]));
        if length % 16 == 0 {
            // The frame is not whole when its sender goes.
            let mut socket = connect(address);
            socket.write_all(&whole[..4 + length]).unwrap();
            drop(socket);
            scene.is_served();
        }
    }
    scene.says("cannot be read: ");
    scene.end();
}

#[test]
fn batches_that_lie_are_refused_with_the_code_that_names_the_lie_128() {
    let mut scene = Scene::begin("lies", &[]);
    let honest = batch(None, 0, &[b"one", b"two"]).unwrap().to_vec();
    // Where it lies, what it says there, and whether its own checksum agrees.
    let lies: [(&str, usize, &[u8], bool, Code); 9] = [
        ("crc", 17, &[1, 2, 3, 4], false, Code::CorruptMessage),
        ("magic", 16, &[9], false, Code::CorruptMessage),
        ("length", 8, &[0, 0, 0, 1], false, Code::CorruptMessage),
        ("count of 0", 57, &[0; 4], true, Code::InvalidRecord),
        (
            "count of 2^31",
            57,
            &[0x7f, 0xff, 0xff, 0xff],
            true,
            Code::MessageTooLarge,
        ),
        ("last delta", 23, &[0, 0, 0, 9], true, Code::InvalidRecord),
        ("a record's length", 61, &[0xfe], true, Code::InvalidRecord),
        (
            "unknown codec",
            21,
            &[0, 7],
            true,
            Code::UnsupportedCompressionType,
        ),
        (
            "not compressed as said",
            21,
            &[0, 4],
            true,
            Code::InvalidRecord,
        ),
    ];
    for (what, at, says, sealed, code) in lies {
        let mut lie = honest.clone();
        lie[at..at + says.len()].copy_from_slice(says);
        if sealed {
            let crc = crc_of(&lie);
            lie[17..21].copy_from_slice(&crc.to_be_bytes());
        }
        let mut connection = Connection::open(scene.broker.address).unwrap();
        connection.send_batch(&place(), lie.into()).unwrap();
        let answer = connection.answer().unwrap();
        assert!(answer.error == code, "{what}: {:?}", answer.error);
        scene.is_served();
    }
    scene.end();
}

/// A batch of so many zero bytes in one record.
fn bomb(codec: Codec, bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec);
    let value = vec![0; bytes];
    let record = NewRecord {
        value: Some(&value),
        ..Default::default()
    };
    builder.push(record).unwrap();
    builder.build().unwrap()
}

#[test]
fn bombs_in_every_codec_are_stopped_within_bounded_memory_130() {
    let mut scene = Scene::begin("bombs", &[]);
    scene.is_served();
    let before = scene.memory("VmHWM");
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let sent = bomb(codec, 96 << 20);
        assert!(sent.len() < 8 << 20, "{codec}: {} bytes", sent.len());
        let mut all: Vec<Connection> = (0..8)
            .map(|_| Connection::open(scene.broker.address).unwrap())
            .collect();
        for connection in &mut all {
            let bytes = bytes::Bytes::from(sent.clone());
            connection.send_batch(&place(), bytes).unwrap();
        }
        for connection in &mut all {
            let error = connection.answer().unwrap().error;
            assert!(error == Code::MessageTooLarge, "{codec}: {error:?}");
        }
        scene.is_served();
    }
    let grown = scene.memory("VmHWM").saturating_sub(before);
    say(&format!(
        "hostile: 32 bombs of 96 MiB took {} MiB",
        grown >> 20
    ));
    assert!(grown < 200 * MEBI, "{grown} bytes for 32 bombs of 96 MiB");
    scene.end();
}

#[test]
fn half_a_frame_and_then_nothing_holds_little_and_delays_nobody_133() {
    let mut scene = Scene::begin("half", &[]);
    scene.is_served();
    let before = scene.memory("VmRSS");
    let whole = produce(batch(None, 0, &[b"never stored"]).unwrap().to_vec());
    let sockets: Vec<TcpStream> = (0..300)
        .map(|nth| {
            let mut socket = connect(scene.broker.address);
            socket
                .write_all(&whole[..1 + nth % (whole.len() - 1)])
                .unwrap();
            socket
        })
        .collect();
    for _ in 0..50 {
        scene.is_served();
    }
    let grown = scene.memory("VmRSS").saturating_sub(before);
    assert!(grown < 40 * MEBI, "{grown} bytes for 300 halves");
    drop(sockets);
    scene.end();
}

/// As many descriptors as this process may have; a broker that it starts may have as many.
fn many_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, all).unwrap();
}

#[test]
fn a_thousand_claims_of_a_hundred_megabytes_share_one_bound_and_end_129_131() {
    many_descriptors();
    let bound = 32 * MEBI;
    let setting = format!("queued.max.request.bytes={bound}");
    // What is served meanwhile is kept in memory too, which is not the question here.
    let mut scene = Scene::begin("claims", &[&setting, "sawlog.cache.bytes=4194304"]);
    // Nor what serving at full speed takes by itself, which is more on a quick machine.
    let mut before = 0;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        scene.is_served();
        before = before.max(scene.memory("VmRSS"));
    }
    let claim = (100 * MEBI as i32).to_be_bytes();
    let address = scene.broker.address;
    let mut sockets: Vec<TcpStream> = (0..1_000)
        .map(|_| {
            let mut socket = connect(address);
            socket.write_all(&claim).unwrap();
            socket
        })
        .collect();
    for _ in 0..20 {
        scene.is_served();
    }
    // What is claimed costs nothing: not even a buffer each.
    let grown = scene.memory("VmRSS").saturating_sub(before);
    assert!(grown < 40 * MEBI, "{grown} bytes for claims alone");

    // Now each sends a megabyte of it, as far as it is read: thirty times the bound in all.
    let piece = vec![0; 1_000_000];
    for socket in &mut sockets {
        socket.set_nonblocking(true).unwrap();
        // What the broker does not read stays in the sockets.
        let mut rest = piece.as_slice();
        while let Ok(sent @ 1..) = socket.write(rest) {
            rest = &rest[sent..];
        }
    }
    let mut most = 0;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(8) {
        scene.is_served();
        most = most.max(scene.memory("VmRSS"));
    }
    let grown = most.saturating_sub(before);
    say(&format!(
        "hostile: 1,000 claims of 100 MiB with 1 MB each took {} MiB beside a bound of 32 MiB",
        grown >> 20
    ));
    // The bound, 8 MiB each kept for the next frames and the next file operations, 32 MiB for what
    // huge pages round up; and as much again that the allocator may not have given back while buffers grew.
    assert!(grown < 2 * (32 + 2 * 8 + 32) * MEBI, "{grown} bytes");
    scene.says("there was no memory for a long frame for 10 seconds");
    scene.says("queued.max.request.bytes is 33554432");
    // Those that held the memory and brought nothing are cut off too, so that an honest long request gets through.
    let large = vec![7; 4 << 20];
    let bytes = batch(None, 0, &[&large]).unwrap();
    let mut honest = Connection::open(address).unwrap();
    let other = Place {
        topic: "large".to_owned(),
        partition: 0,
    };
    let settings = [("max.message.bytes", "8388608")];
    honest.create_topic("large", 1, &settings).unwrap();
    wait_until("room for an honest request", || {
        let mut honest = Connection::open(address).unwrap();
        honest.send_batch(&other, bytes.clone()).is_ok() && honest.answer().is_ok()
    })
    .unwrap_or_else(|error| panic!("{error}: {}", scene.start.said().unwrap()));
    drop(sockets);
    scene.end();
}
