//! Stories of rot: what was durable and cannot be read is named, and nobody serves past it (#8, #99).
//! Held for a flipped bit in every byte of the commits: what was durable is there, or its loss is told.

use super::*;

#[test]
fn rot_in_a_batch_below_the_mark_takes_its_log_offline_and_no_other() {
    for boot in [HERE, ELSEWHERE] {
        let (mut disk, writer) = busy();
        let (file, _, to) = writer.lie[0];
        disk.ring(RingKind::Durable, file)[to as usize - 10] ^= 4;
        let (_, recovered) = start(&mut disk, boot);
        assert_eq!(
            ends(&disk, &recovered),
            BTreeMap::from([(1, 30), (3, 10)]),
            "#99"
        );
        assert_eq!(recovered.offline.len(), 1);
        assert!(
            recovered.offline[0].1.contains("offset 0"),
            "{:?}",
            recovered.offline
        );
    }
}

#[test]
fn rot_in_a_head_below_the_mark_takes_the_logs_offline_that_show_a_gap_or_lost_their_end() {
    let (good, writer) = busy();
    let (file, from, _) = writer.lie[1];
    for at in [0, 9, 20, 60, 76, 90] {
        let mut disk = good.clone();
        disk.ring(RingKind::Durable, file)[(from + at) as usize] ^= 1;
        let (report, recovered) = start(&mut disk, HERE);
        // Log 1 shows a gap from 10 to 20. Log 3 had its only batch there: nothing but the echo tells of it, and once
        // the metadata names it, it is torn.
        let logs: Vec<LogId> = recovered.offline.iter().map(|(log, _)| *log).collect();
        assert_eq!(
            ends(&disk, &recovered),
            BTreeMap::from([(2, 30)]),
            "#99: flip at {at}"
        );
        assert_eq!(logs, [log(1)]);
        assert_eq!(recovered.fold.clone().claim_lost(log(3)), Some(Offset(10)));
        assert!(report.warnings.concat().contains("Rot"));
        // A checkpoint made after that start does not forget it.
        disk.checkpoint(Side::B, 2, &recovered.fold);
        let (_, later) = start(&mut disk, HERE);
        assert_eq!(
            ends(&disk, &later),
            BTreeMap::from([(2, 30)]),
            "#99: remembered"
        );
    }
}

/// Ten commits of one batch each, of five logs in turn; then log 1 alone.
fn in_turn() -> (Disk, Writer) {
    let mut disk = founded();
    let mut writer = Writer::new(RingKind::Durable);
    for i in 0..10 {
        writer.commit(&mut disk, vec![batch(1 + (i % 5) as u8, i / 5 * 10)], 0);
    }
    for i in 0..3 {
        writer.commit(&mut disk, vec![batch(1, 20 + i * 10)], 0);
    }
    (disk, writer)
}

/// Rot takes these commits whole; which logs are served after it?
fn served_without(commits: core::ops::Range<usize>) -> Vec<u8> {
    let (mut disk, writer) = in_turn();
    for (file, from, to) in &writer.lie[commits] {
        disk.ring(RingKind::Durable, *file)[*from as usize..*to as usize].fill(0);
    }
    let (_, recovered) = start(&mut disk, HERE);
    let served = ends(&disk, &recovered).into_keys().collect();
    disk.checkpoint(Side::B, 2, &recovered.fold);
    let (_, later) = start(&mut disk, HERE);
    assert_eq!(
        ends(&disk, &later).into_keys().collect::<Vec<_>>(),
        served,
        "#99: remembered"
    );
    served
}

#[test]
fn several_rotten_commits_in_a_row_are_named_by_the_one_behind_them() {
    // Commits 8 to 10 hold the last batches of logs 3, 4 and 5.
    assert_eq!(served_without(9..10), [1, 2, 3, 4], "#99");
    assert_eq!(served_without(7..10), [1, 2], "#99");
}

#[test]
fn where_nobody_can_say_whose_ends_are_lost_all_that_are_not_proved_go_offline() {
    assert_eq!(
        served_without(4..10),
        [],
        "#99: log 1 shows a gap, of the others nobody knows"
    );
    assert_eq!(served_without(6..12), [], "#99");
}

#[test]
fn rot_in_the_last_commit_before_a_start_is_named_by_the_start() {
    let (mut disk, writer) = busy();
    let (_, recovered) = start(&mut disk, HERE);
    let mut after = Writer::after(&recovered, HERE);
    after.commit(&mut disk, vec![batch(3, 10)], 0);
    // Commit 2, the last at or below the mark of the first life, held the end of log 1 but for what was written again.
    let (file, from, _) = writer.lie[1];
    disk.ring(RingKind::Durable, file)[from as usize] ^= 1;
    let (_, recovered) = start(&mut disk, HERE);
    assert!(!ends(&disk, &recovered).contains_key(&1), "#99");
    assert!(ends(&disk, &recovered).contains_key(&2), "#99");
}

/// Commit 3 rots; of the two in flight behind it 4 is torn and 5 whole. What a start made void was never whole for the next.
#[test]
fn a_later_start_calls_nothing_durable_that_an_earlier_one_cut_99() {
    let mut disk = founded();
    let mut writer = Writer::new(RingKind::Durable);
    for (topic, base, lag) in [(1, 0, 0), (2, 0, 0), (1, 10, 0), (3, 0, 0), (2, 10, 1)] {
        writer.commit(&mut disk, vec![batch(topic, base)], lag);
    }
    let (file, from, _) = writer.lie[2];
    disk.ring(RingKind::Durable, file)[from as usize + 90] ^= 1;
    let (file, from, to) = writer.lie[3];
    disk.ring(RingKind::Durable, file)[from as usize..to as usize].fill(0);
    for nth in 0..3 {
        let (report, recovered) = start(&mut disk, HERE);
        let said = report.warnings.concat();
        assert!(
            said.contains("Rot: commits 3 to 3 of"),
            "start {nth}: {said}"
        );
        assert_eq!(ends(&disk, &recovered), BTreeMap::from([(2, 10)]), "#99");
    }
}

/// Flips one bit and starts: what was durable is there, or its log is named; what was in doubt is there, or it is said.
fn judge_flip(good: &Disk, file: u64, at: usize, bit: u8, boot: BootId) -> Result<(), String> {
    let mut disk = good.clone();
    disk.ring(RingKind::Durable, file)[at] ^= 1 << bit;
    let (report, recovered) = start(&mut disk, boot);
    let found = ends(&disk, &recovered);
    for (topic, certain) in [(1, 20), (2, 10), (3, 10)] {
        let offline = recovered.offline.iter().any(|(of, _)| *of == log(topic));
        match found.get(&topic) {
            Some(end) if *end >= certain => {}
            None if offline => {}
            None if recovered
                .fold
                .clone()
                .claim_lost(log(topic))
                .is_some_and(|end| end.0 >= certain) => {}
            other => return Err(format!("log {topic} ends at {other:?} and nobody was told")),
        }
    }
    let silent = report.warnings.is_empty() && recovered.offline.is_empty();
    if silent && found != BTreeMap::from(WHOLE) {
        return Err(format!("{found:?} and not a word"));
    }
    Ok(())
}

#[test]
fn no_flip_of_one_bit_loses_anything_silently() {
    let (good, writer) = busy();
    for (file, from, to) in &writer.lie {
        for at in *from as usize..*to as usize {
            let bit = (at % 8) as u8;
            for boot in [HERE, ELSEWHERE] {
                judge_flip(&good, *file, at, bit, boot)
                    .unwrap_or_else(|why| panic!("#8 #99: bit {bit} of byte {at}: {why}"));
            }
        }
    }
}

/// Four commits, of which the second, two blocks long, landed one block too far; the third overwrote half of it there.
pub(super) fn misdirected() -> Disk {
    let mut disk = founded();
    let mut writer = Writer::new(RingKind::Durable);
    let mut long = batch(2, 0);
    if let Entry::Batch(entry) = &mut long {
        entry.batch.len = 5000;
    }
    writer.commit(&mut disk, vec![batch(1, 0)], 0);
    writer.commit(&mut disk, vec![long], 0);
    let (file, from, _) = writer.lie[1];
    let (from, to) = (from as usize, writer.at as usize);
    let ring = disk.ring(RingKind::Durable, file);
    ring.copy_within(from..to, from + 4096);
    ring[from..from + 4096].fill(0);
    writer.commit(&mut disk, vec![batch(3, 0)], 0);
    writer.commit(&mut disk, vec![batch(1, 10)], 0);
    disk
}

#[test]
fn a_commit_that_landed_at_the_wrong_place_costs_its_own_log_and_none_that_lies_behind_it_104() {
    for boot in [HERE, ELSEWHERE] {
        let mut disk = misdirected();
        let (report, recovered) = start(&mut disk, boot);
        assert_eq!(
            ends(&disk, &recovered),
            BTreeMap::from([(1, 20), (3, 10)]),
            "#104"
        );
        let offline: Vec<LogId> = recovered.offline.iter().map(|(log, _)| *log).collect();
        assert_eq!(offline, [log(2)], "{:?}", report.warnings);
    }
}

#[test]
fn an_end_that_the_disk_does_not_give_out_is_never_silent_13_99() {
    for boot in [HERE, ELSEWHERE] {
        let (mut disk, writer) = busy();
        let (_, from, _) = writer.lie[2];
        let broken = |_: &Disk, op: &FileOp| match op {
            FileOp::Read {
                file: FileName::Ring { .. },
                at,
                len,
            } if at + u64::from(*len) > u64::from(from) && *at < u64::from(from) + 8192 => {
                Some(failed(FaultKind::Broken))
            }
            _ => None,
        };
        let up = start_failing(&mut disk, SHARD, 1, boot, usize::MAX, &broken);
        let (report, _) = up.expect("it comes up").expect("nothing stops it");
        let told = report.warnings.join(" ");
        assert!(told.contains("Power was lost"), "#99: {told}");
        assert!(
            told.contains("8192 bytes of the durable ring"),
            "#13: {told}"
        );
    }
}

#[test]
fn a_ring_file_in_which_the_checkpoint_ends_is_missed_13() {
    let (mut disk, _) = busy();
    let (_, recovered) = start(&mut disk, HERE);
    disk.checkpoint(Side::B, 2, &recovered.fold);
    let point = recovered.fold.point(RingKind::Durable);
    let name = FileName::Ring {
        kind: RingKind::Durable,
        shard: SHARD,
        sequence: point.file,
    };
    for len in [None, Some(point.at as usize - 1)] {
        let mut damaged = disk.clone();
        let bytes = damaged.0.remove(&name.to_string()).expect("it was written");
        if let Some(len) = len {
            damaged.0.insert(name.to_string(), bytes[..len].to_vec());
        }
        let before = damaged.clone();
        let refused = start_until(&mut damaged, HERE, usize::MAX).unwrap_err();
        assert!(refused.why.contains(&name.to_string()), "{}", refused.why);
        assert_eq!(damaged, before, "nothing was touched");
    }
}

/// Five commits of a fast ring that no sync proved. The second one holds the last batch of log 1 and all of log 3.
fn unsynced_ends() -> (Disk, Writer) {
    let mut disk = founded();
    let mut fast = Writer::new(RingKind::Fast);
    fast.commit(&mut disk, vec![batch(1, 0), batch(2, 0)], 99);
    fast.commit(&mut disk, vec![batch(1, 10), batch(3, 0)], 99);
    for base in [10, 20, 30] {
        fast.commit(&mut disk, vec![batch(2, base)], 99);
    }
    (disk, fast)
}

/// Rot strikes what the kernel had and no sync proved, and each start dies before its first checkpoint.
pub(super) fn an_end_is_lost_above_the_mark() {
    let (good, fast) = unsynced_ends();
    let (file, from, to) = fast.lie[1];
    // In the head, in the batch of log 1, in the batch of log 3.
    for (at, lost) in [(from + 3, [1, 3]), (to - 200, [1, 1]), (to - 20, [3, 3])] {
        let mut disk = good.clone();
        disk.ring(RingKind::Fast, file)[at as usize] ^= 1;
        let mut boot = HERE;
        for nth in 0..4 {
            let (report, recovered) = start(&mut disk, boot);
            let served = ends(&disk, &recovered);
            assert_eq!(served.get(&2), Some(&40), "{:?}", report.warnings);
            for topic in lost {
                let torn = !served.contains_key(&topic);
                let end = recovered.fold.clone().claim_lost(log(topic));
                let known = recovered.fold.logs.contains_key(&log(topic));
                assert!(
                    torn && (known || end.is_some()),
                    "#99: start {nth} serves log {topic}, at {served:?}"
                );
            }
            // A cut of power between two starts changes nothing of what the first one has said.
            boot = if nth == 1 { ELSEWHERE } else { boot };
        }
        let (_, recovered) = start(&mut disk, boot);
        disk.checkpoint(Side::B, 2, &recovered.fold);
        let (_, later) = start(&mut disk, boot);
        let served = ends(&disk, &later);
        assert!(lost.iter().all(|topic| !served.contains_key(topic)), "#99");
    }
}

#[test]
fn an_end_that_rot_took_above_the_mark_is_known_to_every_later_start_99() {
    an_end_is_lost_above_the_mark();
}

fn trim(topic: u8, to: i64) -> Entry {
    Entry::Fact(log(topic), Generation(0), Fact::Start(Offset(to)))
}

/// Log 1 is trimmed to 10 in the third of so many commits.
fn trimmed(commits: i64) -> (Disk, Writer) {
    let mut disk = founded();
    let mut writer = Writer::new(RingKind::Durable);
    writer.commit(&mut disk, vec![batch(1, 0), batch(2, 0)], 0);
    writer.commit(&mut disk, vec![batch(1, 10)], 0);
    writer.commit(&mut disk, vec![trim(1, 10)], 0);
    for n in 1..commits - 2 {
        let next = [batch(1, n * 10 + 10), batch(2, n * 10)];
        writer.commit(&mut disk, next.to_vec(), 0);
    }
    (disk, writer)
}

fn wipe(disk: &mut Disk, writer: &Writer, commits: core::ops::Range<usize>) {
    for (file, from, to) in &writer.lie[commits] {
        disk.ring(RingKind::Durable, *file)[*from as usize..*to as usize].fill(0);
    }
}

/// Where log 1 starts, unless it is offline.
fn start_of_1(recovered: &Recovered) -> Option<i64> {
    let offline = recovered.offline.iter().any(|(of, _)| *of == log(1));
    let state = recovered.fold.logs.get(&log(1)).filter(|_| !offline);
    state.map(|state| state.start.0)
}

/// Rot takes the one commit that held a trim; what lies behind it is whole.
pub(super) fn a_trim_is_struck() {
    for boot in [HERE, ELSEWHERE] {
        let (mut disk, writer) = trimmed(6);
        wipe(&mut disk, &writer, 2..3);
        let (report, recovered) = start(&mut disk, boot);
        let told = report.warnings.concat();
        assert!(told.contains("commits 3 to 3"), "#99: {told}");
        assert_eq!(recovered.offline, [], "no end is missing");
        assert_eq!(start_of_1(&recovered), Some(10), "#89");
        assert_eq!(ends(&disk, &recovered), BTreeMap::from([(1, 50), (2, 40)]));
    }
}

#[test]
fn a_trim_survives_rot_in_the_commit_that_said_it_89() {
    a_trim_is_struck();
}

/// The only commit that echoes a trim is above the mark: it is void once the first start is proved.
pub(super) fn the_echo_of_a_trim_is_void() {
    let mut disk = founded();
    let mut writer = Writer::new(RingKind::Durable);
    writer.commit(&mut disk, vec![batch(1, 0), batch(2, 0)], 0);
    writer.commit(&mut disk, vec![batch(1, 10)], 0);
    writer.commit(&mut disk, vec![trim(1, 10)], 0);
    writer.commit(&mut disk, vec![batch(2, 10)], 0);
    wipe(&mut disk, &writer, 2..3);
    for nth in 0..3 {
        let (_, recovered) = start(&mut disk, HERE);
        assert_eq!(start_of_1(&recovered), Some(10), "#89 #97: start {nth}");
    }
}

#[test]
fn a_trim_that_only_an_echo_tells_of_is_known_to_every_later_start_89() {
    the_echo_of_a_trim_is_void();
}

#[test]
fn a_trim_in_a_commit_that_nobody_echoes_takes_its_log_offline_unless_a_later_one_says_it_anew_89()
{
    // Rot takes the trim and four commits more, so that log 1 goes on in none and no batch of it is missing.
    let hole = |anew: Option<Entry>| {
        let mut disk = founded();
        let mut writer = Writer::new(RingKind::Durable);
        writer.commit(&mut disk, vec![batch(1, 0), batch(2, 0)], 0);
        writer.commit(&mut disk, vec![trim(1, 10)], 0);
        for n in 1..5 {
            writer.commit(&mut disk, vec![batch(2, n * 10)], 0);
        }
        writer.commit(&mut disk, vec![batch(1, 10)], 0);
        writer.commit(&mut disk, anew.into_iter().collect(), 0);
        wipe(&mut disk, &writer, 1..6);
        disk
    };
    let mut disk = hole(None);
    for nth in 0..3 {
        let (_, recovered) = start(&mut disk, HERE);
        assert_eq!(start_of_1(&recovered), None, "#89: start {nth}");
        let why = &recovered.offline[0].1;
        assert!(why.contains("moved the start"), "{why}");
    }
    let (_, recovered) = start(&mut hole(Some(trim(1, 15))), HERE);
    assert_eq!(start_of_1(&recovered), Some(15));
}

#[test]
fn where_no_start_was_said_a_hole_that_nobody_echoes_puts_no_start_in_doubt() {
    // Five commits without a start: log 1 is proved by what it appends behind them.
    let mut disk = founded();
    let mut writer = Writer::new(RingKind::Durable);
    writer.commit(&mut disk, vec![batch(1, 0), trim(1, 5)], 0);
    for n in 0..5 {
        writer.commit(&mut disk, vec![batch(2, n * 10)], 0);
    }
    writer.commit(&mut disk, vec![batch(1, 10)], 0);
    writer.commit(&mut disk, vec![], 0);
    wipe(&mut disk, &writer, 1..6);
    let (_, recovered) = start(&mut disk, HERE);
    assert_eq!(start_of_1(&recovered), Some(5));
}

#[test]
fn a_start_echoes_all_that_counted_before_it_however_many_entries_there_are_89_99() {
    let mut disk = founded();
    let mut writer = Writer::new(RingKind::Durable);
    writer.commit(&mut disk, vec![batch(1, 0)], 0);
    let expired = |n| Fact::Expired(crate::ids::ProducerId(n), Offset(10));
    let mut large = vec![batch(3, 0), trim(1, 5)];
    large.extend((0..1100).map(|n| Entry::Fact(log(1), Generation(0), expired(n))));
    writer.commit(&mut disk, large, 0);
    writer.commit(&mut disk, vec![], 0);
    // The last commit is above the mark, and void from here on: only the start itself echoes the one before it.
    let (_, recovered) = start(&mut disk, HERE);
    assert_eq!(ends(&disk, &recovered), BTreeMap::from([(1, 10), (3, 10)]));
    wipe(&mut disk, &writer, 1..2);
    let (_, recovered) = start(&mut disk, HERE);
    assert_eq!(start_of_1(&recovered), Some(5), "#89");
    assert_eq!(recovered.fold.clone().claim_lost(log(3)), Some(Offset(10)));
}
