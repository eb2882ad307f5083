//! `sentistream doctor`

use std::net::TcpListener;

use serde_json::Value;

use super::{SECRET, folder, run};

pub fn finding<'a>(report: &'a Value, name: &str) -> &'a str {
    let checks = report["checks"].as_array().expect("checks");
    let check =
        checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no check {name} in {report}"));
    check["finding"].as_str().unwrap_or_default()
}

#[test]
fn doctor_reports_problems_with_remedies() {
    let folder = folder();
    let fresh = run(folder.path(), &["doctor", "--json", "--set", "server.listen=127.0.0.1:0"]).good().json();
    assert_eq!(fresh["ok"], true, "{fresh:#}");
    for name in ["config", "secrets", "database", "stream", "model", "disk", "clock", "ports"] {
        assert!(!finding(&fresh, name).is_empty());
    }
    assert!(!folder.path().join("data").exists(), "doctor changes nothing");

    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("server.listen={}", other.local_addr().unwrap());
    let ports = run(folder.path(), &["doctor", "--set", &taken]);
    assert!(ports.code == 1 && ports.stdout.contains("in use by another program"), "{}", ports.stdout);
    assert!(ports.stdout.contains("→ stop it, or set server.listen"), "{}", ports.stdout);

    let config = run(folder.path(), &["doctor", "--set", "worker.tasks=0"]);
    assert!(config.code == 1 && config.stdout.contains("worker.tasks: must be between 1 and 256"), "{}", config.stdout);

    // No process listens on this port.
    let free = "127.0.0.1:1";
    let unreachable = run(
        folder.path(),
        &[
            "doctor",
            "--set",
            &format!("database.url=postgres://u:{SECRET}@{free}/x"),
            "--set",
            &format!("stream.url=redis://:{SECRET}@{free}"),
            "--set",
            "server.listen=127.0.0.1:0",
            "--set",
            "database.connect_timeout=1s",
            "--set",
            "stream.command_timeout=1s",
        ],
    );
    assert_eq!(unreachable.code, 1);
    assert!(
        unreachable.stdout.contains("start Postgres") && unreachable.stdout.contains("start Redis"),
        "{}",
        unreachable.stdout
    );
    assert!(
        unreachable.stdout.contains("stored unencrypted") && unreachable.stdout.contains("database.key_file"),
        "{}",
        unreachable.stdout
    );
    assert!(
        !unreachable.stdout.contains(SECRET) && !unreachable.stderr.contains(SECRET),
        "{}{}",
        unreachable.stdout,
        unreachable.stderr
    );
}
