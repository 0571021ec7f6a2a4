//! The import law between crates, and exact versions, read from the Cargo.toml files.
//! Decides who may depend on whom; the pure crates have a closed list, so that no runtime can be named in them.

use std::collections::BTreeMap;

use crate::tree::{self, File};
use crate::{complains, none};

/// What a crate may depend on in what it ships.
struct Law {
    folder: &'static str,
    ours: &'static [&'static str],
    /// `None`: any crate of the workspace's pinned list.
    others: Option<&'static [&'static str]>,
}

const OURS: &[&str] = &[
    "sawlog-wire",
    "sawlog-engine",
    "sawlog-client",
    "sawlog-core",
    "sawlog-broker",
    "sawlog-sim",
    "sawlog",
    "benches",
    "tests",
    "dev",
];

const LAWS: &[Law] = &[
    Law {
        folder: "client/wire",
        ours: &[],
        others: Some(&[
            "bytes", "crc32c", "zstd", "ruzstd", "lz4_flex", "snap", "flate2",
        ]),
    },
    Law {
        folder: "client/engine",
        ours: &["sawlog-wire"],
        others: Some(&["bytes"]),
    },
    Law {
        folder: "client",
        ours: &["sawlog-engine", "sawlog-wire"],
        others: None,
    },
    Law {
        folder: "broker/core",
        ours: &["sawlog-wire"],
        others: Some(&["bytes", "crc32c"]),
    },
    Law {
        folder: "broker",
        ours: &["sawlog-core", "sawlog-wire", "sawlog-client"],
        others: None,
    },
    Law {
        folder: "tools",
        ours: &[
            "sawlog-client",
            "sawlog-wire",
            "sawlog-broker",
            "sawlog-core",
        ],
        others: None,
    },
    Law {
        folder: "tools/dev",
        ours: &["sawlog-wire", "sawlog-core"],
        others: None,
    },
    Law {
        folder: "tests/sim",
        ours: &["sawlog-core", "sawlog-engine", "sawlog-wire"],
        others: None,
    },
    Law {
        folder: "tests",
        ours: OURS,
        others: None,
    },
    Law {
        folder: "benches",
        ours: OURS,
        others: None,
    },
];

/// Section -> (dependency, the rest of its line).
fn sections(text: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut section = String::new();
    for line in text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if let Some((name, value)) = line.split_once('=') {
            let name = name.trim().trim_matches('"');
            let (name, value) = match name.strip_suffix(".workspace") {
                Some(short) => (short, "{ workspace = true }"),
                None => (name, value.trim()),
            };
            found
                .entry(section.clone())
                .or_default()
                .push((name.to_owned(), value.to_owned()));
        }
    }
    found
}

fn check(law: &Law, manifest: &File) -> Vec<String> {
    let mut complaints = Vec::new();
    let path = &manifest.path;
    for (section, rows) in sections(&manifest.text) {
        let dev = section.ends_with("dev-dependencies");
        if section.contains("dependencies.") {
            complaints.push(format!("{path}: [{section}] hides a dependency in a section of its own; write it as one line"));
        }
        if !section.ends_with("dependencies") {
            continue;
        }
        for (name, value) in rows {
            // The client's tests run against the broker in process, by path without a version.
            // A crate may name itself to switch a feature on for its own tests.
            let itself = value.contains("path = \".\"");
            let embedded = dev && (itself || law.folder == "client" && name == "sawlog-broker");
            if !value.contains("workspace = true") && !embedded {
                complaints.push(format!(
                    "{path}: {name} is not taken from the workspace's list"
                ));
            }
            if OURS.contains(&name.as_str()) {
                if !law.ours.contains(&name.as_str()) && !embedded {
                    complaints.push(format!("{path}: the import law has no edge to {name}"));
                }
                if law.folder == "broker"
                    && name == "sawlog-client"
                    && !value.contains("default-features = false")
                {
                    complaints.push(format!(
                        "{path}: {name} comes with default-features = false here"
                    ));
                }
            } else if !dev
                && law
                    .others
                    .is_some_and(|list| !list.contains(&name.as_str()))
            {
                complaints.push(format!(
                    "{path}: {name} is not on the closed list of this pure crate"
                ));
            }
        }
    }
    complaints
}

/// Every version of the workspace's list is exact.
fn pinned(manifest: &File) -> Vec<String> {
    let rows = sections(&manifest.text)
        .remove("workspace.dependencies")
        .unwrap_or_default();
    let loose =
        |(name, value): &(String, String)| !OURS.contains(&name.as_str()) && !value.contains("\"=");
    rows.iter()
        .filter(|row| loose(row))
        .map(|(name, _)| format!("{}: {name} is not pinned with `=`", manifest.path))
        .collect()
}

#[test]
fn crates_depend_only_where_the_import_law_has_an_edge() {
    let manifest = |folder: &str| {
        File::new(
            &format!("{folder}/Cargo.toml"),
            tree::text(&format!("{folder}/Cargo.toml")),
        )
    };
    none(
        LAWS.iter()
            .flat_map(|law| check(law, &manifest(law.folder)))
            .collect(),
    );
}

#[test]
fn every_crate_of_the_workspace_has_a_law() {
    let crates = tree::files()
        .iter()
        .filter_map(|file| file.path.strip_suffix("/Cargo.toml"));
    none(
        crates
            .filter(|folder| !LAWS.iter().any(|law| law.folder == *folder))
            .map(|folder| format!("{folder} has no law in edges.rs"))
            .collect(),
    );
}

#[test]
fn every_version_is_exact() {
    none(pinned(&File::new("Cargo.toml", tree::text("Cargo.toml"))));
}

#[test]
fn a_forbidden_edge_a_runtime_in_the_core_and_a_loose_version_are_seen() {
    let of = |folder: &str, text: &str| {
        let law = LAWS.iter().find(|law| law.folder == folder).expect("a law");
        check(law, &File::new("Cargo.toml", text))
    };
    none(of(
        "broker/core",
        "[dependencies]\nsawlog-wire.workspace = true\nbytes.workspace = true\n[dev-dependencies]\nproptest.workspace = true\n",
    ));
    complains(
        &of(
            "broker/core",
            "[dependencies]\nsawlog-broker.workspace = true\n",
        ),
        "no edge to sawlog-broker",
    );
    complains(
        &of("broker/core", "[dependencies]\ntokio.workspace = true\n"),
        "tokio is not on the closed list",
    );
    complains(
        &of("broker/core", "[dependencies.tokio]\nworkspace = true\n"),
        "section of its own",
    );
    complains(
        &of(
            "tests/sim",
            "[dependencies]\nsawlog-broker = { workspace = true }\n",
        ),
        "no edge to sawlog-broker",
    );
    complains(
        &of("broker", "[dependencies]\nsawlog-client.workspace = true\n"),
        "default-features = false",
    );
    complains(
        &of("broker", "[dependencies]\nbytes = \"1\"\n"),
        "bytes is not taken from the workspace",
    );
    none(of(
        "client",
        "[dev-dependencies]\nsawlog-broker = { path = \"../broker\" }\n",
    ));
    complains(
        &pinned(&File::new(
            "Cargo.toml",
            "[workspace.dependencies]\nbytes = \"1.2\"\n",
        )),
        "bytes is not pinned",
    );
}
