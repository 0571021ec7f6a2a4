//! Reads a directory, has it judged, and brings it up: the start path, and the only one (crash-only).
//! Decides what is read in which order, and in which order what was accepted is written again; never what counts: that
//! is `judge`. Holds #97 and #98: nothing is changed before `accept`, and nothing that was there is changed after it.
//!
//! ```text
//! list the directory, list the rings -> read both checkpoints -> scan the rings from the newest whole one on -> judge
//! accept: keep torn bytes aside -> make a fresh ring file -> `resumed`, what lies above the marks again, `ready`
//! ```

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::Doubt;
use crate::file::{Entry as Listed, FileName, FileOp, Outcome, RingKind, Side};
use crate::ids::{BootId, LogId, Offset, ShardId, Ticket};
use crate::log::again::{Again, Newest};
use crate::log::checkpoint::{self, Checkpoint, CheckpointFault, Stamp};
use crate::log::commit::RingSecret;
use crate::log::conf::Sizes;
use crate::log::judge::{self, Judged, Read, Verdict};
use crate::log::prove::Prove;
use crate::log::recovered::{FoundFile, Progress};
use crate::log::reshape::{self, Reshape};
use crate::log::scan::{Scan, Scanned};
use crate::log::state::{Fold, LogState};
use crate::log::told::{Broken, Ops, Report};
use crate::map::{Map, Set};
use crate::proof;

/// Bytes of a checkpoint read at once.
const CHUNK: u64 = 4 << 20;

/// Whose directory is read, and under which circumstances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whose {
    pub(crate) shard: ShardId,
    pub(crate) shards: u16,
    pub(crate) doubt: Doubt,
    pub(crate) sizes: Sizes,
    pub(crate) boot: BootId,
}

/// One start of one shard.
#[derive(Debug)]
pub struct Recovery {
    whose: Whose,
    stage: Stage,
    /// Whether the node's identity is there: then a directory without a checkpoint is damaged, not new.
    founded: bool,
    checkpoints: Map<Side, Loading>,
    files: Vec<FoundFile>,
    /// The checkpoint that recovery starts from.
    newest: Option<(Side, Checkpoint)>,
    /// Whether the other checkpoint is damaged or missing.
    alone: bool,
    /// Files still to be scanned, the next one last.
    scans: Vec<Planned>,
    /// Rings of which a whole file was read that shows nothing.
    silent: Set<RingKind>,
    durable: Scanned,
    fast: Scanned,
    /// `accept` was called, for the old layout.
    accepted: bool,
}

#[derive(Debug)]
enum Stage {
    New,
    Root(Ticket),
    Rings(Ticket),
    Checkpoints(Ticket, Side),
    Scan(Ticket),
    /// The metadata log is read, before the verdict on it is told.
    Proving(Box<(Judged, Report, Prove)>),
    Judged(Box<Judged>),
    Writing(Box<Again>),
    /// An earlier start was about to bring the directory to this number of shards.
    Marker(Ticket),
    /// Brings the directory to another number of shards.
    Reshaping(Box<Reshape>),
    Over,
}

/// A ring file to be scanned.
#[derive(Debug)]
struct Planned {
    kind: RingKind,
    /// Of full size and not the one that the checkpoint ends in: if it was begun, the one before it was filled.
    ordinary: bool,
    scan: Scan,
}

/// A checkpoint file while it is read.
#[derive(Debug, Default)]
struct Loading {
    len: u64,
    bytes: Vec<u8>,
    failed: Option<String>,
}

impl Recovery {
    /// A start of `shard` of `shards`, under this boot of the kernel.
    pub fn new(shard: ShardId, shards: u16, doubt: Doubt, sizes: Sizes, boot: BootId) -> Recovery {
        Recovery {
            whose: Whose {
                shard,
                shards,
                doubt,
                sizes,
                boot,
            },
            stage: Stage::New,
            founded: false,
            checkpoints: Map::new(),
            files: Vec::new(),
            newest: None,
            alone: false,
            scans: Vec::new(),
            silent: Set::new(),
            durable: Scanned::default(),
            fast: Scanned::default(),
            accepted: false,
        }
    }

    /// Begins to read.
    pub fn begin(&mut self, ops: &mut Ops) {
        self.newest = None;
        self.stage = Stage::Root(ops.ask(FileOp::List(FileName::named(""))));
    }

    /// Writes what was accepted again; [`Progress::Up`] follows. Only after [`Progress::Judged`].
    pub fn accept(&mut self, ops: &mut Ops) {
        if let Stage::Reshaping(reshape) = &mut self.stage {
            self.accepted = true;
            return reshape.accept(ops);
        }
        let Stage::Judged(judged) = core::mem::replace(&mut self.stage, Stage::Over) else {
            return;
        };
        let Some((side, newest)) = self.newest.take() else {
            return;
        };
        let files = core::mem::take(&mut self.files);
        let newest = Newest {
            side,
            stamp: newest.stamp,
            alone: self.alone,
        };
        let mut again = Box::new(Again::new(self.whose, *judged, newest, files));
        again.begin(ops);
        self.stage = Stage::Writing(again);
    }

    /// See [`Judged::go_on_from`]; between the verdict and `accept`.
    pub fn go_on_from(&mut self, log: LogId, from: Offset) -> bool {
        match &mut self.stage {
            Stage::Judged(judged) => judged.go_on_from(log, from),
            _ => false,
        }
    }

    /// An operation came back.
    pub fn done(&mut self, ticket: Ticket, outcome: Outcome, ops: &mut Ops) -> Progress {
        match &mut self.stage {
            Stage::Root(awaited) if *awaited == ticket => self.root(outcome, ops),
            Stage::Rings(awaited) if *awaited == ticket => self.rings(outcome, ops),
            Stage::Checkpoints(awaited, side) if *awaited == ticket => {
                let side = *side;
                self.checkpoint(side, outcome, ops)
            }
            Stage::Scan(awaited) if *awaited == ticket => self.scanned(outcome, ops),
            Stage::Proving(proving) if proving.2.awaits(ticket) => {
                proving.2.feed(outcome, ops);
                self.prove(ops)
            }
            Stage::Writing(again) => again.done(ticket, outcome, ops),
            Stage::Marker(awaited) if *awaited == ticket => self.marker(outcome, ops),
            Stage::Reshaping(reshape) => {
                let progress = reshape.done(ticket, outcome, ops);
                if reshape.over() {
                    self.begin(ops);
                }
                progress
            }
            _ => Progress::More,
        }
    }

    fn root(&mut self, outcome: Outcome, ops: &mut Ops) -> Progress {
        let listing = match listing(outcome) {
            Ok(listing) => listing,
            Err(why) => return unreadable("the log directory", why),
        };
        if self.whose.shard == ShardId(0)
            && listing.iter().any(|entry| entry.name == reshape::MARKER)
        {
            let file = FileName::named(reshape::MARKER);
            self.stage = Stage::Marker(ops.ask(FileOp::Read {
                file,
                at: 0,
                len: 64,
            }));
            return Progress::More;
        }
        self.founded = listing.iter().any(|entry| entry.name == "meta.properties");
        for side in [Side::A, Side::B] {
            let name = format!(
                "{}",
                FileName::Checkpoint {
                    shard: self.whose.shard,
                    side
                }
            );
            if let Some(entry) = listing.iter().find(|entry| entry.name == name) {
                self.checkpoints.insert(
                    side,
                    Loading {
                        len: entry.len,
                        ..Loading::default()
                    },
                );
            }
        }
        if self.checkpoints.is_empty() {
            return self.without_checkpoint(&listing);
        }
        self.stage = Stage::Rings(ops.ask(FileOp::List(FileName::named("commit"))));
        Progress::More
    }

    /// Goes on with what an earlier start has made durable.
    fn marker(&mut self, outcome: Outcome, ops: &mut Ops) -> Progress {
        let shards = match outcome {
            Outcome::Bytes(bytes) => reshape::marked(&bytes),
            _ => None,
        };
        let Some(shards) = shards else {
            return Progress::Broken(Broken {
                what: format!(
                    "{} cannot be read, and nothing was touched",
                    reshape::MARKER
                ),
                why: String::from("it says to how many shards the directory was being brought"),
                attempt: String::from("Restore the directory from a backup."),
            });
        };
        let mut reshape = Box::new(Reshape::new(
            Whose {
                shards,
                ..self.whose
            },
            shards,
        ));
        reshape.resume(ops);
        self.stage = Stage::Reshaping(reshape);
        Progress::More
    }

    /// What was judged, for somebody else to write.
    pub(crate) fn into_judged(self) -> Option<(Judged, Stamp, Vec<FoundFile>)> {
        let Stage::Judged(judged) = self.stage else {
            return None;
        };
        let (_, newest) = self.newest?;
        Some((*judged, newest.stamp, self.files))
    }

    fn without_checkpoint(&self, listing: &[Listed]) -> Progress {
        let others = listing
            .iter()
            .any(|entry| entry.name.starts_with("checkpoint."));
        if !self.founded {
            return Progress::Fresh;
        }
        let shard = self.whose.shard;
        if others {
            return Progress::Broken(Broken {
                what: format!("shard {shard} cannot start"),
                why: String::from(
                    "the node last ran with fewer shards, and no checkpoint of this one is there",
                ),
                attempt: String::from("Start it with as many shards as before."),
            });
        }
        no_checkpoint(
            shard,
            String::from("neither of its two checkpoint files is there"),
        )
    }

    fn rings(&mut self, outcome: Outcome, ops: &mut Ops) -> Progress {
        let listing = match listing(outcome) {
            Ok(listing) => listing,
            Err(why) => return unreadable("the folder commit", why),
        };
        self.files = listing
            .iter()
            .filter_map(|entry| ring_file(entry, self.whose.shard))
            .collect();
        self.next_checkpoint(ops)
    }

    /// Reads on in the first checkpoint that is not read whole.
    fn next_checkpoint(&mut self, ops: &mut Ops) -> Progress {
        let shard = self.whose.shard;
        let unread = |loading: &Loading| {
            loading.failed.is_none() && (loading.bytes.len() as u64) < loading.len
        };
        let Some((side, loading)) = self.checkpoints.iter().find(|(_, loading)| unread(loading))
        else {
            return self.choose(ops);
        };
        let at = loading.bytes.len() as u64;
        let len = u32::try_from((loading.len - at).min(CHUNK)).unwrap_or(u32::MAX);
        let file = FileName::Checkpoint { shard, side: *side };
        self.stage = Stage::Checkpoints(ops.ask(FileOp::Read { file, at, len }), *side);
        Progress::More
    }

    fn checkpoint(&mut self, side: Side, outcome: Outcome, ops: &mut Ops) -> Progress {
        if let Some(loading) = self.checkpoints.get_mut(&side) {
            match outcome {
                Outcome::Bytes(bytes) if !bytes.is_empty() => {
                    loading.bytes.extend_from_slice(&bytes)
                }
                Outcome::Failed(fault) => loading.failed = Some(fault.text),
                _ => loading.len = loading.bytes.len() as u64,
            }
        }
        self.next_checkpoint(ops)
    }

    /// The newest whole checkpoint, and from its place on the rings.
    fn choose(&mut self, ops: &mut Ops) -> Progress {
        let shard = self.whose.shard;
        let (mut faults, mut whole_ones) = (String::new(), 0);
        for (side, loading) in core::mem::take(&mut self.checkpoints) {
            let name = FileName::Checkpoint { shard, side };
            let whole = match loading.failed {
                Some(fault) => Err(fault),
                None => match checkpoint::decode(&loading.bytes) {
                    Err(CheckpointFault::Version(version)) => {
                        return newer(&format!("{name}"), version);
                    }
                    read => read.map_err(fault_text),
                },
            };
            match whole {
                Ok(read) if read.stamp.shard == shard => {
                    whole_ones += 1;
                    let number = read.stamp.number;
                    if self
                        .newest
                        .as_ref()
                        .is_none_or(|(_, newest)| newest.stamp.number < number)
                    {
                        self.newest = Some((side, read));
                    }
                }
                Ok(_) => faults.push_str(&format!("{name} is another shard's; ")),
                Err(fault) => {
                    proof::sometimes("checkpoint-not-whole");
                    faults.push_str(&format!("{name}: {fault}; "));
                }
            }
        }
        self.alone = whole_ones < 2;
        if self.newest.is_some() && !faults.is_empty() {
            proof::sometimes("one-checkpoint-of-two-is-rotten");
        }
        let Some((_, newest)) = &self.newest else {
            // Before the identity is durable nobody was answered: an unfinished first start is made again.
            return if self.founded {
                no_checkpoint(shard, faults)
            } else {
                Progress::Fresh
            };
        };
        let before = newest.stamp.shards;
        if before != self.whose.shards {
            if shard != ShardId(0) {
                return Progress::Broken(Broken {
                    what: format!("shard {shard} cannot start"),
                    why: format!(
                        "its checkpoint is of a node of {before} shards, not {}",
                        self.whose.shards
                    ),
                    attempt: format!("Start the node with {before} shards."),
                });
            }
            let mut reshape = Box::new(Reshape::new(self.whose, before));
            reshape.begin(ops);
            self.stage = Stage::Reshaping(reshape);
            return Progress::More;
        }
        let (fold, secret) = (newest.fold.clone(), newest.stamp.secret);
        if let Some(why) = self.missing_end(&fold) {
            return Progress::Broken(Broken {
                what: format!("shard {shard} cannot start, and nothing was touched"),
                why,
                attempt: String::from(
                    "Bring the file back, for example from a backup of the whole directory.",
                ),
            });
        }
        self.plan_scans(&fold, secret);
        self.next_read(ops)
    }

    /// The file that the checkpoint ends in holds the commits that follow it: without it nobody knows what is lost (#13).
    /// Where a point was noted before the first byte of its file, there may be none yet.
    fn missing_end(&self, fold: &Fold) -> Option<String> {
        [RingKind::Durable, RingKind::Fast]
            .into_iter()
            .find_map(|kind| {
                let point = fold.point(kind);
                let shard = self.whose.shard;
                let sequence = point.file;
                let name = FileName::Ring {
                    kind,
                    shard,
                    sequence,
                };
                let of_point = |file: &&FoundFile| file.kind == kind && file.sequence == sequence;
                let found = self.files.iter().find(of_point).map(|file| file.len);
                match found {
                    _ if point.at == 0 => None,
                    None => Some(format!(
                        "{name} is missing: the newest checkpoint ends in it, and commits may follow"
                    )),
                    Some(len) if len < point.at => Some(format!(
                        "{name} has {len} bytes: the newest checkpoint ends at byte {}, and commits may follow",
                        point.at
                    )),
                    Some(_) => None,
                }
            })
    }

    /// The ring behind the checkpoint, and little of what is spare. Files are filled one after another, so behind a file
    /// of full size that shows nothing the next one was not begun, and its first bytes are looked at to be sure. Only a
    /// start passes spare files over; its own first file has another size, and is read whole, as what follows it is.
    fn plan_scans(&mut self, fold: &Fold, secret: RingSecret) {
        let Sizes {
            ring_file,
            first_file,
            ..
        } = self.whose.sizes;
        self.files.sort_by_key(|file| (file.kind, file.sequence));
        for file in &self.files {
            let point = fold.point(file.kind);
            if file.sequence < point.file {
                continue;
            }
            let from = if file.sequence == point.file {
                point.at
            } else {
                0
            };
            let scan = Scan::new(
                file.kind,
                self.whose.shard,
                secret,
                file.sequence,
                from,
                u64::from(file.len),
            );
            let ordinary =
                file.len == ring_file && file.len != first_file && file.sequence != point.file;
            self.scans.push(Planned {
                kind: file.kind,
                ordinary,
                scan,
            });
        }
        self.scans.reverse();
    }

    fn next_read(&mut self, ops: &mut Ops) -> Progress {
        while let Some(mut planned) = self.scans.pop() {
            let kind = planned.kind;
            if self.silent.contains(&kind) {
                if planned.ordinary {
                    planned.scan.probe();
                }
                if proof::mutant("spare-file-ends-the-ring") {
                    continue;
                }
            }
            let scan = &planned.scan;
            if let Some((at, len)) = scan.wants() {
                let file = FileName::Ring {
                    kind,
                    shard: self.whose.shard,
                    sequence: scan.file(),
                };
                self.stage = Stage::Scan(ops.ask(FileOp::Read { file, at, len }));
                self.scans.push(planned);
                return Progress::More;
            }
            if planned.ordinary && scan.shows_nothing() {
                proof::sometimes("spare-file-at-a-start");
                self.silent.insert(kind);
            } else {
                self.silent.remove(&kind);
            }
            let scanned = planned.scan.end();
            match kind {
                RingKind::Durable => self.durable.extend(scanned),
                RingKind::Fast => self.fast.extend(scanned),
            }
        }
        self.judge(ops)
    }

    fn scanned(&mut self, outcome: Outcome, ops: &mut Ops) -> Progress {
        if let Some(Planned { scan, .. }) = self.scans.last_mut() {
            match outcome {
                Outcome::Bytes(bytes) => scan.feed(&bytes),
                Outcome::Failed(_) => scan.failed(),
                Outcome::Done | Outcome::Listing(_) => {}
            }
        }
        self.next_read(ops)
    }

    fn judge(&mut self, ops: &mut Ops) -> Progress {
        let Whose {
            shard, boot, doubt, ..
        } = self.whose;
        let durable = core::mem::take(&mut self.durable);
        let fast = core::mem::take(&mut self.fast);
        if let Some(version) = durable.newer.or(fast.newer) {
            return newer("the commit log", version);
        }
        let fold = self
            .newest
            .as_ref()
            .map(|(_, newest)| newest.fold.clone())
            .unwrap_or_default();
        let bytes = durable.bytes + fast.bytes;
        let files = self
            .files
            .iter()
            .map(|file| (file.kind, file.sequence))
            .collect();
        let (judged, whole) = judge::judge(Read {
            shard,
            boot,
            fold,
            durable,
            fast,
            files,
        });
        let doubtful = judged.cuts.iter().any(|cut| cut.verdict == Verdict::Doubt);
        let report = Report {
            clean: judged.clean,
            logs: judge::with_data(&whole),
            commits: judged.commits,
            bytes,
            warnings: judged.warnings.clone(),
            metadata: whole
                .logs
                .get(&LogId::METADATA)
                .map(|state| (state.start, state.next.max(state.start))),
            metadata_whole_from: judged.metadata_whole_from,
            offline: judged
                .offline
                .iter()
                .map(|(log, why)| (*log, why.clone()))
                .collect(),
            reshaped: None,
            doubt: (doubtful && doubt == Doubt::Stop).then(|| judged.warnings.join(" ")),
        };
        let metadata = whole.logs.get(&LogId::METADATA).map(|state| &**state);
        let prove = Prove::of(
            LogId::METADATA,
            shard,
            metadata.unwrap_or(&LogState::default()),
        );
        self.stage = Stage::Proving(Box::new((judged, report, prove)));
        self.prove(ops)
    }

    /// Goes on reading the metadata log, or adds what was found to the verdict.
    fn prove(&mut self, ops: &mut Ops) -> Progress {
        let Stage::Proving(proving) = &mut self.stage else {
            return Progress::More;
        };
        if proving.2.is_reading() || proving.2.next(ops) {
            return Progress::More;
        }
        let Stage::Proving(proving) = core::mem::replace(&mut self.stage, Stage::Over) else {
            return Progress::More;
        };
        let (mut judged, mut report, prove) = *proving;
        if let Some((why, from)) = prove.end() {
            judged.damaged(LogId::METADATA, &why, from);
            report.metadata_whole_from = judged.metadata_whole_from;
            report.offline = judged.offline.clone().into_iter().collect();
        }
        self.stage = Stage::Judged(Box::new(judged));
        if self.accepted {
            // The directory was brought to this number of shards by this very start.
            self.accept(ops);
            return Progress::More;
        }
        Progress::Judged(report)
    }
}

fn listing(outcome: Outcome) -> Result<Vec<Listed>, String> {
    match outcome {
        Outcome::Listing(entries) => Ok(entries),
        Outcome::Failed(fault) if fault.kind == crate::file::FaultKind::Absent => Ok(Vec::new()),
        Outcome::Failed(fault) => Err(fault.text),
        Outcome::Done | Outcome::Bytes(_) => Ok(Vec::new()),
    }
}

/// A ring file of this shard, by its name in the folder `commit`.
fn ring_file(entry: &Listed, shard: ShardId) -> Option<FoundFile> {
    let (kind, name) = match entry.name.strip_prefix("fast-") {
        Some(name) => (RingKind::Fast, name),
        None => (RingKind::Durable, entry.name.as_str()),
    };
    let (of, sequence) = name.strip_suffix(".log")?.split_once('-')?;
    if of.parse() != Ok(shard.0) {
        return None;
    }
    let len = u32::try_from(entry.len).unwrap_or(u32::MAX);
    Some(FoundFile {
        kind,
        sequence: sequence.parse().ok()?,
        len,
    })
}

fn fault_text(fault: CheckpointFault) -> String {
    match fault {
        CheckpointFault::NotOurs => String::from("not a checkpoint"),
        CheckpointFault::Version(version) => format!("format {version}"),
        CheckpointFault::Damaged { at } => format!("damaged behind byte {at}"),
    }
}

fn no_checkpoint(shard: ShardId, faults: String) -> Progress {
    Progress::Broken(Broken {
        what: format!("shard {shard} cannot start, and nothing was touched"),
        why: format!("no checkpoint is whole: {}", faults.trim_end_matches("; ")),
        attempt: String::from("Restore the log directory from a backup."),
    })
}

fn newer(file: &str, version: u16) -> Progress {
    Progress::Broken(Broken {
        what: String::from("the log directory cannot be opened, and nothing was touched"),
        why: format!("{file} has format {version}, written by a newer Sawlog"),
        attempt: String::from("Start the version that wrote it, or a later one."),
    })
}

fn unreadable(what: &str, why: String) -> Progress {
    Progress::Broken(Broken {
        what: format!("{what} cannot be read, and nothing was touched"),
        why,
        attempt: String::from("Look at the file system and its permissions."),
    })
}

#[cfg(test)]
mod tests;
