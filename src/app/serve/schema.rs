//! Preparing the database before roles start.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::OnceCell;

use crate::app::settings::Adjusting;
use crate::lifecycle::{BackendWait, Shutdown};
use crate::store::{Store, StoreError};

/// Prepares the database: migrates its schema once per process, then applies the settings in the database.
#[derive(Clone)]
pub(super) struct Schema {
    store: Store,
    adjusting: Adjusting,
    shutdown: Shutdown,
    migrated: Arc<OnceCell<()>>,
}

impl Schema {
    pub(super) fn new(store: Store, adjusting: Adjusting, shutdown: Shutdown) -> Self {
        Self { store, adjusting, shutdown, migrated: Arc::default() }
    }

    /// Waits for the database, migrates it, and applies the stored settings; `false` when a stop was requested first.
    pub(super) async fn ready(&self) -> anyhow::Result<bool> {
        let migrate = self.migrated.get_or_try_init(|| async {
            let mut backoff = BackendWait::new("database");
            loop {
                let prepare = async {
                    self.store.migrate().await?;
                    self.seal_secrets().await?;
                    self.adjusting.refresh().await
                };
                match prepare.await {
                    Ok(()) => return Ok(()),
                    Err(error) if error.is_transient() => backoff.wait(&error, &self.shutdown).await,
                    Err(error) => return Err(error),
                }
            }
        });
        match self.shutdown.unless_stopping(migrate).await {
            None => Ok(false),
            Some(result) => result.map(|()| true).context("the database cannot be migrated"),
        }
    }

    /// Encrypts the secrets that were stored before an encryption key was configured.
    async fn seal_secrets(&self) -> Result<(), StoreError> {
        let objects = self.store.seal_plain_secrets().await?;
        if objects > 0 {
            tracing::info!(objects, "secrets encrypted that were stored in plain text");
        }
        Ok(())
    }
}
