//! Conditions on the labels of an alert.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::domain::alert::Labels;

/// Most conditions together.
pub const MAX_MATCHERS: usize = 20;
/// Longest name of a label, and longest value or pattern, in bytes.
const MAX_NAME: usize = 100;
const MAX_VALUE: usize = 500;
/// What a compiled pattern may take, in bytes.
const MAX_COMPILED: usize = 256 * 1024;

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub enum MatchOp {
    #[serde(rename = "=")]
    Equal,
    #[serde(rename = "!=")]
    NotEqual,
    /// The whole value matches the pattern.
    #[serde(rename = "=~")]
    Like,
    #[serde(rename = "!~")]
    NotLike,
}

/// A condition on one label. A label that an alert lacks is empty.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Matcher {
    label: String,
    op: MatchOp,
    value: String,
    pattern: Option<Regex>,
}

/// A condition on one label, as it is written. An alert that lacks the label counts as having it empty.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Matcher, example = json!({"label": "severity", "op": "=~", "value": "warning|critical"}))]
pub struct Written {
    /// A label of the alert: `alertname`, `severity`, `source`, …
    pub label: String,
    /// `=~` and `!~` take a regular expression that must match the whole value.
    pub op: MatchOp,
    pub value: String,
}

impl Matcher {
    /// A condition.
    ///
    /// # Errors
    /// When the value is a pattern that cannot be used.
    pub fn new(label: &str, op: MatchOp, value: &str) -> Result<Self, String> {
        let pattern = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Like | MatchOp::NotLike => Some(compile(value)?),
        };
        Ok(Self { label: label.to_owned(), op, value: value.to_owned(), pattern })
    }

    /// Whether the condition holds for an alert with these labels.
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.label).map_or("", String::as_str);
        let like = || self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(value));
        match self.op {
            MatchOp::Equal => value == self.value,
            MatchOp::NotEqual => value != self.value,
            MatchOp::Like => like(),
            MatchOp::NotLike => !like(),
        }
    }

    /// What is wrong with it, if anything.
    pub(super) fn wrong(&self) -> Option<String> {
        let name = (1..=MAX_NAME).contains(&self.label.len()) && !self.label.contains(char::is_control);
        (!name).then(|| format!("label must be 1 to {MAX_NAME} bytes without control characters"))
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.label, self.op, &self.value) == (&other.label, other.op, &other.value)
    }
}

/// Anchored at both ends, as Prometheus does.
fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > MAX_VALUE {
        return Err(format!("a regular expression must be at most {MAX_VALUE} bytes"));
    }
    RegexBuilder::new(&format!("^(?:{pattern})$"))
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_COMPILED)
        .dot_matches_new_line(true)
        .build()
        .map_err(|e| match e {
            regex::Error::CompiledTooBig(_) => "the regular expression is too complex".to_owned(),
            _ => format!("{pattern:?} is not a regular expression"),
        })
}

impl TryFrom<Written> for Matcher {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        if written.value.len() > MAX_VALUE {
            return Err(format!("the value of a matcher must be at most {MAX_VALUE} bytes"));
        }
        Self::new(&written.label, written.op, &written.value)
    }
}

impl From<Matcher> for Written {
    fn from(matcher: Matcher) -> Self {
        Self { label: matcher.label, op: matcher.op, value: matcher.value }
    }
}

/// Whether all conditions hold; without any they do.
pub fn all_match(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.matches(labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_values_and_a_missing_label_is_empty() {
        let labels: Labels = [("severity".to_owned(), "critical".to_owned())].into();
        let holds = |label, op, value| Matcher::new(label, op, value).unwrap().matches(&labels);
        assert!(holds("severity", MatchOp::Equal, "critical"));
        assert!(!holds("severity", MatchOp::NotEqual, "critical"));
        assert!(holds("severity", MatchOp::Like, "warning|critical"));
        assert!(!holds("severity", MatchOp::Like, "crit"));
        assert!(holds("severity", MatchOp::NotLike, "crit"));
        assert!(holds("source", MatchOp::Equal, ""));
        assert!(holds("source", MatchOp::NotEqual, "web"));
        assert!(holds("source", MatchOp::Like, ".*"));
    }

    #[test]
    fn patterns_that_would_cost_too_much_are_refused() {
        for pattern in ["(", "(?:a{1000}){1000}", &"a".repeat(MAX_VALUE + 1)] {
            assert!(Matcher::new("a", MatchOp::Like, pattern).is_err(), "{pattern}");
        }
    }
}
