//! `cargo dev sim`: the simulator, optimised but with every assertion on.
//! Decides only the build: one for all of its commands, with the known bugs compiled in and all of them off
//! until one is named, so that what `run` proves and what `mutants` catches is the same program.

use anyhow::Result;

use crate::run::{Rest, cargo, to_end};

pub(crate) fn run(rest: &Rest) -> Result<()> {
    to_end(simulator().arg("--").args(&rest.words))
}

/// Builds the simulator where needed and runs it; the caller adds `--` and its words.
pub(crate) fn simulator() -> std::process::Command {
    let mut call = cargo(["run", "--quiet", "--profile", "sim"]);
    call.args(["--package", "sawlog-sim", "--bin", "sawlog-sim"]);
    call.args(["--features", "mutants"]);
    call
}
