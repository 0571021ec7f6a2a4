//! The tests of this folder fail when a known bug is put back: each is caught by the test that is named for its rule.
//! Decides nothing else.

use super::{deleting, failing, serving, snapshots, starting};
use crate::proof::caught;

#[test]
fn an_answer_at_the_logs_end_is_caught() {
    caught(
        "ack-at-next",
        failing::nobody_is_answered_before_his_own_batch_is_durable,
    );
}

#[test]
fn a_leader_that_counts_itself_unsynced_is_caught() {
    caught(
        "count-self-unsynced",
        failing::nobody_is_answered_before_his_own_batch_is_durable,
    );
}

#[test]
fn a_duplicate_answered_at_once_is_caught() {
    caught(
        "duplicate-acked-at-once",
        failing::a_retry_is_not_answered_before_its_original_is_durable,
    );
}

#[test]
fn an_unknown_error_for_a_duplicate_is_caught() {
    caught(
        "unknown-on-duplicate",
        serving::producer_ids_are_granted_once_and_a_retry_gets_its_original_offset,
    );
}

#[test]
fn a_definite_refusal_of_what_may_still_happen_is_caught() {
    caught(
        "late-is-definite",
        failing::a_reply_that_comes_too_late_says_that_the_effect_may_still_happen,
    );
}

#[test]
fn a_verdict_that_is_told_only_when_the_node_is_ready_is_caught() {
    caught(
        "verdict-told-when-ready",
        starting::a_cut_is_told_before_a_start_that_dies_can_make_it_durable_99,
    );
}

#[test]
fn a_snapshot_that_does_not_reach_the_damage_is_caught() {
    caught(
        "snapshot-covers-anything",
        snapshots::rot_in_the_metadata_log_is_covered_by_a_whole_snapshot_above_it_or_refused_39_99,
    );
}

#[test]
fn a_snapshot_written_in_place_is_caught() {
    caught(
        "snapshot-not-atomic",
        snapshots::a_power_cut_after_snapshots_were_written_loses_no_topic,
    );
}

#[test]
fn a_founding_that_is_proved_before_it_is_durable_is_caught_97() {
    caught(
        "founded-unsynced",
        starting::a_founding_that_was_cut_short_anywhere_is_made_again_or_gone_on_from,
    );
}

#[test]
fn deletion_by_absence_is_caught() {
    caught(
        "delete-unknown-dirs",
        starting::a_directory_that_matches_no_topic_is_left_as_it_is,
    );
}

#[test]
fn producer_ids_granted_before_their_block_is_committed_are_caught() {
    caught(
        "producer-ids-unlogged",
        starting::producer_ids_of_one_life_are_never_those_of_another,
    );
}

#[test]
fn a_load_that_applies_other_than_live_operation_is_caught() {
    caught(
        "load-skips-changes",
        starting::a_node_that_is_killed_comes_back_with_all_that_was_acknowledged,
    );
}

#[test]
fn serving_before_the_terms_own_records_are_committed_is_caught() {
    caught(
        "serve-before-own-term",
        failing::a_node_that_is_not_up_yet_refuses_and_does_nothing,
    );
}

#[test]
fn a_deletion_that_takes_its_neighbour_with_it_is_caught_40() {
    caught(
        "delete-drops-its-neighbour",
        deleting::a_deleted_topic_goes_with_its_records_and_nothing_of_another_is_touched_40_45,
    );
}

#[test]
fn a_deleted_topic_that_stays_is_caught_45() {
    caught(
        "deleted-topic-kept",
        deleting::a_deleted_topic_goes_with_its_records_and_nothing_of_another_is_touched_40_45,
    );
}

#[test]
fn a_snapshot_that_forgets_a_deletion_under_way_is_caught_40() {
    caught(
        "snapshot-before-drop",
        deleting::no_snapshot_is_written_before_every_shard_has_let_go_of_what_was_deleted_40,
    );
}

#[test]
fn a_new_start_told_at_once_is_caught_89() {
    caught(
        "trim-answered-at-once",
        deleting::a_new_start_is_not_told_before_it_is_durable_89,
    );
}

#[test]
fn a_command_answered_before_it_is_committed_is_caught_43() {
    caught(
        "command-answered-uncommitted",
        failing::a_reply_that_comes_too_late_says_that_the_effect_may_still_happen,
    );
}

#[test]
fn a_later_batch_taken_for_a_producers_beginning_is_caught_70() {
    caught(
        "unknown-is-fresh",
        failing::of_several_first_batches_in_flight_none_is_taken_before_the_first_70,
    );
}
