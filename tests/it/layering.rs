//! Checks the imports in `src/` and in the crates of [`FOLDERS`]: services never import a role, roles never import each
//! other, and only the composition root, the commands and the settings use the configuration. Also checks that every
//! recorded metric is described.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROLES: [&str; 5] = ["ingester", "worker", "alerts", "notify", "http"];
const ROOMS: [&str; 17] = [
    "accounts",
    "lease",
    "stream",
    "inference",
    "store",
    "live",
    "cache",
    "sources",
    "outbound",
    "oidc",
    "rules",
    "insights",
    "topics",
    "language",
    "terms",
    "settings",
    "backups",
];

/// The modules that `module` may import in addition to itself. `None` means all modules.
fn allowed(module: &str) -> Option<BTreeSet<&'static str>> {
    let set = |names: &[&'static str]| Some(names.iter().copied().collect());
    match module {
        "domain" | "clock" | "sqlite" | "redis" | "lifecycle" => set(&["domain"]),
        "secrets" => set(&[]),
        "telemetry" => set(&["domain", "outbound"]),
        "language" => set(&["domain"]),
        // Each service owns the types of its settings, so the configuration imports services.
        "config" => Some(ROOMS.into_iter().chain(["domain"]).collect()),
        "inference" => set(&["domain", "clock", "outbound"]),
        "sources" => set(&["domain", "clock", "outbound"]),
        "outbound" | "terms" => set(&[]),
        "oidc" => set(&["domain", "clock", "outbound"]),
        "rules" => set(&["domain", "store", "terms"]),
        "insights" => set(&["domain", "store", "terms", "rules"]),
        "settings" => set(&["config", "domain", "store"]),
        "backups" => set(&["domain", "clock", "sqlite"]),
        "accounts" => set(&["domain", "clock", "store", "lifecycle"]),
        "lease" => set(&["store", "lifecycle"]),
        "topics" => set(&["domain", "store", "lifecycle", "terms"]),
        "store" => set(&["domain", "clock", "secrets", "sqlite"]),
        // An entry contains the trace context of its append, so the stream uses the telemetry.
        "stream" => set(&["domain", "clock", "sqlite", "redis", "telemetry"]),
        "cache" | "live" => set(&["domain", "clock", "sqlite", "redis"]),
        role if ROLES.contains(&role) => {
            Some(ROOMS.into_iter().chain(["domain", "clock", "lifecycle", "telemetry"]).collect())
        }
        _ => None,
    }
}

/// The folders with code, each with the name of its module. `None`: each file and each folder directly in the folder is
/// a module.
const FOLDERS: [(&str, Option<&str>); 5] = [
    ("src", None),
    ("crates/core/src", None),
    ("crates/storage/src", None),
    ("crates/inference/src", Some("inference")),
    ("crates/sources/src", Some("sources")),
];

/// The prefixes of paths with which a module imports other modules.
const ROOTS: [&str; 3] = ["crate::", "sentistream_core::", "sentistream_storage::"];

/// A source file.
struct File {
    /// The path relative to the root of the repository.
    path: String,
    module: String,
    text: String,
    /// Whether the crate is one module, so that `crate::` refers to the module itself.
    is_whole_crate: bool,
}

fn files() -> Vec<File> {
    let mut found = Vec::new();
    for (folder, module) in FOLDERS {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut paths = Vec::new();
        rust_files(&root, &mut paths);
        for path in paths {
            let relative = path.strip_prefix(&root).expect("below the folder").display().to_string();
            let first = relative.split(['/', '.']).next().expect("a name").to_owned();
            found.push(File {
                module: module.map_or(first, str::to_owned),
                text: fs::read_to_string(&path).expect("source is UTF-8"),
                is_whole_crate: module.is_some(),
                path: format!("{folder}/{relative}"),
            });
        }
    }
    found
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("entry is readable").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules that `file` imports. Comments are ignored.
fn imports(file: &File) -> BTreeSet<String> {
    let lines = file.text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: String = lines.collect::<Vec<_>>().join("\n");
    let roots = ROOTS.into_iter().filter(|root| !file.is_whole_crate || *root != "crate::");
    let mut found: BTreeSet<String> = roots.flat_map(|root| imports_from(&code, root)).collect();
    let crates = ["inference", "sources"].into_iter().filter(|name| code.contains(&format!("sentistream_{name}::")));
    found.extend(crates.map(str::to_owned));
    found
}

/// The modules that follow `root` in `code`.
fn imports_from(code: &str, root: &str) -> Vec<String> {
    code.match_indices(root)
        .flat_map(|(at, prefix)| {
            let rest = &code[at + prefix.len()..];
            let group = rest.strip_prefix('{').and_then(|rest| rest.split_once("};")).map(|(group, _)| group);
            match group {
                Some(group) => top_level(group),
                None => vec![first_name(rest)],
            }
        })
        .collect()
}

fn top_level(group: &str) -> Vec<String> {
    let mut depth = 0;
    let parts = group.split(|c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    parts.map(|part| first_name(part.trim())).filter(|name| !name.is_empty()).collect()
}

fn first_name(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The names that a `pub use` line exports: the names in braces, or the name after `as`.
fn reexported(line: &str) -> Vec<String> {
    let line = line.trim_end_matches(';');
    match line.split_once('{') {
        Some((_, names)) => names.trim_end_matches('}').split(", ").map(str::to_owned).collect(),
        None => line.rsplit(' ').take(1).map(str::to_owned).collect(),
    }
}

#[test]
fn front_page_of_the_crate_lists_every_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let text = fs::read_to_string(root).expect("source is UTF-8");
    let (map, _) = text.split_once("# Invariants").expect("a map before the invariants");
    let (services, map) = map.split_once("# Map").expect("a map");
    let modules = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let modules =
        modules.map(str::to_owned).chain(text.lines().filter(|line| line.starts_with("pub use ")).flat_map(reexported));
    let missing: Vec<String> = modules.filter(|module| !map.contains(&format!("[`{module}`]"))).collect();
    assert!(missing.is_empty(), "add {missing:?} to the map in src/lib.rs");
    let rooms: Vec<&str> = ROOMS.into_iter().filter(|room| !services.contains(&format!("[`{room}`]"))).collect();
    assert!(rooms.is_empty(), "add {rooms:?} to the services in src/lib.rs");
}

#[test]
fn modules_import_only_what_the_map_allows() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut violations = Vec::new();
    for file in files() {
        // Tests of a role may create services, as the composition root does.
        if file.path.ends_with("/tests.rs") || file.path.contains("/tests/") {
            continue;
        }
        *seen.entry(file.module.clone()).or_default() += 1;
        let Some(allowed) = allowed(&file.module) else { continue };
        for import in imports(&file) {
            if import != file.module && !allowed.contains(import.as_str()) {
                violations.push(format!("{} imports {import}", file.path));
            }
        }
    }
    for module in ROLES.iter().chain(&ROOMS) {
        assert!(seen.contains_key(*module), "the module {module} does not exist: change the map in this test");
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn every_recorded_metric_has_a_description() {
    let (mut recorded, mut described) = (BTreeSet::new(), BTreeSet::new());
    for File { text, .. } in files() {
        for (at, _) in text.match_indices("\"sentistream_") {
            let name = first_name(&text[at + 1..]);
            let call = text[..at].trim_end().strip_suffix("!(").unwrap_or_default();
            let call = call.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            let rest = text[at + 1 + name.len()..].trim_start_matches(['"', ',']).trim_start();
            match call {
                "counter" | "gauge" | "histogram" => _ = recorded.insert(name),
                _ if call.starts_with("describe_") || rest.starts_with("Kind::") => _ = described.insert(name),
                _ => {}
            }
        }
    }
    assert!(recorded.contains("sentistream_http_requests_total"), "{recorded:?}");
    let missing: Vec<&String> = recorded.difference(&described).collect();
    assert!(missing.is_empty(), "describe {missing:?} for /metrics");
}
