//! Reads Kafka's `server.properties`: the format of Java's Properties, as far as a configuration file uses it.
//! Decides how a line becomes a key and a value; what they mean is the table of keys' affair.

/// Key, value and the line it stood on (from 1).
pub type Entry = (String, String, usize);

/// Takes a file apart. Comments begin with `#` or `!`; a line ending in a backslash goes on in the next; later
/// entries of a key come later in the result.
pub fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let mut line = line.trim_start().to_owned();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        while goes_on(&line) {
            line.pop();
            match lines.next() {
                Some((_, next)) => line.push_str(next.trim_start()),
                None => break,
            }
        }
        let number = index + 1;
        let (key, value) = split(&line);
        let key = unescape(key).map_err(|why| format!("line {number}: {why}"))?;
        let value = unescape(value.trim_end()).map_err(|why| format!("line {number}: {why}"))?;
        entries.push((key, value, number));
    }
    Ok(entries)
}

/// Whether a line ends in an odd number of backslashes.
fn goes_on(line: &str) -> bool {
    line.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
}

/// The key ends at the first `=`, `:` or blank that no backslash precedes.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if !escaped && (c == '=' || c == ':' || c.is_whitespace()) {
            let (key, rest) = line.split_at(at);
            let rest = rest.trim_start();
            let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
            return (key, value.trim_start());
        }
        escaped = c == '\\' && !escaped;
    }
    (line, "")
}

fn unescape(text: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16)
                    .ok()
                    .filter(|_| digits.len() == 4);
                let c = code.and_then(char::from_u32);
                plain.push(c.ok_or_else(|| format!("\\u{digits} names no character"))?);
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    Ok(plain)
}

/// A value as a line of such a file says it.
pub fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for (at, letter) in value.char_indices() {
        match letter {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            '\u{c}' => text.push_str("\\f"),
            ' ' if at == 0 => text.push_str("\\ "),
            letter => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text)
            .unwrap()
            .into_iter()
            .map(|(key, value, _)| (key, value))
            .collect()
    }

    #[test]
    fn keys_end_at_equals_colon_or_blank() {
        let expected = [
            ("a.b", "1"),
            ("c", "2"),
            ("d", "3 4"),
            ("e", ""),
            ("f", "x=y"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(pairs("a.b=1\nc : 2\n d 3 4 \ne\nf = x=y"), expected);
    }

    #[test]
    fn comments_continuations_and_escapes_are_javas() {
        let text =
            "# no\n! no\nlist = a, \\\n    b\\,\nkey\\ with\\:more = \\u0041\\n\npath=C:\\\\x";
        let expected = [
            ("list", "a, b,"),
            ("key with:more", "A\n"),
            ("path", "C:\\x"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(pairs(text), expected);
    }

    #[test]
    fn a_bad_escape_is_named_with_its_line() {
        assert_eq!(
            parse("a=1\nb=\\u12").unwrap_err(),
            "line 2: \\u12 names no character"
        );
    }
}
