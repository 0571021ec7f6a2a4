//! There are two whole checkpoints from the founding on, and whatever made one unusable, soon there are two again.
//! Held for either of the two, and for every way in which one stops being a copy (#100).

use super::super::testing::{Disk, World, small};
use super::super::{Told, checkpoint};
use crate::now::Dice;

const SIDES: [&str; 2] = ["checkpoint.0.a", "checkpoint.0.b"];

/// Ways in which one of the two is no longer a copy.
const DAMAGES: [fn(&mut Disk, &str); 3] = [
    |disk, name| disk.files.get_mut(name).expect("it was written")[70] ^= 1,
    |disk, name| disk.files.get_mut(name).expect("it was written").clear(),
    |disk, name| {
        disk.files.remove(name);
    },
];

/// A directory that was laid out, and not yet come up on.
fn laid() -> World {
    let mut world = World::on(small(), Disk::default());
    assert_eq!(world.begin(), Told::Fresh);
    world.engine.found(world.now, Dice([7; 16]), &mut world.ops);
    world.settle();
    assert_eq!(world.told.pop(), Some(Told::Laid));
    world
}

pub(in crate::log) fn one_copy_of_a_founding_is_lost() {
    for damage in DAMAGES {
        for side in SIDES {
            let mut left = laid();
            assert!(left.disk.files.contains_key(side), "#100: one copy alone");
            damage(&mut left.disk, side);
            let mut world = left.restart(small());
            let id = world.open_plain(1);
            world.fill(id, 1, 10);
            world.settle();
            assert_eq!(world.durable(id), 1);
        }
    }
}

#[test]
fn a_founding_leaves_two_checkpoints_of_which_either_may_rot_100() {
    one_copy_of_a_founding_is_lost();
}

#[test]
fn a_start_that_finds_one_whole_checkpoint_makes_the_other_one_again_100() {
    for damage in DAMAGES {
        for side in SIDES {
            let mut world = World::fresh(small());
            let id = world.open_plain(1);
            world.fill(id, 3, 10);
            world.settle();
            damage(&mut world.disk, side);
            let mut world = world.restart(small());
            for side in SIDES {
                let bytes = world.disk.files.get(side).map(Vec::as_slice);
                let read = checkpoint::decode(bytes.unwrap_or_default());
                assert!(read.is_ok(), "{side}: {:?}", read.err());
            }
            world.open_plain(1);
            assert_eq!(world.durable(id), 3);
        }
    }
}
