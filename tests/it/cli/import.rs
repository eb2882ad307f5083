//! `sentistream import`.

use super::doctor::finding;
use super::{command, folder, migrated, run, run_with_input, write};

#[test]
fn import_appends_valid_posts_and_reports_other_lines() {
    let folder = migrated();
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
fn import_into_a_full_stream_fails_after_its_timeout() {
    let folder = migrated();
    let posts: Vec<_> =
        (0..20).map(|n| format!(r#"{{"post_id": "{n}", "source": "web", "content": "hello"}}"#)).collect();
    write(folder.path(), "posts.ndjson", &posts.join("\n"));
    let limits = ["--set", "stream.max_backlog=10", "--batch-size", "5", "--patience", "300ms"];
    let full = run(folder.path(), &[&["import", "posts.ndjson"], &limits[..]].concat());
    assert_eq!(full.code, 1);
    assert!(full.stderr.contains("stopped after 10 posts") && full.stderr.contains("max_backlog"), "{}", full.stderr);
    assert!(full.stderr.contains("--skip 10") && full.stderr.contains("no server is running"), "{}", full.stderr);
    let rest =
        run(folder.path(), &["import", "posts.ndjson", "--skip", "10", "--json", "--set", "stream.max_backlog=50"]);
    let rest = rest.good().json();
    assert_eq!((&rest["skipped"], &rest["accepted"]), (&10.into(), &10.into()));
}

#[test]
fn strict_import_fails_on_any_rejected_record() {
    let folder = migrated();
    write(folder.path(), "posts.csv", "post_id;content;created_at\n1;fine;31/12/2025\n2;good;soon\n3;;\n");
    let arguments = ["import", "posts.csv", "--source", "web", "--dates", "dmy", "--json"];
    let report = run(folder.path(), &arguments).good().json();
    assert_eq!((&report["accepted"], &report["rejected"]), (&2.into(), &1.into()), "{report}");
    assert_eq!(report["dropped_fields"]["created_at"], 1, "an invalid optional field does not reject the post");
    assert_eq!(run(folder.path(), &[&arguments[..], &["--strict"]].concat()).code, 1);
    for wrong in [&["--constant", "lang"][..], &["--source", "not valid"], &["--encoding", "klingon"]] {
        assert_eq!(run(folder.path(), &[&arguments[..2], wrong].concat()).code, 2, "{wrong:?}");
    }
}

#[test]
fn dry_run_shows_posts_with_sentiment_and_appends_nothing() {
    // The preview needs no database.
    let folder = folder();
    write(folder.path(), "posts.csv", "post_id,content\n1,I love this so much!\n2,\"This is terrible, I hate it\"\n");
    let arguments = ["import", "--dry-run", "posts.csv", "--source", "web", "--constant", "lang=en"];
    let shown = run(folder.path(), &arguments).good().stdout;
    assert!(
        shown.contains("positive") && shown.contains("negative") && shown.contains("nothing was appended"),
        "{shown}"
    );
    let report = run(folder.path(), &[&arguments[..], &["--json"]].concat()).good().json();
    let post = &report["posts"][0];
    assert_eq!(
        (&post["source"], &post["lang"], &post["sentiment"]["label"]),
        (&"web".into(), &"en".into(), &"positive".into())
    );
    // The date has an unsupported format, so the post would get the current time. The preview must show this.
    write(folder.path(), "dates.csv", "post_id,source,content,created_at\n1,web,fine,01.11.2026 14:30\n");
    let shown = run(folder.path(), &["import", "--dry-run", "dates.csv"]).good().stdout;
    assert!(shown.contains("created_at was invalid in 1 of these records"), "{shown}");
    let report = run(folder.path(), &["import", "--dry-run", "dates.csv", "--json"]).good().json();
    assert_eq!(report["dropped_fields"]["created_at"], 1, "{report}");
    assert!(!folder.path().join("data").exists());
}

#[test]
fn dry_run_refuses_skip() {
    let folder = folder();
    write(folder.path(), "posts.csv", "post_id,source,content\n1,web,fine\n");
    let refused = run(folder.path(), &["import", "--dry-run", "posts.csv", "--skip", "1"]);
    assert!(refused.code == 2 && refused.stderr.contains("--skip"), "{}", refused.stderr);
}

#[test]
fn spreadsheet_is_recognised_by_its_content() {
    let folder = migrated();
    // The file name ends with .csv, although the file is a spreadsheet.
    std::fs::write(folder.path().join("survey.csv"), spreadsheet()).unwrap();
    let report =
        run(folder.path(), &["import", "survey.csv", "--source", "survey", "--map", "content=answer", "--json"]);
    let report = report.good().json();
    assert_eq!((&report["accepted"], &report["rejected"]), (&2.into(), &0.into()), "{report}");
    let shown = run(
        folder.path(),
        &["import", "--dry-run", "survey.csv", "--source", "survey", "--map", "content=answer", "--json"],
    );
    let post = shown.good().json()["posts"][0].clone();
    assert_eq!((&post["post_id"], &post["content"]), (&"17".into(), &"I love it".into()));
    assert_eq!(post["created_at"], "2026-11-01T12:00:00.000Z");
}

#[test]
fn spreadsheet_with_a_cell_in_its_last_corner_is_read() {
    let folder = migrated();
    // A grid of all cells up to the last corner would need half a TiB of memory.
    let corner = "<row r=\"1048576\"><c r=\"XFD1048576\"><v>1</v></c></row>";
    std::fs::write(folder.path().join("survey.xlsx"), spreadsheet_with(corner)).unwrap();
    let arguments = ["import", "survey.xlsx", "--source", "survey", "--map", "content=answer", "--json"];
    let report = run(folder.path(), &arguments).good().json();
    assert_eq!((&report["accepted"], &report["rejected"]), (&2.into(), &1.into()), "{report}");
    assert_eq!(report["errors"][0]["line"], 1_048_576);
}

/// A running command. It is killed when the test ends, also when an assertion fails.
#[cfg(unix)]
struct Running(std::process::Child);

#[cfg(unix)]
impl Running {
    /// Starts `command` and returns it with the lines of its stderr.
    fn start(mut command: std::process::Command) -> (Self, impl Iterator<Item = String>) {
        let started = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn();
        let mut running = Self(started.unwrap());
        let stderr = running.0.stderr.take().unwrap();
        (running, std::io::BufRead::lines(std::io::BufReader::new(stderr)).map(Result::unwrap))
    }

    fn signal(&self, signal: &str) {
        let sent = std::process::Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until the command has ended. Returns its stdout and its exit code.
    fn end(mut self) -> (String, Option<i32>) {
        let stdout = std::io::read_to_string(self.0.stdout.take().unwrap()).unwrap();
        (stdout, self.0.wait().unwrap().code())
    }
}

#[cfg(unix)]
impl Drop for Running {
    fn drop(&mut self) {
        // If the command has ended, `kill` and `wait` have no effect.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(unix)]
#[test]
fn terminated_import_reports_how_to_continue() {
    let folder = migrated();
    let posts: Vec<_> =
        (0..20).map(|n| format!(r#"{{"post_id": "{n}", "source": "web", "content": "hello"}}"#)).collect();
    write(folder.path(), "posts.ndjson", &posts.join("\n"));
    let limits = ["import", "posts.ndjson", "--set", "stream.max_backlog=10", "--batch-size", "5"];
    let (import, mut lines) = Running::start(command(folder.path(), &limits));
    assert!(lines.any(|line| line.starts_with("waiting: ")));
    import.signal("-TERM");
    assert!(lines.any(|line| line.contains("continue with --skip 10")));
    assert_eq!(import.end().1, Some(1));
}

#[test]
fn import_of_zero_records_names_the_cause() {
    let folder = migrated();
    write(folder.path(), "empty.csv", "post_id,source,content\n");
    assert!(run(folder.path(), &["import", "empty.csv"]).good().stdout.contains("the file contains no records"));
    let preview = run(folder.path(), &["import", "--dry-run", "empty.csv"]).good().stdout;
    assert!(preview.contains("the file contains no records"), "{preview}");
    write(folder.path(), "posts.csv", "post_id,source,content\n1,web,fine\n");
    for skip in ["1", "5"] {
        let skipped = run(folder.path(), &["import", "posts.csv", "--skip", skip]).good().stdout;
        assert!(skipped.contains("all records of the file were skipped: 1"), "{skip}: {skipped}");
    }
}

#[cfg(unix)]
#[test]
fn import_that_stops_early_does_not_call_the_file_empty() {
    let folder = migrated();
    let posts: Vec<_> =
        (0..10).map(|n| format!(r#"{{"post_id": "{n}", "source": "web", "content": "hello"}}"#)).collect();
    write(folder.path(), "posts.ndjson", &posts.join("\n"));
    let import = ["import", "posts.ndjson", "--set", "stream.max_backlog=10"];
    run(folder.path(), &import).good();
    // The stream is full now, so the next imports stop before they append a record.
    let wrong = |stdout: &str| stdout.contains("contains no records") || stdout.contains("were skipped");
    for skip in ["0", "1"] {
        let failed = run(folder.path(), &[&import[..], &["--patience", "300ms", "--skip", skip]].concat());
        assert!(failed.code == 1 && !wrong(&failed.stdout), "{skip}: {}", failed.stdout);
    }
    let (import, mut lines) = Running::start(command(folder.path(), &import));
    assert!(lines.any(|line| line.starts_with("waiting: ")));
    import.signal("-INT");
    assert!(lines.any(|line| line.contains("continue with --skip 0")));
    let (stdout, _) = import.end();
    assert!(stdout.starts_with("accepted 0, rejected 0") && !wrong(&stdout), "{stdout}");
}

/// A minimal xlsx with a header, two rows, a numeric id and a date cell.
fn spreadsheet() -> Vec<u8> {
    spreadsheet_with("")
}

/// The same spreadsheet with additional `rows`.
fn spreadsheet_with(rows: &str) -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
    let text = |cell: &str, text: &str| format!("<c r=\"{cell}\" t=\"inlineStr\"><is><t>{text}</t></is></c>");
    let header = [text("A1", "post_id"), text("B1", "answer"), text("C1", "created_at")].concat();
    // The number 46327.5 means noon of 2026-11-01.
    let first = format!("<c r=\"A2\"><v>17</v></c>{}<c r=\"C2\" s=\"1\"><v>46327.5</v></c>", text("B2", "I love it"));
    let second = format!("<c r=\"A3\"><v>18</v></c>{}", text("B3", "I hate it"));
    let sheet = format!(
        "<worksheet xmlns=\"{MAIN}\"><sheetData><row r=\"1\">{header}</row><row r=\"2\">{first}</row><row r=\"3\">{second}</row>{rows}</sheetData></worksheet>"
    );
    let styles = format!(
        "<styleSheet xmlns=\"{MAIN}\"><cellXfs count=\"2\"><xf numFmtId=\"0\"/><xf numFmtId=\"22\" applyNumberFormat=\"1\"/></cellXfs></styleSheet>"
    );
    let book = format!(
        "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{RELATIONS}\"><sheets><sheet name=\"S\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
    );
    let book_relations = format!(
        "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"rId1\" Type=\"{RELATIONS}/worksheet\" Target=\"worksheets/sheet1.xml\"/><Relationship Id=\"rId2\" Type=\"{RELATIONS}/styles\" Target=\"styles.xml\"/></Relationships>"
    );
    let relations = format!(
        "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"rId1\" Type=\"{RELATIONS}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
    );
    zip(&[
        (
            "[Content_Types].xml",
            "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>".to_owned(),
        ),
        ("_rels/.rels", relations),
        ("xl/workbook.xml", book),
        ("xl/_rels/workbook.xml.rels", book_relations),
        ("xl/styles.xml", styles),
        ("xl/worksheets/sheet1.xml", sheet),
    ])
}

/// A zip archive of uncompressed files.
fn zip(files: &[(&str, String)]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, text) in files {
        let mut crc = flate2::Crc::new();
        crc.update(text.as_bytes());
        let (size, offset) = (text.len() as u32, archive.len() as u32);
        let mut common = Vec::new();
        for field in [20_u16, 0, 0, 0, 0x21] {
            common.extend_from_slice(&field.to_le_bytes());
        }
        for field in [crc.sum(), size, size] {
            common.extend_from_slice(&field.to_le_bytes());
        }
        common.extend_from_slice(&(name.len() as u16).to_le_bytes());
        common.extend_from_slice(&[0, 0]);
        archive.extend_from_slice(b"PK\x03\x04");
        archive.extend_from_slice(&common);
        archive.extend_from_slice(name.as_bytes());
        archive.extend_from_slice(text.as_bytes());
        directory.extend_from_slice(b"PK\x01\x02\x14\x00");
        directory.extend_from_slice(&common);
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let (start, length, count) = (archive.len() as u32, directory.len() as u32, files.len() as u16);
    archive.extend_from_slice(&directory);
    archive.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    archive.extend_from_slice(&[count.to_le_bytes(), count.to_le_bytes()].concat());
    archive.extend_from_slice(&length.to_le_bytes());
    archive.extend_from_slice(&start.to_le_bytes());
    archive.extend_from_slice(&[0, 0]);
    archive
}

#[cfg(unix)]
#[test]
fn interrupted_import_reports_how_to_continue() {
    let folder = migrated();
    let posts: Vec<_> =
        (0..100).map(|n| format!(r#"{{"post_id": "{n}", "source": "web", "content": "hello"}}"#)).collect();
    write(folder.path(), "posts.ndjson", &posts.join("\n"));
    // The command waits, because the stream is full and no worker runs.
    let mut import = command(
        folder.path(),
        &["import", "posts.ndjson", "--batch-size", "10", "--json", "--set", "stream.max_backlog=20"],
    );
    let mut import = import.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut stderr = std::io::BufReader::new(import.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("waiting") {
        line.clear();
        assert!(
            std::io::BufRead::read_line(&mut stderr, &mut line).unwrap() > 0,
            "the import waits for space in the stream"
        );
    }
    let pid = import.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = import.wait_with_output().unwrap();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut stderr, &mut rest).unwrap();
    assert!(output.status.code() == Some(1) && rest.contains("--skip 20"), "{rest}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["interrupted"], &report["accepted"]), (&true.into(), &20.into()));
}
