//! What a path in a log directory is, by its name, and how it is read: never written, never locked.
//! Decides names only; what the bytes mean is decided by the codecs of `sawlog_core::log`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use sawlog_core::file::{FileName, RingKind, Side};
use sawlog_core::ids::{Offset, ShardId};
use sawlog_core::log::checkpoint::{self, Checkpoint, CheckpointFault};
use sawlog_core::node::identity;
use sawlog_core::quorum::snapshot::SnapshotId;

use crate::exit::{Exit, Failure};

/// The directory of the metadata log.
pub(crate) const METADATA: &str = "__cluster_metadata-0";

/// What a file is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    /// `meta.properties`.
    Identity,
    /// `quorum-state`.
    QuorumState,
    /// `partition.metadata`.
    TopicId,
    /// A snapshot of the metadata.
    Snapshot(SnapshotId),
    /// A checkpoint of a shard.
    Checkpoint(ShardId, Side),
    /// A file of a ring.
    Ring(RingKind, ShardId, u64),
    /// A segment.
    Segment(Offset),
    /// A sidecar.
    Sidecar(Offset),
}

/// What the file of that name is; `None` for what holds nothing of the log: the lock, the ballast, files set aside.
pub(crate) fn kind_of(path: &Path) -> Option<Kind> {
    let name = path.file_name()?.to_str()?;
    match name {
        identity::FILE => return Some(Kind::Identity),
        "quorum-state" => return Some(Kind::QuorumState),
        "partition.metadata" => return Some(Kind::TopicId),
        _ => {}
    }
    if let Some(id) = SnapshotId::of_name(name) {
        return Some(Kind::Snapshot(id));
    }
    if let Some(rest) = name.strip_prefix("checkpoint.") {
        let (shard, side) = rest.split_once('.')?;
        let side = match side {
            "a" => Side::A,
            "b" => Side::B,
            _ => return None,
        };
        return Some(Kind::Checkpoint(ShardId(shard.parse().ok()?), side));
    }
    let offset = |stem: &str| -> Option<Offset> {
        let digits = stem.len() == 20 && stem.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| stem.parse().ok().map(Offset)).flatten()
    };
    if let Some(stem) = name.strip_suffix(".side") {
        return offset(stem).map(Kind::Sidecar);
    }
    let stem = name.strip_suffix(".log")?;
    if let Some(base) = offset(stem) {
        return Some(Kind::Segment(base));
    }
    let (kind, stem) = match stem.strip_prefix("fast-") {
        Some(stem) => (RingKind::Fast, stem),
        None => (RingKind::Durable, stem),
    };
    let (shard, sequence) = stem.split_once('-')?;
    Some(Kind::Ring(
        kind,
        ShardId(shard.parse().ok()?),
        sequence.parse().ok()?,
    ))
}

/// Whether a directory is a whole log directory.
pub(crate) fn is_root(dir: &Path) -> bool {
    dir.join(identity::FILE).exists() || dir.join("commit").is_dir()
}

/// Files that Kafka keeps beside its logs, and Sawlog does not.
const OF_KAFKA: &[&str] = &[
    "recovery-point-offset-checkpoint",
    "replication-offset-checkpoint",
    "log-start-offset-checkpoint",
];

/// Whether a directory is a whole log directory of Apache Kafka.
pub(crate) fn is_kafkas(dir: &Path) -> bool {
    let has = |name: &&str| dir.join(name).is_file();
    !dir.join("commit").is_dir() && OF_KAFKA.iter().any(has)
}

/// The log directory that a file lies in, if it lies in one.
pub(crate) fn root_of(file: &Path) -> Option<&Path> {
    file.ancestors().skip(1).take(2).find(|dir| is_root(dir))
}

/// Whether a file belongs to the metadata log.
pub(crate) fn is_metadata(file: &Path) -> bool {
    file.parent()
        .and_then(Path::file_name)
        .is_some_and(|dir| dir == METADATA)
}

/// The path of a file of the log.
pub(crate) fn path_of(root: &Path, file: &FileName) -> PathBuf {
    root.join(file.to_string())
}

/// The names in a directory, sorted; nothing if it is not there.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

/// The files of the log in a directory and in those below it, in the order in which they are best read.
pub(crate) fn files(dir: &Path) -> io::Result<Vec<(Kind, PathBuf)>> {
    let (mut here, mut below) = (Vec::new(), Vec::new());
    for path in list(dir)? {
        if path.is_dir() {
            below.extend(files(&path)?);
        } else if let Some(kind) = kind_of(&path) {
            here.push((kind, path));
        }
    }
    here.sort();
    here.extend(below);
    Ok(here)
}

/// The same of a directory that somebody named: in which there is none, no log lies.
pub(crate) fn some_files(dir: &Path) -> Result<Vec<(Kind, PathBuf)>, Failure> {
    let found = files(dir).map_err(|error| unreadable(dir, &error))?;
    if found.is_empty() {
        return Err(Failure::told(
            Exit::NotFound,
            format!("no log lies in {}", dir.display()),
            "no file in it has a name that a log directory holds".to_owned(),
            "Name a log directory, ./data of a node started by hand, or a partition's directory in it",
        ));
    }
    Ok(found)
}

/// At most `len` bytes of a file from `at` on; fewer where it ends.
pub(crate) fn read(file: &File, at: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let mut have = 0;
    while let Some(rest) = bytes.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + have as u64) {
            Ok(0) => break,
            Ok(more) => have += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(have);
    Ok(bytes)
}

/// The newest whole checkpoint of a shard, and what is wrong with the files that are not whole.
pub(crate) fn newest(
    root: &Path,
    shard: ShardId,
) -> (Option<Checkpoint>, Vec<(Side, String, u64)>) {
    let (mut newest, mut faults) = (None::<Checkpoint>, Vec::new());
    for side in [Side::A, Side::B] {
        let path = path_of(root, &FileName::Checkpoint { shard, side });
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            // A young node has written one only.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                faults.push((side, error.to_string(), 0));
                continue;
            }
        };
        match checkpoint::decode(&bytes) {
            Ok(read) if read.stamp.shard != shard => {
                faults.push((
                    side,
                    format!("it is a checkpoint of shard {}", read.stamp.shard),
                    0,
                ));
            }
            Ok(read) => {
                if newest
                    .as_ref()
                    .is_none_or(|known| known.stamp.number < read.stamp.number)
                {
                    newest = Some(read);
                }
            }
            Err(fault) => {
                let (why, at) = checkpoint_fault(fault);
                faults.push((side, why, at));
            }
        }
    }
    (newest, faults)
}

/// What is wrong with a checkpoint, and from which byte on.
pub(crate) fn checkpoint_fault(fault: CheckpointFault) -> (String, u64) {
    match fault {
        CheckpointFault::NotOurs => ("it is no checkpoint: the magic is not there".to_owned(), 0),
        CheckpointFault::Version(version) => (
            format!("it has format {version}, written by a newer Sawlog"),
            4,
        ),
        CheckpointFault::Damaged { at } => (
            "the frame that begins here is cut off, or its checksum does not hold".to_owned(),
            at as u64,
        ),
    }
}

/// The failure to read a path.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let (exit, attempt) = match error.kind() {
        io::ErrorKind::NotFound => (
            Exit::NotFound,
            "Look at the path: a node started by hand keeps its log in ./data. A partition has a directory there once \
             its records have left the commit log, data/commit",
        ),
        io::ErrorKind::PermissionDenied => (Exit::Failed, "Run it as the user that runs the node"),
        _ => (Exit::Failed, "Look at the file system"),
    };
    Failure::told(
        exit,
        format!("cannot read {}", path.display()),
        error.to_string(),
        attempt,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_known_by_its_name() {
        let kind = |path: &str| kind_of(Path::new(path));
        assert_eq!(kind("d/meta.properties"), Some(Kind::Identity));
        assert_eq!(
            kind("d/checkpoint.3.b"),
            Some(Kind::Checkpoint(ShardId(3), Side::B))
        );
        assert_eq!(kind("d/checkpoint.3.a.next"), None);
        assert_eq!(
            kind("d/commit/1-00000000000000000009.log"),
            Some(Kind::Ring(RingKind::Durable, ShardId(1), 9))
        );
        assert_eq!(
            kind("d/commit/fast-0-00000000000000000002.log"),
            Some(Kind::Ring(RingKind::Fast, ShardId(0), 2))
        );
        assert_eq!(
            kind("d/a-0/00000000000000000040.log"),
            Some(Kind::Segment(Offset(40)))
        );
        assert_eq!(
            kind("d/a-0/00000000000000000040.side"),
            Some(Kind::Sidecar(Offset(40)))
        );
        assert_eq!(kind("d/a-0/40.log"), None);
        assert!(matches!(
            kind("d/x/00000000000000000007-0000000001.checkpoint"),
            Some(Kind::Snapshot(_))
        ));
        assert_eq!(
            kind("d/x/00000000000000000007-0000000001.checkpoint.part"),
            None
        );
        assert_eq!(kind("d/ballast"), None);
    }
}
