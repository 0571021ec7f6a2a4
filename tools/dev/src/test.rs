//! `cargo dev test`: every test that this host has means for, by plain cargo, and those that put known bugs back.
//! Decides nothing about what a host can do: a test that lacks its means says "not run" itself.

use anyhow::Result;

use crate::run::{cargo, step};

/// Those that have known bugs which their own tests switch on.
const WITH_BUGS: &[&str] = &[
    "sawlog-core",
    "sawlog-wire",
    "sawlog-engine",
    "sawlog-broker",
    "sawlog-sim",
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this package
    #[arg(short, long)]
    package: Option<String>,
    /// Handed to cargo test: a name to filter by, and what follows `--`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut call = cargo(["test"]);
    match &args.package {
        Some(name) => call.args(["--package", name]),
        None => call.arg("--workspace"),
    };
    step("tests", call.args(&args.words))?;
    // The tests that switch a known bug on and demand that it is noticed are compiled only with the bugs.
    let mut call = cargo(["test"]);
    match args.package.as_deref() {
        None => call.args(WITH_BUGS.iter().flat_map(|name| ["--package", name])),
        Some(name) if WITH_BUGS.contains(&name) => call.args(["--package", name]),
        Some(_) => return Ok(()),
    };
    step(
        "known bugs",
        call.args(["--features", "mutants"]).args(&args.words),
    )
}
