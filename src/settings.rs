//! The current settings: those of the configuration, and those that people change while the server runs.
//!
//! A change is stored in the database. Every instance reads the stored values every two seconds. Stored values replace
//! only defaults: a setting that the configuration sets cannot be changed here.

mod view;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::Value;
use tokio::sync::Notify;

use crate::config::{Config, ConfigError};
use crate::store::settings::{SettingChange, StoredSetting};
use crate::store::{Store, StoreError};

pub use view::{Layer, OriginView, SectionView, SettingKind, SettingView, StoredView};

/// The interval at which stored settings are read. After a change, other instances use the earlier value for up to this
/// time.
const REFRESH: Duration = Duration::from_secs(2);

/// The current settings. Clones share them.
#[derive(Clone)]
pub struct LiveSettings(Arc<Inner>);

struct Inner {
    store: Store,
    /// The configuration of this process.
    configured: Arc<Config>,
    in_force: ArcSwap<InForce>,
    /// Wakes [`LiveSettings::due`] after a change.
    changed: Notify,
}

/// The stored settings at the last read, and the configuration that results from them.
struct InForce {
    config: Arc<Config>,
    stored: Vec<StoredSetting>,
    /// The keys of stored values that are not used, each with the reason.
    ignored: BTreeMap<String, String>,
}

/// A change of a setting that a person makes.
#[derive(Clone, Debug)]
pub struct Change {
    /// The key of the setting, as `section.key`.
    pub key: String,
    /// The new value; `None` removes the stored value, so that the value of the configuration is used.
    pub value: Option<Value>,
    /// The version that the change is based on. `None`: the change applies to any version.
    pub version: Option<i64>,
    /// Who makes the change.
    pub actor: String,
}

/// Why a setting was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The key does not exist, its value may not be changed, or the new value is not valid.
    #[error("{0}")]
    Invalid(String),
    /// The setting has changed since the version that the change is based on.
    #[error("the setting has changed since the version in If-Match: read it again and repeat the change")]
    Outdated,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LiveSettings {
    /// The settings of `configured`. Stored settings apply after the first [`Self::refresh`].
    pub fn new(configured: Config, store: Store) -> Self {
        let configured = Arc::new(configured);
        let in_force = InForce { config: configured.clone(), stored: Vec::new(), ignored: BTreeMap::new() };
        let in_force = ArcSwap::from_pointee(in_force);
        Self(Arc::new(Inner { store, configured, in_force, changed: Notify::new() }))
    }

    /// The current configuration.
    pub fn config(&self) -> Arc<Config> {
        self.0.in_force.load().config.clone()
    }

    /// Reads the stored settings. Values that cannot be used are ignored and logged.
    ///
    /// # Errors
    /// When the store does not respond. The settings of the last read then still apply.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let stored = self.0.store.settings().await?;
        if stored == self.0.in_force.load().stored {
            return Ok(());
        }
        let (config, ignored) = merge(&self.0.configured, &stored);
        for (key, reason) in ignored.iter().filter(|(key, _)| !self.0.in_force.load().ignored.contains_key(*key)) {
            tracing::warn!(key, reason, "stored setting ignored");
        }
        self.0.in_force.store(Arc::new(InForce { config: Arc::new(config), stored, ignored }));
        Ok(())
    }

    /// Waits until this instance has changed a setting, or until the next regular read is due.
    pub async fn due(&self) {
        // The result is ignored, because the caller reads the settings after a change and after a timeout.
        let _ = tokio::time::timeout(REFRESH, self.0.changed.notified()).await;
    }

    /// Checks and stores a change.
    ///
    /// # Errors
    /// When the key or the value is invalid, the setting may not be changed or has another version, or the store fails.
    pub async fn change(&self, change: Change) -> Result<(), ChangeError> {
        self.refresh().await?;
        let Change { key, value, version, actor } = change;
        let current = self.0.in_force.load_full();
        let kept =
            current.stored.iter().filter(|stored| stored.key != key && !current.ignored.contains_key(&stored.key));
        let mut wanted: BTreeMap<&str, &Value> =
            kept.filter_map(|stored| Some((stored.key.as_str(), stored.value.as_ref()?))).collect();
        let stored = current.stored.iter().find(|stored| stored.key == key);
        if let Some(value) = &value {
            wanted.insert(&key, value);
        } else if stored.is_none_or(|stored| stored.value.is_none()) {
            // No value is stored, so there is nothing to remove. The key is checked anyway, so that a key that cannot
            // be changed is refused.
            let default = value_of(&self.0.configured, &key);
            self.0.configured.with_stored([(key.as_str(), &default)]).map_err(|error| invalid(&key, &error))?;
            let is_current = version.is_none_or(|based_on| based_on == stored.map_or(0, |stored| stored.version));
            return if is_current { Ok(()) } else { Err(ChangeError::Outdated) };
        }
        self.0.configured.with_stored(wanted).map_err(|error| invalid(&key, &error))?;
        let configured = value_of(&self.0.configured, &key);
        let change = SettingChange { key, value, configured, version, actor };
        if !self.0.store.change_setting(&change).await? {
            return Err(ChangeError::Outdated);
        }
        self.refresh().await?;
        self.0.changed.notify_one();
        Ok(())
    }
}

/// The value of a key in `config`. Secrets are masked.
fn value_of(config: &Config, key: &str) -> Value {
    let shown = config.settings.shown().find(|shown| shown.key == key);
    shown.and_then(|shown| serde_json::to_value(shown.value).ok()).unwrap_or_default()
}

impl fmt::Debug for LiveSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LiveSettings").field(&self.config().settings).finish()
    }
}

/// Applies the stored values to `configured`. Also returns the keys of values that cannot be used, with the reasons.
pub fn merge(configured: &Config, stored: &[StoredSetting]) -> (Config, BTreeMap<String, String>) {
    let values: Vec<(&str, &Value)> =
        stored.iter().filter_map(|stored| Some((stored.key.as_str(), stored.value.as_ref()?))).collect();
    if values.is_empty() {
        return (configured.clone(), BTreeMap::new());
    }
    if let Ok(config) = configured.with_stored(values.iter().copied()) {
        return (config, BTreeMap::new());
    }
    // Some values are invalid, because another version stored them or the configuration has changed since. The values
    // are tried one by one.
    let (mut usable, mut ignored) = (Vec::new(), BTreeMap::new());
    let mut merged = configured.clone();
    for value in values {
        match configured.with_stored(usable.iter().copied().chain([value])) {
            Ok(config) => {
                merged = config;
                usable.push(value);
            }
            Err(error) => {
                ignored.insert(value.0.to_owned(), message(value.0, &error));
            }
        }
    }
    (merged, ignored)
}

fn invalid(key: &str, error: &ConfigError) -> ChangeError {
    ChangeError::Invalid(message(key, error))
}

/// The problems of all keys in one text. A problem of a key other than `key` starts with that key.
fn message(key: &str, error: &ConfigError) -> String {
    let text = |problem: &crate::config::Problem| match problem.key == key {
        true => problem.message.clone(),
        false => format!("{}: {}", problem.key, problem.message),
    };
    error.0.iter().map(text).collect::<Vec<_>>().join("; ")
}
