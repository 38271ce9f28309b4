//! What a session does, seen from outside: every claim goes through real HTTP, and is the same for every framework
//! and for every place where sessions are kept. Where a placement promises less, it has a claim of its own
//! that says so.
//!
//! A test is called `framework::placement::claim`. The claims are in rooms by theme; this file lists them once.
//! `hardtack-engines` runs this same file on servers: with its feature `engines` only the placements that need them.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]
// What belongs to the placements that run here without servers.
#![cfg_attr(feature = "engines", allow(dead_code))]

#[cfg(feature = "actix-web-4")]
mod actix_app;
mod app;
mod axum_app;
mod client;
#[path = "../common/mod.rs"]
mod common;
mod gate;
#[path = "../independent/mod.rs"]
mod independent;
mod store;
mod world;

mod concurrency;
mod endings;
mod faults;
mod fed;
mod hybrid;
mod identity;
mod laziness;
mod migration;
mod overlap;
mod time;
mod writes;

/// Makes a test of every claim.
macro_rules! tests {
    ($setup:expr; $($room:ident { $($(#[$attribute:meta])* $claim:ident)* })*) => {
        $($(
            #[test]
            $(#[$attribute])*
            fn $claim() {
                crate::$room::$claim($setup);
            }
        )*)*
    };
}

/// Makes a module of every placement.
macro_rules! placements {
    (
        $framework:ident; everywhere { $($everywhere:tt)* } recorded { $($recorded:tt)* } stored { $($stored:tt)* }
        fed { $($fed:tt)* } hybrid { $($hybrid:tt)* } stateless { $($stateless:tt)* }
    ) => {
        #[cfg(not(feature = "engines"))]
        mod stateless {
            use crate::world::{Framework, Placement, Setup};
            const SETUP: Setup = Setup { framework: Framework::$framework, placement: Placement::Stateless };
            tests! { SETUP; $($everywhere)* $($stateless)* }
        }
        #[cfg(not(feature = "engines"))]
        mod stateless_with_a_feed {
            use crate::world::{Framework, Placement, Setup};
            const SETUP: Setup = Setup { framework: Framework::$framework, placement: Placement::StatelessWithFeed };
            tests! { SETUP; $($everywhere)* $($stateless)* $($fed)* }
        }
        #[cfg(not(feature = "engines"))]
        mod stored_in_memory {
            use crate::world::{Framework, Placement, Setup};
            const SETUP: Setup = Setup { framework: Framework::$framework, placement: Placement::Memory };
            tests! { SETUP; $($everywhere)* $($recorded)* $($stored)* }
        }
        #[cfg(feature = "sqlite")]
        mod stored_in_sqlite {
            use crate::world::{Framework, Placement, Setup};
            const SETUP: Setup = Setup { framework: Framework::$framework, placement: Placement::Sqlite };
            tests! { SETUP; $($everywhere)* $($recorded)* $($stored)* }
        }
        #[cfg(not(feature = "engines"))]
        mod hybrid_in_memory {
            use crate::world::{Framework, Placement, Setup};
            const SETUP: Setup = Setup { framework: Framework::$framework, placement: Placement::HybridMemory };
            tests! { SETUP; $($everywhere)* $($hybrid)* }
        }
        #[cfg(not(feature = "engines"))]
        mod hybrid_that_asks {
            use crate::world::{Framework, Placement, Setup};
            const SETUP: Setup = Setup { framework: Framework::$framework, placement: Placement::HybridThatAsks };
            tests! { SETUP; $($everywhere)* $($recorded)* }
        }
        #[cfg(feature = "sqlite")]
        mod hybrid_in_sqlite {
            use crate::world::{Framework, Placement, Setup};
            const SETUP: Setup = Setup { framework: Framework::$framework, placement: Placement::HybridSqlite };
            tests! { SETUP; $($everywhere)* $($hybrid)* }
        }
        #[cfg(feature = "engines")]
        mod stored_in_redis {
            use crate::world::{Framework, Placement, Setup};
            const SETUP: Setup = Setup { framework: Framework::$framework, placement: Placement::Redis };
            tests! { SETUP; $($everywhere)* $($recorded)* $($stored)* }
        }
        #[cfg(feature = "engines")]
        mod hybrid_in_redis {
            use crate::world::{Framework, Placement, Setup};
            const SETUP: Setup = Setup { framework: Framework::$framework, placement: Placement::HybridRedis };
            tests! { SETUP; $($everywhere)* $($hybrid)* }
        }
        #[cfg(feature = "engines")]
        mod stored_in_postgres {
            use crate::world::{Framework, Placement, Setup};
            const SETUP: Setup = Setup { framework: Framework::$framework, placement: Placement::Postgres };
            tests! { SETUP; $($everywhere)* $($recorded)* $($stored)* }
        }
        #[cfg(feature = "engines")]
        mod hybrid_in_postgres {
            use crate::world::{Framework, Placement, Setup};
            const SETUP: Setup = Setup { framework: Framework::$framework, placement: Placement::HybridPostgres };
            tests! { SETUP; $($everywhere)* $($hybrid)* }
        }
    };
}

/// Makes a module of every framework.
macro_rules! claims {
    ($($claims:tt)*) => {
        mod axum {
            placements! { Axum; $($claims)* }
        }
        #[cfg(feature = "actix-web-4")]
        mod actix {
            placements! { Actix; $($claims)* }
        }
    };
}

claims! {
    everywhere {
        concurrency {
            increments_of_one_request_add_up
            interleaved_users_see_their_own_data
        }
        writes {
            every_way_of_writing_is_kept
            a_request_sees_its_own_writes
            writing_the_same_again_is_no_write
            a_write_after_the_commit_is_an_error
            what_does_not_fit_a_cookie_is_an_error
        }
        laziness {
            a_route_that_never_asks_costs_nothing
            a_missing_route_costs_nothing
            a_visitor_without_a_record_costs_no_call
            ten_thousand_nobodies_leave_nothing
            visitors_who_come_back_leave_nothing
        }
        identity {
            a_chosen_id_is_never_adopted
            signing_in_again_makes_a_new_id_and_kills_the_old_bytes
            a_takeover_leaves_nothing_of_the_one_before
            a_visitors_bytes_are_dead_after_the_sign_in
            the_bytes_from_before_a_visitor_was_kept_are_dead_too
            two_sessions_in_one_request_are_nobodys
            the_csrf_token_ends_with_the_identity
            only_listed_fields_survive_the_sign_in
            a_cookie_says_nothing
        }
        endings {
            the_same_bytes_fail_after_the_logout
            a_logout_ends_one_session
            ending_an_owner_ends_all_his_sessions_and_no_other
            ending_the_others_spares_this_one
            ending_the_others_revives_nothing
            a_session_is_ended_by_its_handle
            a_panic_commits_nothing
            what_was_committed_before_a_panic_stays
            an_error_after_the_logout_stops_no_logout
            being_nobody_is_kept
            a_login_that_raced_a_password_change_is_over
            a_stream_learns_that_its_session_has_ended
        }
        overlap {
            a_request_under_way_during_a_sign_in_leaves_the_new_cookie_alone
            a_late_request_with_the_old_cookie_leaves_the_new_one_alone
            logout_beats_a_slow_request
            #[ignore = "limit: the cookie of an early commit is sent though the session has ended meanwhile"]
            logout_beats_a_slow_answer
            a_request_that_has_not_looked_yet_is_nobody
            a_request_from_before_the_logout_leaves_a_newer_session_alone
            a_login_that_is_sent_twice_signs_in
            an_error_after_the_sign_in_keeps_the_new_session
            a_client_that_leaves_the_handler_changes_nothing
        }
        time {
            a_thousand_reads_write_nothing
            only_a_sign_in_is_fresh
            what_is_over_is_nobodys
            remember_me_is_kept_by_later_writes
            a_session_is_renewed_once_in_its_time
            overlapping_a_renewal_signs_nobody_out
        }
    }
    recorded {
        concurrency {
            writers_of_different_fields_both_survive
            the_later_of_two_writers_of_one_field_wins
            parallel_increments_are_all_counted
            an_increment_whose_answer_was_lost_counts_once
            one_of_a_hundred_takes_once
            a_sign_in_beside_a_take_once_is_kept
            what_was_taken_once_is_gone_whatever_follows
            a_visitor_is_kept_once
            a_client_that_leaves_during_a_write_holds_nothing
            a_takeover_whose_client_leaves_is_finished
        }
        faults {
            a_load_that_fails_is_no_anonymous_session
            a_handler_may_go_on_without_the_store
            a_save_that_fails_is_no_success
            an_early_commit_tells_of_the_fault
            a_commit_that_was_given_up_is_no_success
            a_takeover_that_fails_half_way_leaves_nobody
            a_visitor_whose_sign_in_fails_stays_who_he_was
            after_a_refused_sign_in_a_visitor_gets_a_cookie
            a_logout_without_the_store_is_no_logout
            a_logout_whose_answer_was_lost_can_be_tried_again
            a_sign_in_whose_answer_was_lost_makes_one_session
            a_silent_store_is_answered_for
            a_slow_store_keeps_nobody_else_waiting
            a_damaged_row_is_nobodys
            a_row_in_anothers_place_is_nobodys
            a_row_that_is_gone_is_nobodys
        }
        writes {
            data_may_be_larger_than_a_cookie
        }
        laziness {
            a_request_loads_once
        }
        migration {
            a_session_is_moved_once_under_load
            the_old_cookie_of_a_moved_session_shows_the_new_data
            the_old_cookie_is_refused_after_the_sign_out
            logout_beats_the_request_that_moved_the_session
            what_ended_before_the_move_is_not_moved
            an_ending_in_between_refuses_what_was_not_moved
            after_the_date_nothing_is_moved
            visitors_are_not_moved
            a_cookie_of_another_placement_is_nobodys
        }
        overlap {
            overlapping_the_end_of_the_others_signs_nobody_out
            a_client_that_leaves_after_ending_the_others_goes_on
            a_request_under_way_elsewhere_during_a_sign_in_leaves_the_new_cookie_alone
            #[ignore = "limit: other nodes do not know that an anonymous session has ended"]
            a_visitors_request_elsewhere_during_a_sign_in_leaves_the_new_cookie_alone
            a_late_request_elsewhere_that_reads_leaves_the_new_cookie_alone
            #[ignore = "limit: other nodes do not know that a session was superseded"]
            a_late_request_elsewhere_that_writes_leaves_the_new_cookie_alone
        }
        time {
            a_request_under_way_does_not_shorten_a_remembered_session
            a_purge_takes_what_is_over_and_nothing_else
            the_cookie_from_before_a_renewal_is_good_for_a_minute
            logout_beats_a_slow_request_from_before_a_renewal
            a_cookie_from_before_a_renewal_that_comes_late_ends_the_session
            #[ignore = "limit: a new generation that never reached the browser makes the old one a theft after a minute"]
            a_renewal_whose_answer_was_lost_signs_nobody_out
            fifty_parallel_renewals_make_one_successor
        }
        identity {
            an_id_without_a_row_never_gets_one
            a_kept_visitors_bytes_are_dead_after_the_sign_in
            a_kept_visitor_that_has_ended_is_not_kept_again
            a_taken_id_gives_another_one
            when_every_id_is_taken_nobody_is_signed_in
            a_copy_of_the_store_signs_nobody_in
        }
        endings {
            an_owner_sees_his_sessions
            the_device_limit_refuses_the_fourth
            the_device_limit_ends_the_oldest
        }
    }
    stored {
        writes {
            a_stored_write_sends_no_cookie
        }
        faults {
            a_touch_that_fails_fails_nobody
        }
        time {
            reads_for_hours_touch_seldom
        }
        identity {
            the_cookie_of_a_stored_session_holds_no_data
        }
    }
    fed {
        fed {
            an_ending_holds_everywhere_and_across_restarts
            a_logout_without_the_feed_is_no_logout
            a_node_that_knows_nothing_trusts_nobody
            a_clock_that_is_behind_ends_them_all_the_same
        }
    }
    hybrid {
        hybrid {
            a_copy_is_read_without_the_store
            a_copy_is_confirmed_once_in_a_window
            an_older_copy_is_read_for_a_window_and_writes_nothing_back
            a_logout_is_heard_of_everywhere
            every_ending_is_heard_of
            without_the_feed_the_store_is_asked
            without_the_store_copies_are_read_for_the_bound_alone
            after_a_gap_older_copies_ask_the_store
            a_node_that_starts_later_knows_what_ended_before
            a_clock_that_is_off_revives_nothing
            what_does_not_fit_spills_and_comes_back
            two_nodes_may_spill_at_once
            a_budget_counts_the_other_cookies_too
            a_sign_out_leaves_no_copy_behind
            an_error_page_carries_the_cookie_too
            a_copy_does_not_outlive_its_session
            a_sensitive_route_asks_the_store
            a_roll_over_of_keys_signs_nobody_out
            a_window_beyond_the_memory_does_not_build
        }
    }
    stateless {
        overlap {
            overlapping_the_end_of_the_others_signs_nobody_out
            in_a_cookie_ending_the_others_spares_who_gets_the_answer
        }
        concurrency {
            in_a_cookie_the_last_answer_wins
            in_a_cookie_take_once_is_a_plain_take
        }
        time {
            reads_for_hours_send_a_cookie_seldom
            without_a_store_an_older_generation_still_opens
        }
        endings {
            sessions_in_cookies_are_on_no_list
            a_device_limit_without_a_store_does_not_build
        }
    }
}
