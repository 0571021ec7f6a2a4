//! Decides whether what was acknowledged is really there: count, checksums and contiguous offsets, partition by partition.
//! A fast wrong answer is a failed cell. Reads through the broker, or a plain file of batches where a peer cannot serve them.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::batch;
use crate::control::Control;
use crate::frame;

/// Read at once from a broker or a file.
const CHUNK: i32 = 8 << 20;

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Records, all partitions.
    pub records: u64,
    /// Bytes of their batches.
    pub bytes: u64,
    /// Batches.
    pub batches: u64,
}

impl Found {
    /// The sum of two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            bytes: self.bytes + other.bytes,
            batches: self.batches + other.batches,
        }
    }
}

/// What every batch must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Any whole batches.
    Whole,
    /// Copies of one batch, stored as sent: they all carry its checksum.
    Copies {
        /// That checksum.
        crc: u32,
    },
}

/// Walks batches that must continue where the last ones ended.
#[derive(Debug)]
struct Walk {
    next: i64,
    expect: Expect,
    found: Found,
}

impl Walk {
    fn new(expect: Expect) -> Self {
        Self {
            next: 0,
            expect,
            found: Found::default(),
        }
    }

    /// Takes the whole batches off `bytes`; how many bytes they were.
    fn take(&mut self, mut rest: &[u8], until: Option<i64>) -> Result<usize> {
        let all = rest.len();
        while until.is_none_or(|until| self.next < until) {
            let Some(batch) = batch::next(&mut rest)? else {
                break;
            };
            if batch.base != self.next {
                bail!("offset {} expected, {} found", self.next, batch.base);
            }
            if let Expect::Copies { crc } = self.expect
                && batch.crc != crc
            {
                bail!(
                    "the batch at offset {} is whole, but not the one that was sent",
                    batch.base
                );
            }
            self.next += i64::from(batch.records);
            self.found.records += u64::from(batch.records);
            self.found.bytes += batch.bytes as u64;
            self.found.batches += 1;
        }
        Ok(all - rest.len())
    }
}

/// Reads one partition from its start to its high watermark, which must be `records`.
pub fn partition(
    control: &mut Control,
    topic: &str,
    partition: i32,
    records: u64,
    expect: Expect,
) -> Result<Found> {
    let mut walk = Walk::new(expect);
    let mut empty = 0;
    loop {
        let reply = control.ask(&[&frame::fetch(
            topic,
            partition,
            walk.next,
            CHUNK,
            frame::Wait::Briefly,
        )])?;
        let fetched = frame::fetched(reply)??;
        if fetched.high_watermark == walk.next {
            break;
        }
        let taken = walk
            .take(fetched.records, None)
            .with_context(|| format!("{topic}-{partition}"))?;
        if fetched.high_watermark == walk.next {
            break;
        }
        empty = if taken == 0 { empty + 1 } else { 0 };
        if empty > 20 {
            bail!(
                "{topic}-{partition}: nothing at offset {} below {}",
                walk.next,
                fetched.high_watermark
            );
        }
    }
    finish(&walk, topic, partition, records)
}

/// Reads one partition from a file that holds batches one after another, with anything behind the last one.
pub fn file(
    path: &Path,
    topic: &str,
    partition: i32,
    records: u64,
    expect: Expect,
) -> Result<Found> {
    use std::io::Read;
    let mut file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    let mut walk = Walk::new(expect);
    let until = i64::try_from(records)?;
    let mut held: Vec<u8> = Vec::new();
    while walk.next < until {
        if Read::by_ref(&mut file)
            .take(CHUNK as u64)
            .read_to_end(&mut held)?
            == 0
        {
            break;
        }
        let taken = walk
            .take(&held, Some(until))
            .with_context(|| format!("{topic}-{partition}"))?;
        held.drain(..taken);
    }
    finish(&walk, topic, partition, records)
}

/// The same without knowing how many there are: up to the first bytes that do not continue the log.
pub fn file_to_end(path: &Path, topic: &str, partition: i32) -> Result<Found> {
    use std::io::Read;
    let mut walk = Walk::new(Expect::Whole);
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(walk.found),
        Err(error) => return Err(error).with_context(|| format!("{topic}-{partition}")),
    };
    let mut held: Vec<u8> = Vec::new();
    while Read::by_ref(&mut file)
        .take(CHUNK as u64)
        .read_to_end(&mut held)?
        > 0
    {
        // Old or empty bytes behind the end fail as a batch; the caller compares the count.
        match walk.take(&held, None) {
            Ok(taken) => drop(held.drain(..taken)),
            Err(_) => break,
        }
    }
    Ok(walk.found)
}

fn finish(walk: &Walk, topic: &str, partition: i32, records: u64) -> Result<Found> {
    if walk.found.records != records {
        bail!(
            "{topic}-{partition}: {records} records acknowledged, {} found",
            walk.found.records
        );
    }
    Ok(walk.found)
}

/// Where the records of a run can be read.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// By Fetch.
    Broker(SocketAddr),
    /// In `DIR/TOPIC-PARTITION.log`.
    Files(&'a Path),
    /// Nowhere: the broker threw them away.
    Nowhere,
}

/// Checks all partitions of all topics, which have equally many, against the records acknowledged in each.
pub fn all(
    source: Source<'_>,
    topics: &[String],
    acknowledged: &[u64],
    expect: Expect,
) -> Result<Found> {
    let mut found = Found::default();
    let mut control = match source {
        Source::Broker(address) => Some(Control::connect(address)?),
        Source::Files(_) | Source::Nowhere => None,
    };
    let each = (acknowledged.len() / topics.len().max(1)).max(1);
    let all = topics
        .iter()
        .zip(acknowledged.chunks(each))
        .flat_map(|(topic, records)| (0..).zip(records).map(move |(index, &n)| (topic, index, n)));
    for (topic, index, records) in all {
        found = found.and(match (source, &mut control) {
            (Source::Broker(_), Some(control)) => {
                partition(control, topic, index, records, expect)?
            }
            (Source::Files(dir), _) if records > 0 => file(
                &dir.join(format!("{topic}-{index}.log")),
                topic,
                index,
                records,
                expect,
            )?,
            _ => Found::default(),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(bases: &[i64]) -> Vec<u8> {
        let mut log = vec![];
        for base in bases {
            let mut batch = batch::encode(2, 20, 1);
            batch[..8].copy_from_slice(&base.to_be_bytes());
            log.extend(batch);
        }
        log
    }

    #[test]
    fn contiguous_batches_are_counted() {
        let mut walk = Walk::new(Expect::Whole);
        let bytes = log(&[0, 2, 4]);
        assert_eq!(walk.take(&bytes, None).unwrap(), bytes.len());
        assert_eq!((walk.found.records, walk.found.batches), (6, 3));
    }

    #[test]
    fn a_gap_and_a_repeat_are_found() {
        for bases in [[0, 3], [0, 0]] {
            assert!(
                Walk::new(Expect::Whole).take(&log(&bases), None).is_err(),
                "{bases:?}"
            );
        }
    }

    #[test]
    fn a_whole_batch_that_nobody_sent_is_found() {
        assert!(
            Walk::new(Expect::Copies { crc: 1 })
                .take(&log(&[0]), None)
                .is_err()
        );
    }

    #[test]
    fn bytes_behind_the_last_acknowledged_batch_of_a_file_do_not_count() {
        let mut walk = Walk::new(Expect::Whole);
        let mut bytes = log(&[0, 2]);
        let whole = bytes.len();
        bytes.extend([7; 100]);
        assert_eq!(walk.take(&bytes, Some(4)).unwrap(), whole);
    }
}
