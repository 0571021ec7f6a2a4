//! Runs the simulator and the crash enumerator from the command line.
//! Decides which seeds, which known bug, how much is shown; judges nothing itself.

#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::{Parser, Subcommand};
use sawlog_sim::enumerate;
use sawlog_sim::gate::Campaign;
use sawlog_sim::mutants::{Fate, MUTANTS, hunt, rate, twice};
use sawlog_sim::run::{Trace, run};

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
    /// Run many seeds and list the dangerous places that they reached; none may be missing
    Reached {
        /// How many
        #[arg(long, default_value_t = 500)]
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
        /// Try all seeds from 1 on and say how many of them catch it
        #[arg(long)]
        rate: bool,
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
        Command::Mutants { only, seeds, rate } => known_bugs(only.as_deref(), seeds, rate),
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
            let trace = if quiet { Trace::Off } else { Trace::Print };
            let report = run(seed, trace);
            say(&format!("{report:#?}"));
            report.violations.is_empty()
        }
        Command::Twice { seed } => {
            let differs = twice(seed);
            say(differs.as_deref().unwrap_or("the same twice"));
            differs.is_none()
        }
    };
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Does a piece of work for each number from 0 on, on all cores.
fn on_all_cores(of: u64, work: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= of {
                        return;
                    }
                    work(number);
                }
            });
        }
    });
}

fn many(seeds: u64, from: u64, names: bool) -> bool {
    let campaign: Mutex<Campaign> = Mutex::default();
    on_all_cores(seeds, |number| {
        let seed = from + number;
        let report = run(seed, Trace::Off);
        for violation in report.violations.iter().take(3) {
            say(&format!(
                "seed {seed}: rule {} {} ({}): {}",
                violation.rule, violation.name, violation.rows, violation.text
            ));
        }
        let again = Campaign::again(seed);
        if let Ok(mut campaign) = campaign.lock() {
            campaign.add(report, again);
        }
    });
    let campaign = campaign.into_inner().unwrap_or_default();
    let broken = campaign
        .reports
        .iter()
        .filter(|one| !one.violations.is_empty());
    let bad: Vec<u64> = broken.map(|one| one.seed).collect();
    say(&campaign.totals());
    if names {
        for (name, n) in campaign.seen().1 {
            say(&format!("{n:>10}  {name}"));
        }
    }
    let complaints = campaign.complaints();
    for complaint in complaints.iter().take(20) {
        say(complaint);
    }
    if let Some(seed) = bad.iter().min() {
        say(&format!(
            "{} seeds broke a rule; the first: cargo dev sim replay {seed}",
            bad.len()
        ));
    }
    bad.is_empty() && complaints.is_empty()
}

fn known_bugs(only: Option<&str>, seeds: u64, all: bool) -> bool {
    // A stopped assertion is a catch; its words would hide the table.
    std::panic::set_hook(Box::new(|_| {}));
    let wanted: Vec<_> = MUTANTS
        .iter()
        .filter(|mutant| only.is_none_or(|name| name == mutant.name))
        .collect();
    let (caught, escaped) = (AtomicU64::new(0), AtomicU64::new(0));
    on_all_cores(wanted.len() as u64, |number| {
        let Some(mutant) = usize::try_from(number).ok().and_then(|n| wanted.get(n)) else {
            return;
        };
        if all {
            let (n, first) = rate(mutant, seeds);
            let first = first.map_or_else(|| "-".to_owned(), |seed| seed.to_string());
            let text = format!("caught by {n} of {seeds} seeds, first by {first}");
            say(&format!("{:4} {:28} {text}", mutant.id, mutant.name));
            let count = if n > 0 { &caught } else { &escaped };
            count.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let (count, text) = match hunt(mutant, seeds) {
            Fate::Caught(seed, tried, how) => (
                &caught,
                format!("caught at seed {seed} ({tried} tried) by {how}"),
            ),
            Fate::NeverFired(seeds) => (&escaped, format!("NEVER FIRED in {seeds} seeds")),
            Fate::Missed(fired) => (&escaped, format!("MISSED, it fired {fired} times")),
        };
        count.fetch_add(1, Ordering::Relaxed);
        say(&format!("{:4} {:28} {text}", mutant.id, mutant.name));
    });
    let (caught, escaped) = (caught.into_inner(), escaped.into_inner());
    say(&format!("{caught} passed, {escaped} failed"));
    escaped == 0 && caught > 0
}

fn say(text: &str) {
    // Whoever reads may have seen enough.
    let _ = writeln!(std::io::stdout(), "{text}");
}
