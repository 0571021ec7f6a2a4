//! The import law inside the core: every `crate::` path leads to the same module or to a lower level.
//! Decides by `broker/core/layers.txt` alone; paths by `super::` that leave their module count too.

use std::collections::BTreeMap;

use crate::lexer;
use crate::tree::{self, File};
use crate::{complains, none};

const SOURCES: &str = "broker/core/src/";

/// The law's text; empty until the core has its first module.
fn law() -> &'static str {
    let begun = tree::rust()
        .filter(|file| file.path.starts_with(SOURCES))
        .count()
        > 1;
    if begun {
        tree::text("broker/core/layers.txt")
    } else {
        ""
    }
}

/// Module -> level, from the text of `layers.txt`.
fn levels(text: &str) -> BTreeMap<String, u32> {
    let mut levels = BTreeMap::new();
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
    {
        let mut words = line.split_whitespace();
        let level = words.next().and_then(|word| word.parse().ok());
        let level = level.unwrap_or_else(|| panic!("layers.txt: no level in {line:?}"));
        for module in words {
            let twice = levels.insert(module.to_owned(), level);
            assert!(twice.is_none(), "layers.txt names {module} twice");
        }
    }
    levels
}

/// The modules from the crate's root down to a file: `log/append.rs` -> `[log, append]`.
fn modules(path: &str) -> Vec<&str> {
    let path = path.strip_prefix(SOURCES).unwrap_or(path);
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" {
        Vec::new()
    } else {
        path.split('/').collect()
    }
}

/// The top modules of the crate that the code names, by `crate::` or by enough `super::`, with their lines.
fn named(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut inline: Vec<i32> = Vec::new();
    let mut braces = 0;
    let mut line = 1;
    let mut pending_mod = false;
    let mut rest = code;
    let word = |c: char| c.is_alphanumeric() || c == '_';
    while let Some(c) = rest.chars().next() {
        if word(c) {
            let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            let supers = supers(rest);
            if name == "crate" && after.starts_with("::") {
                found.extend(heads(&after[2..]).into_iter().map(|head| (line, head)));
            } else if supers > 0 {
                if supers >= depth + inline.len() {
                    found.extend(
                        heads(&rest["super::".len() * supers..])
                            .into_iter()
                            .map(|head| (line, head)),
                    );
                }
                rest = &rest["super::".len() * supers..];
                continue;
            }
            pending_mod |= name == "mod";
            rest = after;
            continue;
        }
        match c {
            '\n' => line += 1,
            '{' => {
                braces += 1;
                if pending_mod {
                    inline.push(braces);
                }
                pending_mod = false;
            }
            '}' => {
                if inline.last() == Some(&braces) {
                    inline.pop();
                }
                braces -= 1;
            }
            c if !c.is_whitespace() => pending_mod = false,
            _ => {}
        }
        rest = &rest[c.len_utf8()..];
    }
    found
}

/// Modules that the law already places and that have not landed. Only ever shortened.
const COMING: &[&str] = &["api", "controller", "log", "node", "quorum", "replica"];

fn supers(mut rest: &str) -> usize {
    let mut count = 0;
    while let Some(after) = rest.strip_prefix("super::") {
        rest = after;
        count += 1;
    }
    count
}

/// The first name, or all first names of a braced list: `{a::b, c::{d, e}}` -> a, c.
fn heads(path: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(list) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let (mut heads, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => {
                heads.push(name(&list[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

fn check<'a>(files: impl Iterator<Item = &'a File>, levels: &BTreeMap<String, u32>) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.filter(|file| file.path.starts_with(SOURCES)) {
        let modules = modules(&file.path);
        let Some(own) = modules.first() else { continue };
        let Some(level) = levels.get(*own) else {
            complaints.push(format!(
                "{}: module `{own}` has no level in broker/core/layers.txt",
                file.path
            ));
            continue;
        };
        for (line, other) in named(&lexer::code(&file.text), modules.len()) {
            match levels.get(&other) {
                _ if other == *own => {}
                Some(lower) if lower < level => {}
                Some(higher) => complaints.push(format!(
                    "{}:{line}: `{own}` (level {level}) names `{other}` (level {higher}): imports go to lower levels only",
                    file.path
                )),
                // Names of the crate's root are its macros and re-exports, which lie below everything.
                None => {}
            }
        }
    }
    complaints
}

#[test]
fn a_module_of_the_core_imports_lower_levels_only() {
    none(check(tree::rust(), &levels(law())));
}

#[test]
fn every_level_belongs_to_a_module_that_exists() {
    let exists = |module: &str| {
        let file = format!("{SOURCES}{module}.rs");
        let folder = format!("{SOURCES}{module}/");
        COMING.contains(&module)
            || tree::rust().any(|f| f.path == file || f.path.starts_with(&folder))
    };
    let named = levels(law());
    none(
        named
            .keys()
            .filter(|name| !exists(name))
            .map(|name| format!("layers.txt names `{name}`, which is not there"))
            .collect(),
    );
}

#[test]
fn an_upward_a_sideways_and_an_unlisted_import_are_seen() {
    let levels = levels("# law\n0 ids\n1 log marks\n2 node\n");
    let of = |path: &str, text: &str| check([File::new(path, text)].iter(), &levels);
    let log = "broker/core/src/log/append.rs";
    none(of(
        log,
        "use crate::ids::Offset;\nuse crate::log::epoch;\nuse super::spill;\nuse crate::{ids, log::x};\n",
    ));
    none(of(log, "// use crate::node;\nlet x = \"crate::node\";\n"));
    none(of(log, "mod tests {\n use super::super::recover;\n}\n"));
    complains(
        &of(log, "use crate::node::Node;\n"),
        "append.rs:1: `log` (level 1) names `node` (level 2)",
    );
    complains(
        &of(log, "\nuse crate::{ids::Offset, marks::Marks};\n"),
        "append.rs:2: `log` (level 1) names `marks`",
    );
    complains(&of(log, "fn f() { crate::node::go() }\n"), "names `node`");
    complains(&of(log, "use super::super::node;\n"), "names `node`");
    complains(
        &of("broker/core/src/log.rs", "use super::marks;\n"),
        "names `marks`",
    );
    complains(&of("broker/core/src/what.rs", ""), "`what` has no level");
}
