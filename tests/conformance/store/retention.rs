//! Cases of the retention of posts and counts, and of erasure.

use sentistream::domain::alert::{Instance, InstanceState, Labels, Severity, fingerprint};
use sentistream::domain::notify::{AlertDetails, Message, Reason};
use sentistream::domain::{EntryId, EntryKey, Outcome, Period, TimeRange, Timestamp};
use sentistream::store::aggregate::AggregateQuery;
use sentistream::store::alerts::{NewAlert, Step};
use sentistream::store::notify::NewDelivery;
use sentistream::store::posts::{PostFilter, Start};
use sentistream::store::settle::{Change, Settlement};
use sentistream::store::{Keep, Store};

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::fixture::{Fixture, analysis, at, author, cases, insert, post, seconds, source};

cases!(
    pruned_posts_keep_their_counts_and_stay_removed,
    counts_before_the_retention_limit_are_reported_as_pruned,
    erasure_removes_all_posts_of_author_on_source,
    pruned_post_is_removed_from_alert_evidence,
    erasure_removes_author_from_alerts_of_deleted_posts,
    removed_post_is_removed_from_notification_messages,
    tombstones_are_pruned_with_posts,
    resolved_alerts_are_pruned_with_their_transitions,
    cancelled_pruning_removes_nothing,
);

const DAY: u64 = 86_400;

fn keeping(fixture: &Fixture, posts: u64, rollups: Option<u64>) -> Store {
    fixture.store.clone().keeping(Keep { posts: Some(seconds(posts)), rollups: rollups.map(seconds), alerts: None })
}

async fn stored(store: &Store) -> usize {
    store.posts(&PostFilter::default(), Start::Offset(0), 500).await.expect("a page").items.len()
}

async fn total(store: &Store) -> i64 {
    let all = TimeRange::new(Timestamp::MIN, Timestamp::MAX).expect("a range");
    store.counts(all, &PostFilter::default()).await.expect("counts").total()
}

async fn pruned_posts_keep_their_counts_and_stay_removed(fixture: Fixture) {
    let old = |number: u64| {
        let mut post = post(&format!("old{number}"));
        post.created_at = post.created_at - seconds(2 * DAY + number);
        post
    };
    let changes: Vec<Change> = (0..1_100).map(|number| insert(old(number))).chain([insert(post("new"))]).collect();
    fixture.settle(changes).await;
    let store = keeping(&fixture, DAY, None);
    fixture.pass(seconds(60));
    // Rows are kept while their entries may be delivered again.
    let needed = |seq| EntryKey { epoch: "one".into(), id: EntryId { ms: 0, seq } };
    if matches!(fixture.place, super::fixture::Place::Postgres { .. }) {
        store.prune(Some(needed(1)), &CancellationToken::new()).await.expect("pruned");
        assert_eq!(fixture.number("SELECT count(*) FROM social_media_posts").await, 1_101);
    }
    let later = EntryKey { epoch: "one".into(), id: EntryId { ms: u64::MAX >> 1, seq: 0 } };
    store.prune(Some(later), &CancellationToken::new()).await.expect("pruned");
    assert_eq!((stored(&store).await, total(&store).await), (1, 1_101));
    assert_eq!(store.count_posts(&PostFilter::default()).await.expect("a total").count, 1_101);
    assert_eq!(fixture.number("SELECT count(*) FROM sentiment_analysis").await, 1);

    // A late copy of a post, and a new post that is older than the retention, are both skipped.
    let keys = fixture.append(2).await;
    let batch = keys.into_iter().zip([insert(old(3)), insert(old(9_999))]);
    let batch = batch.map(|(key, change)| Settlement { key, change }).collect();
    let settled = store.settle(batch).await.expect("settled");
    assert!(settled.iter().all(|settled| settled.outcome == Some(Outcome::Skipped)), "{settled:?}");
    assert_eq!(total(&store).await, 1_101);
    assert_eq!(store.outcomes("one").await.expect("books").skipped, 2);
}

async fn counts_before_the_retention_limit_are_reported_as_pruned(fixture: Fixture) {
    let changes = (0..6).map(|days| {
        let mut post = post(&format!("d{days}"));
        post.created_at = post.created_at - seconds(days * DAY);
        insert(post)
    });
    fixture.settle(changes.collect()).await;
    let store = keeping(&fixture, DAY, Some(2 * DAY));
    store.prune(None, &CancellationToken::new()).await.expect("pruned");
    let days = |start: &str| AggregateQuery {
        period: Period::Day,
        range: TimeRange::new(at(start), at("2026-03-02T00:00:00Z")).expect("a range"),
        filter: PostFilter::default(),
        zone: jiff::tz::TimeZone::UTC,
    };
    let kept = store.aggregate(&days("2026-02-28T00:00:00Z")).await.expect("an aggregate");
    assert_eq!(kept.buckets.iter().map(|bucket| bucket.counts.total()).collect::<Vec<_>>(), [1, 1]);
    let gone = store.aggregate(&days("2026-02-20T00:00:00Z")).await.expect_err("not kept").to_string();
    assert!(gone.contains("retention.rollups"), "{gone}");
    assert_eq!(store.count_posts(&PostFilter::default()).await.expect("a total").count, 6, "the totals do not change");
    assert_eq!(fixture.number("SELECT count(*) FROM post_rollups WHERE grain = 86400").await, 4);
}

async fn erasure_removes_all_posts_of_author_on_source(fixture: Fixture) {
    let by = |id: String, who: &str, place: &str| {
        let mut post = post(&id);
        (post.author, post.source) = (Some(author(who)), source(place));
        Change::Insert {
            post,
            analysis: Some(analysis(sentistream::domain::Sentiment::Negative, sentistream::domain::Emotion::Fear)),
        }
    };
    let theirs = (0..450).map(|number| by(format!("a{number}"), "ada", if number % 10 == 0 { "blog" } else { "web" }));
    fixture.settle(theirs.chain([by("b".to_owned(), "bob", "web")]).collect()).await;
    let mut places = fixture.store.sources_of(&author("ada")).await.expect("sources");
    places.sort_unstable();
    assert_eq!(places, [source("blog"), source("web")]);
    let erased = fixture.store.erase_author(&source("web"), &author("ada")).await.expect("erased");
    assert_eq!((erased.posts.len(), stored(&fixture.store).await, total(&fixture.store).await), (405, 46, 46));
    assert_eq!(fixture.store.sources_of(&author("ada")).await.expect("sources"), [source("blog")]);
    assert_eq!(fixture.store.erase_author(&source("web"), &author("ada")).await.expect("erased").posts.len(), 0);
    let late = fixture.outcomes(vec![by("a1".to_owned(), "ada", "web")]).await;
    assert_eq!(late, [Some(Outcome::Skipped)]);
}

/// Fires an alert that cites the posts `ids` of the author `ada`. Returns its series.
async fn fire(fixture: &Fixture, ids: &[&str]) -> Instance {
    let lease =
        fixture.store.acquire_lease("alerts", "one", seconds(3_600)).await.expect("an answer").expect("the lease");
    let labels = Labels::from([("alertname".to_owned(), "unrest".to_owned())]);
    let instance = Instance {
        rule_id: 1,
        scope: "all".to_owned(),
        fingerprint: fingerprint(&labels),
        state: InstanceState::Firing,
        since: fixture.clock.now(),
        began: None,
        evaluated_at: fixture.clock.now(),
        alert_id: None,
        value: Some(0.75),
        threshold: 0.5,
        severity: Severity::Critical,
        labels,
        annotations: Labels::new(),
        reason: None,
    };
    let cited: Vec<_> = ids
        .iter()
        .map(|id| json!({"post_id": id, "content": "secret words", "author": "ada", "source": "web"}))
        .collect();
    let opens = NewAlert {
        alert_type: "unrest".to_owned(),
        actual_value: 0.75,
        window_start: fixture.clock.now(),
        window_end: fixture.clock.now(),
        post_count: 1,
        details: json!({"evidence": cited, "top_authors": [{"author": "ada", "source": "web", "post_ids": ids}]}),
    };
    let step = Step { from: InstanceState::Normal, instance, at: fixture.clock.now(), opens: Some(opens) };
    let applied = fixture.store.apply_alert_steps(&lease, std::slice::from_ref(&step), &[]).await.expect("applied");
    Instance { alert_id: applied[0].transition.alert_id, ..step.instance }
}

/// The number of alerts that name the author or quote a post of the author.
async fn quoting(fixture: &Fixture) -> i64 {
    let details = "CAST(details AS text)";
    fixture
        .number(&format!(
            "SELECT count(*) FROM sentiment_alerts WHERE {details} LIKE '%secret%' OR {details} LIKE '%ada%'"
        ))
        .await
}

async fn by_ada(fixture: &Fixture, id: &str) {
    let mut post = post(id);
    post.author = Some(author("ada"));
    fixture.settle(vec![insert(post)]).await;
}

fn everything_settled() -> Option<EntryKey> {
    Some(EntryKey { epoch: "one".into(), id: EntryId { ms: u64::MAX >> 1, seq: 0 } })
}

async fn pruned_post_is_removed_from_alert_evidence(fixture: Fixture) {
    by_ada(&fixture, "a").await;
    fire(&fixture, &["a"]).await;
    assert_eq!(quoting(&fixture).await, 1);
    fixture.pass(seconds(2 * DAY));
    keeping(&fixture, DAY, None).prune(everything_settled(), &CancellationToken::new()).await.expect("pruned");
    assert_eq!((stored(&fixture.store).await, quoting(&fixture).await), (0, 0));
    assert_eq!(fixture.number("SELECT count(*) FROM alert_evidence").await, 0);
}

async fn erasure_removes_author_from_alerts_of_deleted_posts(fixture: Fixture) {
    by_ada(&fixture, "a").await;
    fire(&fixture, &["a"]).await;
    // Creates a state of the previous release, which pruned posts without removing them from alerts.
    fixture.run("DELETE FROM social_media_posts").await;
    assert_eq!(quoting(&fixture).await, 1);
    let other = fixture.store.erase_author(&source("blog"), &author("ada")).await.expect("erased");
    assert_eq!((other.evidence, quoting(&fixture).await), (0, 1));
    let erased = fixture.store.erase_author(&source("web"), &author("ada")).await.expect("erased");
    assert_eq!((erased.evidence, quoting(&fixture).await), (1, 0));
}

/// Adds a message that quotes the post `id`.
async fn quote(fixture: &Fixture, id: &str) {
    let mut message = Message::test("hook", "https://senti.example.org", fixture.clock.now());
    let mut details = AlertDetails::example("https://senti.example.org");
    details.quotes.truncate(1);
    details.quotes[0].post_id = Some(id.to_owned());
    details.quotes[0].content = "secret words".to_owned();
    message.alerts[0].details = Some(details);
    let new = NewDelivery {
        receiver: "hook".to_owned(),
        recipient: None,
        group_key: id.to_owned(),
        reason: Reason::Firing,
        message,
    };
    fixture.store.add_delivery(&new).await.expect("added");
}

async fn removed_post_is_removed_from_notification_messages(fixture: Fixture) {
    for id in ["a", "b", "c"] {
        by_ada(&fixture, id).await;
        quote(&fixture, id).await;
    }
    quote(&fixture, "never stored").await;
    let quoting = "SELECT count(*) FROM alert_deliveries WHERE CAST(message AS text) LIKE '%secret words%'";
    assert_eq!(fixture.number(quoting).await, 3);
    fixture.store.delete_post(&super::fixture::post_id("a")).await.expect("deleted");
    assert_eq!(fixture.number(quoting).await, 2);
    fixture.store.erase_author(&source("web"), &author("ada")).await.expect("erased");
    assert_eq!(fixture.number(quoting).await, 0);
    fixture.settle(vec![insert(post("d"))]).await;
    quote(&fixture, "d").await;
    assert_eq!(fixture.number(quoting).await, 1);
    fixture.pass(seconds(2 * DAY));
    keeping(&fixture, DAY, None).prune(everything_settled(), &CancellationToken::new()).await.expect("pruned");
    assert_eq!(
        (fixture.number(quoting).await, fixture.number("SELECT count(*) FROM alert_delivery_posts").await),
        (0, 0)
    );
    assert_eq!(fixture.number("SELECT count(*) FROM alert_deliveries").await, 5, "the log of deliveries remains");
}

async fn tombstones_are_pruned_with_posts(fixture: Fixture) {
    let store = keeping(&fixture, DAY, None);
    let mut old = post("old");
    old.created_at = old.created_at - seconds(3 * DAY);
    let keys = fixture.append(3).await;
    let gone = Change::DeleteAuthor { source: source("web"), author: author("ada") };
    let changes = [insert(old), super::fixture::delete("never seen"), gone];
    let batch = keys.into_iter().zip(changes).map(|(key, change)| Settlement { key, change }).collect();
    store.settle(batch).await.expect("settled");
    let tombstones = "SELECT (SELECT count(*) FROM post_keys) + (SELECT count(*) FROM author_keys)";
    let before = fixture.number(tombstones).await;
    assert!(before >= 2, "{before}");
    store.prune(everything_settled(), &CancellationToken::new()).await.expect("pruned");
    assert_eq!(fixture.number(tombstones).await, before, "tombstones are kept while copies of these posts may arrive");
    fixture.pass(seconds(2 * DAY));
    store.prune(everything_settled(), &CancellationToken::new()).await.expect("pruned");
    assert_eq!(fixture.number(tombstones).await, 0);
}

async fn resolved_alerts_are_pruned_with_their_transitions(fixture: Fixture) {
    let store = fixture.store.clone().keeping(Keep { alerts: Some(seconds(DAY)), ..Keep::default() });
    let fired = fire(&fixture, &[]).await;
    fixture.pass(seconds(2 * DAY));
    let prune = async || store.prune(None, &CancellationToken::new()).await.expect("pruned");
    let rows = async || {
        (
            fixture.number("SELECT count(*) FROM sentiment_alerts").await,
            fixture.number("SELECT count(*) FROM alert_transitions").await,
        )
    };
    prune().await;
    assert_eq!(rows().await, (1, 1), "the alert is open");
    let lease =
        fixture.store.acquire_lease("alerts", "one", seconds(3_600)).await.expect("an answer").expect("the lease");
    let over = Instance { state: InstanceState::Normal, ..fired };
    let step = Step { from: InstanceState::Firing, instance: over, at: fixture.clock.now(), opens: None };
    fixture.store.apply_alert_steps(&lease, &[step], &[]).await.expect("applied");
    prune().await;
    assert_eq!(rows().await, (1, 2), "the alert is resolved now");
    fixture.pass(seconds(2 * DAY));
    prune().await;
    assert_eq!(rows().await, (0, 2), "the notifier has not read the transitions");
    fixture.run("UPDATE alert_notifier SET cursor = 2").await;
    prune().await;
    assert_eq!(rows().await, (0, 0));
}

async fn cancelled_pruning_removes_nothing(fixture: Fixture) {
    by_ada(&fixture, "a").await;
    fixture.pass(seconds(2 * DAY));
    let stop = CancellationToken::new();
    stop.cancel();
    keeping(&fixture, DAY, None).prune(everything_settled(), &stop).await.expect("stopped");
    assert_eq!(stored(&fixture.store).await, 1);
}
