//! The worker maintains the tables: it prunes old rows and fills the text index.

use crate::process::{Process, posts, within};
use crate::services::{Shared, execute, number};

#[tokio::test(flavor = "multi_thread")]
async fn failing_text_index_does_not_stop_pruning() {
    let folder = tempfile::tempdir().unwrap();
    let shared = Shared::create().await;
    let mut settings = shared.settings();
    settings.extend(["ingester.sources=[]", "retention.posts=1h"].map(str::to_owned));
    let process = Process::start(folder.path(), &settings).await;
    process.ready().await;
    process.append(&posts(1)).await;
    process.drained(1).await;

    // The constraint makes every attempt to add the post to the text index fail.
    let broken = "BEGIN; UPDATE post_search SET grams = NULL; \
                  ALTER TABLE post_search ADD CONSTRAINT broken CHECK (grams IS NULL) NOT VALID; \
                  INSERT INTO post_keys (post_id, deleted_at) VALUES ('old', '2020-01-01'); COMMIT";
    execute(&shared.postgres_url, broken).await;
    let tombstones = "SELECT count(*) FROM post_keys WHERE post_id = 'old'";
    let pruned = async || (number(&shared.postgres_url, tombstones).await == 0).then_some(());
    within("the tombstone is pruned", pruned).await;
    assert_eq!(number(&shared.postgres_url, "SELECT count(*) FROM post_search WHERE grams IS NULL").await, 1);
}
