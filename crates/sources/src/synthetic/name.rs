//! The names of generated topics.

/// The names of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name as it is used in texts.
    pub name: &'static str,
    /// The name as a hashtag, without `#`.
    pub tag: String,
    /// The name as an account, without `@`.
    pub handle: String,
}
