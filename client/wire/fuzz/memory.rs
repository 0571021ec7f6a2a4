//! How much memory a byte of a message can become. Decides the bound of each message from its layout
//! (#128): for a list the size of an element over the least bytes one takes on the wire. A list inside
//! an element may claim for the same bytes once more, before the bytes turn out not to be there: so
//! what stands inside one another is added up.

use sawlog_wire::layout::Layout;
use sawlog_wire::primitives::Type;
use sawlog_wire::registry::Entry;

/// The same for a list of unknown tagged fields: number and bytes of one, over its least two bytes.
const TAG: usize = size_of::<sawlog_wire::primitives::Tag>().div_ceil(2);

/// Bytes of memory for each byte of this message, in the worst of its versions.
pub(crate) fn per_byte(entry: &Entry) -> usize {
    let of = |version| {
        let flexible = entry.flexible.contains(version);
        worst(entry.layout, version, flexible)
    };
    entry.versions.iter().map(of).max().unwrap_or(1).max(1)
}

/// The dearest list in a structure, the tagged fields at its end among them.
fn worst(layout: &Layout, version: i16, flexible: bool) -> usize {
    let rows = layout
        .rows
        .iter()
        .filter(|row| row.rules.carried.contains(version));
    let lists = rows
        .map(|row| dear(row.kind, version, flexible))
        .max()
        .unwrap_or(0);
    if flexible { lists.max(TAG) } else { lists }
}

fn dear(kind: Type, version: i16, flexible: bool) -> usize {
    match kind {
        Type::Array(of) => {
            let element = memory(*of).div_ceil(least(*of, version, flexible));
            element + dear(*of, version, flexible)
        }
        Type::Struct(layout) => worst(layout, version, flexible),
        _ => 0,
    }
}

/// Bytes that one value takes in a list.
fn memory(kind: Type) -> usize {
    match kind {
        Type::Bool | Type::Int8 => 1,
        Type::Int16 | Type::Uint16 => 2,
        Type::Int32 => 4,
        Type::Int64 | Type::Float64 => 8,
        Type::Uuid => 16,
        Type::String => size_of::<String>(),
        Type::Bytes => size_of::<bytes::Bytes>(),
        Type::Records => size_of::<sawlog_wire::Pieces>(),
        Type::Array(_) => size_of::<Vec<u8>>(),
        Type::Struct(layout) => layout.memory,
    }
}

/// The least bytes that one value takes on the wire.
fn least(kind: Type, version: i16, flexible: bool) -> usize {
    match kind {
        Type::Bool | Type::Int8 => 1,
        Type::Int16 | Type::Uint16 => 2,
        Type::Int32 => 4,
        Type::Int64 | Type::Float64 => 8,
        Type::Uuid => 16,
        Type::String if !flexible => 2,
        Type::Bytes | Type::Records | Type::Array(_) if !flexible => 4,
        Type::String | Type::Bytes | Type::Records | Type::Array(_) => 1,
        Type::Struct(layout) => {
            let rows = layout.rows.iter().filter(|row| row.rules.tag.is_none());
            let rows = rows.filter(|row| row.rules.carried.contains(version));
            // A structure that may be null is one byte when it is.
            let of = |row: &sawlog_wire::layout::Row| match row.kind {
                Type::Struct(_) if row.rules.nullable.contains(version) => 1,
                kind => least(kind, version, flexible),
            };
            rows.map(of).sum::<usize>() + usize::from(flexible)
        }
    }
}
