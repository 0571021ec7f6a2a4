//! `cargo dev docs`: the crates' own documentation, and the pages written from the code's tables.
//! Decides where a generated page lies and when it is stale; its words come from the table it shows.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use crate::run::{cargo, root, say, step};

mod apis;
mod configuration;
mod errors;
mod formats;
mod licences;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail when a generated page is not what the code says now
    #[arg(long)]
    check: bool,
    /// Only the generated pages, not the crates' own documentation
    #[arg(long)]
    pages: bool,
}

/// The first lines of every generated page.
fn head(title: &str, from: &str) -> String {
    format!("# {title}\n\nWritten by `cargo dev docs` from `{from}`; edit that, not this.\n\n")
}

/// A text inside a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// A page under `broker/docs/reference`, and the table it is written from.
struct Page {
    file: &'static str,
    text: fn() -> Result<String>,
}

const PAGES: &[Page] = &[
    Page {
        file: "configuration.md",
        text: || Ok(configuration::page()),
    },
    Page {
        file: "apis.md",
        text: || Ok(apis::page()),
    },
    Page {
        file: "errors.md",
        text: || Ok(errors::page()),
    },
    Page {
        file: "formats.md",
        text: || Ok(formats::page()),
    },
    Page {
        file: "third-party.md",
        text: licences::page,
    },
];

pub(crate) fn run(args: &Args) -> Result<()> {
    if args.check {
        fresh()?;
    } else {
        write()?;
    }
    if args.pages { Ok(()) } else { rustdoc() }
}

fn write() -> Result<()> {
    for page in PAGES {
        let at = path(page);
        fs::write(&at, (page.text)()?).with_context(|| format!("write {}", at.display()))?;
        say(&format!("wrote broker/docs/reference/{}", page.file));
    }
    Ok(())
}

/// Every public item is documented and every link in the documentation leads somewhere.
pub(crate) fn rustdoc() -> Result<()> {
    step(
        "documentation",
        cargo([
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
        ])
        .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

/// Every generated page is what the code says now.
pub(crate) fn fresh() -> Result<()> {
    for page in PAGES {
        let at = path(page);
        let kept = fs::read_to_string(&at).with_context(|| format!("read {}", at.display()))?;
        ensure!(
            kept == (page.text)()?,
            "broker/docs/reference/{} is stale: run `cargo dev docs`",
            page.file
        );
    }
    Ok(())
}

fn path(page: &Page) -> PathBuf {
    root().join("broker/docs/reference").join(page.file)
}

#[test]
fn generated_pages_are_what_the_code_says_now() {
    fresh().expect("fresh pages");
}
