//! Decides what a start accepts: which commits count, what was torn and what is rot, and what people must be told.
//! Pure: it looks at what the scans found and touches nothing. Holds #96, #97, #99, #100, #103 and #104.
//!
//! Numbers decide, never places. Every commit has its number in its ring; a start notes the last number that was
//! certainly durable (`resumed`) and the first that it uses itself, and what lies between is void once the start is
//! proved. Then, number by number:
//!
//! * At or below the highest mark found anywhere, a commit that is missing or damaged is rot. Its logs are named: by its
//!   own entries, by the echo in the commit behind it, or by the gap that their offsets show.
//! * Above it, the first that is missing or damaged ends the ring. If the last good commit was written under this
//!   kernel the process died and nobody was answered; else power was lost, and the last commit is in doubt.
//! * Above it and whole: accepted, and written again (#98).

mod lives;
mod walk;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::file::RingKind;
use crate::ids::{BootId, BrokerEpoch, LogId, Offset, ShardId};
use crate::log::checksum;
use crate::log::commit::{Echo, StartEcho};
use crate::log::judge::lives::Lives;
use crate::log::judge::walk::{Walk, walk};
use crate::log::scan::{Found, Scanned};
use crate::log::state::{Entry, Fact, Fold, LogState, NodeFact, RingBatch, RingPoint, Spot};
use crate::map::{Map, Set};
use crate::proof;

/// What a start has read.
#[derive(Debug)]
pub struct Read {
    /// Whose rings.
    pub shard: ShardId,
    /// The kernel's boot id now.
    pub boot: BootId,
    /// The fold of the newest whole checkpoint.
    pub fold: Fold,
    /// The durable ring's files, scanned from the checkpoint's place on.
    pub durable: Scanned,
    /// The fast ring's.
    pub fast: Scanned,
    /// All ring files that exist.
    pub files: Set<(RingKind, u64)>,
}

/// The judgement.
#[derive(Debug)]
pub struct Judged {
    /// The checkpoint's fold: what is below goes on top of it.
    pub fold: Fold,
    /// Entries at or below the marks, in the order of their commits, of both rings.
    pub kept: Vec<Entry>,
    /// Whole commits above the marks: to be written again.
    pub again: Vec<Found>,
    /// What is known of ends that rot took.
    pub reached: Vec<Echo>,
    /// Starts that stood in commits that cannot be read: they count, and this start says them again.
    pub starts: Vec<Entry>,
    /// Logs whose end may have lain in commits that nobody can read and nobody echoes.
    pub unproven: Set<LogId>,
    /// The last commit of each ring at or below its mark.
    pub durable: RingEnd,
    /// See `durable`.
    pub fast: RingEnd,
    /// What was cut.
    pub cuts: Vec<Cut>,
    /// Commits that were durable once and cannot be read: of which ring, the first and the last number.
    pub holes: Vec<(RingKind, u64, u64)>,
    /// The registration that ended cleanly, if the durable ring says so last.
    pub clean: Option<BrokerEpoch>,
    /// Damaged logs: what and where.
    pub offline: Map<LogId, String>,
    /// From where on the metadata log is whole, if it is damaged: a whole snapshot that reaches it makes up for the rest.
    pub metadata_whole_from: Option<Offset>,
    /// For people.
    pub warnings: Vec<String>,
    /// Commits accepted behind the checkpoint.
    pub commits: u64,
}

/// How far one ring counts, and where it may go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RingEnd {
    /// The last commit at or below the mark.
    pub point: RingPoint,
    /// The last commit accepted.
    pub accepted: RingPoint,
    /// The first number that was never used.
    pub next: u64,
}

/// The end of a ring behind which bytes of commits lie that do not count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    /// Which ring.
    pub kind: RingKind,
    /// Which of its files.
    pub file: u64,
    /// Where the first commit lies that does not count.
    pub at: u32,
    /// How many bytes are worth keeping aside.
    pub len: u32,
    /// Whether the process died or power was lost.
    pub verdict: Verdict,
    /// The offsets cut, as far as they can be read.
    pub logs: Vec<(LogId, Offset, Offset)>,
}

/// Why a ring was cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The process died: nobody was answered.
    Torn,
    /// Power was lost: torn, or rot in the last commit.
    Doubt,
}

/// Judges a directory by what was read of it. Gives also the fold of everything that counts.
pub fn judge(read: Read) -> (Judged, Fold) {
    let Read {
        shard,
        boot,
        fold,
        durable,
        fast,
        files,
    } = read;
    let lives = Lives::of(&durable.found, &fast.found, fold.durable);
    let least = lives.durable_by_fast;
    let one = walk(
        RingKind::Durable,
        fold.durable,
        &durable,
        &lives.durable,
        least,
        boot,
    );
    let other = walk(RingKind::Fast, fold.fast, &fast, &lives.fast, 0, boot);

    note_both_rings(&one, &other);
    let unreadable = [
        (RingKind::Durable, durable.unreadable),
        (RingKind::Fast, fast.unreadable),
    ];
    let mut judged = Judged {
        kept: entries(one.kept.iter().chain(&other.kept).copied()),
        again: one.again.iter().chain(&other.again).cloned().collect(),
        reached: Vec::new(),
        starts: Vec::new(),
        unproven: Set::new(),
        durable: RingEnd {
            point: one.point,
            accepted: one.last,
            next: one.next,
        },
        fast: RingEnd {
            point: other.point,
            accepted: other.last,
            next: other.next,
        },
        clean: stopped(&one),
        offline: Map::new(),
        metadata_whole_from: None,
        warnings: Vec::new(),
        commits: (one.kept.len() + one.again.len() + other.kept.len() + other.again.len()) as u64,
        cuts: one.cut.iter().chain(&other.cut).cloned().collect(),
        holes: holes(RingKind::Durable, &one)
            .chain(holes(RingKind::Fast, &other))
            .collect(),
        fold,
    };
    judged.reached = one.lost.iter().chain(&other.lost).copied().collect();
    judged.hear(&one.starts);
    let folded = judged.with(entries(judged.again.iter()));
    judged.unproven = one.unproven(RingKind::Durable, &folded);
    judged
        .unproven
        .extend(other.unproven(RingKind::Fast, &folded));
    let everything = judged.with(entries(judged.again.iter()));
    judged.name_damage(
        shard,
        &everything,
        &files,
        [(RingKind::Durable, &one), (RingKind::Fast, &other)],
    );
    for cut in &judged.cuts {
        judged.warnings.push(cut.text(shard));
    }
    for (kind, bytes) in unreadable {
        if bytes > 0 {
            judged.warnings.push(format!(
                "{bytes} bytes of the {} ring of shard {shard} cannot be read from the disk.",
                name_of(kind)
            ));
        }
    }
    (judged, everything)
}

impl Judged {
    /// The fold of everything that counts, with the commits above the marks as `again` says: where they lie now.
    pub fn with(&self, again: Vec<Entry>) -> Fold {
        let mut fold = self.fold.clone();
        let mut all = self.kept.clone();
        all.extend(&self.starts);
        all.extend(again);
        fold.replay(&all);
        for log in &self.unproven {
            if let Some(state) = fold.logs.get_mut(log) {
                state.reached = state.reached.max(state.next.plus(1));
            }
        }
        for echo in &self.reached {
            fold.lose(echo.seed, echo.next);
        }
        if !fold.lost.is_empty() {
            let logs: Vec<LogId> = fold.logs.keys().copied().collect();
            for log in logs {
                fold.claim_lost(log);
            }
            // What was deleted since has lost nothing more.
            for log in fold.dropped.keys() {
                fold.lost.remove(&checksum::seed(*log));
            }
        }
        fold
    }

    /// Starts that only the commit behind a hole tells of. Each counts as if the one that said it could be read: a start
    /// never falls, so what another commit said of it too changes nothing (#5, #89).
    fn hear(&mut self, starts: &[StartEcho]) {
        if starts.is_empty() || proof::mutant("echoed-start-unheard") {
            return;
        }
        let fold = self.with(entries(self.again.iter()));
        for echo in starts {
            // Of a log that nothing else tells of all was lost: the metadata may name it, and then its end is missing.
            let known = fold.logs.get(&echo.log);
            let Some(state) = known.filter(|state| state.start < echo.start) else {
                continue;
            };
            proof::sometimes("start-known-by-its-echo");
            let fact = Entry::Fact(echo.log, state.generation, Fact::Start(echo.start));
            self.starts.push(fact);
        }
    }

    /// What this start found out about ends that rot took, and about starts, for its own commits to say: the commits above
    /// the marks that told of them are void once it is proved, and it may die before its first checkpoint (#89, #99).
    pub(crate) fn losses(&self) -> Vec<Entry> {
        let mut losses = self.lost_ends();
        if !proof::mutant("echoed-start-said-once") {
            losses.extend(&self.starts);
        }
        losses
    }

    fn lost_ends(&self) -> Vec<Entry> {
        if self.reached.is_empty() && self.unproven.is_empty() || proof::mutant("lost-end-untold") {
            return Vec::new();
        }
        let fold = self.with(entries(self.again.iter()));
        let torn = fold
            .logs
            .iter()
            .filter(|(_, state)| state.reached > state.next)
            .map(|(log, state)| (checksum::seed(*log), state.reached));
        let unnamed = fold.lost.iter().map(|(seed, end)| (*seed, *end));
        torn.chain(unnamed)
            .map(|(seed, end)| Entry::Node(NodeFact::Lost(seed, end)))
            .collect()
    }

    /// Somebody has what lies below `from` elsewhere: the log begins there, and damage below it counts no more. Says
    /// whether it is whole now. Nothing of it is written: the next checkpoint says so, and until then each start does.
    pub fn go_on_from(&mut self, log: LogId, from: Offset) -> bool {
        let generation = self.fold.logs.get(&log).map(|state| state.generation);
        let begins = Fact::Start(from);
        self.kept
            .push(Entry::Fact(log, generation.unwrap_or_default(), begins));
        let fold = self.with(entries(self.again.iter()));
        let whole = fold
            .logs
            .get(&log)
            .is_some_and(|state| !state.is_torn() && state.start == from && state.next >= from);
        if whole {
            self.offline.remove(&log);
        } else {
            self.kept.pop();
        }
        whole
    }

    /// More damage of a log was found, all of it below `from`.
    pub(crate) fn damaged(&mut self, log: LogId, why: &str, from: Offset) {
        self.metadata_whole_from = match self.offline.get(&log) {
            // What was damaged before had no end that is known.
            Some(_) if self.metadata_whole_from.is_none() => None,
            _ => self.metadata_whole_from.max(Some(from)),
        };
        let known = self.offline.entry(log).or_default();
        if known.is_empty() {
            known.push_str(why);
        }
    }

    fn name_damage(
        &mut self,
        shard: ShardId,
        fold: &Fold,
        files: &Set<(RingKind, u64)>,
        walks: [(RingKind, &Walk<'_>); 2],
    ) {
        for (kind, walk) in walks {
            for (first, last) in &walk.holes {
                self.warnings.push(format!(
                    "Rot: commits {first} to {last} of the {} ring of shard {shard} cannot be read, although they were \
                     durable. Logs that show a gap or a missing end are offline; all others serve.",
                    name_of(kind),
                ));
            }
        }
        for end in fold.lost.values() {
            self.warnings.push(format!(
                "Rot: a log that no other commit names had reached offset {end}; it is offline once the metadata names it."
            ));
        }
        for (log, state) in &fold.logs {
            let is_bad = |batch: &RingBatch| {
                walks
                    .iter()
                    .any(|(_, walk)| walk.rotten.contains(&batch.spot))
            };
            let is_lost = |batch: &RingBatch| !files.contains(&(batch.spot.kind, batch.spot.file));
            let bad = state.ring.iter().find(|batch| is_bad(batch));
            let lost = state.ring.iter().find(|batch| is_lost(batch));
            if *log == LogId::METADATA && !self.unproven.contains(log) {
                self.metadata_whole_from =
                    whole_from(state, |batch| is_bad(batch) || is_lost(batch));
            }
            let why = if self.unproven.contains(log) {
                format!(
                    "commits that cannot be read may have held offsets from {} on, or moved the start",
                    state.next
                )
            } else if state.is_torn() {
                let known = state
                    .beyond
                    .first()
                    .map_or(state.reached, |kept| kept.batch.base);
                format!(
                    "offsets {} to {} were durable and cannot be read",
                    state.next,
                    known.0 - 1
                )
            } else if let Some(batch) = bad {
                format!(
                    "the batch at offset {} does not match its checksum ({})",
                    batch.base,
                    place(shard, batch.spot)
                )
            } else if let Some(batch) = lost {
                format!(
                    "the file that holds offset {} is missing ({})",
                    batch.base,
                    place(shard, batch.spot)
                )
            } else {
                continue;
            };
            self.offline.insert(*log, why);
        }
    }
}

/// The least offset behind all damage of a log, gaps and a missing end included.
fn whole_from(state: &LogState, damaged: impl Fn(&RingBatch) -> bool) -> Option<Offset> {
    let mut from = state.start;
    for batch in state.ring.iter().filter(|batch| damaged(batch)) {
        from = batch.next();
    }
    let mut end = state.next.max(state.start);
    for kept in &state.beyond {
        if kept.generation != state.generation {
            return None;
        }
        if damaged(&kept.batch) {
            from = kept.batch.next();
        } else if kept.batch.base > end {
            from = kept.batch.base;
        }
        end = end.max(kept.batch.next());
    }
    Some(if state.reached > end {
        state.reached
    } else {
        from
    })
}

impl Cut {
    fn text(&self, shard: ShardId) -> String {
        let why = match self.verdict {
            Verdict::Torn => "The process died while it wrote: the commit was never acknowledged",
            Verdict::Doubt => {
                "Power was lost: the last commit is torn, or rot has struck it, which cannot be told apart"
            }
        };
        let mut text = format!(
            "{why}. Cut at byte {} of ring file {} of shard {shard}",
            self.at,
            file_name(self)
        );
        for (log, from, to) in &self.logs {
            text.push_str(&format!(
                "; {} partition {}: offsets {from} to {}",
                log.topic.0,
                log.partition,
                to.0 - 1
            ));
        }
        text.push_str(". Its bytes are kept in the folder aside.");
        text
    }
}

fn holes(kind: RingKind, walk: &Walk<'_>) -> impl Iterator<Item = (RingKind, u64, u64)> {
    let name = move |(first, last): &(u64, u64)| (kind, *first, *last);
    walk.holes.iter().map(name)
}

fn file_name(cut: &Cut) -> String {
    format!("{} {}", name_of(cut.kind), cut.file)
}

fn name_of(kind: RingKind) -> &'static str {
    match kind {
        RingKind::Durable => "durable",
        RingKind::Fast => "fast",
    }
}

fn place(shard: ShardId, spot: Spot) -> String {
    let file = crate::file::FileName::Ring {
        kind: spot.kind,
        shard,
        sequence: spot.file,
    };
    format!("{file}, byte {}", spot.at)
}

/// All entries of these commits, in their order.
pub(crate) fn entries<'a>(commits: impl Iterator<Item = &'a Found>) -> Vec<Entry> {
    commits
        .flat_map(|found| found.head.entries.iter().copied())
        .collect()
}

fn note_both_rings(one: &Walk<'_>, other: &Walk<'_>) {
    let logs = |walk: &Walk<'_>| -> Set<LogId> {
        let found = walk.kept.iter().copied().chain(&walk.again);
        found
            .flat_map(|found| &found.head.entries)
            .filter_map(|entry| match entry {
                Entry::Batch(entry) => Some(entry.log),
                _ => None,
            })
            .collect()
    };
    let used = !other.kept.is_empty() || !other.again.is_empty();
    if used && !logs(one).is_disjoint(&logs(other)) {
        proof::sometimes("both-rings-hold-one-log");
    }
}

/// The clean marker counts only as the last commit of the ring (#103).
fn stopped(walk: &Walk<'_>) -> Option<BrokerEpoch> {
    let marker = |found: &Found| {
        found.head.entries.iter().find_map(|entry| match entry {
            Entry::Node(NodeFact::Stopped(epoch)) => Some(*epoch),
            _ => None,
        })
    };
    let mut accepted = walk.kept.iter().copied().chain(&walk.again);
    if proof::mutant("clean-marker-kept") {
        return accepted.find_map(marker);
    }
    accepted
        .next_back()
        .filter(|_| walk.cut.is_none())
        .and_then(marker)
}

/// Logs whose state is not empty: what a report counts.
pub fn with_data(fold: &Fold) -> u64 {
    let has_data = |state: &LogState| state.next > Offset::ZERO || !state.beyond.is_empty();
    fold.logs.values().filter(|state| has_data(state)).count() as u64
}
