//! Engines that fail, under an application that serves: public pages go on, sessions fail closed, nothing
//! that was acknowledged is lost, and nobody becomes somebody else.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

/// Makes a test of each claim, on this engine.
macro_rules! claims {
    ($engine:ty: $($claim:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $claim() { crate::claims::$claim::<$engine>().await; })*
    };
}

/// All that hold on every engine.
macro_rules! all_claims {
    ($engine:ty) => {
        claims! { $engine:
            a_server_that_is_killed_and_comes_back
            a_server_that_is_paused_and_goes_on
            a_network_that_swallows_everything
            a_port_that_is_a_black_hole
            an_answer_that_is_withheld_holds_up_nobody_else
            a_write_whose_answer_is_lost_is_done_once
            a_write_that_does_not_arrive_whole_is_done_once
            a_crowd_whose_connections_are_cut_counts_what_was_acknowledged
        }
    };
}

mod claims;
mod person;
mod postgres;
mod redis;
mod site;
