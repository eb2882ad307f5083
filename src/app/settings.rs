//! Applies changed settings to the running modules and roles.

use tokio::sync::watch;

use crate::cache::Cache;
use crate::config::Config;
use crate::domain::alert::RuleSpec;
use crate::http::Adjustable;
use crate::language::SharedHandling;
use crate::lifecycle::Shutdown;
use crate::settings::LiveSettings;
use crate::store::{Store, StoreError};

use super::{Services, options};

/// The effective settings, and the parts of the process that read them while they run. Clones share their state.
#[derive(Clone)]
pub struct Adjusting {
    /// The effective settings.
    pub settings: LiveSettings,
    /// The handling of other languages, which the worker reads for each batch.
    pub other_languages: SharedHandling,
    rules: watch::Sender<Vec<RuleSpec>>,
    http: watch::Sender<Option<Adjustable>>,
    store: Store,
    cache: Cache,
}

impl Adjusting {
    /// Starts with the settings of the configuration.
    pub fn new(config: &Config, services: &Services) -> Self {
        Self {
            settings: LiveSettings::new(config.clone(), services.store.clone()),
            other_languages: config.inference.other_languages.into(),
            rules: watch::Sender::new(options::alert_rules(config)),
            http: watch::Sender::new(None),
            store: services.store.clone(),
            cache: services.cache.clone(),
        }
    }

    /// The configured alert rules.
    pub fn rules(&self) -> watch::Receiver<Vec<RuleSpec>> {
        self.rules.subscribe()
    }

    /// The adjustable options of the server; the received value is `None` until the stored settings are read.
    pub fn http(&self) -> watch::Receiver<Option<Adjustable>> {
        self.http.subscribe()
    }

    /// Reads the stored settings and applies them. Roles that use these settings start after the first call.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        self.settings.refresh().await?;
        let config = self.settings.config();
        self.store.keep(options::keep(&config));
        self.cache.set_ttl(config.cache.ttl).await;
        self.other_languages.set(config.inference.other_languages);
        let rules = options::alert_rules(&config);
        self.rules.send_if_modified(|current| {
            let differs = *current != rules;
            *current = rules;
            differs
        });
        let http = Some(options::adjustable(&config));
        self.http.send_if_modified(|current| {
            let differs = *current != http;
            *current = http;
            differs
        });
        Ok(())
    }

    /// Keeps the settings up to date until `shutdown`.
    pub async fn follow(self, shutdown: Shutdown) {
        while shutdown.unless_stopping(self.settings.due()).await.is_some() {
            if let Err(error) = self.refresh().await {
                tracing::debug!(%error, "stored settings not read: keeping the current values");
            }
        }
    }
}
