//! The rate limit of each client.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use super::error::ApiError;
use super::options::{HttpOptions, RateLimit};

type Buckets = RateLimiter<IpAddr, DefaultKeyedStateStore<IpAddr>, DefaultClock, StateInformationMiddleware>;

/// Counts the requests of each client.
pub struct Limiter {
    buckets: Option<Limited>,
    proxies: Vec<IpAddr>,
}

struct Limited {
    limit: RateLimit,
    buckets: Buckets,
}

impl Limiter {
    /// A limiter with the limits of `options`.
    pub fn new(options: &HttpOptions) -> Self {
        let buckets = options.rate_limit.map(|limit| {
            let quota = Quota::per_second(limit.per_second).allow_burst(limit.burst);
            Limited { limit, buckets: RateLimiter::keyed(quota).with_middleware() }
        });
        Self { buckets, proxies: options.trusted_proxies.clone() }
    }

    /// The client's address: the last hop that is not a trusted proxy.
    fn client(&self, request: &ServiceRequest) -> Option<IpAddr> {
        let mut client = request.peer_addr()?.ip().to_canonical();
        let hops: Vec<_> = request
            .headers()
            .get_all(HeaderName::from_static("x-forwarded-for"))
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .collect();
        for hop in hops.into_iter().rev() {
            if !self.proxies.contains(&client) {
                break;
            }
            let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
            client = address.to_canonical();
        }
        Some(network(client))
    }

    /// Removes clients without recent requests.
    pub fn forget_quiet(&self) {
        if let Some(limited) = &self.buckets {
            limited.buckets.retain_recent();
            limited.buckets.shrink_to_fit();
        }
    }
}

/// A single host usually owns a /64 of IPv6, so limits apply to the network, not to an address.
fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// The middleware of every resource that counts.
///
/// # Errors
/// Those of the inner service.
pub async fn enforce<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let limiter = request.app_data::<web::Data<Limiter>>().cloned();
    let counted = limiter.as_ref().and_then(|limiter| Some((limiter.buckets.as_ref()?, limiter.client(&request)?)));
    let Some((limited, client)) = counted else {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    };
    match limited.buckets.check_key(&client) {
        Ok(state) => {
            let mut response = next.call(request).await?.map_into_left_body();
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

/// The `RateLimit` headers: the draft's two, and the three that older clients know.
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

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn client(proxies: &[&str], peer: &str, forwarded: &str) -> String {
        let proxies = proxies.iter().map(|proxy| proxy.parse().unwrap()).collect();
        let limiter = Limiter { buckets: None, proxies };
        let request = TestRequest::default()
            .peer_addr(peer.parse().unwrap())
            .insert_header(("x-forwarded-for", forwarded))
            .to_srv_request();
        limiter.client(&request).unwrap().to_string()
    }

    #[test]
    fn forwarded_address_counts_only_from_trusted_proxies() {
        assert_eq!(client(&[], "10.0.0.1:1", "1.2.3.4"), "10.0.0.1");
        assert_eq!(client(&["10.0.0.1"], "10.0.0.1:1", "6.6.6.6, 1.2.3.4"), "1.2.3.4");
        assert_eq!(client(&["10.0.0.1", "10.0.0.2"], "10.0.0.1:1", "1.2.3.4, 10.0.0.2"), "1.2.3.4");
        assert_eq!(client(&["10.0.0.1"], "10.0.0.1:1", "nonsense"), "10.0.0.1");
        assert_eq!(client(&[], "[2001:db8:1:2:3:4:5:6]:1", ""), "2001:db8:1:2::");
    }
}
