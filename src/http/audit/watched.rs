//! Records a request when it ends. A request that ends without a response is recorded too, because the change that it
//! requested may continue after the connection is closed.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;

use crate::domain::op::preview;
use crate::http::auth::ANONYMOUS;
use crate::http::state::State;
use crate::store::security::SecurityEvent;

use super::SecurityLog;

/// The maximum length of a recorded path, in characters.
const MAX_TARGET_CHARS: usize = 256;
/// The recorded route of a request that matches no route.
const NO_ROUTE: &str = "none";

/// The result of the access check of a request.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The name of the client.
    pub actor: String,
    /// Whether the audit log records changes that this request makes.
    pub is_recorded: bool,
    /// The pattern of the route.
    pub route: Option<String>,
}

/// The result of the access check. The extensions of the request and [`Watched`] share it, so that it is still known
/// after the request is dropped.
#[derive(Clone, Debug, Default)]
pub struct Decision(Rc<RefCell<Option<Decided>>>);

impl Decision {
    /// Sets the result.
    pub fn set(&self, decided: Decided) {
        *self.0.borrow_mut() = Some(decided);
    }

    fn get(&self) -> Option<Decided> {
        self.0.borrow().clone()
    }

    fn is_recorded(&self) -> bool {
        self.0.borrow().as_ref().is_some_and(|decided| decided.is_recorded)
    }
}

/// The outcome of a request, as the audit log records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The client made a change, or signed in.
    Allowed,
    /// The client has no valid credentials, lacks the scope, or is a page of another site.
    Denied,
    /// The client requested a change, and the request ended without a response or failed in the server.
    Unknown,
}

impl Verdict {
    /// The name of the outcome in the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
        }
    }
}

/// A request that is recorded when it ends.
pub struct Watched {
    log: Data<SecurityLog>,
    state: Data<State>,
    decision: Decision,
    method: Method,
    path: String,
    address: Option<IpAddr>,
    client: Option<IpAddr>,
    request_id: String,
    has_ended: bool,
}

impl Watched {
    /// Watches `request`; `None` in a process without a security log.
    pub fn start(request: &ServiceRequest, request_id: &str) -> Option<Self> {
        let log = request.app_data::<Data<SecurityLog>>()?.clone();
        let state = request.app_data::<Data<State>>()?.clone();
        let decision = Decision::default();
        request.extensions_mut().insert(decision.clone());
        Some(Self {
            address: state.proxies.address(request.request()),
            client: state.proxies.client(request.request()),
            log,
            state,
            decision,
            method: request.method().clone(),
            path: request.path().to_owned(),
            request_id: request_id.to_owned(),
            has_ended: false,
        })
    }

    /// Records the request with the status of its response and its route.
    pub fn end(mut self, status: StatusCode, route: Option<&str>) {
        self.has_ended = true;
        self.record(Some(status), route);
    }

    fn record(&self, status: Option<StatusCode>, route: Option<&str>) {
        let Some(verdict) = self.verdict(status) else { return };
        let decided = self.decision.get();
        if verdict == Verdict::Denied && !self.is_recorded(status, decided.as_ref()) {
            return;
        }
        let route = route.or(decided.as_ref().and_then(|decided| decided.route.as_deref())).unwrap_or(NO_ROUTE);
        self.log.record(SecurityEvent {
            id: 0,
            at: self.state.api.clock.now(),
            actor: decided.as_ref().map_or("unknown", |decided| decided.actor.as_str()).to_owned(),
            address: self.address.as_ref().map(IpAddr::to_string),
            outcome: verdict.as_str().to_owned(),
            action: format!("{} {route}", preview(self.method.as_str(), 16)),
            target: preview(&self.path, MAX_TARGET_CHARS).to_owned(),
            status: status.map_or(0, |status| i32::from(status.as_u16())),
            request_id: self.request_id.clone(),
        });
    }

    /// The outcome to record for a request with this status; `None` for a request that is not recorded. A server error
    /// counts as unknown, because the work may continue after a time-out.
    fn verdict(&self, status: Option<StatusCode>) -> Option<Verdict> {
        if matches!(status, Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) {
            return Some(Verdict::Denied);
        }
        // A sign-in at an identity provider ends with a GET request whose response is a redirect. The sign-in is
        // recorded, unlike other GET requests.
        let is_sign_in = status == Some(StatusCode::SEE_OTHER);
        let is_safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&self.method);
        if (is_safe && !is_sign_in) || !self.decision.is_recorded() {
            return None;
        }
        match status {
            None => Some(Verdict::Unknown),
            Some(status) if status.is_server_error() => Some(Verdict::Unknown),
            Some(status) if status.is_success() || is_sign_in => Some(Verdict::Allowed),
            Some(_) => None,
        }
    }

    /// Counts a denial, and returns whether it is also recorded.
    fn is_recorded(&self, status: Option<StatusCode>, decided: Option<&Decided>) -> bool {
        metrics::counter!("sentistream_http_denied_total").increment(1);
        match decided.filter(|decided| status == Some(StatusCode::FORBIDDEN) && decided.actor != ANONYMOUS) {
            Some(known) => self.log.denials().admit_actor(&known.actor),
            None => self.log.denials().admit_client(self.client),
        }
    }
}

impl Drop for Watched {
    /// A request that is dropped before its end has no response: its connection was closed.
    fn drop(&mut self) {
        if !self.has_ended {
            self.record(None, None);
        }
    }
}
