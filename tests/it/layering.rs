//! Checks the imports in `src/`: services never import a role, roles never import each other, and only the composition
//! root, the commands and the settings use the configuration. Also checks that every recorded metric is described.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

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

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("src is readable") {
        let path = entry.expect("entry is readable").path();
        // A folder with a Cargo.toml is a separate crate, which cannot import this crate.
        if path.join("Cargo.toml").exists() {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).expect("source is UTF-8")));
        }
    }
}

/// The modules that follow `crate::` in the source code `text`. Comments are ignored.
fn imports(text: &str) -> BTreeSet<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    code.match_indices("crate::")
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

#[test]
fn front_page_of_the_crate_lists_every_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let text = fs::read_to_string(root).expect("source is UTF-8");
    let (map, _) = text.split_once("# Invariants").expect("a map before the invariants");
    let (services, map) = map.split_once("# Map").expect("a map");
    let modules = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let missing: Vec<&str> = modules.filter(|module| !map.contains(&format!("[`{module}`]"))).collect();
    assert!(missing.is_empty(), "add {missing:?} to the map in src/lib.rs");
    let rooms: Vec<&str> = ROOMS.into_iter().filter(|room| !services.contains(&format!("[`{room}`]"))).collect();
    assert!(rooms.is_empty(), "add {rooms:?} to the services in src/lib.rs");
}

#[test]
fn modules_import_only_what_the_map_allows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut violations = Vec::new();
    for (path, text) in &files {
        // Tests of a role may create services, as the composition root does.
        if path.ends_with("/tests.rs") || path.contains("/tests/") {
            continue;
        }
        let relative = path.strip_prefix(&root.display().to_string()).expect("below src").trim_start_matches('/');
        let module = relative.split(['/', '.']).next().expect("a name").to_owned();
        *seen.entry(module.clone()).or_default() += 1;
        let Some(allowed) = allowed(&module) else { continue };
        for import in imports(text) {
            if import != module && !allowed.contains(import.as_str()) {
                violations.push(format!("{relative} imports crate::{import}"));
            }
        }
    }
    for module in ROLES.iter().chain(&ROOMS) {
        assert!(seen.contains_key(*module), "src/{module}.rs does not exist: change the map in this test");
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn every_recorded_metric_has_a_description() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let (mut recorded, mut described) = (BTreeSet::new(), BTreeSet::new());
    for (_, text) in &files {
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
