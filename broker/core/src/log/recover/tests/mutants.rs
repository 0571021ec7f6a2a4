//! Known bugs of a start, switched on one at a time: each must be seen.
//! A mutant that never had its way fails its test, and so does one after which the start ends as it should.

use super::*;
use crate::proof;

fn under<T>(mutant: &'static str, run: impl FnOnce() -> T) -> T {
    proof::choose(Some(mutant));
    let seen = run();
    assert!(proof::fired() > 0, "{mutant} never had its way");
    proof::choose(None);
    seen
}

#[test]
fn cutting_at_the_first_bad_crc_is_caught() {
    let (mut disk, writer) = busy();
    let (file, from, _) = writer.lie[1];
    disk.ring(RingKind::Durable, file)[from as usize] ^= 1;
    let (_, recovered) = under("cut-at-first-bad-crc", || start(&mut disk, HERE));
    assert_eq!(
        recovered.offline,
        [],
        "M14 must be seen: durable batches are cut and nobody is told"
    );
    assert_eq!(ends(&disk, &recovered), BTreeMap::from([(1, 10), (2, 10)]));
}

#[test]
fn a_damaged_commit_that_hides_others_is_caught_104() {
    let mut disk = rot::misdirected();
    let (_, recovered) = under("damaged-commit-hides-others", || start(&mut disk, HERE));
    let served = ends(&disk, &recovered);
    assert!(!served.contains_key(&3), "it must be seen: {served:?}");
}

#[test]
fn a_clean_marker_that_is_kept_is_caught() {
    let mut disk = founded();
    let mut writer = Writer::new(RingKind::Durable);
    writer.commit(
        &mut disk,
        vec![Entry::Node(NodeFact::Stopped(BrokerEpoch(7)))],
        0,
    );
    writer.commit(&mut disk, vec![batch(1, 0)], 0);
    let (report, _) = under("clean-marker-kept", || start(&mut disk, HERE));
    assert_eq!(report.clean, Some(BrokerEpoch(7)), "M16 must be seen");
}

#[test]
fn a_ring_id_that_is_ignored_is_caught() {
    // A client sends a batch that is a whole commit, shaped after what it has seen of another ring.
    let mut disk = founded();
    let mut writer = Writer::new(RingKind::Durable);
    writer.commit(&mut disk, vec![batch(1, 0)], 0);
    let mut alien = Disk::default();
    let secret = RingSecret([0xbb; 16]);
    let chain = Chain::new(
        RingKind::Durable,
        SHARD,
        secret,
        RingPoint {
            commit: 1,
            ..Default::default()
        },
        2,
    );
    let mut other = Writer {
        chain,
        at: 4096,
        mark: 1,
        lie: Vec::new(),
        ..writer
    };
    other.commit(&mut alien, vec![batch(9, 0)], 0);
    let shaped = alien.ring(RingKind::Durable, 1)[4096..8192].to_vec();
    disk.ring(RingKind::Durable, 1)[8192..12288].copy_from_slice(&shaped);
    let (report, _) = start(&mut disk.clone(), HERE);
    assert_eq!(report.warnings, Vec::<String>::new());
    let (report, recovered) = under("ring-id-ignored", || start(&mut disk, HERE));
    let noticed = recovered.fold.logs.contains_key(&log(9)) || !report.warnings.is_empty();
    assert!(noticed, "#104: the mutant must be seen");
}

/// More above the mark than one commit of a start takes.
fn much_unsynced() -> Disk {
    let mut disk = founded();
    let mut fast = Writer::new(RingKind::Fast);
    for base in 0..8 {
        let Entry::Batch(mut entry) = batch(1, base * 10) else {
            unreachable!()
        };
        entry.batch.len = 1500;
        fast.commit(&mut disk, vec![Entry::Batch(entry)], 99);
    }
    disk
}

/// Starts killed at every operation, each followed by a whole start: how many of them lost something.
fn losses() -> usize {
    let lost = (0..40).filter(|limit| {
        let mut disk = much_unsynced();
        start_until(&mut disk, HERE, *limit).unwrap();
        let (_, recovered) = start(&mut disk, HERE);
        recovered
            .fold
            .logs
            .get(&log(1))
            .is_none_or(|state| state.next != Offset(80))
    });
    lost.count()
}

#[test]
fn a_start_that_is_believed_without_ready_is_caught() {
    assert_eq!(losses(), 0, "#97");
    assert!(
        under("unfinished-start-believed", losses) > 0,
        "the mutant must be seen"
    );
}

#[test]
fn a_lost_end_that_no_start_tells_of_is_caught_99() {
    proof::caught("lost-end-untold", rot::an_end_is_lost_above_the_mark);
}

#[test]
fn a_start_that_looks_no_further_than_a_spare_file_is_caught_13() {
    proof::caught(
        "spare-file-ends-the-ring",
        spares::spare_files_are_passed_over,
    );
}

#[test]
fn a_new_layout_with_one_checkpoint_is_caught_100() {
    let whole = under(
        "reshaped-to-one-checkpoint",
        shards::one_copy_of_a_new_layout_rots,
    );
    assert!(!whole, "the mutant must be seen");
}

#[test]
fn a_marker_that_is_believed_before_it_is_durable_is_caught_97() {
    proof::caught("marker-believed-unsynced", shards::a_marker_is_gone_on_from);
}

#[test]
fn an_old_marker_that_comes_back_is_caught_97() {
    proof::caught("old-marker-comes-back", shards::a_change_follows_another);
}

#[test]
fn a_start_that_is_echoed_and_not_heard_is_caught_89() {
    proof::caught("echoed-start-unheard", rot::a_trim_is_struck);
}

#[test]
fn a_start_that_is_heard_and_not_said_again_is_caught_89() {
    proof::caught("echoed-start-said-once", rot::the_echo_of_a_trim_is_void);
}
