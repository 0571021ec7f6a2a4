//! Decides how records are read at speed: one connection, one Fetch in flight, from the start of a partition to its end and
//! again from the start until the time is over. Every batch must continue the one before it and match its checksum.
//! As Kafka's clients do it, the next Fetch goes out as soon as the heads of the batches that came say where it begins; what
//! came is checked meanwhile, within the time that counts. No broker waits for the client's checksums.

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
    let (mut requests, mut records, mut bytes) = (1, 0, 0);
    let (mut next, mut empty) = (0, 0);
    let request = |offset| {
        let wait = frame::Wait::Briefly;
        frame::fetch(&reads.topic, reads.partition, offset, reads.bytes_max, wait)
    };
    control.send(&[&request(next)])?;
    loop {
        control.receive()?;
        let fetched = frame::fetched(control.reply())??;
        let end = fetched.high_watermark;
        let leads_to = batch::leads_to(fetched.records).unwrap_or(next);
        let at_end = leads_to == end;
        let goes_on = !at_end || before.at().elapsed() < reads.run;
        if goes_on {
            requests += 1;
            control.send(&[&request(if at_end { 0 } else { leads_to })])?;
        }
        let from = next;
        let mut rest = frame::fetched(control.reply())??.records;
        while let Some(batch) = batch::next(&mut rest)? {
            if batch.base != next {
                bail!("offset {next} expected, {} found", batch.base);
            }
            next += i64::from(batch.records);
            records += u64::from(batch.records);
            bytes += batch.bytes as u64;
        }
        if next != leads_to {
            bail!("heads of batches led to offset {leads_to}, the batches to {next}");
        }
        empty = if next == from { empty + 1 } else { 0 };
        if empty > 20 {
            bail!("nothing at offset {next} below {end}");
        }
        if at_end {
            if next == 0 {
                bail!("{} is empty", reads.topic);
            }
            next = 0;
        }
        if !goes_on {
            break;
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
