//! The client of a request.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName};

/// Headers that proxies add.
const FORWARDING: [&str; 6] =
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"];

/// Whether a proxy has handled the request.
pub fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDING.iter().any(|name| headers.contains_key(HeaderName::from_static(name)))
}

/// The proxies whose `X-Forwarded-For` is trusted.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<IpAddr>);

impl Proxies {
    /// The proxies at `addresses`.
    pub fn new(addresses: Vec<IpAddr>) -> Self {
        Self(addresses)
    }

    /// The address of the client: the last hop that is not a trusted proxy.
    pub fn address(&self, request: &HttpRequest) -> Option<IpAddr> {
        let mut client = request.peer_addr()?.ip().to_canonical();
        let hops: Vec<_> = request
            .headers()
            .get_all(HeaderName::from_static("x-forwarded-for"))
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .collect();
        for hop in hops.into_iter().rev() {
            if !self.0.contains(&client) {
                break;
            }
            let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
            client = address.to_canonical();
        }
        Some(client)
    }

    /// The client to which limits apply: the address, or the /64 network of an IPv6 address, which a single host
    /// usually owns as a whole.
    pub fn client(&self, request: &HttpRequest) -> Option<IpAddr> {
        Some(match self.address(request)? {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn client(proxies: &[&str], peer: &str, forwarded: &str) -> String {
        let proxies = Proxies::new(proxies.iter().map(|proxy| proxy.parse().unwrap()).collect());
        let request = TestRequest::default()
            .peer_addr(peer.parse().unwrap())
            .insert_header(("x-forwarded-for", forwarded))
            .to_http_request();
        proxies.client(&request).unwrap().to_string()
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
