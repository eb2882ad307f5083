//! Conformance cases of the stream, which run over the embedded queue and over Redis.

mod claims;
mod dead_letters;
pub mod fixture;
mod local;
mod numbers;
mod redis;
pub mod server;

use fixture::Fixture;

/// Defines a test on each backend for each case.
macro_rules! on_both {
    ($($group:ident: $($case:ident),+;)+) => {
        mod on_local {
            use super::*;
            $($(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                $group::$case(Fixture::local()).await;
            })+)+
        }
        mod on_redis {
            use super::*;
            $($(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                $group::$case(Fixture::redis()).await;
            })+)+
        }
    };
}

on_both! {
    claims:
        entries_are_delivered_in_order_and_unchanged,
        no_entry_is_claimed_twice,
        waiting_claim_returns_when_another_process_appends,
        expired_claim_is_rescued_and_counts_as_delivery,
        entry_delivered_twice_is_rescued_alone,
        renewed_claim_is_not_rescued,
        only_a_release_after_a_failure_counts_as_delivery,
        entries_of_a_dead_process_are_claimed_by_another,
        cancelled_claim_counts_no_delivery,
        settled_entry_is_never_delivered_again,
        idle_consumers_without_claims_are_removed;
    numbers:
        stream_counts_balance_after_every_step,
        full_stream_refuses_appends_until_entries_are_settled,
        entries_below_the_lowest_needed_id_are_never_delivered;
    dead_letters:
        entry_is_dead_lettered_once_with_unchanged_bytes,
        dead_letters_are_paged_replayed_and_purged,
        full_stream_refuses_a_replay,
        deleted_posts_have_no_dead_letters;
}
