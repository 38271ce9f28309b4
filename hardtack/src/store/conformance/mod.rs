//! The proof that a store keeps the contract of [`Store`]: one suite for ours and for yours.
//!
//! One line in a test file runs it. Every case becomes a `#[test]` of its own, in a module of its theme. The
//! line asks for an async function or closure that makes a [`Place`]: an empty store that nobody else uses
//! and that can be opened as often as there are nodes. A store whose clones are the same store is one
//! already; for others write what they have in common, a file or a table:
//!
//! ```
//! use hardtack::store::{MemoryStore, conformance::Place};
//!
//! mod memory {
//!     hardtack::store_conformance!(async || super::MemoryStore::new());
//! }
//!
//! struct Table(MemoryStore);
//!
//! impl Place for Table {
//!     type Store = MemoryStore;
//!
//!     /// A new connection to the same table.
//!     async fn node(&self) -> MemoryStore {
//!         self.0.clone()
//!     }
//! }
//!
//! /// An empty table under a new name. Dropping it drops the table.
//! async fn new_table() -> Table {
//!     Table(MemoryStore::new())
//! }
//!
//! mod table {
//!     hardtack::store_conformance!(super::new_table);
//! }
//! ```
//!
//! # What is proved
//!
//! First the contract itself, call by call: what is absent, expired or gone; versions; owners and their
//! endings; limits; what a row holds; crowds at one row; futures that are dropped half-way. Then the
//! promises of [`Sessions`](crate::Sessions) on top of the store, through its public door.
//!
//! The time is an argument of every call, so nothing here sleeps, and a case fails by what a store says
//! and never by how fast it is: only a call without an answer for 20 seconds counts as one that never
//! answers. Each case has a new place and a runtime with four threads.
//!
//! What no suite can see is what a store forgets when the power goes.

mod case;
mod door;
mod node;
mod rows;
mod troubled;

mod contents;
mod crowds;
mod dropped;
mod endings;
mod limits;
mod news;
mod owners;
mod presence;
mod purging;
mod scanning;
mod time;
mod touches;
mod versions;

mod clocks;
mod leaving;
mod logins;
mod tampering;
mod writers;

pub use case::{Case, Failure, failures, run, run_of_feeds};

use super::Store;

/// Where one store is: what its nodes have in common.
pub trait Place: Send + Sync + 'static {
    /// The store under test.
    type Store: Store;

    /// Opens the store once more: another node, which sees what the others wrote.
    fn node(&self) -> impl Future<Output = Self::Store> + Send;
}

/// A store whose clones are the same store.
impl<S: Store + Clone> Place for S {
    type Store = S;

    async fn node(&self) -> S {
        self.clone()
    }
}

/// Makes a `#[test]` of every case of the [suite](crate::store::conformance). Its argument is an async
/// function or closure that makes a new, empty [`Place`](crate::store::conformance::Place).
///
/// Write it into a module of its own: it makes modules named after the themes.
#[macro_export]
macro_rules! store_conformance {
    (@tests [$run:ident $open:expr] $( $theme:ident { $( $case:ident )* } )*) => {
        $( mod $theme {
            #[allow(unused_imports)]
            use super::*;
            $(
                #[test]
                fn $case() {
                    $crate::store::conformance::$run(concat!(stringify!($theme), "::", stringify!($case)), $open);
                }
            )*
        } )*
    };
    (@list [] $( $theme:ident { $( $case:ident )* } )*) => {
        vec![ $( $( Case {
            name: concat!(stringify!($theme), "::", stringify!($case)),
            work: |place| Box::pin($theme::$case(place)),
        } ),* ),* ]
    };
    (@feed $what:ident $arguments:tt) => {
        $crate::store_conformance! { @$what $arguments
            news {
                a_deleted_row_is_news
                a_row_that_made_room_is_news
                a_renewal_is_news
                the_end_of_an_owner_is_news
                news_wake_whoever_waits
                no_news_is_an_answer
                a_crowd_of_endings_is_told_whole
                what_is_published_is_kept_until_its_time
            }
        }
    };
    (@all $what:ident $arguments:tt) => {
        $crate::store_conformance! { @$what $arguments
            presence {
                an_absent_key_is_absent
                a_created_row_is_there_on_every_node
                create_overwrites_nothing
                an_expired_row_is_absent_but_keeps_its_key
                nothing_brings_a_deleted_row_back
                deleting_what_is_not_there_leaves_a_tombstone
                a_tombstone_stands_until_its_time
                a_second_delete_shortens_no_tombstone
                a_key_that_is_free_again_has_no_past
            }
            versions {
                replace_is_a_compare_and_swap
                a_replaced_row_is_the_new_one_whole
                replace_keeps_the_owner_and_the_epoch
                replace_keeps_the_later_use
                replace_asks_the_row_that_is_there_for_its_expiry
                a_row_may_be_replaced_by_a_shorter_lived_one
            }
            touches {
                a_touch_only_moves_forward
                a_touch_stops_at_the_absolute_deadline
                a_touch_changes_nothing_else
                a_touch_on_one_node_counts_on_the_other
            }
            time {
                a_deadline_that_is_now_has_passed
                the_earlier_deadline_counts
                the_first_and_the_last_instant_are_times
                a_row_that_is_born_expired_is_never_seen
                a_caller_whose_clock_is_behind_still_sees_the_row
            }
            owners {
                an_owner_has_his_live_rows_and_no_others
                similar_names_are_different_owners
                the_list_of_an_owner_follows_every_write
                an_owner_may_have_hundreds_of_rows
                rows_without_an_owner_belong_to_nobody
            }
            endings {
                an_ending_removes_all_rows_of_the_owner
                an_ending_leaves_tombstones
                an_ending_removes_expired_rows_too
                the_spared_row_gets_the_epoch_and_keeps_its_version
                a_row_of_somebody_else_is_not_spared_or_ended
                one_counter_gives_all_epochs
                a_login_from_before_an_ending_is_refused
                the_epoch_that_counts_is_that_of_the_admission
                an_ending_is_remembered_until_its_time
                a_later_ending_shortens_no_memory
                an_ending_of_nobody_stops_a_login_under_way
                a_row_without_an_owner_is_not_asked_for_its_epoch
            }
            limits {
                one_more_is_refused
                one_more_ends_the_oldest
                a_lowered_limit_ends_as_many_as_it_must
                expired_rows_do_not_count
                a_removed_row_makes_room
                each_owner_has_a_limit_of_his_own
                a_create_that_fails_ends_nobody
                a_row_without_an_owner_has_no_limit
            }
            contents {
                every_fact_comes_back
                every_byte_comes_back
                owners_and_labels_come_back
                a_mebibyte_comes_back
                data_may_grow_and_shrink
            }
            scanning {
                pages_are_complete_and_in_order
                a_scan_shows_expired_rows_and_no_tombstones
                a_scan_begins_above_its_key
            }
            purging {
                a_purge_takes_no_more_than_its_limit
                a_purge_takes_what_is_over_and_nothing_else
                a_touched_row_outlives_its_first_deadline
                a_replaced_row_has_the_deadline_of_the_new_one
                a_purge_of_ten_thousand_rows_comes_to_its_end
                a_purged_key_is_free
            }
            crowds {
                one_key_is_created_once
                one_version_is_replaced_once
                no_replaced_version_is_lost
                touches_and_replaces_lose_nothing
                a_delete_wins_over_everything
                a_row_is_deleted_once
                nothing_from_before_an_ending_is_alive_after_it
                parallel_endings_give_different_epochs
                fifty_logins_hold_a_limit_that_refuses
                fifty_logins_hold_a_limit_that_ends_the_oldest
                readers_see_whole_rows
                two_purges_do_not_disturb_each_other
            }
            dropped {
                a_dropped_create_is_whole
                a_dropped_replace_is_whole
                a_dropped_touch_is_whole
                a_dropped_delete_is_whole
                a_dropped_ending_is_whole
                a_dropped_purge_takes_nothing_alive
                dropped_questions_hold_nothing
                a_crowd_that_leaves_locks_nobody_out
            }
            writers {
                two_writers_of_different_fields_both_survive
                a_thousand_increments_make_a_thousand
                a_hundred_takers_have_one_winner
                fifty_renewals_make_one_generation
                a_huge_session_comes_back
                anonymous_visitors_make_no_rows
                a_foreign_row_is_nobodys
            }
            logins {
                a_logout_beats_fifty_requests_under_way
                signing_in_ends_the_session_from_before
                devices_are_listed_and_ended
                an_owner_is_ended_everywhere
                a_slow_login_does_not_survive_a_change_of_password
                fifty_sign_ins_hold_the_limit_that_refuses
                fifty_sign_ins_hold_the_limit_that_ends_the_oldest
            }
            tampering {
                a_corrupt_row_is_nobody
                a_row_whose_facts_were_changed_is_nobody
                swapped_rows_are_nobodys
                a_copy_of_the_store_signs_nobody_in
            }
            clocks {
                a_session_lives_while_it_is_used
                servers_may_be_ninety_seconds_apart
                a_jumping_clock_revives_nothing
                a_purge_removes_what_is_over
            }
            leaving {
                a_visitor_may_leave_while_the_session_is_loaded
                a_visitor_may_leave_while_a_write_is_committed
                a_visitor_may_leave_while_signing_out
                a_visitor_may_leave_while_signing_in
                increments_survive_lost_answers
                a_logout_that_is_answered_has_happened
                a_sign_in_that_is_answered_has_happened
                a_store_that_is_away_signs_nobody_out
                a_crowd_that_leaves_harms_no_session
            }
        }
    };
    ($open:expr $(,)?) => {
        $crate::store_conformance! { @all tests [run $open] }
    };
}

/// As [`store_conformance!`], for what a store says as a [`Feed`](crate::store::feed::Feed).
#[macro_export]
macro_rules! feed_conformance {
    ($open:expr $(,)?) => {
        $crate::store_conformance! { @feed tests [run_of_feeds $open] }
    };
}
