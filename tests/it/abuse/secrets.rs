//! Files must not contain secrets in plain text.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::{Connection, RunQueryDsl, SqliteConnection};
use serde_json::json;

use crate::process::{DEADLINE, Process, command, within};

const SECRET: &str = "hunter2-is-a-long-secret";

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Whether any file below `folder` contains the secret.
fn is_in_files(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| match path.is_dir() {
        true => is_in_files(&path),
        false => std::fs::read(path).unwrap().windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes()),
    })
}

async fn rotate(folder: &Path) -> String {
    let mut command = command(folder, &["ingester.sources=[]".to_owned()]);
    let output = tokio::time::timeout(DEADLINE, command.args(["secrets", "rotate"]).output())
        .await
        .expect("the command ends in time");
    String::from_utf8(output.expect("the command runs").stdout).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn receiver_secrets_are_encrypted_and_keys_rotate() {
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

    // Each rotation decrypts every secret with the current key while the server runs. The second rotation needs the key
    // that the first one created.
    for _ in 0..2 {
        assert!(rotate(folder.path()).await.starts_with("encrypted the secrets of 1 receivers"));
    }
    let last = std::fs::read_to_string(&key).unwrap();
    assert!(last != first && last.lines().count() == 1, "old keys are removed");
    let shown = &process.get("/api/alerts/receivers").await["receivers"][0];
    assert_eq!(shown["secrets"], json!(["signing_key"]), "the server follows the key file");
    assert!(!is_in_files(folder.path()));
}

/// The stored secrets of receivers and sources.
fn stored(database: &mut SqliteConnection) -> Vec<String> {
    let tables = ["alert_receivers", "managed_sources"];
    let of = |table| format!("SELECT secrets FROM {table} WHERE secrets IS NOT NULL");
    let secrets = diesel::dsl::sql::<diesel::sql_types::Text>;
    tables.iter().flat_map(|table| secrets(&of(table)).load::<String>(database).expect("secrets")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_text_secrets_are_encrypted_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ["ingester.sources=[]".to_owned()];
    let process = Process::start(folder.path(), &settings).await;
    let objects = [
        (
            "/api/alerts/receivers",
            json!({
                "name": "hook", "channel": {"kind": "webhook", "url": "https://hooks.example.org/"},
                "secrets": {"signing_key": SECRET},
            }),
        ),
        ("/api/sources", json!({"name": "reviews", "kind": "webhook", "secrets": {"secret": SECRET}})),
        ("/api/sources", json!({"name": "blog", "kind": "rss", "settings": {"feeds": ["https://127.0.0.1:1/rss"]}})),
    ];
    for (path, object) in &objects {
        let made = crate::web::client().post(format!("{}{path}", process.url)).json(object).send().await.unwrap();
        assert_eq!(made.status(), 201, "{}", made.text().await.unwrap());
    }
    process.terminate().await;
    let path = folder.path().join("data/sentistream.db");
    let mut database = SqliteConnection::establish(path.to_str().expect("a path")).unwrap();
    let old = format!(
        "UPDATE alert_receivers SET secrets = '{{\"signing_key\": \"{SECRET}\"}}' WHERE secrets IS NOT NULL;
         UPDATE managed_sources SET secrets = '{{\"secret\": \"{SECRET}\"}}' WHERE secrets IS NOT NULL;
         UPDATE managed_sources SET spec = replace(spec, 'https://', 'https://ada:{SECRET}@') WHERE name = 'blog';"
    );
    database.batch_execute(&old).unwrap();
    assert!(stored(&mut database).iter().all(|secrets| secrets.contains(SECRET)));

    let process = Process::start(folder.path(), &settings).await;
    let is_sealed = |secrets: &String| secrets.contains("sealed:") && !secrets.contains(SECRET);
    let all = async || Some(stored(&mut database)).filter(|all| all.len() == 3 && all.iter().all(is_sealed));
    within("the secrets are encrypted", all).await;
    assert_eq!(process.get("/api/alerts/receivers").await["receivers"][0]["secrets"], json!(["signing_key"]));
    assert_eq!(process.get("/api/sources/reviews").await["secrets"], json!(["secret"]));
    let blog = process.get("/api/sources/blog").await;
    assert_eq!(blog["settings"]["feeds"], json!(["https://127.0.0.1:1/rss"]));
    assert_eq!(blog["secrets"], json!(["url:https://127.0.0.1:1/rss"]));
}
