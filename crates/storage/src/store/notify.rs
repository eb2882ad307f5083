//! Notifications: managed objects, groups of alerts, and the outbox.

pub mod deliveries;
pub mod managed;
pub mod outbox;
mod quotes;
mod sealing;

pub use deliveries::{DeliveryFilter, FailingReceiver, LoggedDelivery};
pub use managed::{Action, Draft, ManagedChange, Refusal, WithSecrets};
pub use outbox::{AttemptRecord, Commit, NewDelivery, Next, NotifierState, StoredGroup};
pub(super) use quotes::text_without_quotes;
