//! Decides how records are read at speed: one connection, one Fetch in flight, from the start of a partition to its end and
//! again from the start until the time is over. Every batch must continue the one before it and match its checksum.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::batch;
use crate::control::Control;
use crate::figures::Figures;
use crate::frame;
use crate::host::Snapshot;

/// One run.
#[derive(Clone, Debug)]
pub struct Reads {
    /// What is read.
    pub topic: String,
    /// One of its partitions.
    pub partition: i32,
    /// Bytes asked for by each Fetch.
    pub bytes_max: i32,
    /// Ends at the end of the log once this is over; the first pass is always whole.
    pub run: Duration,
}

/// Reads; `broker` is the process whose CPU and memory are read.
pub fn run(address: SocketAddr, reads: &Reads, broker: Option<u32>) -> Result<Figures> {
    let mut control = Control::connect(address)?;
    let before = Snapshot::take(broker, std::process::id())?;
    let (mut requests, mut records, mut bytes) = (0, 0, 0);
    let mut next = 0;
    let mut passes = 0;
    let mut empty = 0;
    while passes == 0 || before.at().elapsed() < reads.run {
        let request = frame::fetch(
            &reads.topic,
            reads.partition,
            next,
            reads.bytes_max,
            frame::Wait::Briefly,
        );
        let fetched = frame::fetched(control.ask(&[&request])?)??;
        requests += 1;
        let mut rest = fetched.records;
        let from = next;
        while let Some(batch) = batch::next(&mut rest)? {
            if batch.base != next {
                bail!("offset {next} expected, {} found", batch.base);
            }
            next += i64::from(batch.records);
            records += u64::from(batch.records);
            bytes += batch.bytes as u64;
        }
        empty = if next == from { empty + 1 } else { 0 };
        if empty > 20 {
            bail!("nothing at offset {next} below {}", fetched.high_watermark);
        }
        if next == fetched.high_watermark {
            if next == 0 {
                bail!("{} is empty", reads.topic);
            }
            (next, passes) = (0, passes + 1);
        }
    }
    let after = Snapshot::take(broker, std::process::id())?;
    Ok(Figures {
        requests,
        records,
        bytes,
        ..after.since(&before)
    })
}

/// Follows all partitions of a topic from their starts, as a reader does that has them assigned, until `until()` names a
/// number of records and so many were read.
pub fn follow(
    address: SocketAddr,
    topic: &str,
    partitions: i32,
    mut until: impl FnMut() -> Option<u64>,
) -> Result<Figures> {
    const APPETITE: crate::wide::Appetite = crate::wide::Appetite {
        bytes_min: 64 << 10,
        bytes_max: 8 << 20,
        wait_ms: 100,
    };
    const LAST_MAX: Duration = Duration::from_secs(30);
    let mut control = Control::connect(address)?;
    let mut offsets = vec![0_i64; partitions.unsigned_abs() as usize];
    let (mut requests, mut records, mut bytes) = (0, 0_u64, 0);
    let before = Snapshot::take(None, std::process::id())?;
    let mut told = None;
    loop {
        if let Some(all) = until() {
            let (_, since) = *told.get_or_insert((all, Instant::now()));
            if records == all {
                break;
            }
            if records > all {
                bail!("{records} records read, {all} were sent");
            }
            if since.elapsed() > LAST_MAX {
                bail!("{records} of {all} records read {LAST_MAX:?} after the last one was sent");
            }
        }
        let request = crate::wide::fetch_all(topic, &offsets, APPETITE);
        requests += 1;
        crate::wide::fetched_all(control.ask(&[&request])?, |partition, fetched| {
            let mut rest = fetched?.records;
            let next = offsets
                .get_mut(partition.unsigned_abs() as usize)
                .context("a partition that was not asked for")?;
            while let Some(batch) = batch::next(&mut rest)? {
                if batch.base != *next {
                    bail!("{partition}: offset {next} expected, {} found", batch.base);
                }
                *next += i64::from(batch.records);
                records += u64::from(batch.records);
                bytes += batch.bytes as u64;
            }
            Ok::<(), anyhow::Error>(())
        })?;
    }
    let after = Snapshot::take(None, std::process::id())?;
    Ok(Figures {
        requests,
        records,
        bytes,
        ..after.since(&before)
    })
}
