//! Stories of spare files: how little of them a start reads, and that nothing lies behind one unseen (#13).
//! Held by the bytes that the start asks for, and by the next start: it finds all that was written behind spare files.

use super::*;

const WHOLE_FILE: u64 = FILE as u64;

/// The files of `busy`, and behind them spare ones, new and recycled in turn.
fn with_spares(files: core::ops::Range<u64>) -> Disk {
    let (mut disk, _) = busy();
    let old = disk.ring(RingKind::Durable, 1).clone();
    for file in files {
        let bytes = disk.ring(RingKind::Durable, file);
        if file % 2 == 0 {
            bytes.clone_from(&old);
        }
    }
    disk
}

#[test]
fn a_start_reads_one_spare_file_whole_and_of_the_others_the_beginning() {
    let mut disk = with_spares(2..9);
    let (report, recovered) = start(&mut disk, HERE);
    assert_eq!(ends(&disk, &recovered), BTreeMap::from(WHOLE));
    assert_eq!(report.bytes, 2 * WHOLE_FILE + 6 * WHOLE_FILE / 16);
    assert_eq!(recovered.durable.file, 9);
    // The next start finds what the first one wrote behind them, and reads no more than that in addition.
    let mut writer = Writer::after(&recovered, HERE);
    writer.commit(&mut disk, vec![batch(3, 10)], 0);
    let (report, recovered) = start(&mut disk, HERE);
    assert_eq!(ends(&disk, &recovered).get(&3), Some(&20));
    let first = u64::from(sizes().first_file);
    assert_eq!(report.bytes, 2 * WHOLE_FILE + 6 * WHOLE_FILE / 16 + first);
}

/// A start passes spare files over; what it and the life behind it write is found by the next one.
pub(super) fn spare_files_are_passed_over() {
    let mut disk = with_spares(2..6);
    let (_, recovered) = start(&mut disk, HERE);
    let fresh = recovered.durable.file;
    assert_eq!(fresh, 6);
    let mut writer = Writer::after(&recovered, HERE);
    writer.commit(&mut disk, vec![batch(3, 10)], 0);
    // The next file of full size, and one more that is spare.
    (writer.file, writer.at) = (fresh + 1, 0);
    writer.commit(&mut disk, vec![batch(3, 20)], 0);
    disk.ring(RingKind::Durable, fresh + 2);
    let mut sound = disk.clone();
    let (_, later) = start(&mut sound, HERE);
    let expected = BTreeMap::from([(1, 30), (2, 30), (3, 30)]);
    assert_eq!(ends(&sound, &later), expected, "#13");

    // Rot takes the beginning of a file that was begun, or all that the start wrote, and leaves no trace.
    for (file, len) in [(fresh, 4096), (fresh, 16 << 10), (fresh + 1, 4096)] {
        let mut disk = disk.clone();
        disk.ring(RingKind::Durable, file)[..len].fill(0);
        let (report, later) = start(&mut disk, HERE);
        let end = ends(&disk, &later).get(&3).copied();
        let last_is_in_doubt = (file, end) == (fresh + 1, Some(20));
        assert!(
            end.is_none() || end == Some(30) || last_is_in_doubt,
            "#99: log 3 ends at {end:?} without a word: {:?}",
            report.warnings
        );
    }
}

#[test]
fn nothing_lies_behind_a_spare_file_unseen_13() {
    spare_files_are_passed_over();
}

#[test]
fn a_file_that_was_begun_is_read_whatever_lies_before_it_104() {
    // Its first block is sound: it is read although the file before it shows nothing.
    let mut disk = with_spares(2..4);
    let (_, mut writer) = busy();
    (writer.file, writer.at) = (3, 0);
    writer.commit(&mut disk, vec![batch(3, 10)], 0);
    let (report, recovered) = start(&mut disk, HERE);
    let end = ends(&disk, &recovered).get(&3).copied();
    assert_eq!(end, Some(20), "{:?}", report.warnings);
}

#[test]
fn a_spare_file_that_the_disk_does_not_give_out_is_read_to_its_end() {
    let mut disk = with_spares(2..5);
    let broken = |_: &Disk, op: &FileOp| match op {
        FileOp::Read { file, at, .. } if file.to_string().ends_with("3.log") && *at < 4096 => {
            Some(failed(FaultKind::Broken))
        }
        _ => None,
    };
    let up = start_failing(&mut disk, SHARD, 1, HERE, usize::MAX, &broken);
    let (report, _) = up.expect("it comes up").expect("nothing stops it");
    let told = report.warnings.join(" ");
    assert!(
        told.contains("4096 bytes of the durable ring"),
        "#13: {told}"
    );
    // Files 1, 2 and 3 whole but for that block, and file 4, for nobody knows of file 3.
    assert_eq!(report.bytes, 4 * WHOLE_FILE - 4096);
}
