//! Sources that people add at run time: what can be set for each kind, and how they are opened.
//!
//! One description per kind serves the forms of the dashboard, the validation of the API and the documentation: it is
//! read from `config/default.toml`, whose keys, defaults and comments also describe the configuration file.

use serde::Serialize;
use serde_json::Value;

use super::SourceSpec;
use crate::domain::FieldError;
use crate::domain::managed_source::SourceDefinition;
use crate::domain::notify::Secrets;

/// A kind of source that can be added.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SourceKind {
    /// As it is written in settings.
    pub kind: String,
    /// For people.
    pub title: String,
    pub about: String,
    /// In the order of forms.
    pub fields: Vec<SourceField>,
}

/// A setting of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SourceField {
    pub key: String,
    /// For people.
    pub title: String,
    pub help: String,
    #[serde(rename = "type")]
    pub kind: FieldKind,
    /// Whether the source cannot be read without it.
    pub required: bool,
    /// A secret has none.
    #[schema(value_type = Value)]
    pub default: Option<Value>,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    Text,
    /// A text that is stored encrypted and never shown.
    Secret,
    Number,
    Boolean,
    /// A list of texts.
    List,
    /// "15s", "5min", "1h 30min"
    Duration,
}

/// Knows the kinds of sources, and opens them.
pub trait SourceFactory: Send + Sync {
    /// The kinds that can be added.
    fn kinds(&self) -> &[SourceKind];

    /// The names of the sources of the configuration, which nobody else may use.
    fn reserved(&self) -> &[String];

    /// The source that `definition` describes.
    ///
    /// # Errors
    /// Everything that is wrong with it, by field.
    fn spec(&self, definition: &SourceDefinition, secrets: &Secrets) -> Result<SourceSpec, Vec<FieldError>>;
}
