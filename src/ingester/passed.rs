//! Filters out deletions of posts that were never appended to the stream.
//!
//! A social network such as Bluesky announces the deletion of every post, including posts that the filters of a source
//! excluded. The deletion of an excluded post would cost a worker as much as a post, and would leave a tombstone.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use super::IngesterServices;
use crate::domain::{Op, PostId, Timestamp};

/// The capacity of each of the two sets of remembered posts. When the newer set is full, the older set is dropped.
const RECENT: usize = 100_000;
/// The time between two checks of the stream.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);
/// The assumed maximum difference between the clocks of the stream and of this process.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// The posts that passed the filters of a source.
pub struct PassedPosts {
    services: IngesterServices,
    hasher: RandomState,
    younger: HashSet<u64>,
    older: HashSet<u64>,
    /// When the recording of the posts that pass the filters began.
    since: Timestamp,
    looked_at: Option<Instant>,
    complete: bool,
}

impl PassedPosts {
    /// Creates an empty set of posts. The stream may still contain posts of another instance or of an earlier run.
    pub fn new(services: IngesterServices) -> Self {
        let since = services.clock.now();
        Self {
            services,
            hasher: RandomState::new(),
            younger: HashSet::new(),
            older: HashSet::new(),
            since,
            looked_at: None,
            complete: false,
        }
    }

    /// Forgets all posts, because another instance may have read the source in the meantime.
    pub fn restart(&mut self) {
        *self = Self::new(self.services.clone());
    }

    /// Removes from `ops` the deletions of posts that are neither stored nor in the stream. A deletion is kept if it is
    /// uncertain whether the post exists.
    pub async fn without_foreign_deletions(&mut self, ops: Vec<Op>) -> Vec<Op> {
        for op in &ops {
            if let Some(post) = op.post() {
                self.remember(&post.post_id);
            }
        }
        let unknown: Vec<PostId> = ops
            .iter()
            .filter_map(|op| match op {
                Op::Delete { post_id } if !self.remembers(post_id) => Some(post_id.clone()),
                _ => None,
            })
            .collect();
        if unknown.is_empty() || !self.is_complete().await {
            return ops;
        }
        let Ok(stored) = self.services.store.known_posts(&unknown).await else { return ops };
        let foreign: HashSet<&PostId> = unknown.iter().filter(|id| !stored.contains(*id)).collect();
        metrics::counter!("sentistream_source_foreign_deletions_total").increment(foreign.len() as u64);
        ops.into_iter().filter(|op| !matches!(op, Op::Delete { post_id } if foreign.contains(post_id))).collect()
    }

    /// Whether every post from before `since` is stored, and there is no dead letter that could be replayed.
    async fn is_complete(&mut self) -> bool {
        if self.looked_at.is_none_or(|at| at.elapsed() >= CHECK_INTERVAL) {
            self.looked_at = Some(Instant::now());
            self.complete = self.services.stream.depth().await.is_ok_and(|depth| {
                let settled = depth.oldest_unsettled.is_none_or(|oldest| oldest > self.since + CLOCKS_DIFFER);
                settled && depth.dead_letters == 0
            });
        }
        self.complete
    }

    fn remember(&mut self, id: &PostId) {
        if self.younger.len() >= RECENT {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(self.hasher.hash_one(id.as_str()));
    }

    fn remembers(&self, id: &PostId) -> bool {
        let hash = self.hasher.hash_one(id.as_str());
        self.younger.contains(&hash) || self.older.contains(&hash)
    }
}
