//! A checkpoint: how far each ring is folded, and what is known of each log. Decides nothing; the ring's secret, which
//! keeps a client's bytes from passing for a commit, is never shown.

use std::path::Path;

use sawlog_core::file::{FileName, RingKind};
use sawlog_core::ids::{LogId, ShardId};
use sawlog_core::log::checkpoint;
use sawlog_core::log::state::{LogState, RingPoint};
use serde_json::{Value, json};

use super::{Dump, log_words};
use crate::commands::log::batch::Depth;
use crate::commands::log::place::{checkpoint_fault, unreadable};
use crate::exit::Failure;

impl Dump {
    pub(super) fn checkpoint(&mut self, path: &Path) -> Result<(), Failure> {
        let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
        let read = match checkpoint::decode(&bytes) {
            Ok(read) => read,
            Err(fault) => {
                let (why, at) = checkpoint_fault(fault);
                self.fault(path, at, &why);
                return Ok(());
            }
        };
        let (stamp, fold) = (read.stamp, &read.fold);
        let (durable, fast) = (&fold.durable, &fold.fast);
        self.show.item(
            || format!("checkpoint: {} shard: {} of {} logs: {} dropped: {}", stamp.number, stamp.shard, stamp.shards, fold.logs.len(), fold.dropped.len()),
            || {
                json!({"kind": "checkpoint", "number": stamp.number, "shard": stamp.shard.0, "shards": stamp.shards, "logs": fold.logs.len(),
                    "dropped": fold.dropped.len(), "durable": point(durable), "fast": point(fast)})
            },
        )?;
        for (name, folded) in [("durable", durable), ("fast", fast)] {
            self.show.item(
                || {
                    format!(
                        "folded: {name} upToCommit: {} file: {} position: {}",
                        folded.commit, folded.file, folded.at
                    )
                },
                || json!({"kind": "folded", "ring": name, "up_to": point(folded)}),
            )?;
        }
        for (log, state) in &fold.logs {
            self.show
                .item(|| log_line(*log, state), || log_object(*log, state))?;
            for segment in &state.segments {
                self.show.item(
                    || {
                        format!(
                            "- segment baseOffset: {} nextOffset: {} size: {} batches: {} largestTimestamp: {}",
                            segment.base, segment.next, segment.bytes, segment.batches, segment.max_timestamp
                        )
                    },
                    || {
                        json!({"kind": "checkpoint_segment", "topic_id": log.topic.0.to_string(), "partition": log.partition.0, "base_offset": segment.base.0,
                            "next_offset": segment.next.0, "size": segment.bytes, "batches": segment.batches, "largest_timestamp": segment.max_timestamp})
                    },
                )?;
            }
            if self.depth > Depth::Batches {
                self.kept_in_ring(stamp.shard, *log, state)?;
            }
        }
        Ok(())
    }

    fn kept_in_ring(
        &mut self,
        shard: ShardId,
        log: LogId,
        state: &LogState,
    ) -> Result<(), Failure> {
        for batch in &state.ring {
            let file = FileName::Ring {
                kind: batch.spot.kind,
                shard,
                sequence: batch.spot.file,
            };
            self.show.item(
                || format!("- ring baseOffset: {} nextOffset: {} size: {} file: {file} position: {}", batch.base, batch.next(), batch.len, batch.spot.at),
                || {
                    json!({"kind": "checkpoint_ring", "topic_id": log.topic.0.to_string(), "partition": log.partition.0, "base_offset": batch.base.0,
                        "next_offset": batch.next().0, "size": batch.len, "file": file.to_string(), "position": batch.spot.at,
                        "ring": if batch.spot.kind == RingKind::Durable { "durable" } else { "fast" }})
                },
            )?;
        }
        Ok(())
    }
}

fn point(point: &RingPoint) -> Value {
    json!({"commit": point.commit, "file": point.file, "position": point.at})
}

fn log_line(log: LogId, state: &LogState) -> String {
    format!(
        "log: {} dir: {} generation: {} startOffset: {} nextOffset: {} inSegmentsBelow: {} segments: {} inRing: {} producers: {}{}",
        log_words(log),
        state.dir.as_deref().unwrap_or("none yet"),
        state.generation,
        state.start,
        state.next,
        state.spilled,
        state.segments.len(),
        state.ring.len(),
        state.producers.by_id.len(),
        if state.is_torn() { " torn: true" } else { "" },
    )
}

fn log_object(log: LogId, state: &LogState) -> Value {
    json!({
        "kind": "checkpoint_log",
        "topic_id": log.topic.0.to_string(),
        "partition": log.partition.0,
        "dir": state.dir.as_deref(),
        "generation": state.generation.0,
        "start_offset": state.start.0,
        "next_offset": state.next.0,
        "in_segments_below": state.spilled.0,
        "segments": state.segments.len(),
        "in_ring": state.ring.len(),
        "producers": state.producers.by_id.len(),
        "torn": state.is_torn(),
    })
}
