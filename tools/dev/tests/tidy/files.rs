//! What every file looks like: a head that says what it decides, a size one can read, nothing unfinished or private.
//! Decides by text alone; what belongs into which crate is `layers.rs`, `edges.rs` and `purity.rs`.

use crate::lexer::{has_word, shipped};
use crate::tree::{self, File};
use crate::{complains, none};

const LINES_MAX: usize = 800;
/// Tests are read one at a time.
const TEST_LINES_MAX: usize = 1000;

/// One line for what a file decides, one for what it leaves to others.
const HEAD_LINES_MIN: usize = 2;
/// The heads of messages name key, versions and KIPs instead, in as many lines as that takes.
const MESSAGES: &str = "client/wire/src/messages/";
/// Two lines' worth of words: fewer cannot say both what a file decides and what it leaves to others.
const HEAD_MIN: usize = 80;
/// A file of tests decides nothing; it says whose tests they are.
const TEST_HEAD_MIN: usize = 30;

fn head(file: &File) -> Option<String> {
    // A crate that is not begun yet has nothing to say.
    if file.text.lines().count() < 4 {
        return None;
    }
    let told: Vec<&str> = file
        .text
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let words: usize = told.iter().copied().map(str::len).sum();
    let least = if is_test(&file.path) {
        TEST_HEAD_MIN
    } else {
        HEAD_MIN
    };
    let lines = if file.path.starts_with(MESSAGES) {
        1
    } else {
        HEAD_LINES_MIN
    };
    (words < least || told.len() < lines).then(|| {
        format!(
            "{}: its first two lines (//!) say what it decides and what it never does",
            file.path
        )
    })
}

fn size(file: &File) -> Option<String> {
    let lines = file.text.lines().count();
    let most = if is_test(&file.path) {
        TEST_LINES_MAX
    } else {
        LINES_MAX
    };
    (lines > most).then(|| format!("{}: {lines} lines; over {most} a file is split", file.path))
}

/// Marks of unfinished work in what is shipped.
fn finished(file: &File) -> Vec<String> {
    let marks = ["todo!", "unimplemented!", "dbg!"];
    let ignored = concat!("#[ign", "ore");
    let mut complaints: Vec<String> = Vec::new();
    for (n, line) in shipped(&file.text).lines().enumerate() {
        for mark in marks
            .iter()
            .filter(|mark| has_word(line, mark.trim_end_matches('!')) && line.contains(**mark))
        {
            complaints.push(format!("{}:{}: `{mark}`", file.path, n + 1));
        }
    }
    for (n, line) in crate::lexer::code(&file.text).lines().enumerate() {
        if line.contains(ignored) {
            complaints.push(format!(
                "{}:{}: a test that is skipped holds nothing",
                file.path,
                n + 1
            ));
        }
    }
    complaints
}

/// Output belongs to the tools; the broker and the client speak through their logs and answers.
fn silent(file: &File) -> Vec<String> {
    if !(file.path.starts_with("broker/") || file.path.starts_with("client/"))
        || is_test(&file.path)
    {
        return Vec::new();
    }
    let loud = ["println", "eprintln", "print", "eprint"];
    shipped(&file.text)
        .lines()
        .enumerate()
        .filter(|(_, line)| {
            loud.iter()
                .any(|word| has_word(line, word) && line.contains(&format!("{word}!")))
        })
        .map(|(n, _)| format!("{}:{}: printing is for tools/", file.path, n + 1))
        .collect()
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs")
        || path.contains("/tests/")
        || path.contains("/fuzz/")
        || path.contains("/examples/")
}

/// A path that exists on one machine only means nothing to whoever clones the repository.
fn private(file: &File) -> Vec<String> {
    let needles = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("../sha", "red/"),
        concat!("bash", "_jobs"),
    ];
    let mut complaints = Vec::new();
    for (n, line) in file.text.lines().enumerate() {
        for needle in needles.iter().filter(|needle| line.contains(**needle)) {
            complaints.push(format!(
                "{}:{}: {needle:?} leads out of the repository",
                file.path,
                n + 1
            ));
        }
    }
    complaints
}

#[test]
fn every_file_says_what_it_decides() {
    none(tree::rust().filter_map(head).collect());
}

#[test]
fn no_file_is_too_long_to_read() {
    none(tree::rust().filter_map(size).collect());
}

#[test]
fn nothing_is_left_unfinished_or_skipped() {
    none(tree::rust().flat_map(finished).collect());
}

#[test]
fn only_tools_print() {
    none(tree::rust().flat_map(silent).collect());
}

#[test]
fn no_path_leads_out_of_the_repository() {
    none(tree::files().iter().flat_map(private).collect());
}

#[test]
fn a_headless_a_long_an_unfinished_a_loud_and_a_private_file_are_seen() {
    let file = |text: &str| File::new("broker/src/x.rs", text);
    let decides = "//! Decides when a record counts as replicated.\n";
    let never = "//! Never talks to a follower itself: asks through effects.\n";
    let body = "fn a() {}\n\nfn b() {}\n";
    assert_eq!(head(&file(&format!("{decides}{never}{body}"))), None);
    assert!(head(&file(&format!("{decides}{body}"))).is_some());
    assert!(head(&file(&format!("{body}{decides}{never}"))).is_some());
    assert!(head(&file(&format!("//! Decides.\n//! Never.\n{body}"))).is_some());
    // Words enough, and in one line: an empty line is none, and tests need two as well.
    let long = format!("//! {}\n//!\n{body}", "It decides. ".repeat(9));
    assert!(head(&file(&long)).is_some());
    assert!(head(&File::new("broker/tests/x.rs", &long)).is_some());
    assert_eq!(head(&File::new(&format!("{MESSAGES}x.rs"), &long)), None);
    assert_eq!(size(&file(&"\n".repeat(LINES_MAX))), None);
    assert!(size(&file(&"\n".repeat(LINES_MAX + 1))).is_some());
    complains(&finished(&file("fn a() { todo!() }")), "`todo!`");
    complains(
        &finished(&file(&format!("{}]\nfn a() {{}}", concat!("#[ign", "ore")))),
        "skipped",
    );
    none(finished(&file("// todo!\nfn todo() {}")));
    complains(&silent(&file("fn a() {\n println!(\"\");\n}")), "x.rs:2");
    none(silent(&File::new(
        "tools/src/x.rs",
        "fn a() { println!(\"\"); }",
    )));
    complains(
        &private(&file(&format!("// see {}", concat!("/wo", "rk/x")))),
        "leads out",
    );
}
