//! How a chore starts another program: from the workspace's root, in the open, failing when it fails.
//! Decides nothing about what is run.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

/// Words handed on to another program as they are.
#[derive(clap::Args)]
pub(crate) struct Rest {
    /// Handed on as they are; `--help` among them shows the other program's own
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<String>,
}

/// The workspace's root: this crate lies two folders below it.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// A call of the same cargo that started this program.
pub(crate) fn cargo<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Command {
    let mut call = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    call.current_dir(root()).args(words);
    call
}

/// Runs to the end; an exit code other than zero is an error that names the command.
pub(crate) fn to_end(call: &mut Command) -> Result<()> {
    let shown = show(call);
    let status = call.status().with_context(|| format!("start `{shown}`"))?;
    ensure!(status.success(), "`{shown}` ended with {status}");
    Ok(())
}

/// One named part of a longer chore, with its time.
pub(crate) fn step(name: &str, call: &mut Command) -> Result<()> {
    say(&format!("-- {name}: {}", show(call)));
    let begun = Instant::now();
    to_end(call).with_context(|| name.to_owned())?;
    say(&format!(
        "-- {name}: ok, {:.1} s",
        begun.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// A line for the person at the terminal. Standard error, so that a tool's own output stays whole.
pub(crate) fn say(line: &str) {
    // A closed terminal is no reason to fail a chore.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn show(call: &Command) -> String {
    let program = Path::new(call.get_program())
        .file_name()
        .unwrap_or(call.get_program());
    let mut line = program.to_string_lossy().into_owned();
    for word in call.get_args() {
        line.push(' ');
        line.push_str(&word.to_string_lossy());
    }
    line
}
