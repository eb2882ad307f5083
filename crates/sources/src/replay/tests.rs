use std::io::Write;
use std::path::Path;

use super::*;
use sentistream_core::domain::Timestamp;

fn line(id: usize) -> String {
    format!(
        "{{\"post_id\": \"p{id}\", \"source\": \"x\", \"content\": \"post {id}\", \"created_at\": {}}}\n",
        1_700_000_000 + id
    )
}

fn lines(ids: std::ops::Range<usize>) -> String {
    ids.map(line).collect()
}

fn options(path: &Path) -> ReplayOptions {
    ReplayOptions { path: path.to_owned(), rate: None, retime: false, repeat: false, map: FieldMap::default() }
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_767_225_600).unwrap()
}

fn open(options: &ReplayOptions, cursor: Option<&str>) -> Replay {
    Replay::new(options.clone(), cursor.map(str::to_owned), Clock::fixed(now()))
}

fn posts(batch: &Batch) -> Vec<&Post> {
    let mut posts = Vec::new();
    for op in &batch.ops {
        let Op::Post(post) = op else { panic!("not a post: {op:?}") };
        posts.push(post);
    }
    posts
}

/// Reads all posts up to the end in batches of `max`. Returns their ids and the last cursor.
async fn rest(replay: &mut Replay, max: usize) -> (Vec<String>, String) {
    let mut ids = Vec::new();
    loop {
        let batch = replay.next(max).await.unwrap();
        ids.extend(posts(&batch).iter().map(|post| post.post_id.to_string()));
        if batch.finished {
            return (ids, batch.cursor.unwrap());
        }
    }
}

fn ids(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|id| format!("p{id}")).collect()
}

#[tokio::test]
async fn restart_continues_after_the_last_batch() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(lines(0..1_000).as_bytes()).unwrap();
    let options = ReplayOptions { rate: Some(1e6), ..options(file.path()) };
    let (mut cursor, mut seen) = (None::<String>, Vec::new());
    loop {
        let mut replay = open(&options, cursor.as_deref());
        let batch = replay.next(70).await.unwrap();
        // A cancelled wait must not lose posts.
        drop(tokio::time::timeout(std::time::Duration::ZERO, replay.next(70)).await);
        seen.extend(posts(&batch).iter().map(|post| post.post_id.to_string()));
        cursor = batch.cursor;
        if batch.finished {
            break;
        }
    }
    assert_eq!(seen, ids(0..1_000));

    // The file grew: the next start reads the added records.
    file.write_all(lines(1_000..1_010).as_bytes()).unwrap();
    assert_eq!(rest(&mut open(&options, cursor.as_deref()), 100).await.0, ids(1_000..1_010));
}

#[tokio::test]
async fn changed_file_is_read_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("posts.ndjson");
    std::fs::write(&path, lines(0..100)).unwrap();
    let (_, end) = rest(&mut open(&options(&path), None), 30).await;
    assert_eq!(rest(&mut open(&options(&path), Some(&end)), 30).await.0, ids(0..0));

    for changed in [lines(0..50), lines(500..700)] {
        std::fs::write(&path, &changed).unwrap();
        let read = rest(&mut open(&options(&path), Some(&end)), 30).await.0;
        assert_eq!(read.len(), changed.lines().count());
    }
    // A cursor of another path is ignored.
    let other = folder.path().join("other.ndjson");
    std::fs::write(&other, lines(0..3)).unwrap();
    assert_eq!(rest(&mut open(&options(&other), Some(&end)), 30).await.0, ids(0..3));
}

#[tokio::test]
async fn each_pass_over_the_file_has_new_ids_after_a_restart() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(lines(0..3).as_bytes()).unwrap();
    let options = ReplayOptions { repeat: true, ..options(file.path()) };
    let mut replay = open(&options, None);
    let mut seen = Vec::new();
    let mut cursor = None;
    while seen.len() < 7 {
        let batch = replay.next(1).await.unwrap();
        assert!(!batch.finished);
        seen.extend(posts(&batch).iter().map(|post| post.post_id.to_string()));
        cursor = batch.cursor;
    }
    assert_eq!(seen, ["p0", "p1", "p2", "p0.1", "p1.1", "p2.1", "p0.2"]);
    let batch = open(&options, cursor.as_deref()).next(10).await.unwrap();
    let ids: Vec<_> = posts(&batch).iter().map(|post| post.post_id.to_string()).collect();
    assert_eq!(ids, ["p1.2", "p2.2"]);
}

#[tokio::test]
async fn retime_sets_the_current_time_and_errors_name_the_line() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(format!("{}oops\n{}", line(0), line(1)).as_bytes()).unwrap();
    let batch = open(&options(file.path()), None).next(10).await.unwrap();
    assert_eq!(posts(&batch)[1].created_at.as_seconds(), 1_700_000_001);
    let place = format!("{}:2: is not valid JSON", file.path().display());
    assert!(batch.rejected[0].starts_with(&place), "{:?}", batch.rejected);

    let retime = ReplayOptions { retime: true, ..options(file.path()) };
    let batch = open(&retime, None).next(10).await.unwrap();
    assert!(posts(&batch).iter().all(|post| post.created_at == now()));
}

#[tokio::test]
async fn unusable_file_is_a_permanent_error() {
    let folder = tempfile::tempdir().unwrap();
    let header = folder.path().join("posts.csv");
    std::fs::write(&header, "a,b\n1,2\n").unwrap();
    let empty = folder.path().join("empty.ndjson");
    std::fs::write(&empty, "\n").unwrap();
    for path in [&folder.path().join("missing.ndjson"), &header, &empty] {
        let options = ReplayOptions { repeat: true, ..options(path) };
        let error = open(&options, None).next(10).await.unwrap_err();
        assert!(matches!(error, SourceError::Permanent(_)), "{error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}
