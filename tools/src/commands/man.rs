//! `sawlog man`: a page of the manual for each command, in a directory. Decides how examples and exit codes stand on a page;
//! what a page says is what the command's own help says.

use std::io;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::Man;

use crate::exit::{Exit, Failure, say};

/// When what the pages say last changed, as pages of a manual tell it.
const DATE: &str = "2026-11-22";

/// Write the manual: a page for each command.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog man man1        then: man -l man1/sawlog-produce.1

Exit codes: 0 done, 1 failed, 2 usage.")]
pub(crate) struct Arguments {
    /// A directory, made if it is not there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, mut root: Command) -> Result<Exit, Failure> {
    root.build();
    let shown = arguments.directory.display();
    std::fs::create_dir_all(&arguments.directory)
        .and_then(|()| write(&root, &arguments.directory))
        .map_err(|error| {
            let what = format!("cannot write the manual to {shown}");
            let next = "Name a directory that may be written to";
            Failure::told(Exit::Failed, what, error.to_string(), next)
        })?;
    say(&format!("wrote the manual to {shown}"));
    Ok(Exit::Done)
}

/// Writes the page of a command and those of the commands below it.
fn write(command: &Command, to: &Path) -> io::Result<()> {
    let (name, text) = page(command)?;
    std::fs::write(to.join(name), text)?;
    for below in command.get_subcommands() {
        write(below, to)?;
    }
    Ok(())
}

/// The name of the file, and what stands in it.
fn page(command: &Command) -> io::Result<(String, Vec<u8>)> {
    let man = Man::new(command.clone())
        .date(DATE)
        .source(concat!("Sawlog ", env!("CARGO_PKG_VERSION")))
        .manual("Sawlog");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    if command.get_arguments().next().is_some() {
        man.render_options_section(&mut text)?;
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let more = command.get_after_help().map(ToString::to_string);
    for part in more.unwrap_or_default().split("\n\n") {
        if let Some(examples) = part.strip_prefix("Examples:\n") {
            text.extend_from_slice(b".SH EXAMPLES\n.nf\n");
            for line in examples.lines() {
                text.extend_from_slice(escaped(line.trim_start()).as_bytes());
            }
            text.extend_from_slice(b".fi\n");
        } else if let Some(codes) = part.strip_prefix("Exit codes: ") {
            text.extend_from_slice(b".SH \"EXIT STATUS\"\n");
            let words = codes.split_whitespace().collect::<Vec<_>>().join(" ");
            text.extend_from_slice(escaped(&words).as_bytes());
        }
    }
    Ok((man.get_filename(), without_breaks(&text)))
}

/// A break beside an empty line breaks nothing, and mandoc says so.
fn without_breaks(text: &[u8]) -> Vec<u8> {
    let (stop, newline): (&[u8], &[u8]) = (b".br\n", b"\n");
    let mut lines: Vec<&[u8]> = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if line == newline && lines.last().is_some_and(|last| *last == stop) {
            lines.pop();
        }
        if line != stop || lines.last().is_none_or(|last| *last != newline) {
            lines.push(line);
        }
    }
    lines.concat()
}

/// A line as roff takes it for nothing but itself.
fn escaped(line: &str) -> String {
    let text = line.replace('\\', "\\e").replace('-', "\\-");
    let text = text.replace('\'', "\\(aq").replace('`', "\\(ga");
    match text.starts_with('.') {
        true => format!("\\&{text}\n"),
        false => format!("{text}\n"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn each(command: &Command, with: &mut impl FnMut(&Command)) {
        with(command);
        for below in command.get_subcommands() {
            each(below, with);
        }
    }

    #[test]
    fn every_command_has_a_page_with_all_that_its_help_says() {
        let mut root = crate::Arguments::command();
        root.build();
        each(&root, &mut |command| {
            let (name, text) = page(command).unwrap();
            let text = String::from_utf8(text).unwrap();
            assert!(name.starts_with("sawlog") && name.ends_with(".1"), "{name}");
            let plain = text
                .replace("\\-", "-")
                .replace("\\(aq", "'")
                .replace("\\e", "\\");
            let help = command.get_after_help().map(ToString::to_string);
            for line in help
                .unwrap_or_default()
                .lines()
                .filter(|line| line.starts_with("  "))
            {
                assert!(plain.contains(line.trim()), "{name}: {line}\n{plain}");
            }
            for argument in command.get_arguments().filter_map(|one| one.get_long()) {
                assert!(
                    plain.contains(&format!("--{argument}")),
                    "{name}: {argument}"
                );
            }
        });
    }

    #[test]
    fn what_would_be_a_command_of_roff_is_text() {
        assert_eq!(
            escaped(".x 'a' \\n -b `c`"),
            "\\&.x \\(aqa\\(aq \\en \\-b \\(gac\\(ga\n"
        );
    }
}
