//! Evaluates the rules of a demonstration over its generated posts, as if the rules had been active when the posts were
//! written.
//!
//! The rules are evaluated for each minute of the time ranges that contain incidents. The states and transitions are
//! stored, but no events are published. No notifications are sent, because a demonstration is only created if no
//! receivers exist.

use super::tick::{EvaluationRequest, Memory, TickError, evaluate};
use super::{AlertsServices, LEASE};
use crate::domain::TimeRange;
use crate::lease::LeaseManager;
use crate::rules::backtest::STEP;
use crate::sources::synthetic::past::incident_ranges;
use crate::store::demonstration::{DemoState, Demonstration};

/// Evaluates the rules of `demo` over the time ranges that contain incidents, and marks the demonstration as ready.
///
/// # Errors
/// When a backend does not respond, or another instance has taken over. The caller can then retry.
pub async fn replay(services: &AlertsServices, leases: &LeaseManager, demo: Demonstration) -> Result<(), TickError> {
    let mut memory = Memory::default();
    for range in incident_ranges(demo.began_at) {
        if !replay_range(services, leases, &mut memory, (range, &demo.rules)).await? {
            return Ok(());
        }
    }
    let ready = Demonstration { state: DemoState::Ready, ..demo };
    services.store.advance_demonstration(&ready, DemoState::Evaluating).await?;
    tracing::info!("demonstration ready");
    Ok(())
}

/// Evaluates the rules over one range. Returns `false` if another instance holds the lease.
async fn replay_range(
    services: &AlertsServices,
    leases: &LeaseManager,
    memory: &mut Memory,
    (range, rules): (TimeRange, &[i64]),
) -> Result<bool, TickError> {
    let mut at = range.start().ceil(STEP);
    while at <= range.end() {
        let Some(handle) = leases.acquire(LEASE).await? else { return Ok(false) };
        let evaluation = EvaluationRequest { now: at, end: at, only: Some(rules) };
        // The future of `evaluate` is large, so it is boxed to keep the future of this function small.
        Box::pin(evaluate(services, &handle.lease, memory, evaluation)).await?.updated?;
        at = at + STEP;
    }
    Ok(true)
}
