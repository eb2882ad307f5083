//! Runs the commands of the real binary in a separate folder.

mod doctor;
mod import;
mod stored;
mod user;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::process::program;

const SECRET: &str = "hunter2";

/// The result of a command that has ended.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}\n{}", self.stdout, self.stderr))
    }

    /// Parses each line of stdout as JSON.
    fn json_lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[track_caller]
    fn good(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self
    }
}

/// A command of the binary in `folder`, without the environment of this process.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.env_clear().current_dir(folder).args(arguments).stdin(Stdio::null());
    command
}

fn end(mut command: Command) -> Ended {
    let output = command.output().expect("the binary runs");
    Ended {
        code: output.status.code().expect("the binary ends without a signal"),
        stdout: String::from_utf8(output.stdout).expect("stdout is text"),
        stderr: String::from_utf8(output.stderr).expect("stderr is text"),
    }
}

fn run(folder: &Path, arguments: &[&str]) -> Ended {
    end(command(folder, arguments))
}

fn run_with_input(folder: &Path, arguments: &[&str], input: &str) -> Ended {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input.as_bytes()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let mut command = command(folder, arguments);
    command.stdin(file);
    end(command)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("the folder can be written to");
}

#[test]
fn help_describes_every_command() {
    let folder = folder();
    let help = run(folder.path(), &["--help"]).good().stdout;
    for word in ["analyze", "dead-letter", "--set", "Examples:", "Exit codes: 0 done, 1 failed, 2"] {
        assert!(help.contains(word), "{word}: {help}");
    }
    for name in [
        "serve",
        "analyze",
        "import",
        "eval",
        "models",
        "doctor",
        "config",
        "migrate",
        "openapi",
        "dead-letter",
        "completions",
    ] {
        let help = run(folder.path(), &["help", name]).good().stdout;
        assert!(help.contains("Example"), "{name}: {help}");
    }
    assert!(run(folder.path(), &["--version"]).good().stdout.starts_with("sentistream "));
    for wrong in [&["analyse"][..], &["--bogus"], &["dead-letter", "purge"], &["dead-letter", "show", "x"], &["eval"]] {
        let ended = run(folder.path(), wrong);
        assert!(ended.code == 2 && !ended.stderr.is_empty(), "{wrong:?}");
    }
    let script = run(folder.path(), &["completions", "bash"]).good().stdout;
    assert!(script.contains("dead-letter"));
}

#[test]
fn wrong_setting_exits_with_2_and_names_its_source() {
    let folder = folder();
    let flag = run(folder.path(), &["serve", "--set", "worker.tasks=none"]);
    assert_eq!(flag.code, 2);
    assert!(flag.stderr.contains("worker.tasks") && flag.stderr.contains("--set worker.tasks"), "{}", flag.stderr);

    let mut variable = command(folder.path(), &["config"]);
    variable.env("SENTISTREAM__SERVER__LISTN", "x");
    let variable = end(variable);
    assert_eq!(variable.code, 2);
    assert!(variable.stderr.contains("SENTISTREAM__SERVER__LISTN"), "{}", variable.stderr);
    assert!(variable.stderr.contains("did you mean server.listen?"), "{}", variable.stderr);

    // A `sentistream.toml` in the working folder is read without --config.
    write(folder.path(), "sentistream.toml", "[log]\nlevel = 5\n");
    let file = run(folder.path(), &["analyze", "x"]);
    assert!(file.code == 2 && file.stderr.contains("sentistream.toml:2"), "{}", file.stderr);
    write(folder.path(), "other.toml", "[log]\nlevel = \"debug\"\n");
    run(folder.path(), &["--config", "other.toml", "config"]).good();
    assert_eq!(run(folder.path(), &["--config", "missing.toml", "config"]).code, 2);
    let pair = run(folder.path(), &["--config", "other.toml", "migrate", "--set", "stream.url=redis://x"]);
    assert!(pair.code == 2 && pair.stderr.contains("set database.url to postgres://"), "{}", pair.stderr);
}

#[test]
fn config_prints_values_and_their_source_but_no_secrets() {
    let folder = folder();
    write(folder.path(), "sentistream.toml", "[worker]\ntasks = 3\n");
    let shown = |arguments: &[&str]| {
        let mut command = command(folder.path(), arguments);
        command.env("DATABASE_URL", format!("postgresql://u:{SECRET}@db/x"));
        command.env("REDIS_URL", format!("redis://:{SECRET}@cache"));
        command.env("EXTERNAL_LLM_API_KEY", SECRET);
        let ended = end(command).good();
        assert!(!ended.stdout.contains(SECRET) && !ended.stderr.contains(SECRET));
        ended
    };
    let json = shown(&["config", "--json", "--roles", "worker"]).json();
    let setting = |key: &str| (json[key]["value"].clone(), json[key]["source"].as_str().unwrap_or_default().to_owned());
    assert_eq!(setting("worker.tasks"), (3.into(), "sentistream.toml:2".to_owned()));
    assert_eq!(setting("database.url"), ("postgresql://u:***@db/x".into(), "environment DATABASE_URL".to_owned()));
    assert_eq!(setting("roles"), (serde_json::json!(["worker"]), "flag --roles".to_owned()));
    assert_eq!(setting("shutdown.grace"), ("15s".into(), "default".to_owned()));

    let changed = shown(&["config", "--changed"]).stdout;
    assert!(changed.contains("tasks = 3") && !changed.contains("grace"), "{changed}");
    let all: toml::Table = shown(&["config"]).stdout.parse().expect("valid TOML");
    assert_eq!(all["llm"]["api_key"].as_str(), Some("***"));

    // The printed defaults are a valid configuration file.
    let folder = self::folder();
    let defaults = run(folder.path(), &["config", "--defaults"]).good().stdout;
    write(folder.path(), "sentistream.toml", &defaults);
    run(folder.path(), &["config"]).good();
}

#[test]
fn analyze_reads_texts_files_and_stdin() {
    let folder = folder();
    let words = run(folder.path(), &["analyze", "I love this so much!", "This is terrible, I hate it"]).good().stdout;
    let lines: Vec<_> = words.lines().collect();
    assert!(lines[0].starts_with("positive") && lines[0].ends_with("I love this so much!"), "{words}");
    assert!(lines[1].starts_with("negative"), "{words}");

    write(folder.path(), "texts.txt", "I love this so much!\n\nIt is Tuesday.\n");
    let analyses = run(folder.path(), &["analyze", "--file", "texts.txt", "--json"]).good().json_lines();
    assert_eq!(analyses.len(), 2);
    let scores = &analyses[0]["scores"];
    let sum: f64 =
        ["positive", "neutral", "negative"].iter().map(|name| scores["sentiment"][name].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-3 && scores["emotion"]["joy"].is_number());
    assert_eq!((&analyses[0]["label"], &analyses[0]["truncated"]), (&"positive".into(), &false.into()));

    let explained = run(folder.path(), &["analyze", "--explain", "The hotel was terrible"]).good().stdout;
    assert!(explained.lines().nth(1).is_some_and(|top| top.trim().starts_with('+') && top.ends_with("terrible")));
    let explained = run(folder.path(), &["analyze", "--explain", "--json", "terrible"]).good().json();
    assert_eq!(explained["explanation"]["words"][0]["end"], 8);

    let piped = run_with_input(folder.path(), &["analyze", "--json"], "fine\nfine\n").good();
    assert_eq!(piped.json_lines().len(), 2);
    let missing = run(folder.path(), &["analyze", "--file", "missing.txt"]);
    assert!(missing.code == 1 && missing.stderr.contains("missing.txt"), "{}", missing.stderr);
}

#[test]
fn closed_stdout_is_not_a_failure() {
    let folder = folder();
    for arguments in [&["config"][..], &["completions", "bash"], &["openapi"], &["analyze", "x"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = command(folder.path(), arguments);
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
}

#[test]
fn migrate_updates_the_schema_and_check_changes_nothing() {
    let folder = folder();
    let before = run(folder.path(), &["migrate", "--check"]);
    assert!(before.code == 1 && before.stdout.contains("pending"), "{}", before.stdout);
    assert!(run(folder.path(), &["migrate"]).good().stdout.contains("applied"));
    assert!(run(folder.path(), &["migrate", "--check"]).good().stdout.contains("up to date"));
    assert!(run(folder.path(), &["migrate"]).good().stdout.contains("up to date"));
}

#[test]
fn eval_measures_the_model_with_labels() {
    let folder = folder();
    let records = [
        r#"{"text": "I love this so much!", "sentiment": "positive", "emotions": ["joy"]}"#,
        r#"{"text": "This is terrible, I hate it", "sentiment": "negative"}"#,
        r#"{"text": "I am so angry about this", "emotions": ["anger"]}"#,
    ];
    write(folder.path(), "labelled.ndjson", &records.join("\n"));
    let report = run(folder.path(), &["eval", "labelled.ndjson", "--json"]).good().json();
    assert_eq!((&report["posts"], &report["sentiment"]["accuracy"]), (&3.into(), &1.0.into()), "{report:#}");
    for pointer in [
        "/model",
        "/precision",
        "/posts_per_second",
        "/sentiment/ece",
        "/sentiment/macro_recall",
        "/sentiment/macro_f1",
        "/sentiment/confusion/positive/negative",
        "/sentiment/per_class/positive/f1",
        "/emotion/macro_f1",
        "/emotion/threshold",
        "/emotion/top1",
        "/emotion/per_class/joy/support",
    ] {
        assert!(report.pointer(pointer).is_some(), "{pointer}: {report:#}");
    }
    let people = run(folder.path(), &["eval", "labelled.ndjson"]).good().stdout;
    assert!(people.contains("accuracy 1.0000") && people.contains("surprise"), "{people}");
    write(folder.path(), "bad.ndjson", "{\"text\": \"a\", \"sentiment\": \"good\"}\n");
    let bad = run(folder.path(), &["eval", "bad.ndjson"]);
    assert!(bad.code == 1 && bad.stderr.contains("bad.ndjson") && bad.stderr.contains("line 1"), "{}", bad.stderr);
}

#[test]
fn openapi_describes_the_api() {
    let folder = folder();
    let document = run(folder.path(), &["openapi"]).good().json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(document["paths"]["/api/posts"]["post"].is_object());
}

#[test]
fn manual_pages_exist_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let page = run(folder.path(), &["man"]).good().stdout;
    assert!(page.contains(".TH sentistream 1") && page.contains("dead\\-letter"), "{page}");
    run(folder.path(), &["man", "--out", "."]).good();
    for name in ["sentistream.1", "sentistream-doctor.1", "sentistream-dead-letter-replay.1"] {
        assert!(folder.path().join(name).is_file(), "{name}");
    }
    let nowhere = run(folder.path(), &["man", "--out", "nowhere"]);
    assert!(nowhere.code == 1 && nowhere.stderr.contains("nowhere"), "{}", nowhere.stderr);
}

#[test]
fn health_fails_without_a_server_or_an_address() {
    let folder = tempfile::tempdir().unwrap();
    // No process listens on this port.
    let port = 1;
    let unreachable = run(folder.path(), &["--set", &format!("server.listen=0.0.0.0:{port}"), "health"]);
    assert!(
        unreachable.code == 1 && unreachable.stderr.contains(&format!("http://127.0.0.1:{port}/readyz")),
        "{}",
        unreachable.stderr
    );
    let nowhere = run(folder.path(), &["--roles", "worker", "health"]);
    assert!(nowhere.code == 2 && nowhere.stderr.contains("server.ops_listen"), "{}", nowhere.stderr);
}

/// The default database of a folder, migrated.
fn migrated() -> tempfile::TempDir {
    let folder = folder();
    run(folder.path(), &["migrate"]).good();
    folder
}

#[test]
fn data_commands_refuse_a_missing_database() {
    let folder = folder();
    write(folder.path(), "posts.ndjson", r#"{"post_id": "1", "source": "web", "content": "hello"}"#);
    let path = folder.path().canonicalize().unwrap().join("data/sentistream.db");
    for arguments in [
        &["import", "posts.ndjson"][..],
        &["erase", "--author", "ada"],
        &["backup", "copy.db"],
        &["dead-letter", "list"],
        &["sign-in"],
    ] {
        let refused = run(folder.path(), arguments);
        assert_eq!(refused.code, 2, "{arguments:?}: {}", refused.stdout);
        assert!(refused.stderr.contains(&path.display().to_string()), "{arguments:?}: {}", refused.stderr);
        assert!(!path.exists(), "{arguments:?} creates no database");
    }
    run(folder.path(), &["migrate"]).good();
    let done = run(folder.path(), &["import", "posts.ndjson"]).good();
    assert!(done.stderr.contains(&format!("database: {}", path.display())), "{}", done.stderr);
}

#[test]
fn database_path_is_relative_to_the_configuration_file() {
    let (server, elsewhere) = (folder(), folder());
    write(server.path(), "sentistream.toml", "[database]\nurl = \"sqlite://posts.db\"\n");
    run(server.path(), &["migrate"]).good();
    let config = server.path().join("sentistream.toml");
    let config = config.to_str().unwrap();
    // The database does not depend on the working folder.
    assert!(run(elsewhere.path(), &["--config", config, "migrate", "--check"]).good().stdout.contains("up to date"));
    let found = run(elsewhere.path(), &["--config", config, "doctor", "--set", "server.listen=127.0.0.1:0"]).good();
    assert!(found.stdout.contains(&server.path().join("posts.db").display().to_string()), "{}", found.stdout);
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0, "nothing is created elsewhere");
    // A path on the command line is relative to the working folder.
    let flag = ["--config", config, "--set", "database.url=sqlite://own.db", "migrate"];
    run(elsewhere.path(), &flag).good();
    assert!(elsewhere.path().join("own.db").exists());
}

#[test]
fn source_options_are_checked() {
    let folder = folder();
    for (setting, expected) in [
        ("sources.bluesky.languages=english", "expected codes of languages"),
        ("sources.bluesky.authors=ada", "ada.bsky.social"),
        ("sources.mastodon.instances=https://mastodon.social/@ada", "without a path"),
        ("sources.mastodon.instances=@ada@mastodon.social", "without a path or an account"),
        ("sources.reddit.subreddits=r/rust/new", "expected names of subreddits"),
    ] {
        let wrong = run(folder.path(), &["config", "--set", setting]);
        assert!(wrong.code == 2 && wrong.stderr.contains(expected), "{setting}: {}", wrong.stderr);
    }
    for setting in [
        "sources.bluesky.languages=en, pt-BR",
        "sources.bluesky.authors=@Ada.bsky.social, did:plc:x",
        "sources.mastodon.instances=https://mastodon.social/, fosstodon.org",
        "sources.reddit.subreddits=r/rust, /r/linux",
    ] {
        run(folder.path(), &["config", "--set", setting]).good();
    }
}
