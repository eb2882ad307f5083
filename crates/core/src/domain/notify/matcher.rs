//! Matchers: conditions on the labels of an alert.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::domain::alert::Labels;

/// The maximum number of matchers of one object.
pub const MAX_MATCHERS: usize = 20;
/// The maximum length of a label name, and of a value or pattern, in bytes.
const MAX_NAME: usize = 100;
const MAX_VALUE: usize = 500;
/// The memory limit of a compiled pattern, in bytes.
const MAX_COMPILED: usize = 256 * 1024;

/// The operator of a matcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub enum MatchOp {
    /// The value is equal.
    #[serde(rename = "=")]
    Equal,
    /// The value is not equal.
    #[serde(rename = "!=")]
    NotEqual,
    /// The whole value matches the regular expression.
    #[serde(rename = "=~")]
    Regex,
    /// The regular expression does not match the whole value.
    #[serde(rename = "!~")]
    NotRegex,
}

impl MatchOp {
    /// The operator as text: `=`, `!=`, `=~` or `!~`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }

    /// The operator from the two flags of Alertmanager's API.
    pub fn from_flags(flags: MatchFlags) -> Self {
        match (flags.is_equal, flags.is_regex) {
            (true, false) => Self::Equal,
            (false, false) => Self::NotEqual,
            (true, true) => Self::Regex,
            (false, true) => Self::NotRegex,
        }
    }

    /// The operator as the two flags of Alertmanager's API.
    pub fn flags(self) -> MatchFlags {
        MatchFlags {
            is_equal: matches!(self, Self::Equal | Self::Regex),
            is_regex: matches!(self, Self::Regex | Self::NotRegex),
        }
    }
}

/// An operator in the format of Alertmanager's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatchFlags {
    /// `true` for `=` and `=~`, `false` for `!=` and `!~`.
    pub is_equal: bool,
    /// `true` for `=~` and `!~`, `false` for `=` and `!=`.
    pub is_regex: bool,
}

/// Why a matcher is invalid.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MatcherError {
    /// The value or the pattern is too long.
    #[error("the value of a matcher must be at most {MAX_VALUE} bytes")]
    TooLong,
    /// The compiled pattern would need too much memory.
    #[error("the regular expression {0:?} is too complex")]
    TooComplex(String),
    /// The value is not a regular expression, but its operator requires one.
    #[error("{pattern:?} is not a regular expression")]
    Pattern {
        /// The rejected value of the matcher.
        pattern: String,
        /// The error of the regex parser.
        source: Box<regex::Error>,
    },
    /// The text has no operator or no label, or a quote is not closed.
    #[error("{0:?} is not a matcher such as severity=\"critical\" or source=~\"web|reddit\"")]
    Syntax(String),
}

/// A condition on one label. A missing label is treated as empty.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "MatcherSpec", into = "MatcherSpec")]
pub struct Matcher {
    label: String,
    op: MatchOp,
    value: String,
    pattern: Option<Regex>,
}

/// A condition on one label. A missing label is treated as empty.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Matcher, example = json!({"label": "severity", "op": "=~", "value": "warning|critical"}))]
pub struct MatcherSpec {
    /// The name of a label, such as `alertname`, `severity` or `source`: 1 to 100 bytes.
    pub label: String,
    /// `=~` and `!~` require a regular expression, which must match the whole value.
    pub op: MatchOp,
    /// The value, or the regular expression for `=~` and `!~`; at most 500 bytes.
    pub value: String,
}

impl Matcher {
    /// A matcher with a compiled pattern.
    ///
    /// # Errors
    /// When the value is longer than 500 bytes, or the operator requires a regular expression and the value is not a
    /// regular expression or is too complex.
    pub fn new(label: &str, op: MatchOp, value: &str) -> Result<Self, MatcherError> {
        if value.len() > MAX_VALUE {
            return Err(MatcherError::TooLong);
        }
        let pattern = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => Some(compile(value)?),
        };
        Ok(Self { label: label.to_owned(), op, value: value.to_owned(), pattern })
    }

    /// Parses `severity="critical"` or `source=~"web|reddit"`. The quotes are optional.
    ///
    /// # Errors
    /// When the text has no operator or no label, a quote is not closed, or the value is invalid.
    pub fn parse(text: &str) -> Result<Self, MatcherError> {
        let syntax = || MatcherError::Syntax(text.to_owned());
        let at = text.find(['=', '!']).ok_or_else(syntax)?;
        let (label, rest) = (text[..at].trim(), &text[at..]);
        let ops = [MatchOp::Regex, MatchOp::NotRegex, MatchOp::NotEqual, MatchOp::Equal];
        let op = ops.into_iter().find(|op| rest.starts_with(op.as_str())).ok_or_else(syntax)?;
        let value = rest[op.as_str().len()..].trim();
        let unquoted = |text: &str| match text.strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"').map(unescape),
            None => Some(text.to_owned()),
        };
        let label = unquoted(label).filter(|label| !label.is_empty()).ok_or_else(syntax)?;
        Self::new(&label, op, &unquoted(value).ok_or_else(syntax)?)
    }

    /// Whether the condition holds for an alert with these labels.
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.label).map_or("", String::as_str);
        let regex = || self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(value));
        match self.op {
            MatchOp::Equal => value == self.value,
            MatchOp::NotEqual => value != self.value,
            MatchOp::Regex => regex(),
            MatchOp::NotRegex => !regex(),
        }
    }

    /// The validation error of the label name, if any.
    pub(super) fn problem(&self) -> Option<String> {
        let valid = (1..=MAX_NAME).contains(&self.label.len()) && !self.label.contains(char::is_control);
        (!valid).then(|| format!("label must be 1 to {MAX_NAME} bytes without control characters"))
    }
}

/// The format of Alertmanager's configuration: `severity="critical"`.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(f, "{}{}\"{value}\"", self.label, self.op.as_str())
    }
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => plain.push('\n'),
                Some(escaped @ ('"' | '\\')) => plain.push(escaped),
                Some(other) => plain.extend(['\\', other]),
                None => plain.push('\\'),
            },
            other => plain.push(other),
        }
    }
    plain
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.label, self.op, &self.value) == (&other.label, other.op, &other.value)
    }
}

/// Compiles a pattern that is anchored at both ends, as in Prometheus.
fn compile(pattern: &str) -> Result<Regex, MatcherError> {
    RegexBuilder::new(&format!("^(?:{pattern})$"))
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_COMPILED)
        .dot_matches_new_line(true)
        .build()
        .map_err(|source| match source {
            regex::Error::CompiledTooBig(_) => MatcherError::TooComplex(pattern.to_owned()),
            _ => MatcherError::Pattern { pattern: pattern.to_owned(), source: Box::new(source) },
        })
}

impl TryFrom<MatcherSpec> for Matcher {
    type Error = MatcherError;

    fn try_from(spec: MatcherSpec) -> Result<Self, MatcherError> {
        Self::new(&spec.label, spec.op, &spec.value)
    }
}

impl From<Matcher> for MatcherSpec {
    fn from(matcher: Matcher) -> Self {
        Self { label: matcher.label, op: matcher.op, value: matcher.value }
    }
}

/// Whether all matchers hold; true for an empty list.
pub fn all_match(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.matches(labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_values_and_missing_labels_are_empty() {
        let labels: Labels = [("severity".to_owned(), "critical".to_owned())].into();
        let holds = |label, op, value| Matcher::new(label, op, value).unwrap().matches(&labels);
        assert!(holds("severity", MatchOp::Equal, "critical"));
        assert!(!holds("severity", MatchOp::NotEqual, "critical"));
        assert!(holds("severity", MatchOp::Regex, "warning|critical"));
        assert!(!holds("severity", MatchOp::Regex, "crit"));
        assert!(holds("severity", MatchOp::NotRegex, "crit"));
        assert!(holds("source", MatchOp::Equal, ""));
        assert!(holds("source", MatchOp::NotEqual, "web"));
        assert!(holds("source", MatchOp::Regex, ".*"));
    }

    #[test]
    fn expensive_or_invalid_patterns_are_rejected() {
        for pattern in ["(", "(?:a{1000}){1000}", &"a".repeat(MAX_VALUE + 1)] {
            assert!(Matcher::new("a", MatchOp::Regex, pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn matcher_text_round_trips() {
        for text in [r#"a="b""#, r#"a!="""#, r#"a=~"x|y""#, r#"a!~"say \"hi\" \\d""#] {
            assert_eq!(Matcher::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Matcher::parse("a = b").unwrap().to_string(), r#"a="b""#);
        for text in ["a", "=b", "a=\"b", ""] {
            assert!(Matcher::parse(text).is_err(), "{text}");
        }
    }
}
