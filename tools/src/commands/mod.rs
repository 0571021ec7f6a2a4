//! One file per command. What they share: how an error looks to people. Decides no answer; each command reads and asks for itself.

use std::io::Write;

pub(crate) mod broker;

/// Prints an error for people on standard error; a reader that is gone is no reason to fail differently.
pub(crate) fn complain(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "sawlog: {error:#}");
}
