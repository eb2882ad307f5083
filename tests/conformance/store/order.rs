//! Cases which check that the result does not depend on the order, the batches or the workers of settlements.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use sentistream::domain::{
    Analysis, Counts, Emotion, EntryKey, Outcome, Post, Sentiment, Source, TimeRange, Timestamp,
};
use sentistream::store::posts::PostFilter;
use sentistream::store::settle::{Change, RemovedPost, Settlement};

use super::fixture::{Fixture, Place, analysis, at, author, cases, post, post_id, seconds, source};

cases!(
    any_order_of_batches_gives_same_posts_and_counts,
    two_workers_with_same_entries_count_them_once,
    author_deletion_covers_posts_that_are_being_settled,
    deleted_author_may_post_again,
    cancelled_settlement_still_commits,
);

/// The final state of a post after all of its entries. The post is deleted if an entry deletes it, or if it was
/// appended before the deletion of its author. Otherwise it has the version that was edited last.
#[derive(Default)]
struct Expected {
    first_brought: Option<usize>,
    deleted: bool,
    edit: Option<Timestamp>,
    author_deleted: Option<usize>,
}

impl Expected {
    fn content(&self, id: &str) -> Option<String> {
        let brought = self.first_brought?;
        let gone = self.deleted || self.author_deleted.is_some_and(|deletion| brought < deletion);
        (!gone).then(|| content(id, self.edit))
    }
}

fn content(id: &str, edit: Option<Timestamp>) -> String {
    format!("{id} edited {}", edit.map_or_else(|| "never".to_owned(), |at| at.to_string()))
}

/// A version of a post. Its labels differ between edits. Every fifth edit is unscored.
fn version(id: &str, source: &Source, writer: &str, edit: Option<Timestamp>) -> (Post, Option<Analysis>) {
    let number = usize::try_from(edit.map_or(0, Timestamp::as_seconds)).expect("after 1970");
    let mut post = post(id);
    post.source = source.clone();
    post.author = Some(author(writer));
    post.content = content(id, edit);
    post.created_at = at("2026-03-01T11:00:00Z") + seconds(number as u64 % 7 * 600);
    let scored = edit.is_none() || !number.is_multiple_of(5);
    post.lang = (!scored).then(|| "de".to_owned());
    (post, scored.then(|| analysis(Sentiment::ALL[number % 3], Emotion::ALL[number % 7])))
}

/// Entries about four posts of two authors, and their expected final states.
fn entries(random: &mut StdRng, round: u64) -> (Vec<Change>, BTreeMap<String, Expected>) {
    let source = source(&format!("round{round}"));
    let mut expected: BTreeMap<String, Expected> = BTreeMap::new();
    let mut changes = Vec::new();
    for number in 0..random.random_range(4..16) {
        let which = random.random_range(0..4);
        let (id, writer) = (format!("{round}-{which}"), format!("writer{}", which % 2));
        let state = expected.entry(id.clone()).or_default();
        changes.push(match random.random_range(0..20) {
            0..9 => {
                state.first_brought.get_or_insert(number);
                let (post, analysis) = version(&id, &source, &writer, None);
                Change::Insert { post, analysis }
            }
            9..17 => {
                // No two edits of a post have the same time.
                let edited_at = at("2026-03-01T12:00:00Z") + seconds(random.random_range(0..20) * 100 + number as u64);
                state.first_brought.get_or_insert(number);
                state.edit = state.edit.max(Some(edited_at));
                let (post, analysis) = version(&id, &source, &writer, Some(edited_at));
                Change::Replace { post, analysis, edited_at }
            }
            17 | 18 => {
                state.deleted = true;
                Change::Delete { post_id: post_id(&id) }
            }
            _ => {
                for other in [which % 2, which % 2 + 2] {
                    expected.entry(format!("{round}-{other}")).or_default().author_deleted = Some(number);
                }
                Change::DeleteAuthor { source: source.clone(), author: author(&writer) }
            }
        });
    }
    (changes, expected)
}

async fn settle_in_batches(fixture: &Fixture, random: &mut StdRng, mut batch: Vec<Settlement>) {
    let concurrently: bool = random.random();
    let mut running = Vec::new();
    while !batch.is_empty() {
        let rest = batch.split_off(random.random_range(1..=batch.len()));
        let (store, some) = (fixture.store.clone(), std::mem::replace(&mut batch, rest));
        let settling = tokio::spawn(async move { store.settle(some).await.expect("settled") });
        if concurrently {
            running.push(settling);
        } else {
            settling.await.expect("a task");
        }
    }
    for settling in running {
        settling.await.expect("a task");
    }
}

async fn any_order_of_batches_gives_same_posts_and_counts(fixture: Fixture) {
    let mut appended = 0;
    for round in 0..60 {
        let mut random = StdRng::seed_from_u64(round);
        let (changes, expected) = entries(&mut random, round);
        let keys = fixture.append(changes.len()).await;
        appended += changes.len() as u64;
        let mut batch: Vec<_> = keys.into_iter().zip(changes).map(|(key, change)| Settlement { key, change }).collect();
        batch.shuffle(&mut random);
        settle_in_batches(&fixture, &mut random, batch).await;

        let mut left = 0;
        for (id, expected) in &expected {
            let stored = fixture.store.post(&post_id(id)).await.expect("an answer");
            assert_eq!(stored.map(|post| post.content), expected.content(id), "round {round}, post {id}");
            left += i64::from(expected.content(id).is_some());
        }
        let here = source(&format!("round{round}"));
        let all = TimeRange::new(Timestamp::MIN, Timestamp::MAX).expect("a range");
        let counts = fixture.store.window(all, Some(&here)).await.expect("counts");
        assert_eq!(counts.posts(), left, "round {round}");
        let mut recount = Counts::default();
        for (id, _) in expected {
            let Some(post) = fixture.store.post(&post_id(&id)).await.expect("an answer") else { continue };
            recount.add(post.labels(), 1, post.confidence());
        }
        assert_eq!(counts, recount, "round {round}");
        let filter = PostFilter { source: Some(here), ..PostFilter::default() };
        let languages = fixture.store.unscored_languages_in(all, &filter).await.expect("counts").expect("rolled up");
        assert_eq!(languages.get("de").copied().unwrap_or_default(), recount.unscored(), "round {round}");
    }
    let books = fixture.store.outcomes("one").await.expect("books");
    assert_eq!(books.settled(), appended, "every entry must have one outcome");
}

async fn two_workers_with_same_entries_count_them_once(fixture: Fixture) {
    const POSTS: usize = 40;
    let changes: Vec<Change> = (0..POSTS)
        .map(|number| {
            let (post, analysis) = version(&format!("p{number}"), &source("web"), "ada", None);
            if number % 10 == 9 { Change::Skip } else { Change::Insert { post, analysis } }
        })
        .collect();
    let keys = fixture.append(POSTS).await;
    let batch = |keys: &[EntryKey]| -> Vec<Settlement> {
        keys.iter().cloned().zip(changes.clone()).map(|(key, change)| Settlement { key, change }).collect()
    };
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let mut batch = batch(&keys);
            batch.rotate_left(worker * 7);
            let store = fixture.store.clone();
            tokio::spawn(async move { store.settle(batch).await.expect("settled") })
        })
        .collect();
    let mut ended = 0;
    for worker in workers {
        ended += worker.await.expect("a task").iter().filter(|settled| settled.outcome.is_some()).count();
    }
    assert_eq!(ended, POSTS);
    let books = fixture.store.outcomes("one").await.expect("books");
    assert_eq!((books.analysed, books.skipped, books.settled()), (36, 4, 40));
    let (ids, counts) = super::books::posts_and_counts(&fixture).await;
    assert_eq!((ids.len(), counts.total()), (36, 36));
}

async fn author_deletion_covers_posts_that_are_being_settled(fixture: Fixture) {
    let keys = fixture.append(201).await;
    let (deletion, inserts) = keys.split_last().expect("entries");
    let mut running = Vec::new();
    for (number, keys) in inserts.chunks(10).enumerate() {
        let batch = keys
            .iter()
            .map(|key| {
                let (post, analysis) = version(&format!("p{}", key.id.seq), &source("web"), "ada", None);
                Settlement { key: key.clone(), change: Change::Insert { post, analysis } }
            })
            .collect();
        let store = fixture.store.clone();
        running.push(tokio::spawn(async move { store.settle(batch).await.expect("settled") }));
        if number == 10 {
            let store = fixture.store.clone();
            let change = Change::DeleteAuthor { source: source("web"), author: author("ada") };
            let batch = vec![Settlement { key: deletion.clone(), change }];
            running.push(tokio::spawn(async move { store.settle(batch).await.expect("settled") }));
        }
    }
    let (mut stored, mut removed, mut skipped) = (0, 0, 0);
    for task in running {
        for settled in task.await.expect("a task") {
            stored += usize::from(settled.outcome == Some(Outcome::Analysed));
            skipped += usize::from(settled.outcome == Some(Outcome::Skipped));
            removed += settled.removed.len();
        }
    }
    assert_eq!((stored, stored + skipped), (removed, 200));
    let (ids, counts) = super::books::posts_and_counts(&fixture).await;
    assert_eq!((ids, counts.total()), (Vec::new(), 0));
    assert_eq!(fixture.store.ingested_since(fixture.clock.now()).await.expect("a count"), 0);
}

async fn deleted_author_may_post_again(fixture: Fixture) {
    let insert = |id: &str, writer: &str, place: &str| {
        let (post, analysis) = version(id, &source(place), writer, None);
        Change::Insert { post, analysis }
    };
    let deletion = Change::DeleteAuthor { source: source("web"), author: author("ada") };
    fixture
        .settle(vec![insert("old", "ada", "web"), insert("other", "bob", "web"), insert("elsewhere", "ada", "blog")])
        .await;
    let analyzed_at = Some(fixture.clock.now());
    fixture.pass(std::time::Duration::from_secs(1));
    let settled = fixture.settle(vec![deletion, insert("new", "ada", "web"), insert("old", "ada", "web")]).await;
    assert_eq!(settled[0].removed, [RemovedPost { post_id: post_id("old"), analyzed_at }]);
    assert_eq!((settled[1].outcome, settled[2].outcome), (Some(Outcome::Analysed), Some(Outcome::Skipped)));
    let (mut ids, _) = super::books::posts_and_counts(&fixture).await;
    ids.sort_unstable();
    assert_eq!(ids, ["elsewhere", "new", "other"]);
}

async fn cancelled_settlement_still_commits(fixture: Fixture) {
    let keys = fixture.append(1).await;
    let (post, analysis) = version("a", &source("web"), "ada", None);
    let batch = vec![Settlement { key: keys[0].clone(), change: Change::Insert { post, analysis } }];
    // The only writer of SQLite is busy until `busy` is dropped, so that the settlement cannot end at its first poll.
    let (busy, released) = tokio::sync::oneshot::channel::<()>();
    if let Place::Sqlite { sqlite, .. } = &fixture.place {
        let mut write = Box::pin(sqlite.write(move |_| {
            let _ = released.blocking_recv();
            Ok(())
        }));
        assert!(futures_util::poll!(&mut write).is_pending());
    }
    let mut settling = Box::pin(fixture.store.settle(batch));
    // Polls once, so that the settlement starts, and then drops it before it ends.
    let begun = futures_util::poll!(&mut settling);
    drop(settling);
    assert!(begun.is_pending());
    drop(busy);
    let deadline = tokio::time::Instant::now() + seconds(20);
    while fixture.store.post(&post_id("a")).await.expect("an answer").is_none() {
        assert!(tokio::time::Instant::now() < deadline, "the post was never stored");
        tokio::task::yield_now().await;
    }
    assert_eq!(fixture.store.outcomes("one").await.expect("books").analysed, 1);
}
