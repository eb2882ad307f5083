//! Notifications: what people set up, the groups that were told, and the outbox.

pub mod deliveries;
pub mod managed;
pub mod outbox;

pub use deliveries::{DeliveryFilter, DeliveryPage};
pub use managed::{Action, Change, Draft, Refusal};
pub use outbox::{AttemptRecord, Commit, NewDelivery, Next, NotifierState};

/// Whether `lease` still holds; as the first statement of a transaction it keeps others from taking over until the commit.
macro_rules! holds {
    ($run:ident, $c:ident, $lease:expr) => {{
        let lease: &$crate::store::Lease = $lease;
        let held: usize = $run!(
            $crate::store::sql::sql("UPDATE leases SET token = token WHERE name = ? AND token = ? AND holder = ?")
                .bind::<diesel::sql_types::Text, _>(&lease.name)
                .bind::<diesel::sql_types::BigInt, _>(lease.token)
                .bind::<diesel::sql_types::Text, _>(&lease.holder)
                .execute($c)
        )?;
        held > 0
    }};
}
pub(in crate::store) use holds;
