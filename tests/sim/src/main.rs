//! Runs the simulator and the crash enumerator from the command line.
//! Decides which seeds, which known bug, how much is shown; judges nothing itself.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::{Parser, Subcommand};
use sawlog_sim::enumerate;
use sawlog_sim::mutants::{Fate, MUTANTS, hunt};
use sawlog_sim::run::{Report, run};

/// A world of faults from one seed.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run many seeds
    Run {
        /// How many
        #[arg(long, default_value_t = 100)]
        seeds: u64,
        /// The first of them
        #[arg(long, default_value_t = 1)]
        from: u64,
    },
    /// Run many seeds and list the dangerous places that they reached
    Reached {
        /// How many
        #[arg(long, default_value_t = 50)]
        seeds: u64,
    },
    /// Put known bugs back one at a time; each must be caught
    Mutants {
        /// Only the bug of this name
        #[arg(long)]
        only: Option<String>,
        /// Seeds to try for each
        #[arg(long, default_value_t = 200)]
        seeds: u64,
        /// Only every fourth, beginning with this one (0 to 3)
        #[arg(long)]
        quarter: Option<usize>,
    },
    /// Crash the storage engine alone at very many points of small workloads
    Enumerate {
        /// How many crashes; 1 runs one workload and shows everything that happens in it
        #[arg(long, default_value_t = 100_000)]
        states: u64,
        /// The first workload's seed
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// Put the engine's known bugs back one at a time; each must be caught within so many crashes
        #[arg(long)]
        mutants: bool,
        /// Only the bug of this name
        #[arg(long)]
        only: Option<String>,
    },
    /// Run one seed and show everything that happens
    Replay {
        /// Which
        seed: u64,
        /// Show only what broke
        #[arg(long)]
        quiet: bool,
    },
    /// Run one seed twice and compare every effect's bytes (#143)
    Twice {
        /// Which
        seed: u64,
    },
}

fn main() -> ExitCode {
    let good = match Arguments::parse().command {
        Command::Run { seeds, from } => many(seeds, from, false),
        Command::Reached { seeds } => many(seeds, 1, true),
        Command::Mutants {
            only,
            seeds,
            quarter,
        } => mutants(only.as_deref(), seeds, quarter),
        Command::Enumerate {
            states,
            from,
            mutants: false,
            ..
        } => enumerate::enumerate(states, from),
        Command::Enumerate {
            states, from, only, ..
        } => enumerate::mutants(states, from, only.as_deref()),
        Command::Replay { seed, quiet } => {
            let report = run(seed, !quiet);
            say(&format!("{report:#?}"));
            report.violations.is_empty()
        }
        Command::Twice { seed } => {
            let (one, two) = (run(seed, false), run(seed, false));
            say(&format!("{:016x} {:016x}", one.trace, two.trace));
            one.trace == two.trace
        }
    };
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn many(seeds: u64, from: u64, names: bool) -> bool {
    let next = AtomicU64::new(from);
    let reports: Mutex<Vec<Report>> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        return;
                    }
                    let report = run(seed, false);
                    for violation in &report.violations {
                        say(&format!(
                            "seed {seed}: rule {} {}: {}",
                            violation.rule, violation.name, violation.text
                        ));
                    }
                    if let Ok(mut all) = reports.lock() {
                        all.push(report);
                    }
                }
            });
        }
    });
    let reports = reports.into_inner().unwrap_or_default();
    let bad: Vec<u64> = reports
        .iter()
        .filter(|one| !one.violations.is_empty())
        .map(|one| one.seed)
        .collect();
    let vacuous = reports
        .iter()
        .filter_map(|one| Some((one.seed, one.vacuous()?)))
        .collect::<Vec<_>>();
    let mut faults: BTreeMap<&str, u64> = BTreeMap::new();
    for (kind, n) in reports.iter().flat_map(|one| &one.faults) {
        *faults.entry(kind).or_default() += n;
    }
    let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>();
    say(&format!(
        "{} seeds: {} acknowledged, {} read, {} starts, {} excused, {} doubts, {} refusals; faults {faults:?}",
        reports.len(),
        sum(|one| one.acknowledged),
        sum(|one| one.read),
        sum(|one| one.starts),
        sum(|one| one.excused),
        sum(|one| one.doubts),
        sum(|one| u64::from(one.refused)),
    ));
    if names {
        let mut reached: BTreeMap<&str, u64> = BTreeMap::new();
        for (name, n) in reports.iter().flat_map(|one| &one.reached) {
            *reached.entry(name).or_default() += n;
        }
        for (name, n) in reached {
            say(&format!("{n:>10}  {name}"));
        }
    }
    for (seed, why) in vacuous.iter().take(5) {
        say(&format!("seed {seed} proves nothing: {why}"));
    }
    if let Some(seed) = bad.iter().min() {
        say(&format!(
            "{} seeds broke a rule; the first: cargo dev sim replay {seed}",
            bad.len()
        ));
    }
    bad.is_empty() && vacuous.is_empty()
}

fn mutants(only: Option<&str>, seeds: u64, quarter: Option<usize>) -> bool {
    // A stopped assertion is a catch; its words would hide the table.
    std::panic::set_hook(Box::new(|_| {}));
    let (mut caught, mut escaped) = (0, 0);
    for (index, mutant) in MUTANTS.iter().enumerate() {
        let wanted = only.is_none_or(|name| name == mutant.name)
            && quarter.is_none_or(|q| index % 4 == q % 4);
        if !wanted {
            continue;
        }
        match hunt(mutant, seeds) {
            Fate::Caught(seed, tried, how) => {
                caught += 1;
                say(&format!(
                    "{:4} {:28} caught at seed {seed} ({tried} tried) by {how}",
                    mutant.id, mutant.name
                ));
            }
            Fate::NeverFired(seeds) => {
                escaped += 1;
                say(&format!(
                    "{:4} {:28} NEVER FIRED in {seeds} seeds",
                    mutant.id, mutant.name
                ));
            }
            Fate::Missed(fired) => {
                escaped += 1;
                say(&format!(
                    "{:4} {:28} MISSED, it fired {fired} times",
                    mutant.id, mutant.name
                ));
            }
        }
    }
    say(&format!("{caught} passed, {escaped} failed"));
    escaped == 0 && caught > 0
}

fn say(text: &str) {
    // Whoever reads may have seen enough.
    let _ = writeln!(std::io::stdout(), "{text}");
}
