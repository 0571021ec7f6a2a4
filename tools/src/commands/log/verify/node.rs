//! A whole log directory: identity, then per shard its checkpoints, its rings and the logs that they tell of. Decides which
//! bytes still count: those that a start would read, by the same scan and the same judgement. Holds #99 and #102.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use sawlog_core::cluster::batch;
use sawlog_core::file::{FileName, RingKind};
use sawlog_core::ids::{BootId, LogId, ShardId};
use sawlog_core::log::checkpoint::Checkpoint;
use sawlog_core::log::checksum;
use sawlog_core::log::judge::{self, Judged, Verdict};
use sawlog_core::log::scan::{Scan, Scanned};
use sawlog_core::log::state::{Fold, LogState, RingBatch, Spot};
use sawlog_core::node::identity;
use sawlog_wire::records::Batch;

use super::Look;
use crate::commands::log::place::{self, Kind, METADATA, unreadable};
use crate::exit::{Exit, Failure};

const CHECKPOINT: &str = "Nothing is lost: a start goes on from the other checkpoint, and the node writes this one again";
const NO_CHECKPOINT: &str =
    "The node refuses to start and touches nothing. Restore the directory from a backup";
const RING: &str = "The partitions named are kept from serving when the node starts; all others serve. Restore the directory from a backup";
const SEGMENTS: &str =
    "Keep the directory and report this: a checkpoint whose checksum holds says what cannot be";

/// One file of a ring.
type RingFile = (RingKind, u64, PathBuf);

impl Look {
    /// Everything in a log directory.
    pub(super) fn node(&mut self, root: &Path) -> Result<(), Failure> {
        let files = place::files(root).map_err(|error| unreadable(root, &error))?;
        let founded = root.join(identity::FILE);
        if founded.exists() {
            self.identity(&founded)?;
            self.quorum_state(&root.join(METADATA).join("quorum-state"))?;
        } else {
            self.note(format!(
                "{}: no {}: a first start that is under way, or never came to its end",
                root.display(),
                identity::FILE
            ));
        }
        if root.join("shards.next").exists() {
            self.note(format!(
                "{}: the number of shards is being changed; the next start of the node ends that",
                root.display()
            ));
        }
        let mut shards: BTreeSet<ShardId> = BTreeSet::new();
        for (kind, path) in &files {
            match kind {
                Kind::Snapshot(id) => self.snapshot(path, *id)?,
                Kind::Checkpoint(shard, _) => {
                    shards.insert(*shard);
                }
                _ => {}
            }
        }
        shards.insert(ShardId(0));
        if self
            .only
            .as_ref()
            .is_some_and(|only| only.iter().all(|file| stands_alone(Path::new(file))))
        {
            return Ok(());
        }
        let mut known: BTreeSet<PathBuf> = [METADATA, "commit", "aside", "unknown"]
            .iter()
            .map(|dir| root.join(dir))
            .collect();
        for shard in shards {
            known.extend(self.shard(root, shard)?);
        }
        for path in place::list(root).map_err(|error| unreadable(root, &error))? {
            if path.is_dir() && !known.contains(&path) {
                self.note(format!("{}: no checkpoint names this directory: just made, deleted, or set aside; it was not checked", path.display()));
            }
        }
        Ok(())
    }

    /// One shard: gives the directories that its logs have.
    pub(super) fn shard(&mut self, root: &Path, shard: ShardId) -> Result<Vec<PathBuf>, Failure> {
        let (newest, faults) = place::newest(root, shard);
        for (side, why, at) in faults {
            let path = place::path_of(root, &FileName::Checkpoint { shard, side });
            self.damage(
                &path,
                at,
                why,
                if newest.is_some() {
                    CHECKPOINT
                } else {
                    NO_CHECKPOINT
                },
            );
        }
        let Some(newest) = newest else {
            if self.damages.is_empty() {
                let path = root.join(format!("checkpoint.{shard}.a"));
                self.damage(
                    &path,
                    0,
                    "neither of the shard's two checkpoints is there",
                    NO_CHECKPOINT,
                );
            }
            return Ok(Vec::new());
        };
        self.files += 2;
        let torn: Vec<(LogId, Box<LogState>)> = newest
            .fold
            .logs
            .iter()
            .filter(|(_, state)| state.is_torn())
            .map(|(log, state)| (*log, state.clone()))
            .collect();
        for (log, state) in torn {
            let what = format!(
                "{}: a start found that offsets from {} on were durable and cannot be read",
                name(log, &state),
                state.next
            );
            self.damage(&root.join("commit"), 0, what, RING);
        }
        let fold = self.rings(root, shard, newest)?;
        let mut dirs = Vec::new();
        for (log, state) in &fold.logs {
            self.kept_in_ring(root, shard, *log, state);
            if let Some(dir) = &state.dir {
                let dir = root.join(&**dir);
                self.log(&dir, *log, state)?;
                dirs.push(dir);
            }
        }
        dirs.extend(fold.dropped.values().flatten().map(|dir| root.join(&**dir)));
        Ok(dirs)
    }

    /// Scans the rings behind a checkpoint and judges them as a start would. Gives all that counts.
    fn rings(&mut self, root: &Path, shard: ShardId, newest: Checkpoint) -> Result<Fold, Failure> {
        let mut files = ring_files(root, shard)?;
        // The newest first: the older ones are sealed by then, so that a running node adds nothing behind our back.
        files.sort_by_key(|(kind, sequence, _)| std::cmp::Reverse((*kind, *sequence)));
        let mut scans: Vec<(RingKind, Scanned)> = Vec::new();
        for (kind, sequence, path) in &files {
            let point = newest.fold.point(*kind);
            if *sequence < point.file {
                continue;
            }
            let from = if *sequence == point.file { point.at } else { 0 };
            let Ok(file) = File::open(path) else { continue };
            let len = file.metadata().map_or(0, |known| known.len());
            let mut scan = Scan::new(*kind, shard, newest.stamp.secret, *sequence, from, len);
            while let Some((at, wanted)) = scan.wants() {
                match place::read(&file, at, wanted as usize) {
                    Ok(bytes) => scan.feed(&bytes),
                    Err(_) => scan.failed(),
                }
            }
            let scanned = scan.end();
            if let Some(version) = scanned.newer {
                return Err(Failure::told(
                    Exit::Failed,
                    format!("cannot verify {}", path.display()),
                    format!("it has format {version}, written by a newer Sawlog"),
                    "Run the `sawlog` that wrote it, or a later one",
                ));
            }
            self.read(scanned.bytes);
            self.commits += scanned.found.len() as u64;
            scans.push((*kind, scanned));
        }
        let (mut durable, mut fast) = (Scanned::default(), Scanned::default());
        for (kind, scanned) in scans.into_iter().rev() {
            match kind {
                RingKind::Durable => durable.extend(scanned),
                RingKind::Fast => fast.extend(scanned),
            }
        }
        let seen = [
            (RingKind::Durable, places(&durable)),
            (RingKind::Fast, places(&fast)),
        ];
        let read = judge::Read {
            shard,
            boot: boot_id(),
            fold: newest.fold,
            durable,
            fast,
            files: files
                .iter()
                .map(|(kind, sequence, _)| (*kind, *sequence))
                .collect(),
        };
        let (judged, fold) = judge::judge(read);
        self.holes(root, shard, &judged, &fold, &seen);
        // A start writes again what was not synced yet, and leaves behind what of it does not match its checksum.
        for spot in judged.again.iter().flat_map(|found| &found.bad) {
            let ring = FileName::Ring {
                kind: spot.kind,
                shard,
                sequence: spot.file,
            };
            let what = "a batch that was written and not yet synced does not match its checksum";
            let path = place::path_of(root, &ring);
            self.damage(&path, u64::from(spot.at), what.to_owned(), RING);
        }
        for cut in &judged.cuts {
            let path = place::path_of(
                root,
                &FileName::Ring {
                    kind: cut.kind,
                    shard,
                    sequence: cut.file,
                },
            );
            let why = match cut.verdict {
                Verdict::Torn => {
                    "being written, or torn when the process died: nobody was answered for it"
                }
                Verdict::Doubt => "torn when power was lost, or rotten, which cannot be told apart",
            };
            self.note(format!(
                "{} byte {}: the commit here, above the mark, is not whole: {why}",
                path.display(),
                cut.at
            ));
        }
        Ok(fold)
    }

    /// Commits that were durable and cannot be read.
    fn holes(
        &mut self,
        root: &Path,
        shard: ShardId,
        judged: &Judged,
        fold: &Fold,
        seen: &[(RingKind, Places)],
    ) {
        for (kind, first, last) in &judged.holes {
            let places = seen
                .iter()
                .find(|(ring, _)| ring == kind)
                .map(|(_, places)| places);
            let (sequence, at) = places.map_or((0, 0), |places| places.of(*first));
            let path = place::path_of(
                root,
                &FileName::Ring {
                    kind: *kind,
                    shard,
                    sequence,
                },
            );
            let logs: Vec<String> = judged
                .offline
                .keys()
                .filter_map(|log| fold.logs.get(log).map(|state| name(*log, state)))
                .collect();
            let whose = if logs.is_empty() {
                "no partition misses records by it".to_owned()
            } else {
                format!("records are missing of {}", logs.join(", "))
            };
            let what =
                format!("commits {first} to {last} were durable and cannot be read; {whose}");
            self.damage(&path, u64::from(at), what, RING);
        }
    }

    /// Batches whose only bytes lie in a ring.
    fn kept_in_ring(&mut self, root: &Path, shard: ShardId, log: LogId, state: &LogState) {
        let seed = checksum::seed(log);
        let mut open: BTreeMap<(RingKind, u64), Option<File>> = BTreeMap::new();
        for batch in state
            .ring
            .iter()
            .chain(state.beyond.iter().map(|kept| &kept.batch))
        {
            let Spot { kind, file, at } = batch.spot;
            let path = place::path_of(
                root,
                &FileName::Ring {
                    kind,
                    shard,
                    sequence: file,
                },
            );
            let opened = open
                .entry((kind, file))
                .or_insert_with(|| File::open(&path).ok());
            self.batches += 1;
            let Some(file) = opened else {
                let what = format!(
                    "the file is missing; it holds offset {} of {}",
                    batch.base,
                    name(log, state)
                );
                self.damage(&path, u64::from(at), what, RING);
                continue;
            };
            let bytes = place::read(file, u64::from(at), batch.len as usize).unwrap_or_default();
            if let Some(why) = wrong(seed, log, batch, &bytes) {
                let what = format!(
                    "{}, offsets {} to {}: {why}",
                    name(log, state),
                    batch.base,
                    batch.next().0 - 1
                );
                self.damage(&path, u64::from(at), what, RING);
            }
        }
    }

    /// The files of one log.
    fn log(&mut self, dir: &Path, log: LogId, state: &LogState) -> Result<(), Failure> {
        let mut next = None;
        let served = state
            .segments
            .iter()
            .filter(|segment| segment.next > state.start);
        for segment in served.clone() {
            if next.is_some_and(|next| segment.base < next) {
                self.damage(
                    dir,
                    0,
                    format!("two segments hold offset {}", segment.base),
                    SEGMENTS,
                );
            }
            next = Some(segment.next);
            self.segment(
                &dir.join(format!("{:020}.log", segment.base.0)),
                log,
                segment,
            )?;
        }
        if next.is_some() {
            let path = dir.join("partition.metadata");
            if self.wants(&path) {
                self.topic_id(&path, Some(log))?;
            }
        }
        Ok(())
    }
}

/// Whether a file is judged by nothing but its own bytes.
fn stands_alone(file: &Path) -> bool {
    matches!(
        place::kind_of(file),
        Some(Kind::Identity | Kind::QuorumState | Kind::Snapshot(_))
    )
}

/// What is wrong with a batch in a ring.
fn wrong(seed: u32, log: LogId, known: &RingBatch, bytes: &[u8]) -> Option<String> {
    if checksum::over(seed, bytes) != known.checksum {
        return Some("the batch does not match the checksum in its commit".to_owned());
    }
    if let Err(fault) = Batch::first(bytes).and_then(|batch| batch.check_crc()) {
        return Some(format!("it was stored so: {fault}"));
    }
    if log == LogId::METADATA {
        return batch::read(bytes).err();
    }
    None
}

/// Where the commits of a ring were seen: number -> file, place, end.
struct Places(BTreeMap<u64, (u64, u32, u32)>);

fn places(scanned: &Scanned) -> Places {
    let found = scanned.found.iter().map(|found| {
        (
            found.head.header.sequence,
            (found.file, found.at, found.end),
        )
    });
    let traces = scanned.traces.iter().filter(|trace| trace.own);
    let mut places: BTreeMap<_, _> = traces
        .map(|trace| (trace.sequence, (trace.file, trace.at, trace.at)))
        .collect();
    places.extend(found);
    Places(places)
}

impl Places {
    /// Where a commit lies: as its own bytes claim, else behind the one before it.
    fn of(&self, number: u64) -> (u64, u32) {
        if let Some((file, at, _)) = self.0.get(&number) {
            return (*file, *at);
        }
        let before = self.0.range(..number).next_back();
        before.map_or((0, 0), |(_, (file, _, end))| (*file, *end))
    }
}

fn ring_files(root: &Path, shard: ShardId) -> Result<Vec<RingFile>, Failure> {
    let dir = root.join("commit");
    let files = place::list(&dir).map_err(|error| unreadable(&dir, &error))?;
    let of_shard = files
        .into_iter()
        .filter_map(|path| match place::kind_of(&path) {
            Some(Kind::Ring(kind, of, sequence)) if of == shard => Some((kind, sequence, path)),
            _ => None,
        });
    Ok(of_shard.collect())
}

/// A log by the name of its directory, or by its id while it has none.
fn name(log: LogId, state: &LogState) -> String {
    match &state.dir {
        Some(dir) => dir.to_string(),
        None => format!("topic id {} partition {}", log.topic.0, log.partition),
    }
}

/// The kernel's boot id; without one every end counts as one after a power cut: the careful side.
fn boot_id() -> BootId {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16).map_or(BootId([0; 16]), |id| BootId(id.to_be_bytes()))
}
