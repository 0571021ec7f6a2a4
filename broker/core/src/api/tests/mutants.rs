//! The tests of this folder fail when a known bug is put back: each is caught by the test that is named for its rule.
//! Decides nothing else.

use super::{admin, bounds, connection, fetching, producing, sessions};
use crate::proof::caught;

#[test]
fn a_queue_without_a_bound_is_noticed() {
    caught(
        "open-without-bound",
        connection::at_most_64_requests_are_open_and_room_says_so,
    );
}

#[test]
fn fetches_that_pile_up_are_noticed() {
    caught(
        "fetches-pile-up",
        bounds::what_the_open_fetches_of_a_connection_may_bring_is_bounded_132,
    );
}

#[test]
fn an_answer_for_a_request_that_is_gone_is_noticed() {
    caught(
        "stale-answer-taken",
        connection::an_answer_for_a_request_that_is_gone_or_never_was_is_dropped,
    );
}

#[test]
fn a_trusted_replica_id_is_noticed() {
    caught(
        "replica-id-trusted",
        fetching::a_replicas_powers_are_not_to_be_had_on_a_clients_listener,
    );
}

#[test]
fn a_fetch_that_waits_for_ever_is_noticed() {
    caught(
        "fetch-waits-for-ever",
        fetching::gotcha_12_every_fetch_is_answered_within_its_max_wait_though_min_bytes_is_never_met,
    );
}

#[test]
fn records_kept_for_a_fetch_that_waits_are_noticed() {
    caught(
        "parked-fetch-keeps-records",
        fetching::a_fetch_that_waits_for_more_is_measured_on_and_holds_no_records_131,
    );
    caught(
        "fetch-read-out-of-turn",
        fetching::a_fetch_behind_another_reads_nothing_until_its_turn_131,
    );
}

#[test]
fn fetches_that_wait_without_a_bound_are_noticed() {
    caught(
        "fetches-wait-without-bound",
        fetching::fetches_that_wait_hold_a_bounded_sum_and_who_finds_no_room_is_answered_131_132,
    );
}

#[test]
fn a_session_of_any_epoch_is_noticed() {
    caught(
        "session-epoch-ignored",
        sessions::a_session_of_another_epoch_number_or_form_is_refused,
    );
}

#[test]
fn a_session_that_hides_new_marks_is_noticed() {
    caught(
        "session-hides-new-marks",
        sessions::a_session_is_told_only_what_is_new_and_names_only_what_changed,
    );
}

#[test]
fn sessions_without_a_bound_are_noticed() {
    caught(
        "sessions-without-bound",
        sessions::beyond_the_slots_a_reader_is_answered_in_full_under_number_0_131_132,
    );
    caught(
        "sessions-without-bound",
        sessions::sessions_hold_no_more_bytes_than_a_node_has_for_them_131,
    );
}

#[test]
fn others_ended_for_a_session_that_is_refused_are_noticed() {
    caught(
        "refused-session-ends-others",
        sessions::a_session_that_is_refused_all_the_same_ends_no_other,
    );
}

#[test]
fn a_session_of_any_size_is_noticed() {
    caught(
        "session-of-any-size",
        sessions::long_names_of_topics_that_are_not_there_make_no_session_larger_131,
    );
}

#[test]
fn settings_told_without_end_are_noticed() {
    caught(
        "settings-told-without-end",
        admin::a_resource_named_without_end_is_refused_before_it_is_told_128,
    );
}

#[test]
fn a_batch_that_grew_beyond_its_bound_is_noticed() {
    caught(
        "grown-beyond-its-bound",
        producing::a_batch_is_stored_in_its_topics_codec_and_judged_by_the_size_it_has_then,
    );
}
