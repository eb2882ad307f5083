//! Secrets in files.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use crate::process::{DEADLINE, Process, command};

const SECRET: &str = "hunter2-is-a-long-secret";

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Whether any file below `folder` has the secret.
fn is_in_files(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| match path.is_dir() {
        true => is_in_files(&path),
        false => std::fs::read(path).unwrap().windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes()),
    })
}

async fn rotate(folder: &Path) -> String {
    let mut command = command(folder, &["ingester.sources=[]".to_owned()]);
    let output = tokio::time::timeout(DEADLINE, command.args(["secrets", "rotate"]).output()).await.expect("in time");
    String::from_utf8(output.expect("the command runs").stdout).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_receivers_are_sealed_and_keys_rotate() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &["ingester.sources=[]".to_owned()]).await;
    let receiver = json!({
        "name": "hook", "channel": {"kind": "webhook", "url": "https://hooks.example.org/"},
        "secrets": {"signing_key": SECRET},
    });
    let url = format!("{}/api/alerts/receivers", process.url);
    let made = crate::web::client().post(&url).json(&receiver).send().await.unwrap();
    assert_eq!(made.status(), 201, "{}", made.text().await.unwrap());
    assert!(!is_in_files(folder.path()), "the secret is stored in plain text");
    let data = folder.path().join("data");
    let (database, key) = (data.join("sentistream.db"), data.join("sentistream.db.key"));
    assert_eq!((mode(&database), mode(&key)), (0o600, 0o600));
    let first = std::fs::read_to_string(&key).unwrap();

    // Each rotation decrypts every secret with the current key while the server runs. The second needs the new key.
    for _ in 0..2 {
        assert!(rotate(folder.path()).await.starts_with("encrypted the secrets of 1 receivers"));
    }
    let last = std::fs::read_to_string(&key).unwrap();
    assert!(last != first && last.lines().count() == 1, "old keys are removed");
    let shown = &process.get("/api/alerts/receivers").await["receivers"][0];
    assert_eq!(shown["secrets"], json!(["signing_key"]), "the server follows the key file");
    assert!(!is_in_files(folder.path()));
}
