//! `sentistream user`

use serde_json::json;

use super::{migrated, run, run_with_input, write};
use crate::process::Process;

const PASSWORD: &str = "correct horse battery staple";

#[test]
fn users_are_added_listed_changed_and_deleted() {
    let folder = migrated();
    let user = |arguments: &[&str]| run(folder.path(), &[&["user"][..], arguments].concat());
    let first = user(&["add", "bob", "--role", "viewer"]);
    assert!(first.code == 2 && first.stderr.contains("--role admin"), "{}", first.stderr);
    write(folder.path(), "password.txt", &format!("{PASSWORD}\n"));
    user(&["add", "ada", "--role", "admin", "--password-file", "password.txt"]).good();
    let weak =
        run_with_input(folder.path(), &["user", "add", "eve", "--role", "viewer", "--password-file", "-"], "short");
    assert!(weak.code == 2 && weak.stderr.contains("12 to 256"), "{}", weak.stderr);
    let invited = user(&["add", "bob", "--role", "viewer"]).good().stdout;
    assert!(invited.contains("http://localhost:8000/#invitation=") && invited.contains("&name=bob"), "{invited}");
    for (arguments, part) in [
        (&["add", "ADA", "--role", "viewer"][..], "another user"),
        (&["add", "local", "--role", "viewer"], "reserved"),
        (&["add", "eve", "--role", "root"], "root"),
        (&["role", "nobody", "viewer"], "there is no user"),
        (&["role", "ada", "viewer"], "last administrator"),
        (&["disable", "ada"], "last administrator"),
        (&["delete", "ada"], "last administrator"),
    ] {
        let refused = user(arguments);
        assert!(refused.code == 2 && refused.stderr.contains(part), "{arguments:?}: {}", refused.stderr);
    }
    user(&["role", "Bob", "editor"]).good();
    user(&["disable", "bob"]).good();
    let listed = user(&["list", "--json"]).good().json_lines();
    let brief: Vec<_> = listed.iter().map(|user| json!([user["name"], user["role"], user["disabled"]])).collect();
    assert_eq!(brief, [json!(["ada", "admin", false]), json!(["bob", "editor", true])]);
    let table = user(&["list"]).good().stdout;
    assert!(table.contains("disabled") && table.contains("never"), "{table}");
    assert!(!table.contains("argon2"), "{table}");
    user(&["enable", "bob"]).good();
    user(&["delete", "bob"]).good();
    assert_eq!(user(&["list", "--json"]).good().json_lines().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn first_user_added_by_command_ends_open_access() {
    let folder = tempfile::tempdir().unwrap();
    let settings = vec!["ingester.sources=[]".to_owned()];
    let process = Process::start(folder.path(), &settings).await;
    let status = async || crate::web::get(format!("{}/api/stats", process.url)).await.unwrap().status().as_u16();
    assert_eq!(status().await, 200);
    write(folder.path(), "password.txt", PASSWORD);
    let added = crate::process::command(folder.path(), &settings)
        .args(["user", "add", "ada", "--role", "admin", "--password-file", "password.txt"])
        .output()
        .await
        .unwrap();
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let closed = async { while status().await != 401 {} };
    tokio::time::timeout(crate::process::DEADLINE, closed).await.expect("the server applies the change");
    let body = json!({"username": "ada", "password": PASSWORD});
    let signed_in = crate::web::client().post(format!("{}/api/session", process.url)).json(&body).send().await.unwrap();
    assert_eq!(signed_in.status(), 200);
}
