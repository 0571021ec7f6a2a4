//! Decides how 10,000 partitions and 10,000 connections are made, used once each, and what they cost when nothing happens
//! (W7, W8). Each record is acknowledged, and all of them are read back at the end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{Say, pid_of};
use crate::batch;
use crate::cell::Runner;
use crate::control::Control;
use crate::figures::{Figures, Metric};
use crate::frame::{self, ProduceHead};
use crate::host::{self, Cpu, Memory};
use crate::load::{self, Outcome, Pace, Shape};
use crate::peer::Node;
use crate::side::Side;
use crate::verify::{self, Expect, Source};
use crate::wide;

const TOPICS: usize = 10;
const PARTITIONS: i32 = 1000;
const CONNECTIONS: usize = 10_000;
const IDLE: Duration = Duration::from_secs(10);

/// Create in ms, memory of a partition in KiB, CPU per message over one partition, memory of a connection in KiB, idle CPU in %.
pub fn run(runner: &Runner<'_>, say: Say<'_>) -> Result<Vec<f64>> {
    host::open_files_max()?;
    let side = Side::SawlogDurable;
    let node = Node::start(runner.programs, runner.programs.seat(side))?;
    let pid = pid_of(&node)?;
    node.create_topic("one-1", 1, side)?;
    let one = produce(&node, vec!["one-1".to_owned()], 1, runner.seconds)?;
    say(&format!("  1 partition       {}", one.figures.line()));

    let before = settled(pid)?;
    let topics: Vec<String> = (0..TOPICS)
        .map(|n| format!("many-{n}-{PARTITIONS}"))
        .collect();
    let created = create(&node, &topics)?;
    let bare = settled(pid)?;
    say(&format!("  created in {created:?}"));
    let all = TOPICS * PARTITIONS as usize;
    let each = one_record_each(&node, &topics)?;
    let after = settled(pid)?;
    let partition_kib = (after as f64 - before as f64) / all as f64 / 1024.0;
    let bare_kib = (bare as f64 - before as f64) / all as f64 / 1024.0;
    let many = produce(&node, topics.clone(), PARTITIONS, runner.seconds)?;
    say(&format!("  10,000 partitions {}", many.figures.line()));
    let cpu = |figures: &Figures| {
        Metric::CpuPerRequest
            .of(figures)
            .context("no CPU was counted")
    };
    let ratio = cpu(&many.figures)? / cpu(&one.figures)?;

    let before = settled(pid)?;
    let mut sockets = connect(node.address(), &topics)?;
    let after = settled(pid)?;
    let connection_kib = (after as f64 - before as f64) / CONNECTIONS as f64 / 1024.0;
    say(&format!(
        "  resident {before} and {after} bytes without and with {CONNECTIONS} connections"
    ));
    let (cpu, begun) = (Cpu::of(pid)?, Instant::now());
    std::thread::sleep(IDLE);
    let idle = Cpu::of(pid)?.since(cpu).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0;
    for socket in &mut sockets {
        versions(socket).context("a connection after the idle time")?;
    }
    drop(sockets);

    let due: Vec<u64> = many
        .acknowledged
        .iter()
        .zip(&each)
        .map(|(many, each)| many + each + (CONNECTIONS / all) as u64)
        .collect();
    verify::all(Source::Broker(node.address()), &topics, &due, Expect::Whole)?;
    Ok(vec![
        created.as_secs_f64() * 1e3,
        partition_kib,
        bare_kib,
        ratio,
        connection_kib,
        idle,
    ])
}

/// Resident memory once what is done behind the replies has been done.
fn settled(pid: u32) -> Result<u64> {
    std::thread::sleep(Duration::from_millis(1500));
    Ok(Memory::of(pid)?.resident)
}

/// One CreateTopics for each topic, until Metadata names a leader for every partition.
fn create(node: &Node, topics: &[String]) -> Result<Duration> {
    let mut control = Control::connect(node.address())?;
    let begun = Instant::now();
    for topic in topics {
        let request = frame::create_topic(topic, PARTITIONS, Side::SawlogDurable.topic_configs());
        if let Err((refused, words)) = frame::created(control.ask(&[&request])?)? {
            bail!("create {topic}: {refused} {words}");
        }
    }
    for topic in topics {
        while frame::led_partitions(control.ask(&[&frame::metadata(topic)])?)? < PARTITIONS as usize
        {
            ensure!(begun.elapsed().as_secs() < 60, "{topic} has no leaders");
            std::thread::sleep(Duration::from_micros(500));
        }
    }
    Ok(begun.elapsed())
}

/// Single records to all partitions in turn, five in flight.
fn produce(node: &Node, topics: Vec<String>, partitions: i32, seconds: f64) -> Result<Outcome> {
    let shape = Shape {
        topics,
        partitions,
        connections: 1,
        in_flight: 5,
        records: 1,
        value_bytes: 1024,
        pace: Pace::Closed,
        warm: Duration::from_millis(300),
        run: Duration::from_secs_f64(seconds),
        bytes_max: u64::MAX,
        parts: 0,
    };
    load::run(node.address(), &shape, node.pid())
}

/// One record to each partition, each acknowledged before the next; how many each has now.
fn one_record_each(node: &Node, topics: &[String]) -> Result<Vec<u64>> {
    let mut control = Control::connect(node.address())?;
    let batch = batch::encode(1, 100, 1_700_000_000_000);
    for topic in topics {
        for partition in 0..PARTITIONS {
            let offset = control.produce(topic, partition, &batch)??;
            ensure!(offset == 0, "{topic}-{partition}: offset {offset}, not 0");
        }
    }
    Ok(vec![1; topics.len() * PARTITIONS as usize])
}

/// Connects and sends one ApiVersions and one Produce on each; all stay open.
fn connect(address: SocketAddr, topics: &[String]) -> Result<Vec<TcpStream>> {
    let batch = batch::encode(1, 100, 1_700_000_000_000);
    let mut sockets = Vec::with_capacity(CONNECTIONS);
    for number in 0..CONNECTIONS {
        let mut socket =
            TcpStream::connect(address).with_context(|| format!("connection {number}"))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(30)))?;
        versions(&mut socket)?;
        let topic = topics
            .get(number / PARTITIONS as usize % TOPICS)
            .context("no topic")?;
        let mut head = ProduceHead::new(topic, batch.len());
        head.stamp(number as i32, number as i32 % PARTITIONS);
        socket.write_all(&[head.bytes(), &batch].concat())?;
        frame::produced(&reply(&mut socket)?, topic)?.base?;
        sockets.push(socket);
    }
    Ok(sockets)
}

fn versions(socket: &mut TcpStream) -> Result<()> {
    socket.write_all(&wide::api_versions())?;
    let keys = wide::api_keys(&reply(socket)?)??;
    ensure!(keys > 10, "only {keys} API keys");
    Ok(())
}

fn reply(socket: &mut TcpStream) -> Result<Vec<u8>> {
    let mut length = [0; 4];
    socket.read_exact(&mut length).context("no reply")?;
    let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(0);
    ensure!(length < 64 << 10, "a reply of {length} bytes");
    let mut reply = vec![0; length];
    socket.read_exact(&mut reply)?;
    Ok(reply)
}
