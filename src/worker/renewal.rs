//! Renews claims while their entries are processed.

use tokio::task::JoinHandle;

use super::context::Worker;
use crate::domain::EntryKey;
use crate::stream::{Consumer, Entry};

/// Renews the claims on entries until this value is dropped.
pub struct Renewal(JoinHandle<()>);

impl Renewal {
    /// Starts to renew the claims on `entries`.
    pub fn start(worker: &Worker, consumer: &Consumer, entries: &[Entry]) -> Self {
        let stream = worker.stream.clone();
        let consumer = consumer.clone();
        let keys: Vec<EntryKey> = entries.iter().map(|entry| entry.key.clone()).collect();
        let every = worker.options.claim_idle / 3;
        Self(tokio::spawn(async move {
            while !keys.is_empty() {
                tokio::time::sleep(every).await;
                if let Err(error) = stream.renew(&consumer, &keys).await {
                    tracing::debug!(%error, "claims not renewed");
                }
            }
        }))
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}
