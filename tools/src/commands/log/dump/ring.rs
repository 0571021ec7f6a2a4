//! The commits of a ring file: header, entries, and the batches they carry. Decides which of the bytes belong to this
//! life of the file; whether a commit counts after a crash is a start's judgement, and `sawlog log verify` shows it.

use std::fs::File;
use std::path::Path;

use sawlog_core::file::RingKind;
use sawlog_core::ids::ShardId;
use sawlog_core::log::checksum;
use sawlog_core::log::commit::{self, Head, HeadFault, Phase};
use sawlog_core::log::state::{BatchKind, Entry, Fact, NodeFact};
use serde_json::{Value, json};

use super::{Dump, log_words};
use crate::commands::log::batch::{Batches, Depth};
use crate::commands::log::place::{self, unreadable};
use crate::exit::{Failure, say};

impl Dump {
    pub(super) fn ring(
        &mut self,
        path: &Path,
        kind: RingKind,
        shard: ShardId,
        sequence: u64,
    ) -> Result<(), Failure> {
        let failed = |error: std::io::Error| unreadable(path, &error);
        let file = File::open(path).map_err(failed)?;
        let len = usize::try_from(file.metadata().map_err(failed)?.len()).unwrap_or(usize::MAX);
        // At most 64 MiB, in one piece, so that a running node changes as little as may be while we look.
        let bytes = place::read(&file, 0, len).map_err(failed)?;
        let life = place::root_of(path)
            .and_then(|root| place::newest(root, shard).0)
            .map(|known| commit::ring_id(known.stamp.secret, kind, shard, sequence));
        if life.is_none() {
            say(&format!(
                "{}: no checkpoint beside it: commits of the file's earlier lives cannot be told apart",
                path.display()
            ));
        }
        self.show.item(
            || format!("ring: {} shard: {shard} file: {sequence}", ring_name(kind)),
            || json!({"kind": "ring", "ring": ring_name(kind), "shard": shard.0, "file": sequence}),
        )?;
        self.commits(path, kind, sequence, life, &bytes)
    }

    fn commits(
        &mut self,
        path: &Path,
        kind: RingKind,
        file: u64,
        life: Option<u64>,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let step = commit::step(kind);
        let mut at: u32 = 0;
        while let Some(rest) = bytes.get(at as usize..).filter(|rest| !rest.is_empty()) {
            let header = commit::peek(rest);
            let here = header
                .as_ref()
                .is_ok_and(|header| life.is_none_or(|life| life == header.ring));
            match commit::decode(file, at, rest) {
                Ok(head) if here => {
                    self.commit(path, at, &head, rest)?;
                    at = at.saturating_add(commit::padded(kind, head.header.total));
                    continue;
                }
                Err(fault @ (HeadFault::Crc | HeadFault::Field | HeadFault::Short(_))) if here => {
                    self.fault(
                        path,
                        u64::from(at),
                        &format!(
                            "a commit begins here and is torn or damaged: {}",
                            head_fault(fault)
                        ),
                    );
                }
                Err(fault @ HeadFault::Version(_)) => {
                    self.fault(path, u64::from(at), &head_fault(fault));
                }
                _ => {}
            }
            at = at.saturating_add(step);
        }
        Ok(())
    }

    fn commit(&mut self, path: &Path, at: u32, head: &Head, bytes: &[u8]) -> Result<(), Failure> {
        let header = &head.header;
        let phase = match header.phase {
            Phase::Live => "live",
            Phase::Start => "start",
        };
        let batches = head
            .entries
            .iter()
            .filter(|entry| matches!(entry, Entry::Batch(_)))
            .count();
        let boot: String = header
            .boot
            .0
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.show.item(
            || {
                format!(
                    "commit: {} position: {at} size: {} mark: {} phase: {phase} boot: {boot} entries: {} batches: {batches}",
                    header.sequence, header.total, header.mark, header.entries
                )
            },
            || {
                json!({"kind": "commit", "sequence": header.sequence, "position": at, "size": header.total, "mark": header.mark,
                    "phase": phase, "boot": boot, "entries": header.entries, "batches": batches})
            },
        )?;
        let name = path.display().to_string();
        for entry in &head.entries {
            self.show
                .item(|| entry_line(entry), || entry_object(entry))?;
            let Entry::Batch(entry) = entry else { continue };
            if entry.home.is_some() {
                // Its bytes lie in the segment.
                continue;
            }
            let begin = (entry.batch.spot.at - at) as usize;
            let stored = bytes
                .get(begin..begin + entry.batch.len as usize)
                .unwrap_or_default();
            let place = u64::from(entry.batch.spot.at);
            if checksum::over(checksum::seed(entry.log), stored) != entry.batch.checksum {
                self.fault(
                    path,
                    place,
                    "the batch does not match the checksum of its commit: torn or damaged",
                );
            } else if self.depth > Depth::Batches {
                let metadata = entry.log == sawlog_core::ids::LogId::METADATA;
                let fault = Batches::new(self.depth, metadata).show(
                    &mut self.show,
                    &name,
                    place,
                    stored,
                )?;
                if let Some(fault) = fault {
                    self.fault(path, place, &fault);
                }
            }
        }
        Ok(())
    }
}

fn ring_name(kind: RingKind) -> &'static str {
    match kind {
        RingKind::Durable => "durable",
        RingKind::Fast => "fast",
    }
}

fn head_fault(fault: HeadFault) -> String {
    match fault {
        HeadFault::NotOurs => "no commit".to_owned(),
        HeadFault::Version(version) => {
            format!("a commit of format {version}, written by a newer Sawlog")
        }
        HeadFault::Short(need) => format!("the file ends within its head of {need} bytes"),
        HeadFault::Field => "a field of its head cannot be".to_owned(),
        HeadFault::Crc => "the checksum of its head does not hold".to_owned(),
    }
}

fn kind_name(kind: BatchKind) -> &'static str {
    match kind {
        BatchKind::New => "new",
        BatchKind::Moved => "moved",
        BatchKind::Again => "again",
    }
}

fn entry_line(entry: &Entry) -> String {
    match entry {
        Entry::Batch(entry) => {
            let batch = &entry.batch;
            let producer = entry.producer.map_or((-1, -1, -1), |sent| {
                (sent.id.0, sent.epoch.0, sent.base_sequence.0)
            });
            format!(
                "- {} {} generation: {} baseOffset: {} lastOffset: {} {} size: {} partitionLeaderEpoch: {} producerId: {} \
                 producerEpoch: {} baseSequence: {} maxTimestamp: {} checksum: {:08x}",
                kind_name(entry.kind),
                log_words(entry.log),
                entry.generation,
                batch.base,
                batch.next().0 - 1,
                entry.home.map_or_else(
                    || format!("position: {}", batch.spot.at),
                    |home| format!("segment: {} position: {}", home.base, home.at),
                ),
                batch.len,
                batch.epoch,
                producer.0,
                producer.1,
                producer.2,
                batch.max_timestamp,
                batch.checksum,
            )
        }
        Entry::Fact(log, generation, fact) => {
            let fact = match fact {
                Fact::Start(offset) => format!(
                    "starts {} generation: {generation} offset: {offset}",
                    log_words(*log)
                ),
                Fact::Cut(offset, next) => format!(
                    "cut {} generation: {generation} offset: {offset} newGeneration: {next}",
                    log_words(*log)
                ),
                Fact::Dropped => format!("dropped {}", log_words(*log)),
                Fact::Expired(producer, offset) => format!(
                    "expired {} producerId: {producer} below: {offset}",
                    log_words(*log)
                ),
                Fact::Epoch(epoch, offset) => format!(
                    "epoch {} leaderEpoch: {epoch} offset: {offset}",
                    log_words(*log)
                ),
            };
            format!("- {fact}")
        }
        Entry::Node(NodeFact::Resumed { kind, point, next }) => {
            format!(
                "- resumed ring: {} afterCommit: {} file: {} position: {} nextCommit: {next}",
                ring_name(*kind),
                point.commit,
                point.file,
                point.at
            )
        }
        Entry::Node(NodeFact::Ready) => "- ready".to_owned(),
        Entry::Node(NodeFact::Stopped(epoch)) => format!("- stopped brokerEpoch: {epoch}"),
        Entry::Node(NodeFact::Lost(seed, end)) => format!("- lost seed: {seed:08x} end: {end}"),
    }
}

fn entry_object(entry: &Entry) -> Value {
    match entry {
        Entry::Batch(entry) => {
            let batch = &entry.batch;
            let position = entry.home.map_or(u64::from(batch.spot.at), |home| home.at);
            json!({"kind": "entry", "entry": kind_name(entry.kind), "topic_id": entry.log.topic.0.to_string(), "partition": entry.log.partition.0,
                "generation": entry.generation.0, "base_offset": batch.base.0, "last_offset": batch.next().0 - 1, "position": position,
                "segment": entry.home.map(|home| home.base.0), "size": batch.len, "leader_epoch": batch.epoch.0, "max_timestamp": batch.max_timestamp, "checksum": batch.checksum})
        }
        Entry::Fact(log, generation, fact) => {
            let (name, a, b) = match fact {
                Fact::Start(offset) => ("starts", offset.0, Value::Null),
                Fact::Cut(offset, next) => ("cut", offset.0, json!({"new_generation": next.0})),
                Fact::Dropped => ("dropped", -1, Value::Null),
                Fact::Expired(producer, offset) => {
                    ("expired", offset.0, json!({"producer_id": producer.0}))
                }
                Fact::Epoch(epoch, offset) => ("epoch", offset.0, json!({"leader_epoch": epoch.0})),
            };
            json!({"kind": "entry", "entry": name, "topic_id": log.topic.0.to_string(), "partition": log.partition.0,
                "generation": generation.0, "offset": a, "more": b})
        }
        Entry::Node(NodeFact::Resumed { kind, point, next }) => {
            json!({"kind": "entry", "entry": "resumed", "ring": ring_name(*kind), "after_commit": point.commit, "file": point.file,
                "position": point.at, "next_commit": next})
        }
        Entry::Node(NodeFact::Ready) => json!({"kind": "entry", "entry": "ready"}),
        Entry::Node(NodeFact::Stopped(epoch)) => {
            json!({"kind": "entry", "entry": "stopped", "broker_epoch": epoch.0})
        }
        Entry::Node(NodeFact::Lost(seed, end)) => {
            json!({"kind": "entry", "entry": "lost", "seed": seed, "end": end.0})
        }
    }
}
