//! `sentistream import`.

use super::{finding, folder, run, run_with_input, write};

#[test]
fn import_appends_what_is_valid_and_tells_the_lines_that_are_not() {
    let folder = folder();
    let post = |id: &str| format!(r#"{{"post_id": "{id}", "source": "web", "content": "hello"}}"#);
    let lines = [post("1"), "{\"post_id\": \"2\", \"source\": \"web\"}".to_owned(), "nonsense".to_owned(), post("3")];
    write(folder.path(), "posts.ndjson", &lines.join("\n"));
    let report = run(folder.path(), &["import", "posts.ndjson", "--json"]).good().json();
    assert_eq!((&report["accepted"], &report["rejected"]), (&2.into(), &2.into()));
    assert_eq!((&report["errors"][0]["line"], &report["errors"][1]["line"]), (&2.into(), &3.into()));
    assert!(report["errors"][0]["reason"].as_str().unwrap().contains("content"), "{report}");

    let people = run(folder.path(), &["import", "posts.ndjson"]).good();
    assert!(people.stdout.starts_with("accepted 2, rejected 2 in "), "{}", people.stdout);
    assert!(people.stderr.contains("posts.ndjson: line 2: "), "{}", people.stderr);

    write(folder.path(), "survey.csv", "id,source,answer\n7,web,\"two\nlines\"\n8,web,fine\n");
    let mapped = run(folder.path(), &["import", "survey.csv", "--map", "content=answer", "--map", "post_id=id"]);
    assert!(mapped.good().stdout.starts_with("accepted 2, rejected 0"));
    let piped = run_with_input(folder.path(), &["import", "-", "--json"], &post("9")).good().json();
    assert_eq!(piped["accepted"], 1);
    let health = run(folder.path(), &["doctor", "--json", "--set", "server.listen=127.0.0.1:0"]).good().json();
    assert!(finding(&health, "stream").contains("7 entries wait"), "{health}");

    write(folder.path(), "bad.ndjson", "nonsense\n");
    assert_eq!(run(folder.path(), &["import", "bad.ndjson"]).code, 1);
    assert_eq!(run(folder.path(), &["import", "missing.ndjson"]).code, 1);
    let wrong_map = run(folder.path(), &["import", "posts.ndjson", "--map", "text=body"]);
    assert!(wrong_map.code == 2 && wrong_map.stderr.contains("text"), "{}", wrong_map.stderr);
}

#[test]
fn import_waits_for_room_only_as_long_as_it_is_told() {
    let folder = folder();
    let posts: Vec<_> =
        (0..20).map(|n| format!(r#"{{"post_id": "{n}", "source": "web", "content": "hello"}}"#)).collect();
    write(folder.path(), "posts.ndjson", &posts.join("\n"));
    let limits = ["--set", "stream.max_backlog=10", "--batch-size", "5", "--backoff", "300ms"];
    let full = run(folder.path(), &[&["import", "posts.ndjson"], &limits[..]].concat());
    assert_eq!(full.code, 1);
    assert!(full.stderr.contains("stopped after 10 posts") && full.stderr.contains("max_backlog"), "{}", full.stderr);
}
