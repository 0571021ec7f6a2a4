//! Coming up, from an empty directory or from whatever the last life left: found, or judge, accept, load, elect, open.
//! Decides the order, and when to refuse; `found`, `adopt` and `elect` take the steps. A refusal has changed nothing.
//! Holds #40 and #97.
//!
//! ```text
//! root -- no meta.properties --> remains? --> clear -> lay out, un-synced -> sync all -> meta.properties -.
//!   `---- meta.properties -----> identity -> quorum-state -> newest whole snapshot -> engines judge -------+
//!                                                                                                         v
//!              Ready <- every shard has opened the image <- activate <- elect <- load the log <- engines accept
//! ```

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use sawlog_wire::Code;

use crate::cluster::image::Image;
use crate::complaint::Complaint;
use crate::effect::{Effect, Line};
use crate::event::{Event, Judged, News};
use crate::file::{Entry, Fault, FaultKind, FileName, FileOp, Outcome};
use crate::ids::{LogId, Offset, ShardId};
use crate::map::{Map, Set};
use crate::node::chore::Chore;
use crate::node::elect::Loading;
use crate::node::identity::{self, Identity};
use crate::node::life::{Phase, Running};
use crate::now::{Dice, Now};
use crate::proof;
use crate::quorum::snapshot::{Snapshot, SnapshotId};
use crate::quorum::state::QuorumState;

/// The metadata log's directory, as Kafka names it.
pub(crate) const METADATA_DIR: &str = "__cluster_metadata-0";
pub(super) const QUORUM_STATE: &str = "quorum-state";
pub(super) const RINGS_DIR: &str = "commit";

/// How many bytes of a snapshot, or of the log, are read at a time.
pub(super) const BLOCK: u32 = 1 << 20;
/// A small file is not larger than this.
pub(super) const SMALL: u32 = 64 << 10;

/// What shard 0 has found out so far.
#[derive(Debug, Default)]
pub(crate) struct Coming {
    /// Whether the directory is new.
    pub(super) founding: bool,
    pub(super) root: Vec<Entry>,
    pub(super) identity: Option<Identity>,
    pub(super) quorum_state: Option<QuorumState>,
    /// Snapshots that are there, newest first; those not whole are taken out as they are read.
    pub(super) listed: Vec<SnapshotId>,
    pub(super) whole: Vec<SnapshotId>,
    pub(super) block: Vec<u8>,
    pub(super) snapshot: Option<Snapshot>,
    /// What is wrong, and was got around.
    pub(super) warnings: Vec<String>,
    /// Snapshots that are not whole.
    pub(super) left_out: Vec<String>,
    pub(super) judged: Map<ShardId, Judged>,
    /// The other shards were started.
    pub(super) others: bool,
    pub(super) laid: Set<ShardId>,
    pub(super) files_laid: bool,
    pub(super) proving: bool,
    pub(super) recovered: Set<ShardId>,
    /// What the snapshot makes.
    pub(super) image: Option<Image>,
    pub(super) loading: Option<Loading>,
    pub(super) voted: bool,
    /// Every shard has opened what it owns.
    pub(crate) open: bool,
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
            (Chore::Cleared, _) => self.lay_out(now),
            (Chore::Identity, Outcome::Bytes(bytes)) => self.identity_read(&bytes, out),
            (Chore::MetadataDir, Outcome::Listing(entries)) => {
                self.metadata_dir_listed(now, entries)
            }
            (Chore::QuorumState, Outcome::Bytes(bytes)) => self.quorum_state_read(now, &bytes),
            (Chore::SnapshotBlock, Outcome::Bytes(bytes)) => self.snapshot_block_read(now, &bytes),
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
            Chore::QuorumState => return self.quorum_state_lost(now, &fault.text),
            Chore::SnapshotBlock => return self.snapshot_unreadable(now, &fault.text),
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

    pub(super) fn refuse(&mut self, what: &str, why: String, attempt: &str, out: &mut Vec<Effect>) {
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

    /// Shard 0 looks first: if the number of shards has changed, it brings the directory to the new one alone.
    pub(super) fn start_engines(&mut self, now: Now) {
        self.engine.start(
            now,
            self.dice,
            self.found.boot,
            self.found.space,
            &mut self.ops,
        );
    }

    /// The other shards look at what is theirs.
    pub(super) fn start_others(&mut self, out: &mut Vec<Effect>) {
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
            News::Cleared(offset) => {
                self.shard_cleared(from, offset);
                self.snapshot_if_due(now);
            }
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
    pub(super) fn weigh(&mut self, now: Now, out: &mut Vec<Effect>) {
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
        let rotten = reports().find_map(|report| {
            let mut offline = report.offline.iter();
            let (_, why) = offline.find(|(log, _)| *log == LogId::METADATA)?;
            Some((why.clone(), report.metadata_whole_from))
        });
        let gap = match rotten {
            None => self.metadata_gap(),
            Some((why, whole_from)) if !self.is_covered(whole_from) => {
                let why = format!("{METADATA_DIR}: {why}");
                let attempt = "Restore the log directory from a backup; nothing was changed";
                return self.refuse("the metadata log is damaged", why, attempt, out);
            }
            Some((why, _)) => {
                proof::sometimes("metadata-rot-below-a-snapshot");
                self.coming.warnings.push(format!(
                    "Rot in {METADATA_DIR}: {why}. All of it lies below the newest whole snapshot, and the node goes on from that"
                ));
                None
            }
        };
        if let Some(why) = gap {
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

    /// Whether the newest whole snapshot says all that the damaged metadata log can no longer say; if so, the log begins
    /// there (#39, #99).
    fn is_covered(&mut self, whole_from: Option<Offset>) -> bool {
        let (Some(image), Some(whole_from)) = (&self.coming.image, whole_from) else {
            return false;
        };
        let from = image.offset;
        let covered = whole_from <= from || proof::mutant("snapshot-covers-anything");
        covered && self.engine.go_on_from(LogId::METADATA, from)
    }

    /// Says what was found to be wrong. What a start cut or took out must be told before that may become durable: the
    /// next start goes on behind it, and would find nothing to tell (#99). A death in between tells it twice.
    fn warn(&mut self, out: &mut Vec<Effect>) {
        let warnings = core::mem::take(&mut self.coming.warnings);
        out.extend(
            warnings
                .into_iter()
                .map(|text| Effect::Tell(Line::Warn(text))),
        );
    }

    /// Lets every shard go on from what it found: only now may anything be changed.
    pub(super) fn accept_all(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !proof::mutant("verdict-told-when-ready") {
            self.warn(out);
        }
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

    /// Shard 0 is there when its vote is durable and every shard has opened what it owns.
    pub(crate) fn ready_if_all(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.phase != Phase::Coming || !self.coming.voted || !self.coming.open {
            return;
        }
        self.phase = Phase::Up;
        self.wake_for_snapshot(now);
        self.look_at_space(now, out);
        self.warn(out);
        let coming = core::mem::take(&mut self.coming);
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

/// Directories that are not a partition's.
fn own_directory(name: &str) -> bool {
    [METADATA_DIR, RINGS_DIR, "lost+found", "unknown", "aside"].contains(&name)
        || name.ends_with("-delete")
}

/// How the start went, for people. Where the number of shards changes, what the old ones had is told, once.
fn summary<'a>(judged: impl Iterator<Item = &'a Judged>) -> String {
    let reports = judged.filter_map(|judged| match judged {
        Judged::Logs(report) => Some(report),
        Judged::Fresh => None,
    });
    let mut reports: Vec<_> = reports.collect();
    let mut before = String::new();
    if let Some((report, shards)) = reports
        .iter()
        .find_map(|report| Some((*report, report.reshaped?)))
    {
        reports = [report].into();
        before = format!(" with sawlog.shards={shards}");
    }
    let (mut logs, mut commits, mut bytes, mut offline, mut clean) = (0u64, 0u64, 0u64, 0, true);
    for report in reports {
        logs += report.logs;
        commits += report.commits;
        bytes += report.bytes;
        offline += report.offline.len();
        clean &= report.clean.is_some();
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
    let (logs, commits) = (counted(logs, "log"), counted(commits, "commit"));
    format!("{how}{before}: {logs}{broken}, {commits} replayed from {bytes} bytes")
}

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
