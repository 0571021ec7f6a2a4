//! The layout of every message is the one that was compared with Kafka 4.4, field by field.
//!
//! `layout.snap` is a print of all declarations. A change of one shows here as a diff; after
//! comparing it with Kafka, `SAWLOG_BLESS=1 cargo test -p sawlog-wire --test layout` accepts it.

use std::{fmt::Write, fs};

use sawlog_wire::registry;

#[test]
fn the_layout_of_every_message_is_the_one_compared_with_kafka() {
    let mut print = String::new();
    for entry in registry::all() {
        writeln!(print, "{entry}").unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/layout.snap");
    if std::env::var_os("SAWLOG_BLESS").is_some() {
        fs::write(path, &print).unwrap();
    }
    let known = fs::read_to_string(path).unwrap_or_default();
    for (line, (now, then)) in print.lines().zip(known.lines()).enumerate() {
        assert_eq!(now, then, "layout.snap:{}", line + 1);
    }
    assert_eq!(
        print.lines().count(),
        known.lines().count(),
        "messages came or went"
    );
}

#[test]
fn tagged_fields_stand_last_and_ascend() {
    for entry in registry::all() {
        let mut tags: Vec<i64> = Vec::new();
        for row in entry.layout.rows {
            tags.push(row.rules.tag.map_or(-1, i64::from));
        }
        assert!(tags.is_sorted(), "{}", entry.name);
    }
}
