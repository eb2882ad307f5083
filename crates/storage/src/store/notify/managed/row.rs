//! Rows of the tables of managed objects.

use diesel::Queryable;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use serde_json::Value;

use super::{Draft, WithSecrets};
use crate::store::sql::{At, Document, Instant, JsonText};
use sentistream_core::domain::notify::{Managed, Secrets, Stored};

/// The columns of [`Row`], in the same order.
pub const COLUMNS: &str = "id, name, spec, secrets, provisioned, version, created_at, updated_at";
/// The SQL types of [`COLUMNS`].
pub type Columns = (BigInt, Nullable<Text>, Document, Nullable<Document>, Bool, BigInt, Instant, Instant);

/// A managed object as stored.
#[derive(Clone, Queryable)]
pub struct Row {
    /// The id of the object.
    pub id: i64,
    /// The name; `None` for silences, which have none.
    pub name: Option<String>,
    spec: JsonText,
    /// The secrets as they are stored.
    pub secrets: Option<JsonText>,
    /// Whether the object comes from the configuration.
    pub provisioned: bool,
    /// Increases with each change of the object.
    pub version: i64,
    created_at: At,
    updated_at: At,
}

impl Row {
    /// The object as JSON.
    pub fn spec(&self) -> Value {
        serde_json::from_str(&self.spec.0).unwrap_or_default()
    }

    /// The object without its secrets, for comparisons.
    pub fn draft(self) -> Draft {
        Draft { spec: self.spec(), name: self.name, secrets: Secrets::default() }
    }

    /// The typed object; `None` when this version of the program cannot read it.
    pub fn read<T: Managed>(self) -> Option<WithSecrets<T>> {
        let (kind, id) = (T::KIND.as_str(), self.id);
        let spec = serde_json::from_str(&self.spec.0)
            .inspect_err(|error| tracing::warn!(kind, id, name = self.name, %error, "row skipped: unreadable"))
            .ok()?;
        let secrets = self.secrets.map(|text| Secrets::read(&text.0)).unwrap_or_default();
        let stored = Stored {
            id,
            version: self.version,
            provisioned: self.provisioned,
            created_at: self.created_at.0,
            updated_at: self.updated_at.0,
            spec,
        };
        Some(WithSecrets { stored, secrets })
    }
}
