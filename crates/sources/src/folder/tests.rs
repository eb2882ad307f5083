use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use super::*;
use crate::Opening;
use sentistream_core::domain::Op;

fn line(id: &str) -> String {
    format!("{{\"post_id\": \"{id}\", \"source\": \"x\", \"content\": \"post {id}\"}}\n")
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn open(folder: &Path, cursor: Option<String>) -> Box<dyn Source> {
    let options =
        FolderOptions { path: folder.to_owned(), interval: Duration::from_millis(1), map: FieldMap::default() };
    spec("folder", options, Clock::system()).open(Opening { cursor, failures: 0 })
}

/// Reads all new records: the ids of the posts, and the rejected records. Moves `cursor` to the last position.
async fn all(source: &mut dyn Source, cursor: &mut Option<String>) -> (Vec<String>, Vec<String>) {
    let (mut ids, mut rejected) = (Vec::new(), Vec::new());
    loop {
        let batch = source.next(2).await.unwrap();
        ids.extend(batch.ops.iter().map(|op| match op {
            Op::Post(post) => post.post_id.to_string(),
            other => panic!("{other:?}"),
        }));
        rejected.extend(batch.rejected);
        if batch.cursor.is_some() {
            *cursor = batch.cursor;
        }
        if !batch.wait.is_zero() {
            return (ids, rejected);
        }
    }
}

#[tokio::test]
async fn growing_and_renamed_files_are_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut cursor = None;
    let mut source = open(folder.path(), None);
    assert!(all(source.as_mut(), &mut cursor).await.0.is_empty());

    append(&path("a.ndjson"), &["a1", "a2", "a3"].map(line).concat());
    append(&path("b.csv"), "post_id,source,content\nb1,x,\"two\nlines\"\nb2,x,\"cut\nin ");
    append(&path("notes.txt"), "not for us\n");
    append(&path(".c.ndjson"), &line("hidden"));
    let half = line("a4");
    append(&path("a.ndjson"), &half[..20]);
    let (ids, rejected) = all(source.as_mut(), &mut cursor).await;
    assert_eq!((ids, rejected), (["a1", "a2", "a3", "b1"].map(str::to_owned).to_vec(), vec![]));

    // The incomplete record is completed, a file is renamed, and the source is opened again.
    append(&path("a.ndjson"), &half[20..]);
    append(&path("b.csv"), "half\"\n");
    fs::rename(path("a.ndjson"), path("z.ndjson")).unwrap();
    let mut source = open(folder.path(), cursor.clone());
    assert_eq!(all(source.as_mut(), &mut cursor).await.0, ["b2", "a4"]);

    // Another file gets an old name, and lines that are not posts are added.
    append(&path("a.ndjson"), &format!("{}nonsense\n{}", line("n1"), line("n2")));
    let (ids, rejected) = all(source.as_mut(), &mut cursor).await;
    assert_eq!(ids, ["n1", "n2"]);
    assert!(rejected.len() == 1 && rejected[0].contains("a.ndjson:2: "), "{rejected:?}");

    // A file is rewritten in place.
    fs::write(path("z.ndjson"), line("new")).unwrap();
    assert_eq!(all(source.as_mut(), &mut cursor).await.0, ["new"]);
    let mut source = open(folder.path(), cursor.clone());
    assert!(all(source.as_mut(), &mut cursor).await.0.is_empty());
}

#[tokio::test]
async fn unfinished_last_line_waits_until_the_file_settles() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    append(&path, line("whole").trim_end());
    let mut cursor = None;
    let mut source = open(folder.path(), None);
    assert!(all(source.as_mut(), &mut cursor).await.0.is_empty());
    let long_ago = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    OpenOptions::new().append(true).open(&path).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(all(source.as_mut(), &mut cursor).await.0, ["whole"]);
    // A record that is appended later to the same file is a separate record.
    append(&path, &format!("\n{}", line("next")));
    assert_eq!(all(source.as_mut(), &mut cursor).await.0, ["next"]);
}

#[tokio::test]
async fn missing_folder_is_a_transient_error() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(&folder.path().join("none"), None).next(1).await.unwrap_err();
    assert!(matches!(&error, SourceError::Transient(reason) if reason.contains("none")), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn links_to_files_outside_the_folder_are_reported_and_not_read() {
    use std::os::unix::fs::symlink;

    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    append(&other.path().join("secret.ndjson"), &line("secret"));
    symlink(other.path().join("secret.ndjson"), folder.path().join("a.ndjson")).unwrap();
    fs::create_dir(folder.path().join("..data")).unwrap();
    append(&folder.path().join("..data/b.ndjson"), &line("b"));
    symlink("..data/b.ndjson", folder.path().join("b.ndjson")).unwrap();
    // The folder itself may be a link.
    let link = other.path().join("link");
    symlink(folder.path(), &link).unwrap();

    let mut cursor = None;
    let mut source = open(&link, None);
    let (ids, rejected) = all(source.as_mut(), &mut cursor).await;
    assert_eq!(ids, ["b"]);
    assert!(rejected.len() == 1 && rejected[0].contains("a.ndjson: is a link"), "{rejected:?}");
    // The file is reported only once.
    assert_eq!(all(source.as_mut(), &mut cursor).await, (vec![], vec![]));
}
