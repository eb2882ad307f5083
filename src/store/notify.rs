//! Notifications: what people configure, the groups of alerts, and the outbox.

pub mod deliveries;
pub mod managed;
pub mod outbox;
mod sealing;

pub use deliveries::{DeliveryFilter, DeliveryPage};
pub use managed::{Action, Draft, ManagedChange, Refusal};
pub use outbox::{AttemptRecord, Commit, NewDelivery, Next, NotifierState};
