//! Runs the sources that users add, change and remove while the process runs.
//!
//! These sources are stored in the database. Each of them runs in a separate group with its own lease, so that a change
//! of one source does not interrupt the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;

use super::{IngesterServices, Limited};
use crate::domain::FieldError;
use crate::domain::managed_source::{HISTORY_SUFFIX, SourceDefinition};
use crate::lifecycle::{BackendWait, Shutdown};
use crate::sources::managed::SourceFactory;
use crate::sources::{Batch, Source, SourceError, SourceSpec};
use crate::store::StoreError;
use crate::store::notify::WithSecrets;

/// The interval at which the list of sources is read.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// A source that runs.
struct Running {
    version: i64,
    shutdown: Shutdown,
    task: JoinHandle<anyhow::Result<()>>,
}

/// Runs the sources that users added, until a shutdown.
///
/// # Errors
/// When the stream or the store fails permanently.
pub async fn run(
    factory: Arc<dyn SourceFactory>,
    services: IngesterServices,
    options: Limited,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let (running, removed) = (BTreeMap::new(), BTreeSet::new());
    let mut manager = Manager { factory, services, options, shutdown, running, removed };
    let result = manager.follow().await;
    let names: Vec<String> = manager.running.keys().cloned().collect();
    for name in names {
        manager.stop(&name).await?;
    }
    result
}

struct Manager {
    factory: Arc<dyn SourceFactory>,
    services: IngesterServices,
    options: Limited,
    shutdown: Shutdown,
    running: BTreeMap<String, Running>,
    /// The removed sources whose stored state is not deleted yet.
    removed: BTreeSet<String>,
}

impl Manager {
    async fn follow(&mut self) -> anyhow::Result<()> {
        let mut wait = BackendWait::new("database");
        while !self.shutdown.is_stopping() {
            let round = match self.services.store.managed_with_secrets::<SourceDefinition>().await {
                Ok(wanted) => {
                    self.apply(wanted).await?;
                    self.forget_removed().await
                }
                Err(error) => Err(error),
            };
            match round {
                Ok(()) => {
                    wait.succeeded();
                    self.shutdown.sleep(CHECK_INTERVAL).await;
                }
                Err(error) if error.is_transient() => wait.wait(&error, &self.shutdown).await,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Stops sources that were removed or changed, and starts changed and new ones.
    async fn apply(&mut self, wanted: Vec<WithSecrets<SourceDefinition>>) -> anyhow::Result<()> {
        let version_of =
            |name: &str| wanted.iter().find(|found| found.stored.spec.name == name).map(|found| found.stored.version);
        let stale: Vec<String> = self
            .running
            .iter()
            .filter(|(name, running)| version_of(name) != Some(running.version) || running.task.is_finished())
            .map(|(name, _)| name.clone())
            .collect();
        // A source that was added again uses the stored state.
        self.removed.retain(|name| version_of(name).is_none());
        for name in stale {
            self.stop(&name).await?;
            if version_of(&name).is_none() {
                self.services.states.forget(&name);
                self.services.states.forget(&format!("{name}{HISTORY_SUFFIX}"));
                tracing::info!(source = name, "source removed");
                self.removed.insert(name);
            }
        }
        for found in wanted {
            if !self.running.contains_key(&found.stored.spec.name) {
                self.start(&found);
            }
        }
        Ok(())
    }

    /// Tries once to delete the stored state of each removed source. If a deletion fails, the next call tries it again.
    /// If the process stops before a deletion succeeds, the state stays in the database.
    ///
    /// # Errors
    /// The first transient error, or a permanent error, which ends the attempts.
    async fn forget_removed(&mut self) -> Result<(), StoreError> {
        let mut result = Ok(());
        for name in self.removed.clone() {
            match self.services.store.forget_feed(&name).await {
                Ok(()) => _ = self.removed.remove(&name),
                Err(error) if error.is_transient() => result = result.and(Err(error)),
                Err(error) => return Err(error),
            }
        }
        result
    }

    fn start(&mut self, found: &WithSecrets<SourceDefinition>) {
        let definition = &found.stored.spec;
        let spec = self.factory.spec(definition, &found.secrets).unwrap_or_else(|errors| refused(definition, &errors));
        let shutdown = self.shutdown.child();
        let role = super::run(vec![spec], self.services.clone(), self.options.clone(), shutdown.clone());
        let running = Running { version: found.stored.version, shutdown, task: tokio::spawn(role) };
        self.running.insert(definition.name.clone(), running);
    }

    /// Stops a source after storing its cursor.
    async fn stop(&mut self, name: &str) -> anyhow::Result<()> {
        let Some(running) = self.running.remove(name) else { return Ok(()) };
        running.shutdown.stop();
        running.task.await.context("a source's task panicked")?.with_context(|| format!("source {name}"))
    }
}

/// A replacement for a source whose settings are invalid, for example because another version of the program wrote
/// them. The replacement fails and reports the reasons.
fn refused(definition: &SourceDefinition, errors: &[FieldError]) -> SourceSpec {
    let reasons: Vec<String> = errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
    let reason = reasons.join("; ");
    SourceSpec::new("unknown", &definition.name, move |_| Box::new(Refused(reason.clone())))
}

struct Refused(String);

impl Source for Refused {
    fn next(&mut self, _: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(async { Err(SourceError::Permanent(self.0.clone())) })
    }
}
