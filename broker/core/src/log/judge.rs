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

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::file::RingKind;
use crate::ids::{BootId, BrokerEpoch, LogId, Offset, ShardId};
use crate::log::checksum;
use crate::log::commit::{ECHO_DEPTH, ECHOES_MAX, Echo, Phase};
use crate::log::scan::{Found, Scanned, Trace};
use crate::log::state::{BatchKind, Entry, Fact, Fold, LogState, NodeFact, RingPoint, Spot};
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
    /// Logs whose end may have lain in commits that nobody can read and nobody echoes.
    pub unproven: Set<LogId>,
    /// The last commit of each ring at or below its mark.
    pub durable: RingEnd,
    /// See `durable`.
    pub fast: RingEnd,
    /// What was cut.
    pub cuts: Vec<Cut>,
    /// The registration that ended cleanly, if the durable ring says so last.
    pub clean: Option<BrokerEpoch>,
    /// Damaged logs: what and where.
    pub offline: Map<LogId, String>,
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

/// Numbers of one ring that do not count: `after` < number < `next`.
#[derive(Clone, Copy, Debug)]
struct Void {
    after: u64,
    next: u64,
    /// What the commit numbered `next` names as its predecessor; none if the start is not proved.
    hash: u64,
}

impl Void {
    fn holds(&self, number: u64) -> bool {
        self.after < number && number < self.next
    }
}

/// One ring, walked number by number.
#[derive(Default)]
struct Walk<'a> {
    kept: Vec<&'a Found>,
    again: Vec<Found>,
    /// Batches at or below the mark whose bytes are bad.
    rotten: Set<Spot>,
    /// Commits that were whole once and cannot be read: first and last number.
    holes: Vec<(u64, u64)>,
    /// Ends of logs that rot took, as far as they are known.
    lost: Vec<Echo>,
    /// The last commit of which nobody says what it held.
    unnamed: Option<u64>,
    point: RingPoint,
    last: RingPoint,
    next: u64,
    cut: Option<Cut>,
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
    let mut judged = Judged {
        kept: entries(one.kept.iter().chain(&other.kept).copied()),
        again: one.again.iter().chain(&other.again).cloned().collect(),
        reached: Vec::new(),
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
        warnings: Vec::new(),
        commits: (one.kept.len() + one.again.len() + other.kept.len() + other.again.len()) as u64,
        cuts: one.cut.iter().chain(&other.cut).cloned().collect(),
        fold,
    };
    judged.reached = one.lost.iter().chain(&other.lost).copied().collect();
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
    (judged, everything)
}

impl Judged {
    /// The fold of everything that counts, with the commits above the marks as `again` says: where they lie now.
    pub fn with(&self, again: Vec<Entry>) -> Fold {
        let mut fold = self.fold.clone();
        let mut all = self.kept.clone();
        all.extend(again);
        fold.replay(&all);
        for log in &self.unproven {
            if let Some(state) = fold.logs.get_mut(log) {
                state.reached = state.reached.max(state.next.plus(1));
            }
        }
        let logs: Vec<LogId> = fold.logs.keys().copied().collect();
        let by_seed: Map<u32, LogId> = logs
            .into_iter()
            .map(|log| (checksum::seed(log), log))
            .collect();
        for echo in &self.reached {
            let end = fold.lost.entry(echo.seed).or_default();
            *end = echo.next.max(*end);
            if let Some(log) = by_seed.get(&echo.seed) {
                fold.claim_lost(*log);
            }
        }
        fold
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
            let bad = state.ring.iter().find(|batch| {
                walks
                    .iter()
                    .any(|(_, walk)| walk.rotten.contains(&batch.spot))
            });
            let lost = state
                .ring
                .iter()
                .find(|batch| !files.contains(&(batch.spot.kind, batch.spot.file)));
            let why = if self.unproven.contains(log) {
                format!(
                    "commits that cannot be read may have held offsets from {} on",
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

/// Starts that came after the checkpoint, and what they made void.
#[derive(Default)]
struct Lives {
    durable: Vec<Void>,
    fast: Vec<Void>,
    /// The last commit of a start that commits in the fast ring followed: it was durable before they were written.
    durable_by_fast: u64,
}

/// A start, as its first commit tells of it.
struct Life {
    first: u64,
    durable: Void,
    fast: Option<Void>,
    proved: bool,
    /// Its last commit, if the fast ring proves that it was durable; else 0.
    ready: u64,
}

impl Lives {
    fn of(durable: &[Found], fast: &[Found], from: RingPoint) -> Lives {
        let mut lives = starts(durable, from);
        lives.sort_by_key(|life| life.first);
        prove(&mut lives, durable);
        prove_by_fast(&mut lives, durable, fast);
        let mut voids = Lives::default();
        // From the last proved start backwards: what one made void, the starts in it included, is gone. Starts behind
        // the last proved one never came to `ready`: all their commits are void.
        let mut limit = u64::MAX;
        let mut tail: Option<u64> = None;
        for life in lives.iter().rev() {
            if life.first > limit {
                continue;
            }
            if life.proved {
                limit = life.durable.after;
                voids.durable_by_fast = voids.durable_by_fast.max(life.ready);
                voids.durable.push(life.durable);
                voids.fast.extend(life.fast);
            } else if limit == u64::MAX {
                proof::sometimes("resumed-durable-and-ready-not");
                tail = Some(life.first);
            }
        }
        if let Some(first) = tail {
            voids.durable.push(Void {
                after: first - 1,
                next: u64::MAX,
                hash: 0,
            });
        }
        voids
    }
}

fn starts(found: &[Found], from: RingPoint) -> Vec<Life> {
    let behind = found
        .iter()
        .filter(|found| found.head.header.sequence > from.commit);
    behind
        .filter_map(|found| {
            let void = |wanted: RingKind| {
                found.head.entries.iter().find_map(|entry| match entry {
                    Entry::Node(NodeFact::Resumed { kind, point, next }) if *kind == wanted => {
                        Some(Void {
                            after: point.commit,
                            next: *next,
                            hash: point.hash,
                        })
                    }
                    _ => None,
                })
            };
            let (durable, fast) = (void(RingKind::Durable)?, void(RingKind::Fast));
            Some(Life {
                first: found.head.header.sequence,
                durable,
                fast,
                proved: false,
                ready: 0,
            })
        })
        .collect()
}

/// A start is proved by its own `ready`, or by any commit of a node that was up, before the next start.
fn prove(lives: &mut [Life], found: &[Found]) {
    for i in 0..lives.len() {
        let next = lives.get(i + 1).map_or(u64::MAX, |life| life.first);
        let Some(life) = lives.get_mut(i) else {
            continue;
        };
        let own = found
            .iter()
            .filter(|found| (life.first..next).contains(&found.head.header.sequence));
        life.proved = own
            .clone()
            .any(|found| found.head.header.phase == Phase::Live)
            || own.clone().any(|found| {
                found.head.entries.contains(&Entry::Node(NodeFact::Ready)) && found.bad.is_empty()
            })
            || proof::mutant("unfinished-start-believed");
    }
}

/// Commits in the fast ring prove the start that they follow, as those in the durable one do: without this a start that
/// only `replicated` logs followed would be void, and with it what it says of the fast ring.
fn prove_by_fast(lives: &mut [Life], durable: &[Found], fast: &[Found]) {
    for i in 0..lives.len() {
        let (next, next_fast) = lives.get(i + 1).map_or((u64::MAX, u64::MAX), |life| {
            (life.first, life.fast.map_or(u64::MAX, |void| void.next))
        });
        let Some(life) = lives.get_mut(i) else {
            continue;
        };
        let Some(void) = life.fast else { continue };
        let followed = fast.iter().map(|found| found.head.header.sequence);
        if followed
            .into_iter()
            .any(|number| (void.next..next_fast).contains(&number))
        {
            proof::sometimes("start-proved-by-the-fast-ring");
            life.proved = true;
            let own = durable.iter().map(|found| &found.head.header);
            let own = own.filter(|header| (life.first..next).contains(&header.sequence));
            let starts = own.filter(|header| header.phase == Phase::Start);
            life.ready = starts
                .map(|header| header.sequence)
                .max()
                .unwrap_or(life.first);
        }
    }
}

fn walk<'a>(
    kind: RingKind,
    from: RingPoint,
    scanned: &'a Scanned,
    voids: &[Void],
    least: u64,
    boot: BootId,
) -> Walk<'a> {
    let counts = |number: u64| number > from.commit && !voids.iter().any(|void| void.holds(number));
    let by_number: Map<u64, &Found> = scanned
        .found
        .iter()
        .map(|found| (found.head.header.sequence, found))
        .filter(|(number, _)| counts(*number))
        .collect();
    let used = scanned
        .found
        .iter()
        .map(|found| found.head.header.sequence)
        .max()
        .unwrap_or(0);
    let started = voids.iter().filter(|void| void.next != u64::MAX);
    let started = started
        .map(|void| void.next.max(void.after + 1))
        .max()
        .unwrap_or(0);
    let mut walk = Walk {
        point: from,
        last: from,
        next: used.max(from.commit).saturating_add(1).max(started),
        ..Walk::default()
    };
    let known = Known::of(from, &by_number, voids, least, boot);

    let mut expect = from.commit + 1;
    let mut hash = Some(from.hash);
    loop {
        if let Some(void) = voids.iter().find(|void| void.holds(expect)) {
            if void.next == u64::MAX {
                // A start that never came to `ready`: what it found torn is found again (#97).
                walk.cut = cut(kind, expect, None, &walk, &by_number, &scanned.traces, boot);
                break;
            }
            expect = void.next;
            hash = Some(void.hash);
            continue;
        }
        let here = by_number.get(&expect).copied();
        let here = here.filter(|found| hash.is_none_or(|hash| found.head.header.previous == hash));
        match here {
            Some(found) if found.bad.is_empty() || expect <= known.written => {
                walk.accept(found, expect <= known.durable);
                hash = Some(found.head.hash);
                expect += 1;
            }
            _ if expect <= known.written => {
                // Rot. The next commit that can be read says what the last one missing held.
                let behind = by_number.range(expect + 1..).next();
                let last = behind.map_or(known.written, |(number, _)| number - 1);
                let last = last.min(known.written).max(expect);
                proof::sometimes("rot-below-the-mark");
                walk.holes.push((expect, last));
                walk.named_by(expect, last, behind.map(|(_, found)| *found));
                walk.lost
                    .extend(behind.iter().flat_map(|(_, found)| &found.head.echoes));
                walk.last = RingPoint {
                    commit: last,
                    hash: 0,
                    ..walk.last
                };
                if expect <= known.durable {
                    walk.point = RingPoint {
                        commit: last.min(known.durable),
                        hash: 0,
                        ..walk.point
                    };
                }
                hash = None;
                expect = last + 1;
            }
            torn => {
                walk.cut = cut(kind, expect, torn, &walk, &by_number, &scanned.traces, boot);
                break;
            }
        }
    }
    walk
}

/// Up to which number the commits of a ring are known to have been whole.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// A sync or a synchronous write proved them: the highest mark.
    durable: u64,
    /// At least the kernel had them, and it is still the same one: damage is rot, but they are written again (#98).
    written: u64,
}

impl Known {
    fn of(
        from: RingPoint,
        by_number: &Map<u64, &Found>,
        voids: &[Void],
        least: u64,
        boot: BootId,
    ) -> Known {
        let marks = by_number
            .values()
            .map(|found| found.head.header.mark)
            .max()
            .unwrap_or(0);
        let proved = voids.iter().filter(|void| void.next != u64::MAX);
        let resumed = proved.map(|void| void.after).max().unwrap_or(0);
        let mut durable = from.commit.max(marks).max(resumed).max(least);
        // At most two commits are in flight: one with two behind it was written as a whole.
        let mut written = by_number
            .last_key_value()
            .filter(|(_, found)| found.head.header.boot == boot)
            .map_or(0, |(number, _)| number.saturating_sub(2))
            .max(durable);
        if proof::mutant("cut-at-first-bad-crc") {
            (durable, written) = (from.commit, from.commit);
        }
        Known { durable, written }
    }
}

impl<'a> Walk<'a> {
    /// Whether the commit behind a hole echoes all that lay in it.
    fn named_by(&mut self, first: u64, last: u64, behind: Option<&Found>) {
        let named = behind.is_some_and(|found| {
            found.head.echoes.len() < ECHOES_MAX
                && found.head.header.sequence - first <= ECHO_DEPTH as u64
        });
        if !named {
            proof::sometimes("rot-that-nobody-echoes");
            self.unnamed = Some(last);
        }
    }

    /// Logs of which no commit behind the nameless hole says where they end.
    fn unproven(&self, kind: RingKind, fold: &Fold) -> Set<LogId> {
        let Some(hole) = self.unnamed else {
            return Set::new();
        };
        let all = || self.kept.iter().copied().chain(&self.again);
        let behind = all().filter(|found| found.head.header.sequence > hole);
        let proved: Set<LogId> = behind
            .flat_map(|found| &found.head.entries)
            .filter_map(|entry| match entry {
                Entry::Batch(entry) if entry.kind != BatchKind::Moved => Some(entry.log),
                Entry::Fact(log, _, Fact::Epoch(..) | Fact::Expired(..)) => Some(*log),
                _ => None,
            })
            .collect();
        let in_fast: Set<LogId> = all()
            .flat_map(|found| &found.head.entries)
            .filter_map(|entry| match entry {
                Entry::Batch(entry) => Some(entry.log),
                _ => None,
            })
            .collect();
        let may = |log: &LogId, state: &LogState| {
            kind == RingKind::Durable
                || in_fast.contains(log)
                || state
                    .ring
                    .iter()
                    .any(|batch| batch.spot.kind == RingKind::Fast)
        };
        let logs = fold
            .logs
            .iter()
            .filter(|(log, state)| !proved.contains(log) && may(log, state));
        logs.map(|(log, _)| *log).collect()
    }

    fn accept(&mut self, found: &'a Found, durable: bool) {
        let point = RingPoint {
            commit: found.head.header.sequence,
            hash: found.head.hash,
            file: found.file,
            at: found.end,
        };
        self.last = point;
        if durable {
            self.point = point;
            self.rotten.extend(found.bad.iter().copied());
            self.kept.push(found);
            return;
        }
        let mut whole = found.clone();
        if !found.bad.is_empty() {
            // Rot in what is to be written again: the bad batches stay behind, and their logs show it.
            proof::sometimes("rot-above-the-mark");
            whole.head.entries.retain(|entry| match entry {
                Entry::Batch(entry) if found.bad.contains(&entry.batch.spot) => {
                    self.lost.push(Echo {
                        seed: checksum::seed(entry.log),
                        next: entry.batch.next(),
                    });
                    false
                }
                _ => true,
            });
        }
        self.again.push(whole);
    }
}

/// The ring ends before the number `expect`. A cut, if anything says that such a commit was begun.
fn cut(
    kind: RingKind,
    expect: u64,
    torn: Option<&Found>,
    walk: &Walk<'_>,
    by_number: &Map<u64, &Found>,
    traces: &[Trace],
    boot: BootId,
) -> Option<Cut> {
    let last = walk.last;
    let trace = traces.iter().find(|trace| {
        let next_place = (trace.file == last.file && trace.at == last.at)
            || (trace.file > last.file && trace.at == 0);
        let named = trace.own || trace.sequence == expect || trace.previous == last.hash;
        (next_place && named) || (trace.own && trace.sequence == expect)
    });
    let behind: Vec<&Found> = by_number.range(expect..).map(|(_, found)| *found).collect();
    let first = behind.first().copied();
    if let Some(torn) = torn {
        proof::sometimes("torn-batch");
        let moved =
            |entry: &Entry| matches!(entry, Entry::Batch(entry) if entry.kind == BatchKind::Moved);
        if torn.head.entries.iter().any(moved) {
            proof::sometimes("moved-torn");
        }
    } else if first.is_some() {
        proof::sometimes("second-of-two-commits-whole-and-first-not");
    } else {
        // The first sector holds the whole header: if that claims to be the next commit, the entries behind it are torn.
        let claimed = trace?.own
            && trace.is_some_and(|trace| trace.sequence == expect && trace.previous == last.hash);
        proof::sometimes(if claimed { "torn-entries" } else { "torn-head" });
    }
    let good = walk
        .again
        .last()
        .or(walk.kept.last().copied())
        .map(|found| found.head.header.boot);
    let under = good
        .or(trace.map(|trace| trace.boot))
        .or(first.map(|found| found.head.header.boot));
    let verdict = if under == Some(boot) {
        Verdict::Torn
    } else {
        Verdict::Doubt
    };
    if verdict == Verdict::Doubt {
        proof::sometimes("last-commit-in-doubt");
    }
    let (file, at) = trace
        .map(|trace| (trace.file, trace.at))
        .or(first.map(|found| (found.file, found.at)))?;
    let end = behind
        .iter()
        .filter(|found| found.file == file)
        .map(|found| found.end)
        .max();
    let claimed = trace.map_or(0, |trace| trace.total);
    let len = end
        .map_or(claimed, |end| end.saturating_sub(at))
        .clamp(4096, 4 << 20);
    Some(Cut {
        kind,
        file,
        at,
        len,
        verdict,
        logs: offsets_of(&behind),
    })
}

/// The offsets that these commits would have appended.
fn offsets_of(commits: &[&Found]) -> Vec<(LogId, Offset, Offset)> {
    let mut logs: Map<LogId, (Offset, Offset)> = Map::new();
    for entry in commits.iter().flat_map(|found| &found.head.entries) {
        let Entry::Batch(entry) = entry else { continue };
        if entry.kind == BatchKind::Moved {
            continue;
        }
        let (base, next) = (entry.batch.base, entry.batch.next());
        let range = logs.entry(entry.log).or_insert((base, next));
        *range = (range.0.min(base), range.1.max(next));
    }
    logs.into_iter()
        .map(|(log, (from, to))| (log, from, to))
        .collect()
}

/// Logs whose state is not empty: what a report counts.
pub fn with_data(fold: &Fold) -> u64 {
    let has_data = |state: &&LogState| state.next > Offset::ZERO || !state.beyond.is_empty();
    fold.logs.values().filter(has_data).count() as u64
}
