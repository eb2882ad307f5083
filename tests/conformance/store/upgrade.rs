//! Cases of rolling upgrades: the previous release runs at the same time, or a newer release has migrated the schema.

use sentistream::clock::Clock;
use sentistream::domain::Outcome;
use sentistream::store::posts::{PostFilter, Start};
use sentistream::store::{SchemaError, StoreError};
use tokio_util::sync::CancellationToken;

use super::fixture::{Fixture, Place, cases, connect, database, delete, insert, post};

cases!(
    schema_of_an_incompatible_newer_release_is_rejected,
    schema_of_a_compatible_newer_release_is_used,
    posts_of_previous_release_are_searched_edited_and_deleted,
);

const NEWER: &str = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')";

async fn schema_of_an_incompatible_newer_release_is_rejected(fixture: Fixture) {
    fixture.run(NEWER).await;
    fixture.run("UPDATE schema_info SET compatible_since = '99990101000000'").await;
    for error in [
        fixture.store.migrate().await.expect_err("newer"),
        fixture.store.pending_migrations().await.expect_err("newer"),
    ] {
        assert!(matches!(error, StoreError::Schema(SchemaError::Newer { .. })), "{error}");
        assert!(!error.is_transient() && error.to_string().contains("newer release"), "{error}");
    }
}

async fn schema_of_a_compatible_newer_release_is_used(fixture: Fixture) {
    fixture.run(NEWER).await;
    assert_eq!(fixture.store.migrate().await.expect("compatible"), Vec::<String>::new());
    assert_eq!(fixture.settle_one(insert(post("a"))).await.outcome, Some(Outcome::Analysed));
}

/// The statements with which the previous release stores a post, in the order of its transaction.
fn statements_of_previous_release(id: &str) -> String {
    format!(
        "INSERT INTO post_keys (post_id) VALUES ('{id}') ON CONFLICT DO NOTHING;
         INSERT INTO social_media_posts (post_id, source, content, created_at, ingested_at, public_id, sentiment_label, \
         emotion, confidence_score, entry_epoch, entry_ms, entry_seq) SELECT '{id}', source, 'an old phone', created_at, \
         ingested_at, public_id, sentiment_label, emotion, confidence_score, 'old', 1, 1 \
         FROM social_media_posts WHERE post_id = 'model';
         INSERT INTO sentiment_analysis (post_id, model_name, sentiment_label, confidence_score, emotion, analyzed_at, \
         scores, truncated) SELECT '{id}', model_name, sentiment_label, confidence_score, emotion, analyzed_at, scores, \
         truncated FROM sentiment_analysis WHERE post_id = 'model'"
    )
}

async fn posts_of_previous_release_are_searched_edited_and_deleted(fixture: Fixture) {
    if matches!(fixture.place, Place::Sqlite { .. }) {
        // Only one server can use a SQLite file, so two releases cannot run at the same time.
        return;
    }
    fixture.settle(vec![insert(post("model"))]).await;
    fixture.run(&statements_of_previous_release("old")).await;
    let filter = PostFilter { words: vec!["phone".to_owned()], ..PostFilter::default() };
    let found = async || {
        let page = fixture.store.posts(&filter, Start::Offset(0), 50).await.expect("a page");
        page.items.into_iter().map(|post| post.post_id).collect::<Vec<_>>()
    };
    assert_eq!(found().await, ["old"]);
    assert_eq!(fixture.store.index_missing(&CancellationToken::new()).await.expect("indexed"), 1);
    assert_eq!(found().await, ["old"]);
    // The previous release edits and deletes posts of this release.
    fixture.settle(vec![insert(post("new"))]).await;
    fixture.run("UPDATE social_media_posts SET lang = 'en' WHERE post_id = 'new'").await;
    fixture.run("DELETE FROM social_media_posts WHERE post_id = 'new'").await;
    fixture.settle(vec![delete("old")]).await;
    assert_eq!(found().await, Vec::<String>::new());
    assert_eq!(fixture.number("SELECT count(*) FROM post_search").await, 1);
}

#[tokio::test]
async fn database_with_a_non_utf8_encoding_is_rejected() {
    let store = connect(&database("LATIN1").await, &Clock::system());
    for error in [store.migrate().await.expect_err("refused"), store.pending_migrations().await.expect_err("refused")] {
        assert!(matches!(&error, StoreError::Schema(SchemaError::Encoding { encoding }) if encoding == "LATIN1"));
        assert!(!error.is_transient() && error.to_string().contains("UTF8"), "{error}");
    }
}
