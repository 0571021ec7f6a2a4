//! Snapshots of the metadata log: when one is due, how it reaches the disk, and what may go once it is there.
//! Decides names and order; never what a snapshot holds (`quorum::snapshot`). Holds #39 and #102, and M18 breaks it.
//!
//! Two whole snapshots are kept, and the log from the older one on: if the newest rots, the older one and the log make
//! the same image.

use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use crate::cluster::image::Image;
use crate::config::BrokerConfig;
use crate::effect::{Effect, Line};
use crate::file::{Fault, FaultKind, FileName, FileOp};
use crate::ids::LogId;
use crate::node::chore::{Chore, lay, replace};
use crate::node::life::Running;
use crate::node::start::METADATA_DIR;
use crate::now::{Mono, Now};
use crate::proof;
use crate::quorum::snapshot::{Snapshot, SnapshotId};
use crate::timers::AlarmKey;

/// What is known of the snapshots on disk.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    /// Whole ones, newest first.
    pub(crate) whole: Vec<SnapshotId>,
    /// Bytes of metadata committed since the newest.
    since: u64,
    /// When the newest was written, or the node came up.
    at: Mono,
    /// Which one is being written.
    writing: Option<SnapshotId>,
}

impl Saved {
    /// What a start found.
    pub(crate) fn new(whole: Vec<SnapshotId>, since: u64, now: Now) -> Saved {
        Saved {
            whole,
            since,
            at: now.mono,
            writing: None,
        }
    }

    /// More metadata is committed.
    pub(crate) fn grown(&mut self, bytes: u64) {
        self.since = self.since.saturating_add(bytes);
    }

    /// One at a time; after so many bytes of metadata or, if anything was written, after so long (as in Kafka).
    fn due(&self, now: Now, config: &BrokerConfig) -> bool {
        let old = now.since(self.at) >= config.snapshot_interval;
        self.writing.is_none() && self.since > 0 && (self.since >= config.snapshot_bytes || old)
    }

    /// A snapshot does not say which topics were deleted, and a shard that dies before it dropped what it had of one must
    /// hear of it again (#40): so it waits until nothing is left of any. Not for ever: what is never dropped is kept.
    fn may(&self, image: &Image, config: &BrokerConfig) -> bool {
        let most = config.snapshot_bytes.saturating_mul(4);
        image.removed.is_empty() || self.since >= most || proof::mutant("snapshot-before-drop")
    }
}

impl Running {
    /// Writes a snapshot of the committed image if one is due.
    pub(crate) fn snapshot_if_due(&mut self, now: Now) {
        let config = &self.found.config;
        let Some(head) = &mut self.head else { return };
        if head.active.is_none() || !head.saved.due(now, config) {
            return;
        }
        if !head.saved.may(&head.committed, config) {
            return;
        }
        let id = SnapshotId {
            offset: head.committed.offset,
            term: head.committed.term,
        };
        let records = head.committed.records();
        let snapshot = Snapshot {
            id,
            voters: vec![head.voter.clone()],
            records,
        };
        let bytes = snapshot.encode(now.wall, head.last);
        head.saved.writing = Some(id);
        head.saved.since = 0;
        head.saved.at = now.mono;
        let steps = if proof::mutant("snapshot-not-atomic") {
            vec![lay(&format!("{METADATA_DIR}/{}", id.name()), bytes)]
        } else {
            replace(METADATA_DIR, &id.name(), bytes)
        };
        self.chores.begin(Chore::Snapshot, steps, &mut self.ops);
    }

    /// Looks again when the newest snapshot is old.
    pub(crate) fn wake_for_snapshot(&mut self, now: Now) {
        let deadline = now.after(self.found.config.snapshot_interval);
        self.ops.wake(AlarmKey::Snapshot, deadline);
    }

    /// The snapshot is whole and durable: what lies below the one before it may go.
    pub(crate) fn snapshot_written(&mut self) {
        let Some(head) = &mut self.head else { return };
        let Some(id) = head.saved.writing.take() else {
            return;
        };
        proof::sometimes("snapshot-written");
        head.saved.whole.insert(0, id);
        let gone: Vec<SnapshotId> = head.saved.whole.split_off(head.saved.whole.len().min(2));
        let steps: Vec<FileOp> = gone
            .into_iter()
            .map(|old| FileOp::Unlink(FileName::named(&format!("{METADATA_DIR}/{}", old.name()))))
            .collect();
        if let [_, older] = head.saved.whole.as_slice() {
            // A refusal means that the start lies there already, or that the node is stopping.
            let _ = self.engine.trim(LogId::METADATA, older.offset);
        }
        self.chores.begin(Chore::Tidy, steps, &mut self.ops);
    }

    /// A snapshot could not be written. A full disk heals; the log says all that the snapshot would have said.
    pub(crate) fn snapshot_failed(&mut self, fault: &Fault, out: &mut Vec<Effect>) -> bool {
        if fault.kind != FaultKind::Full {
            return false;
        }
        let Some(head) = &mut self.head else {
            return false;
        };
        if let Some(id) = head.saved.writing.take() {
            // Tried again after as many bytes, or as much time, as any other.
            let aside = FileName::named(&format!("{METADATA_DIR}/{}.part", id.name()));
            self.chores
                .begin(Chore::Tidy, vec![FileOp::Unlink(aside)], &mut self.ops);
        }
        let text = "the disk is full: a snapshot of the metadata was put off; the metadata log keeps everything".to_string();
        out.push(Effect::Tell(Line::Warn(text)));
        true
    }
}
