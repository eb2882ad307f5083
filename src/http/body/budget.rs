//! The memory that request bodies may use, in total and per client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::error::ApiError;

/// The maximum number of bytes of all bodies that are being received or decoded.
const TOTAL: usize = 64 * 1024 * 1024;
/// The maximum number of bytes of one client's bodies.
const PER_CLIENT: usize = TOTAL / 4;

/// The memory for bodies. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct BodyBudget(Arc<Mutex<Used>>);

#[derive(Debug, Default)]
struct Used {
    total: usize,
    clients: HashMap<Option<IpAddr>, usize>,
}

impl BodyBudget {
    /// An empty reservation of `client`.
    pub fn reserve(&self, client: Option<IpAddr>) -> Reservation {
        Reservation { budget: self.clone(), client, bytes: 0 }
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        // Both numbers change together under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Memory for one body, released on drop.
#[derive(Debug)]
pub struct Reservation {
    budget: BodyBudget,
    client: Option<IpAddr>,
    bytes: usize,
}

impl Reservation {
    /// Reserves `bytes` more.
    ///
    /// # Errors
    /// 503 when the client or all clients together exceed their share.
    pub fn grow(&mut self, bytes: usize) -> Result<(), ApiError> {
        let mut used = self.budget.used();
        let of_client = used.clients.get(&self.client).copied().unwrap_or_default() + bytes;
        if used.total + bytes > TOTAL || of_client > PER_CLIENT {
            metrics::counter!("sentistream_http_bodies_refused_total").increment(1);
            return Err(ApiError::unavailable("too many large bodies at the same time; try again"));
        }
        used.total += bytes;
        used.clients.insert(self.client, of_client);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut used = self.budget.used();
        used.total -= self.bytes;
        if let Some(of_client) = used.clients.get_mut(&self.client) {
            *of_client -= self.bytes;
            if *of_client == 0 {
                used.clients.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_cannot_use_more_than_its_share() {
        let budget = BodyBudget::default();
        let client = |last| Some(IpAddr::from([192, 0, 2, last]));
        let mut first = budget.reserve(client(1));
        first.grow(PER_CLIENT).unwrap();
        first.grow(1).unwrap_err();
        budget.reserve(client(1)).grow(1).unwrap_err();
        let mut others: Vec<_> = (2..=4).map(|last| budget.reserve(client(last))).collect();
        others.iter_mut().for_each(|other| other.grow(PER_CLIENT).unwrap());
        budget.reserve(client(5)).grow(1).unwrap_err();
        drop(first);
        budget.reserve(client(5)).grow(PER_CLIENT).unwrap();
        drop(others);
        let used = budget.used();
        assert_eq!((used.total, used.clients.len()), (0, 0));
    }
}
