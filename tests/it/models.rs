//! Tests of models from folders and from the Hugging Face Hub, with faults of downloads.

mod cache;
mod fake_hub;
mod routes;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use fake_hub::{COMMIT, FakeHub, Fault};

use crate::process::program;

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

/// The binary with its own model cache. It does not inherit the environment of this process.
struct TestApp {
    folder: tempfile::TempDir,
    hub: FakeHub,
}

impl TestApp {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), hub: FakeHub::start() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.env_clear().current_dir(self.folder.path()).stdin(Stdio::null()).args(arguments);
        // Deployments configure the Hub with these two variables.
        command.env("HF_ENDPOINT", &self.hub.url).env("HF_HOME", self.folder.path().join("hf"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        end(self.command(arguments))
    }

    /// The folder of the downloaded files of a repository.
    fn snapshot(&self, name: &str) -> PathBuf {
        self.folder.path().join("hf/hub").join(format!("models--tests--{name}")).join("snapshots").join(COMMIT)
    }
}

fn end(mut command: Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models").join(name)
}

fn assert_ended(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, code, "{}{}", ended.stdout, ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "no `{word}` in: {}", ended.stderr);
    }
}

#[test]
fn hub_model_needs_no_network_after_the_download() {
    let app = TestApp::new();
    let pulled = app.run(&["models", "pull", "tests/bert"]);
    assert_ended(&pulled, 0, &["downloading", "model.safetensors"]);
    assert!(pulled.stdout.contains("tests/bert@0123456789ab"), "{}", pulled.stdout);
    assert!(pulled.stdout.contains("sentiment: negative, neutral, positive"), "{}", pulled.stdout);
    // Only the files that a model needs are downloaded.
    assert!(!app.hub.seen().iter().any(|request| request.contains("expected.ndjson")), "{:?}", app.hub.seen());

    // A start downloads a missing model. This model has several weight files and no tokenizer.json.
    let models = ["--set", "inference.model=hf:tests/bert@main", "--set", "inference.emotion_model=hf:tests/roberta"];
    let analyze = [&["analyze", "--json", "I love this!"], &models[..]].concat();
    let first = app.run(&analyze);
    assert_ended(&first, 0, &[]);
    let analysis: Value = serde_json::from_str(first.stdout.trim()).unwrap();
    let text = analysis.to_string();
    assert!(text.contains("tests/bert@0123456789ab+tests/roberta@0123456789ab"), "{text}");

    app.hub.stop();
    let asked = app.hub.seen().len();
    let again = app.run(&analyze);
    assert_ended(&again, 0, &[]);
    assert_eq!(again.stdout, first.stdout);
    assert_eq!(app.hub.seen().len(), asked);

    let list = [&["models", "list"], &models[..]].concat();
    let listed = app.run(&list).stdout;
    let row = |name: &str| listed.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(row("hf:tests/roberta").contains("in use"), "{listed}");
    assert!(row("hf:tests/bert").contains("0123456789ab") && row("builtin").contains("ready"), "{listed}");
    let shown = app.run(&["models", "show", "hf:tests/roberta", "--json"]);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!((&shown["architecture"], &shown["max_tokens"]), (&"roberta".into(), &40.into()));
    assert_eq!(shown["heads"][0]["judges"], "emotion");
}

#[test]
fn model_is_pulled_by_its_short_name() {
    let app = TestApp::new();
    let repository = "tabularisai/multilingual-sentiment-analysis";
    let files = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
    let files: Vec<(&str, Vec<u8>)> =
        files.iter().filter_map(|name| Some((*name, std::fs::read(data("bert").join(name)).ok()?))).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    app.hub.add(repository, &files);
    let pulled = app.run(&["models", "pull", "general-multilingual"]);
    assert_ended(&pulled, 0, &["downloading"]);
    assert!(pulled.stdout.contains(&format!("pulled {repository}@0123456789ab")), "{}", pulled.stdout);
    assert!(pulled.stdout.contains(&format!("model = \"hf:{repository}\"")), "{}", pulled.stdout);
    assert!(pulled.stdout.contains("[[inference.routes]]"), "{}", pulled.stdout);
    app.hub.stop();
    let route = format!("inference.routes=[{{languages = [\"de\"], model = \"hf:{repository}\"}}]");
    let text = "Das ist leider schon wieder nicht gut geworden";
    let analyzed = app.run(&["analyze", "--json", text, "--set", &route]);
    assert_ended(&analyzed, 0, &[]);
    assert!(analyzed.stdout.contains(&format!("\"model\":\"{repository}@0123456789ab\"")), "{}", analyzed.stdout);
}

#[test]
fn emotion_below_the_threshold_is_neutral() {
    let app = TestApp::new();
    let model = app.folder.path().join("emotions");
    std::fs::create_dir_all(&model).unwrap();
    for entry in std::fs::read_dir(data("roberta")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, model.join(path.file_name().unwrap())).unwrap();
    }
    let with_neutral = std::fs::read_to_string(model.join("config.json")).unwrap();
    let emotion = |config: &str, threshold: &str| -> Value {
        std::fs::write(model.join("config.json"), config).unwrap();
        let settings = [
            format!("inference.model={}", data("bert").display()),
            format!("inference.emotion_model={}", model.display()),
            format!("inference.emotion_threshold={threshold}"),
        ];
        let mut arguments = vec!["analyze", "--json", "I love this"];
        settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
        let ended = app.run(&arguments);
        assert_ended(&ended, 0, &[]);
        serde_json::from_str::<Value>(ended.stdout.trim()).unwrap()["emotion"].clone()
    };
    // The largest score, `anger`, is 0.94. A model without a neutral class gives `neutral` if the threshold is larger.
    let without_neutral = with_neutral.replace("\"neutral\"", "\"annoyance\"");
    assert_eq!(emotion(&without_neutral, "0.9"), "anger");
    assert_eq!(emotion(&without_neutral, "0.95"), "neutral");
    // The threshold has no effect on a model with a neutral class.
    assert_eq!(emotion(&with_neutral, "0.95"), "anger");
}

#[test]
fn wrong_model_name_or_revision_exits_with_2() {
    let app = TestApp::new();
    assert_ended(&app.run(&["models", "pull", "tests/nothing"]), 2, &["tests/nothing", "check the name", "HF_TOKEN"]);
    let mut with_token = app.command(&["models", "pull", "tests/nothing"]);
    with_token.env("HF_TOKEN", "hunter2");
    let with_token = end(with_token);
    assert_ended(&with_token, 2, &["has no model", "404"]);
    assert!(!with_token.stderr.contains("hunter2"));
    // If `HF_TOKEN` is not set, the token that `hf auth login` stored is sent.
    std::fs::create_dir_all(app.folder.path().join("hf")).unwrap();
    std::fs::write(app.folder.path().join("hf/token"), "hunter3\n").unwrap();
    assert_ended(&app.run(&["models", "pull", "tests/nothing"]), 2, &["has no model", "404"]);
    assert_ended(&app.run(&["models", "pull", "tests/bert@v9"]), 2, &["tests/bert has no revision `v9`"]);
    assert_ended(&app.run(&["models", "pull", "../bert"]), 2, &["hf:OWNER/NAME"]);

    let config = br#"{"model_type": "gpt2", "architectures": ["GPT2ForSequenceClassification"]}"#;
    app.hub.add("tests/gpt2", &[("config.json", config), ("model.safetensors", &[0; 64])]);
    let unsupported = app.run(&["analyze", "x", "--set", "inference.model=hf:tests/gpt2"]);
    assert_ended(&unsupported, 2, &["hf:tests/gpt2", "`gpt2` is not supported", "roberta"]);
    assert!(!app.hub.seen().iter().any(|request| request.contains("gpt2/resolve") && request.contains("safetensors")));
    // With the network disabled, the error names the command that downloads the model.
    let offline = ["models", "pull", "tests/bert", "--set", "inference.hub.offline=true"];
    assert_ended(&app.run(&offline), 2, &["inference.hub.offline", "models pull hf:tests/bert"]);
    app.hub.stop();
    let unreachable = app.run(&["models", "pull", "tests/bert"]);
    assert_ended(&unreachable, 1, &[&app.hub.url, "cannot be reached", "inference.hub.endpoint"]);
}

#[test]
fn interrupted_download_resumes_at_its_offset() {
    let app = TestApp::new();
    let weights = "model.safetensors";
    let size = std::fs::metadata(data("bert").join(weights)).unwrap().len();
    let resumed = |from: u64| {
        let request = format!("/elsewhere/tests/bert/{weights} {from}-");
        app.hub.seen().contains(&request)
    };
    app.hub.fault(weights, Fault::Cut);
    let broken = app.run(&["models", "pull", "tests/bert"]);
    assert_ended(&broken, 1, &[weights, "was interrupted", "it resumes"]);
    // Each retry resumes where the previous one ended: at a half, three quarters, and so on.
    assert!(resumed(size / 2), "{:?}", app.hub.seen());
    // An incomplete download is not used as a model.
    let listed = app.run(&["models", "list"]).stdout;
    assert!(!listed.contains("tests/bert"), "{listed}");

    app.hub.heal();
    let tries = app.hub.seen().len();
    assert_ended(&app.run(&["models", "pull", "tests/bert"]), 0, &[]);
    assert!(!app.hub.seen()[tries..].contains(&format!("/elsewhere/tests/bert/{weights} 0-")));
    let fetched = std::fs::read(app.snapshot("bert").join(weights)).unwrap();
    assert_eq!(fetched, std::fs::read(data("bert").join(weights)).unwrap());

    // A single interruption causes no error.
    app.hub.fault("model.safetensors", Fault::CutOnce);
    assert_ended(&app.run(&["models", "pull", "tests/distilbert"]), 0, &[]);
}

#[test]
fn stalled_or_damaged_download_leaves_no_model() {
    let app = TestApp::new();
    app.hub.fault("model.safetensors", Fault::Silence);
    let start = Instant::now();
    let silent = app.run(&["models", "pull", "tests/bert", "--set", "inference.hub.timeout=1s"]);
    assert_ended(&silent, 1, &["sent no data for 1 s", "inference.hub.timeout"]);
    assert!(start.elapsed() < Duration::from_secs(90), "{:?}", start.elapsed());

    app.hub.fault("model.safetensors", Fault::Damage);
    let damaged = app.run(&["models", "pull", "tests/bert"]);
    assert_ended(&damaged, 1, &["model.safetensors is damaged", "SHA-256"]);
    assert!(!app.snapshot("bert").join("model.safetensors").exists());
    app.hub.heal();
    assert_ended(&app.run(&["models", "pull", "tests/bert"]), 0, &[]);
}

#[test]
fn full_or_unwritable_cache_is_named_in_the_error() {
    let app = TestApp::new();
    std::fs::write(app.folder.path().join("file"), "").unwrap();
    let unwritable = app.run(&["models", "pull", "tests/bert", "--set", "inference.hub.home=./file"]);
    assert_ended(&unwritable, 1, &["cannot write to ./file/hub", "inference.hub.home"]);

    // Mounts a disk of 16 KiB, if this user may do so.
    let script = "mkdir -p small && mount -t tmpfs -o size=16k tmpfs small && exec \"$@\"";
    let on_a_small_disk = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
        command.arg(program()).args(arguments).current_dir(app.folder.path());
        command.env("HF_ENDPOINT", &app.hub.url).env("HF_HOME", "small");
        command
    };
    let mut probe = on_a_small_disk(&["--version"]);
    if !probe.output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped the test of a full disk: this user cannot mount a disk");
        return;
    }
    let pull = ["models", "pull", "tests/bert"];
    assert_ended(&end(on_a_small_disk(&pull)), 1, &["the disk of small/hub is full", "bytes are needed"]);
    app.hub.hide_sizes();
    let full = end(on_a_small_disk(&pull));
    assert_ended(&full, 1, &["the disk of small/hub is full", "No space left", "inference.hub.home"]);
}

#[test]
fn unnamed_classes_need_a_label_mapping() {
    let app = TestApp::new();
    let folder = data("xlm-roberta");
    let model = format!("inference.model={}", folder.display());
    let emotion = format!("inference.emotion_model={}", data("roberta").display());
    let analyze = ["analyze", "x", "--json", "--set", &model, "--set", &emotion];
    let unmapped = app.run(&analyze);
    assert_ended(&unmapped, 2, &["LABEL_0", "inference.labels"]);
    let labels = "inference.labels={LABEL_0 = \"positive\", LABEL_1 = \"neutral\", LABEL_2 = \"negative\"}";
    let mapped = app.run(&[&analyze[..], &["--set", labels]].concat());
    assert_ended(&mapped, 0, &[]);
    let wrong = "inference.emotion_labels={LABEL_7 = \"joy\"}";
    let slip = app.run(&[&analyze[..], &["--set", labels, "--set", wrong]].concat());
    assert_ended(&slip, 2, &["the model roberta: inference.emotion_labels", "LABEL_7", "anger, disgust"]);
    let shown = app.run(&["models", "show", "--set", &model, "--set", labels]).stdout;
    assert!(shown.contains("LABEL_2 → negative"), "{shown}");
}

#[test]
fn fitted_calibration_is_stored_and_does_not_change_labels() {
    let app = TestApp::new();
    let folder = app.folder.path().join("mine");
    std::fs::create_dir(&folder).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::copy(data("bert").join(file), folder.join(file)).unwrap();
    }
    let emotion = format!("inference.emotion_model={}", data("roberta").display());
    let models = ["--set", "inference.model=./mine", "--set", &emotion];
    let words = ["love", "hate", "phone", "day", "so good", "so bad", "waiting"];
    let labels = ["positive", "negative", "neutral"];
    let records: String = (0..420)
        .map(|n| {
            let (text, label) = (format!("{} {n}", words[n % words.len()]), labels[n % labels.len()]);
            format!("{}\n", serde_json::json!({"text": text, "sentiment": label}))
        })
        .collect();
    std::fs::write(app.folder.path().join("labelled.ndjson"), records).unwrap();

    let eval = |more: &[&str]| app.run(&[&["eval", "labelled.ndjson", "--json"], more, &models].concat());
    let json = |ended: Ended| -> Value {
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        serde_json::from_str(&ended.stdout).unwrap()
    };
    let fitted = json(eval(&["--fit-calibration"]));
    let fit = &fitted["calibration"]["sentiment"];
    let temperature = fit["temperature"].as_f64().unwrap();
    assert!((temperature - 1.0).abs() > 0.01, "{fit}");
    assert!(fit["nll_after"].as_f64() < fit["nll_before"].as_f64(), "{fit}");
    let stored: Value = serde_json::from_slice(&std::fs::read(folder.join("calibration.json")).unwrap()).unwrap();
    assert_eq!(&stored["sentiment"], fit);

    let (with, without) = (json(eval(&[])), json(eval(&["--set", "inference.calibration=off"])));
    assert_eq!(with["sentiment"]["confusion"], without["sentiment"]["confusion"]);
    assert!(with["sentiment"]["ece"].as_f64() < without["sentiment"]["ece"].as_f64(), "{with} {without}");
    assert_eq!(without["sentiment"], fitted["sentiment"]);
    let shown = app.run(&[&["models", "show"], &models[..]].concat()).stdout;
    assert!(shown.contains(&format!("calibrated: temperature {temperature}")), "{shown}");

    // The builtin model is embedded in the binary, so a calibration cannot be stored next to it.
    let builtin = app.run(&["eval", "labelled.ndjson", "--fit-calibration"]);
    assert_ended(&builtin, 2, &["--calibration-out"]);
}

#[test]
fn hub_cannot_write_outside_of_its_cache() {
    let app = TestApp::new();
    for fault in [Fault::HostileEtag, Fault::HostileCommit] {
        app.hub.fault("config.json", fault);
        let refused = app.run(&["models", "pull", "tests/bert"]);
        assert_ended(&refused, 1, &["the Hub sent an invalid", "stolen"]);
        app.hub.heal();
    }
    app.hub.add("tests/evil", &[("config.json", b"{}"), ("../../../stolen", b"x")]);
    app.run(&["models", "pull", "tests/evil"]);
    let found = Command::new("find").arg(app.folder.path()).args(["-name", "stolen*"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    let plain = ["models", "pull", "tests/bert", "--set", "inference.hub.endpoint=http://192.0.2.1"];
    assert_ended(&app.run(&plain), 2, &["not https"]);
}
