//! The open connections, in total and of each client.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::http::client::{Proxies, network};

/// Divides the limit of connections: once half of the allowed connections are open, one client may have at most 1/64 of
/// the limit. The other half can be used only by many clients together.
const SHARE: usize = 64;

/// The open connections. Clones share them.
#[derive(Clone)]
pub struct Connections(Arc<Inner>);

struct Inner {
    limit: usize,
    proxies: Proxies,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    total: usize,
    clients: HashMap<IpAddr, usize>,
    /// The connections whose first request has not arrived, oldest first.
    waiting: BTreeMap<u64, Arc<Notify>>,
    next: u64,
}

/// The place of an open connection. Dropping it frees the place.
pub struct Place {
    connections: Connections,
    client: IpAddr,
    number: u64,
    displaced: Arc<Notify>,
}

impl Connections {
    /// Allows at most `limit` connections. A trusted proxy is exempt from the limit per client, because it opens the
    /// connections of all its clients.
    pub fn new(limit: usize, proxies: Proxies) -> Self {
        Self(Arc::new(Inner { limit, proxies, open: Mutex::default() }))
    }

    /// A place for a connection from `address`. `None` if the client has reached its limit, or if the first requests of
    /// all open connections have arrived and no place is free. When all places are taken, the connection that has
    /// waited longest for its first request loses its place.
    pub fn open(&self, address: IpAddr) -> Option<Place> {
        let client = network(address.to_canonical());
        let limit = self.0.limit;
        let mut open = self.opened();
        let of_client = open.clients.get(&client).copied().unwrap_or_default();
        let is_crowded = open.total >= limit / 2 && !self.0.proxies.trusts(address);
        if is_crowded && of_client >= (limit / SHARE).max(1) {
            return None;
        }
        if open.total >= limit {
            let (_, oldest) = open.waiting.pop_first()?;
            oldest.notify_one();
        }
        let (number, displaced) = (open.next, Arc::new(Notify::new()));
        open.next += 1;
        open.total += 1;
        open.clients.insert(client, of_client + 1);
        open.waiting.insert(number, displaced.clone());
        Some(Place { connections: self.clone(), client, number, displaced })
    }

    fn opened(&self) -> MutexGuard<'_, Open> {
        // A poisoned lock is usable: code under the lock only changes fields and does not panic.
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Keeps the place: the first request of the connection has arrived.
    pub fn keep(&self) {
        self.connections.opened().waiting.remove(&self.number);
    }

    /// Completes when a new connection needs the place.
    pub fn displaced(&self) -> Notified<'_> {
        self.displaced.notified()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.opened();
        open.total -= 1;
        open.waiting.remove(&self.number);
        if let Some(of_client) = open.clients.get_mut(&self.client) {
            *of_client -= 1;
            if *of_client == 0 {
                open.clients.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn client(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn one_client_leaves_half_of_the_connections_to_others() {
        let connections = Connections::new(128, Proxies::default());
        let mut places: Vec<_> = (0..64).map(|_| connections.open(client(1)).unwrap()).collect();
        assert!(connections.open(client(1)).is_none());
        for other in 2..34 {
            places.extend([connections.open(client(other)).unwrap(), connections.open(client(other)).unwrap()]);
            assert!(connections.open(client(other)).is_none());
        }
        places.iter().for_each(Place::keep);
        assert!(connections.open(client(99)).is_none(), "all are open");
        drop(places);
        let open = connections.opened();
        assert_eq!((open.total, open.clients.len(), open.waiting.len()), (0, 0, 0));
    }

    #[test]
    fn new_connection_takes_the_place_that_has_waited_longest() {
        let connections = Connections::new(3, Proxies::default());
        let places = [1, 2, 3].map(|last| connections.open(client(last)).unwrap());
        places[0].keep();
        let newest = connections.open(client(4)).unwrap();
        let displaced = places.each_ref().map(|place| place.displaced().now_or_never().is_some());
        assert_eq!(displaced, [false, true, false]);
        assert!(newest.displaced().now_or_never().is_none());
    }

    #[test]
    fn trusted_proxy_may_take_all_connections() {
        let connections = Connections::new(128, Proxies::new(vec![client(1)]));
        let places: Vec<_> = (0..128).map(|_| connections.open(client(1)).unwrap()).collect();
        places.iter().for_each(Place::keep);
        assert!(connections.open(client(1)).is_none());
        drop(places);
    }
}
