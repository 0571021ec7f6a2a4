//! The engine's known bugs, switched on one at a time: each must fail the check of its own row, and the same check must
//! pass without it. Bugs that only a power cut shows are the crash enumerator's.

use super::testing::{World, batch, failed, is_commit, log, small};
use super::{Appended, Told};
use crate::config::TopicConfig;
use crate::file::{FaultKind, Served};
use crate::ids::{LogId, Offset};
use crate::proof::caught;

#[test]
fn stale_fsync_completion_is_caught_10() {
    caught(
        "stale-fsync-completion",
        super::tests::a_completion_arrives_after_a_cut,
    );
}

#[test]
fn retry_after_eio_is_caught_101() {
    caught("retry-after-eio", || {
        let mut world = World::fresh(small());
        let id = world.open_plain(1);
        world.append(id, batch(1, 10, 0, None));
        world.fault = Some(|op| is_commit(op).then(|| failed(FaultKind::Broken, "EIO")));
        world.settle();
        assert_eq!(world.durable(id), 0, "#101");
    });
}

#[test]
fn recycle_while_read_is_caught_7() {
    caught("recycle-while-read", || {
        let mut world = World::fresh(small());
        let id = world.open_plain(1);
        world.fill(id, 3, 100);
        world.settle();
        let plan = world.plan(id, 0, 1 << 20).expect("a plan");
        for _ in 0..400 {
            world.fill(id, 2, 1500);
            world.settle();
        }
        assert_eq!(world.serve(&plan).len(), 3, "#7");
    });
}

#[test]
fn spill_recomputes_checksum_is_caught_7() {
    caught("spill-recomputes-checksum", || {
        let mut world = World::fresh(small());
        let (a, b) = (world.open_plain(1), world.open_plain(2));
        world.fill(a, 1, 100);
        world.settle();
        let plan = world.plan(a, 0, 100).expect("a plan");
        let (name, at) = (plan.files[0].to_string(), plan.places[0].at as usize + 90);
        world.engine.served(&plan, &Served::Dropped, &mut world.ops);
        world.disk.files.get_mut(&name).expect("the ring")[at] ^= 1;
        for _ in 0..200 {
            world.fill(b, 1, 1500);
            world.settle();
        }
        assert!(
            world.engine.offline(a).is_some(),
            "#7: rot was copied into a segment"
        );
    });
}

#[test]
fn a_load_that_believes_what_memory_holds_is_caught_7_99() {
    caught(
        "loaded-is-believed",
        super::tests::stale::a_load_of_what_memory_holds_wrongly,
    );
}

#[test]
fn trust_index_is_caught_6() {
    caught("trust-index", || {
        let mut world = World::fresh(small());
        let id = world.open_plain(1);
        world.fill(id, 3, 100);
        world.settle();
        let plan = world.plan(id, 1, 100).expect("a plan");
        let (name, at) = (plan.files[0].to_string(), plan.places[0].at as usize + 90);
        world.disk.files.get_mut(&name).expect("the ring")[at] ^= 1;
        world.engine.served(&plan, &Served::Dropped, &mut world.ops);
        world.engine.load(id, Offset(1), 1, 4, &mut world.ops);
        world.settle();
        let loaded = world
            .told
            .iter()
            .any(|told| matches!(told, Told::Loaded(4, Ok(_))));
        assert!(!loaded, "#6: bytes that do not match reached the core");
    });
}

#[test]
fn plan_beyond_end_is_caught_9() {
    caught("plan-beyond-end", || {
        let mut world = World::fresh(small());
        let id = world.open_plain(1);
        world.fill(id, 3, 100);
        world.settle();
        let planned = world
            .engine
            .plan(id, Offset(0), Offset(2), 1 << 20, true, &mut world.ops);
        let Ok(super::Planned::Ready(plan)) = planned else {
            panic!("no plan")
        };
        assert_eq!(plan.places.len(), 2, "#9");
    });
}

#[test]
fn start_beyond_hw_is_caught_5() {
    caught("start-beyond-hw", || {
        let mut world = World::fresh(small());
        let id = world.open_plain(1);
        world.fill(id, 3, 100);
        world.settle();
        world.engine.raise(id, Offset(1), Offset(1));
        assert!(world.engine.trim(id, Offset(2)).is_err(), "#5");
    });
}

#[test]
fn unlink_before_start_is_durable_is_caught_89() {
    caught("unlink-before-start-is-durable", || {
        let mut world = World::fresh(small());
        let config = TopicConfig {
            segment_bytes: 8000,
            ..TopicConfig::default()
        };
        let id = log(1);
        world.open(id, config.clone());
        world.fill(id, 60, 1000);
        world.settle();
        world.fill(id, 40, 1000);
        world.settle();
        world.engine.raise(id, Offset(100), Offset(100));
        world.engine.trim(id, Offset(40)).expect("is accepted");
        world.flush();
        // The commit never lands; everything else that was asked for does.
        while let Some(index) = world.queue.iter().position(|(_, op)| !is_commit(op)) {
            world.step(index);
        }
        let mut world = world.restart(small());
        world.open(id, config);
        assert_eq!(world.read_all(id, 0).len(), 100, "#89");
    });
}

#[test]
fn drop_by_name_is_caught_40() {
    caught(
        "drop-by-name",
        super::tests::drops::the_next_log_of_a_name_waits_until_the_one_before_has_left_40_45,
    );
}

#[test]
fn drop_forgets_the_name_is_caught_40() {
    caught(
        "drop-forgets-the-name",
        super::tests::drops::a_drop_is_finished_by_name,
    );
}

#[test]
fn checkpoint_ahead_of_durable_is_caught_96() {
    caught("checkpoint-ahead-of-durable", || {
        let mut world = World::fresh(small());
        let id = world.open_plain(1);
        world.append(id, batch(2, 10, 0, Some((9, 0, 0))));
        world.flush();
        world.engine.keeper.wanted = 1;
        world.flush();
        // The checkpoint is written, the commit is not: the process dies before.
        while let Some(index) = world.queue.iter().position(|(_, op)| !is_commit(op)) {
            world.step(index);
        }
        let mut world = world.restart(small());
        world.open_plain(1);
        let retry = world.append(id, batch(2, 10, 0, Some((9, 0, 0))));
        assert!(
            matches!(retry, Appended::New { .. }),
            "#69, #96: a lost batch is called a duplicate"
        );
    });
}

#[test]
fn tidied_before_named_is_caught_96() {
    caught(
        "tidied-before-named",
        super::tests::direct::a_full_ring_with_names_in_its_queue,
    );
}

#[test]
fn relief_forgets_copies_is_caught_132() {
    caught(
        "relief-forgets-copies",
        super::tests::pressure::copies_wait_while_the_ring_is_full,
    );
}

#[test]
fn relief_while_a_file_is_made_is_caught_132() {
    caught(
        "relief-while-a-file-is-made",
        super::tests::pressure::a_burst_meets_a_disk_that_is_slow_to_make_files,
    );
}

#[test]
fn a_believed_clock_of_a_start_is_caught_111() {
    caught(
        "clock-of-a-start-believed",
        super::tests::time::a_start_whose_clock_is_a_month_ahead,
    );
}

#[test]
fn idleness_by_timestamps_is_caught_69() {
    caught(
        "idle-by-timestamps",
        super::tests::time::a_producer_fills_in_old_records,
    );
}

#[test]
fn epochs_of_the_fold_only_is_caught_4() {
    caught(
        "epochs-of-the-fold-only",
        super::tests::time::a_leadership_is_read_before_its_fact_is_durable,
    );
}

#[test]
fn an_error_that_takes_the_whole_read_is_caught_106() {
    caught(
        "eio-takes-the-whole-read",
        super::tests::damage::one_sector_under_many_partitions,
    );
}

#[test]
fn damaged_files_that_count_are_caught_106() {
    caught("damaged-files-count", || {
        super::tests::damage::damaged_logs_in_as_many_files(3)
    });
}

#[test]
fn a_failure_of_a_voided_course_that_is_ignored_is_caught_101() {
    caught(
        "failure-of-a-voided-course-ignored",
        super::tests::damage::a_directory_fails_after_its_log_was_trimmed,
    );
}

#[test]
fn no_metadata_reserve_is_caught_105() {
    caught("no-metadata-reserve", || {
        let mut world = World::fresh(small());
        let id = world.open_plain(1);
        world.open(LogId::METADATA, TopicConfig::default());
        // Nothing but commits is done: the ring fills up to its reserve.
        for _ in 0..200 {
            world.fill(id, 1, 3000);
            world.flush();
            while let Some(index) = world.queue.iter().position(|(_, op)| is_commit(op)) {
                world.step(index);
                world.flush();
            }
        }
        world.append(LogId::METADATA, batch(1, 10, 0, None));
        world.flush();
        while let Some(index) = world.queue.iter().position(|(_, op)| is_commit(op)) {
            world.step(index);
        }
        assert_eq!(
            world.durable(LogId::METADATA),
            1,
            "#105: metadata waits for users"
        );
    });
}

#[test]
fn a_reserve_that_takes_the_first_file_is_caught() {
    caught(
        "reserve-takes-the-first-file",
        super::tests::reserve::the_first_record_is_durable_before_there_is_a_second_file,
    );
}

#[test]
fn users_who_ride_into_the_reserve_are_caught_105() {
    caught(
        "users-ride-into-the-reserve",
        super::tests::reserve::half_of_the_first_file_is_metadata_s,
    );
}

#[test]
fn founded_with_one_checkpoint_is_caught_100() {
    caught(
        "founded-with-one-checkpoint",
        super::tests::copies::one_copy_of_a_founding_is_lost,
    );
}

#[test]
fn leaver_keeps_ring_files_is_caught_138() {
    caught(
        "leaver-keeps-ring-files",
        super::tests::pressure::a_log_is_dropped_while_its_batches_fill_the_ring,
    );
}

#[test]
fn a_cycle_of_any_number_of_batches_is_noticed() {
    caught(
        "cycle-of-any-batches",
        super::tests::a_cycle_of_small_batches_ends_before_what_is_known_of_them_outgrows_their_bytes_132,
    );
}

#[test]
fn a_fact_before_names_is_caught_4() {
    caught(
        "fact-before-names",
        super::tests::direct::a_leadership_begins_while_batches_are_being_put,
    );
}

#[test]
fn a_start_that_looks_for_what_was_removed_is_caught_97() {
    caught(
        "settle-keeps-what-went",
        super::tests::direct::a_kept_segment_is_freed_and_the_process_dies,
    );
}

#[test]
fn a_removed_record_that_hides_others_is_caught_6() {
    caught(
        "removed-record-hides-others",
        super::tests::find::records_below_the_start_are_later_than_all_others,
    );
}

#[test]
fn copied_without_its_lead_is_caught_1() {
    caught(
        "copied-without-its-lead",
        super::tests::direct::a_full_disk_behind_copied_writes,
    );
}

#[test]
fn pinned_by_name_is_caught_7() {
    caught(
        "pinned-by-name",
        super::tests::drops::a_reader_outlives_the_topic_that_had_the_name,
    );
}

#[test]
fn a_spill_that_is_told_before_its_bytes_are_put_is_caught_94() {
    caught(
        "spilled-before-put",
        super::tests::spills::a_process_dies_after_any_operation_of_a_spill,
    );
}

#[test]
fn a_wall_clock_that_retention_believes_is_caught_110() {
    caught(
        "wall-clock-believed",
        super::tests::a_jump_of_the_wall_clock_retires_nothing_111,
    );
}
