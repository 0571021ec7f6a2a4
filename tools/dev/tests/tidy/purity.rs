//! What the pure crates may not name: a clock, a thread, a file, a socket, chance, or a map without an order.
//! Decides by words outside of comments, strings and test code; the closed list of crates is in `edges.rs`.

use crate::lexer::{has_word, shipped};
use crate::tree::{self, File};
use crate::{complains, none};

const PURE: &[&str] = &["broker/core/src/", "client/wire/src/", "client/engine/src/"];

/// The word, and what it would bring in.
const FORBIDDEN: &[(&str, &str)] = &[
    ("SystemTime", "a clock"),
    ("Instant", "a clock"),
    ("std::time", "a clock"),
    ("std::thread", "a thread"),
    ("thread_local", "a thread"),
    ("Mutex", "a lock"),
    ("RwLock", "a lock"),
    ("HashMap", "an order that depends on the process"),
    ("HashSet", "an order that depends on the process"),
    ("std::fs", "a file"),
    ("std::net", "a socket"),
    ("std::env", "the environment"),
    ("std::process", "a process"),
    ("tokio", "a runtime"),
    ("async", "a runtime"),
    ("rand", "chance"),
    ("thread_rng", "chance"),
];

fn check(file: &File) -> Vec<String> {
    if !PURE.iter().any(|folder| file.path.starts_with(folder)) {
        return Vec::new();
    }
    let shipped = shipped(&file.text);
    let mut complaints = Vec::new();
    for (n, line) in shipped.lines().enumerate() {
        for (word, brings) in FORBIDDEN {
            if has_word(line, word) {
                complaints.push(format!(
                    "{}:{}: `{word}` brings {brings} into a pure crate",
                    file.path,
                    n + 1
                ));
            }
        }
    }
    complaints
}

/// A file that only tests include is test code as a whole.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

#[test]
fn pure_crates_name_no_clock_thread_file_or_unordered_map() {
    none(
        tree::rust()
            .filter(|file| !is_test(&file.path))
            .flat_map(check)
            .collect(),
    );
}

#[test]
fn core_and_engine_are_no_std_outside_of_tests() {
    let attributes = [
        "#![cfg_attr(not(test), no_std)]",
        // The known bugs of test builds are switched per thread, which needs std.
        "#![cfg_attr(not(any(test, feature = \"mutants\")), no_std)]",
    ];
    none(
        ["broker/core/src/lib.rs", "client/engine/src/lib.rs"]
            .iter()
            .filter(|path| tree::text(path).lines().count() >= 4)
            .filter(|path| !attributes.iter().any(|a| tree::text(path).contains(a)))
            .map(|path| format!("{path} is not no_std"))
            .collect(),
    );
}

#[test]
fn a_clock_and_an_unordered_map_are_seen() {
    let of = |text: &str| check(&File::new("broker/core/src/log.rs", text));
    none(of(
        "// Instant\nlet s = \"HashMap\"; let operand = 1;\n#[cfg(test)]\nmod tests { use std::time::Instant; }\n",
    ));
    complains(
        &of("fn f() {\n let a = Instant::now();\n}"),
        "log.rs:2: `Instant`",
    );
    complains(&of("use std::collections::HashMap;"), "`HashMap`");
    complains(&of("async fn f() {}"), "`async`");
    none(check(&File::new(
        "broker/src/shard_loop.rs",
        "use std::time::Instant;",
    )));
}
