//! The order of posts, and the pages of a list.

use std::cmp::Ordering;

use sentistream_core::domain::Timestamp;

use super::stored::StoredPost;

/// The position at which a page begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// After this many posts.
    Offset(i64),
    /// After the post with these sort keys.
    After(PostCursor),
}

/// The sort order of a list. Posts with equal keys are sorted by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The latest `created_at` first.
    #[default]
    Newest,
    /// The earliest `created_at` first.
    Oldest,
    /// The highest confidence in the sentiment of the whole post first, also in the list of a topic. Unscored posts
    /// come last.
    Confidence,
}

impl Sort {
    pub(super) fn compare(self, one: &StoredPost, other: &StoredPost) -> Ordering {
        match self {
            Self::Newest => (other.created_at, other.id).cmp(&(one.created_at, one.id)),
            Self::Oldest => (one.created_at, one.id).cmp(&(other.created_at, other.id)),
            Self::Confidence => other.confidence().total_cmp(&one.confidence()).then(other.id.cmp(&one.id)),
        }
    }

    pub(super) fn cursor(self, post: &StoredPost) -> PostCursor {
        let (created_at, confidence, id) = (post.created_at, post.confidence(), post.id);
        match self {
            Self::Newest => PostCursor::Newest { created_at, id },
            Self::Oldest => PostCursor::Oldest { created_at, id },
            Self::Confidence => PostCursor::Confidence { confidence, id },
        }
    }
}

/// The sort keys of the last post of a page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PostCursor {
    /// The last post of a page in the order [`Sort::Newest`].
    Newest {
        /// When the author wrote the post.
        created_at: Timestamp,
        /// The row id of the post.
        id: i64,
    },
    /// The last post of a page in the order [`Sort::Oldest`].
    Oldest {
        /// When the author wrote the post.
        created_at: Timestamp,
        /// The row id of the post.
        id: i64,
    },
    /// The last post of a page in the order [`Sort::Confidence`].
    Confidence {
        /// The confidence, in [0, 1]; 0 if the post is unscored.
        confidence: f64,
        /// The row id of the post.
        id: i64,
    },
}

impl PostCursor {
    /// The sort order of the page that the cursor belongs to.
    pub fn sort(self) -> Sort {
        match self {
            Self::Newest { .. } => Sort::Newest,
            Self::Oldest { .. } => Sort::Oldest,
            Self::Confidence { .. } => Sort::Confidence,
        }
    }
}
