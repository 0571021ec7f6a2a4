//! The small files of a log directory: identity, quorum-state, snapshots, topic ids, checkpoints. Decides which codec each
//! is read by and what is to be done when it does not hold; a start of the node judges the same way.

use std::io;
use std::path::Path;

use sawlog_core::ids::{LogId, Uuid};
use sawlog_core::log::checkpoint;
use sawlog_core::node::identity::{Foreign, Identity};
use sawlog_core::quorum::snapshot::{Snapshot, SnapshotId};
use sawlog_core::quorum::state::QuorumState;

use super::Look;
use crate::commands::log::place::{checkpoint_fault, unreadable};
use crate::exit::Failure;

const IDENTITY: &str = "The node refuses to start and touches nothing. Restore the file from a backup of this directory";
const QUORUM: &str = "A node that is a quorum of its own takes the term from its log; one among others refuses to start";
const SNAPSHOT: &str = "Nothing is lost while an older snapshot and the metadata log are whole; the next snapshot replaces it";
const TOPIC_ID: &str = "Restore the file from a backup of this directory, or the directory is set aside as another topic's (#45)";
const CHECKPOINT: &str = "Nothing is lost while the other checkpoint is whole: a start goes on from that and writes this one again";

impl Look {
    /// The bytes of a file; a missing one is damage when it must be there.
    fn small(&mut self, path: &Path, attempt: &'static str) -> Result<Option<Vec<u8>>, Failure> {
        match std::fs::read(path) {
            Ok(bytes) => {
                self.read(bytes.len() as u64);
                Ok(Some(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.damage(path, 0, "the file is missing", attempt);
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(unreadable(path, &error))
            }
            Err(error) => {
                self.damage(
                    path,
                    0,
                    format!("the file cannot be read: {error}"),
                    attempt,
                );
                Ok(None)
            }
        }
    }

    pub(super) fn identity(&mut self, path: &Path) -> Result<(), Failure> {
        let Some(bytes) = self.small(path, IDENTITY)? else {
            return Ok(());
        };
        let why = match Identity::decode(&bytes) {
            Err(Foreign::Damaged(why)) => why,
            Err(Foreign::Newer(version)) => {
                format!("its version is {version}, written by a newer Sawlog or Kafka")
            }
            // Whose it is matters to a node that starts, not here.
            Ok(_) | Err(Foreign::Cluster { .. } | Foreign::Node { .. }) => return Ok(()),
        };
        self.damage(path, 0, why, IDENTITY);
        Ok(())
    }

    pub(super) fn quorum_state(&mut self, path: &Path) -> Result<(), Failure> {
        let Some(bytes) = self.small(path, QUORUM)? else {
            return Ok(());
        };
        if let Err(fault) = QuorumState::decode(&bytes) {
            self.damage(path, 0, fault.to_string(), QUORUM);
        }
        Ok(())
    }

    pub(super) fn snapshot(&mut self, path: &Path, id: SnapshotId) -> Result<(), Failure> {
        let Some(bytes) = self.small(path, SNAPSHOT)? else {
            return Ok(());
        };
        if let Err(why) = Snapshot::decode(id, &bytes) {
            self.damage(
                path,
                0,
                format!("the snapshot is not whole: {why}"),
                SNAPSHOT,
            );
        }
        Ok(())
    }

    /// `partition.metadata`, and whether it names this log's topic.
    pub(super) fn topic_id(&mut self, path: &Path, log: Option<LogId>) -> Result<(), Failure> {
        let Some(bytes) = self.small(path, TOPIC_ID)? else {
            return Ok(());
        };
        let text = String::from_utf8_lossy(&bytes);
        let value = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name))
                .map(str::trim)
        };
        let id = value("topic_id:").and_then(|id| id.parse::<Uuid>().ok());
        let Some(id) = id.filter(|_| value("version:") == Some("0")) else {
            self.damage(
                path,
                0,
                "it does not name a topic id as Kafka writes it",
                TOPIC_ID,
            );
            return Ok(());
        };
        if let Some(log) = log.filter(|log| log.topic.0 != id) {
            self.damage(
                path,
                0,
                format!(
                    "it names topic id {id}, and the bytes here belong to {}",
                    log.topic.0
                ),
                TOPIC_ID,
            );
        }
        Ok(())
    }

    pub(super) fn checkpoint_alone(&mut self, path: &Path) -> Result<(), Failure> {
        let Some(bytes) = self.small(path, CHECKPOINT)? else {
            return Ok(());
        };
        if let Err(fault) = checkpoint::decode(&bytes) {
            let (why, at) = checkpoint_fault(fault);
            self.damage(path, at, why, CHECKPOINT);
        }
        Ok(())
    }
}
