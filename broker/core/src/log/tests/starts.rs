//! A start finds what the process before it had: every record that was acknowledged, who sent it, where each log begins
//! (#71, #89, #96, #97), whether it was stopped cleanly (#103), and what is damaged (#99).

use super::super::testing::{World, batch, log, small};
use super::super::{Appended, Told};
use crate::ids::Offset;

#[test]
fn a_process_that_dies_comes_back_with_all_that_was_acknowledged_96_97() {
    let mut world = World::fresh(small());
    let (a, b) = (log(1), log(2));
    let mut acknowledged = 0;
    for life in 0..6 {
        world.open_plain(1);
        world.open_fast(2);
        world.settle();
        for _ in 0..37 {
            world.fill(a, 1, 900);
            world.fill(b, 2, 400);
            world.settle();
        }
        // Queued and not written: nobody was told of these.
        world.fill(a, 3, 100);
        acknowledged += 37;
        assert_eq!(world.durable(a), acknowledged, "life {life}");
        world = world.restart(small());
        world.open_plain(1);
        world.open_fast(2);
        assert_eq!(world.read_all(a, 0), (0..acknowledged).collect::<Vec<_>>());
        assert_eq!(
            world.read_all(b, 0),
            (0..2 * acknowledged).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_clean_stop_leaves_nothing_to_replay_and_is_told_at_the_next_start_103() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    world.fill(id, 30, 900);
    world.settle();
    world.stop();
    let mut next = World::on(small(), world.disk);
    next.disk.files.entry("meta.properties".into()).or_default();
    let Told::Judged(report) = next.begin() else {
        panic!("no verdict")
    };
    assert_eq!(report.clean, Some(crate::ids::BrokerEpoch(5)));
    next.accept();
    next.open_plain(1);
    assert_eq!(next.read_all(id, 0), (0..30).collect::<Vec<_>>());
    next.fill(id, 1, 10);
    next.settle();
    let mut third = World::on(small(), next.disk);
    let Told::Judged(report) = third.begin() else {
        panic!("no verdict")
    };
    assert_eq!(
        report.clean, None,
        "the first commit of a start ends the marker"
    );
}

#[test]
fn producers_are_known_after_a_start_71() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    for nth in 0..60 {
        world.append(id, batch(2, 300, 0, Some((9, 0, nth * 2))));
        world.settle();
    }
    let mut world = world.restart(small());
    world.open_plain(1);
    let again = Appended::Duplicate {
        base: Offset(118),
        last: Offset(119),
    };
    assert_eq!(world.append(id, batch(2, 300, 0, Some((9, 0, 118)))), again);
    assert!(matches!(
        world.append(id, batch(2, 300, 0, Some((9, 0, 120)))),
        Appended::New { .. }
    ));
}

#[test]
fn a_trimmed_log_starts_there_after_a_start_89() {
    let mut world = World::fresh(small());
    let id = world.open_plain(1);
    for _ in 0..60 {
        world.append(id, batch(3, 300, 0, None));
        world.settle();
    }
    world.engine.raise(id, Offset(180), Offset(180));
    world.engine.trim(id, Offset(100)).expect("is accepted");
    world.settle();
    let mut world = world.restart(small());
    world.open_plain(1);
    assert_eq!(
        world.engine.marks(id).map(|marks| marks.start),
        Some(Offset(100))
    );
    assert_eq!(
        world.read_all(id, 100)[0],
        99,
        "the batch that holds the start comes whole"
    );
    for _ in 0..60 {
        world.append(id, batch(3, 300, 0, None));
        world.settle();
    }
    assert_eq!(world.read_all(id, 100).len(), 27 + 60);
}

#[test]
fn a_log_that_a_start_found_damaged_is_named_when_it_is_opened_99() {
    let mut world = World::fresh(small());
    let (a, b) = (world.open_plain(1), world.open_plain(2));
    world.fill(a, 1, 500);
    world.settle();
    let plan = world.plan(a, 0, 100).expect("a plan");
    let (name, at) = (plan.files[0].to_string(), plan.places[0].at as usize + 90);
    world.fill(b, 1, 500);
    world.settle();
    world.fill(b, 1, 500);
    world.settle();
    world.disk.files.get_mut(&name).expect("the ring")[at] ^= 1;
    let mut world = world.restart(small());
    world.open_plain(1);
    world.open_plain(2);
    world.settle();
    let named: Vec<_> = world
        .told
        .iter()
        .filter(|told| matches!(told, Told::Offline(log, _) if *log == a))
        .collect();
    assert_eq!(named.len(), 1, "{:?}", world.told);
    assert_eq!(world.read_all(b, 0), [0, 1]);
}
