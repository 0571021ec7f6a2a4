//! Stories of a node whose number of shards changes.
//! Oracle: what the same files serve with the old number, also after a death at any operation (#97, #100, #102).

use super::*;

/// Two shards, each with commits behind its checkpoint, one batch in a fast ring, one log with a gap.
fn two_shards() -> Disk {
    let mut disk = Disk::default();
    disk.0.insert("meta.properties".into(), b"id".to_vec());
    for shard in [ShardId(0), ShardId(1)] {
        let stamp = Stamp {
            shard,
            shards: 2,
            number: 1,
            secret: SECRET,
            wall: crate::now::Wall(0),
        };
        let name = FileName::Checkpoint {
            shard,
            side: Side::A,
        }
        .to_string();
        disk.0.insert(
            name,
            checkpoint::base(stamp, &Fold::default()).bytes.to_vec(),
        );
        let owned: Vec<u8> = (1..40)
            .filter(|topic| log(*topic).owner(2) == shard)
            .take(3)
            .collect();
        let mut durable = Writer::of(shard, RingKind::Durable);
        durable.commit(
            &mut disk,
            owned.iter().map(|topic| batch(*topic, 0)).collect(),
            0,
        );
        durable.commit(
            &mut disk,
            owned.iter().map(|topic| batch(*topic, 10)).collect(),
            0,
        );
        let mut fast = Writer::of(shard, RingKind::Fast);
        fast.commit(&mut disk, vec![batch(owned[0], 20)], 0);
    }
    disk
}

/// Starts all shards of a node, shard 0 first.
fn start_node(disk: &mut Disk, shards: u16) -> BTreeMap<u8, (i64, Vec<u32>)> {
    let mut all = BTreeMap::new();
    for shard in (0..shards).map(ShardId) {
        let (_, recovered) = start_of(disk, shard, shards, HERE, usize::MAX)
            .unwrap()
            .unwrap();
        assert_eq!(recovered.offline, []);
        for (topic, read) in readable_of(shard, disk, &recovered) {
            assert_eq!(log(topic).owner(shards), shard);
            assert_eq!(all.insert(topic, read), None, "one shard holds log {topic}");
        }
    }
    all
}

#[test]
fn another_number_of_shards_finds_every_log_where_it_belongs() {
    let expected = start_node(&mut two_shards(), 2);
    assert_eq!(expected.len(), 6);
    for shards in [1, 3, 5] {
        let mut disk = two_shards();
        for count in [shards, shards, 2, shards] {
            assert_eq!(start_node(&mut disk, count), expected, "{shards} shards");
        }
        let gone = |name: &String| name.starts_with("commit/") && !name.starts_with("commit/fast-");
        let owners = disk
            .0
            .keys()
            .filter(|name| gone(name))
            .map(|name| name[7..8].parse::<u16>().unwrap());
        assert!(
            owners.max().unwrap() < shards.max(1),
            "rings of shards that are no more are removed"
        );
    }
}

#[test]
fn a_change_of_the_number_of_shards_is_killed_at_any_operation() {
    let expected = start_node(&mut two_shards(), 2);
    for shards in [1, 3] {
        for limit in 0.. {
            let mut killed = two_shards();
            let done = start_of(&mut killed, ShardId(0), shards, HERE, limit)
                .unwrap()
                .is_some();
            for next in [shards, 2, 4] {
                assert_eq!(
                    start_node(&mut killed.clone(), next),
                    expected,
                    "#97: killed after {limit}, then {next}"
                );
            }
            if done {
                assert!(limit > 20, "it changed something");
                break;
            }
        }
    }
}

#[test]
fn all_that_a_change_wrote_is_durable_before_its_marker_is_97_102() {
    let last = std::cell::RefCell::new(String::new());
    let look = |_: &Disk, op: &FileOp| {
        match op {
            FileOp::Put { file, .. } if file.to_string().starts_with("shards.next") => {
                assert_eq!(*last.borrow(), "SyncAll");
            }
            FileOp::Put { .. } | FileOp::Alloc { .. } | FileOp::SyncAll => {
                last.replace(format!("{op:?}"));
            }
            _ => {}
        }
        None
    };
    let up = start_failing(&mut two_shards(), SHARD, 3, HERE, usize::MAX, &look);
    assert!(up.is_ok_and(|up| up.is_some()));
    assert!(!last.borrow().is_empty());
}

/// A change of the number of shards is over, and one of the new checkpoints rots; every log is still there.
pub(super) fn one_copy_of_a_new_layout_rots() -> bool {
    let expected = start_node(&mut two_shards(), 2);
    let mut changed = two_shards();
    start_of(&mut changed, ShardId(0), 3, HERE, usize::MAX)
        .unwrap()
        .unwrap();
    let names: Vec<String> = (0..3)
        .flat_map(|shard| ["a", "b"].map(|side| format!("checkpoint.{shard}.{side}")))
        .collect();
    names.iter().all(|name| changed.0.contains_key(name))
        && names.iter().all(|name| {
            let mut disk = changed.clone();
            disk.0.get_mut(name).unwrap()[70] ^= 1;
            start_node(&mut disk, 3) == expected
        })
}

#[test]
fn another_number_of_shards_begins_with_two_checkpoints_of_which_either_may_rot_100() {
    assert!(one_copy_of_a_new_layout_rots());
}

/// A start finds the marker of one that died, and switches: what is durable before the first name changes?
pub(super) fn a_marker_is_gone_on_from() {
    let mut disk = two_shards();
    let marked = (0..).find(|limit| {
        disk = two_shards();
        start_of(&mut disk, ShardId(0), 3, HERE, *limit).unwrap();
        disk.0.contains_key("shards.next")
    });
    assert!(marked.is_some());
    let synced = std::cell::Cell::new(false);
    let look = |_: &Disk, op: &FileOp| {
        match op {
            FileOp::SyncDir(dir) if dir.to_string().is_empty() => synced.set(true),
            FileOp::Rename { .. } | FileOp::Unlink(_) => {
                assert!(synced.get(), "#97: {op:?} before the marker is durable");
            }
            _ => {}
        }
        None
    };
    let up = start_failing(&mut disk, SHARD, 3, HERE, usize::MAX, &look);
    assert!(up.is_ok_and(|up| up.is_some()));
}

#[test]
fn a_marker_that_a_start_finds_is_made_durable_before_anything_is_switched_97_102() {
    a_marker_is_gone_on_from();
}

/// A change of the number of shards begins; what an earlier one removed must not come back to it.
pub(super) fn a_change_follows_another() {
    let synced = std::cell::Cell::new(false);
    let look = |_: &Disk, op: &FileOp| {
        match op {
            FileOp::SyncDir(dir) if dir.to_string().is_empty() => synced.set(true),
            FileOp::Alloc { .. } | FileOp::Put { .. } => {
                assert!(synced.get(), "#97: {op:?} while an old marker may be there");
            }
            _ => {}
        }
        None
    };
    let up = start_failing(&mut two_shards(), SHARD, 3, HERE, usize::MAX, &look);
    assert!(up.is_ok_and(|up| up.is_some()));
}

#[test]
fn the_marker_of_an_earlier_change_cannot_come_back_to_the_next_one_97_102() {
    a_change_follows_another();
}
