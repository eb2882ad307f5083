//! The addresses that outgoing requests may connect to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// An address that is not permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address {0} is not public; add its network to outbound.allow to permit it")]
pub struct Refusal(pub IpAddr);

/// IPv4 networks that are not public (IANA's registry of special-purpose addresses), multicast, and the platform
/// service of Azure, which has a public address.
const NOT_PUBLIC_V4: [Ipv4Net; 18] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([168, 63, 129, 16], 32),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 31, 196, 0], 24),
    v4([192, 52, 193, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// Global unicast. All other addresses are loopback, local, multicast or reserved.
const PUBLIC_V6: Ipv6Net = v6([0x2000, 0, 0, 0], 3);
/// IPv4 addresses in networks that have only IPv6 (NAT64).
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0], 96);
/// Parts of global unicast that are not public: protocol assignments with Teredo, documentation, 6to4.
const NOT_PUBLIC_V6: [Ipv6Net; 4] =
    [v6([0x2001, 0, 0, 0], 23), v6([0x2001, 0xdb8, 0, 0], 32), v6([0x2002, 0, 0, 0], 16), v6([0x3fff, 0, 0, 0], 20)];

const fn v4(octets: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]), length)
}

const fn v6(start: [u16; 4], length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(start[0], start[1], start[2], start[3], 0, 0, 0, 0), length)
}

/// Whether `ip` is reachable from the internet.
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => NOT_PUBLIC_V4.iter().all(|net| !net.contains(&ip)),
        IpAddr::V6(ip) if NAT64.contains(&ip) => {
            let [.., high, low] = ip.segments();
            is_public(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)).into())
        }
        IpAddr::V6(ip) => PUBLIC_V6.contains(&ip) && NOT_PUBLIC_V6.iter().all(|net| !net.contains(&ip)),
    }
}

/// Checks addresses, including those that names resolve to.
#[derive(Clone, Debug)]
pub struct Guard {
    allow: Arc<Vec<IpNet>>,
}

impl Guard {
    /// Refuses addresses that are neither public nor in `allow`.
    pub fn new(allow: Vec<IpNet>) -> Self {
        Self { allow: Arc::new(allow) }
    }

    /// Checks that connections to `ip` are permitted.
    ///
    /// # Errors
    /// When connections to `ip` are not permitted.
    pub fn check(&self, ip: IpAddr) -> Result<(), Refusal> {
        let canonical = ip.to_canonical();
        let allowed = is_public(ip) || self.allow.iter().any(|net| net.contains(&canonical));
        if allowed { Ok(()) } else { Err(Refusal(ip)) }
    }

    /// The permitted addresses of `found`.
    ///
    /// # Errors
    /// When none is permitted.
    pub fn permitted(&self, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, Refusal> {
        let (mut permitted, mut refusal) = (Vec::new(), None);
        for address in found {
            match self.check(address.ip()) {
                Ok(()) => permitted.push(address),
                Err(refused) => refusal = Some(refused),
            }
        }
        match refusal {
            Some(refusal) if permitted.is_empty() => Err(refusal),
            _ => Ok(permitted),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let permitted = guard.permitted(found)?;
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}
