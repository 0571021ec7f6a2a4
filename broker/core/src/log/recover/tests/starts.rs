//! What a start makes of commits that are whole, torn, or above the mark, of both rings, and of the checkpoints before
//! them; killed at any operation it is made again with the same end (#97, #98, #105).

use super::*;

#[test]
fn a_ring_is_read_back_as_it_was_written() {
    let (mut disk, _) = busy();
    let (report, recovered) = start(&mut disk, HERE);
    assert_eq!(ends(&disk, &recovered), BTreeMap::from(WHOLE));
    assert_eq!((report.commits, report.logs), (4, 3));
    assert_eq!(report.warnings, Vec::<String>::new());
}

#[test]
fn what_lay_above_the_mark_is_written_again_and_the_rest_stays_where_it_was() {
    let (mut disk, _) = busy();
    let (_, recovered) = start(&mut disk, HERE);
    let files = |topic: u8| {
        recovered.fold.logs[&log(topic)]
            .ring
            .iter()
            .map(|b| b.spot.file)
            .collect::<Vec<_>>()
    };
    assert_eq!(files(1), [1, 1, 2], "#98: commit 4 lay above the mark, 2");
    assert_eq!(files(2), [1, 2, 2]);
    assert_eq!(recovered.durable.file, 2);
}

#[test]
fn a_start_after_a_start_finds_the_same_and_changes_nothing_of_it() {
    let (mut disk, _) = busy();
    let (_, first) = start(&mut disk, HERE);
    let before = readable(&disk, &first);
    for _ in 0..3 {
        let (report, again) = start(&mut disk, HERE);
        assert_eq!(readable(&disk, &again), before, "#97");
        assert_eq!(report.warnings, Vec::<String>::new());
    }
}

#[test]
fn a_start_killed_at_any_operation_is_made_again_with_the_same_end() {
    let (whole, _) = busy();
    let mut torn = whole.clone();
    torn.ring(RingKind::Durable, 1)[4 * 4096 - 4096 + 300..].fill(0);
    for disk in [whole, torn] {
        let mut clean = disk.clone();
        let (_, recovered) = start(&mut clean, HERE);
        let expected = readable(&clean, &recovered);
        for first in 0.. {
            let mut disk = disk.clone();
            let done = start_until(&mut disk, HERE, first).unwrap().is_some();
            for second in [3, 6, 9] {
                let mut disk = disk.clone();
                start_until(&mut disk, HERE, second).unwrap();
                let (_, recovered) = start(&mut disk, HERE);
                assert_eq!(
                    readable(&disk, &recovered),
                    expected,
                    "#97: killed after {first}, then {second}"
                );
            }
            if done {
                break;
            }
        }
    }
}

#[test]
fn a_torn_commit_is_cut_wherever_it_tears_and_nothing_before_it_is_lost() {
    let (good, writer) = busy();
    let (file, from, to) = writer.lie[3];
    for boot in [HERE, ELSEWHERE] {
        for tear in (from..to).step_by(64) {
            let mut disk = good.clone();
            disk.ring(RingKind::Durable, file)[tear as usize..].fill(0);
            let (report, recovered) = start(&mut disk, boot);
            let cut = BTreeMap::from([(1, 20), (2, 20), (3, 10)]);
            assert_eq!(ends(&disk, &recovered), cut, "torn at {tear}");
            let said = report.warnings.concat();
            match (tear == from, boot == HERE) {
                (true, _) => assert_eq!(said, "", "nothing was ever written"),
                (false, true) => assert!(said.contains("The process died"), "{said}"),
                (false, false) => assert!(said.contains("Power was lost"), "{said}"),
            }
            assert_eq!(
                disk.0.keys().any(|name| name.starts_with("aside/")),
                tear != from
            );
        }
    }
}

#[test]
fn the_second_of_two_in_flight_does_not_count_without_the_first() {
    let (mut disk, writer) = busy();
    let (file, from, to) = writer.lie[2];
    disk.ring(RingKind::Durable, file)[from as usize..to as usize].fill(0);
    let (report, recovered) = start(&mut disk, HERE);
    assert_eq!(
        ends(&disk, &recovered),
        BTreeMap::from([(1, 20), (2, 10), (3, 10)])
    );
    assert_eq!(recovered.offline, []);
    let said = report.warnings.concat();
    assert!(
        said.contains("offsets 20 to 29"),
        "what was whole and cut is named: {said}"
    );
}

#[test]
fn the_clean_marker_counts_only_as_the_last_commit() {
    let mut disk = founded();
    let mut writer = Writer::new(RingKind::Durable);
    writer.commit(&mut disk, vec![batch(1, 0)], 0);
    writer.commit(
        &mut disk,
        vec![Entry::Node(NodeFact::Stopped(BrokerEpoch(7)))],
        0,
    );
    let (report, recovered) = start(&mut disk, ELSEWHERE);
    assert_eq!(report.clean, Some(BrokerEpoch(7)));
    assert_eq!(report.warnings, Vec::<String>::new());
    let mut writer = Writer::after(&recovered, ELSEWHERE);
    writer.commit(&mut disk, vec![batch(1, 10)], 0);
    let (report, _) = start(&mut disk, ELSEWHERE);
    assert_eq!(report.clean, None, "#103: the next start ends it");
}

#[test]
fn an_older_life_of_a_recycled_file_is_not_read() {
    let (mut disk, writer) = busy();
    // File 1 becomes file 2: its old commits still lie there, in order and whole.
    let old = disk.ring(RingKind::Durable, 1).clone();
    disk.0.insert(
        FileName::Ring {
            kind: RingKind::Durable,
            shard: SHARD,
            sequence: 2,
        }
        .to_string(),
        old,
    );
    let (report, recovered) = start(&mut disk, HERE);
    assert_eq!(ends(&disk, &recovered), BTreeMap::from(WHOLE));
    assert_eq!((report.commits, writer.lie.len()), (4, 4));
    assert_eq!(recovered.durable.file, 3, "#104");
}

#[test]
fn both_rings_together_hold_a_log() {
    let mut disk = founded();
    let mut durable = Writer::new(RingKind::Durable);
    let mut fast = Writer::new(RingKind::Fast);
    fast.commit(&mut disk, vec![batch(1, 0)], 0);
    fast.commit(&mut disk, vec![batch(1, 10)], 0);
    durable.commit(&mut disk, vec![batch(1, 20)], 0);
    durable.commit(
        &mut disk,
        vec![Entry::Fact(
            log(1),
            Generation(0),
            Fact::Epoch(LeaderEpoch(2), Offset(30)),
        )],
        0,
    );
    let (_, recovered) = start(&mut disk, HERE);
    assert_eq!(ends(&disk, &recovered), BTreeMap::from([(1, 30)]));
    let head = recovered.fast.as_ref().expect("there is a fast ring");
    let mut writer = Writer {
        boot: HERE,
        lie: Vec::new(),
        ..fast
    };
    (writer.chain, writer.file, writer.at, writer.mark) =
        (head.chain.clone(), head.file, 0, head.last);
    writer.commit(&mut disk, vec![batch(1, 30)], 1);
    for _ in 0..2 {
        let (report, recovered) = start(&mut disk, HERE);
        assert_eq!(
            ends(&disk, &recovered),
            BTreeMap::from([(1, 40)]),
            "{:?}",
            report.warnings
        );
    }
}

#[test]
fn a_fast_tail_that_power_took_is_gone_and_the_log_serves() {
    let mut disk = founded();
    let mut fast = Writer::new(RingKind::Fast);
    for base in 0..6 {
        fast.commit(&mut disk, vec![batch(1, base * 10)], 9);
    }
    let lost = fast.lie[3].1 as usize;
    disk.ring(RingKind::Fast, 1)[lost..].fill(0);
    let mut durable = Writer::new(RingKind::Durable);
    durable.commit(
        &mut disk,
        vec![Entry::Fact(log(1), Generation(0), Fact::Start(Offset(50)))],
        0,
    );
    let (_, recovered) = start(&mut disk, ELSEWHERE);
    assert_eq!(recovered.offline, []);
    assert_eq!(
        recovered.fold.logs[&log(1)].next,
        Offset(50),
        "#5: the start lies beyond the recovered end"
    );
}

#[test]
fn what_a_dead_process_wrote_into_the_fast_ring_is_written_again() {
    let (mut disk, _) = fast_and_unsynced();
    for _ in 0..3 {
        let (_, recovered) = start(&mut disk, HERE);
        assert_eq!(ends(&disk, &recovered), BTreeMap::from([(1, 60)]));
        let rings = recovered.fold.logs[&log(1)]
            .ring
            .iter()
            .map(|batch| batch.spot.kind);
        assert!(
            rings.into_iter().all(|kind| kind == RingKind::Durable),
            "#98: none was ever synced"
        );
    }
}

#[test]
fn rot_in_what_the_kernel_had_is_rot_although_no_sync_proved_it() {
    for flipped in [3, 100] {
        let (mut disk, fast) = fast_and_unsynced();
        let (file, from, _) = fast.lie[2];
        disk.ring(RingKind::Fast, file)[from as usize + flipped] ^= 1;
        let (_, recovered) = start(&mut disk, HERE);
        assert_eq!(
            recovered.offline.len(),
            1,
            "two commits lie behind it: it was whole"
        );
        let (_, recovered) = start(&mut disk, HERE);
        assert_eq!(recovered.offline.len(), 1, "and the next start says so too");
        assert_eq!(recovered.fold.logs[&log(1)].next, Offset(20));
    }
}

#[test]
fn without_a_whole_checkpoint_nothing_is_touched() {
    let (mut disk, _) = busy();
    disk.0.get_mut("checkpoint.0.a").unwrap()[70] ^= 1;
    let before = disk.clone();
    let broken = start_until(&mut disk, HERE, usize::MAX).unwrap_err();
    assert!(broken.attempt.contains("a backup"), "{broken:?}");
    assert_eq!(disk, before);
}

#[test]
fn a_rotten_newest_checkpoint_leaves_the_older_one_with_the_same_end() {
    let (mut disk, _) = busy();
    let (_, recovered) = start(&mut disk, HERE);
    let expected = readable(&disk, &recovered);
    disk.checkpoint(Side::B, 2, &recovered.fold);
    let (report, recovered) = start(&mut disk.clone(), HERE);
    assert_eq!(report.commits, 0, "the newest is taken");
    assert_eq!(recovered.side, Side::A);
    disk.0.get_mut("checkpoint.0.b").unwrap()[70] ^= 1;
    let (report, recovered) = start(&mut disk, HERE);
    assert_eq!(readable(&disk, &recovered), expected);
    assert_eq!(
        recovered.side,
        Side::B,
        "the rotten one is written over next"
    );
    assert!(report.commits > 0);
}

#[test]
fn an_again_outlives_its_original() {
    let (mut disk, _) = busy();
    let (_, recovered) = start(&mut disk, HERE);
    let expected = ends(&disk, &recovered);
    disk.checkpoint(Side::B, 2, &recovered.fold);
    // Commit 4 lay above the mark. Its bytes in the old file are gone: the file was recycled in part.
    disk.ring(RingKind::Durable, 1)[2 * 4096..].fill(0);
    let (_, recovered) = start(&mut disk, HERE);
    assert_eq!(ends(&disk, &recovered), expected);
}

#[test]
fn a_ring_file_that_is_missing_is_named() {
    let (mut disk, _) = busy();
    let (_, recovered) = start(&mut disk, HERE);
    disk.checkpoint(Side::B, 2, &recovered.fold);
    disk.0.remove("commit/0-00000000000000000001.log");
    let (_, recovered) = start(&mut disk, HERE);
    assert_eq!(recovered.offline.len(), 3);
    assert!(
        recovered.offline[0].1.contains("missing"),
        "{:?}",
        recovered.offline
    );
}

#[test]
fn a_start_on_a_full_disk_gives_the_ballast_up_for_both_rings_105() {
    let (mut disk, _) = busy();
    Writer::new(RingKind::Fast).commit(&mut disk, vec![batch(4, 0)], 0);
    disk.0.insert("ballast".into(), vec![0; 9]);
    let never =
        |_: &Disk, op: &FileOp| matches!(op, FileOp::Alloc { .. }).then(|| failed(FaultKind::Full));
    let end = start_failing(&mut disk.clone(), SHARD, 1, HERE, usize::MAX, &never);
    assert!(end.unwrap_err().why.contains("full"));
    let until_given_up = |disk: &Disk, op: &FileOp| {
        let full = matches!(op, FileOp::Alloc { .. }) && disk.0.contains_key("ballast");
        full.then(|| failed(FaultKind::Full))
    };
    let up = start_failing(&mut disk, SHARD, 1, HERE, usize::MAX, &until_given_up);
    let (_, recovered) = up.expect("it comes up").expect("nothing stops it");
    assert_eq!(ends(&disk, &recovered).len(), 4);
}
