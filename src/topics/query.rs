//! Queries of tracked topics.

use super::node::Node;
use super::parse;

/// A parsed query that posts can be matched against.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub(super) node: Node,
    warnings: Vec<QueryNote>,
}

/// A warning about a likely mistake at a position in a query.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct QueryNote {
    /// The position in the query, counted in characters from 1.
    pub position: usize,
    /// The likely mistake and its correction.
    pub message: String,
}

/// Why a text is not a valid query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {position}: {message}")]
pub struct QueryError {
    /// The position in the query, counted in characters from 1.
    pub position: usize,
    /// The error at this position, and what is expected there.
    pub message: String,
}

impl Query {
    /// Parses a query; docs/topics.md describes the language.
    ///
    /// # Errors
    /// When the text is not a valid query. The error says at which position, and what is expected there.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let parse::Parsed { node, warnings } = parse::query(text)?;
        let warnings = warnings.into_iter().map(|note| QueryNote { position: note.position, message: note.message });
        Ok(Self { node, warnings: warnings.collect() })
    }

    /// The likely mistakes in a query that is valid.
    pub fn warnings(&self) -> &[QueryNote] {
        &self.warnings
    }
}

impl From<parse::Fault> for QueryError {
    fn from(fault: parse::Fault) -> Self {
        Self { position: fault.position, message: fault.message }
    }
}
