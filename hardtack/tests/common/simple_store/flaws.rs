//! Every way of breaking the contract that somebody could think of, with the cases that must find it.

macro_rules! flaws {
    ($( $name:ident: $( $case:literal )* ; )*) => {
        /// One thing that a store may get wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Flaw { $( $name ),* }

        /// All of them, each with every case that is about it.
        pub const FLAWS: &[(Flaw, &str)] = &[ $( $( (Flaw::$name, $case), )* )* ];
    };
}

flaws! {
    NodesAreApart: "presence::a_created_row_is_there_on_every_node";
    NobodyIsNull: "owners::rows_without_an_owner_belong_to_nobody";
    DeadlinesAreIncluded: "time::a_deadline_that_is_now_has_passed"
        "clocks::a_session_lives_while_it_is_used";
    IdleAloneCounts: "time::the_earlier_deadline_counts";
    TimesAreSeconds: "time::a_deadline_that_is_now_has_passed" "purging::a_purge_takes_what_is_over_and_nothing_else";
    TimesAreSigned32: "time::the_first_and_the_last_instant_are_times";
    SealedIsText: "contents::every_byte_comes_back";
    SealedIsShort: "contents::a_mebibyte_comes_back"
        "writers::a_huge_session_comes_back";
    LabelIsDropped: "contents::owners_and_labels_come_back" "versions::a_replaced_row_is_the_new_one_whole"
        "logins::devices_are_listed_and_ended";
    EpochIsDropped: "contents::every_fact_comes_back";
    LocksWhenDropped: "dropped::dropped_questions_hold_nothing";

    CreateOverwrites: "presence::create_overwrites_nothing" "crowds::one_key_is_created_once";
    CreateOverwritesExpired: "presence::an_expired_row_is_absent_but_keeps_its_key";
    CreateIgnoresTombstones: "presence::a_tombstone_stands_until_its_time";
    CreateSkipsExpired: "time::a_row_that_is_born_expired_is_never_seen";
    CreateInTwoSteps: "crowds::one_key_is_created_once";
    CreateTearsWhenDropped: "dropped::a_dropped_create_is_whole";

    EpochIsNotChecked: "endings::a_login_from_before_an_ending_is_refused"
        "logins::a_slow_login_does_not_survive_a_change_of_password";
    EpochForbidsTheSame: "endings::a_login_from_before_an_ending_is_refused"
        "clocks::servers_may_be_ninety_seconds_apart";
    EpochOfTheRowIsChecked: "endings::the_epoch_that_counts_is_that_of_the_admission";
    EpochIsCheckedForNobody: "endings::a_row_without_an_owner_is_not_asked_for_its_epoch";
    EpochIsCheckedTooEarly: "crowds::nothing_from_before_an_ending_is_alive_after_it"
        "logins::a_slow_login_does_not_survive_a_change_of_password";

    LimitIsOneMore: "limits::one_more_is_refused";
    LimitEndsTheYoungest: "limits::one_more_ends_the_oldest";
    LimitEndsOne: "limits::a_lowered_limit_ends_as_many_as_it_must";
    LimitCountsExpired: "limits::expired_rows_do_not_count";
    LimitCountsForEver: "limits::a_removed_row_makes_room" "dropped::a_dropped_create_is_whole";
    LimitIsForAll: "limits::each_owner_has_a_limit_of_his_own";
    LimitEndsBeforeItFails: "limits::a_create_that_fails_ends_nobody";
    LimitCountsNobody: "limits::a_row_without_an_owner_has_no_limit";
    LimitIsCheckedTooEarly: "crowds::fifty_logins_hold_a_limit_that_refuses"
        "crowds::fifty_logins_hold_a_limit_that_ends_the_oldest"
        "logins::fifty_sign_ins_hold_the_limit_that_refuses"
        "logins::fifty_sign_ins_hold_the_limit_that_ends_the_oldest";

    LoadReturnsExpired: "presence::an_expired_row_is_absent_but_keeps_its_key";
    LoadRemembersTheLatestTime: "time::a_caller_whose_clock_is_behind_still_sees_the_row";
    LoadIsCachedPerNode: "touches::a_touch_on_one_node_counts_on_the_other"
        "presence::an_expired_row_is_absent_but_keeps_its_key"
        "logins::signing_in_ends_the_session_from_before"
        "clocks::a_jumping_clock_revives_nothing"
        "leaving::a_visitor_may_leave_while_signing_out";

    ReplaceResurrects: "presence::an_absent_key_is_absent" "presence::nothing_brings_a_deleted_row_back"
        "logins::a_logout_beats_fifty_requests_under_way";
    ReplaceIgnoresExpiry: "versions::replace_asks_the_row_that_is_there_for_its_expiry";
    ReplaceIgnoresTheVersion: "versions::replace_is_a_compare_and_swap" "crowds::one_version_is_replaced_once";
    ReplaceIgnoresHigherVersions: "versions::replace_is_a_compare_and_swap";
    ReplaceTakesTheEpoch: "versions::replace_keeps_the_owner_and_the_epoch";
    ReplaceTakesTheOwner: "versions::replace_keeps_the_owner_and_the_epoch";
    ReplaceTakesTheTimes: "versions::replace_keeps_the_later_use" "crowds::touches_and_replaces_lose_nothing";
    ReplaceKeepsTheLabel: "versions::a_replaced_row_is_the_new_one_whole";
    ReplaceKeepsTheTail: "contents::data_may_grow_and_shrink";
    ReplaceKeepsTheAbsoluteDeadline: "versions::a_row_may_be_replaced_by_a_shorter_lived_one"
        "purging::a_replaced_row_has_the_deadline_of_the_new_one";
    ReplaceInTwoSteps: "crowds::no_replaced_version_is_lost" "crowds::one_version_is_replaced_once"
        "crowds::a_delete_wins_over_everything"
        "writers::two_writers_of_different_fields_both_survive"
        "writers::a_thousand_increments_make_a_thousand"
        "writers::a_hundred_takers_have_one_winner"
        "leaving::increments_survive_lost_answers";
    ReplaceTearsWhenDropped: "dropped::a_dropped_replace_is_whole" "crowds::readers_see_whole_rows"
        "dropped::a_crowd_that_leaves_locks_nobody_out"
        "leaving::a_visitor_may_leave_while_a_write_is_committed"
        "leaving::a_crowd_that_leaves_harms_no_session";

    TouchLowers: "touches::a_touch_only_moves_forward";
    TouchDropsTheLaterUse: "touches::a_touch_only_moves_forward";
    TouchIgnoresTheAbsoluteDeadline: "touches::a_touch_stops_at_the_absolute_deadline";
    TouchRaisesTheVersion: "touches::a_touch_changes_nothing_else";
    TouchInTwoSteps: "crowds::touches_and_replaces_lose_nothing" "crowds::a_delete_wins_over_everything";
    TouchTearsWhenDropped: "dropped::a_dropped_touch_is_whole";

    DeleteLeavesNoTombstone: "presence::nothing_brings_a_deleted_row_back";
    DeleteOfNothingLeavesNoTombstone: "presence::deleting_what_is_not_there_leaves_a_tombstone";
    DeleteShortensTombstones: "presence::a_second_delete_shortens_no_tombstone";
    DeleteDeniesExpired: "presence::an_expired_row_is_absent_but_keeps_its_key";
    DeleteAlwaysSaysYes: "presence::nothing_brings_a_deleted_row_back" "crowds::a_row_is_deleted_once";
    DeleteInTwoSteps: "crowds::a_row_is_deleted_once";
    DeleteTearsWhenDropped: "dropped::a_dropped_delete_is_whole";

    OwnedByHasExpired: "owners::an_owner_has_his_live_rows_and_no_others";
    OwnedByIsAPrefix: "owners::similar_names_are_different_owners"
        "logins::an_owner_is_ended_everywhere";
    OwnedByIgnoresCase: "owners::similar_names_are_different_owners";
    OwnedByTrims: "owners::similar_names_are_different_owners";
    OwnedByIsAPattern: "owners::similar_names_are_different_owners";
    OwnedByEndsAtNul: "owners::similar_names_are_different_owners";
    OwnedByCutsNames: "owners::similar_names_are_different_owners";
    OwnedByIsStale: "owners::the_list_of_an_owner_follows_every_write";
    OwnedByHasAHundred: "owners::an_owner_may_have_hundreds_of_rows";
    OwnedByTheFirstOwner: "presence::a_key_that_is_free_again_has_no_past";

    EndLeavesOne: "endings::an_ending_removes_all_rows_of_the_owner";
    EndLeavesNoTombstones: "endings::an_ending_leaves_tombstones";
    EndLeavesExpired: "endings::an_ending_removes_expired_rows_too";
    EndForgetsExcept: "endings::the_spared_row_gets_the_epoch_and_keeps_its_version";
    EndRaisesTheVersion: "endings::the_spared_row_gets_the_epoch_and_keeps_its_version";
    EndLeavesTheEpoch: "endings::the_spared_row_gets_the_epoch_and_keeps_its_version";
    EndTakesAStrangersRow: "endings::a_row_of_somebody_else_is_not_spared_or_ended";
    EndCountsPerOwner: "endings::one_counter_gives_all_epochs" "crowds::parallel_endings_give_different_epochs";
    EndNeedsARow: "endings::an_ending_of_nobody_stops_a_login_under_way";
    EndShortensMemory: "endings::a_later_ending_shortens_no_memory";
    EndTearsWhenDropped: "dropped::a_dropped_ending_is_whole" "crowds::nothing_from_before_an_ending_is_alive_after_it";

    PurgeIgnoresItsLimit: "purging::a_purge_takes_no_more_than_its_limit";
    PurgeSaysMore: "purging::a_purge_takes_no_more_than_its_limit"
        "clocks::a_purge_removes_what_is_over";
    PurgeIsAMillisecondEarly: "purging::a_purge_takes_what_is_over_and_nothing_else";
    PurgeByTheFirstDeadline: "purging::a_touched_row_outlives_its_first_deadline"
        "purging::a_replaced_row_has_the_deadline_of_the_new_one";
    PurgeTires: "purging::a_purge_of_ten_thousand_rows_comes_to_its_end";
    PurgeLeavesATombstone: "purging::a_purged_key_is_free";
    PurgeTakesTombstonesEarly: "presence::a_tombstone_stands_until_its_time";
    PurgeLeavesTombstones: "presence::a_tombstone_stands_until_its_time";
    PurgeForgetsEpochsEarly: "endings::an_ending_is_remembered_until_its_time";
    PurgeLowersTheCounter: "endings::one_counter_gives_all_epochs";
    PurgeInTwoSteps: "crowds::two_purges_do_not_disturb_each_other";
    PurgeTearsWhenDropped: "dropped::a_dropped_purge_takes_nothing_alive";

    ScanSkips: "scanning::pages_are_complete_and_in_order";
    ScanIsUnordered: "scanning::pages_are_complete_and_in_order";
    ScanIsSigned: "scanning::pages_are_complete_and_in_order";
    ScanHidesExpired: "scanning::a_scan_shows_expired_rows_and_no_tombstones";
    ScanBeginsAtItsKey: "scanning::a_scan_begins_above_its_key";
}
