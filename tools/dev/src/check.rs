//! `cargo dev check`: what must hold before a commit, quickest first.
//! Decides the list and its order; never mends anything by itself, except formatting when asked.

use anyhow::Result;

use crate::run::{cargo, step};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Let rustfmt rewrite the files instead of complaining
    #[arg(long)]
    fix: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let fmt: &[&str] = if args.fix {
        &["fmt", "--all"]
    } else {
        &["fmt", "--all", "--check"]
    };
    step("format", &mut cargo(fmt))?;
    step(
        "tidy",
        &mut cargo(["test", "--quiet", "--package", "dev", "--test", "tidy"]),
    )?;
    step(
        "lints",
        &mut cargo([
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "-D",
            "warnings",
        ]),
    )?;
    crate::docs::rustdoc()?;
    crate::docs::fresh()
}
