//! Decides how starting is measured (W9): from the birth of the process to the first acknowledged record, with an empty
//! directory and after kill -9 with a full one, few partitions or 10,000; and what an idle node holds in memory.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{Say, mib, pid_of};
use crate::batch;
use crate::cell::Runner;
use crate::control::Control;
use crate::frame;
use crate::host::{self, Memory};
use crate::load::{self, Outcome, Pace, Shape};
use crate::peer::{Node, Programs};
use crate::side::Side;
use crate::verify;
use crate::wide;

const PATIENCE: Duration = Duration::from_secs(120);
const PARTITIONS: i32 = 16;
/// Log that a restart has to cope with.
const LOG_BYTES: u64 = 2_000_000_000;
const WIDE_BYTES: u64 = 10_000_000_000;
const WIDE_TOPICS: usize = 10;
const WIDE_PARTITIONS: i32 = 1000;
/// Records in each batch of the wide log.
const WIDE_RECORDS: u32 = 100;
const TAILS: usize = 100;

/// An empty start of Sawlog, or of the limit broker.
pub fn empty_of<const SAWLOG: bool>(runner: &Runner<'_>, _say: Say<'_>) -> Result<Vec<f64>> {
    let side = if SAWLOG {
        Side::SawlogDurable
    } else {
        Side::LimitDurable
    };
    Ok(vec![millis(empty(runner.programs, side)?)])
}

/// Resident memory two seconds after the start, nothing done.
pub fn idle(runner: &Runner<'_>, _say: Say<'_>) -> Result<Vec<f64>> {
    let side = Side::SawlogDurable;
    let node = Node::start(runner.programs, runner.programs.seat(side))?;
    std::thread::sleep(Duration::from_secs(2));
    Ok(vec![mib(Memory::of(pid_of(&node)?)?.resident)])
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Starts in an empty directory; the time to the first acknowledged record, the topic's creation included.
fn empty(programs: &Programs, side: Side) -> Result<Duration> {
    let mut node = Node::place(programs, programs.seat(side));
    node.wipe()?;
    // What others left in the page cache is not this start's to write back.
    rustix::fs::sync();
    let born = Instant::now();
    node.spawn(programs)?;
    first_ack(&mut node, side, "first-1", true, born)
}

/// Fills 2 GB of log, kills at once after the last reply, starts again; then reads everything back.
pub fn killed(runner: &Runner<'_>, say: Say<'_>) -> Result<Vec<f64>> {
    let (programs, side) = (runner.programs, Side::SawlogDurable);
    let topic = format!("filled-{PARTITIONS}");
    let mut node = Node::start(programs, programs.seat(side))?;
    let topics = vec![topic.clone()];
    let filled = fill(&node, topics, PARTITIONS, (900, 4, 2), LOG_BYTES)?;
    node.kill()?;

    let born = Instant::now();
    node.spawn(programs)?;
    let first_ack = first_ack(&mut node, side, &topic, false, born)?;
    let bytes_read = host::bytes_read(pid_of(&node)?)?;
    let mut control = Control::connect(node.address())?;
    let mut log_bytes = 0;
    for (partition, &records) in (0..).zip(&filled.acknowledged) {
        // The first record after the start went to partition 0 and is another batch.
        let (records, expect) = if partition == 0 {
            (records + 1, verify::Expect::Whole)
        } else {
            (records, filled.expect)
        };
        log_bytes += verify::partition(&mut control, &topic, partition, records, expect)?.bytes;
    }
    ensure!(log_bytes >= LOG_BYTES, "only {log_bytes} bytes of log");
    say(&format!("  {first_ack:?} with {log_bytes} bytes of log"));
    Ok(vec![millis(first_ack), bytes_read as f64 / 1e6])
}

/// The same with 10 GB in 10,000 partitions: then all partitions say where they end and 100 of them give their last batch,
/// on the clock; every tenth is read whole afterwards.
pub fn killed_wide(runner: &Runner<'_>, say: Say<'_>) -> Result<Vec<f64>> {
    let (programs, side) = (runner.programs, Side::SawlogDurable);
    let mut node = Node::start(programs, programs.seat(side))?;
    let topics: Vec<String> = (0..WIDE_TOPICS)
        .map(|n| format!("wide-{n}-{WIDE_PARTITIONS}"))
        .collect();
    let shape = (WIDE_RECORDS, 4, 4);
    let mut filled = fill(&node, topics.clone(), WIDE_PARTITIONS, shape, WIDE_BYTES)?;
    let batch_bytes = batch::encode(WIDE_RECORDS, 1024, 0).len() as u64;
    let sent: u64 = filled.acknowledged.iter().sum::<u64>() / u64::from(WIDE_RECORDS);
    let log_bytes = sent * batch_bytes;
    ensure!(log_bytes >= WIDE_BYTES, "only {log_bytes} bytes of log");
    say(&format!("  kill with {log_bytes} bytes of log"));
    node.kill()?;

    let first = topics.first().context("no topic")?;
    let born = Instant::now();
    node.spawn(programs)?;
    let acknowledged = first_ack(&mut node, side, first, false, born)?;
    let bytes_read = host::bytes_read(pid_of(&node)?)?;
    if let Some(records) = filled.acknowledged.first_mut() {
        *records += 1;
    }
    let mut control = Control::connect(node.address())?;
    let mut ends = Vec::new();
    for topic in &topics {
        ends.extend(ends_of(&mut control, topic, WIDE_PARTITIONS, born)?);
    }
    for (index, (end, due)) in ends.iter().zip(&filled.acknowledged).enumerate() {
        ensure!(
            end == due,
            "partition {index} of all: {due} records acknowledged, its end is {end}"
        );
    }
    ensure!(
        ends.len() == filled.acknowledged.len(),
        "a partition is missing"
    );
    let all = ends.len();
    let verify::Expect::Copies { crc } = filled.expect else {
        bail!("the load is one batch, again and again")
    };
    // Spread over all by a stride that shares no factor with their number; number 0 ends with another batch.
    for index in (1..=TAILS).map(|n| n * 7919 % all) {
        let (topic, partition) = (
            topics.get(index / WIDE_PARTITIONS as usize),
            index % WIDE_PARTITIONS as usize,
        );
        let topic = topic.context("no such topic")?;
        let end = i64::try_from(ends.get(index).copied().unwrap_or_default())?;
        let from = end - i64::from(WIDE_RECORDS);
        let request = frame::fetch(topic, partition as i32, from, 1 << 20, frame::Wait::No);
        let fetched = frame::fetched(control.ask(&[&request])?)??;
        let mut rest = fetched.records;
        let tail = batch::next(&mut rest)?.context("no batch at the tail")?;
        ensure!(
            tail.base == from && tail.crc == crc && tail.records == WIDE_RECORDS,
            "{topic}-{partition}: the batch at {from} is not the one sent"
        );
    }
    let answered = born.elapsed();
    say(&format!(
        "  {acknowledged:?} to the first ack, {answered:?} to all partitions and {TAILS} tails"
    ));
    for index in (0..all).step_by(10) {
        let topic = topics
            .get(index / WIDE_PARTITIONS as usize)
            .context("no such topic")?;
        let partition = (index % WIDE_PARTITIONS as usize) as i32;
        let records = ends.get(index).copied().unwrap_or_default();
        let expect = if index == 0 {
            verify::Expect::Whole
        } else {
            filled.expect
        };
        verify::partition(&mut control, topic, partition, records, expect)?;
    }
    Ok(vec![
        acknowledged.as_secs_f64(),
        answered.as_secs_f64(),
        bytes_read as f64 / 1e6,
    ])
}

/// Writes `bytes` to all partitions in turn, in batches of (records), over (connections), with so many (in flight).
fn fill(
    node: &Node,
    topics: Vec<String>,
    partitions: i32,
    (records, connections, in_flight): (u32, usize, usize),
    bytes: u64,
) -> Result<Outcome> {
    for topic in &topics {
        node.create_topic(topic, partitions, Side::SawlogDurable)?;
    }
    let shape = Shape {
        topics,
        partitions,
        connections,
        in_flight,
        records,
        value_bytes: 1024,
        pace: Pace::Closed,
        warm: Duration::ZERO,
        run: PATIENCE,
        bytes_max: bytes,
        parts: 0,
    };
    load::run(node.address(), &shape, None)
}

/// Asks until every partition answers where it ends.
fn ends_of(control: &mut Control, topic: &str, partitions: i32, born: Instant) -> Result<Vec<u64>> {
    loop {
        match wide::listed_ends(control.ask(&[&wide::list_ends(topic, partitions)])?)? {
            Ok(ends) => return Ok(ends),
            Err(refused) if !refused.passes() || born.elapsed() > PATIENCE => {
                return Err(refused).with_context(|| format!("ListOffsets of {topic}"));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn first_ack(
    node: &mut Node,
    side: Side,
    topic: &str,
    create: bool,
    born: Instant,
) -> Result<Duration> {
    let batch = batch::encode(1, 100, 1_700_000_000_000);
    let mut created = !create;
    while born.elapsed() < PATIENCE {
        node.alive()?;
        let asked = Control::connect(node.address()).and_then(|mut control| {
            if !created {
                node.create_topic(topic, 1, side)?;
                created = true;
            }
            control.produce(topic, 0, &batch)
        });
        match asked {
            Ok(Ok(_)) => return Ok(born.elapsed()),
            Ok(Err(refused)) if !refused.passes() => return Err(refused.into()),
            // Nobody listens yet, or it is still starting.
            Ok(Err(_)) | Err(_) => std::thread::sleep(Duration::from_micros(300)),
        }
    }
    bail!("no record was acknowledged within {PATIENCE:?}")
}
