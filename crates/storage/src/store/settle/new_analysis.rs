//! A new analysis of a stored post.

use sentistream_core::domain::{Analysis, PostId, Timestamp};

/// A new analysis of a stored post.
#[derive(Clone, Debug)]
pub struct Reanalysis {
    /// The id of the post.
    pub post_id: PostId,
    /// The new analysis.
    pub analysis: Analysis,
    /// The state that the post must have to be changed.
    pub replaces: Replaced,
}

/// The state of a post before its analysis is replaced. A post in a different state stays unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// The post has the analysis that was stored at this time.
    Analysis(Timestamp),
    /// The post is unscored and has this text.
    Unscored {
        /// The text that was analysed.
        content: String,
    },
}
