//! Tidy: the rules of the house that no compiler holds, as one plain test each.
//! Decides what a file, an import or a row of the invariants may look like; reads sources and never builds them.

mod edges;
mod files;
mod layers;
mod lexer;
mod purity;
mod rows;
mod tree;

/// One complaint a line, or nothing at all.
#[track_caller]
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The negative half of a rule: it must complain, and about this.
#[track_caller]
fn complains(complaints: &[String], about: &str) {
    assert!(
        complaints.iter().any(|line| line.contains(about)),
        "no complaint about {about:?} in {complaints:?}"
    );
}
