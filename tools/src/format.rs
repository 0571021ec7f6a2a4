//! Formats of records: `%k: %v\n` to print them by, and to read them by. Decides what a format means; never what a record
//! holds.
//!
//! ```text
//! %v value  %k key  %h headers  %t topic  %p partition  %o offset  %e leader epoch  %d milliseconds since 1970  %% percent
//! \n \r \t \0 \\ \xNN       %v{hex}  %v{base64}
//! ```

use crate::text;

/// What a format names of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Field {
    Value,
    Key,
    Headers,
    Topic,
    Partition,
    Offset,
    Epoch,
    Time,
}

/// How bytes are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Form {
    #[default]
    Plain,
    Hex,
    Base64,
}

impl Form {
    /// Writes bytes.
    pub(crate) fn put(self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Form::Plain => out.extend_from_slice(bytes),
            Form::Hex => out.extend(
                bytes
                    .iter()
                    .flat_map(|byte| format!("{byte:02x}").into_bytes()),
            ),
            Form::Base64 => out.extend_from_slice(text::base64(bytes).as_bytes()),
        }
    }

    /// Reads what [`Form::put`] wrote.
    pub(crate) fn take(self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Form::Plain => Some(bytes.to_vec()),
            Form::Hex => {
                let digit = |byte: &u8| {
                    char::from(*byte)
                        .to_digit(16)
                        .and_then(|digit| u8::try_from(digit).ok())
                };
                let (pairs, rest) = bytes.as_chunks::<2>();
                let pair = |[high, low]: &[u8; 2]| Some(digit(high)? << 4 | digit(low)?);
                rest.is_empty().then(|| pairs.iter().map(pair).collect())?
            }
            Form::Base64 => text::from_base64(std::str::from_utf8(bytes).ok()?),
        }
    }
}

/// A piece of a format.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Piece {
    /// Bytes as they are.
    Bytes(Vec<u8>),
    /// What the record has.
    Field(Field, Form),
}

/// The pieces of a format, or what is wrong with it.
pub(crate) fn parse(format: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut bytes) = (Vec::new(), Vec::new());
    let mut rest = format.chars();
    while let Some(letter) = rest.next() {
        match letter {
            '\\' => bytes.push(escape(&mut rest)?),
            '%' if rest.as_str().starts_with('%') => {
                rest.next();
                bytes.push(b'%');
            }
            '%' => {
                if !bytes.is_empty() {
                    pieces.push(Piece::Bytes(std::mem::take(&mut bytes)));
                }
                let field = field(rest.next())?;
                pieces.push(Piece::Field(field, form(&mut rest)?));
            }
            letter => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    if !bytes.is_empty() {
        pieces.push(Piece::Bytes(bytes));
    }
    Ok(pieces)
}

fn field(letter: Option<char>) -> Result<Field, String> {
    Ok(match letter {
        Some('v') => Field::Value,
        Some('k') => Field::Key,
        Some('h') => Field::Headers,
        Some('t') => Field::Topic,
        Some('p') => Field::Partition,
        Some('o') => Field::Offset,
        Some('e') => Field::Epoch,
        Some('d') => Field::Time,
        Some(other) => return Err(format!("%{other} means nothing")),
        None => return Err("it ends with a %".to_owned()),
    })
}

fn form(rest: &mut std::str::Chars<'_>) -> Result<Form, String> {
    let Some(inside) = rest.as_str().strip_prefix('{') else {
        return Ok(Form::Plain);
    };
    let (name, behind) = inside.split_once('}').ok_or("a { without its }")?;
    *rest = behind.chars();
    match name {
        "hex" => Ok(Form::Hex),
        "base64" => Ok(Form::Base64),
        _ => Err(format!("{{{name}}} is neither {{hex}} nor {{base64}}")),
    }
}

fn escape(rest: &mut std::str::Chars<'_>) -> Result<u8, String> {
    Ok(match rest.next() {
        Some('n') => b'\n',
        Some('r') => b'\r',
        Some('t') => b'\t',
        Some('0') => 0,
        Some('\\') => b'\\',
        Some('x') => {
            let digits = rest
                .as_str()
                .get(..2)
                .and_then(|digits| u8::from_str_radix(digits, 16).ok());
            let byte = digits.ok_or("\\x is followed by two hexadecimal digits")?;
            rest.nth(1);
            byte
        }
        Some(other) => return Err(format!("\\{other} means nothing")),
        None => return Err("it ends with a \\".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_bytes_and_fields() {
        let pieces = parse("%k{hex}: %v\\n\\x41%%").unwrap();
        assert_eq!(
            pieces,
            [
                Piece::Field(Field::Key, Form::Hex),
                Piece::Bytes(b": ".to_vec()),
                Piece::Field(Field::Value, Form::Plain),
                Piece::Bytes(b"\nA%".to_vec()),
            ]
        );
    }

    #[test]
    fn what_means_nothing_is_named() {
        for (format, why) in [
            ("%q", "%q means nothing"),
            ("%", "ends with a %"),
            ("%v{oct}", "neither"),
            ("%v{hex", "without its }"),
            ("\\q", "\\q means nothing"),
            ("\\x4", "two hexadecimal"),
            ("\\", "ends with a \\"),
        ] {
            let said = parse(format).unwrap_err();
            assert!(said.contains(why), "{format:?}: {said}");
        }
    }

    #[test]
    fn each_form_is_read_back() {
        for form in [Form::Plain, Form::Hex, Form::Base64] {
            let mut out = Vec::new();
            form.put(b"\x00\xffa", &mut out);
            assert_eq!(
                form.take(&out).as_deref(),
                Some(&b"\x00\xffa"[..]),
                "{form:?}"
            );
        }
        assert_eq!(Form::Hex.take(b"0"), None);
        assert_eq!(Form::Hex.take(b"0g"), None);
    }
}
