//! The stream's cases, over the embedded queue and over Redis.

pub mod bed;
mod claims;
mod dead_letters;
mod local;
mod numbers;
mod redis;
pub mod server;

use bed::Bed;

/// Runs each case on both backends.
macro_rules! on_both {
    ($($group:ident: $($case:ident),+;)+) => {
        mod on_local {
            use super::*;
            $($(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                $group::$case(Bed::local()).await;
            })+)+
        }
        mod on_redis {
            use super::*;
            $($(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                $group::$case(Bed::redis()).await;
            })+)+
        }
    };
}

on_both! {
    claims:
        entries_come_in_order_and_unchanged,
        no_entry_is_claimed_twice,
        a_waiting_claim_wakes_up_when_another_process_appends,
        a_claim_that_runs_out_is_rescued_and_counts,
        entry_delivered_twice_is_rescued_alone,
        a_renewed_claim_is_not_rescued,
        an_untried_release_does_not_count_and_a_failed_one_does,
        a_dead_process_leaves_its_entries_to_the_next,
        entries_for_a_caller_that_gave_up_are_not_delivered,
        a_settled_entry_never_comes_back,
        idle_consumers_without_claims_are_forgotten;
    numbers:
        the_books_balance_at_every_quiet_step,
        a_full_stream_refuses_until_there_is_room,
        nothing_below_the_lowest_needed_id_comes_again;
    dead_letters:
        an_entry_is_dead_lettered_once_and_byte_for_byte,
        they_are_paged_replayed_and_purged,
        a_full_stream_takes_no_replay,
        posts_are_forgotten;
}
