//! Queries that people write.

use super::node::Node;
use super::parse;

/// A query that posts can be matched against.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub(super) node: Node,
    warnings: Vec<QueryNote>,
}

/// Something about a place in a query.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct QueryNote {
    /// Where, in characters from 1.
    pub position: usize,
    /// What is probably meant.
    pub message: String,
}

/// Why a text is not a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {position}: {message}")]
pub struct QueryError {
    /// Where, in characters from 1.
    pub position: usize,
    /// What was expected there.
    pub message: String,
}

impl Query {
    /// Reads a query; docs/topics.md describes the language.
    ///
    /// # Errors
    /// Where it cannot be read, and what was expected.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let parse::Parsed { node, warnings } = parse::query(text)?;
        let warnings = warnings.into_iter().map(|note| QueryNote { position: note.position, message: note.message });
        Ok(Self { node, warnings: warnings.collect() })
    }

    /// Likely mistakes in a query that is valid.
    pub fn warnings(&self) -> &[QueryNote] {
        &self.warnings
    }
}

impl From<parse::Fault> for QueryError {
    fn from(fault: parse::Fault) -> Self {
        Self { position: fault.position, message: fault.message }
    }
}
