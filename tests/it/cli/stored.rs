//! Commands on stored data: dead letters, and erasing an author.

use sentistream::app;
use sentistream::clock::Clock;
use sentistream::config::{Config, Inputs};
use sentistream::domain::{DeadLetterReason, EntryId, RawFields};
use sentistream::stream::{Consumer, DeadLetterRequest, Stream};

use super::{migrated, run};

/// Appends an entry that is not a post and moves it to the dead letters, as a worker does.
async fn dead_letter(stream: &Stream, post_id: &str) -> EntryId {
    let mut fields = RawFields::default();
    fields.push("post_id", post_id);
    fields.push("content", vec![0xff, 0x1b]);
    let origin = stream.append(vec![fields]).await.unwrap()[0];
    let worker = Consumer("test".into());
    let mut entries = stream.claim(&worker, 100, std::time::Duration::from_secs(5)).await.unwrap();
    assert_eq!(entries.len(), 1);
    let entry = entries.remove(0);
    assert_eq!(entry.key.id, origin);
    let request =
        DeadLetterRequest { entry, reason: DeadLetterReason::Invalid, error: "content: is not valid UTF-8".to_owned() };
    assert!(stream.dead_letter(request, Clock::system().now()).await.unwrap());
    stream.dead_letters(1, None).await.unwrap()[0].id
}

#[tokio::test]
async fn dead_letters_are_listed_shown_replayed_and_purged() {
    let folder = migrated();
    assert!(run(folder.path(), &["dead-letter", "list"]).good().stdout.contains("no dead letters"));
    let database = format!("database.url=sqlite://{}", folder.path().join("data/sentistream.db").display());
    let (config, _) = Config::load(&Inputs { sets: vec![database], ..Inputs::default() }).unwrap();
    let stream = app::open(&config, Clock::system()).await.unwrap().stream;
    let (first, second) = (dead_letter(&stream, "p1").await.to_string(), dead_letter(&stream, "p2").await.to_string());

    let listed = run(folder.path(), &["dead-letter", "list", "--json"]).good().json_lines();
    let ids: Vec<_> = listed.iter().map(|letter| letter["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [second.as_str(), first.as_str()]);
    let page = run(folder.path(), &["dead-letter", "list", "--limit", "1"]).good().stdout;
    assert!(page.contains("p2") && !page.contains("p1") && page.contains(&format!("--before {second}")), "{page}");

    let shown = run(folder.path(), &["dead-letter", "show", &first]).good().stdout;
    assert!(shown.contains("content: is not valid UTF-8") && shown.contains("post_id = p1"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "control characters do not reach the terminal");
    assert_eq!(run(folder.path(), &["dead-letter", "show", "1-1"]).code, 1);

    assert!(run(folder.path(), &["dead-letter", "replay", &first]).good().stdout.contains("replayed 1"));
    let again = run(folder.path(), &["dead-letter", "purge", &first, &second]);
    assert!(
        again.code == 1 && again.stdout.contains("purged 1") && again.stdout.contains("1 of the given"),
        "{}",
        again.stdout
    );
    assert!(run(folder.path(), &["dead-letter", "purge", "--all"]).good().stdout.contains("purged 0"));
    assert_eq!(stream.depth().await.unwrap().pending(), 1, "the replayed entry waits again");
}

#[tokio::test]
async fn dead_letter_id_given_twice_counts_once() {
    let folder = migrated();
    let database = format!("database.url=sqlite://{}", folder.path().join("data/sentistream.db").display());
    let (config, _) = Config::load(&Inputs { sets: vec![database], ..Inputs::default() }).unwrap();
    let stream = app::open(&config, Clock::system()).await.unwrap().stream;
    let (first, second) = (dead_letter(&stream, "p1").await.to_string(), dead_letter(&stream, "p2").await.to_string());
    for (command, id) in [("purge", &first), ("replay", &second)] {
        let done = run(folder.path(), &["dead-letter", command, id, id]).good().stdout;
        assert!(done.contains("ed 1") && !done.contains("given ids"), "{command}: {done}");
    }
    assert_eq!(stream.depth().await.unwrap().pending(), 1);
}

#[tokio::test]
async fn erase_removes_stored_and_waiting_posts() {
    let folder = migrated();
    let database = format!("database.url=sqlite://{}", folder.path().join("data/sentistream.db").display());
    let (config, _) = Config::load(&Inputs { sets: vec![database], ..Inputs::default() }).unwrap();
    let stream = app::open(&config, Clock::system()).await.unwrap().stream;
    for (author, source) in [("ada", "web"), ("bob", "web"), ("ada", "blog")] {
        let mut fields = RawFields::default();
        fields.push("author", author);
        fields.push("source", source);
        stream.append(vec![fields]).await.unwrap();
        let mut entries = stream.claim(&Consumer("test".into()), 1, std::time::Duration::from_secs(5)).await.unwrap();
        let request = DeadLetterRequest {
            entry: entries.remove(0),
            reason: DeadLetterReason::Invalid,
            error: "no id".to_owned(),
        };
        assert!(stream.dead_letter(request, Clock::system().now()).await.unwrap());
    }
    let report = run(folder.path(), &["erase", "--author", "ada", "--source", "Web", "--json"]).good().json();
    assert_eq!((&report["sources"], &report["dead_letters"]), (&serde_json::json!(["web"]), &serde_json::json!(1)));
    assert_eq!(
        stream.depth().await.unwrap().pending(),
        1,
        "posts that wait in the stream are erased when they are processed"
    );
    let report = run(folder.path(), &["erase", "--author", "ada"]).good().stdout;
    assert!(report.contains("on blog") && report.contains("1 dead letters"), "{report}");
    let left = stream.dead_letters(10, None).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].fields.get("author"), Some(b"bob".as_slice()));
    assert_eq!(run(folder.path(), &["erase", "--author", " "]).code, 2);
}
