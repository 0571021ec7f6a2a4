//! Help as people read it: `--help` begins with examples and ends with exit codes, `-h` has neither and fits a screen.
//! Decides that order only; what each command says of itself is written where its arguments are.

use clap::{Command, CommandFactory as _};

/// All commands.
pub(crate) fn root() -> Command {
    examples_first(crate::Arguments::command())
}

fn examples_first(command: Command) -> Command {
    let more = command.get_after_help().map(ToString::to_string);
    let parts = more.as_deref().and_then(|more| more.split_once("\n\n"));
    let command = match parts {
        Some((examples, codes)) => command
            .after_help(None::<&'static str>)
            .before_long_help(examples.to_owned())
            .after_long_help(codes.to_owned()),
        None => command,
    };
    command.mut_subcommands(examples_first)
}
