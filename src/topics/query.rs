//! Queries as trees.

use super::parse;
use super::text::{fold, push_words};

/// A query that can be asked of posts.
#[derive(Clone, Debug, PartialEq)]
pub struct Query(pub(super) Node);

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// All of them hold.
    And(Vec<Node>),
    /// At least one of them holds.
    Or(Vec<Node>),
    Not(Box<Node>),
    /// The text holds this term, which is in the form of [`push_words`].
    Text(String),
    /// The post is from this source.
    Source(String),
    /// The post's author is this one, folded.
    Author(String),
    /// The post's language is this one or a variety of it; in lower case.
    Lang(String),
}

/// Why a text is no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {position}: {message}")]
pub struct QueryError {
    /// Where, in characters from 1.
    pub position: usize,
    /// What was expected there.
    pub message: String,
}

impl Query {
    /// Reads a query: words, `"phrases"`, `#tags`, `@names` and `beginnings*` that must all occur; `OR` between
    /// alternatives, `-` before what must not occur, brackets; `lang:`, `source:` and `author:`.
    ///
    /// # Errors
    /// Where it cannot be read, and what was expected.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        parse::query(text).map(Self)
    }
}

/// How a term is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Whole,
    /// Ends with `*`.
    Beginning,
}

impl Node {
    /// A term as it is looked for; `None` when it holds nothing that could be.
    pub fn text(words: &str, form: Form) -> Option<Self> {
        let mut pattern = String::with_capacity(words.len() + 2);
        push_words(words, &mut pattern);
        if pattern.trim_matches([' ', '#', '@']).is_empty() {
            return None;
        }
        // A tag is looked for from its mark on, wherever it stands.
        let marked = pattern.starts_with(" #") || pattern.starts_with(" @");
        let from = usize::from(marked);
        let to = pattern.len() - usize::from(form == Form::Beginning);
        Some(Self::Text(pattern[from..to].to_owned()))
    }

    /// The author's name, with or without the `@` before it.
    pub fn author(name: &str) -> Self {
        Self::Author(fold(name.trim_start_matches('@')).into_owned())
    }

    /// Whether a post can match of which nothing is known but that `holds` is the value of every condition.
    pub fn when_all_are(&self, holds: bool) -> bool {
        match self {
            Self::And(nodes) => nodes.iter().all(|node| node.when_all_are(holds)),
            Self::Or(nodes) => nodes.iter().any(|node| node.when_all_are(holds)),
            Self::Not(node) => !node.when_all_are(holds),
            _ => holds,
        }
    }

    /// Whether it can hold, and whether it can fail, for a post without any of its terms.
    pub fn without_terms(&self) -> (bool, bool) {
        match self {
            Self::And(nodes) => {
                nodes.iter().map(Self::without_terms).fold((true, false), |a, b| (a.0 && b.0, a.1 || b.1))
            }
            Self::Or(nodes) => {
                nodes.iter().map(Self::without_terms).fold((false, true), |a, b| (a.0 || b.0, a.1 && b.1))
            }
            Self::Not(node) => {
                let (holds, fails) = node.without_terms();
                (fails, holds)
            }
            Self::Text(_) => (false, true),
            Self::Source(_) | Self::Author(_) | Self::Lang(_) => (true, true),
        }
    }
}
