//! `cargo dev bless`: snapshots and stories rewritten with what the code says now.
//! Decides only that `SAWLOG_BLESS=1` is set; each test that holds a file rewrites its own, and the diff is read by a person.

use anyhow::Result;

use crate::run::{cargo, step};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this package
    #[arg(short, long)]
    package: Option<String>,
    /// Handed to cargo test: a name to filter by
    filter: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut call = cargo(["test"]);
    match &args.package {
        Some(name) => call.args(["--package", name]),
        None => call.arg("--workspace"),
    };
    step("bless", call.args(&args.filter).env("SAWLOG_BLESS", "1"))
}
