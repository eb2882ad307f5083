//! The memory that request bodies may use, in total and per client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::error::ApiError;

/// The maximum number of bytes of all bodies that are being received or decoded.
const TOTAL: usize = 64 * 1024 * 1024;
/// The maximum number of bytes of one client's bodies.
const PER_CLIENT: usize = TOTAL / 4;
/// The maximum number of bodies that are being received or decoded. A request that waits for its body costs about
/// 20 KiB.
const BODIES: usize = 1_024;
/// The maximum number of one client's bodies.
const BODIES_PER_CLIENT: usize = BODIES / 16;

/// The memory for bodies. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct BodyBudget(Arc<Mutex<Used>>);

#[derive(Debug, Default)]
struct Used {
    total: Use,
    clients: HashMap<Option<IpAddr>, Use>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Use {
    bodies: usize,
    bytes: usize,
}

impl BodyBudget {
    /// An empty reservation of `client`.
    ///
    /// # Errors
    /// 503 when the client or all clients together send too many bodies at the same time.
    pub fn reserve(&self, client: Option<IpAddr>) -> Result<Reservation, ApiError> {
        let mut used = self.used();
        let of_client = used.clients.get(&client).copied().unwrap_or_default();
        if used.total.bodies >= BODIES || of_client.bodies >= BODIES_PER_CLIENT {
            return Err(refused());
        }
        used.total.bodies += 1;
        used.clients.insert(client, Use { bodies: of_client.bodies + 1, ..of_client });
        Ok(Reservation { budget: self.clone(), client, bytes: 0 })
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        // A poisoned lock is usable: code under the lock only changes counts and does not panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reserved memory of one body. Dropping it releases the memory.
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
        let of_client = used.clients.get(&self.client).copied().unwrap_or_default();
        if used.total.bytes + bytes > TOTAL || of_client.bytes + bytes > PER_CLIENT {
            return Err(refused());
        }
        used.total.bytes += bytes;
        used.clients.insert(self.client, Use { bytes: of_client.bytes + bytes, ..of_client });
        self.bytes += bytes;
        Ok(())
    }
}

fn refused() -> ApiError {
    metrics::counter!("sentistream_http_bodies_refused_total").increment(1);
    ApiError::unavailable("too many or too large bodies at the same time; try again")
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut used = self.budget.used();
        used.total.bodies -= 1;
        used.total.bytes -= self.bytes;
        if let Some(of_client) = used.clients.get_mut(&self.client) {
            of_client.bodies -= 1;
            of_client.bytes -= self.bytes;
            if of_client.bodies == 0 {
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
        let reserve = |last| budget.reserve(client(last)).unwrap();
        let mut first = reserve(1);
        first.grow(PER_CLIENT).unwrap();
        first.grow(1).unwrap_err();
        reserve(1).grow(1).unwrap_err();
        let mut others: Vec<_> = (2..=4).map(reserve).collect();
        others.iter_mut().for_each(|other| other.grow(PER_CLIENT).unwrap());
        reserve(5).grow(1).unwrap_err();
        drop(first);
        reserve(5).grow(PER_CLIENT).unwrap();
        drop(others);
        let used = budget.used();
        assert_eq!((used.total, used.clients.len()), (Use::default(), 0));
    }

    #[test]
    fn client_cannot_exceed_its_number_of_bodies() {
        let budget = BodyBudget::default();
        let client = |last| Some(IpAddr::from([192, 0, 2, last]));
        let mut all: Vec<_> = (0..BODIES_PER_CLIENT).map(|_| budget.reserve(client(1)).unwrap()).collect();
        budget.reserve(client(1)).unwrap_err();
        for last in 2..=16 {
            all.extend((0..BODIES_PER_CLIENT).map(|_| budget.reserve(client(last)).unwrap()));
        }
        budget.reserve(client(17)).unwrap_err();
        drop(all);
        budget.reserve(client(17)).unwrap();
    }
}
