//! The reference of commands: each one's `--help`, on one page of the documentation, and each one's `-h`. Decides nothing;
//! what a command says of itself is written where its arguments are, and `SAWLOG_BLESS=1` writes it down again.

use std::path::Path;

use clap::Command;

const PAGE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../broker/docs/reference/commands.md"
);

fn page() -> String {
    let mut page = String::from(
        "# Commands\n\nWritten by `SAWLOG_BLESS=1 cargo test -p sawlog` from the commands' own help; edit that, not this.\n",
    );
    let mut root = crate::help::root();
    root.build();
    commands(&root, &mut page);
    page
}

/// What `-h` says.
const SHORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/help.txt");

/// Lines and columns of a screen.
const SCREEN: (usize, usize) = (40, 100);

fn short(command: &Command, page: &mut String) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let help = command.clone().render_help().to_string();
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    // A line that is longer than the screen is wide takes several.
    let takes = |line: &&str| line.chars().count().div_ceil(SCREEN.1).max(1);
    let rows: usize = lines.iter().map(takes).sum();
    assert!(rows < SCREEN.0, "{name} -h takes {rows} rows of a screen");
    page.push_str(&format!("$ {name} -h\n{}\n\n", lines.join("\n")));
    for below in command.get_subcommands() {
        short(below, page);
    }
}

fn commands(command: &Command, page: &mut String) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let mut own = command.clone().term_width(100);
    let help = own.render_long_help().to_string();
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    page.push_str(&format!(
        "\n## {name}\n\n```text\n{}\n```\n",
        lines.join("\n")
    ));
    for below in command.get_subcommands() {
        commands(below, page);
    }
}

fn is_kept(path: &str, page: &str) {
    if std::env::var_os("SAWLOG_BLESS").is_some() {
        std::fs::write(path, page).unwrap();
    }
    let kept = std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    assert_eq!(
        kept, page,
        "{path} is stale: run `cargo dev bless -p sawlog`"
    );
}

#[test]
fn every_command_stands_in_the_reference_as_its_help_says_it() {
    is_kept(PAGE, &page());
}

#[test]
fn every_short_help_fits_a_screen_and_is_what_is_written_down() {
    let mut root = crate::help::root();
    root.build();
    let mut page = String::new();
    short(&root, &mut page);
    is_kept(SHORT, page.trim_end_matches('\n'));
}
