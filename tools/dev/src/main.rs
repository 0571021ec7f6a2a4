//! `cargo dev`: every chore of developing Sawlog, one file each.
//! Decides which chore runs; never how the product behaves, and nothing here is shipped.

#![forbid(unsafe_code)]

use clap::{Parser, Subcommand};

mod bench;
mod bless;
mod check;
mod docs;
mod enumerate;
mod fuzz;
mod run;
mod sim;
mod test;

/// Chores of developing Sawlog.
#[derive(Parser)]
#[command(
    name = "cargo dev",
    bin_name = "cargo dev",
    version,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Format, lints, tidy, documentation and generated pages: what must hold before a commit
    Check(check::Args),
    /// Every test that this host has means for
    Test(test::Args),
    /// The simulator: run --seeds N --from SEED | replay SEED | twice SEED | reached | mutants [--only NAME]
    Sim(run::Rest),
    /// The crash enumerator of the storage engine
    Enumerate(run::Rest),
    /// Load against any broker that speaks Kafka's protocol, with ratios to its peers
    Bench(run::Rest),
    /// Hostile bytes against every decoder
    Fuzz(run::Rest),
    /// Write the generated pages under broker/docs/reference, and build the crates' own documentation
    Docs(docs::Args),
    /// Rewrite snapshots and stories with what the code says now, to be read as a diff
    Bless(bless::Args),
}

fn main() -> std::process::ExitCode {
    let done = match Cli::parse().chore {
        Chore::Check(args) => check::run(&args),
        Chore::Test(args) => test::run(&args),
        Chore::Sim(rest) => sim::run(&rest),
        Chore::Enumerate(rest) => enumerate::run(&rest),
        Chore::Bench(rest) => bench::run(&rest),
        Chore::Fuzz(rest) => fuzz::run(&rest),
        Chore::Docs(args) => docs::run(&args),
        Chore::Bless(args) => bless::run(&args),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(why) => {
            run::say(&format!("cargo dev: {why:#}"));
            std::process::ExitCode::FAILURE
        }
    }
}
