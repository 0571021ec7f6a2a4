//! A directory without `meta.properties`: new, or an unfinished founding to be made again, or nothing of ours.
//! Decides what may be laid out there, and what proves that it is whole; never touches what was in use. Holds #97, #109.
//!
//! Founding is proved by `meta.properties` alone, which is durable only after everything else is; no commit is written
//! before. So a directory without it that holds a commit, or `quorum-state`, has lost the file, and is refused.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::effect::Effect;
use crate::event::Judged;
use crate::file::{Entry, FileName, FileOp, Side};
use crate::ids::ShardId;
use crate::node::chore::{Chore, lay, read, replace};
use crate::node::identity::{self, Identity};
use crate::node::life::Running;
use crate::node::start::{METADATA_DIR, RINGS_DIR, SMALL};
use crate::now::Now;
use crate::proof;
use crate::quorum::control::Voter;
use crate::quorum::snapshot::{Snapshot, SnapshotId};

impl Running {
    pub(super) fn root_listed(&mut self, root: Vec<Entry>, out: &mut Vec<Effect>) {
        self.coming.root = root;
        let has = |name: &str| self.coming.root.iter().any(|entry| entry.name == name);
        if has(identity::FILE) {
            let root = self.coming.root.iter();
            let mut checkpoints = root.filter(|entry| entry.name.starts_with("checkpoint."));
            if !has(RINGS_DIR) && checkpoints.next().is_none() {
                let why = format!(
                    "it has {} and nothing else of Sawlog's, as one of Apache Kafka's",
                    identity::FILE
                );
                let attempt = "Give an empty directory in log.dirs: what Kafka wrote is not read";
                return self.refuse("the log directory cannot be used", why, attempt, out);
            }
            self.chores.begin(
                Chore::Identity,
                vec![read(identity::FILE, 0, SMALL)],
                &mut self.ops,
            );
            return;
        }
        self.coming.founding = true;
        if let Some(foreign) = self
            .coming
            .root
            .iter()
            .find(|entry| !may_remain(&entry.name))
        {
            let why = format!("it holds {:?} and no {}", foreign.name, identity::FILE);
            let attempt = "Give an empty directory in log.dirs, or restore meta.properties";
            return self.refuse("the log directory is not a new one", why, attempt, out);
        }
        let remains: Vec<&'static str> = [METADATA_DIR, RINGS_DIR]
            .into_iter()
            .filter(|dir| has(dir))
            .collect();
        self.look_at_remains(remains);
    }

    /// What an unfinished founding left is looked at before it is made again: nothing in it may have been used.
    pub(super) fn look_at_remains(&mut self, remains: Vec<&'static str>) {
        match remains.first() {
            Some(dir) => {
                proof::sometimes("founding-made-again");
                self.chores.begin(
                    Chore::Remains(dir),
                    vec![FileOp::List(FileName::named(dir))],
                    &mut self.ops,
                );
            }
            None => self.clear(),
        }
    }

    pub(super) fn remains_listed(
        &mut self,
        dir: &'static str,
        entries: Vec<Entry>,
        out: &mut Vec<Effect>,
    ) {
        let zero = SnapshotId::default().name();
        if dir == METADATA_DIR {
            if let Some(used) = entries
                .iter()
                .find(|entry| entry.name.trim_end_matches(".part") != zero)
            {
                return self.identity_lost(&format!("{METADATA_DIR}/{}", used.name), out);
            }
            let rings = self.coming.root.iter().any(|entry| entry.name == RINGS_DIR);
            return self.look_at_remains(if rings { vec![RINGS_DIR] } else { Vec::new() });
        }
        self.coming.block.clear();
        self.coming.root.retain(|entry| entry.name != RINGS_DIR);
        let rings = entries.into_iter().map(|entry| Entry {
            name: format!("{RINGS_DIR}/{}", entry.name),
            ..entry
        });
        self.coming.root.extend(rings);
        self.look_at_rings();
    }

    pub(super) fn look_at_rings(&mut self) {
        let ring = self
            .coming
            .root
            .iter()
            .position(|entry| entry.name.starts_with("commit/"));
        match ring {
            Some(at) => {
                let name = self.coming.root.remove(at).name;
                let op = read(&name, 0, 4096);
                self.chores
                    .begin(Chore::Ring(name), vec![op], &mut self.ops);
            }
            None => self.clear(),
        }
    }

    pub(super) fn ring_looked_at(&mut self, name: &str, bytes: &Bytes, out: &mut Vec<Effect>) {
        if bytes.iter().any(|byte| *byte != 0) {
            return self.identity_lost(name, out);
        }
        self.look_at_rings();
    }

    pub(super) fn identity_lost(&mut self, used: &str, out: &mut Vec<Effect>) {
        let why = format!(
            "{} is missing, and {used} shows that the directory was in use",
            identity::FILE
        );
        let attempt = "Restore meta.properties from a backup; nothing was changed";
        self.refuse("the log directory has lost its identity", why, attempt, out);
    }

    /// Removes what an unfinished founding left.
    pub(super) fn clear(&mut self) {
        let mut steps: Vec<FileOp> = [METADATA_DIR, RINGS_DIR]
            .map(|dir| FileOp::RemoveDir(FileName::named(dir)))
            .into();
        let files = self
            .coming
            .root
            .iter()
            .filter(|entry| !entry.dir && made_by_founding(&entry.name));
        steps.extend(files.map(|entry| FileOp::Unlink(FileName::named(&entry.name))));
        self.chores.begin(Chore::Cleared, steps, &mut self.ops);
    }

    /// Mints the node's identity and lays out everything, un-synced.
    pub(super) fn lay_out(&mut self, now: Now) {
        let identity = Identity::mint(self.me, self.found.cluster_id.as_deref(), self.dice);
        let voter = self.voter(&identity);
        self.coming.identity = Some(identity);
        // Kafka's own bootstrap: the voters, as a snapshot of nothing.
        let snapshot = Snapshot {
            id: SnapshotId::default(),
            voters: vec![voter],
            records: Vec::new(),
        };
        let path = format!("{METADATA_DIR}/{}", snapshot.id.name());
        let steps = vec![
            FileOp::MakeDir(FileName::named(METADATA_DIR)),
            lay(&path, snapshot.encode(now.wall, now.wall)),
        ];
        self.coming.whole = vec![snapshot.id];
        self.coming.snapshot = Some(snapshot);
        self.chores.begin(Chore::Founded, steps, &mut self.ops);
        self.start_engines(now);
    }

    pub(super) fn voter(&self, identity: &Identity) -> Voter {
        let quorum = self
            .found
            .endpoints
            .iter()
            .filter(|at| at.listener == "CONTROLLER")
            .cloned()
            .collect();
        Voter {
            id: identity.node,
            directory: identity.directory,
            endpoints: quorum,
        }
    }

    pub(super) fn prove_if_laid(&mut self) {
        let judged = self.coming.judged.iter();
        let fresh: Vec<ShardId> = judged
            .filter(|(_, judged)| matches!(judged, Judged::Fresh))
            .map(|(shard, _)| *shard)
            .collect();
        if self.coming.laid.len() < fresh.len() || fresh.is_empty() || self.coming.proving {
            return;
        }
        let Some(identity) = &self.coming.identity else {
            return;
        };
        // What others write to this file system is not waited for.
        let checkpoints = fresh
            .into_iter()
            .flat_map(|shard| [Side::A, Side::B].map(|side| FileName::Checkpoint { shard, side }));
        let mut steps: Vec<FileOp> = checkpoints.map(FileOp::Sync).collect();
        if self.coming.founding {
            if !self.coming.files_laid {
                return;
            }
            let snapshot = SnapshotId::default().name();
            steps.push(FileOp::Sync(FileName::named(&format!(
                "{METADATA_DIR}/{snapshot}"
            ))));
            steps.push(FileOp::SyncDir(FileName::named(METADATA_DIR)));
        }
        steps.push(FileOp::SyncDir(FileName::named("")));
        if proof::mutant("founded-unsynced") {
            steps.clear();
        }
        if self.coming.founding {
            proof::sometimes("founded");
            steps.extend(replace(
                "",
                identity::FILE,
                vec![Bytes::from(identity.encode())],
            ));
        }
        self.coming.proving = true;
        self.chores.begin(Chore::Proved, steps, &mut self.ops);
    }
}

/// Names that a founding, or the shell before it, makes in the log directory.
fn made_by_founding(name: &str) -> bool {
    name == "ballast" || name.starts_with("checkpoint.") || name == "meta.properties.part"
}

/// Names that do not speak against founding here.
fn may_remain(name: &str) -> bool {
    made_by_founding(name) || [".lock", "lost+found", METADATA_DIR, RINGS_DIR].contains(&name)
}
