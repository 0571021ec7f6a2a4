//! What is kept of a ring's last file for metadata and coordinators (#105, #135), and that it never is the whole file: the
//! first file of a start is small, and whoever waits for the next one waits for the disk.

use super::super::testing::{World, batch, log};
use super::super::{EngineConf, Told};
use crate::config::TopicConfig;
use crate::file::{FileName, FileOp};
use crate::ids::LogId;

const FILE: u32 = 1 << 20;
const FIRST: u32 = 64 << 10;

/// As in the product, what is kept of a file of full size is all of the first one.
fn small_first() -> EngineConf {
    EngineConf {
        ring_file: Some(FILE),
        first_file: Some(FIRST),
        ballast: false,
        ..EngineConf::default()
    }
}

/// Does everything but the making of files of full size.
fn without_another_file(world: &mut World) {
    let makes = |op: &FileOp| match op {
        FileOp::Alloc {
            file: FileName::Ring { .. },
            len,
        } => *len == u64::from(FILE),
        _ => false,
    };
    loop {
        world.flush();
        let Some(index) = world.queue.iter().position(|(_, op)| !makes(op)) else {
            return;
        };
        world.step(index);
    }
}

/// Goes on until ready; no file is made but the one that a start writes into.
fn up(mut world: World) -> World {
    let dice = crate::now::Dice([8; 16]);
    world.engine.accept(world.now, dice, &mut world.ops);
    without_another_file(&mut world);
    assert!(world.told.contains(&Told::Ready), "{:?}", world.told);
    world
}

fn founded() -> World {
    let mut world = World::on(small_first(), super::super::testing::Disk::default());
    assert_eq!(world.begin(), Told::Fresh);
    let dice = crate::now::Dice([7; 16]);
    world.engine.found(world.now, dice, &mut world.ops);
    world.settle();
    up(world)
}

/// Nobody waits for the disk to write a whole file before the first record is acknowledged.
pub(in crate::log) fn the_first_record_is_durable_before_there_is_a_second_file() {
    let mut world = founded();
    for life in 1..4 {
        world.open_plain(1);
        world.fill(log(1), 1, 1000);
        without_another_file(&mut world);
        let of_it = world.durable(log(1));
        assert_eq!(of_it, life, "life {life} waits for another file");
        // The next life finds commits that it has to write again.
        world = World::on_what(world, small_first());
        world.boot += 1;
        assert!(matches!(world.begin(), Told::Judged(_)));
        world = up(world);
    }
}

#[test]
fn a_start_takes_records_before_there_is_a_second_file() {
    the_first_record_is_durable_before_there_is_a_second_file();
}

/// Users fill their part of the first file, and more of them wait: metadata goes on alone, for as much again.
pub(in crate::log) fn half_of_the_first_file_is_metadata_s() {
    let mut world = founded();
    let id = world.open_plain(1);
    world.open(LogId::METADATA, TopicConfig::default());
    while world.durable(id) == world.engine.marks(id).expect("known").next.0 {
        world.fill(id, 1, 3000);
        without_another_file(&mut world);
    }
    let users = world.durable(id);
    assert!(users > 0, "nothing of the first file is theirs");
    let used = |world: &World| {
        let lane = world.engine.lanes.durable.as_ref().expect("a ring");
        lane.ring.files.back().expect("a file").used
    };
    assert!(used(&world) <= FIRST / 2, "{} bytes", used(&world));
    world.fill(id, 20, 3000);
    for nth in 1..=8 {
        world.append(LogId::METADATA, batch(1, 10, 0, None));
        without_another_file(&mut world);
        assert_eq!(world.durable(LogId::METADATA), nth, "#105: of {FIRST}");
    }
    assert_eq!(world.durable(id), users, "#105: users took the reserve");
    world.settle();
    assert_eq!(world.durable(id), users + 21);
    world.stop();
}

#[test]
fn metadata_has_half_of_the_only_file_105() {
    half_of_the_first_file_is_metadata_s();
}

/// A batch that the first file cannot take is no reason to fail: it waits for the next one, and metadata passes it.
#[test]
fn a_first_batch_larger_than_the_first_file_waits_for_the_next_one() {
    let mut world = founded();
    let id = world.open_plain(1);
    world.open(LogId::METADATA, TopicConfig::default());
    world.append(id, batch(1, 100 << 10, 0, None));
    without_another_file(&mut world);
    assert_eq!(world.durable(id), 0);
    world.append(LogId::METADATA, batch(1, 10, 0, None));
    without_another_file(&mut world);
    assert_eq!(world.durable(LogId::METADATA), 1);
    world.settle();
    assert_eq!(world.durable(id), 1);
    assert_eq!(world.read_all(id, 0), [0]);
    let mut world = world.restart(small_first());
    world.open_plain(1);
    assert_eq!(world.read_all(id, 0), [0]);
}
