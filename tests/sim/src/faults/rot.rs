//! Where damage at rest strikes: what a checksum must cover, and what others rely on. Decides the byte; never what it may
//! cost (`disk::ledger`), nor when it comes (`faults`).
//!
//! Chance alone strikes payload nearly always: of a segment of 100 KiB the bytes that only our own checksum covers are a
//! few hundred (#8).

use crate::disk::Mark;
use crate::rng::Rng;
use crate::world::World;

/// Bytes at the head of a batch that Kafka's own checksum leaves out: base offset, length, epoch, magic.
const OUTSIDE_KAFKA: u64 = 17;
/// A commit's header.
const COMMIT_HEADER: u64 = 80;
/// A sidecar's header, and an entry of it.
const SIDE_HEADER: u64 = 48;
const SIDE_ENTRY: u64 = 72;

/// A byte of a file.
pub(super) type Place = (String, u64);

/// In what lies still: mostly where only a checksum of ours looks.
pub(super) fn at_rest(world: &World, rng: &mut Rng) -> Option<Place> {
    match rng.below(100) {
        0..=19 => older_commit(world, rng),
        20..=64 => batch_of_a_segment(world, rng),
        65..=79 => sidecar(world, rng),
        _ => None,
    }
    .or_else(|| anywhere(world, rng))
}

/// Among the last commits of a ring, of which recovery must say whether they were torn.
pub(super) fn last_commits(world: &World, rng: &mut Rng) -> Option<Place> {
    let most = if rng.chance(500) { 5 } else { 12 };
    let recent = world.disk.ledger.recent(&world.disk, most);
    let mark = rng.pick(&recent).and_then(|marks| rng.pick(marks));
    let Some(mark) = mark else {
        return anywhere(world, rng);
    };
    Some(in_commit(mark, rng))
}

/// In a commit that the spill has still to read, or that it is behind: nothing replays it any more.
fn older_commit(world: &World, rng: &mut Rng) -> Option<Place> {
    let all = world.disk.ledger.recent(&world.disk, usize::MAX);
    let marks = rng.pick(&all)?;
    let mark = rng.pick(marks)?;
    let batch = rng.pick(&mark.batches).copied().map(u64::from)?;
    let end = mark.at + mark.len;
    let rest = end.saturating_sub(batch).min(400);
    Some((mark.path.clone(), batch + rng.below(rest)))
}

/// The header of a commit, its entries, the heads of its batches, or any byte of it.
fn in_commit(mark: &Mark, rng: &mut Rng) -> Place {
    let at = match (rng.below(4), rng.pick(&mark.batches)) {
        (0, _) => mark.at + rng.below(mark.len.min(COMMIT_HEADER)),
        (1, _) => mark.at + rng.below(mark.len.min(200)),
        (2, Some(batch)) => u64::from(*batch) + rng.below(OUTSIDE_KAFKA),
        _ => mark.at + rng.below(mark.len),
    };
    (mark.path.clone(), at)
}

/// The head of a batch in a partition's segment, or any byte of it.
fn batch_of_a_segment(world: &World, rng: &mut Rng) -> Option<Place> {
    let (path, _) = rng.pick(&files(world, ".log")).cloned()?;
    let bytes = world.disk.read_all(&path)?;
    let batches = batches(&bytes);
    let (at, len) = rng.pick(&batches).copied()?;
    let most = if rng.chance(700) { OUTSIDE_KAFKA } else { len };
    Some((path, at + rng.below(most.min(len))))
}

/// Where batches begin in a segment, and how long they are.
fn batches(bytes: &[u8]) -> Vec<(u64, u64)> {
    let (mut found, mut at) = (Vec::new(), 0_usize);
    while let Some(head) = bytes.get(at..at.saturating_add(12))
        && let Some(len) = head.last_chunk::<4>()
    {
        let len = u32::from_be_bytes(*len) as usize + 12;
        if len <= 12 || at + len > bytes.len() {
            break;
        }
        found.push((at as u64, len as u64));
        at += len;
    }
    found
}

/// The header of a sidecar, or an entry: in its first fields, or anywhere.
fn sidecar(world: &World, rng: &mut Rng) -> Option<Place> {
    let (path, len) = rng.pick(&files(world, ".side")).cloned()?;
    let entries = len.saturating_sub(SIDE_HEADER) / SIDE_ENTRY;
    if entries == 0 || rng.chance(150) {
        return Some((path, rng.below(len.min(SIDE_HEADER))));
    }
    let most = if rng.chance(500) { 16 } else { SIDE_ENTRY };
    let entry = SIDE_HEADER + rng.below(entries) * SIDE_ENTRY;
    Some((path, entry + rng.below(most)))
}

/// Files of partitions of clients.
fn files(world: &World, end: &str) -> Vec<(String, u64)> {
    let mut files = world.disk.files();
    files.retain(|(path, len)| {
        let own = path.starts_with("commit/") || path.starts_with("__cluster_metadata");
        *len > 0 && path.ends_with(end) && !own
    });
    files
}

fn anywhere(world: &World, rng: &mut Rng) -> Option<Place> {
    let mut files = world.disk.files();
    files.retain(|(path, len)| *len > 0 && !path.contains("ballast"));
    let (path, len) = rng.pick(&files).cloned()?;
    Some((path, rng.below(len)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_found_one_behind_the_other_and_what_is_no_batch_ends_the_walk() {
        let mut bytes = vec![0; 8];
        bytes.extend(9_u32.to_be_bytes());
        bytes.extend([1; 9 + 8]);
        bytes.extend(1_u32.to_be_bytes());
        bytes.extend([2; 1 + 8]);
        assert_eq!(batches(&bytes), [(0, 21), (21, 13)]);
        bytes.extend(u32::MAX.to_be_bytes());
        assert_eq!(batches(&bytes).len(), 2);
        assert_eq!(batches(&[0; 40]), []);
    }
}
