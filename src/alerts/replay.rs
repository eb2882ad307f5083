//! Evaluates the rules of a demonstration over its generated past, as if they had been active at that time.
//!
//! The engine judges each minute of the ranges and writes states and transitions. It publishes nothing: a demonstration
//! only starts where no receivers exist.

use super::tick::{Evaluation, Memory, TickError, evaluate};
use super::{AlertsServices, LEASE};
use crate::domain::TimeRange;
use crate::lease::LeaseManager;
use crate::rules::backtest::STEP;
use crate::sources::synthetic::past::incident_ranges;
use crate::store::demonstration::{DemoState, Demonstration};

/// Evaluates the rules of `demo` over the ranges of its past that contain incidents, and marks it as ready.
///
/// # Errors
/// When a backend does not answer, or another instance has taken over. The replay can then be repeated.
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

/// Returns `false` when another instance holds the lease.
async fn replay_range(
    services: &AlertsServices,
    leases: &LeaseManager,
    memory: &mut Memory,
    (range, rules): (TimeRange, &[i64]),
) -> Result<bool, TickError> {
    let mut at = range.start().ceil(STEP);
    while at <= range.end() {
        let Some(handle) = leases.acquire(LEASE).await? else { return Ok(false) };
        let evaluation = Evaluation { now: at, end: at, only: Some(rules) };
        // `evaluate` returns a large future, so it is boxed.
        Box::pin(evaluate(services, &handle.lease, memory, evaluation)).await?;
        at = at + STEP;
    }
    Ok(true)
}
