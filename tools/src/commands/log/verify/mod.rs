//! `sawlog log verify`: checks what a log directory holds against every checksum, chain and order that covers it. Decides
//! what counts as damage: what is still wrong when it is read again. What a running node changes meanwhile has moved on
//! by then: commits under new numbers, files under new names. Holds #6, #8, #99, #102 and #104 as far as a reader can.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::dump::no_log;
use super::place::{self, Kind, unreadable};
use crate::exit::{Exit, Failure};
use crate::show::Show;

mod node;
mod partition;
mod small;

/// How often a place must be found wrong before it counts.
const LOOKS: usize = 3;

/// Something that is wrong on disk.
#[derive(Clone, Debug)]
struct Damage {
    /// In which file, as a path.
    file: String,
    /// From which byte on.
    at: u64,
    /// What is wrong.
    what: String,
    /// What to do.
    attempt: &'static str,
}

impl Damage {
    fn place(&self) -> (String, u64) {
        (self.file.clone(), self.at)
    }
}

/// What one look at some files came to.
#[derive(Default)]
struct Look {
    /// Only these files are looked at again, where they can be looked at alone.
    only: Option<BTreeSet<String>>,
    damages: Vec<Damage>,
    notes: Vec<String>,
    files: u64,
    bytes: u64,
    batches: u64,
    commits: u64,
}

impl Look {
    fn damage(&mut self, file: &Path, at: u64, what: impl Into<String>, attempt: &'static str) {
        let file = file.display().to_string();
        self.damages.push(Damage {
            file,
            at,
            what: what.into(),
            attempt,
        });
    }

    fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    fn read(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }

    /// Whether this file is to be looked at.
    fn wants(&self, file: &Path) -> bool {
        self.only
            .as_ref()
            .is_none_or(|only| only.contains(&file.display().to_string()))
    }
}

/// Checks every file and directory named.
pub(super) fn run(arguments: &super::Verify) -> Result<Exit, Failure> {
    let mut show = Show::new(arguments.output);
    let mut whole = true;
    for path in &arguments.paths {
        let look = look_again(path)?;
        whole &= look.damages.is_empty();
        report(&mut show, path, &look)?;
    }
    show.end()?;
    Ok(if whole { Exit::Done } else { Exit::Problem })
}

/// Looks until nothing is wrong, or the same places were found wrong each time.
fn look_again(path: &Path) -> Result<Look, Failure> {
    let mut first = look(path, None)?;
    let mut changed = 0;
    for _ in 1..LOOKS {
        if first.damages.is_empty() {
            break;
        }
        let only = first
            .damages
            .iter()
            .map(|damage| damage.file.clone())
            .collect();
        let again = look(path, Some(only))?;
        let still: BTreeSet<_> = again.damages.iter().map(Damage::place).collect();
        let before = first.damages.len();
        first
            .damages
            .retain(|damage| still.contains(&damage.place()));
        changed += before - first.damages.len();
    }
    if changed > 0 {
        first.note(format!("{changed} places changed while they were read: a node is at work, and they are right now"));
    }
    Ok(first)
}

fn look(path: &Path, only: Option<BTreeSet<String>>) -> Result<Look, Failure> {
    let known = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    let mut look = Look {
        only,
        ..Look::default()
    };
    if !known.is_dir() {
        let kind = place::kind_of(path).ok_or_else(|| no_log(path))?;
        look.file(&kind, path)?;
    } else if place::is_kafkas(path) {
        look.note(format!(
            "{} was written by Apache Kafka: its segments, snapshots and topic ids are checked each by itself; its indexes, \
             checkpoints and quorum-state are not, and no node of Sawlog starts on it",
            path.display()
        ));
        for (kind, file) in place::some_files(path)? {
            if !matches!(kind, Kind::QuorumState) && look.wants(&file) {
                look.file(&kind, &file)?;
            }
        }
    } else if place::is_root(path) {
        look.node(path)?;
    } else {
        for (kind, file) in place::some_files(path)? {
            if look.wants(&file) {
                look.file(&kind, &file)?;
            }
        }
    }
    Ok(look)
}

impl Look {
    /// One file by itself.
    fn file(&mut self, kind: &Kind, path: &Path) -> Result<(), Failure> {
        match kind {
            Kind::Segment(_) => self.segment_alone(path),
            Kind::Sidecar(_) => {
                self.sidecar_alone(path);
                Ok(())
            }
            Kind::Identity => self.identity(path),
            Kind::QuorumState => self.quorum_state(path),
            Kind::Snapshot(id) => self.snapshot(path, *id),
            Kind::TopicId => self.topic_id(path, None),
            Kind::Checkpoint(..) => self.checkpoint_alone(path),
            Kind::Ring(_, shard, _) => match place::root_of(path) {
                Some(root) => {
                    // Its commits count or not by what its shard's checkpoint and the other files say.
                    self.only = Some(BTreeSet::new());
                    self.shard(root, *shard).map(|_| ())
                }
                None => Err(Failure::told(
                    Exit::Failed,
                    format!("cannot verify {} alone", path.display()),
                    "which of its commits count stands in the checkpoint of its log directory"
                        .to_owned(),
                    "Name the log directory, or look at the file with `sawlog log dump`",
                )),
            },
        }
    }
}

fn report(show: &mut Show, path: &Path, look: &Look) -> Result<(), Failure> {
    let name = path.display();
    for damage in &look.damages {
        let Damage {
            file,
            at,
            what,
            attempt,
        } = damage;
        show.item(
            || format!("DAMAGED {file} byte {at}: {what}\n    {attempt}."),
            || json!({"kind": "damage", "file": file, "position": at, "what": what, "try": attempt}),
        )?;
    }
    for note in &look.notes {
        show.item(
            || format!("note: {note}"),
            || json!({"kind": "note", "note": note}),
        )?;
    }
    let (files, bytes, batches, commits) = (look.files, look.bytes, look.batches, look.commits);
    let verdict = match look.damages.len() {
        0 => "whole".to_owned(),
        1 => "damaged in 1 place".to_owned(),
        more => format!("damaged in {more} places"),
    };
    show.item(
        || format!("{name}: {verdict}; checked {files} files, {bytes} bytes, {batches} batches, {commits} commits"),
        || {
            json!({"kind": "verdict", "path": name.to_string(), "whole": look.damages.is_empty(), "damages": look.damages.len(),
                "files": files, "bytes": bytes, "batches": batches, "commits": commits})
        },
    )
}
