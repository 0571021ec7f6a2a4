//! Coming up, from an empty directory or from whatever the last life left: found, or judge, accept, load, elect, open.
//! Decides the order, and when to refuse; never what the engine makes of its own files. A refusal has changed nothing.
//! Holds #39, #40, #44, #97, #102 and #109.
//!
//! ```text
//! root -- no meta.properties --> remains? --> clear -> lay out, un-synced -> sync all -> meta.properties -.
//!   `---- meta.properties -----> identity -> quorum-state -> newest whole snapshot -> engines judge -------+
//!                                                                                                         v
//!              Ready <- every shard has opened the image <- activate <- elect <- load the log <- engines accept
//! ```
//! Founding is proved by `meta.properties` alone, which is durable only after everything else is; no commit is written
//! before. So a directory without it that holds a commit, or `quorum-state`, is not an unfinished founding: it has lost
//! the file, and is refused.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use sawlog_wire::Code;
use sawlog_wire::control::ControlRecord;

use crate::cluster::batch::{self, Item};
use crate::cluster::image::Image;
use crate::cluster::record::Record;
use crate::complaint::Complaint;
use crate::config::TopicConfig;
use crate::controller::{Ask, Controller, Registration, Reply};
use crate::effect::{Effect, Line};
use crate::event::{Event, Judged, News};
use crate::file::{Entry, Fault, FaultKind, FileName, FileOp, Outcome};
use crate::ids::{BrokerId, LeaderEpoch, LogId, Offset, ShardId, Term};
use crate::log::{AppendRefusal, LogSpec, ReadRefusal};
use crate::machine::{Decision, Machine};
use crate::map::{Map, Set};
use crate::node::chore::{Chore, lay, read, replace};
use crate::node::head::{Head, Then};
use crate::node::identity::{self, Foreign, Identity};
use crate::node::life::{Phase, Running};
use crate::node::parts::Tag;
use crate::node::snapshots::Saved;
use crate::now::{Dice, Now, Wall};
use crate::proof;
use crate::quorum::control::{self, Voter};
use crate::quorum::next_term;
use crate::quorum::snapshot::{Snapshot, SnapshotId};
use crate::quorum::state::QuorumState;

/// The metadata log's directory, as Kafka names it.
pub(crate) const METADATA_DIR: &str = "__cluster_metadata-0";
const QUORUM_STATE: &str = "quorum-state";
const RINGS_DIR: &str = "commit";

/// How many bytes of a snapshot, or of the log, are read at a time.
const BLOCK: u32 = 1 << 20;
/// A small file is not larger than this.
const SMALL: u32 = 64 << 10;
/// Records of an activation are written in batches of this many: together they are more than one batch may hold.
const ACTIVATION_RECORDS: usize = 4096;

/// What shard 0 has found out so far.
#[derive(Debug, Default)]
pub(crate) struct Coming {
    /// Whether the directory is new.
    founding: bool,
    root: Vec<Entry>,
    identity: Option<Identity>,
    quorum_state: Option<QuorumState>,
    /// Snapshots that are there, newest first; those not whole are taken out as they are read.
    listed: Vec<SnapshotId>,
    whole: Vec<SnapshotId>,
    block: Vec<u8>,
    snapshot: Option<Snapshot>,
    /// What is wrong, and was got around.
    warnings: Vec<String>,
    judged: Map<ShardId, Judged>,
    /// The other shards were started.
    others: bool,
    laid: Set<ShardId>,
    files_laid: bool,
    proving: bool,
    recovered: Set<ShardId>,
    /// What the snapshot makes.
    image: Option<Image>,
    loading: Option<Loading>,
    voted: bool,
    /// Every shard has opened what it owns.
    pub(crate) open: bool,
}

/// The fold of the metadata log while it is read.
#[derive(Debug)]
struct Loading {
    image: Image,
    voters: Vec<Voter>,
    /// Term of the last batch read.
    term: Option<Term>,
    end: Offset,
    bytes: u64,
    last: Wall,
}

impl Running {
    /// Begins: shard 0 looks at the directory, others at what is theirs.
    pub(crate) fn begin(&mut self, now: Now, dice: Dice, out: &mut Vec<Effect>) {
        self.dice = dice;
        if self.id == ShardId(0) {
            self.chores.begin(
                Chore::Root,
                vec![FileOp::List(FileName::named(""))],
                &mut self.ops,
            );
        } else {
            self.engine
                .start(now, dice, self.found.boot, self.found.space, &mut self.ops);
        }
        self.settle(now, out);
    }

    /// A chore is done; what follows from it.
    pub(crate) fn chore_done(
        &mut self,
        now: Now,
        chore: Chore,
        outcome: Outcome,
        out: &mut Vec<Effect>,
    ) {
        match (chore, outcome) {
            (Chore::Root, Outcome::Listing(root)) => self.root_listed(root, out),
            (Chore::Remains(dir), Outcome::Listing(entries)) => {
                self.remains_listed(dir, entries, out)
            }
            (Chore::Ring(name), Outcome::Bytes(bytes)) => self.ring_looked_at(&name, &bytes, out),
            (Chore::Cleared, _) => self.lay_out(now, out),
            (Chore::Identity, Outcome::Bytes(bytes)) => self.identity_read(&bytes, out),
            (Chore::MetadataDir, Outcome::Listing(entries)) => {
                self.metadata_dir_listed(now, entries, out)
            }
            (Chore::QuorumState, Outcome::Bytes(bytes)) => self.quorum_state_read(now, &bytes, out),
            (Chore::SnapshotBlock, Outcome::Bytes(bytes)) => {
                self.snapshot_block_read(now, &bytes, out)
            }
            (Chore::Founded, _) => {
                self.coming.files_laid = true;
                self.prove_if_laid();
            }
            (Chore::Proved, _) => self.accept_all(now, out),
            (Chore::Voted, _) => {
                self.coming.voted = true;
                self.ready_if_all(now, out);
            }
            (Chore::Snapshot, _) => self.snapshot_written(),
            (Chore::Tidy, _) => {}
            (chore, outcome) => {
                unreachable!("{chore:?} came back as {outcome:?}: the executor broke its contract")
            }
        }
    }

    /// An operation of a chore failed.
    pub(crate) fn chore_failed(
        &mut self,
        now: Now,
        chore: Chore,
        fault: &Fault,
        out: &mut Vec<Effect>,
    ) {
        match &chore {
            // A directory that is not there holds nothing.
            Chore::Root | Chore::Remains(_) if fault.kind == FaultKind::Absent => {
                return self.chore_done(now, chore, Outcome::Listing(Vec::new()), out);
            }
            Chore::MetadataDir if fault.kind == FaultKind::Absent => {
                let why = format!("{} is there, and {METADATA_DIR} is not", identity::FILE);
                return self.refuse(
                    "the log directory is not whole",
                    why,
                    "Restore the directory from a backup",
                    out,
                );
            }
            Chore::QuorumState => return self.quorum_state_lost(now, &fault.text, out),
            Chore::SnapshotBlock => return self.snapshot_unreadable(now, &fault.text, out),
            Chore::Snapshot if self.snapshot_failed(fault, out) => return,
            Chore::Tidy => {
                let text = format!(
                    "a file that is no longer needed could not be removed: {}",
                    fault.text
                );
                out.push(Effect::Tell(Line::Warn(text)));
                return;
            }
            _ => {}
        }
        let (what, attempt) = match chore {
            Chore::Root | Chore::Remains(_) | Chore::Ring(_) | Chore::MetadataDir => (
                "the log directory cannot be read",
                "Let the broker's user read and write it",
            ),
            Chore::Identity => (
                "meta.properties cannot be read",
                "Restore the file from a backup, or let the disk be checked",
            ),
            Chore::Cleared | Chore::Founded | Chore::Proved => (
                "the log directory cannot be laid out",
                "Let the broker's user write it, and give it space; then start again",
            ),
            _ => (
                "a file of the metadata log cannot be written",
                "Check the disk; then start again",
            ),
        };
        self.refuse(what, fault.text.clone(), attempt, out);
    }

    fn refuse(&mut self, what: &str, why: String, attempt: &str, out: &mut Vec<Effect>) {
        let code = Some(Code::KafkaStorageError);
        self.die(
            Complaint {
                what: what.to_string(),
                why,
                attempt: attempt.to_string(),
                code,
            },
            out,
        );
    }

    // ---- A directory without meta.properties: new, or an unfinished founding, or nothing of ours.

    fn root_listed(&mut self, root: Vec<Entry>, out: &mut Vec<Effect>) {
        self.coming.root = root;
        let has = |name: &str| self.coming.root.iter().any(|entry| entry.name == name);
        if has(identity::FILE) {
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
    fn look_at_remains(&mut self, remains: Vec<&'static str>) {
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

    fn remains_listed(&mut self, dir: &'static str, entries: Vec<Entry>, out: &mut Vec<Effect>) {
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

    fn look_at_rings(&mut self) {
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

    fn ring_looked_at(&mut self, name: &str, bytes: &Bytes, out: &mut Vec<Effect>) {
        if bytes.iter().any(|byte| *byte != 0) {
            return self.identity_lost(name, out);
        }
        self.look_at_rings();
    }

    fn identity_lost(&mut self, used: &str, out: &mut Vec<Effect>) {
        let why = format!(
            "{} is missing, and {used} shows that the directory was in use",
            identity::FILE
        );
        let attempt = "Restore meta.properties from a backup; nothing was changed";
        self.refuse("the log directory has lost its identity", why, attempt, out);
    }

    /// Removes what an unfinished founding left.
    fn clear(&mut self) {
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
    fn lay_out(&mut self, now: Now, out: &mut Vec<Effect>) {
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
        self.start_engines(now, out);
    }

    fn voter(&self, identity: &Identity) -> Voter {
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

    fn prove_if_laid(&mut self) {
        let fresh = self
            .coming
            .judged
            .values()
            .filter(|judged| matches!(judged, Judged::Fresh))
            .count();
        if self.coming.laid.len() < fresh || fresh == 0 || self.coming.proving {
            return;
        }
        let Some(identity) = &self.coming.identity else {
            return;
        };
        let mut steps = vec![FileOp::SyncAll];
        if self.coming.founding {
            if !self.coming.files_laid {
                return;
            }
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

    // ---- A directory with meta.properties.

    fn identity_read(&mut self, bytes: &Bytes, out: &mut Vec<Effect>) {
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

    fn metadata_dir_listed(&mut self, now: Now, entries: Vec<Entry>, out: &mut Vec<Effect>) {
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
            self.read_snapshot(now, out);
        }
    }

    fn quorum_state_read(&mut self, now: Now, bytes: &Bytes, out: &mut Vec<Effect>) {
        match QuorumState::decode(bytes) {
            Ok(state) => {
                self.coming.quorum_state = Some(state);
                self.read_snapshot(now, out);
            }
            Err(why) => self.quorum_state_lost(now, &why.to_string(), out),
        }
    }

    /// A quorum of one remembers its terms elsewhere, too.
    fn quorum_state_lost(&mut self, now: Now, why: &str, out: &mut Vec<Effect>) {
        proof::sometimes("quorum-state-lost");
        self.coming.warnings.push(format!(
            "{METADATA_DIR}/{QUORUM_STATE} is unreadable ({why}): the next term is taken from the metadata log, for \
             nobody else votes"
        ));
        self.read_snapshot(now, out);
    }

    /// Reads the newest snapshot that was not tried yet; without any, the log must begin at 0.
    fn read_snapshot(&mut self, now: Now, out: &mut Vec<Effect>) {
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
            None => self.start_engines(now, out),
        }
    }

    fn snapshot_block_read(&mut self, now: Now, bytes: &Bytes, out: &mut Vec<Effect>) {
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
                self.start_engines(now, out);
            }
            Err(why) => self.snapshot_unreadable(now, &why, out),
        }
    }

    /// A snapshot that is not whole is never read as an empty state (#39): an older one, or the log, must say the same.
    fn snapshot_unreadable(&mut self, now: Now, why: &str, out: &mut Vec<Effect>) {
        proof::sometimes("snapshot-unreadable");
        if !self.coming.listed.is_empty() {
            let id = self.coming.listed.remove(0);
            self.coming.warnings.push(format!(
                "{METADATA_DIR}/{} is not whole ({why}) and is left out",
                id.name()
            ));
        }
        self.read_snapshot(now, out);
    }

    /// The image that a snapshot makes.
    fn fold(&self, snapshot: &Snapshot) -> Result<Image, String> {
        let mut image = self.empty_image();
        for record in &snapshot.records {
            image.apply(record).map_err(|misfit| misfit.to_string())?;
        }
        (image.offset, image.term) = (snapshot.id.offset, snapshot.id.term);
        Ok(image)
    }

    fn empty_image(&self) -> Image {
        let cluster = self
            .coming
            .identity
            .as_ref()
            .map(|identity| identity.cluster.as_str())
            .unwrap_or_default();
        Image {
            cluster: cluster.into(),
            defaults: self.found.config.topic.clone().into(),
            ..Image::default()
        }
    }

    // ---- Every shard looks at its own logs; nobody has changed anything yet.

    /// Shard 0 looks first: if the number of shards has changed, it brings the directory to the new one alone.
    fn start_engines(&mut self, now: Now, _out: &mut Vec<Effect>) {
        self.engine.start(
            now,
            self.dice,
            self.found.boot,
            self.found.space,
            &mut self.ops,
        );
    }

    /// The other shards look at what is theirs.
    fn start_others(&mut self, out: &mut Vec<Effect>) {
        if core::mem::replace(&mut self.coming.others, true) {
            return;
        }
        for shard in 1..self.shards {
            let start = News::Start(Box::new(self.found.clone()));
            out.push(Effect::Pass(ShardId(shard), Event::News(ShardId(0), start)));
        }
    }

    /// Says something to shard 0, which may be this one.
    pub(crate) fn tell_first(&mut self, now: Now, news: News, out: &mut Vec<Effect>) {
        if self.id == ShardId(0) {
            self.news(now, ShardId(0), news, out);
        } else {
            out.push(Effect::Pass(ShardId(0), Event::News(self.id, news)));
        }
    }

    /// A shard says so.
    pub(crate) fn news(&mut self, now: Now, from: ShardId, news: News, out: &mut Vec<Effect>) {
        let all = usize::from(self.shards);
        match news {
            News::Start(_) => {}
            News::Lay => self.engine.found(now, self.dice, &mut self.ops),
            News::Accept => self.engine.accept(now, self.dice, &mut self.ops),
            News::Registered(epoch) => self.broker_epoch = epoch,
            News::Open(offset) => self.opened(now, from, offset, out),
            News::Stopped => self.shard_stopped(from, out),
            News::Judged(judged) => {
                let reshaped =
                    matches!(&*judged, Judged::Logs(report) if report.reshaped.is_some());
                self.coming.judged.insert(from, *judged);
                if from == ShardId(0) && !reshaped {
                    self.start_others(out);
                }
                if self.coming.judged.len() == all || reshaped {
                    self.weigh(now, out);
                }
            }
            News::Laid => {
                self.coming.laid.insert(from);
                self.prove_if_laid();
            }
            News::Recovered => {
                self.coming.recovered.insert(from);
                if from == ShardId(0) {
                    self.start_others(out);
                }
                if self.coming.recovered.len() == all {
                    self.load(now, out);
                }
            }
        }
    }

    /// All shards have looked: whether the node may go on from what is there.
    fn weigh(&mut self, now: Now, out: &mut Vec<Effect>) {
        let mut fresh = Vec::new();
        for (shard, judged) in &mut self.coming.judged {
            match judged {
                Judged::Fresh => fresh.push(*shard),
                Judged::Logs(report) => self.coming.warnings.append(&mut report.warnings),
            }
        }
        let reports = || {
            self.coming
                .judged
                .values()
                .filter_map(|judged| match judged {
                    Judged::Logs(report) => Some(report),
                    Judged::Fresh => None,
                })
        };
        if let Some(doubt) = reports().find_map(|report| report.doubt.clone()) {
            let attempt = "Set sawlog.recovery.doubt=cut to cut it (its bytes are kept aside), or restore a backup";
            return self.refuse("the last commit is in doubt", doubt, attempt, out);
        }
        let rotten = reports()
            .flat_map(|report| &report.offline)
            .find(|(log, _)| *log == LogId::METADATA);
        if let Some((_, why)) = rotten {
            let why = format!("{METADATA_DIR}: {why}");
            let attempt = "Restore the log directory from a backup; nothing was changed";
            return self.refuse("the metadata log is damaged", why, attempt, out);
        }
        if let Some(why) = self.metadata_gap() {
            let attempt = "Restore the log directory from a backup; nothing was changed";
            return self.refuse("the metadata has a gap", why, attempt, out);
        }
        if !self.coming.founding && fresh.contains(&ShardId(0)) {
            let why = format!(
                "{} is there, and neither checkpoint nor commit log is",
                identity::FILE
            );
            let attempt = "Restore the log directory from a backup; nothing was changed";
            return self.refuse("the log directory is not whole", why, attempt, out);
        }
        if self.coming.founding && fresh.len() < usize::from(self.shards) {
            return self.identity_lost("its commit log", out);
        }
        if fresh.is_empty() {
            return self.accept_all(now, out);
        }
        for shard in fresh {
            match shard {
                ShardId(0) => self.engine.found(now, self.dice, &mut self.ops),
                other => out.push(Effect::Pass(other, Event::News(ShardId(0), News::Lay))),
            }
        }
    }

    /// What is missing between the newest whole snapshot and the metadata log, if anything (#39).
    fn metadata_gap(&self) -> Option<String> {
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
            format!(
                "the log holds offsets {start} to {next}, the newest whole snapshot ends at {from}"
            )
        })
    }

    /// Lets every shard go on from what it found: only now may anything be changed.
    fn accept_all(&mut self, now: Now, out: &mut Vec<Effect>) {
        // While shard 0 brings the directory to another number of shards the others have not begun.
        let others = if self.coming.others { self.shards } else { 1 };
        for shard in 1..others {
            out.push(Effect::Pass(
                ShardId(shard),
                Event::News(ShardId(0), News::Accept),
            ));
        }
        self.engine.accept(now, self.dice, &mut self.ops);
    }

    // ---- The metadata log, behind the snapshot.

    fn load(&mut self, now: Now, out: &mut Vec<Effect>) {
        let config = TopicConfig {
            retention_time: None,
            retention_bytes: None,
            ..TopicConfig::default()
        };
        self.engine.open(
            LogId::METADATA,
            LogSpec {
                dir: METADATA_DIR.into(),
                config,
                urgent: true,
            },
        );
        let marks = self.engine.marks(LogId::METADATA).unwrap_or_default();
        let image = self
            .coming
            .image
            .take()
            .unwrap_or_else(|| self.empty_image());
        let from = image.offset;
        // Judged before anything was accepted.
        assert!(marks.start <= from, "#39: {marks:?}, snapshot at {from}");
        assert!(from <= marks.next, "#39: {marks:?}, snapshot at {from}");
        let voters = self
            .coming
            .snapshot
            .take()
            .map(|snapshot| snapshot.voters)
            .unwrap_or_default();
        let loading = Loading {
            image,
            voters,
            term: None,
            end: marks.next,
            bytes: 0,
            last: Wall(-1),
        };
        self.coming.loading = Some(loading);
        self.load_on(now, out);
    }

    fn load_on(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Some(loading) = &self.coming.loading else {
            return;
        };
        let (next, end) = (loading.image.offset, loading.end);
        if next >= end {
            return self.elect(now, out);
        }
        let tag = self.tag(Tag::Metadata);
        self.engine
            .load(LogId::METADATA, next, BLOCK, tag, &mut self.ops);
    }

    /// Batches of the metadata log, verified by the engine.
    pub(crate) fn loaded(
        &mut self,
        now: Now,
        tag: u64,
        loaded: Result<Vec<Bytes>, ReadRefusal>,
        out: &mut Vec<Effect>,
    ) {
        if !matches!(self.tags.remove(&tag), Some(Tag::Metadata)) {
            return;
        }
        let applied = match (loaded, &mut self.coming.loading) {
            (Ok(batches), Some(loading)) => loading.apply_all(&batches),
            (Ok(_), None) => return,
            (Err(refusal), _) => Err(format!("{refusal:?}")),
        };
        match applied {
            Ok(()) => self.load_on(now, out),
            Err(why) => {
                let why = format!("{METADATA_DIR}: {why}");
                let attempt =
                    "Start the build that wrote it, or restore the log directory from a backup";
                self.refuse("the metadata log cannot be read", why, attempt, out);
            }
        }
    }

    // ---- A term, a registration, an image.

    /// Elects itself: nobody else votes.
    fn elect(&mut self, now: Now, out: &mut Vec<Effect>) {
        let (Some(loading), Some(identity)) =
            (self.coming.loading.take(), self.coming.identity.clone())
        else {
            return;
        };
        let remembered = self.coming.quorum_state.map(|state| state.term);
        let Some(term) = next_term(remembered, loading.term, Some(loading.image.term)) else {
            let why = String::from("the last term is the highest there is");
            return self.refuse(
                "no election can be held",
                why,
                "Restore the log directory from a backup",
                out,
            );
        };
        let voter = self.voter(&identity);
        let known = loading.voters.first();
        if known.is_none_or(|known| (known.id, known.directory) != (voter.id, voter.directory))
            || loading.voters.len() > 1
        {
            let why = format!(
                "its voters are {:?}, this directory is {} of node {}",
                loading.voters, voter.directory, voter.id
            );
            return self.refuse(
                "the metadata log belongs elsewhere",
                why,
                "Give the directory its own files back",
                out,
            );
        }
        let mut control = vec![control::leader_change(voter.id)];
        if loading.end == Offset::ZERO {
            control.push(control::kraft_version());
        }
        if loading.end == Offset::ZERO || known != Some(&voter) {
            control.push(control::voters(core::slice::from_ref(&voter)));
        }

        let state = QuorumState {
            leader: Some(self.me),
            term,
            voted: Some((voter.id, voter.directory)),
        };
        let steps = replace(
            METADATA_DIR,
            QUORUM_STATE,
            vec![Bytes::from(state.encode())],
        );
        self.chores.begin(Chore::Voted, steps, &mut self.ops);
        self.engine
            .begin_epoch(LogId::METADATA, LeaderEpoch(term.0));
        let whole = core::mem::take(&mut self.coming.whole);
        let controller = Controller::new(loading.image.clone(), self.found.config.clone());
        let saved = Saved::new(whole, loading.bytes, now);
        self.head = Some(Box::new(Head::new(
            voter,
            term,
            loading.image,
            controller,
            saved,
            loading.last,
        )));
        let proposed = self
            .propose_control(now, &control)
            .and_then(|at| self.activate(now, &identity, at));
        if let Err(refusal) = proposed {
            let why = format!("{refusal:?}");
            self.refuse(
                "the metadata log takes no records",
                why,
                "Free space on the disk, then start again",
                out,
            );
        }
        self.metadata_moved(now, out);
    }

    /// Registers this node and begins its leaderships anew (#3).
    fn activate(&mut self, now: Now, identity: &Identity, at: Offset) -> Result<(), AppendRefusal> {
        let Some(head) = &self.head else {
            return Err(AppendRefusal::NotOpen);
        };
        let registration = Registration {
            node: self.me,
            incarnation: self.dice.id(INCARNATION),
            directory: identity.directory,
            endpoints: self.found.endpoints.to_vec(),
            at,
        };
        let Decision {
            log,
            reply: Reply::Active(_),
        } = head
            .controller
            .decide(now, &Ask::Activate(Box::new(registration)))
        else {
            unreachable!("an activation is answered by a registration");
        };
        let mut batches = log.chunks(ACTIVATION_RECORDS).map(<[_]>::to_vec).peekable();
        while let Some(records) = batches.next() {
            let then = if batches.peek().is_none() {
                Then::Active
            } else {
                Then::Nothing
            };
            self.propose(now, records, then)?;
        }
        Ok(())
    }

    /// Shard 0 is there when its vote is durable and every shard has opened what it owns.
    pub(crate) fn ready_if_all(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.phase != Phase::Coming || !self.coming.voted || !self.coming.open {
            return;
        }
        self.phase = Phase::Up;
        self.wake_for_snapshot(now);
        self.look_at_space(now, out);
        let coming = core::mem::take(&mut self.coming);
        out.extend(
            coming
                .warnings
                .into_iter()
                .map(|text| Effect::Tell(Line::Warn(text))),
        );
        self.look_for_strangers(&coming.root, out);
        let text = if coming.founding {
            String::from("a new node")
        } else {
            summary(coming.judged.values())
        };
        out.push(Effect::Tell(Line::Ready { text }));
    }

    /// Directories that match no topic are left as they are (#40): absence in the metadata deletes nothing.
    fn look_for_strangers(&mut self, root: &[Entry], out: &mut Vec<Effect>) {
        let Some(image) = &self.image else { return };
        let ours: Set<String> = image
            .partitions()
            .map(|(log, topic, _)| format!("{}-{}", topic.name, log.partition))
            .collect();
        for entry in root
            .iter()
            .filter(|entry| entry.dir && !own_directory(&entry.name) && !ours.contains(&entry.name))
        {
            let text = format!(
                "the directory {} matches no topic; it is left as it is",
                entry.name
            );
            out.push(Effect::Tell(Line::Warn(text)));
            if proof::mutant("delete-unknown-dirs") {
                self.chores.begin(
                    Chore::Tidy,
                    vec![FileOp::RemoveDir(FileName::named(&entry.name))],
                    &mut self.ops,
                );
            }
        }
    }
}

impl Loading {
    /// Applies batches in the order of the log; the same `apply` as live (#41).
    fn apply_all(&mut self, batches: &[Bytes]) -> Result<(), String> {
        let before = self.image.offset;
        for run in batches {
            let mut rest: &[u8] = run;
            while !rest.is_empty() {
                let (header, len, items) = batch::read(rest)?;
                let at = Offset(header.base_offset);
                if at != self.image.offset {
                    return Err(format!(
                        "a batch stands at offset {at} where {} belongs",
                        self.image.offset
                    ));
                }
                let term = Term(header.leader_epoch);
                if term < self.image.term {
                    return Err(format!(
                        "the batch at offset {at} is of term {term}, after term {}",
                        self.image.term
                    ));
                }
                for item in items {
                    match item {
                        Item::Record(Record::PartitionChange(_))
                            if proof::mutant("load-skips-changes") => {}
                        Item::Record(record) => self
                            .image
                            .apply(&record)
                            .map_err(|misfit| format!("offset {at}: {misfit}"))?,
                        Item::Control(ControlRecord::LeaderChange(change)) => {
                            self.image.elected(term, BrokerId(change.leader_id));
                        }
                        Item::Control(ControlRecord::Voters(record)) => {
                            self.voters = control::named(&record)
                        }
                        Item::Control(_) => {}
                    }
                }
                self.image.offset = Offset(header.next_offset());
                self.term = Some(term);
                self.bytes = self
                    .bytes
                    .saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
                self.last = Wall(header.max_timestamp);
                rest = rest.get(len..).unwrap_or_default();
            }
        }
        if self.image.offset == before {
            return Err(format!("nothing can be read from offset {before} on"));
        }
        Ok(())
    }
}

/// What of the dice the process's life is named by.
const INCARNATION: u64 = 1 << 48;

/// Names that a founding, or the shell before it, makes in the log directory.
fn made_by_founding(name: &str) -> bool {
    name == "ballast" || name.starts_with("checkpoint.") || name == "meta.properties.part"
}

/// Names that do not speak against founding here.
fn may_remain(name: &str) -> bool {
    made_by_founding(name) || [".lock", "lost+found", METADATA_DIR, RINGS_DIR].contains(&name)
}

/// Directories that are not a partition's.
fn own_directory(name: &str) -> bool {
    [METADATA_DIR, RINGS_DIR, "lost+found", "unknown", "aside"].contains(&name)
        || name.ends_with("-delete")
}

/// How the start went, for people.
fn summary<'a>(judged: impl Iterator<Item = &'a Judged>) -> String {
    let (mut logs, mut commits, mut bytes, mut offline, mut clean) = (0u64, 0u64, 0u64, 0, true);
    for judged in judged {
        if let Judged::Logs(report) = judged {
            logs += report.logs;
            commits += report.commits;
            bytes += report.bytes;
            offline += report.offline.len();
            clean &= report.clean.is_some();
        }
    }
    let how = if clean {
        "after a clean stop"
    } else {
        "after a crash"
    };
    let broken = if offline > 0 {
        format!(", {offline} offline")
    } else {
        String::new()
    };
    format!("{how}: {logs} logs{broken}, {commits} commits replayed from {bytes} bytes")
}
