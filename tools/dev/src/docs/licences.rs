//! What others wrote of the one binary: each crate that is linked into it, the licence that we take of those it offers, and
//! the words that must go with a copy. Decides which licences may be taken; one that offers none of them is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{cell, head};
use crate::run::cargo;

/// What is shipped is built for this; what is linked differs by target.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Those that may be taken, the most wanted first: our own asks for no words beside its text, which lies in LICENSE, as long as
/// its crate has no file NOTICE.
const TAKEN: &[&str] = &[
    "Apache-2.0",
    "Unlicense",
    "MIT",
    "BSD-3-Clause",
    "BSD-2-Clause",
    "Zlib",
    "Unicode-3.0",
];

/// Licences that need no words in a copy beside what lies in the repository.
const SILENT: &[&str] = &["Apache-2.0", "Unlicense"];

/// Sources of another language inside of a crate, with a licence of their own.
const INSIDE: &[(&str, &str)] = &[
    ("libmimalloc-sys", "c_src/mimalloc/v3/LICENSE"),
    ("zstd-sys", "zstd/LICENSE"),
];

/// A crate of others.
struct Crate {
    name: String,
    version: String,
    licence: String,
    folder: PathBuf,
}

pub(super) fn page() -> Result<String> {
    let mut page = head("What others wrote of the binary", "Cargo.lock");
    page.push_str(&format!(
        "The crates that are linked into `sawlog` for {TARGET}, and the licence that is taken of those that each offers. The texts \
         that must go with a copy of the binary stand below; that of Apache-2.0 is `LICENSE`.\n\n\
         | Crate | Version | Offered | Taken |\n|---|---|---|---|\n"
    ));
    // By text, so that one which many share stands here once.
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in crates()? {
        let named = format!("{} {}", one.name, one.version);
        let taken = taken(&one.licence)
            .with_context(|| format!("{named} offers {}, and none of it is taken", one.licence))?;
        page.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            one.name,
            one.version,
            cell(&one.licence),
            taken.join(" and ")
        ));
        let silent = taken.iter().all(|taken| SILENT.contains(taken));
        for text in words(&one, silent)? {
            texts.entry(text).or_default().push(named.clone());
        }
    }
    let mut texts: Vec<(Vec<String>, String)> =
        texts.into_iter().map(|(text, who)| (who, text)).collect();
    texts.sort();
    for (who, text) in texts {
        page.push_str(&format!(
            "\n## {}\n\n```text\n{text}\n```\n",
            who.join(", ")
        ));
    }
    Ok(page)
}

/// Those of others that are linked into the binary, by name; macros and what builds run are not in it.
fn crates() -> Result<Vec<Crate>> {
    let edges = "normal,no-proc-macro";
    let tree = ["tree", "--package", "sawlog", "--edges", edges];
    let tree = said(cargo(tree).args(["--prefix", "none", "--target", TARGET, "--format", "{p}"]))?;
    let metadata = [
        "metadata",
        "--format-version",
        "1",
        "--filter-platform",
        TARGET,
    ];
    let metadata: Value = serde_json::from_str(&said(&mut cargo(metadata))?)?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    let mut all = Vec::new();
    for package in packages.context("cargo metadata tells no packages")? {
        let text = |key| package.get(key).and_then(Value::as_str);
        let (Some(name), Some(version)) = (text("name"), text("version")) else {
            continue;
        };
        // Ours have no source but this tree.
        let linked = format!("{name} v{version}");
        if text("source").is_none() || !tree.lines().any(|line| is_of(line, &linked)) {
            continue;
        }
        let manifest = text("manifest_path").with_context(|| format!("{linked} lies nowhere"))?;
        let folder = Path::new(manifest).parent().unwrap_or(Path::new(""));
        all.push(Crate {
            name: name.to_owned(),
            version: version.to_owned(),
            licence: text("license").unwrap_or_default().to_owned(),
            folder: folder.to_owned(),
        });
    }
    ensure!(!all.is_empty(), "cargo tree names no crate of others");
    all.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(all)
}

/// A line of `cargo tree`: name and version, and perhaps more behind a space.
fn is_of(line: &str, named: &str) -> bool {
    let rest = line.strip_prefix(named);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

fn said(call: &mut Command) -> Result<String> {
    let output = call.output().context("start cargo")?;
    let why = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo failed: {why}");
    Ok(String::from_utf8(output.stdout)?)
}

/// The words that must go with a copy: its licences', unless they ask for none, and its NOTICE.
fn words(one: &Crate, silent: bool) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(&one.folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let upper = name.to_ascii_uppercase();
        let licence = ["LICENSE", "LICENCE", "COPYING"];
        let licence = !silent && licence.iter().any(|begin| upper.starts_with(begin));
        if licence || upper.starts_with("NOTICE") {
            names.push(name);
        }
    }
    names.sort();
    let inside = INSIDE.iter().filter(|(name, _)| *name == one.name);
    names.extend(inside.map(|(_, path)| (*path).to_owned()));
    ensure!(
        silent || !names.is_empty(),
        "{} has no file with its licence",
        one.name
    );
    let read = |name: &String| {
        let at = one.folder.join(name);
        let text = fs::read_to_string(&at).with_context(|| at.display().to_string())?;
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        Ok(lines.join("\n").trim_matches('\n').to_owned())
    };
    names.iter().map(read).collect()
}

/// What is taken of an SPDX expression: of alternatives the one that is wanted most; none if there is none.
fn taken(expression: &str) -> Option<Vec<&'static str>> {
    // The old way to say OR.
    let spaced = expression.replace('/', " OR ");
    let spaced = spaced.replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let found = any_of(&mut words)?;
    words.next().is_none().then_some(found).flatten()
}

type Words<'w> = std::iter::Peekable<std::str::SplitWhitespace<'w>>;
/// What is taken of a part, if anything can be.
type Part = Option<Vec<&'static str>>;

/// None if it is no expression.
fn any_of(words: &mut Words<'_>) -> Option<Part> {
    let mut best = all_of(words)?;
    while words.next_if_eq(&"OR").is_some() {
        let next = all_of(words)?;
        let rank = |part: &Part| {
            let last = |names: &Vec<_>| {
                let at = |name: &&str| TAKEN.iter().position(|taken| taken == name);
                names.iter().filter_map(at).max()
            };
            part.as_ref().and_then(last).unwrap_or(usize::MAX)
        };
        if rank(&next) < rank(&best) {
            best = next;
        }
    }
    Some(best)
}

fn all_of(words: &mut Words<'_>) -> Option<Part> {
    let mut all = one_of(words)?;
    while words.next_if_eq(&"AND").is_some() {
        let next = one_of(words)?;
        all = all.zip(next).map(|(mut all, mut next)| {
            all.append(&mut next);
            all
        });
    }
    Some(all)
}

fn one_of(words: &mut Words<'_>) -> Option<Part> {
    match words.next()? {
        "(" => {
            let inner = any_of(words)?;
            words.next_if_eq(&")").map(|_| inner)
        }
        name => {
            let known = TAKEN.iter().find(|taken| **taken == name);
            // What an exception allows is not looked into.
            if words.next_if_eq(&"WITH").is_some() {
                words.next()?;
                return Some(None);
            }
            Some(known.map(|known| vec![*known]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_offered_the_most_wanted_is_taken_and_nothing_that_is_not_listed() {
        for (offered, expected) in [
            ("MIT", Some(&["MIT"][..])),
            ("MIT OR Apache-2.0", Some(&["Apache-2.0"])),
            ("MIT/Apache-2.0", Some(&["Apache-2.0"])),
            ("GPL-3.0-only OR Zlib", Some(&["Zlib"])),
            ("MIT AND Apache-2.0", Some(&["MIT", "Apache-2.0"])),
            (
                "(MIT OR Apache-2.0) AND Unicode-3.0",
                Some(&["Apache-2.0", "Unicode-3.0"]),
            ),
            (
                "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
                Some(&["Apache-2.0"]),
            ),
            ("GPL-3.0-only", None),
            ("MIT AND GPL-3.0-only", None),
            ("(MIT OR Apache-2.0) AND AGPL-3.0-only", None),
            ("Apache-2.0 WITH Something", None),
            ("", None),
            ("MIT OR", None),
            ("(MIT", None),
            ("MIT Apache-2.0", None),
        ] {
            assert_eq!(taken(offered).as_deref(), expected, "{offered:?}");
        }
    }

    #[test]
    fn a_crate_is_told_from_one_whose_version_begins_alike() {
        assert!(is_of("snap v1.1.2", "snap v1.1.2"));
        assert!(is_of("snap v1.1.2 (*)", "snap v1.1.2"));
        assert!(!is_of("snap v1.1.20", "snap v1.1.2"));
    }
}
