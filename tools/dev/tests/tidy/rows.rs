//! The table of invariants against the tree: a row that is due names its holder, a test that exists, and its mutants.
//! Decides what a due row must show; what the rows mean is told in `broker/docs/invariants.md`.

use std::collections::BTreeSet;

use crate::tree::{self, File};
use crate::{complains, none};

const TABLE: &str = "broker/docs/invariants.md";

/// The stages in their order; rows of those up to [`REACHED`] are due.
const STAGES: &[&str] = &[
    "foundation",
    "node",
    "cluster",
    "groups",
    "transactions",
    "share groups",
    "security",
];
const REACHED: &str = "node";

/// Due rows whose test has not landed yet. Only ever shortened; empty when the stage is closed.
const AWAITING: &[u16] = &[];

/// One row of the table.
#[derive(Clone, Debug, Default)]
struct Row {
    number: u16,
    stage: String,
    holders: Vec<String>,
    tests: Vec<String>,
    awaiting: bool,
    mutants: Vec<String>,
    intention: bool,
}

/// The words between backticks in a cell.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Rows look like `| 11 | foundation | text | `file` | judge | `test` | `mutant` |`.
fn rows(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let Some(number) = cells.first().and_then(|cell| cell.parse().ok()) else {
            continue;
        };
        let [_, stage, _, holder, _, test, mutant] = cells[..] else {
            panic!("{TABLE}: row {number} has {} cells, not 7", cells.len());
        };
        rows.push(Row {
            number,
            stage: stage.to_owned(),
            holders: quoted(holder),
            tests: quoted(test),
            awaiting: test.contains("awaiting"),
            mutants: quoted(mutant),
            intention: mutant.contains("intention"),
        });
    }
    rows
}

fn due(row: &Row) -> bool {
    let at = |stage: &str| STAGES.iter().position(|name| *name == stage);
    at(&row.stage) <= at(REACHED)
}

/// Where a holder's or a story's short path may lie.
const ROOTS: &[&str] = &[
    "",
    "broker/core/src/",
    "broker/src/",
    "client/wire/src/",
    "tests/",
    "tests/sim/src/",
    "tools/src/",
];

fn find<'a>(files: &'a [File], short: &str) -> Option<&'a File> {
    ROOTS.iter().find_map(|root| {
        files
            .iter()
            .find(|file| file.path == format!("{root}{short}"))
    })
}

/// A story's file, or a test function of that name anywhere in the tree.
fn test_exists(files: &[File], name: &str) -> bool {
    if name.contains('/') || name.contains('.') {
        return find(files, name).is_some();
    }
    let function = format!("fn {name}(");
    files
        .iter()
        .any(|file| (file.is_rust() || file.path.ends_with(".py")) && file.text.contains(&function))
}

fn cites(file: &File, number: u16) -> bool {
    let tag = format!("#{number}");
    file.text
        .match_indices(&tag)
        .any(|(at, _)| !file.text[at + tag.len()..].starts_with(|c: char| c.is_ascii_digit()))
}

fn mutant_exists(files: &[File], name: &str) -> bool {
    let literal = format!("\"{name}\"");
    files.iter().any(|file| {
        file.is_rust() && !file.path.starts_with("tools/dev/") && file.text.contains(&literal)
    })
}

fn check(rows: &[Row], files: &[File], awaiting: &[u16]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut say =
        |row: &Row, what: String| complaints.push(format!("{TABLE}: #{} {what}", row.number));
    for row in rows {
        if !STAGES.contains(&row.stage.as_str()) {
            say(row, format!("has no stage called {:?}", row.stage));
        }
        let excused = awaiting.contains(&row.number);
        if row.awaiting != excused {
            say(
                row,
                format!(
                    "is {} in the table, but {} in AWAITING of rows.rs",
                    told(row.awaiting),
                    told(excused)
                ),
            );
        }
        if !due(row) || row.awaiting {
            continue;
        }
        if row.tests.is_empty() {
            say(row, "is due and names no test".to_owned());
        }
        for test in row.tests.iter().filter(|test| !test_exists(files, test)) {
            say(row, format!("names a test that is not there: {test}"));
        }
        if row.holders.is_empty() {
            say(row, "is due and names no file that holds it".to_owned());
        }
        for holder in &row.holders {
            match find(files, holder) {
                None => say(
                    row,
                    format!("is held in a file that is not there: {holder}"),
                ),
                Some(file) if !cites(file, row.number) => {
                    say(row, format!("is not cited in {}", file.path))
                }
                Some(_) => {}
            }
        }
        if row.mutants.is_empty() != row.intention {
            say(
                row,
                "names a mutant or is marked intention, one of the two".to_owned(),
            );
        }
        for mutant in row
            .mutants
            .iter()
            .filter(|mutant| !mutant_exists(files, mutant))
        {
            say(
                row,
                format!("names a mutant that is not in the code: {mutant}"),
            );
        }
    }
    complaints
}

fn told(awaiting: bool) -> &'static str {
    if awaiting { "awaiting" } else { "not awaiting" }
}

/// The line of the table's head that counts what is due: kept true by this test.
fn count(rows: &[Row]) -> String {
    let due: Vec<&Row> = rows.iter().filter(|row| due(row)).collect();
    let awaiting = due.iter().filter(|row| row.awaiting).count();
    let intention = due
        .iter()
        .filter(|row| !row.awaiting && row.intention)
        .count();
    let held = due.len() - awaiting - intention;
    format!(
        "Due: {} rows. Held by a test that a mutant proves: {held}. Intention: {intention}. Awaiting a test: {awaiting}.",
        due.len()
    )
}

#[test]
fn every_due_row_names_a_test_that_exists() {
    let rows = rows(tree::text(TABLE));
    none(check(&rows, tree::files(), AWAITING));
}

#[test]
fn the_numbers_are_1_to_144_and_stable() {
    let numbers: Vec<u16> = rows(tree::text(TABLE))
        .iter()
        .map(|row| row.number)
        .collect();
    assert!(numbers.is_sorted(), "rows stand in order");
    let all: BTreeSet<u16> = numbers.iter().copied().collect();
    assert_eq!(all.len(), numbers.len(), "no number twice");
    assert!(
        (1..=144).all(|n| all.contains(&n)),
        "none of the first 144 is missing"
    );
}

#[test]
fn the_count_at_the_head_is_true() {
    let text = tree::text(TABLE);
    let line = count(&rows(text));
    assert!(text.contains(&line), "{TABLE} must say: {line}");
}

#[test]
fn numbers_cited_in_the_code_exist() {
    let highest = rows(tree::text(TABLE))
        .iter()
        .map(|row| row.number)
        .max()
        .unwrap_or(0);
    let mut complaints = Vec::new();
    for file in tree::rust().filter(|file| !file.path.starts_with("tools/dev/")) {
        for (n, line) in file
            .text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.contains("//"))
        {
            let comment = line.split_once("//").map_or("", |(_, after)| after);
            for part in comment.split(" #").skip(1) {
                let number: String = part.chars().take_while(char::is_ascii_digit).collect();
                if number
                    .parse::<u16>()
                    .is_ok_and(|cited| cited == 0 || cited > highest)
                {
                    complaints.push(format!(
                        "{}:{}: there is no row #{number}",
                        file.path,
                        n + 1
                    ));
                }
            }
        }
    }
    none(complaints);
}

#[test]
fn a_due_row_without_a_test_a_holder_or_a_known_mutant_is_seen() {
    let files = [
        File::new(
            "broker/core/src/log/append.rs",
            "//! Holds #1.\nfn offsets_rise() {}\nconst M: &str = \"gap-in-offsets\";",
        ),
        File::new("broker/core/src/log/append.txt", "a story"),
    ];
    let of = |line: &str| check(&rows(line), &files, &[7]);
    none(of(
        "| 1 | foundation | rise | `log/append.rs` | x | `offsets_rise`, `log/append.txt` | `gap-in-offsets` |",
    ));
    none(of(
        "| 1 | foundation | rise | `log/append.rs` | x | `offsets_rise` | intention |",
    ));
    none(of("| 7 | foundation | rise | - | - | awaiting | - |"));
    none(of("| 9 | cluster | later | - | - | - | - |"));
    complains(
        &of("| 1 | foundation | rise | `log/append.rs` | x | - | intention |"),
        "#1 is due and names no test",
    );
    complains(
        &of("| 1 | foundation | rise | `log/append.rs` | x | `other` | intention |"),
        "not there: other",
    );
    complains(
        &of("| 1 | foundation | rise | - | x | `offsets_rise` | intention |"),
        "names no file that holds it",
    );
    complains(
        &of("| 2 | foundation | rise | `log/append.rs` | x | `offsets_rise` | intention |"),
        "#2 is not cited in",
    );
    complains(
        &of("| 1 | foundation | rise | `log/gone.rs` | x | `offsets_rise` | intention |"),
        "not there: log/gone.rs",
    );
    complains(
        &of("| 1 | foundation | rise | `log/append.rs` | x | `offsets_rise` | `no-such-bug` |"),
        "not in the code: no-such-bug",
    );
    complains(
        &of("| 1 | foundation | rise | `log/append.rs` | x | `offsets_rise` | - |"),
        "one of the two",
    );
    complains(
        &of("| 1 | foundation | rise | - | - | awaiting | - |"),
        "#1 is awaiting in the table, but not awaiting",
    );
    complains(
        &of("| 7 | foundation | rise | `log/append.rs` | x | `offsets_rise` | intention |"),
        "#7 is not awaiting in the table",
    );
    complains(
        &of("| 1 | someday | rise | - | - | - | - |"),
        "no stage called",
    );
    assert!(!cites(&File::new("x.rs", "// #11"), 1), "#11 is not #1");
}
