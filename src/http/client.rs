//! The client of a request.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName};

/// Prefixes of the names of headers that proxies add.
const FORWARDING_PREFIXES: [&str; 2] = ["forwarded", "x-forwarded"];
/// Further headers that proxies add.
const FORWARDING: [&str; 14] = [
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-envoy-external-address",
    "x-azure-clientip",
    "cf-connecting-ip",
    "true-client-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "cdn-loop",
    "tailscale-user-login",
    "tailscale-user-name",
];

/// Whether a proxy has forwarded the request, according to its headers.
pub fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        let name = name.as_str();
        FORWARDING_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || FORWARDING.contains(&name)
    })
}

/// The proxies whose `X-Forwarded-For` is trusted.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<IpAddr>);

impl Proxies {
    /// The proxies at `addresses`.
    pub fn new(addresses: Vec<IpAddr>) -> Self {
        Self(addresses)
    }

    /// Whether a trusted proxy sent the request.
    pub fn is_trusted_peer(&self, request: &HttpRequest) -> bool {
        request.peer_addr().is_some_and(|peer| self.0.contains(&peer.ip().to_canonical()))
    }

    /// The address of the client: the last hop that is not a trusted proxy.
    pub fn address(&self, request: &HttpRequest) -> Option<IpAddr> {
        let mut client = request.peer_addr()?.ip().to_canonical();
        let lists: Vec<_> = request.headers().get_all(HeaderName::from_static("x-forwarded-for")).collect();
        // The search starts at the last hop, which the nearest proxy wrote. A client can write anything into earlier
        // hops.
        let hops = lists.into_iter().rev().flat_map(|list| list.as_bytes().rsplit(|byte| *byte == b','));
        for hop in hops {
            if !self.0.contains(&client) {
                break;
            }
            let Some(address) = hop_address(hop) else { break };
            client = address.to_canonical();
        }
        Some(client)
    }

    /// The client to which limits apply: the [`network`] of its address.
    pub fn client(&self, request: &HttpRequest) -> Option<IpAddr> {
        self.address(request).map(network)
    }

    /// Whether `address` is one of the proxies.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// The address, or the /64 network of an IPv6 address, which a single host usually owns as a whole.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The address of a hop, with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.ip());
    }
    let bracketed = text.strip_prefix('[')?.strip_suffix(']')?;
    bracketed.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use actix_web::test::TestRequest;

    use super::*;

    fn client(proxies: &[&str], peer: &str, forwarded: impl AsRef<[u8]>) -> String {
        let proxies = Proxies::new(proxies.iter().map(|proxy| proxy.parse().unwrap()).collect());
        let request = TestRequest::default()
            .peer_addr(peer.parse().unwrap())
            .insert_header(("x-forwarded-for", HeaderValue::from_bytes(forwarded.as_ref()).unwrap()))
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

    #[test]
    fn malformed_hops_do_not_hide_the_last_hop() {
        let through = |forwarded: &[u8]| client(&["10.0.0.1"], "10.0.0.1:1", forwarded);
        assert_eq!(through(b"\xff, 203.0.113.8"), "203.0.113.8");
        assert_eq!(through(b"nonsense,203.0.113.8"), "203.0.113.8");
        assert_eq!(through(b"6.6.6.6, 203.0.113.9:1000"), "203.0.113.9");
        assert_eq!(through(b"[2001:db8:1:2::5]:1000"), "2001:db8:1:2::");
        assert_eq!(through(b"[2001:db8:1:2::5]"), "2001:db8:1:2::");
        assert_eq!(through(b"203.0.113.8, \xff"), "10.0.0.1");
    }

    #[test]
    fn headers_of_proxies_are_recognized() {
        for name in [
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-port",
            "x-forwarded-server",
            "x-forwarded-prefix",
            "x-forwarded",
            "x-original-forwarded-for",
            "cf-connecting-ip",
            "true-client-ip",
            "x-client-ip",
            "cdn-loop",
            "x-envoy-external-address",
            "tailscale-user-login",
        ] {
            let request = TestRequest::default().insert_header((name, "x")).to_http_request();
            assert!(is_forwarded(request.headers()), "{name}");
        }
        let direct = TestRequest::default().insert_header(("accept", "text/html")).to_http_request();
        assert!(!is_forwarded(direct.headers()));
    }
}
