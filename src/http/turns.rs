//! Limits the number of concurrent reads of each client. Further reads wait, so that the expensive queries of one
//! client do not take every connection to the database from others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The limit of concurrent reads of each client. Each read takes one of the turns of its client.
pub struct Turns {
    of_client: usize,
    clients: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
}

impl Turns {
    /// Allows each client `of_client` concurrent reads.
    pub fn new(of_client: usize) -> Self {
        Self { of_client, clients: Mutex::default() }
    }

    /// Waits for a free turn of `client`. The turn ends when the result is dropped.
    pub async fn take(&self, client: IpAddr) -> Option<OwnedSemaphorePermit> {
        let new = || Arc::new(Semaphore::new(self.of_client));
        let turns = self.clients().entry(client).or_insert_with(new).clone();
        // The result is `None` only for a closed semaphore, and these semaphores are never closed.
        turns.acquire_owned().await.ok()
    }

    /// Removes clients without reads in progress.
    pub fn remove_idle(&self) {
        let mut clients = self.clients();
        clients.retain(|_, turns| Arc::strong_count(turns) > 1);
        clients.shrink_to_fit();
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<IpAddr, Arc<Semaphore>>> {
        // A poisoned lock is usable, because each change of the map is complete.
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn client_waits_only_for_its_own_requests() {
        let turns = Turns::new(2);
        let client = |last| IpAddr::from([192, 0, 2, last]);
        let first = turns.take(client(1)).await;
        let second = turns.take(client(1)).await;
        let mut third = std::pin::pin!(turns.take(client(1)));
        assert!(third.as_mut().now_or_never().is_none());
        assert!(turns.take(client(2)).now_or_never().is_some());
        drop(first);
        assert!(third.as_mut().now_or_never().is_some());
        drop(second);
        turns.remove_idle();
        assert!(turns.clients().is_empty());
    }
}
