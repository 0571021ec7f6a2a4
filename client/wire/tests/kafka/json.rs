//! Bytes as Kafka's classes print them, read by nothing but the printed layout: a second reader,
//! so that two fields swapped in a declaration show although the bytes come back unchanged.

use sawlog_wire::{
    DecodeError, Reader, Uuid,
    layout::Layout,
    primitives::{At, Type},
};
use serde_json::{Map, Value, json};

/// What the bytes hold, by layout.
pub(crate) fn print(layout: &Layout, reader: &mut Reader<'_>, at: At) -> Value {
    let value = structure(layout, reader, at).expect("our own bytes");
    assert_eq!(reader.left(), 0, "{}", layout.name);
    value
}

/// Names without case and underscores, so that `timeout_ms` is `timeoutMs`. Payloads are left
/// out, because Kafka prints none.
pub(crate) fn plain(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let named = |(name, value)| (folded(name), plain(value));
            let payload = |(name, _): &(&String, &Value)| {
                matches!(folded(name).as_str(), "records" | "unalignedrecords")
            };
            let kept = fields.iter().filter(|field| !payload(field));
            Value::Object(
                kept.map(|(name, value)| named((name, value.clone())))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        plain => plain,
    }
}

pub(crate) fn folded(name: &str) -> String {
    name.trim_start_matches("r#")
        .replace('_', "")
        .to_lowercase()
}

fn structure(layout: &Layout, reader: &mut Reader<'_>, at: At) -> Result<Value, DecodeError> {
    let mut fields = Map::new();
    let carried = || {
        layout
            .rows
            .iter()
            .filter(|row| row.rules.carried.contains(at.version))
    };
    for row in carried().filter(|row| row.rules.tag.is_none()) {
        let nullable = row.rules.nullable.contains(at.version);
        let value = value(&row.kind, nullable, reader, at)?;
        fields.insert(folded(row.name), value);
    }
    if at.flexible {
        for _ in 0..reader.uvarint()? {
            let (number, length) = (reader.uvarint()?, reader.uvarint()? as usize);
            let row = carried().find(|row| row.rules.tag == Some(number));
            let Some(row) = row else {
                reader.take(length)?;
                continue;
            };
            let nullable = row.rules.nullable.contains(at.version);
            let value = reader.within(length, |inner| match &row.kind {
                // Whether it is null is said in another way than outside of tags.
                Type::Struct(_) if nullable && inner.uvarint()? == 0 => Ok(Value::Null),
                kind => {
                    let nullable = nullable && !matches!(kind, Type::Struct(_));
                    value(kind, nullable, inner, at)
                }
            })?;
            fields.insert(folded(row.name), value);
        }
    }
    Ok(Value::Object(fields))
}

fn value(
    kind: &Type,
    nullable: bool,
    reader: &mut Reader<'_>,
    at: At,
) -> Result<Value, DecodeError> {
    Ok(match kind {
        Type::Bool => json!(reader.u8()? != 0),
        Type::Int8 => json!(reader.i8()?),
        Type::Int16 => json!(reader.i16()?),
        Type::Uint16 => json!(reader.u16()?),
        Type::Int32 => json!(reader.i32()?),
        Type::Int64 => json!(reader.i64()?),
        Type::Float64 => json!(reader.f64()?),
        Type::Uuid => json!(Uuid(reader.array()?).to_string()),
        Type::String => match reader.text_length(at)? {
            Some(length) => json!(reader.text(length)?),
            None => Value::Null,
        },
        Type::Bytes | Type::Records => match reader.count(at)? {
            Some(length) => json!(base64(reader.take(length)?)),
            None => Value::Null,
        },
        Type::Array(of) => match reader.count(at)? {
            Some(count) => (0..count)
                .map(|_| value(of, false, reader, at))
                .collect::<Result<_, _>>()?,
            None => Value::Null,
        },
        Type::Struct(_) if nullable && !reader.presence()? => Value::Null,
        Type::Struct(layout) => structure(layout, reader, at)?,
    })
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| {
        let byte = |at: usize| u32::from(*chunk.get(at).unwrap_or(&0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let letter = |at: u32| {
            char::from(
                *LETTERS
                    .get((bits >> (18 - 6 * at) & 63) as usize)
                    .unwrap_or(&b'?'),
            )
        };
        let letters = chunk.len() as u32 + 1;
        (0..4)
            .map(|at| if at < letters { letter(at) } else { '=' })
            .collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}
