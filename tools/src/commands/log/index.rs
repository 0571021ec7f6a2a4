//! `sawlog log index`: Kafka's offset and time index of a segment, made from the segment itself, for Kafka's tools and for a
//! Kafka that is to take the segment over. Decides their entries by Kafka's rules; a node of ours neither has nor reads them,
//! and nothing is written into its directory.
//!
//! ```text
//! .index      i32 offset of a batch's last record, from the segment's first offset on; i32 position of the batch
//! .timeindex  i64 largest timestamp so far; i32 offset of the last record of the batch that has it, in the same way
//! ```
//!
//! An entry each for the first batch after more than `index.interval.bytes` (4,096) without one; the time index ends with the
//! largest timestamp of all.

use std::path::Path;

use sawlog_core::ids::Offset;
use sawlog_wire::records::{Batch, BatchHeader};
use serde_json::json;

use super::Index;
use super::place::{self, Kind};
use super::segment::{Next, Segment};
use crate::exit::{Exit, Failure, say};
use crate::show::Show;

/// Kafka's default of `index.interval.bytes`.
const INTERVAL: u64 = 4096;

/// Both indexes in the making.
#[derive(Default)]
struct Indexes {
    base: i64,
    offsets: Vec<u8>,
    times: Vec<u8>,
    /// Bytes since the last entry.
    since: u64,
    /// The largest timestamp so far, and the last offset of the batch that has it.
    latest: Option<(i64, i64)>,
    /// The timestamp of the last entry.
    noted: Option<i64>,
}

impl Indexes {
    fn of(base: Offset) -> Indexes {
        Indexes {
            base: base.0,
            ..Indexes::default()
        }
    }

    /// One batch more. The error says what Kafka's format has no room for.
    fn batch(&mut self, at: u64, header: &BatchHeader) -> Result<(), String> {
        let last = header.last_offset();
        if self
            .latest
            .is_none_or(|(time, _)| header.max_timestamp > time)
        {
            self.latest = Some((header.max_timestamp, last));
        }
        if self.since > INTERVAL {
            let position = i32::try_from(at).map_err(|_| "the segment is longer than 2 GiB")?;
            let offset = self.relative(last)?;
            self.offsets.extend_from_slice(&offset.to_be_bytes());
            self.offsets.extend_from_slice(&position.to_be_bytes());
            self.time()?;
            self.since = 0;
        }
        self.since += header.size() as u64;
        Ok(())
    }

    /// An entry of the time index, where it says anything new.
    fn time(&mut self) -> Result<(), String> {
        let Some((time, offset)) = self.latest else {
            return Ok(());
        };
        if time >= 0 && self.noted.is_none_or(|noted| time > noted) {
            let offset = self.relative(offset)?;
            self.times.extend_from_slice(&time.to_be_bytes());
            self.times.extend_from_slice(&offset.to_be_bytes());
            self.noted = Some(time);
        }
        Ok(())
    }

    fn relative(&self, offset: i64) -> Result<i32, String> {
        let relative = offset
            .checked_sub(self.base)
            .filter(|relative| *relative >= 0);
        relative
            .and_then(|relative| i32::try_from(relative).ok())
            .ok_or_else(|| {
                format!(
                    "offset {offset} does not belong to a segment that begins at {}",
                    self.base
                )
            })
    }
}

/// Runs the command.
pub(super) fn run(arguments: &Index) -> Result<Exit, Failure> {
    refuse_a_log_directory(&arguments.to)?;
    let made = std::fs::create_dir_all(&arguments.to);
    made.map_err(|error| unwritable(&arguments.to, &error))?;
    let mut show = Show::new(arguments.output);
    let mut exit = Exit::Done;
    for path in &arguments.segments {
        let Some(Kind::Segment(base)) = place::kind_of(path) else {
            let what = format!("cannot index {}", path.display());
            let why = "its name is not that of a segment".to_owned();
            let next = "A segment is TOPIC-PARTITION/BASEOFFSET.log";
            return Err(Failure::told(Exit::Usage, what, why, next));
        };
        let indexes = match read(path, base)? {
            (indexes, None) => indexes,
            (indexes, Some(why)) => {
                say(&format!(
                    "{}: {why}; what is before it is indexed",
                    path.display()
                ));
                exit = Exit::SomeFailed;
                indexes
            }
        };
        let stem = path.file_stem().unwrap_or_default();
        let file = |end: &str| arguments.to.join(stem).with_extension(end);
        for (end, bytes, entry) in [
            ("index", &indexes.offsets, 8),
            ("timeindex", &indexes.times, 12),
        ] {
            let to = file(end);
            std::fs::write(&to, bytes).map_err(|error| unwritable(&to, &error))?;
            let entries = bytes.len() / entry;
            show.item(
                || format!("{}: {entries} entries", to.display()),
                || json!({"segment": path.display().to_string(), "file": to.display().to_string(), "entries": entries}),
            )?;
        }
        if arguments.copy {
            let to = file("log");
            std::fs::copy(path, &to).map_err(|error| unwritable(&to, &error))?;
        }
    }
    show.end()?;
    Ok(exit)
}

/// The indexes of a segment, and why they end before its end.
fn read(path: &Path, base: Offset) -> Result<(Indexes, Option<String>), Failure> {
    let unreadable = |error| place::unreadable(path, &error);
    let mut segment = Segment::open(path, None).map_err(unreadable)?;
    let mut indexes = Indexes::of(base);
    let why = loop {
        match segment.next().map_err(unreadable)? {
            Next::Batch(at, header, bytes) => {
                let whole = Batch::first(&bytes).and_then(|batch| batch.check_crc());
                if let Err(fault) = whole {
                    break Some(format!("the batch at {at} is damaged: {fault}"));
                }
                if let Err(why) = indexes.batch(at, &header) {
                    break Some(format!("the batch at {at}: {why}"));
                }
            }
            Next::Rest(at, bytes, why) => {
                break Some(format!("{bytes} bytes from {at} on are no batch: {why}"));
            }
            Next::End => break None,
        }
    };
    if let Err(why) = indexes.time() {
        return Ok((indexes, Some(why)));
    }
    Ok((indexes, why))
}

/// A node renames aside, or stumbles over, what it did not put there.
fn refuse_a_log_directory(to: &Path) -> Result<(), Failure> {
    let whole = std::path::absolute(to).unwrap_or_else(|_| to.to_owned());
    match whole.ancestors().take(2).find(|dir| place::is_root(dir)) {
        None => Ok(()),
        Some(root) => Err(Failure::told(
            Exit::Usage,
            format!("cannot write indexes to {}", to.display()),
            format!("{} is the log directory of a node", root.display()),
            "Name another directory with --to",
        )),
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let what = format!("cannot write {}", path.display());
    let next = "Name a directory that may be written to with --to";
    Failure::told(Exit::Failed, what, error.to_string(), next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sawlog_wire::records::{BatchBuilder, Codec, NewRecord};

    /// The header of a batch of one record of so many bytes.
    fn header(offset: i64, time: i64, bytes: usize) -> BatchHeader {
        let mut batch = BatchBuilder::new(Codec::None).at(offset, 0);
        let value = vec![b'x'; bytes];
        batch
            .push(NewRecord {
                timestamp: time,
                key: None,
                value: Some(&value),
                headers: &[],
            })
            .unwrap();
        BatchHeader::parse(&batch.finish().unwrap()).unwrap()
    }

    #[test]
    fn an_entry_comes_with_the_first_batch_after_more_than_the_interval() {
        let mut indexes = Indexes::of(Offset(100));
        let mut at = 0;
        for (number, time) in [5, 9, 7, 8, 9, 12].into_iter().enumerate() {
            let header = header(100 + number as i64, time, 4_000);
            indexes.batch(at, &header).unwrap();
            at += header.size() as u64;
        }
        indexes.time().unwrap();
        let size = i32::try_from(at / 6).unwrap();
        assert!(size < 4096);
        // After two batches, then after two more.
        let entry =
            |offset: i32, position: i32| [offset.to_be_bytes(), position.to_be_bytes()].concat();
        assert_eq!(
            indexes.offsets,
            [entry(2, 2 * size), entry(4, 4 * size)].concat()
        );
        let time =
            |time: i64, offset: i32| [&time.to_be_bytes()[..], &offset.to_be_bytes()].concat();
        assert_eq!(indexes.times, [time(9, 1), time(12, 5)].concat());
    }

    #[test]
    fn what_the_format_has_no_room_for_is_told() {
        let mut indexes = Indexes::of(Offset(10));
        indexes.since = INTERVAL + 1;
        assert!(indexes.batch(0, &header(9, 1, 1)).is_err());
        assert!(indexes.batch(1 << 31, &header(10, 1, 1)).is_err());
        assert!(indexes.batch(0, &header(10 + (1 << 31), 1, 1)).is_err());
        assert!(indexes.offsets.is_empty());
    }
}
