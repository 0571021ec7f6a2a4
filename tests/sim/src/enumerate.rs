//! The crash enumerator: the storage engine alone on the faulty disk, crashed at very many points of small workloads,
//! inside its own recovery too, and judged each time it has come up. Decides how much is tried and what is printed.
//!
//! A state is one crash (a kill or a power cut with drawn tears and orders, possibly with more crashes inside the
//! starts that follow), a start to the end and a judgement of everything that was promised: #1, #3-#7, #69-#72, #89,
//! #96-#98, #103. Each seed is one workload of some hundreds of states, the same on every machine.

mod founding;
mod life;
mod oracle;
mod rig;

use std::collections::BTreeMap;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use life::Tally;

/// Known bugs that crashes must uncover here; those that need rotten bytes are the simulator's. Three rules have a second
/// line behind them in a whole engine, so that only the core's own tests can show their bugs: what `again-folded-twice`
/// would fold and the marker that `clean-marker-kept` would find are void after a start, and where `end-below-start`
/// leaves an end below the start, the live log takes the greater.
pub const MUTANTS: &[&str] = &[
    "checkpoint-ahead-of-durable",
    "direct-before-checkpoints",
    "direct-segment-retired",
    "drop-by-name",
    "drop-forgets-the-name",
    "founded-with-one-checkpoint",
    "named-before-durable",
    "no-dir-fsync",
    "recovered-tail-only-synced",
    "recycle-while-read",
    "recycle-without-dirsync",
    "retry-after-eio",
    "ring-id-ignored",
    "settle-keeps-what-went",
    "snapshot-misses-last-batch",
    "spare-file-ends-the-ring",
    "unfinished-start-believed",
    "unlink-before-start-is-durable",
    "window-of-one",
];

/// Dangerous places that a whole run must have come through, or it has proved less than it says (#144).
const PLACES: &[&str] = &[
    "back-from-direct-to-the-ring",
    "both-rings-hold-one-log",
    "bytes-of-a-client-shaped-like-a-commit",
    "checkpoint-renamed-and-directory-not-synced",
    "checkpoint-with-commits-in-flight",
    "crash-twice-inside-recovery",
    "cut-then-rewritten-then-crash",
    "deletion-gone-on-with",
    "direct-batch-begins-a-segment",
    "direct-batch-landed",
    "direct-batch-named-again",
    "file-recycled-after-the-checkpoint-that-knew-it",
    "founding-cut-short",
    "moved-behind-newer",
    "moved-torn",
    "number-of-shards-changed",
    "old-life-of-a-recycled-file",
    "one-checkpoint-of-two-is-rotten",
    "original-of-an-again-gone",
    "reshape-gone-on-with",
    "resumed-durable-and-ready-not",
    "ring-file-pinned-by-a-reader",
    "second-of-two-commits-whole-and-first-not",
    "spare-file-at-a-start",
    "spill-synced-and-checkpoint-not",
    "start-fact-durable-and-unlink-not",
    "topic-deleted-and-made-again",
    "torn-batch",
    "torn-entries",
    "torn-head",
];

/// From so many states on every place is demanded.
const WHOLE: u64 = 100_000;

/// What a hunt came to.
#[derive(Debug, Default)]
struct Catch {
    tally: Tally,
    workloads: u64,
    reached: BTreeMap<&'static str, u64>,
    /// Seeds that failed, with why.
    failed: BTreeMap<u64, String>,
    fired: u64,
}

/// Tries at least so many states, the workload of `seed` first; prints what was found. False if a promise was broken.
pub fn enumerate(states: u64, seed: u64) -> bool {
    let began = std::time::Instant::now();
    let caught = hunt(states, seed, None);
    let tally = &caught.tally;
    say(&format!(
        "{} states in {} workloads: {} kills, {} power cuts, {} crashes inside a start, {} starts repeated, {} rotten \
         checkpoints; {} acknowledgements; {} s",
        tally.states,
        caught.workloads,
        tally.kills,
        tally.cuts,
        tally.inside,
        tally.again,
        tally.rotten,
        tally.acknowledged,
        began.elapsed().as_secs(),
    ));
    for (name, times) in &caught.reached {
        say(&format!("  reached {name}: {times}"));
    }
    for (seed, why) in &caught.failed {
        say(&format!("seed {seed}: {why}"));
    }
    if let Some((seed, why)) = caught.failed.first_key_value() {
        let (_, end, story) = guarded(*seed, true);
        let lines: Vec<&str> = story.lines().collect();
        let shown = if states == 1 { lines.len() } else { 60 };
        for line in lines.iter().skip(lines.len().saturating_sub(shown)) {
            say(&format!("  {line}"));
        }
        say(&format!(
            "seed {seed}: {}",
            end.err().unwrap_or_else(|| why.clone())
        ));
        say(&format!(
            "{} of {} workloads broke a promise; the first: cargo dev enumerate --states 1 --from {seed}",
            caught.failed.len(),
            caught.workloads
        ));
    }
    caught.failed.is_empty() && all_reached(&caught)
}

/// Whether a whole run came through every dangerous place; says which it missed.
fn all_reached(caught: &Catch) -> bool {
    if caught.tally.states < WHOLE || cfg!(not(feature = "mutants")) {
        return true;
    }
    let missed = |place: &&&str| !caught.reached.contains_key(**place);
    let missed: Vec<&str> = PLACES.iter().filter(missed).copied().collect();
    if !missed.is_empty() {
        say(&format!("vacuous: never reached {}", missed.join(", ")));
    }
    missed.is_empty()
}

/// Switches each known bug on in turn and tries up to so many states; false if one is not caught. Needs the feature
/// `mutants`.
pub fn mutants(states: u64, seed: u64, only: Option<&str>) -> bool {
    let mut good = true;
    for name in MUTANTS
        .iter()
        .filter(|name| only.is_none_or(|only| only == **name))
    {
        let caught = hunt(states, seed, Some(name));
        match caught.failed.first_key_value() {
            Some((seed, why)) if caught.fired > 0 => {
                let line = why.lines().next().unwrap_or_default();
                say(&format!(
                    "{name}: caught by seed {seed} within {} states: {line}",
                    caught.tally.states
                ));
                // A check that fails without the bug proves nothing about it.
                if let (_, Err(why), _) = guarded(*seed, false) {
                    good = false;
                    say(&format!("{name}: but seed {seed} fails without it: {why}"));
                }
            }
            _ => {
                good = false;
                say(&format!(
                    "{name}: NOT caught in {} states; it had its way {} times",
                    caught.tally.states, caught.fired
                ));
            }
        }
    }
    good
}

fn hunt(states: u64, seed: u64, mutant: Option<&'static str>) -> Catch {
    let next = AtomicU64::new(seed);
    let done = AtomicU64::new(0);
    let enough = AtomicBool::new(false);
    let caught: Mutex<Catch> = Mutex::default();
    let threads = if states == 1 {
        1
    } else {
        std::thread::available_parallelism().map_or(1, usize::from)
    };
    let worker = || {
        switch(mutant);
        while done.load(Ordering::Relaxed) < states && !enough.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let (tally, end, _) = guarded(seed, false);
            done.fetch_add(tally.states.max(1), Ordering::Relaxed);
            let Ok(mut caught) = caught.lock() else {
                return;
            };
            caught.workloads += 1;
            add(&mut caught.tally, &tally);
            if let Err(why) = end {
                caught.failed.insert(seed, why);
                if mutant.is_some() || caught.failed.len() >= 10 {
                    enough.store(true, Ordering::Relaxed);
                }
            }
        }
        if let Ok(mut caught) = caught.lock() {
            caught.fired += fired();
            for (name, times) in reached() {
                *caught.reached.entry(name).or_default() += times;
            }
        }
        switch(None);
    };
    let quiet = mutant.is_some().then(|| std::panic::take_hook());
    if quiet.is_some() {
        // A known bug that trips an assertion is caught; nobody needs its backtrace.
        std::panic::set_hook(Box::new(|_| {}));
    }
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(worker);
        }
    });
    if let Some(hook) = quiet {
        std::panic::set_hook(hook);
    }
    caught.into_inner().unwrap_or_default()
}

/// An assertion of the engine that fails is a finding like any other.
fn guarded(seed: u64, story: bool) -> (Tally, Result<(), String>, String) {
    catch_unwind(AssertUnwindSafe(|| life::live(seed, story))).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default();
        (
            Tally::default(),
            Err(format!("assertion: {text}")),
            String::new(),
        )
    })
}

fn add(sum: &mut Tally, one: &Tally) {
    sum.states += one.states;
    sum.kills += one.kills;
    sum.cuts += one.cuts;
    sum.inside += one.inside;
    sum.again += one.again;
    sum.rotten += one.rotten;
    sum.acknowledged += one.acknowledged;
}

#[cfg(feature = "mutants")]
use sawlog_core::proof::{choose as switch, fired, take_reached as reached};

#[cfg(not(feature = "mutants"))]
fn switch(_name: Option<&'static str>) {}

#[cfg(not(feature = "mutants"))]
fn fired() -> u64 {
    0
}

#[cfg(not(feature = "mutants"))]
fn reached() -> BTreeMap<&'static str, u64> {
    BTreeMap::new()
}

fn say(text: &str) {
    // Whoever reads may have seen enough.
    let _ = writeln!(std::io::stdout(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "mutants")]
    #[test]
    fn a_run_that_missed_a_dangerous_place_is_vacuous_144() {
        let mut caught = Catch {
            reached: PLACES.iter().map(|place| (*place, 1)).collect(),
            ..Catch::default()
        };
        caught.tally.states = WHOLE;
        assert!(all_reached(&caught));
        caught.reached.remove("torn-head");
        assert!(!all_reached(&caught));
        caught.tally.states = WHOLE - 1;
        assert!(all_reached(&caught), "a short run demands nothing");
    }

    #[test]
    fn a_few_workloads_keep_their_promises_and_repeat_exactly() {
        for seed in 1..4 {
            let (one, end, _) = guarded(seed, false);
            assert_eq!(end, Ok(()), "seed {seed}");
            assert!(one.states > 100, "{one:?}");
            let (two, ..) = guarded(seed, false);
            assert_eq!(format!("{one:?}"), format!("{two:?}"));
        }
    }
}
