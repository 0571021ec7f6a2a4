//! The reference of commands: each one's help, on one page of the documentation. Decides nothing; what a command says of
//! itself is written where its arguments are, and `SAWLOG_BLESS=1` writes it down here again.

use std::path::Path;

use clap::{Command, CommandFactory as _};

const PAGE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../broker/docs/reference/commands.md"
);

fn page() -> String {
    let mut page = String::from(
        "# Commands\n\nWritten by `SAWLOG_BLESS=1 cargo test -p sawlog` from the commands' own help; edit that, not this.\n",
    );
    let mut root = crate::Arguments::command();
    root.build();
    commands(&root, &mut page);
    page
}

fn commands(command: &Command, page: &mut String) {
    let below: Vec<&Command> = command
        .get_subcommands()
        .filter(|below| below.get_name() != "help")
        .collect();
    if below.is_empty() {
        let name = command.get_bin_name().unwrap_or_default().to_owned();
        let help = command
            .clone()
            .term_width(100)
            .render_long_help()
            .to_string();
        let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
        page.push_str(&format!(
            "\n## {name}\n\n```text\n{}\n```\n",
            lines.join("\n")
        ));
    }
    for command in below {
        commands(command, page);
    }
}

#[test]
fn every_command_stands_in_the_reference_as_its_help_says_it() {
    if std::env::var_os("SAWLOG_BLESS").is_some() {
        std::fs::write(PAGE, page()).unwrap();
    }
    let kept = std::fs::read_to_string(Path::new(PAGE)).unwrap_or_default();
    assert_eq!(
        kept,
        page(),
        "{PAGE} is stale: run `cargo dev bless -p sawlog`"
    );
}
