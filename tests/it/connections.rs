//! How many connections there may be, and how long one may be silent (#132, #134): who is beyond that is closed, and nobody
//! else. Ten thousand connections cost a bounded sum.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sawlog_wire::messages::fetch::{FetchPartition, FetchTopic};
use sawlog_wire::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use sawlog_wire::messages::{ApiVersionsRequest, FetchRequest, IncrementalAlterConfigsRequest};
use tests::broker::{Broker, PATIENCE, Start, wait_until};
use tests::client::{Connection, Place};
use tests::host::Folder;

/// Waits for the other side to close.
fn closes(mut socket: TcpStream) {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    match socket.read(&mut [0; 1]) {
        Ok(n) => assert_eq!(n, 0, "a byte"),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
}

/// A connection that is answered, if it gets in.
fn gets_in(broker: &Broker) -> Option<Connection> {
    let mut connection = Connection::open(broker.address).ok()?;
    connection.send(0, &ApiVersionsRequest::default()).ok()?;
    connection.receive::<ApiVersionsRequest>(0).ok()?;
    Some(connection)
}

#[test]
fn a_silent_connection_is_closed_and_one_that_waits_for_an_answer_is_not() {
    let folder = Folder::new("idle").unwrap();
    let start = Start::on(&folder.join("data")).set("connections.max.idle.ms=1000");
    let broker = start.ready().unwrap();
    let place = Place::first("t");
    let mut waiting = Connection::open(broker.address).unwrap();
    waiting.create_topic("t", 1, &[]).unwrap();
    let partition = FetchPartition {
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let topic = FetchTopic {
        topic: "t".to_owned(),
        partitions: vec![partition],
        ..Default::default()
    };
    let request = FetchRequest {
        max_wait_ms: i32::MAX,
        min_bytes: 1,
        topics: vec![topic],
        ..Default::default()
    };
    waiting.send(12, &request).unwrap();
    // One that never says anything, and one that begins a frame, later than the one that waits.
    let silent = TcpStream::connect(broker.address).unwrap();
    let mut begun = TcpStream::connect(broker.address).unwrap();
    begun.write_all(&[0, 0]).unwrap();
    closes(silent);
    closes(begun);
    let mut other = Connection::open(broker.address).unwrap();
    other.append(&place, &[b"at last"]).unwrap();
    let told = waiting.receive::<FetchRequest>(12).unwrap();
    let row = &told.responses[0].partitions[0];
    assert!(row.error_code.is_none() && row.records.is_some(), "{row:?}");
    broker.stop().unwrap();
}

#[test]
fn who_comes_when_all_seats_are_taken_is_closed_and_the_next_one_gets_in_when_one_goes_134() {
    for (setting, name) in [
        ("max.connections=3", "all-seats"),
        ("max.connections.per.ip=3", "seats"),
    ] {
        let folder = Folder::new(name).unwrap();
        let start = Start::on(&folder.join("data")).set(setting);
        let broker = start.ready().unwrap();
        let mut inside: Vec<_> = (0..3).map(|_| gets_in(&broker).unwrap()).collect();
        for _ in 0..3 {
            closes(TcpStream::connect(broker.address).unwrap());
        }
        let key = setting.split('=').next().unwrap();
        assert!(broker.said().unwrap().contains(key), "it is said why");
        // Who is inside is served as before.
        inside[0].create_topic("t", 1, &[]).unwrap();
        inside.pop();
        wait_until("a seat", || {
            gets_in(&broker).map(|one| inside.push(one)).is_some()
        })
        .unwrap();
        broker.stop().unwrap();
    }
}

/// Gives broker 1 a setting while it runs, or takes it back; what is said against it.
fn told(through: &mut Connection, key: &str, value: Option<&str>) -> Option<String> {
    let config = AlterableConfig {
        name: key.to_owned(),
        config_operation: i8::from(value.is_none()),
        value: value.map(str::to_owned),
        ..Default::default()
    };
    let resource = AlterConfigsResource {
        resource_type: 4,
        resource_name: "1".to_owned(),
        configs: vec![config],
        ..Default::default()
    };
    let request = IncrementalAlterConfigsRequest {
        resources: vec![resource],
        ..Default::default()
    };
    through.send(1, &request).unwrap();
    let mut told = through
        .receive::<IncrementalAlterConfigsRequest>(1)
        .unwrap();
    let row = told.responses.remove(0);
    assert_eq!(row.error_code.is_none(), row.error_message.is_none());
    row.error_message
}

fn tell(through: &mut Connection, key: &str, value: Option<&str>) {
    assert_eq!(told(through, key, value), None, "{key}={value:?}");
}

#[test]
fn how_many_may_come_changes_while_the_broker_runs_and_outlives_its_restart_134() {
    let folder = Folder::new("seats-change").unwrap();
    let start = || Start::on(&folder.join("data")).set("max.connections.per.ip=2");
    let broker = start().ready().unwrap();
    let mut inside = vec![gets_in(&broker).unwrap(), gets_in(&broker).unwrap()];
    let full = |broker: &Broker| closes(TcpStream::connect(broker.address).unwrap());
    full(&broker);
    // The answer says that it holds.
    let one = "max.connections.per.ip.overrides";
    tell(&mut inside[0], one, Some("10.0.0.7:1, 127.0.0.1:3"));
    inside.push(gets_in(&broker).unwrap());
    full(&broker);
    let why = told(&mut inside[0], one, Some("127.0.0.1:0")).unwrap();
    assert!(why.contains("nobody from 127.0.0.1"), "{why}");
    tell(&mut inside[0], "max.connections", Some("1"));
    tell(&mut inside[0], one, None);
    tell(&mut inside[0], "max.connections.per.ip", Some("9"));
    full(&broker);
    // Nobody who is inside is cut.
    inside[2].create_topic("t", 1, &[]).unwrap();
    broker.stop().unwrap();
    let broker = start().ready().unwrap();
    let mut only = gets_in(&broker).unwrap();
    full(&broker);
    tell(&mut only, "max.connections", None);
    let others: Vec<_> = (0..8).map(|_| gets_in(&broker).unwrap()).collect();
    full(&broker);
    drop(others);
    broker.stop().unwrap();
}

#[test]
fn a_start_raises_its_limit_on_open_files_as_far_as_it_may() {
    let folder = Folder::new("descriptors").unwrap();
    let start = Start::on(&folder.join("data"));
    let start = start.under(["sh", "-c", "ulimit -Sn 64; exec \"$@\"", "sh"]);
    let broker = start.ready().unwrap();
    let all: Vec<_> = (0..150).map(|_| gets_in(&broker).unwrap()).collect();
    assert_eq!(all.len(), 150);
    drop(all);
    broker.stop().unwrap();
}

/// Resident memory of the broker that is its own, in bytes.
fn memory(broker: &Broker) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", broker.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1));
    kibibytes.unwrap().parse::<usize>().unwrap() << 10
}

/// As many descriptors as this process may have; a broker that it starts may have as many.
fn descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, all).unwrap();
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Ten thousand, or as many as both sides' limits on open files allow.
#[test]
fn a_connection_that_was_served_and_is_silent_costs_4_kib_131() {
    const EACH: usize = 4 << 10;
    let count = 10_000.min(descriptors() / 2) as usize;
    let folder = Folder::new("many").unwrap();
    let start = Start::on(&folder.join("data"));
    let broker = start.ready().unwrap();
    let mut first = gets_in(&broker).unwrap();
    // Commits that lie side by side: what is kept of them in memory is next to nothing.
    let fast = [("sawlog.durability", "replicated")];
    first.create_topic("t", 1, &fast).unwrap();
    let place = Place::first("t");
    for _ in 0..1000 {
        first.append(&place, &[b"warm"]).unwrap();
    }
    let before = memory(&broker);
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let mut connection = gets_in(&broker).unwrap();
        connection.append(&place, &[b"a record"]).unwrap();
        all.push(connection);
    }
    let each = memory(&broker).saturating_sub(before) / count;
    eprintln!("memory: {each} bytes for each of {count} connections");
    assert!(each <= EACH, "{each} bytes for each of {count}");
    first.append(&place, &[b"served beside them"]).unwrap();
    drop(all);
    broker.stop().unwrap();
}
