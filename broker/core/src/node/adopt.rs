//! A directory with `meta.properties`: whose it is, what its small files remember, which snapshot is whole.
//! Decides what of them may be believed; changes nothing. Holds #19, #39 and #102.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use sawlog_wire::Code;

use crate::cluster::image::Image;
use crate::complaint::Complaint;
use crate::effect::Effect;
use crate::event::Judged;
use crate::file::{Entry, FileName, FileOp};
use crate::ids::{Offset, ShardId};
use crate::node::chore::{Chore, read};
use crate::node::identity::{self, Foreign, Identity};
use crate::node::life::Running;
use crate::node::start::{BLOCK, METADATA_DIR, QUORUM_STATE, SMALL};
use crate::now::Now;
use crate::proof;
use crate::quorum::snapshot::{Snapshot, SnapshotId};
use crate::quorum::state::QuorumState;

impl Running {
    pub(super) fn identity_read(&mut self, bytes: &Bytes, out: &mut Vec<Effect>) {
        let identity = Identity::decode(bytes).and_then(|identity| {
            identity.check(self.me, self.found.cluster_id.as_deref())?;
            Ok(identity)
        });
        let (why, attempt, code) = match identity {
            Ok(identity) => {
                self.coming.identity = Some(identity);
                let list = vec![FileOp::List(FileName::named(METADATA_DIR))];
                return self.chores.begin(Chore::MetadataDir, list, &mut self.ops);
            }
            Err(Foreign::Damaged(why)) => (
                format!("{}: {why}", identity::FILE),
                "Restore meta.properties from a backup; nothing was changed",
                Code::KafkaStorageError,
            ),
            Err(Foreign::Newer(version)) => (
                format!(
                    "{} is of version {version}, this build knows version 1",
                    identity::FILE
                ),
                "Start the newer build that wrote it",
                Code::UnsupportedVersion,
            ),
            Err(Foreign::Cluster { has, wanted }) => (
                format!("it belongs to cluster {has}, this node to cluster {wanted}"),
                "Give the directory of this cluster in log.dirs, or leave CLUSTER_ID out",
                Code::InconsistentClusterId,
            ),
            Err(Foreign::Node { has, wanted }) => (
                format!("it belongs to node.id={has}, this node has node.id={wanted}"),
                "Set node.id to the directory's, or give another directory in log.dirs",
                Code::InvalidConfig,
            ),
        };
        let what = "the log directory cannot be used".to_string();
        self.die(
            Complaint {
                what,
                why,
                attempt: attempt.to_string(),
                code: Some(code),
            },
            out,
        );
    }

    pub(super) fn metadata_dir_listed(&mut self, now: Now, entries: Vec<Entry>) {
        self.coming.listed = entries
            .iter()
            .filter_map(|entry| SnapshotId::of_name(&entry.name))
            .collect();
        self.coming.listed.sort_unstable_by(|a, b| b.cmp(a));
        if entries.iter().any(|entry| entry.name == QUORUM_STATE) {
            let path = format!("{METADATA_DIR}/{QUORUM_STATE}");
            self.chores.begin(
                Chore::QuorumState,
                vec![read(&path, 0, SMALL)],
                &mut self.ops,
            );
        } else {
            // A node that was killed between its founding and its first election has none.
            self.read_snapshot(now);
        }
    }

    pub(super) fn quorum_state_read(&mut self, now: Now, bytes: &Bytes) {
        match QuorumState::decode(bytes) {
            Ok(state) => {
                self.coming.quorum_state = Some(state);
                self.read_snapshot(now);
            }
            Err(why) => self.quorum_state_lost(now, &why.to_string()),
        }
    }

    /// A quorum of one remembers its terms elsewhere, too.
    pub(super) fn quorum_state_lost(&mut self, now: Now, why: &str) {
        proof::sometimes("quorum-state-lost");
        self.coming.warnings.push(format!(
            "{METADATA_DIR}/{QUORUM_STATE} is unreadable ({why}): the next term is taken from the metadata log, for \
             nobody else votes"
        ));
        self.read_snapshot(now);
    }

    /// Reads the newest snapshot that was not tried yet; without any, the log must begin at 0.
    pub(super) fn read_snapshot(&mut self, now: Now) {
        self.coming.block.clear();
        match self.coming.listed.first() {
            Some(id) => {
                let path = format!("{METADATA_DIR}/{}", id.name());
                self.chores.begin(
                    Chore::SnapshotBlock,
                    vec![read(&path, 0, BLOCK)],
                    &mut self.ops,
                );
            }
            None => self.start_engines(now),
        }
    }

    pub(super) fn snapshot_block_read(&mut self, now: Now, bytes: &Bytes) {
        let Some(id) = self.coming.listed.first().copied() else {
            return;
        };
        self.coming.block.extend_from_slice(bytes);
        if bytes.len() == usize::try_from(BLOCK).unwrap_or(usize::MAX) {
            let path = format!("{METADATA_DIR}/{}", id.name());
            let at = u64::try_from(self.coming.block.len()).unwrap_or(u64::MAX);
            return self.chores.begin(
                Chore::SnapshotBlock,
                vec![read(&path, at, BLOCK)],
                &mut self.ops,
            );
        }
        let block = core::mem::take(&mut self.coming.block);
        match Snapshot::decode(id, &block)
            .and_then(|snapshot| Ok((self.fold(&snapshot)?, snapshot)))
        {
            Ok((image, snapshot)) => {
                self.coming.snapshot = Some(snapshot);
                self.coming.image = Some(image);
                // Older ones are kept as they are: nothing is known against them.
                self.coming.whole = core::mem::take(&mut self.coming.listed);
                self.start_engines(now);
            }
            Err(why) => self.snapshot_unreadable(now, &why),
        }
    }

    /// A snapshot that is not whole is never read as an empty state (#39): an older one, or the log, must say the same.
    pub(super) fn snapshot_unreadable(&mut self, now: Now, why: &str) {
        proof::sometimes("snapshot-unreadable");
        if !self.coming.listed.is_empty() {
            let id = self.coming.listed.remove(0);
            let said = format!("{METADATA_DIR}/{} is not whole ({why})", id.name());
            self.coming.warnings.push(format!("{said} and is left out"));
            self.coming.left_out.push(said);
        }
        self.read_snapshot(now);
    }

    /// The image that a snapshot makes.
    pub(super) fn fold(&self, snapshot: &Snapshot) -> Result<Image, String> {
        let mut image = self.empty_image();
        for record in &snapshot.records {
            image.apply(record).map_err(|misfit| misfit.to_string())?;
        }
        (image.offset, image.term) = (snapshot.id.offset, snapshot.id.term);
        Ok(image)
    }

    pub(super) fn empty_image(&self) -> Image {
        let cluster = self
            .coming
            .identity
            .as_ref()
            .map(|identity| identity.cluster.as_str())
            .unwrap_or_default();
        Image {
            cluster: cluster.into(),
            node: self.found.config.clone(),
            defaults: self.found.config.topic.clone().into(),
            connections: self.found.config.connections.clone().into(),
            ..Image::default()
        }
    }

    /// What is missing between the newest whole snapshot and the metadata log, if anything (#39).
    pub(super) fn metadata_gap(&self) -> Option<String> {
        let Some(Judged::Logs(report)) = self.coming.judged.get(&ShardId(0)) else {
            return None;
        };
        let (start, next) = report.metadata.unwrap_or_default();
        let from = self
            .coming
            .image
            .as_ref()
            .map_or(Offset::ZERO, |image| image.offset);
        (start > from || next < from).then(|| {
            let mut why = format!(
                "the log holds offsets {start} to {next}, the newest whole snapshot ends at {from}"
            );
            for said in &self.coming.left_out {
                why.push_str("; ");
                why.push_str(said);
            }
            why
        })
    }
}
