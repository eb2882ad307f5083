//! Checks that `docs/configuration.md` is generated from the current `config/default.toml`.

use std::fmt::Write as _;

use crate::config::{DEFAULT_TOML, is_changeable};

const INTRO: &str = "# Configuration

<!-- Generated from config/default.toml: change that file, then run
     UPDATE_DOCS=1 cargo test --lib reference_page_matches_the_defaults -->

Every setting has a default, so `sentistream` runs without a configuration. Later layers override earlier ones:

1. the defaults below;
2. the file of `--config FILE`, or `sentistream.toml` in the working folder if it exists;
3. environment variables with the names of older deployments (the table at the end);
4. environment variables `SENTISTREAM__SECTION__KEY`, such as `SENTISTREAM__WORKER__TASKS=4`;
5. flags: `--set worker.tasks=4`, as often as needed, and `--roles worker,api`.

In the environment and in flags a value is written as in TOML, but texts need no quotes and the items
of a list may be separated by commas: `--set server.listen=0.0.0.0:8000`. Durations are written as
`250ms`, `15s`, `5min`, `2h`, `8d`, or a sum of them; sizes as `512KiB` or `4MiB`. An empty text means
\"not set\".

Settings that end with \"Can be changed at run time.\" can also be changed in the dashboard (Settings,
Configuration) or with `PUT /api/settings/{key}`. The value is checked by the same code, stored in the database, and
replaces the default. Every instance uses the value within two seconds, and alert rules use it from their next
evaluation. A value of the file, the environment or a flag takes precedence over a stored value and is read-only in the
dashboard, so that the files of a deployment always take effect.

A key that does not exist, or a value that is not allowed, ends the program with exit code 2 and a line
that names the key, where it was set, and what is allowed. `sentistream config` prints every value with
its source; `sentistream config --defaults` prints this reference as a file to start from. Relative paths in
the file are resolved against its folder, others against the working folder, except the path in `database.url`.

Secrets belong in the environment or in a file that a `…_file` key names. They are never logged or printed.

Two pairs of backends are supported: `database.url = \"sqlite://…\"` with `stream.url = \"local\"`, and
`database.url = \"postgres://…\"` with `stream.url = \"redis://…\"` (or `rediss://`, `redis-sentinel://`,
`redis-cluster://`).
";

const OUTRO: &str = "
## Names of older deployments

| variable | key |
|---|---|
| `DATABASE_URL` | `database.url` |
| `REDIS_URL`, or `REDIS_HOST` and `REDIS_PORT` | `stream.url` |
| `REDIS_STREAM_NAME` | `stream.name` |
| `REDIS_CONSUMER_GROUP` | `stream.group` |
| `REDIS_CACHE_PREFIX` | `cache.prefix` |
| `HUGGINGFACE_MODEL` | `inference.model` (a name of the Hub becomes `hf:NAME`) |
| `EMOTION_MODEL` | `inference.emotion_model` (a name of the Hub becomes `hf:NAME`) |
| `HF_HOME`, `HF_TOKEN`, `HF_ENDPOINT` | `inference.hub.home`, `inference.hub.token`, `inference.hub.endpoint` |
| `HF_HUB_OFFLINE` | `inference.hub.offline` |
| `EXTERNAL_LLM_PROVIDER`, `EXTERNAL_LLM_MODEL`, `EXTERNAL_LLM_API_KEY` | `llm.provider`, `llm.model`, `llm.api_key` |
| `API_HOST`, `API_PORT` | `server.listen` |
| `LOG_LEVEL` | `log.level` |
| `ALERT_NEGATIVE_RATIO_THRESHOLD` | `alerts.negative_ratio` |
| `ALERT_WINDOW_MINUTES` | `alerts.window` |
| `ALERT_MIN_POSTS` | `alerts.min_posts` |

An empty variable counts as not set.
";

/// Generates the page: one table per section, and one row per key with its default and its comment.
fn page() -> String {
    let mut page = INTRO.to_owned();
    let mut comment: Vec<String> = Vec::new();
    let (mut section, mut table_open) = (String::new(), false);
    // The page omits the introduction of the file.
    let body = DEFAULT_TOML.split_once("\n\n# The parts").map_or(DEFAULT_TOML, |(_, body)| body);
    for line in format!("# The parts{body}").lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.trim().to_owned());
            continue;
        }
        let meaning = std::mem::take(&mut comment).join(" ");
        if let Some(name) = line.strip_prefix('[') {
            let _ = writeln!(page, "\n## [{name}\n\n{meaning}");
            section = name.replace(']', ".");
            table_open = false;
        } else if let Some((key, default)) = line.split_once(" = ") {
            if !table_open {
                page.push_str("\n| key | default | meaning |\n|---|---|---|\n");
                table_open = true;
            }
            let note = if is_changeable(&format!("{section}{key}")) { " Can be changed at run time." } else { "" };
            let _ = writeln!(page, "| `{key}` | `{default}` | {}{note} |", meaning.replace('|', "\\|"));
        }
    }
    page + OUTRO
}

#[test]
fn reference_page_matches_the_defaults() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == page(),
        "docs/configuration.md is not current; generate it with \
         UPDATE_DOCS=1 cargo test --lib reference_page_matches_the_defaults"
    );
}

#[test]
fn every_key_is_explained() {
    let mut before = "";
    for line in DEFAULT_TOML.lines() {
        let is_key = line.contains(" = ") && !line.starts_with('#');
        assert!(!is_key || before.starts_with('#'), "{line} has no comment");
        before = line;
    }
}
