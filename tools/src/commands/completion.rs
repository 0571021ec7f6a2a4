//! `sawlog completion`: what a shell needs to complete words of these commands. Decides nothing: the arguments say which
//! words there are, and each shell has its own way to be told.

use clap_complete::Shell;

use crate::exit::{Exit, Failure};
use crate::show::Show;

/// Print what a shell needs to complete words of these commands.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog completion bash > sawlog.bash        then: source sawlog.bash
  sawlog completion zsh > _sawlog             in a directory of $fpath
  sawlog completion fish > sawlog.fish        in ~/.config/fish/completions

Exit codes: 0 done, 1 failed, 2 usage.")]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, mut root: clap::Command) -> Result<Exit, Failure> {
    // In memory first: what writes it knows no reader that is gone.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut root, "sawlog", &mut script);
    let mut show = Show::out();
    show.raw(&script)?;
    show.end()?;
    Ok(Exit::Done)
}
