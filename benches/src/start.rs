//! Decides how starting is measured (W9): from the birth of the process to the first acknowledged record, with an empty
//! directory and after kill -9 with a full one; and what an idle node holds in memory.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::batch;
use crate::control::Control;
use crate::host::{self, Memory};
use crate::load::{self, Pace, Shape};
use crate::peer::{Node, Programs};
use crate::side::Side;
use crate::verify;

const PATIENCE: Duration = Duration::from_secs(120);
const PARTITIONS: i32 = 16;

/// One start after kill -9.
#[derive(Clone, Copy, Debug)]
pub struct Restart {
    /// To the first acknowledged record.
    pub first_ack: Duration,
    /// Bytes of batches in the log.
    pub log_bytes: u64,
    /// Bytes that the broker had the disk read until then.
    pub bytes_read: u64,
}

/// Starts in an empty directory; the time to the first acknowledged record, the topic's creation included.
pub fn empty(programs: &Programs, side: Side) -> Result<Duration> {
    let mut node = Node::place(programs, programs.seat(side));
    node.wipe()?;
    let born = Instant::now();
    node.spawn(programs)?;
    let took = first_ack(&mut node, side, "first-1", true, born)?;
    node.kill()?;
    node.wipe()?;
    Ok(took)
}

/// Resident memory two seconds after the start, nothing done.
pub fn idle_memory(programs: &Programs, side: Side) -> Result<u64> {
    let mut node = Node::start(programs, programs.seat(side))?;
    std::thread::sleep(Duration::from_secs(2));
    let Some(pid) = node.pid() else {
        bail!("not our process")
    };
    let memory = Memory::of(pid)?;
    node.kill()?;
    node.wipe()?;
    Ok(memory.resident)
}

/// Fills `bytes` of log, kills at once after the last reply, starts again; then reads everything back.
pub fn after_kill(programs: &Programs, side: Side, bytes: u64) -> Result<Restart> {
    let topic = format!("filled-{PARTITIONS}");
    let mut node = Node::start(programs, programs.seat(side))?;
    node.create_topic(&topic, PARTITIONS, side)?;
    let shape = Shape {
        topic: topic.clone(),
        partitions: PARTITIONS,
        connections: 4,
        in_flight: 2,
        records: 900,
        value_bytes: 1024,
        pace: Pace::Closed,
        warm: Duration::ZERO,
        run: PATIENCE,
        bytes_max: bytes,
    };
    let filled = load::run(node.address(), &shape, None)?;
    node.kill()?;

    let born = Instant::now();
    node.spawn(programs)?;
    let first_ack = first_ack(&mut node, side, &topic, false, born)?;
    let bytes_read = node.pid().map_or(Ok(0), host::bytes_read)?;
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
    node.kill()?;
    node.wipe()?;
    Ok(Restart {
        first_ack,
        log_bytes,
        bytes_read,
    })
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
