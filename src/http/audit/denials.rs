//! How many denied requests are recorded.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

/// The maximum number of recorded denials of one known actor per minute, on average and in one burst.
const OF_ACTOR: u32 = 60;
/// As [`OF_ACTOR`], for denials without a known actor from one address.
const OF_CLIENT: u32 = 30;
/// As [`OF_ACTOR`], for denials without a known actor from all addresses together.
const OF_UNKNOWN: u32 = 120;

/// Limits the recorded denials. Requests without a valid token cannot use up the limits of known actors.
pub struct Denials {
    actors: DefaultKeyedRateLimiter<String>,
    clients: DefaultKeyedRateLimiter<IpAddr>,
    unknown: DefaultDirectRateLimiter,
}

impl Default for Denials {
    fn default() -> Self {
        let quota = |per_minute: u32| Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        Self {
            actors: RateLimiter::keyed(quota(OF_ACTOR)),
            clients: RateLimiter::keyed(quota(OF_CLIENT)),
            unknown: RateLimiter::direct(quota(OF_UNKNOWN)),
        }
    }
}

impl Denials {
    /// Whether to record a denial of this actor, whose token is valid.
    pub fn admit_actor(&self, actor: &str) -> bool {
        self.actors.check_key(&actor.to_owned()).is_ok()
    }

    /// Whether to record a denial without a known actor. `client` is the address or network of the request.
    pub fn admit_client(&self, client: Option<IpAddr>) -> bool {
        let client = client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        self.clients.check_key(&client).is_ok() && self.unknown.check().is_ok()
    }

    /// Removes actors and clients without recent denials.
    pub fn remove_idle(&self) {
        self.actors.retain_recent();
        self.actors.shrink_to_fit();
        self.clients.retain_recent();
        self.clients.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_clients_do_not_use_up_the_limits_of_others() {
        let denials = Denials::default();
        let client = |last: u8| Some(IpAddr::from([192, 0, 2, last]));
        let admitted = |last: u8| (0..200).filter(|_| denials.admit_client(client(last))).count();
        assert!((30..60).contains(&admitted(1)), "one client");
        assert!(denials.admit_client(client(2)), "another client");
        (3..20).for_each(|last| {
            admitted(last);
        });
        assert!(denials.admit_actor("reader"), "a known actor");
    }
}
