//! One open log as it is now: its marks, what of it is queued or on its way, and where its logical segments begin.
//! Decides where a segment rolls (by size and time, from the append on) and what a retry of a producer meets; never
//! touches the fold, which knows only what is durable. Holds #1, #4, #5, #70.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::TopicConfig;
use crate::file::RingKind;
use crate::ids::{Generation, LeaderEpoch, LogId, Offset, ProducerId};
use crate::log::checksum;
use crate::log::direct::Direct;
use crate::log::epochs::Epochs;
use crate::log::producers::Producer;
use crate::log::state::{LogState, RingBatch, SegmentState};
use crate::map::Map;
use crate::marks::{Durability, Marks};
use crate::now::{Mono, Now};

/// How a log is opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogSpec {
    /// `TOPIC-PARTITION`: the name of its directory, made when it first spills.
    pub dir: Arc<str>,
    /// Its topic's settings.
    pub config: Arc<TopicConfig>,
    /// Whether it goes first in a commit and may use the rings' reserve: metadata and coordinators' logs (#105, #135).
    pub urgent: bool,
}

/// A producer with batches that are not folded yet.
#[derive(Clone, Debug)]
pub(crate) struct Ahead {
    pub(crate) producer: Producer,
    pub(crate) batches: u32,
}

/// The logical segment that appends go to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OpenSegment {
    pub(crate) base: Offset,
    pub(crate) bytes: u64,
    pub(crate) first_timestamp: i64,
}

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) seed: u32,
    pub(crate) spec: Option<LogSpec>,
    pub(crate) marks: Marks,
    pub(crate) generation: Generation,
    pub(crate) epoch: LeaderEpoch,
    /// Leaderships that began and that the fold does not know yet: their facts ride in the durable ring, and batches of
    /// a `replicated` log may be read before those have landed (#4).
    pub(crate) begun: Epochs,
    /// Given to a ring and not yet folded, in offset order.
    pub(crate) placed: VecDeque<RingBatch>,
    /// Batches queued or placed.
    pub(crate) pending: u32,
    /// The ring that `pending` ones go to; another is taken only when there are none, so that no batch is durable
    /// before one below it.
    pub(crate) ring: RingKind,
    pub(crate) ahead: Map<ProducerId, Ahead>,
    /// When this process last heard of a producer; of one that is not here, when it began (#74).
    pub(crate) heard: Map<ProducerId, Mono>,
    /// Bases of logical segments that begin at or after what is spilled.
    pub(crate) rolls: VecDeque<Offset>,
    pub(crate) open: OpenSegment,
    /// A start that was asked for and is not durable yet.
    pub(crate) trimming: Offset,
    pub(crate) offline: Option<String>,
    pub(crate) dropping: bool,
    /// Bytes of the last partial block of the segment that is spilled to, so that the next spill writes whole blocks.
    pub(crate) tail: Vec<u8>,
    /// Whether its batches go by the ring or straight to their segment.
    pub(crate) direct: Direct,
    /// The last commit for which this log's marks were told.
    pub(crate) told: u64,
}

impl Live {
    /// A log nobody has written to.
    pub(crate) fn new(log: LogId) -> Live {
        Live {
            seed: checksum::seed(log),
            spec: None,
            marks: Marks::default(),
            generation: Generation(0),
            epoch: LeaderEpoch(-1),
            begun: Epochs::default(),
            placed: VecDeque::new(),
            pending: 0,
            ring: RingKind::Durable,
            ahead: Map::new(),
            heard: Map::new(),
            rolls: VecDeque::new(),
            open: OpenSegment {
                first_timestamp: -1,
                ..OpenSegment::default()
            },
            trimming: Offset::ZERO,
            offline: None,
            dropping: false,
            tail: Vec::new(),
            direct: Direct::default(),
            told: 0,
        }
    }

    /// A log as a start found it: everything in the fold is durable.
    pub(crate) fn recovered(log: LogId, state: &LogState) -> Live {
        let next = state.next.max(state.start);
        let marks = Marks {
            start: state.start,
            stable: state.start,
            hw: state.start,
            durable: next,
            written: next,
            next,
        };
        let epoch = state
            .epochs
            .last()
            .map_or(LeaderEpoch(-1), |(epoch, _)| epoch);
        let mut live = Live {
            marks,
            generation: state.generation,
            epoch,
            trimming: state.start,
            ..Live::new(log)
        };
        live.open = match state.segments.last() {
            Some(last) => OpenSegment {
                base: last.base,
                bytes: last.bytes,
                first_timestamp: last.first_timestamp,
            },
            None => OpenSegment {
                base: next,
                bytes: 0,
                first_timestamp: -1,
            },
        };
        live
    }

    /// Takes the settings of its topic. What lies in the ring is cut into logical segments as appends would have been.
    pub(crate) fn open(&mut self, spec: LogSpec, state: Option<&LogState>) {
        let first = self.spec.is_none();
        self.spec = Some(spec);
        if first {
            for batch in state.map(|state| state.ring.iter()).into_iter().flatten() {
                self.roll(batch, batch.max_timestamp);
            }
        }
    }

    /// Whether appends count when they are durable, or when they lie in memory that the kernel owns.
    pub(crate) fn durability(&self) -> Durability {
        self.spec
            .as_ref()
            .map_or(Durability::Durable, |spec| spec.config.durability)
    }

    /// A leadership appends here, from this offset on if it is a new one.
    pub(crate) fn lead(&mut self, epoch: LeaderEpoch, at: Offset) {
        if epoch > self.epoch {
            self.epoch = epoch;
            self.begun.note(epoch, at);
        }
    }

    /// The fold knows leaderships up to this one.
    pub(crate) fn led(&mut self, known: LeaderEpoch) {
        if self.begun.iter().len() > 0 {
            self.begun = self
                .begun
                .iter()
                .filter(|(epoch, _)| *epoch > known)
                .collect();
        }
    }

    /// Whether this log goes first.
    pub(crate) fn urgent(&self) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.urgent)
    }

    /// Puts a new batch into the open logical segment, or begins the next one with it. `time` is the batch's own, or
    /// the wall clock's where it has none.
    pub(crate) fn roll(&mut self, batch: &RingBatch, time: i64) {
        let config = self.spec.as_ref().map(|spec| &spec.config);
        let (bytes_max, time_max) = config.map_or((u64::MAX, i64::MAX), |config| {
            (
                config.segment_bytes,
                i64::try_from(config.segment_time.as_millis()).unwrap_or(i64::MAX),
            )
        });
        let len = u64::from(batch.len);
        let full = self.open.bytes.saturating_add(len) > bytes_max;
        let old = self.open.first_timestamp >= 0
            && time.saturating_sub(self.open.first_timestamp) > time_max;
        let far = batch.next().0 - self.open.base.0 > i64::from(i32::MAX);
        if self.open.bytes > 0 && (full || old || far) {
            self.rolls.push_back(batch.base);
            self.open = OpenSegment {
                base: batch.base,
                bytes: 0,
                first_timestamp: time,
            };
        } else if self.open.bytes == 0 {
            self.open = OpenSegment {
                base: batch.base,
                bytes: 0,
                first_timestamp: time,
            };
        }
        self.open.bytes += len;
    }

    /// Everything below is spilled: where logical segments began there is told by the files.
    pub(crate) fn forget_rolls(&mut self, spilled: Offset) {
        while self.rolls.front().is_some_and(|roll| *roll < spilled) {
            self.rolls.pop_front();
        }
    }

    /// The time that a batch counts with.
    pub(crate) fn time_of(batch: &RingBatch, now: Now) -> i64 {
        if batch.max_timestamp >= 0 {
            batch.max_timestamp
        } else {
            now.wall.0
        }
    }

    /// The segment file that a batch at `base` is spilled to: the last one, unless a logical segment began since, or what
    /// lay between was removed. A file is named by the batch that it begins with, so that no name is used again for what
    /// retired under it.
    pub(crate) fn segment_for(&self, base: Offset, last: Option<&SegmentState>) -> Offset {
        let rolled = self.rolled(base);
        let follows = |last: &SegmentState| last.next == base;
        match last {
            Some(last) if follows(last) && rolled.is_none_or(|rolled| rolled <= last.base) => {
                last.base
            }
            Some(_) | None => base,
        }
    }

    /// Where the logical segment of a batch at `base` began, if it began behind what is spilled.
    pub(crate) fn rolled(&self, base: Offset) -> Option<Offset> {
        self.rolls.iter().rev().find(|roll| **roll <= base).copied()
    }
}
