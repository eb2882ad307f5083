//! Tests of the cache of the Hub: files that were damaged, or that a killed process left, and the stored commit.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use super::fake_hub::{COMMIT, hash};
use super::{TestApp, assert_ended, data};

const PULL: [&str; 3] = ["models", "pull", "tests/bert"];
const WEIGHTS: &str = "model.safetensors";

/// The cached files of `tests/bert`.
struct Paths {
    refs: PathBuf,
    blobs: PathBuf,
    snapshot: PathBuf,
    /// The file with the weights, which the snapshot links to.
    blob: PathBuf,
    /// The weights of the test data.
    weights: Vec<u8>,
}

impl Paths {
    fn new(app: &TestApp) -> Self {
        let snapshot = app.snapshot("bert");
        let repository = snapshot.ancestors().nth(2).unwrap();
        let weights = fs::read(data("bert").join(WEIGHTS)).unwrap();
        let blobs = repository.join("blobs");
        fs::create_dir_all(&blobs).unwrap();
        fs::create_dir_all(&snapshot).unwrap();
        Self { refs: repository.join("refs"), blob: blobs.join(hash(&weights)), blobs, snapshot, weights }
    }

    fn assert_complete(&self, case: &str) {
        assert!(fs::read(self.snapshot.join(WEIGHTS)).unwrap() == self.weights, "{case}");
        assert!(fs::read(&self.blob).unwrap() == self.weights, "{case}");
        assert!(self.snapshot.join(WEIGHTS).is_symlink(), "{case}");
        let names = fs::read_dir(&self.blobs).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let is_temporary = |name: &String| name.starts_with('.') || name.ends_with(".part");
        assert_eq!(names.filter(is_temporary).collect::<Vec<_>>(), Vec::<String>::new(), "{case}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn unchecked_file_never_has_its_final_name() {
    use super::fake_hub::Fault;
    use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};

    let app = TestApp::new();
    let paths = Paths::new(&app);
    let watch = init(CreateFlags::NONBLOCK).unwrap();
    for folder in [&paths.blobs, &paths.snapshot] {
        add_watch(&watch, folder, WatchFlags::CREATE | WatchFlags::MOVED_TO).unwrap();
    }
    // The names that files have had since the last call.
    let names = || -> Vec<String> {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(&watch, &mut buffer);
        let event = || Some(events.next().ok()?.file_name().unwrap().to_str().unwrap().to_owned());
        std::iter::from_fn(event).collect()
    };
    let has = |names: &[String], wanted: &str| names.iter().any(|name| name == wanted);
    let digest = hash(&paths.weights);

    app.hub.fault(WEIGHTS, Fault::Damage);
    assert_ended(&app.run(&PULL), 1, &["model.safetensors is damaged"]);
    let damaged = names();
    assert!(has(&damaged, "config.json") && has(&damaged, &format!("{digest}.part")), "{damaged:?}");
    assert!(!has(&damaged, WEIGHTS) && !has(&damaged, &digest), "{damaged:?}");

    app.hub.heal();
    assert_ended(&app.run(&PULL), 0, &[]);
    let healed = names();
    assert!(has(&healed, WEIGHTS) && has(&healed, &digest), "{healed:?}");
    paths.assert_complete("healed");
}

#[test]
fn part_file_of_a_killed_process_is_resumed_or_replaced() {
    let sent = fs::read(data("bert").join(WEIGHTS)).unwrap();
    let half = sent.len() / 2;
    let zeros = |length: usize| vec![0; length];
    let cases = [
        ("valid", sent[..half].to_vec(), vec![half]),
        ("damaged", zeros(half), vec![half, 0]),
        ("complete and damaged", zeros(sent.len()), vec![0]),
        ("too long", zeros(2 * sent.len()), vec![0]),
        ("empty", Vec::new(), vec![0]),
    ];
    for (case, part, offsets) in cases {
        let app = TestApp::new();
        let paths = Paths::new(&app);
        fs::write(paths.blob.with_extension("part"), part).unwrap();
        // A killed process also leaves its lock file.
        fs::write(paths.blob.with_extension("lock"), "").unwrap();
        assert_ended(&app.run(&PULL), 0, &[]);
        paths.assert_complete(case);
        let transfers: Vec<String> =
            offsets.iter().map(|offset| format!("/elsewhere/tests/bert/{WEIGHTS} {offset}-")).collect();
        let probe = format!("/elsewhere/tests/bert/{WEIGHTS} 0-0");
        let mut seen = app.hub.seen();
        seen.retain(|request| request.starts_with("/elsewhere") && *request != probe);
        assert_eq!(seen, transfers, "{case}");
    }
}

#[test]
fn pull_repairs_damaged_files_in_the_cache() {
    type Damage = fn(&Paths);
    let damages: [(&str, Damage); 5] = [
        ("truncated blob", |paths| fs::write(&paths.blob, &paths.weights[..100]).unwrap()),
        ("missing blob", |paths| fs::remove_file(&paths.blob).unwrap()),
        ("missing link", |paths| fs::remove_file(paths.snapshot.join(WEIGHTS)).unwrap()),
        ("changed blob without a link", |paths| {
            fs::remove_file(paths.snapshot.join(WEIGHTS)).unwrap();
            fs::write(&paths.blob, vec![0; paths.weights.len()]).unwrap();
        }),
        ("truncated copy in the snapshot", |paths| {
            fs::remove_file(paths.snapshot.join(WEIGHTS)).unwrap();
            fs::write(paths.snapshot.join(WEIGHTS), &paths.weights[..100]).unwrap();
        }),
    ];
    let app = TestApp::new();
    let paths = Paths::new(&app);
    assert_ended(&app.run(&PULL), 0, &[]);
    for (case, damage) in damages {
        damage(&paths);
        assert_ended(&app.run(&PULL), 0, &[]);
        paths.assert_complete(case);
    }
    // Files that are complete are not requested again.
    let asked = app.hub.seen().len();
    assert_ended(&app.run(&PULL), 0, &[]);
    assert_eq!(app.hub.seen()[asked..].iter().filter(|request| request.contains("resolve")).count(), 0);
}

#[test]
fn pull_keeps_a_calibration_that_was_fitted_here() {
    let app = TestApp::new();
    let files = ["config.json", WEIGHTS, "tokenizer.json"];
    let mut files: Vec<(&str, Vec<u8>)> = files.map(|name| (name, fs::read(data("bert").join(name)).unwrap())).to_vec();
    files.push(("calibration.json", b"{}".to_vec()));
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    app.hub.add("tests/calibrated", &files);
    let pull = ["models", "pull", "tests/calibrated"];
    assert_ended(&app.run(&pull), 0, &[]);
    let calibration = app.snapshot("calibrated").join("calibration.json");
    assert_eq!(fs::read_to_string(&calibration).unwrap(), "{}");
    fs::remove_file(&calibration).unwrap();
    fs::write(&calibration, "{ }\n").unwrap();
    assert_ended(&app.run(&pull), 0, &[]);
    assert_eq!(fs::read_to_string(&calibration).unwrap(), "{ }\n");
}

#[test]
fn commit_of_a_revision_is_replaced_atomically() {
    let app = TestApp::new();
    let paths = Paths::new(&app);
    let commit = paths.refs.join("main");
    // An earlier version left an empty file if it was killed while it wrote the commit.
    fs::create_dir_all(&paths.refs).unwrap();
    fs::write(&commit, "").unwrap();
    // The second link keeps the old file. Its content shows whether the commit was written in place.
    let old = app.folder.path().join("old");
    fs::hard_link(&commit, &old).unwrap();
    assert_ended(&app.run(&PULL), 0, &[]);
    assert_eq!(fs::read_to_string(&commit).unwrap(), COMMIT);
    assert_eq!(fs::read_to_string(&old).unwrap(), "");
    assert_eq!(commit.metadata().unwrap().mode(), old.metadata().unwrap().mode());
    let names: Vec<_> = fs::read_dir(&paths.refs).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["main"]);

    app.hub.stop();
    let offline = ["inference.model=hf:tests/bert", "inference.hub.offline=true"];
    let analyze = ["analyze", "--json", "I love this!", "--set", offline[0], "--set", offline[1]];
    assert_ended(&app.run(&analyze), 0, &[]);
}
