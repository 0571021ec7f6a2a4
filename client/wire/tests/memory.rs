//! What a message may claim follows from the length of its bytes: at most c x length + 64 KiB
//! (#128, #129), with c known from its layout.
//!
//! Memory is claimed for lists, tagged fields and texts. An item of a list takes at least `least`
//! bytes of its own on the wire, so c is the largest ratio of an item's memory to that.

#[path = "../fuzz/counting.rs"]
mod counting;

#[global_allocator]
static COUNTING: counting::Counting = counting::Counting;

use std::{collections::BTreeMap, fmt::Write as _, io::Write as _};

use bytes::Bytes;
use sawlog_wire::{
    Writer,
    layout::{Layout, Row},
    primitives::{At, Tag, Type},
    random::Dice,
    registry,
};

const FLOOR: usize = 64 * 1024;

/// Memory of an item, and the least bytes of it on the wire.
fn item(kind: &Type, at: At) -> (usize, usize) {
    match kind {
        Type::Bool | Type::Int8 => (1, 1),
        Type::Int16 | Type::Uint16 => (2, 2),
        Type::Int32 => (4, 4),
        Type::Int64 | Type::Float64 => (8, 8),
        Type::Uuid => (16, 16),
        Type::String => (size_of::<String>(), if at.flexible { 1 } else { 2 }),
        Type::Bytes => (size_of::<Bytes>(), if at.flexible { 1 } else { 4 }),
        Type::Records => (
            size_of::<sawlog_wire::Pieces>(),
            if at.flexible { 1 } else { 4 },
        ),
        Type::Array(_) => (size_of::<Vec<u8>>(), if at.flexible { 1 } else { 4 }),
        Type::Struct(layout) => (layout.memory, minimal(layout, at).len()),
    }
}

/// Fields in the body of this version.
fn body(layout: &Layout, at: At) -> impl Iterator<Item = &Row> {
    let carried = move |row: &&Row| row.rules.carried.contains(at.version);
    layout
        .rows
        .iter()
        .filter(carried)
        .filter(|row| row.rules.tag.is_none())
}

/// The largest ratio of memory to bytes of anything that a list can hold.
fn ratio(layout: &Layout, at: At) -> usize {
    let mut most = if at.flexible {
        size_of::<Tag>().div_ceil(2)
    } else {
        1
    };
    for row in layout
        .rows
        .iter()
        .filter(|row| row.rules.carried.contains(at.version))
    {
        let mut kind = row.kind;
        while let Type::Array(of) = kind {
            let (memory, least) = item(of, at);
            most = most.max(memory.div_ceil(least));
            kind = *of;
        }
        if let Type::Struct(inner) = kind {
            most = most.max(ratio(inner, at));
        }
    }
    most
}

/// The shortest bytes of a structure: all lists empty, no tags.
fn minimal(layout: &Layout, at: At) -> Vec<u8> {
    let mut bytes = Vec::new();
    body(layout, at).for_each(|row| bytes.extend(shortest(row, at)));
    bytes.extend(at.flexible.then_some(0));
    bytes
}

fn shortest(row: &Row, at: At) -> Vec<u8> {
    let nullable = row.rules.nullable.contains(at.version);
    match row.kind {
        Type::Struct(_) if nullable => vec![0xff],
        Type::Struct(layout) => minimal(layout, at),
        Type::String | Type::Bytes | Type::Records | Type::Array(_) if at.flexible => vec![1],
        Type::String => vec![0; 2],
        Type::Bytes | Type::Records | Type::Array(_) => vec![0; 4],
        plain => vec![0; item(&plain, at).1],
    }
}

/// For each list of a structure, at any depth: bytes in which it has `count` of the shortest items.
fn stuffed(layout: &Layout, at: At, count: usize) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let rows: Vec<&Row> = body(layout, at).collect();
    for (place, row) in rows.iter().enumerate() {
        let fillings = match row.kind {
            Type::Array(of) => {
                let mut fillings = vec![list(count, &one(of, at).repeat(count), at)];
                if let Type::Struct(inner) = of {
                    let deeper = stuffed(inner, at, count).into_iter();
                    fillings.extend(deeper.map(|item| list(1, &item, at)));
                }
                fillings
            }
            _ => continue,
        };
        for filling in fillings {
            let mut bytes = Vec::new();
            for (other, row) in rows.iter().enumerate() {
                bytes.extend(if other == place {
                    filling.clone()
                } else {
                    shortest(row, at)
                });
            }
            bytes.extend(at.flexible.then_some(0));
            all.push(bytes);
        }
    }
    all
}

fn one(kind: &Type, at: At) -> Vec<u8> {
    match kind {
        Type::Struct(layout) => minimal(layout, at),
        Type::String | Type::Bytes | Type::Records | Type::Array(_) if at.flexible => vec![1],
        plain => vec![0; item(plain, at).1],
    }
}

fn list(count: usize, items: &[u8], at: At) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.count(Some(count), at).expect("few items");
    writer.slice(items);
    writer.finish().into_bytes().to_vec()
}

/// Bytes with some of them changed: lengths lie, texts break, versions do not fit.
fn damaged(bytes: &Bytes, dice: &mut Dice) -> Bytes {
    let mut damaged = bytes.to_vec();
    for _ in 0..=dice.below(3) {
        let at = dice.below(damaged.len().max(1) as u64) as usize;
        let edges = [0, 1, 0x7f, 0x80, 0xff, dice.next() as u8];
        let byte = edges.get(dice.below(6) as usize).copied();
        if at < damaged.len() {
            damaged.splice(at..=at, byte);
        }
    }
    damaged.truncate(if dice.one_in(4) {
        dice.below(damaged.len() as u64 + 1) as usize
    } else {
        usize::MAX
    });
    damaged.into()
}

fn claimed(entry: &registry::Entry, bytes: &Bytes, version: i16) -> usize {
    // The first clone of a frame makes it shared, once.
    let _shared = bytes.clone();
    counting::peak_of(|| {
        let _ = (entry.read)(bytes, version);
    })
    .1
}

#[test]
fn no_bytes_make_a_message_claim_more_than_their_length_allows() {
    let mut dice = Dice::new(46);
    let mut most: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for entry in registry::all() {
        for version in entry.versions.iter() {
            let at = entry.at(version);
            let c = ratio(entry.layout, at);
            let mut inputs = Vec::new();
            for _ in 0..60 {
                let bytes = (entry.sample)(&mut dice, version);
                inputs.push(damaged(&bytes, &mut dice));
                inputs.push(bytes);
            }
            inputs.extend(
                stuffed(entry.layout, at, 3_000)
                    .into_iter()
                    .map(Bytes::from),
            );
            let seen = most.entry(entry.name).or_default();
            seen.0 = seen.0.max(c);
            for bytes in inputs {
                let claimed = claimed(&entry, &bytes, version);
                let bound = c * bytes.len() + FLOOR;
                let name = entry.name;
                assert!(
                    claimed <= bound,
                    "{name} version {version}: {claimed} of {bound}: {bytes:?}"
                );
                seen.1 = seen
                    .1
                    .max(claimed.saturating_sub(1024) / bytes.len().max(1));
            }
        }
    }
    let mut table = String::from(
        "c x length + 64 KiB; the c of each message, and the most that was reached:\n",
    );
    for (name, (c, reached)) in &most {
        let _ = writeln!(table, "{name:50} {c:4} {reached:4}");
    }
    // Past the test harness, which hides what passing tests print.
    let _ = std::io::stderr().write_all(table.as_bytes());
    // No legal frame is refused for its budget: that allows 48 bytes of memory per byte.
    assert!(most.values().all(|(c, _)| *c <= 48), "{table}");
    // The bound is near: the leanest legal frames reach it, or nearly.
    let (bound, reached) = most
        .values()
        .fold((0, 0), |sum, (c, r)| (sum.0 + c, sum.1 + r));
    assert!(2 * reached > bound, "{reached} of {bound}");
}

#[test]
fn a_long_frame_that_is_kept_holds_its_own_length_and_no_buffer_that_grew_131() {
    for length in [70_000, 300_000, 1 << 20, (1 << 20) + 1, 3_000_000] {
        let mut writer = Writer::new();
        let mut frames = Vec::with_capacity(9);
        let before = writer.len();
        let mut kept = 0;
        for _ in 0..8 {
            (0..length / 10).for_each(|_| writer.slice(&[7; 10]));
            let frame = writer.finish().into_bytes();
            assert!(frame.len() == length / 10 * 10 && frame.iter().all(|byte| *byte == 7));
            kept += frame.len();
            frames.push(frame);
        }
        assert_eq!(writer.len(), before);
        let freed = counting::freed_by(|| drop(frames));
        let own = counting::freed_by(|| drop(writer));
        assert!(freed <= kept + 4_096, "{freed} bytes for {kept}");
        assert!(own <= 1 << 20, "the writer kept {own}");
    }
}
