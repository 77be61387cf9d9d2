"""What SQS cannot promise, and the tests that ask for it: each is skipped there with its reason."""

from __future__ import annotations

WAITING = "it shows nobody what waits, and lets nobody take it out"
ENDED = "it keeps nothing of what was delivered or dropped, nor of single attempts"
TWICE = "it does not know what waits or died: no delivery is a duplicate, none resolves another"
COUNTS = "it counts what waits and what is dead, about, and nothing else"
HAND = "a process knows the ten in its own hand, and no others"
LATER = "it keeps what is to be tried later out of everybody's hand until then"
POSITIONS = "it knows no positions"
CHANGES = "it tells nobody of changes: whoever wants to know has to look"

_TESTS = {
    WAITING: (
        "test_a_drop_ends_what_waits",
        "test_without_a_state_what_waits_is_dropped",
        "test_a_replayed_one_can_be_dropped",
        "test_what_waits_is_not_replayed",
        "test_what_waits_is_listed_by_its_place",
        "test_everything_is_listed_newest_first",
        "test_an_entry_says_what_it_is",
        "test_show_finds_all_of_a_delivery_id",
        "test_odd_headers_and_bodies_are_shown_to_the_byte",
        "test_after_a_drop_an_attempt_is_recorded_and_changes_nothing",
        "test_an_attempt_from_before_a_drop_and_a_replay_does_not_end_the_replayed_one",
        "test_many_are_changed_in_steps",
        "test_a_dry_run_counts_and_changes_nothing",
        "test_the_filters_narrow",
        "test_names_are_ids_and_delivery_ids",
    ),
    ENDED: (
        "test_a_state_narrows",
        "test_a_replay_goes_to_the_end_of_the_lane_with_fresh_attempts_and_its_history",
        "test_what_was_delivered_or_dropped_can_be_replayed",
        "test_what_was_delivered_or_dropped_is_not_dropped",
        "test_without_a_state_the_dead_are_replayed",
        "test_a_drop_ends_what_is_dead_and_keeps_the_reason",
        "test_delivered_ends_it_and_counts_it",
        "test_only_counted_attempts_count_but_all_are_in_the_history",
        "test_the_history_tells_each_attempt_in_order",
        "test_two_attempts_that_are_recorded_twice_end_it_once",
        "test_a_webhook_delivered_once_more_by_a_replay_counts_twice",
        "test_it_waits_before_all_others_of_its_lane_in_the_old_order",
        "test_it_has_fresh_attempts_and_keeps_its_history",
        "test_only_what_was_delivered_in_that_time",
        "test_only_what_is_chosen_by_path_and_query",
        "test_nothing_that_ended_otherwise",
        "test_a_second_call_finds_nothing_more_until_it_was_delivered_again",
        "test_it_is_counted_as_waiting_and_as_delivered_once_more",
        "test_a_replay_by_a_person_is_no_recall",
        "test_many_come_in_steps_and_none_is_left_out",
        "test_another_process_sees_it",
        "test_one_that_was_recalled_often_is_left_alone",
    ),
    TWICE: (
        "test_the_same_delivery_is_stored_once_while_it_waits",
        "test_the_same_delivery_twice_at_once_is_stored_once",
        "test_a_duplicate_of_a_webhook_that_is_tried_again_and_again_is_one",
        "test_a_delivery_that_has_ended_is_stored_anew",
        "test_a_delivery_whose_first_was_dropped_by_another_process_is_stored",
        "test_a_delivery_that_waits_by_a_replay_is_a_duplicate",
        "test_a_delivery_that_waits_twice_by_a_replay_stays_known_until_the_last_has_ended",
        "test_a_redelivery_marks_the_dead_one_as_resolved",
        "test_who_resolved_a_dead_one_first_stays_named",
        "test_another_hook_or_path_makes_another_delivery",
        "test_a_redelivery_while_it_waits_is_a_duplicate",
        "test_a_redelivery_that_waits_already_stays_the_one_that_counts",
        "test_a_resolved_one_that_is_replayed_counts_as_any_other",
    ),
    COUNTS: (
        "test_the_counts_tell_the_oldest_that_waits",
        "test_the_counts_are_the_same_for_every_process",
    ),
    HAND: (
        "test_webhooks_wait_in_the_order_in_which_they_were_put",
        "test_a_reader_misses_nothing_that_many_threads_put_meanwhile",
        "test_still_waiting_names_those_that_do",
        "test_every_example_of_github_comes_back_to_the_byte",
        "test_without_a_delivery_id_nothing_is_a_duplicate",
    ),
    LATER: (
        "test_again_keeps_its_place_and_says_when",
        "test_a_hold_leaves_it_due_at_once",
        "test_a_retry_that_is_not_due_keeps_its_lane_for_later",
    ),
    POSITIONS: (
        "test_a_backlog_is_what_waits_up_to_a_position_and_nothing_that_comes_later",
        "test_what_waits_for_a_held_path_is_for_later",
    ),
    CHANGES: (
        "test_setting_the_valve_is_a_change_that_others_see",
        "test_a_put_and_a_settle_are_changes",
        "test_each_edit_shows_in_the_signs_of_every_process",
    ),
}

CANNOT = {name: why for why, names in _TESTS.items() for name in names}
