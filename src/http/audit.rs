//! The security log: denied requests and changes by administrators, in the log and in the database.

pub mod list;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::mpsc;

use crate::domain::op::preview;
use crate::lifecycle::Shutdown;
use crate::store::Store;
use crate::store::security::SecurityEvent;

use super::auth::{Authorization, Scope};
use super::state::State;

/// The maximum number of events that wait to be stored; further events are only logged.
const QUEUE: usize = 1_024;
/// The maximum number of events that one transaction stores.
const BATCH: usize = 100;
/// The maximum number of denied requests recorded per minute; further ones are only counted in a metric.
const DENIALS_PER_MINUTE: u32 = 120;
/// The maximum length of a recorded path, in characters.
const MAX_TARGET_CHARS: usize = 256;
/// The wait after a failure before events are stored again.
const RETRY: Duration = Duration::from_secs(5);
/// Interval at which old events are deleted.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);

/// Records the security events of requests.
pub struct SecurityLog {
    queue: mpsc::Sender<SecurityEvent>,
    denials: DefaultDirectRateLimiter,
}

/// A request and its response.
pub struct Answered<'a> {
    /// The request.
    pub request: &'a HttpRequest,
    /// The status of the response.
    pub status: StatusCode,
    /// The id of the request.
    pub id: &'a str,
}

impl<'a> Answered<'a> {
    /// The request of `response`.
    pub fn of<B>(response: &'a ServiceResponse<B>, id: &'a str) -> Self {
        Self { request: response.request(), status: response.status(), id }
    }
}

impl SecurityLog {
    /// A log, and the receiver of its events for [`store`].
    pub fn new() -> (Self, mpsc::Receiver<SecurityEvent>) {
        let (queue, events) = mpsc::channel(QUEUE);
        let per_minute = NonZeroU32::new(DENIALS_PER_MINUTE).unwrap_or(NonZeroU32::MIN);
        (Self { queue, denials: RateLimiter::direct(Quota::per_minute(per_minute)) }, events)
    }

    /// Records a request that was denied, or that changed something with the scope `admin`.
    pub fn record(&self, answered: &Answered<'_>) {
        let denied = matches!(answered.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if denied {
            metrics::counter!("sentistream_http_denied_total").increment(1);
            if self.denials.check().is_err() {
                return;
            }
        } else if !is_admin_change(answered) {
            return;
        }
        let Some(event) = event(answered, denied) else { return };
        let SecurityEvent { actor, address, action, target: path, .. } = &event;
        let (address, status, request_id) = (address.as_deref().unwrap_or_default(), event.status, answered.id);
        if denied {
            tracing::warn!(target: "sentistream::security", actor, address, action, path, status, request_id, "request denied");
        } else {
            tracing::info!(target: "sentistream::security", actor, address, action, path, status, request_id, "admin change");
        }
        if self.queue.try_send(event).is_err() {
            metrics::counter!("sentistream_security_events_dropped_total").increment(1);
        }
    }
}

fn is_admin_change(answered: &Answered<'_>) -> bool {
    let safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(answered.request.method());
    let extensions = answered.request.extensions();
    let admin = extensions.get::<Authorization>().is_some_and(|authorization| authorization.scope == Scope::Admin);
    !safe && admin && answered.status.is_success()
}

fn event(answered: &Answered<'_>, denied: bool) -> Option<SecurityEvent> {
    let request = answered.request;
    let state = request.app_data::<Data<State>>()?;
    let extensions = request.extensions();
    let actor = extensions.get::<Authorization>().map_or("unknown", |known| &known.principal.name);
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    Some(SecurityEvent {
        id: 0,
        at: state.api.clock.now(),
        actor: actor.to_owned(),
        address: state.proxies.address(request).as_ref().map(IpAddr::to_string),
        outcome: if denied { "denied" } else { "allowed" }.to_owned(),
        action: format!("{} {route}", preview(request.method().as_str(), 16)),
        target: preview(request.path(), MAX_TARGET_CHARS).to_owned(),
        status: i32::from(answered.status.as_u16()),
        request_id: answered.id.to_owned(),
    })
}

/// The storage of the events.
pub struct Archive {
    /// The store.
    pub store: Store,
    /// Events are deleted after this time.
    pub retention: Duration,
    /// The clock of the process.
    pub clock: crate::clock::Clock,
}

/// Stores the events until `shutdown`, and deletes old ones.
pub async fn store(mut events: mpsc::Receiver<SecurityEvent>, archive: Archive, shutdown: Shutdown) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut prune = tokio::time::interval(PRUNE_EVERY);
    loop {
        tokio::select! {
            () = shutdown.stopping() => break,
            _ = prune.tick() => {
                if let Err(error) = archive.store.prune_security(archive.clock.now() - archive.retention).await {
                    tracing::debug!(%error, "cannot delete old audit events");
                }
                continue;
            }
            received = events.recv_many(&mut batch, BATCH) => if received == 0 { break },
        }
        while let Err(error) = archive.store.record_security(&batch).await {
            tracing::warn!(%error, events = batch.len(), "cannot store audit events, will retry");
            if !shutdown.sleep(RETRY).await {
                return;
            }
        }
        batch.clear();
    }
    while let Ok(event) = events.try_recv() {
        batch.push(event);
    }
    if !batch.is_empty()
        && let Err(error) = archive.store.record_security(&batch).await
    {
        tracing::warn!(%error, events = batch.len(), "cannot store audit events at shutdown");
    }
}
