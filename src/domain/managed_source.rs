//! A source that a person added: its name, its kind, and its settings without secrets.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::FieldError;
use super::notify::{Kind, Managed};

/// Longest name.
const MAX_NAME: usize = 64;

/// What a person says about a source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SourceDefinition {
    /// 1 to 64 of `a-z`, `0-9`, `_` and `-`.
    pub name: String,
    /// One of the kinds of `GET /api/sources/kinds`.
    pub kind: String,
    /// By key; those that are missing have the defaults of the kind.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, Value>)]
    pub settings: Map<String, Value>,
}

impl Managed for SourceDefinition {
    const KIND: Kind = Kind::Source;

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn check(&self) -> Vec<FieldError> {
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        if (1..=MAX_NAME).contains(&self.name.len()) && self.name.chars().all(is_allowed) {
            return Vec::new();
        }
        vec![FieldError::new("name", format!("must be 1 to {MAX_NAME} of a-z, 0-9, _ and -"))]
    }
}
