//! Walks one ring number by number: decides which commits are kept, which are written again, what is rot and where the
//! ring ends. Never looks at what the entries do to a log: that is the fold's. Holds #96, #99 and #104.

use alloc::vec::Vec;

use crate::file::RingKind;
use crate::ids::{BootId, LogId, Offset};
use crate::log::checksum;
use crate::log::commit::{ECHO_DEPTH, ECHOES_MAX, Echo, STARTS_MAX, StartEcho};
use crate::log::judge::lives::Void;
use crate::log::judge::{Cut, Verdict};
use crate::log::scan::{Found, Scanned, Trace};
use crate::log::state::{BatchKind, Entry, Fact, Fold, LogState, RingPoint, Spot};
use crate::map::{Map, Set};
use crate::proof;

/// One ring, walked number by number.
#[derive(Default)]
pub(super) struct Walk<'a> {
    pub(super) kept: Vec<&'a Found>,
    pub(super) again: Vec<Found>,
    /// Batches at or below the mark whose bytes are bad.
    pub(super) rotten: Set<Spot>,
    /// Commits that were whole once and cannot be read: first and last number.
    pub(super) holes: Vec<(u64, u64)>,
    /// Ends of logs that rot took, as far as they are known.
    pub(super) lost: Vec<Echo>,
    /// The last commit of which nobody says what it held.
    pub(super) unnamed: Option<u64>,
    /// What the commits behind the holes say of starts that may have stood in them.
    pub(super) starts: Vec<StartEcho>,
    /// The last commit of which nobody says which starts it held.
    pub(super) untold: Option<u64>,
    pub(super) point: RingPoint,
    pub(super) last: RingPoint,
    pub(super) next: u64,
    pub(super) cut: Option<Cut>,
}

pub(super) fn walk<'a>(
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
                let last = last
                    .min(known.written)
                    .min(void_from(voids, expect))
                    .max(expect);
                proof::sometimes("rot-below-the-mark");
                walk.holes.push((expect, last));
                walk.named_by(expect, last, behind.map(|(_, found)| *found));
                if let Some((_, found)) = behind {
                    walk.lost.extend(&found.head.echoes);
                    walk.starts.extend(&found.head.starts);
                }
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
    pub(super) fn of(
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
        // At most two commits are in flight: one with two behind it was written as a whole. But not what a start made void.
        let behind_two = |(number, _): (&u64, _)| {
            let number = number.saturating_sub(2);
            let void = voids.iter().find(|void| void.holds(number));
            void.map_or(number, |void| void.after)
        };
        let mut written = by_number
            .last_key_value()
            .filter(|(_, found)| found.head.header.boot == boot)
            .map_or(0, behind_two)
            .max(durable);
        if proof::mutant("cut-at-first-bad-crc") {
            (durable, written) = (from.commit, from.commit);
        }
        Known { durable, written }
    }
}

/// The last number from `expect` on before the next that a start made void.
fn void_from(voids: &[Void], expect: u64) -> u64 {
    let ends = voids.iter().map(|void| void.after);
    ends.filter(|after| *after >= expect)
        .min()
        .unwrap_or(u64::MAX)
}

impl<'a> Walk<'a> {
    /// Whether the commit behind a hole echoes all that lay in it, and which starts were said there.
    fn named_by(&mut self, first: u64, last: u64, behind: Option<&Found>) {
        let close = behind.filter(|found| found.head.header.sequence - first <= ECHO_DEPTH as u64);
        if close.is_none_or(|found| found.head.echoes.len() >= ECHOES_MAX) {
            proof::sometimes("rot-that-nobody-echoes");
            self.unnamed = Some(last);
        }
        let none_there = behind.is_some_and(|found| {
            let header = &found.head.header;
            let since = u64::from(header.since_start);
            since > 0 && header.sequence.saturating_sub(since) < first
        });
        let all_there = close.is_some_and(|found| {
            found.head.header.since_start > 0 && found.head.starts.len() < STARTS_MAX
        });
        if !none_there && !all_there {
            proof::sometimes("start-that-nobody-echoes");
            self.untold = Some(last);
        }
    }

    /// Logs of which no commit behind a nameless hole says where they end, or where they start.
    pub(super) fn unproven(&self, kind: RingKind, fold: &Fold) -> Set<LogId> {
        let mut logs = self.endless(kind, fold);
        if kind == RingKind::Durable {
            logs.extend(self.startless(fold));
        }
        logs
    }

    fn endless(&self, kind: RingKind, fold: &Fold) -> Set<LogId> {
        let Some(hole) = self.unnamed else {
            return Set::new();
        };
        let proved: Set<LogId> = self
            .behind(hole)
            .filter_map(|entry| match entry {
                Entry::Batch(entry) if entry.kind != BatchKind::Moved => Some(entry.log),
                Entry::Fact(log, _, Fact::Epoch(..) | Fact::Expired(..)) => Some(*log),
                _ => None,
            })
            .collect();
        let in_fast: Set<LogId> = self
            .behind(0)
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

    /// Starts ride in the durable ring only. That of the metadata log follows its snapshots, which say it anew.
    fn startless(&self, fold: &Fold) -> Set<LogId> {
        let Some(hole) = self.untold else {
            return Set::new();
        };
        let said: Set<LogId> = self
            .behind(hole)
            .filter_map(|entry| match entry {
                Entry::Fact(log, _, Fact::Start(_)) => Some(*log),
                _ => None,
            })
            .collect();
        let doubted = |log: &&LogId| **log != LogId::METADATA && !said.contains(log);
        fold.logs.keys().filter(doubted).copied().collect()
    }

    /// The entries of all commits behind this number that count.
    fn behind(&self, hole: u64) -> impl Iterator<Item = &Entry> {
        let all = self.kept.iter().copied().chain(&self.again);
        let behind = all.filter(move |found| found.head.header.sequence > hole);
        behind.flat_map(|found| &found.head.entries)
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
    // A process that dies leaves no block that cannot be read: whatever was there may have been acknowledged.
    let unreadable = trace.is_some_and(|trace| trace.unreadable);
    let verdict = if under == Some(boot) && !unreadable {
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
