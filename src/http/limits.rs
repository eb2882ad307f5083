//! The rate limit of each client.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};
use arc_swap::ArcSwapOption;
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use super::error::ApiError;
use super::options::{HttpOptions, RateLimit};
use super::state::State;

type Buckets = RateLimiter<IpAddr, DefaultKeyedStateStore<IpAddr>, DefaultClock, StateInformationMiddleware>;

/// Limits the requests of each client.
pub struct Limiter(ArcSwapOption<Limited>);

struct Limited {
    limit: RateLimit,
    buckets: Buckets,
}

impl Limiter {
    /// A limiter with the limits of `options`.
    pub fn new(options: &HttpOptions) -> Self {
        Self(ArcSwapOption::new(options.rate_limit.map(Limited::new)))
    }

    /// Changes the limit. If the new limit differs from the current one, the requests of each client are counted from
    /// zero.
    pub fn set(&self, limit: Option<RateLimit>) {
        if self.0.load().as_ref().map(|limited| limited.limit) != limit {
            self.0.store(limit.map(Limited::new));
        }
    }

    /// Removes clients without recent requests.
    pub fn remove_idle(&self) {
        if let Some(limited) = &*self.0.load() {
            limited.buckets.retain_recent();
            limited.buckets.shrink_to_fit();
        }
    }
}

impl Limited {
    fn new(limit: RateLimit) -> Arc<Self> {
        let quota = Quota::per_second(limit.per_second).allow_burst(limit.burst);
        Arc::new(Self { limit, buckets: RateLimiter::keyed(quota).with_middleware() })
    }
}

/// The middleware of every resource except probes: limits the requests and the concurrent reads of each client. It runs
/// after routing, so that all spellings of a path count alike.
///
/// # Errors
/// The errors of the inner service; 503 when a read waits longer than the request timeout for its turn.
pub async fn enforce<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let limiter = request.app_data::<web::Data<Limiter>>().cloned();
    let counted = limiter.as_ref().and_then(|limiter| {
        let state = request.app_data::<web::Data<State>>()?;
        Some((limiter.0.load_full()?, state.proxies.client(request.request())?))
    });
    let Some((limited, client)) = counted else {
        return in_turn(request, next).await.map(ServiceResponse::map_into_left_body);
    };
    match limited.buckets.check_key(&client) {
        Ok(state) => {
            let mut response = in_turn(request, next).await?.map_into_left_body();
            let left = state.remaining_burst_capacity();
            describe(response.headers_mut(), limited.limit, left, None);
            Ok(response)
        }
        Err(not_until) => {
            let wait = not_until.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
            metrics::counter!("sentistream_http_rate_limited_total").increment(1);
            let error = ApiError::too_many(wait);
            let mut refusal = error.error_response();
            describe(refusal.headers_mut(), limited.limit, 0, Some(wait));
            // The response keeps the error, so that the outermost layer can render it with the request's id.
            let mut response = request.error_response(error);
            for (name, value) in refusal.headers() {
                response.headers_mut().insert(name.clone(), value.clone());
            }
            Ok(response.map_into_right_body())
        }
    }
}

/// Serves the request. A read first waits while its client has the maximum number of concurrent reads
/// ([`Turns`](super::turns::Turns)). Other requests are not limited in this way, because each would count until its
/// body has arrived.
async fn in_turn<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let state = request.app_data::<web::Data<State>>().cloned();
    let client = state.as_ref().and_then(|state| state.proxies.client(request.request()));
    let (Some(state), Some(client), true) = (state, client, request.method().is_safe()) else {
        return next.call(request).await;
    };
    let turn = tokio::time::timeout(state.options.request_timeout, state.turns.take(client)).await;
    let Ok(_turn) = turn else {
        let error = ApiError::unavailable("too many requests of this client at the same time; try again");
        return Err(error.into());
    };
    next.call(request).await
}

/// Adds the `RateLimit` headers: the two headers of the current IETF draft, and the three that older clients read.
fn describe(headers: &mut HeaderMap, limit: RateLimit, left: u32, wait: Option<u64>) {
    let burst = limit.burst.get();
    let refill = |cells: u32| u64::from(cells.div_ceil(NonZeroU32::get(limit.per_second)));
    let reset = wait.unwrap_or_else(|| refill(burst.saturating_sub(left)));
    let values = [
        ("ratelimit-policy", format!("\"client\";q={burst};w={}", refill(burst))),
        ("ratelimit", format!("\"client\";r={left};t={reset}")),
        ("ratelimit-limit", burst.to_string()),
        ("ratelimit-remaining", left.to_string()),
        ("ratelimit-reset", reset.to_string()),
    ];
    for (name, value) in values {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
