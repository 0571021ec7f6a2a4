//! The reference of our own file formats: the drawings in the heads of their codecs, put together on one page.
//! Decides which codecs those are; a drawing is changed where its bytes are decided.

use std::fs;

use super::head;
use crate::run::root;

/// The files of ours, and the codec that draws each.
const CODECS: &[(&str, &str)] = &[
    ("A commit in a ring", "commit"),
    ("A sidecar", "sidecar"),
    ("A checkpoint", "checkpoint"),
];

pub(super) fn page() -> String {
    let mut page = head("File formats", "broker/core/src/log/*.rs");
    page.push_str(
        "Segments, metadata log, snapshots, quorum-state, partition.metadata and meta.properties are Kafka's own formats; \
         where each file lies and when it is written stands in `../data-on-disk.md`.\n",
    );
    for (title, codec) in CODECS {
        let file = format!("broker/core/src/log/{codec}.rs");
        let text = fs::read_to_string(root().join(&file)).unwrap_or_default();
        page.push_str(&format!(
            "\n## {title}\n\nFrom `{file}`.\n\n{}",
            drawing(&text)
        ));
    }
    page
}

/// What stands in the head between and around its drawing, without the comment marks.
fn drawing(text: &str) -> String {
    let mut lines = String::new();
    for line in text
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .skip_while(|line| !line.contains("```"))
    {
        lines.push_str(line.strip_prefix(' ').unwrap_or(line));
        lines.push('\n');
    }
    lines
}

#[test]
fn every_format_is_drawn() {
    let page = page();
    for magic in ["SLcm", "SLsc", "SLck"] {
        assert!(page.contains(magic), "{magic} is drawn");
    }
}
