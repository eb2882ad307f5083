//! Sources that users add at run time: the settings of each kind, and how such sources are opened.
//!
//! The forms of the dashboard, the validation of the API and the documentation use the same description of a kind. The
//! description is read from `config/default.toml`, whose keys, defaults and comments also describe the configuration
//! file.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use url::Origin;

use super::SourceSpec;
use super::webhook::Hook;
use sentistream_core::domain::FieldError;
use sentistream_core::domain::managed_source::SourceDefinition;
use sentistream_core::domain::notify::Secrets;

/// A kind of source that can be added while the server runs.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SourceKind {
    /// The name of the kind in settings.
    pub kind: String,
    /// The name of the kind in the dashboard.
    pub title: String,
    /// A description of the kind for the form.
    pub about: String,
    /// The settings, in the order of the form.
    pub fields: Vec<SourceField>,
}

/// A setting of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SourceField {
    /// The key of the setting in the `settings` of a source.
    pub key: String,
    /// The name of the setting in the dashboard.
    pub title: String,
    /// A description of the setting, with its unit and limits.
    pub help: String,
    /// The type of the value.
    #[serde(rename = "type")]
    pub kind: FieldKind,
    /// Whether the source requires this setting.
    pub required: bool,
    /// The default value; `null` if the setting has no default, such as a secret.
    #[schema(value_type = Value)]
    pub default: Option<Value>,
}

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// A text.
    Text,
    /// A text that is never shown. It is stored encrypted; with Postgres only if `database.key_file` is set.
    Secret,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list of texts.
    List,
    /// A duration as text, such as `15s`, `5min` or `1h 30min`.
    Duration,
}

/// A server that receives a secret of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The setting that contains the address of the server.
    pub setting: &'static str,
    /// The scheme, host and port of the address.
    pub origin: Origin,
}

/// Provides the kinds of sources, and opens sources.
pub trait SourceFactory: Send + Sync {
    /// The kinds of sources that can be added.
    fn kinds(&self) -> &[SourceKind];

    /// The names of configured sources, which added sources must not use.
    fn reserved(&self) -> &[String];

    /// Creates the source that `definition` describes.
    ///
    /// # Errors
    /// All errors in the definition, by field.
    fn spec(&self, definition: &SourceDefinition, secrets: &Secrets) -> Result<SourceSpec, Vec<FieldError>>;

    /// The servers that receive the secrets of the source that `definition` describes. Empty if the source sends no
    /// secrets, or if the settings are invalid.
    fn destinations(&self, definition: &SourceDefinition, secrets: &Secrets) -> Vec<Destination>;

    /// The webhook that `definition` describes; `None` for other kinds of sources, or if the settings are invalid.
    fn hook(&self, definition: &SourceDefinition, secrets: &Secrets) -> Option<Hook>;

    /// The webhook with this name in the configuration; `None` if there is none.
    fn configured_hook(&self, name: &str) -> Option<Arc<Hook>>;
}
