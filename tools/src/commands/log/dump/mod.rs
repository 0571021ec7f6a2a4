//! `sawlog log dump`: prints files of a log directory, each by the codec of its kind. Decides order and form only:
//! what cannot be read is said on standard error and in the exit code, and the next file is printed all the same.

use std::path::Path;

use sawlog_core::ids::LogId;
use sawlog_core::log::sidecar::{self, Entries, SideEntry, SideFault};
use serde_json::json;

use super::batch::{Batches, Depth};
use super::place::{self, Kind, unreadable};
use super::segment::{Next, Segment, zeros_from};
use crate::exit::{Exit, Failure, say};
use crate::show::Show;

mod checkpoint;
mod ring;

/// What is printed, where to, and whether all of it could be read.
struct Dump {
    show: Show,
    depth: Depth,
    faults: u64,
}

/// Prints every file named, and those in every directory named.
pub(super) fn run(arguments: &super::Dump) -> Result<Exit, Failure> {
    let depth = match (arguments.records, arguments.payload) {
        (_, true) => Depth::Payload,
        (true, false) => Depth::Records,
        (false, false) => Depth::Batches,
    };
    let mut dump = Dump {
        show: Show::new(arguments.output),
        depth,
        faults: 0,
    };
    for path in &arguments.paths {
        let known = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if known.is_dir() {
            for (kind, file) in place::some_files(path)? {
                match dump.file(&kind, &file) {
                    // A running node removes files while they are listed.
                    Err(Failure::Told(Exit::NotFound, _)) => {}
                    done => done?,
                }
            }
        } else {
            let kind = place::kind_of(path).ok_or_else(|| no_log(path))?;
            dump.file(&kind, path)?;
        }
    }
    dump.show.end()?;
    Ok(if dump.faults == 0 {
        Exit::Done
    } else {
        Exit::SomeFailed
    })
}

/// A file of no kind that is known.
pub(super) fn no_log(path: &Path) -> Failure {
    Failure::told(
        Exit::Failed,
        format!("{} is no file of a log", path.display()),
        "its name is none that a log directory holds".to_owned(),
        "Name a segment (.log), a sidecar (.side), a checkpoint, a file in commit/, or a directory",
    )
}

impl Dump {
    fn file(&mut self, kind: &Kind, path: &Path) -> Result<(), Failure> {
        let name = path.display().to_string();
        self.show.item(
            || format!("Dumping {name}"),
            || json!({"kind": "file", "file": name, "holds": holds(kind)}),
        )?;
        match kind {
            Kind::Segment(base) => {
                self.show.item(
                    || format!("Log starting offset: {base}"),
                    || json!({"kind": "segment", "file": name, "base_offset": base.0}),
                )?;
                self.batches(path, place::is_metadata(path))
            }
            Kind::Snapshot(id) => {
                let (offset, epoch) = (id.offset, id.term);
                self.show.item(
                    || format!("Snapshot end offset: {offset}, epoch: {epoch}"),
                    || json!({"kind": "snapshot", "file": name, "end_offset": offset.0, "epoch": epoch.0}),
                )?;
                self.batches(path, true)
            }
            Kind::Sidecar(_) => self.sidecar(path),
            Kind::Checkpoint(..) => self.checkpoint(path),
            Kind::Ring(kind, shard, sequence) => self.ring(path, *kind, *shard, *sequence),
            Kind::Identity | Kind::QuorumState | Kind::TopicId => self.words(path),
        }
    }

    /// Tells what could not be read.
    fn fault(&mut self, path: &Path, at: u64, why: &str) {
        self.faults += 1;
        say(&format!("{} byte {at}: {why}", path.display()));
    }

    fn batches(&mut self, path: &Path, metadata: bool) -> Result<(), Failure> {
        let failed = |error: std::io::Error| unreadable(path, &error);
        // Nobody dumps metadata for its batches.
        let depth = if metadata {
            self.depth.max(Depth::Records)
        } else {
            self.depth
        };
        let mut batches = Batches::new(depth, metadata);
        let name = path.display().to_string();
        let mut segment = Segment::open(path, None).map_err(failed)?;
        loop {
            match segment.settled(path).map_err(failed)? {
                Next::Batch(at, _, bytes) => {
                    if let Some(fault) = batches.show(&mut self.show, &name, at, &bytes)? {
                        self.fault(path, at, &fault);
                    }
                }
                Next::Rest(at, len, _) if zeros_from(path, at).map_err(failed)? => {
                    say(&format!(
                        "{name} byte {at}: {len} bytes were reserved and are not written yet"
                    ));
                    return Ok(());
                }
                Next::Rest(at, len, why) => {
                    self.fault(path, at, &format!("{len} bytes are no whole batch: {why}"));
                    return Ok(());
                }
                Next::End => return Ok(()),
            }
        }
    }

    fn sidecar(&mut self, path: &Path) -> Result<(), Failure> {
        let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
        let header = match sidecar::take_header(&bytes) {
            Ok(header) => header,
            Err(fault) => {
                self.fault(path, 0, &side_fault(fault));
                return Ok(());
            }
        };
        let (topic, partition, base) = (header.log.topic.0, header.log.partition, header.base);
        self.show.item(
            || format!("topicId: {topic} partition: {partition} baseOffset: {base}"),
            || json!({"kind": "sidecar", "topic_id": topic.to_string(), "partition": partition.0, "base_offset": base.0}),
        )?;
        let rest = bytes.get(sidecar::HEADER as usize..).unwrap_or_default();
        let mut at = sidecar::HEADER;
        for entry in Entries::after(header.chain, rest) {
            match entry {
                Ok(entry) => self
                    .show
                    .item(|| side_line(&entry), || side_object(&entry))?,
                Err(fault) => self.fault(path, at, &side_fault(fault)),
            }
            at += sidecar::ENTRY as u64;
        }
        Ok(())
    }

    /// A small file of text.
    fn words(&mut self, path: &Path) -> Result<(), Failure> {
        let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
        let text = String::from_utf8_lossy(&bytes);
        for line in text.lines() {
            self.show
                .item(|| line.to_owned(), || json!({"kind": "line", "text": line}))?;
        }
        Ok(())
    }
}

fn holds(kind: &Kind) -> &'static str {
    match kind {
        Kind::Identity => "identity",
        Kind::QuorumState => "quorum state",
        Kind::TopicId => "topic id",
        Kind::Snapshot(_) => "snapshot",
        Kind::Checkpoint(..) => "checkpoint",
        Kind::Ring(..) => "ring",
        Kind::Segment(_) => "segment",
        Kind::Sidecar(_) => "sidecar",
    }
}

/// What is wrong with a sidecar.
pub(super) fn side_fault(fault: SideFault) -> String {
    match fault {
        SideFault::NotOurs => "it is no sidecar: the magic is not there".to_owned(),
        SideFault::Version(version) => {
            format!("it has format {version}, written by a newer Sawlog")
        }
        SideFault::Short => "it ends within a header or an entry".to_owned(),
        SideFault::Crc => "the checksum does not hold".to_owned(),
        SideFault::Chain => "the entry does not follow the one before it".to_owned(),
    }
}

fn side_line(entry: &SideEntry) -> String {
    let last = entry.next().0 - 1;
    let producer = entry.producer.map_or((-1, -1, -1), |sent| {
        (sent.id.0, sent.epoch.0, sent.base_sequence.0)
    });
    format!(
        "baseOffset: {} lastOffset: {last} position: {} size: {} partitionLeaderEpoch: {} producerId: {} producerEpoch: {} \
         baseSequence: {} maxTimestamp: {} largestTimestampSoFar: {} checksum: {:08x}",
        entry.base,
        entry.at,
        entry.len,
        entry.epoch,
        producer.0,
        producer.1,
        producer.2,
        entry.max_timestamp,
        entry.running_max,
        entry.checksum,
    )
}

fn side_object(entry: &SideEntry) -> serde_json::Value {
    let producer = entry.producer.map(|sent| json!({"id": sent.id.0, "epoch": sent.epoch.0, "base_sequence": sent.base_sequence.0}));
    json!({
        "kind": "side_entry",
        "base_offset": entry.base.0,
        "last_offset": entry.next().0 - 1,
        "position": entry.at,
        "size": entry.len,
        "leader_epoch": entry.epoch.0,
        "max_timestamp": entry.max_timestamp,
        "largest_timestamp_so_far": entry.running_max,
        "checksum": entry.checksum,
        "producer": producer,
    })
}

/// A log in words.
fn log_words(log: LogId) -> String {
    format!("topicId: {} partition: {}", log.topic.0, log.partition)
}
