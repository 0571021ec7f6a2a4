//! Bytes that memory holds wrongly, or does not give out, while the medium has them: what the engine reads for the core is
//! read once more from there before anything is called rotten (#7, #99, #106).

use bytes::Bytes;

use super::super::testing::{World, failed, log, small};
use super::super::{ReadRefusal, Told};
use crate::answer::Find;
use crate::file::{FaultKind, FileName, FileOp, Outcome};
use crate::ids::Offset;
use crate::now::Wall;

/// What a page cache that was not told of the last writes gives of any segment.
pub(in crate::log) fn stale(op: &FileOp) -> Option<Outcome> {
    match op {
        FileOp::Read {
            file: FileName::Segment { .. },
            len,
            ..
        } => Some(Outcome::Bytes(Bytes::from(vec![0; *len as usize]))),
        _ => None,
    }
}

/// What could not be brought into it.
pub(in crate::log) fn unreadable(op: &FileOp) -> Option<Outcome> {
    stale(op).map(|_| failed(FaultKind::Broken, "Input/output error"))
}

/// A log of which every batch lies in a segment, and whoever reads it through the page cache gets this.
fn cached_wrongly(wrong: fn(&FileOp) -> Option<Outcome>) -> World {
    let mut world = World::fresh(small());
    world.open_plain(1);
    for _ in 0..6 {
        world.now.wall.0 += 5;
        world.fill(log(1), 1, 5000);
        world.settle();
    }
    world.stop();
    let mut world = world.restart(small());
    world.open_plain(1);
    world.settle();
    world.standing = Some(wrong);
    world
}

fn is_reread(op: &FileOp) -> bool {
    matches!(op, FileOp::Reread { .. })
}

fn loaded(world: &mut World) -> Result<usize, ReadRefusal> {
    world
        .engine
        .load(log(1), Offset(0), 1 << 20, 7, &mut world.ops);
    world.settle();
    let told = core::mem::take(&mut world.told);
    let mut answers = told.into_iter().filter_map(|told| match told {
        Told::Loaded(7, answer) => Some(answer.map(|batches| batches.len())),
        _ => None,
    });
    answers.next().expect("an answer")
}

pub(in crate::log) fn a_load_of_what_memory_holds_wrongly() {
    for wrong in [stale, unreadable] {
        let mut world = cached_wrongly(wrong);
        assert_eq!(loaded(&mut world), Ok(6), "#7");
        assert_eq!(world.engine.offline(log(1)), None, "#99: it is whole");
        assert_eq!(world.count(is_reread), 1);
    }
}

#[test]
fn what_memory_holds_wrongly_is_loaded_from_the_medium_7_99() {
    a_load_of_what_memory_holds_wrongly();
}

#[test]
fn a_look_up_by_time_ends_in_what_lies_on_the_medium_7_99() {
    for wrong in [stale, unreadable] {
        let mut world = cached_wrongly(wrong);
        let time = Find::At(Wall(1_000_000 + 5 * 3));
        world
            .engine
            .find(log(1), time, Offset(6), 9, &mut world.ops);
        world.settle();
        let found = world.told.iter().find_map(|told| match told {
            Told::Found(9, Ok(found)) => *found,
            _ => None,
        });
        assert_eq!(found.map(|found| found.offset), Some(Offset(2)));
        assert_eq!(world.engine.offline(log(1)), None);
    }
}

#[test]
fn what_the_medium_does_not_have_is_rotten_after_one_more_look_99_106() {
    let mut world = cached_wrongly(stale);
    let mut names = world.disk.names("t1-0/").into_iter();
    let segment = names.find(|name| name.ends_with(".log"));
    let bytes = world.disk.files.get_mut(&segment.expect("a segment"));
    bytes.expect("its bytes")[7000] ^= 1;
    assert!(matches!(loaded(&mut world), Err(ReadRefusal::Offline(_))));
    assert_eq!(world.count(is_reread), 1, "it is read again for ever");
}

#[test]
fn what_is_whole_is_read_once() {
    let mut world = cached_wrongly(|_| None);
    assert_eq!(loaded(&mut world), Ok(6));
    assert_eq!(world.count(is_reread), 0);
}
