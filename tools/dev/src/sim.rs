//! `cargo dev sim`: the simulator, optimised but with every assertion on.
//! Decides only the build: the known bugs are compiled in for `mutants`, and for nothing else.

use anyhow::Result;

use crate::run::{Rest, cargo, to_end};

pub(crate) fn run(rest: &Rest) -> Result<()> {
    let mut call = simulator();
    if rest.words.first().is_some_and(|word| word == "mutants") {
        call.args(["--features", "mutants"]);
    }
    to_end(call.arg("--").args(&rest.words))
}

/// Builds the simulator where needed and runs it; the caller adds `--` and its words.
pub(crate) fn simulator() -> std::process::Command {
    cargo([
        "run",
        "--quiet",
        "--profile",
        "sim",
        "--package",
        "sawlog-sim",
        "--bin",
        "sawlog-sim",
    ])
}
