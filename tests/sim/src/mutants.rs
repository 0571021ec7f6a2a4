//! Known bugs, put back one at a time: each must be caught by a check of its own row, and the same seeds pass without
//! it. Decides which seeds are tried; the bugs themselves stand where they once were (`proof::mutant`).
//!
//! Not here, because no client of one node can see them, and held by tests of the core under `--features mutants`:
//!
//! * M15 `trust-index`: the only reads that the core itself takes from an index are a search by time and the load of the
//!   metadata log, which has a CRC of its own; `trust_index_is_caught_6`.
//! * M16 `clean-marker-kept`: the commit with the marker lies above the mark, so the next start makes it void as well as
//!   outdating it, and on a whole node the two cannot be had apart; `a_clean_marker_that_is_kept_is_caught`. Rule 23 of the
//!   checker looks for it all the same.
//! * M17 `stale-fsync-completion`: one node never cuts a log that has writes in flight; the story of the core is
//!   `stale_fsync_completion_is_caught_10`.
//! * M52 `ring-id-ignored`: a commit of a file's earlier life has a number below what any checkpoint begins with, so the
//!   numbers keep it out as well; what only the ring id keeps out are bytes that a client shaped like a commit, which the
//!   crash enumerator makes; `a_ring_id_that_is_ignored_is_caught`.
//! * M55 `recycle-while-read`: whoever reads checks every batch and plans again when its place is no longer current, so a
//!   client sees nothing but a later answer; `recycle_while_read_is_caught_7`.
//! * M62 `snapshot-before-drop`: the fact that drops a log is one commit, a snapshot five operations: it had its way 247
//!   times in 200 seeds, and no death fell between the two; `a_snapshot_that_forgets_a_deletion_under_way_is_caught_40`.
//! * M46 `capacity-from-wire`: memory is counted by an allocator, not by a client;
//!   `a_capacity_taken_from_the_wire_is_noticed`.

use crate::run::{Report, Trace, run};

/// A known bug, the seed that is known to catch it, and the checks that must.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// Its name in the code.
    pub name: &'static str,
    /// Its row in the list of mutants.
    pub id: &'static str,
    /// The first seed to try.
    pub seed: u64,
    /// What catches it.
    pub by: By,
}

/// The check that must notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// Any of these rules of the checker.
    Rules(&'static [u8]),
    /// An assertion in the product that cites one of these rows, or one of these rules.
    Assert(&'static [&'static str], &'static [u8]),
    /// The second run of the same seed is another one (#143).
    Twice,
}

/// What became of one.
#[derive(Clone, Debug)]
pub enum Fate {
    /// Caught at this seed, after so many, by this rule and what it said.
    Caught(u64, u64, String),
    /// It never had its way: nothing was proved.
    NeverFired(u64),
    /// It had its way so many times and nothing noticed.
    Missed(u64),
}

const fn mutant(id: &'static str, name: &'static str, seed: u64, by: By) -> Mutant {
    Mutant { name, id, seed, by }
}

use By::{Assert, Rules, Twice};

/// All that the simulator catches. A bug that breaks two rows may stand here twice.
pub const MUTANTS: &[Mutant] = &[
    mutant("M7", "ack-at-next", 3, Rules(&[3])),
    mutant("M7", "ack-at-next", 3, Rules(&[8])),
    mutant("M7", "ack-at-next", 3, Rules(&[1])),
    mutant(
        "M8",
        "count-self-unsynced",
        1,
        Assert(&["#11", "#12"], &[3]),
    ),
    mutant("M12", "no-dir-fsync", 2, Rules(&[3, 16, 21])),
    mutant("M13", "retry-after-eio", 11, Rules(&[3, 21])),
    mutant("M14", "cut-at-first-bad-crc", 61, Rules(&[3])),
    mutant("M18", "snapshot-not-atomic", 3, Rules(&[16, 19])),
    mutant("M19", "delete-unknown-dirs", 2, Rules(&[20])),
    mutant(
        "M20",
        "header-outside-checksum",
        5,
        Rules(&[1, 3, 7, 21, 22]),
    ),
    mutant("M26", "window-of-one", 1, Rules(&[18])),
    mutant("M27", "snapshot-misses-last-batch", 1, Rules(&[2, 18])),
    mutant("M28", "unknown-on-duplicate", 1, Rules(&[17])),
    mutant("M50", "duplicate-acked-at-once", 35, Rules(&[1, 3])),
    mutant("M51", "recovered-tail-only-synced", 12, Rules(&[1, 3, 21])),
    mutant("M53", "recycle-without-dirsync", 6, Rules(&[3, 16, 21])),
    mutant(
        "M54",
        "checkpoint-ahead-of-durable",
        18,
        Rules(&[1, 2, 3, 18, 21]),
    ),
    mutant("M56", "spill-recomputes-checksum", 9, Rules(&[22])),
    mutant("M57", "poll-skips-a-batch", 1, Rules(&[7])),
    mutant("M59", "producer-ids-unlogged", 4, Rules(&[24])),
    mutant("M60", "delete-drops-its-neighbour", 1, Rules(&[3])),
    mutant("M61", "deleted-topic-kept", 1, Rules(&[26])),
    mutant("M63", "trim-answered-at-once", 158, Rules(&[25])),
    mutant("M64", "command-answered-uncommitted", 5, Rules(&[19, 26])),
    mutant("M65", "echoed-start-unheard", 3365, Rules(&[25])),
    mutant("M58", "chance-outside-the-seed", 1, Twice),
];

/// Tries up to `seeds` seeds from the mutant's own on.
#[cfg(feature = "mutants")]
pub fn hunt(mutant: &Mutant, seeds: u64) -> Fate {
    use sawlog_core::proof;
    let mut fired = 0;
    for (tried, seed) in (mutant.seed..mutant.seed + seeds).enumerate() {
        proof::choose(Some(mutant.name));
        let caught = caught(mutant.by, seed);
        fired += proof::fired();
        proof::choose(None);
        if let Some(how) = caught {
            let sound = match mutant.by {
                Twice => twice(seed).is_none(),
                Rules(_) | Assert(..) => run(seed, Trace::Off).violations.is_empty(),
            };
            if sound {
                return Fate::Caught(seed, tried as u64 + 1, how);
            }
        }
    }
    if fired == 0 {
        Fate::NeverFired(seeds)
    } else {
        Fate::Missed(fired)
    }
}

/// How many of so many seeds from 1 on catch it, and the first of them: what a change to the faults does to each bug.
#[cfg(feature = "mutants")]
pub fn rate(mutant: &Mutant, seeds: u64) -> (u64, Option<u64>) {
    use sawlog_core::proof;
    let (mut all, mut first) = (0, None);
    for seed in 1..=seeds {
        proof::choose(Some(mutant.name));
        if caught(mutant.by, seed).is_some() {
            all += 1;
            first = first.or(Some(seed));
        }
        proof::choose(None);
    }
    (all, first)
}

/// Catches nothing: the bugs are not in this build.
#[cfg(not(feature = "mutants"))]
pub fn rate(_mutant: &Mutant, _seeds: u64) -> (u64, Option<u64>) {
    (0, None)
}

/// What the mutant's own check says of this seed.
#[cfg(feature = "mutants")]
fn caught(by: By, seed: u64) -> Option<String> {
    let (rows, rules) = match by {
        Twice => return twice(seed),
        Rules(rules) => (&[][..], rules),
        Assert(rows, rules) => (rows, rules),
    };
    match std::panic::catch_unwind(|| run(seed, Trace::Off)) {
        Ok(report) => first_of(&report, rules),
        Err(stopped) => {
            let said = stopped.downcast_ref::<String>().cloned();
            let said =
                said.or_else(|| stopped.downcast_ref::<&str>().map(|text| (*text).into()))?;
            let cites = rows.iter().any(|row| said.contains(row));
            cites.then(|| format!("an assertion: {said}"))
        }
    }
}

/// Tries nothing: the bugs are not in this build.
#[cfg(not(feature = "mutants"))]
pub fn hunt(_mutant: &Mutant, seeds: u64) -> Fate {
    Fate::NeverFired(seeds)
}

/// Runs a seed twice; says so if the two runs differ (#143).
pub fn twice(seed: u64) -> Option<String> {
    let (one, two) = (run(seed, Trace::Hash), run(seed, Trace::Hash));
    let differs = format!(
        "the same seed gave the traces {:016x} and {:016x}",
        one.trace, two.trace
    );
    (one.trace != two.trace).then_some(differs)
}

#[cfg_attr(
    not(feature = "mutants"),
    expect(dead_code, reason = "only a build with the bugs hunts them")
)]
fn first_of(report: &Report, rules: &[u8]) -> Option<String> {
    let broken = report
        .violations
        .iter()
        .find(|violation| rules.contains(&violation.rule))?;
    Some(format!(
        "rule {} {}: {}",
        broken.rule, broken.name, broken.text
    ))
}
