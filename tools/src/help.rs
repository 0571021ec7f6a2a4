//! Help as people read it: `--help` begins with examples and ends with exit codes, `-h` has neither and fits a screen.
//! Decides that order and how help is asked for; what each command says of itself is written where its arguments are.

use std::ffi::OsString;

use clap::{Arg, Command, CommandFactory as _};

/// All commands.
pub(crate) fn root() -> Command {
    examples_first(crate::Arguments::command())
}

/// `sawlog help topic create` and `sawlog topic help create` for `sawlog topic create --help`.
pub(crate) fn asked_for(mut words: Vec<OsString>) -> Vec<OsString> {
    let root = crate::Arguments::command();
    let (mut command, mut at) = (&root, 1);
    while let Some(word) = words.get(at) {
        if word == "help" && command.has_subcommands() {
            words.remove(at);
            words.push("--help".into());
            return words;
        }
        match word.to_str().and_then(|word| command.find_subcommand(word)) {
            Some(below) => command = below,
            None => break,
        }
        at += 1;
    }
    words
}

/// A variable that is set to nothing says nothing.
fn unless_empty(argument: Arg) -> Arg {
    let empty = argument
        .get_env()
        .and_then(std::env::var_os)
        .is_some_and(|value| value.is_empty());
    match empty {
        true => argument.env(None::<&'static str>),
        false => argument,
    }
}

fn examples_first(command: Command) -> Command {
    let more = command.get_after_help().map(ToString::to_string);
    let (examples, codes) = match more.as_deref() {
        // Of commands that only hold others, each of those says how it ends.
        Some(more) => more.split_once("\n\n").unwrap_or((more, "")),
        None => ("", ""),
    };
    let mut command = command
        .after_help(None::<&'static str>)
        .before_long_help(examples.to_owned());
    if !codes.is_empty() {
        command = command.after_long_help(codes.to_owned());
    }
    command
        .mut_args(unless_empty)
        .mut_subcommands(examples_first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_of_every_command_begins_with_examples_and_no_short_one_has_any() {
        fn each(command: &mut Command) {
            let (long, short) = (command.render_long_help(), command.render_help());
            let name = command.get_name().to_owned();
            assert!(
                long.to_string().starts_with("Examples:\n  sawlog "),
                "{name}: {long}"
            );
            assert!(!short.to_string().contains("Examples"), "{name}: {short}");
            for below in command.get_subcommands_mut() {
                each(below);
            }
        }
        let mut root = root();
        root.build();
        each(&mut root);
    }

    #[test]
    fn help_is_a_word_too() {
        for (asked, means) in [
            ("help", "--help"),
            ("help topic", "topic --help"),
            ("help topic create", "topic create --help"),
            ("topic help create", "topic create --help"),
            ("topic create help", "topic create help"),
            ("produce help", "produce help"),
            ("topic list", "topic list"),
            ("", ""),
        ] {
            let words = |text: &str| -> Vec<OsString> {
                let words = text.split_whitespace().map(OsString::from);
                std::iter::once("sawlog".into()).chain(words).collect()
            };
            assert_eq!(asked_for(words(asked)), words(means), "{asked:?}");
        }
    }
}
