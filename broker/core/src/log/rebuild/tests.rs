//! Sidecars that are lost or damaged between two lives, and segments that cannot prove what the sidecar said.
//! Oracle: the sidecar that was there, byte for byte (#6); for a segment that is not proved, no sidecar (#99).

use crate::answer::Find;
use crate::file::{FaultKind, FileName, FileOp, Outcome};
use crate::ids::{LogId, Offset};
use crate::log::sidecar;
use crate::log::testing::{Disk, World, failed, small};
use crate::log::tests::stale;
use crate::log::told::Told;
use crate::log::{Planned, ReadRefusal};
use crate::now::Wall;
#[cfg(feature = "mutants")]
use crate::proof;

const SEGMENT: &str = "t1-0/00000000000000000000.log";
const SIDECAR: &str = "t1-0/00000000000000000000.side";
/// More than two parts of an index.
const BATCHES: usize = 600;

/// What a clean stop leaves: two logs, each in one segment.
fn stopped() -> Disk {
    let mut world = World::fresh(small());
    let (a, b) = (world.open_plain(1), world.open_plain(2));
    for _ in 0..BATCHES {
        world.now.wall.0 += 5;
        world.fill(a, 1, 20);
        world.settle();
    }
    world.fill(b, 10, 600);
    world.stop();
    world.disk
}

/// The next life on these files.
fn again(disk: Disk) -> (World, LogId, LogId) {
    let mut world = World::on(small(), disk).restart(small());
    world.boot += 1;
    let (a, b) = (world.open_plain(1), world.open_plain(2));
    world.settle();
    (world, a, b)
}

fn bases(count: usize) -> Vec<i64> {
    (0..count as i64).collect()
}

/// Damages the sidecar, reads everything, and compares the sidecar with what it was.
fn is_made_again(what: &str, damage: impl Fn(&mut Vec<u8>)) {
    let mut disk = stopped();
    let whole = disk.files[SIDECAR].clone();
    let mut bytes = whole.clone();
    damage(&mut bytes);
    assert_ne!(bytes, whole, "{what}");
    disk.files.insert(SIDECAR.into(), bytes);
    let (mut world, a, b) = again(disk);
    assert_eq!(world.read_all(a, 0), bases(BATCHES), "{what}");
    assert_eq!(world.read_all(b, 0), bases(10), "{what}");
    assert_eq!(world.engine.offline(a), None, "{what}");
    assert_eq!(world.disk.files[SIDECAR], whole, "{what}: #6");
    let notes = world.told.iter().filter(|told| match told {
        Told::Note(text) => text.contains(SIDECAR) && text.contains("made again"),
        _ => false,
    });
    assert_eq!(notes.count(), 1, "{what}: {:?}", world.told);
}

fn entry(nth: usize) -> usize {
    sidecar::HEADER as usize + nth * sidecar::ENTRY
}

#[test]
fn a_sidecar_that_is_short_or_damaged_is_made_again_equal_to_what_it_was_6() {
    is_made_again("emptied", Vec::clear);
    is_made_again("cut inside its header", |bytes| bytes.truncate(20));
    is_made_again("cut inside an entry", |bytes| {
        bytes.truncate(entry(300) + 9)
    });
    is_made_again("cut between two entries", |bytes| {
        bytes.truncate(entry(599))
    });
    is_made_again("zeros", |bytes| bytes.fill(0));
    for (nth, byte) in [(0, 0), (0, 71), (255, 20), (256, 65), (599, 33)] {
        is_made_again("a flipped bit", |bytes| bytes[entry(nth) + byte] ^= 4);
    }
    is_made_again("two entries changed places", |bytes| {
        let (first, second) = bytes[entry(10)..entry(12)].split_at_mut(sidecar::ENTRY);
        first.swap_with_slice(second);
    });
    is_made_again("an entry stands twice", |bytes| {
        bytes.copy_within(entry(598)..entry(599), entry(599));
    });
}

#[test]
fn a_part_of_an_index_at_a_wrong_place_skips_nothing_6_104() {
    // Whole parts of 256 entries change places: each entry proves itself, and follows the one before it.
    let part = 256 * sidecar::ENTRY;
    is_made_again("the second part stands first", |bytes| {
        bytes.copy_within(entry(256)..entry(256) + part, entry(0));
    });
    is_made_again("the first part stands second", |bytes| {
        bytes.copy_within(entry(0)..entry(0) + part, entry(256));
    });
    is_made_again("the two change places", |bytes| {
        let (first, second) = bytes[entry(0)..entry(512)].split_at_mut(part);
        first.swap_with_slice(second);
    });
}

#[test]
fn a_sidecar_that_is_gone_is_made_again_equal_to_what_it_was_6() {
    let mut disk = stopped();
    let whole = disk.files.remove(SIDECAR).unwrap();
    let (mut world, a, _) = again(disk);
    assert_eq!(world.read_all(a, 0), bases(BATCHES));
    assert_eq!(world.disk.files[SIDECAR], whole, "#6");
    // And stays so: the next life finds nothing to do.
    let (mut world, a, _) = again(world.disk);
    assert_eq!(world.read_all(a, 0), bases(BATCHES));
    let puts =
        world.count(|op| matches!(op, FileOp::Put { file, .. } if file.to_string() == SIDECAR));
    assert_eq!(puts, 0);
}

#[test]
fn the_sidecar_of_another_log_is_not_taken_for_ones_own_104() {
    let mut disk = stopped();
    let whole = disk.files[SIDECAR].clone();
    let other = disk.files["t2-0/00000000000000000000.side"].clone();
    disk.files.insert(SIDECAR.into(), other);
    let (mut world, a, _) = again(disk);
    assert_eq!(world.read_all(a, 0), bases(BATCHES));
    assert_eq!(world.disk.files[SIDECAR], whole);
}

#[test]
fn a_search_by_time_waits_until_its_index_is_made_again_6() {
    let mut disk = stopped();
    disk.files.remove(SIDECAR);
    let (mut world, a, _) = again(disk);
    let time = Find::At(Wall(1_000_000 + 5 * 301));
    world
        .engine
        .find(a, time, Offset(BATCHES as i64), 9, &mut world.ops);
    world.settle();
    let found = world.told.iter().find_map(|told| match told {
        Told::Found(9, Ok(found)) => *found,
        _ => None,
    });
    assert_eq!(found.map(|found| found.offset), Some(Offset(300)));
}

#[test]
fn a_spill_that_adds_entries_meanwhile_keeps_them_6() {
    let mut disk = stopped();
    disk.files.remove(SIDECAR);
    let (mut world, a, _) = again(disk);
    // The first look begins the rebuild; its operations and those of appends and spills go hand in hand.
    let end = world.engine.marks(a).unwrap().written;
    let planned = world
        .engine
        .plan(a, Offset(0), end, 100, true, &mut world.ops);
    assert!(planned.is_ok());
    for _ in 0..200 {
        world.fill(a, 1, 600);
        world.flush();
        for _ in 0..3 {
            if !world.queue.is_empty() {
                world.step(0);
            }
        }
    }
    world.settle();
    world.stop();
    let (mut world, a, _) = again(world.disk);
    assert_eq!(world.read_all(a, 0), bases(BATCHES + 200));
    assert!(world.engine.offline(a).is_none());
}

/// No sidecar, and one byte of the segment is not what was spilled: nothing is made up, and only this log suffers.
fn is_not_blessed(at: usize) {
    let mut disk = stopped();
    disk.files.remove(SIDECAR);
    disk.files.get_mut(SEGMENT).unwrap()[at] ^= 1;
    let segment = disk.files[SEGMENT].clone();
    let (mut world, a, b) = again(disk);
    let refused = world.plan(a, 0, 1 << 20);
    assert!(
        matches!(refused, Err(ReadRefusal::Offline(_))),
        "#99: byte {at}: {refused:?}"
    );
    let why = world.engine.offline(a).unwrap();
    assert!(why.contains(SEGMENT) && why.contains(SIDECAR), "{why}");
    assert!(!world.disk.files.contains_key(SIDECAR), "#99: byte {at}");
    assert_eq!(world.disk.files[SEGMENT], segment, "its bytes are kept");
    assert_eq!(world.read_all(b, 0), bases(10));
}

#[test]
fn a_segment_that_does_not_prove_itself_blesses_no_sidecar_99() {
    let disk = stopped();
    let batch = disk.files[SEGMENT].len() / BATCHES;
    // Base offset, length, leader epoch, magic, CRC, attributes, a timestamp, a record, in a batch in the middle.
    for byte in [0, 7, 8, 11, 12, 15, 16, 17, 22, 30, batch - 1] {
        is_not_blessed(batch * 400 + byte);
    }
    is_not_blessed(0);
    is_not_blessed(disk.files[SEGMENT].len() - 1);
}

/// The segment proves itself, and memory holds something else of it.
fn is_proved_by_the_medium() {
    for wrong in [stale::stale, stale::unreadable] {
        let mut disk = stopped();
        let whole = disk.files.remove(SIDECAR).unwrap();
        let (mut world, a, _) = again(disk);
        world.standing = Some(wrong);
        assert_eq!(world.read_all(a, 0), bases(BATCHES), "#99");
        assert_eq!(world.engine.offline(a), None, "#99");
        assert_eq!(world.disk.files[SIDECAR], whole, "#6");
    }
}

#[test]
fn a_segment_that_memory_holds_wrongly_is_proved_by_the_medium_6_99() {
    is_proved_by_the_medium();
}

#[cfg(feature = "mutants")]
#[test]
fn a_verdict_of_a_rebuild_on_what_only_memory_holds_is_caught_99() {
    proof::caught("rebuilt-from-cached", is_proved_by_the_medium);
}

#[test]
fn a_segment_that_lost_its_end_blesses_no_sidecar_99() {
    let mut disk = stopped();
    disk.files.remove(SIDECAR);
    disk.files.get_mut(SEGMENT).unwrap().truncate(30_000);
    let (mut world, a, _) = again(disk);
    assert!(world.plan(a, 0, 100).is_err());
    assert!(!world.disk.files.contains_key(SIDECAR));
}

#[cfg(feature = "mutants")]
#[test]
fn a_rebuild_without_the_last_proof_is_caught_99() {
    let disk = stopped();
    let batch = disk.files[SEGMENT].len() / BATCHES;
    proof::choose(Some("rebuild-unproved"));
    // The leader epoch lies outside the batch's own CRC: the chain alone can tell.
    let caught = std::panic::catch_unwind(|| is_not_blessed(batch * 400 + 15));
    let fired = proof::fired();
    proof::choose(None);
    assert!(fired > 0 && caught.is_err(), "rebuild-unproved was missed");
}

fn at_sidecar(op: &FileOp, kind: FaultKind) -> Option<Outcome> {
    let put = matches!(
        op,
        FileOp::Put {
            file: FileName::Sidecar { .. },
            ..
        }
    );
    put.then(|| failed(kind, "at the sidecar"))
}

/// The first put into the sidecar fails; what became of the engine.
fn unwritten(fault: fn(&FileOp) -> Option<Outcome>) -> (World, LogId, LogId) {
    let mut disk = stopped();
    disk.files.remove(SIDECAR);
    let (mut world, a, b) = again(disk);
    world.fault = Some(fault);
    let end = world.engine.marks(a).unwrap().written;
    let planned = world
        .engine
        .plan(a, Offset(0), end, 100, true, &mut world.ops);
    assert!(planned.is_ok());
    while world.fault.is_some() {
        world.take();
        assert!(!world.queue.is_empty(), "the fault never fired");
        world.step(0);
    }
    (world, a, b)
}

#[test]
fn a_sidecar_that_cannot_be_written_ends_the_directory_and_on_a_full_disk_its_readers_wait_101_105()
{
    let (world, ..) = unwritten(|op| at_sidecar(op, FaultKind::Broken));
    assert!(world.broken().is_some(), "{:?}", world.told);
    let (mut world, a, b) = unwritten(|op| at_sidecar(op, FaultKind::Full));
    world.settle();
    assert!(world.broken().is_none(), "{:?}", world.told);
    assert_eq!(world.engine.offline(a), None, "nothing is damaged");
    let end = world.engine.marks(a).unwrap().written;
    let planned = world
        .engine
        .plan(a, Offset(0), end, 100, true, &mut world.ops);
    assert_eq!(planned, Ok(Planned::Later));
    world.settle();
    assert_eq!(world.read_all(b, 0), bases(10));
    // Space again.
    world.engine.space(crate::file::Free::default());
    world.engine.flush(world.now, &mut world.ops);
    world.settle();
    assert!(world.told.contains(&Told::Look(a)), "{:?}", world.told);
    assert!(!world.read_all(a, 0).is_empty());
}
