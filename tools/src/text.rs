//! Bytes in JSON without loss: text where they are UTF-8, else base64 with a marker beside the field; null and empty differ.
//! Decides that form, which producing reads back; never which fields a record has.

use bytes::Bytes;
use serde_json::{Map, Value};

/// Puts `bytes` under `name`, and `NAME_encoding` beside it when they are no text.
pub(crate) fn put(fields: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    let (value, encoded) = match bytes.map(|bytes| (std::str::from_utf8(bytes), bytes)) {
        None => (Value::Null, false),
        Some((Ok(text), _)) => (Value::from(text), false),
        Some((Err(_), bytes)) => (Value::from(base64(bytes)), true),
    };
    fields.insert(name.to_owned(), value);
    if encoded {
        fields.insert(format!("{name}_encoding"), Value::from("base64"));
    }
}

/// Takes what [`put`] put there: absent and null are null. What cannot be is told.
pub(crate) fn take(fields: &mut Map<String, Value>, name: &str) -> Result<Option<Bytes>, String> {
    let text = match fields.remove(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        Some(other) => return Err(format!("{name} is {other}, and neither a string nor null")),
    };
    match fields.remove(&format!("{name}_encoding")) {
        None | Some(Value::Null) => Ok(Some(text.into())),
        Some(Value::String(encoding)) if encoding == "base64" => match from_base64(&text) {
            Some(bytes) => Ok(Some(bytes.into())),
            None => Err(format!("{name} is no base64")),
        },
        Some(other) => Err(format!("{name}_encoding is {other}; \"base64\" is known")),
    }
}

/// The bytes of RFC 4648 base64, padded; `None` for anything else.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (groups, rest) = text.as_bytes().as_chunks::<4>();
    if !rest.is_empty() {
        return None;
    }
    for (number, group) in groups.iter().enumerate() {
        let pads = group
            .iter()
            .rev()
            .take_while(|letter| **letter == b'=')
            .count();
        if pads > 2 || pads > 0 && number + 1 != groups.len() {
            return None;
        }
        let mut bits = 0_u32;
        for (at, letter) in group.iter().enumerate() {
            let value = LETTERS.iter().position(|known| known == letter);
            let value = if at >= 4 - pads { Some(0) } else { value }?;
            bits = bits << 6 | u32::try_from(value).ok()?;
        }
        let [_, one, two, three] = bits.to_be_bytes();
        bytes.extend([one, two, three].iter().take(3 - pads));
        // Bits that stand for nothing are nothing.
        if bits.trailing_zeros() < 8 * u32::try_from(pads).ok()? {
            return None;
        }
    }
    Some(bytes)
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648 base64, padded.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let letter = LETTERS.get((bits >> (18 - 6 * at) & 63) as usize);
            let letter = letter.filter(|_| at as usize <= chunk.len());
            text.push(letter.map_or('=', |letter| char::from(*letter)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let rows = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, coded) in rows {
            assert_eq!(base64(plain.as_bytes()), coded);
            assert_eq!(from_base64(coded).as_deref(), Some(plain.as_bytes()));
        }
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in [
            "Zg=", "Zg", "Zg=a", "====", "Z===", "Zg==Zg==", "Zh==", "Zm9=", "Zm 9", "Zm9ä",
        ] {
            assert_eq!(from_base64(text), None, "{text:?}");
        }
    }

    #[test]
    fn null_empty_text_and_binary_are_told_apart() {
        let shown = |bytes: Option<&[u8]>| {
            let mut fields = Map::new();
            put(&mut fields, "key", bytes);
            Value::Object(fields).to_string()
        };
        assert_eq!(shown(None), r#"{"key":null}"#);
        assert_eq!(shown(Some(b"")), r#"{"key":""}"#);
        assert_eq!(shown(Some("ä".as_bytes())), r#"{"key":"ä"}"#);
        assert_eq!(
            shown(Some(b"\xff")),
            r#"{"key":"/w==","key_encoding":"base64"}"#
        );
    }
}
