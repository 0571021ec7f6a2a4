//! `cargo dev test`: every test that this host has means for, by plain cargo, those that put known bugs back, and what other
//! people's clients judge.
//! Decides nothing about what a host can do: a test that lacks its means says "not run" itself.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::run::{cargo, root, say, step};

/// Those that have known bugs which their own tests switch on.
const WITH_BUGS: &[&str] = &[
    "sawlog-core",
    "sawlog-wire",
    "sawlog-engine",
    "sawlog-broker",
    "sawlog-sim",
];

/// What `tests/interop/run` cannot do without.
const MEANS: &[&str] = &["python3", "java", "mvn", "kcat"];

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
    )?;
    if args.package.is_some() || !args.words.is_empty() {
        return Ok(());
    }
    interop()
}

/// Other people's clients and tools, where the host has what starts them.
fn interop() -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let here = |name: &&str| std::env::split_paths(&path).any(|dir| dir.join(name).is_file());
    let mut missing: Vec<&str> = MEANS.iter().copied().filter(|name| !here(name)).collect();
    let mut venv = Command::new("python3");
    venv.args(["-c", "import venv, ensurepip"])
        .stderr(Stdio::null());
    if missing.is_empty() && !venv.status().is_ok_and(|status| status.success()) {
        missing.push("python3-venv");
    }
    if !missing.is_empty() {
        say(&format!(
            "-- interop: not run: {} missing",
            missing.join(", ")
        ));
        return Ok(());
    }
    step("broker", cargo(["build", "--release"]).arg("--quiet"))?;
    let target = std::env::var_os("CARGO_TARGET_DIR");
    // A relative one is the workspace's, wherever a story starts the broker.
    let target = root().join(target.map_or_else(|| PathBuf::from("target"), PathBuf::from));
    let mut call = Command::new(root().join("tests/interop/run"));
    call.arg("--binary").arg(target.join("release/sawlog"));
    step("interop", call.current_dir(root()))
}
