//! A log's directory before it is written to for the first time in this life of the process: made, found to be its own
//! by the topic id in it, and tidied of what an unfinished spill left. Decides what is adopted, cut, removed or put
//! aside; never removes what lies below what is spilled. Holds #40, #45, #104.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::file::{Entry, FaultKind, FileName, FileOp, How, Outcome, Piece};
use crate::ids::{LogId, Offset, Uuid};
use crate::log::engine::{Engine, Why};
use crate::log::sidecar;
use crate::log::spill::{Course, Files, Ready, SpillPhase, SpillWhy};
use crate::log::state::{LogState, SegmentState};
use crate::log::told::{Ops, Told};
use crate::proof;

/// A step of making a directory ready; each names the operation whose completion is awaited.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum DirStep {
    /// What does it hold?
    List,
    /// Whose is it?
    Read(Vec<Entry>),
    /// A stranger's is put aside.
    Aside,
    /// The directory above it is made.
    Parent,
    /// It is made.
    Make,
    /// Kafka's file with the topic id is durable.
    Id,
    /// And so is its name.
    IdDir,
    /// One of so many cuts and removals.
    Tidy,
}

impl DirStep {
    /// Whether the directory is changed, or made durable, by it.
    fn writes(&self) -> bool {
        !matches!(self, DirStep::List | DirStep::Read(_))
    }
}

/// Kafka's file with the topic id.
pub(crate) fn metadata_name(dir: &str) -> FileName {
    FileName::Named(format!("{dir}/partition.metadata").into())
}

fn metadata_text(topic: Uuid) -> String {
    format!("version: 0\ntopic_id: {topic}")
}

/// Whether this is the name tag of a directory of that topic.
pub(crate) fn is_tagged(text: &[u8], topic: Uuid) -> bool {
    let own = format!("topic_id: {topic}");
    let text = core::str::from_utf8(text).unwrap_or_default();
    text.lines().any(|line| line.trim_end() == own)
}

/// Whether the process died, or the power went, while the name tag of that topic was being written.
pub(crate) fn is_begun(text: &[u8], topic: Uuid) -> bool {
    let zeros = text.iter().rev().take_while(|byte| **byte == 0).count();
    let written = text.get(..text.len() - zeros).unwrap_or_default();
    metadata_text(topic).as_bytes().starts_with(written)
}

/// Whether a directory has no segment and no sidecar.
pub(crate) fn is_empty(entries: &[Entry]) -> bool {
    !entries.iter().any(|entry| segment_of(entry).is_some())
}

impl Engine {
    /// Asks for the first step; `put_block` comes again when the directory is ready.
    pub(crate) fn make_ready(&mut self, log: LogId, ops: &mut Ops) {
        if self.drops.ready.contains(&log) {
            self.dir_ready(log, ops);
            return;
        }
        let Some(dir) = self.spill_dir(log) else {
            return;
        };
        self.dir_ask(log, DirStep::List, FileOp::List(FileName::named(&dir)), ops);
    }

    fn spill_dir(&self, log: LogId) -> Option<alloc::sync::Arc<str>> {
        match self.spill.courses.get(&log) {
            Some(Course::Files(files)) => Some(files.dir.clone()),
            _ => None,
        }
    }

    fn dir_ask(&mut self, log: LogId, step: DirStep, op: FileOp, ops: &mut Ops) {
        let ticket = ops.ask(op);
        self.waiting
            .insert(ticket, Why::Spill(SpillWhy::Dir(log, step)));
        self.spill.puts += 1;
    }

    /// A step came back.
    pub(crate) fn dir_done(&mut self, log: LogId, step: DirStep, outcome: Outcome, ops: &mut Ops) {
        let Some(dir) = self.spill_dir(log) else {
            // Its course was voided meanwhile. That a write or a sync failed is final all the same (#101).
            if let Outcome::Failed(fault) = outcome
                && step.writes()
                && !matches!(fault.kind, FaultKind::Absent | FaultKind::Full)
                && !proof::mutant("failure-of-a-voided-course-ignored")
            {
                self.broken("a directory could not be made ready", fault.text, ops);
            }
            return;
        };
        let name = FileName::Named(dir.clone());
        match (step, outcome) {
            (DirStep::List, Outcome::Failed(fault)) if fault.kind == FaultKind::Absent => {
                if self.has_segments(log) {
                    let why = format!("the directory {dir} with its segments is gone");
                    self.skip(log, why, ops);
                    return;
                }
                match dir.split_once('/') {
                    Some((parent, _)) => self.dir_ask(
                        log,
                        DirStep::Parent,
                        FileOp::MakeDir(FileName::named(parent)),
                        ops,
                    ),
                    None => self.dir_ask(log, DirStep::Make, FileOp::MakeDir(name), ops),
                }
            }
            // Without its name tag a directory with segments is nobody's; an empty one gets the tag.
            (DirStep::Read(entries), Outcome::Failed(fault)) if fault.kind == FaultKind::Absent => {
                if is_empty(&entries) {
                    self.dir_ask(log, DirStep::Make, FileOp::MakeDir(name), ops);
                } else {
                    self.put_aside(log, ops);
                }
            }
            (DirStep::List | DirStep::Read(_), Outcome::Failed(fault)) => {
                let why = format!("the directory {dir} cannot be read: {}", fault.text);
                self.skip(log, why, ops);
            }
            (_, Outcome::Failed(fault)) if fault.kind == FaultKind::Full => self.spill_full(),
            (_, Outcome::Failed(fault)) => {
                self.broken(
                    &format!("the directory {dir} could not be made ready"),
                    fault.text,
                    ops,
                );
            }
            (DirStep::List, Outcome::Listing(entries)) => {
                if self
                    .fold
                    .logs
                    .get(&log)
                    .is_some_and(|state| state.dir.is_some())
                {
                    self.tidy(log, &entries, ops);
                } else {
                    let len = 4096;
                    self.dir_ask(
                        log,
                        DirStep::Read(entries),
                        FileOp::Read {
                            file: metadata_name(&dir),
                            at: 0,
                            len,
                        },
                        ops,
                    );
                }
            }
            (DirStep::Read(entries), Outcome::Bytes(text)) => {
                self.judge_dir(log, &entries, &text, ops)
            }
            (DirStep::Parent | DirStep::Aside, _) => {
                self.dir_ask(log, DirStep::Make, FileOp::MakeDir(name), ops)
            }
            (DirStep::Make, _) => {
                if let Some(files) = self.files(log) {
                    files.new_dir = true;
                    files.new_files = true;
                }
                let text = Bytes::from(metadata_text(log.topic.0).into_bytes());
                let pieces = Vec::from([Piece::Bytes(text)]);
                let op = FileOp::Put {
                    file: metadata_name(&dir),
                    at: 0,
                    pieces,
                    how: How::Durable,
                };
                self.dir_ask(log, DirStep::Id, op, ops);
            }
            // The tag's name is durable before the first segment's, so that none is found without it.
            (DirStep::Id, _) => self.dir_ask(log, DirStep::IdDir, FileOp::SyncDir(name), ops),
            (DirStep::IdDir, _) => self.dir_ready(log, ops),
            (DirStep::Tidy, _) => {
                let waits = self.drops.tidying.entry(log).or_insert(1);
                *waits -= 1;
                if *waits == 0 {
                    self.drops.tidying.remove(&log);
                    self.dir_ready(log, ops);
                }
            }
            (DirStep::List | DirStep::Read(_), _) => {
                let why = format!("the directory {dir} gave no listing");
                self.skip(log, why, ops);
            }
        }
    }

    /// A directory that no checkpoint names: it is an unfinished first spill of this topic, or somebody else's.
    fn judge_dir(&mut self, log: LogId, entries: &[Entry], text: &[u8], ops: &mut Ops) {
        let Some(dir) = self.spill_dir(log) else {
            return;
        };
        // No topic can have the metadata log's name: another id there is rot in the tag, and putting the directory aside
        // would take the snapshots with it (#39).
        if is_tagged(text, log.topic.0) || log == LogId::METADATA {
            if let Some(files) = self.files(log) {
                files.new_dir = true;
                files.new_files = true;
            }
            self.tidy(log, entries, ops);
            return;
        }
        if is_empty(entries) && is_begun(text, log.topic.0) {
            // It is written again.
            let name = FileName::Named(dir);
            self.dir_ask(log, DirStep::Make, FileOp::MakeDir(name), ops);
            return;
        }
        self.put_aside(log, ops);
    }

    /// Never adopted and never removed: an operator decides about a stranger's bytes.
    fn put_aside(&mut self, log: LogId, ops: &mut Ops) {
        proof::sometimes("stranger-put-aside");
        let Some(dir) = self.spill_dir(log) else {
            return;
        };
        // The number of a commit is never used again, so neither is the name.
        let aside = format!("{dir}.{}-stray", self.fold.durable.commit);
        ops.tell(Told::Note(format!(
            "The directory {dir} belongs to another topic than the one of that name here; it was renamed to {aside} and \
             is not read"
        )));
        let op = FileOp::Rename {
            from: FileName::Named(dir),
            to: FileName::named(&aside),
        };
        self.dir_ask(log, DirStep::Aside, op, ops);
    }

    /// Cuts what lies past the ends that the fold knows, and removes files that an unfinished spill or an unfinished
    /// retirement left: their bytes lie in the ring, or below the log's start.
    fn tidy(&mut self, log: LogId, entries: &[Entry], ops: &mut Ops) {
        let Some(dir) = self.spill_dir(log) else {
            return;
        };
        let Some(state) = self.fold.logs.get(&log) else {
            return;
        };
        if let Some(name) = shorter(entries, state) {
            let why = format!("{dir}/{name} is gone, or shorter than what was made durable");
            self.skip(log, why, ops);
            return;
        }
        let wishes: Vec<FileOp> = entries
            .iter()
            .filter_map(|entry| Some((entry, tidied(&dir, entry, state)?)))
            // A reader keeps a file from going, not from losing what lies past its end.
            .filter(|(entry, wish)| {
                matches!(wish, FileOp::Cut { .. }) || !self.is_read(&dir, entry)
            })
            .map(|(_, wish)| wish)
            .collect();
        if wishes.is_empty() {
            self.dir_ready(log, ops);
            return;
        }
        proof::sometimes("directory-tidied");
        if let Some(files) = self.files(log) {
            // What was removed stays removed once the directory is synced.
            files.new_files = true;
        }
        self.drops.tidying.insert(log, wishes.len());
        for wish in wishes {
            self.dir_ask(log, DirStep::Tidy, wish, ops);
        }
    }

    /// Whether a reader pins this segment: it goes when the reader is done (#7).
    fn is_read(&self, dir: &alloc::sync::Arc<str>, entry: &Entry) -> bool {
        segment_of(entry).is_some_and(|(base, _)| {
            let dir = dir.clone();
            let pinned = FileName::Segment { dir, base };
            self.reads.pins.contains_key(&pinned)
        })
    }

    fn has_segments(&self, log: LogId) -> bool {
        self.fold
            .logs
            .get(&log)
            .is_some_and(|state| !state.segments.is_empty())
    }

    fn files(&mut self, log: LogId) -> Option<&mut Files> {
        match self.spill.courses.get_mut(&log) {
            Some(Course::Files(files)) => Some(files),
            _ => None,
        }
    }

    fn dir_ready(&mut self, log: LogId, ops: &mut Ops) {
        self.drops.ready.insert(log);
        if let Some(files) = self.files(log) {
            files.ready = Ready::Yes;
        }
        self.put_block(log, self.spill.phase == SpillPhase::Drain, ops);
    }
}

/// The base offset and ending of a segment's or sidecar's file.
fn segment_of(entry: &Entry) -> Option<(Offset, &str)> {
    let (stem, ending) = entry.name.split_once('.')?;
    let ours = stem.len() == 20 && matches!(ending, "log" | "side");
    ours.then_some((Offset(stem.parse().ok()?), ending))
}

/// Bytes of a sidecar that describes so many batches.
fn side_len(segment: &SegmentState) -> u64 {
    sidecar::HEADER + u64::from(segment.batches) * sidecar::ENTRY as u64
}

/// A segment that has lost what was durable: written to, it would have a hole (#99). A sidecar may: it is made again by its
/// next reader (#6).
fn shorter(entries: &[Entry], state: &LogState) -> Option<String> {
    state.segments.iter().find_map(|segment| {
        let whole = entries.iter().any(|entry| {
            segment_of(entry) == Some((segment.base, "log")) && entry.len >= segment.bytes
        });
        (!whole).then(|| format!("{:020}.log", segment.base.0))
    })
}

fn tidied(dir: &alloc::sync::Arc<str>, entry: &Entry, state: &LogState) -> Option<FileOp> {
    let (base, ending) = segment_of(entry)?;
    let dir = dir.clone();
    let file = match ending {
        "log" => FileName::Segment { dir, base },
        "side" => FileName::Sidecar { dir, base },
        _ => return None,
    };
    match state.segments.iter().find(|segment| segment.base == base) {
        Some(segment) => {
            let len = match ending {
                "log" => segment.bytes,
                _ => side_len(segment),
            };
            (entry.len > len).then_some(FileOp::Cut { file, len })
        }
        None if base >= state.spilled || base < state.start => Some(FileOp::Unlink(file)),
        None => None,
    }
}
