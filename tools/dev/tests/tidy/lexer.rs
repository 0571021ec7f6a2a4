//! Rust source with its comments, strings and test code blanked out, line for line.
//! Decides what counts as code; knows no rule. Good enough for rustfmt's output, not a parser.

/// The text with comments and the insides of literals as blanks; lines stay where they were.
pub(crate) fn code(text: &str) -> String {
    let from: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let peek = |at: usize| from.get(at).copied().unwrap_or('\0');
    let blank = |c: char| if c == '\n' { '\n' } else { ' ' };
    while at < from.len() {
        let word_before = at > 0 && (peek(at - 1).is_alphanumeric() || peek(at - 1) == '_');
        match peek(at) {
            '/' if peek(at + 1) == '/' => {
                while at < from.len() && peek(at) != '\n' {
                    out.push(' ');
                    at += 1;
                }
            }
            '/' if peek(at + 1) == '*' => {
                let mut depth = 0;
                while at < from.len() {
                    let pair = (peek(at), peek(at + 1));
                    let step = if pair == ('/', '*') || pair == ('*', '/') {
                        2
                    } else {
                        1
                    };
                    depth += i32::from(pair == ('/', '*')) - i32::from(pair == ('*', '/'));
                    (at..at + step).for_each(|n| out.push(blank(peek(n))));
                    at += step;
                    if depth == 0 {
                        break;
                    }
                }
            }
            'r' | 'b' if !word_before && raw_hashes(&from, at).is_some() => {
                let (start, hashes) = raw_hashes(&from, at).unwrap_or((at + 1, 0));
                let closing: String = std::iter::once('"')
                    .chain(std::iter::repeat_n('#', hashes))
                    .collect();
                let rest: String = from.iter().skip(start).collect();
                let inside = rest
                    .find(&closing)
                    .map_or(rest.chars().count(), |end| rest[..end].chars().count());
                (at..(start + inside + closing.len()).min(from.len()))
                    .for_each(|n| out.push(blank(peek(n))));
                at = start + inside + closing.len();
            }
            '"' => {
                out.push(' ');
                at += 1;
                while at < from.len() && peek(at) != '"' {
                    let step = if peek(at) == '\\' { 2 } else { 1 };
                    (at..at + step).for_each(|n| out.push(blank(peek(n))));
                    at += step;
                }
                out.push(' ');
                at += 1;
            }
            // A char literal, not a lifetime.
            '\'' if peek(at + 1) == '\\' || (peek(at + 2) == '\'' && peek(at + 1) != '\'') => {
                out.push(' ');
                at += 1;
                while at < from.len() && peek(at) != '\'' {
                    let step = if peek(at) == '\\' { 2 } else { 1 };
                    (0..step).for_each(|_| out.push(' '));
                    at += step;
                }
                out.push(' ');
                at += 1;
            }
            other => {
                out.push(other);
                at += 1;
            }
        }
    }
    out
}

/// Where a raw string's text starts and how many hashes close it.
fn raw_hashes(from: &[char], at: usize) -> Option<(usize, usize)> {
    let mut next = at;
    if from.get(next) == Some(&'b') {
        next += 1;
    }
    if from.get(next) != Some(&'r') {
        return None;
    }
    next += 1;
    let hashes = from.iter().skip(next).take_while(|c| **c == '#').count();
    (from.get(next + hashes) == Some(&'"')).then_some((next + hashes + 1, hashes))
}

/// Attributes whose item is in no build that ships.
const UNSHIPPED: &[&str] = &[
    "#[cfg(feature = \"mutants\")]",
    "#[cfg(any(test, feature = \"mutants\"))]",
];

/// What [`code`] gives, with every item of test builds blanked out too.
pub(crate) fn shipped(text: &str) -> String {
    let text = UNSHIPPED.iter().fold(text.to_owned(), |text, attribute| {
        text.replace(attribute, "#[cfg(test)]")
    });
    let mut code = code(&text);
    while let Some(start) = code.find("#[cfg(test)]") {
        let bytes = code.as_bytes();
        let mut depth = 0_i32;
        let mut end = bytes.len();
        // The item ends at its closing brace, or at a semicolon outside of braces and brackets.
        for (n, byte) in bytes.iter().enumerate().skip(start + "#[cfg(test)]".len()) {
            match byte {
                b'{' | b'(' | b'[' => depth += 1,
                b'}' | b')' | b']' => {
                    depth -= 1;
                    if depth == 0 && *byte == b'}' {
                        end = n + 1;
                        break;
                    }
                }
                b';' if depth == 0 => {
                    end = n + 1;
                    break;
                }
                _ => {}
            }
        }
        let blanked: String = code[start..end]
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        code.replace_range(start..end, &blanked);
    }
    code
}

/// Whether `word` stands in `line` as a word of its own.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !(before.is_some_and(part) || after.is_some_and(part) && word.ends_with(part))
    })
}

#[test]
fn comments_strings_and_chars_are_no_code() {
    let text = "let a = \"use crate::x\"; // crate::y\n/* crate::z\n*/ let c = '\"'; let d = r#\"crate::\"q\"#; fn f<'a>() {}";
    let code = code(text);
    assert!(!code.contains("crate"), "{code}");
    assert!(code.contains("let d"), "{code}");
    assert!(code.contains("fn f<'a>() {}"), "{code}");
    assert_eq!(code.lines().count(), text.lines().count());
}

#[test]
fn test_code_is_not_shipped() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    use std::collections::HashMap;\n}\nfn b() {}\n#[cfg(feature = \"mutants\")]\nmod more;\nfn c() {}\n";
    let shipped = shipped(text);
    assert!(
        !shipped.contains("HashMap") && !shipped.contains("more"),
        "{shipped}"
    );
    assert!(
        shipped.contains("fn a") && shipped.contains("fn b") && shipped.contains("fn c"),
        "{shipped}"
    );
}

#[test]
fn a_word_is_not_its_neighbour() {
    assert!(has_word("let x: HashMap<u8, u8>", "HashMap"));
    assert!(!has_word("let x: MyHashMap", "HashMap"));
    assert!(has_word("std::thread::spawn", "std::thread"));
    assert!(!has_word("std::threads", "std::thread"));
}
