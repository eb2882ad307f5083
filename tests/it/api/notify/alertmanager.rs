//! Compatibility with Alertmanager: `amtool` uses the API, and alerts are routed as in Alertmanager. The programs come
//! from Debian's package `prometheus-alertmanager`. If they are missing, the tests print a message and pass.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sentistream::domain::alert::Labels;
use sentistream::domain::notify::alertmanager::{Setup as Exported, config};
use sentistream::domain::notify::{Route, Router};
use serde_json::{Value, json};

use super::super::test_app::{Setup, cases};
use super::MINUTE;
use super::harness::Harness;

cases!(
    amtool_reads_alerts_and_manages_silences,
    v2_silences_behave_as_in_alertmanager,
    v2_receiver_selects_alerts_and_groups,
    forwarded_alerts_reach_alertmanager
);

/// The number of routing trees that are compared.
const TREES: u32 = 200;
/// The number of alerts per tree.
const ALERTS: usize = 2;

/// Whether `program` is installed. Prints a message if it is not.
fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        eprintln!("SKIPPED: {program} is missing: apt-get install prometheus-alertmanager");
    }
    found
}

fn amtool(arguments: &[&str]) -> Output {
    Command::new("amtool").args(arguments).output().expect("amtool runs")
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

async fn amtool_reads_alerts_and_manages_silences(setup: Setup) {
    if !is_installed("amtool") {
        return;
    }
    let harness = Harness::start(setup).await;
    harness.route("hook", json!([])).await;
    harness.route("web", json!([{"label": "source", "op": "=", "value": "web"}])).await;
    harness.fire("mood", "web").await;
    harness.fire("mood", "reddit").await;
    let url = format!("--alertmanager.url={}", harness.app.url);
    let run = async |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).chain([url.clone()]).collect();
        let run = move || stdout(&amtool(&arguments.iter().map(String::as_str).collect::<Vec<_>>()));
        tokio::task::spawn_blocking(run).await.unwrap()
    };
    let alerts: Value = serde_json::from_str(&run(&["alert", "query", "-o", "json"]).await).unwrap();
    let sources: BTreeSet<_> =
        alerts.as_array().unwrap().iter().map(|alert| alert["labels"]["source"].to_string()).collect();
    assert_eq!(sources, BTreeSet::from(["\"reddit\"".to_owned(), "\"web\"".to_owned()]));
    let filtered: Value = serde_json::from_str(&run(&["alert", "query", "-o", "json", "source=web"]).await).unwrap();
    assert_eq!(filtered.as_array().unwrap().len(), 1);
    assert_eq!(filtered[0]["receivers"], json!([{"name": "web"}]));
    assert_eq!(run(&["config", "routes", "test", "source=web"]).await, "web");
    assert_eq!(run(&["config", "routes", "test", "source=other"]).await, "hook");

    // amtool computes the times of silences with the clock of this machine, which is later than the clock of the test.
    let added = run(&["silence", "add", "--author=ada", "--comment=known", "--duration=1h", "source=web"]).await;
    let listed: Value = serde_json::from_str(&run(&["silence", "query", "-o", "json"]).await).unwrap();
    assert_eq!((&listed[0]["id"], &listed[0]["createdBy"]), (&json!(added), &json!("ada")), "{listed:#}");
    run(&["silence", "expire", &added]).await;
    let listed: Value = serde_json::from_str(&run(&["silence", "query", "-o", "json"]).await).unwrap();
    assert_eq!(listed, json!([]));
}

async fn v2_silences_behave_as_in_alertmanager(setup: Setup) {
    let harness = Harness::start(setup).await;
    harness.route("hook", json!([])).await;
    harness.fire("mood", "web").await;
    let now = harness.app.clock.now();
    let silence = |id: Value, value: &str, minutes: u32| {
        json!({"id": id, "createdBy": "ada", "comment": "known", "startsAt": now, "endsAt": now + minutes * MINUTE,
               "matchers": [{"name": "source", "value": value, "isRegex": false, "isEqual": true}]})
    };
    let post = async |body: Value| harness.app.post("/api/v2/silences", &body).await;
    let id = post(silence(json!(null), "web", 60)).await.ok()["silenceID"].clone();
    let alert = async || harness.app.get("/api/v2/alerts").await.ok()[0].clone();
    let suppressed = alert().await;
    assert_eq!(
        suppressed["status"],
        json!({"state": "suppressed", "silencedBy": [id], "inhibitedBy": [], "mutedBy": []})
    );
    assert_eq!(harness.app.get("/api/v2/alerts?silenced=false").await.ok(), json!([]));
    // A POST with the id of a silence changes the silence if its matchers are the same. Otherwise the POST creates
    // another silence.
    assert_eq!(post(silence(id.clone(), "web", 90)).await.ok()["silenceID"], id);
    let other = post(silence(id.clone(), "reddit", 90)).await.ok()["silenceID"].clone();
    assert_ne!(other, id);
    assert_eq!(alert().await["status"]["state"], "active");
    let path = format!("/api/v2/silence/{}", other.as_str().unwrap());
    assert_eq!(harness.app.get(&path).await.ok()["status"]["state"], "active");
    assert_eq!(harness.app.delete(&path).await.status, 200);
    assert_eq!(harness.app.get(&path).await.ok()["status"]["state"], "expired");
    harness.app.get("/api/v2/silence/5e471000-0000-4000-8000-0000000003e7").await.problem(404);
    assert_eq!(post(silence(json!(null), "web", 0)).await.status, 422);
    assert_eq!(harness.app.get("/api/v2/alerts?filter=x").await.problem(422), ["filter"]);
    let groups = harness.app.get("/api/v2/alerts/groups").await.ok();
    assert_eq!(
        (&groups[0]["labels"], &groups[0]["receiver"]),
        (&json!({"alertname": "mood"}), &json!({"name": "hook"}))
    );
    assert_eq!(harness.app.get("/api/v2/receivers").await.ok(), json!([{"name": "hook"}]));
    let status = harness.app.get("/api/v2/status").await.ok();
    assert!(status["config"]["original"].as_str().unwrap().contains("\"receiver\": \"hook\""), "{status:#}");
}

async fn v2_receiver_selects_alerts_and_groups(setup: Setup) {
    let harness = Harness::start(setup).await;
    let channel = json!({"kind": "webhook", "url": harness.hook.url()});
    for (name, position) in [("web", 1), ("chat", 2)] {
        harness.add("receivers", &json!({"name": name, "channel": channel})).await;
        let matchers = json!([{"label": "source", "op": "=", "value": "web"}]);
        let route =
            json!({"name": name, "receiver": name, "position": position, "continue": true, "matchers": matchers});
        harness.add("routes", &route).await;
    }
    harness.fire("mood", "web").await;
    let receivers = async |query: &str| {
        let groups = harness.app.get(&format!("/api/v2/alerts/groups{query}")).await.ok();
        groups.as_array().unwrap().iter().map(|group| group["receiver"]["name"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(receivers("").await, ["\"chat\"", "\"web\""]);
    assert_eq!(receivers("?receiver=we.").await, ["\"web\""]);
    assert_eq!(receivers("?receiver=we").await, [""; 0]);
    let alerts = async |query: &str| harness.app.get(&format!("/api/v2/alerts{query}")).await.ok();
    assert_eq!(alerts("?receiver=web").await[0]["receivers"], json!([{"name": "web"}, {"name": "chat"}]));
    assert_eq!(alerts("?receiver=we").await, json!([]));
}

async fn forwarded_alerts_reach_alertmanager(setup: Setup) {
    if !is_installed("prometheus-alertmanager") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alertmanager.yml");
    std::fs::write(&file, r#"{"route": {"receiver": "none"}, "receivers": [{"name": "none"}]}"#).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut alertmanager = Command::new("prometheus-alertmanager")
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.path={}", folder.path().display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=")
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let harness = Harness::start(setup).await;
    // Alertmanager compares the times of alerts with the clock of this machine.
    harness.app.clock.set(sentistream::clock::Clock::system().now());
    let channel = json!({"kind": "alertmanager", "url": url});
    harness.add("receivers", &json!({"name": "forward", "channel": channel})).await;
    harness.add("routes", &json!({"name": "forward", "receiver": "forward", "group_wait": "0s"})).await;
    let client = crate::web::builder().build().unwrap();
    let alerts = async || {
        let answer = client.get(format!("{url}/api/v2/alerts?active=true")).send().await.ok()?;
        serde_json::from_slice::<Value>(&answer.bytes().await.ok()?).ok()
    };
    harness.app.eventually("alertmanager answers", &alerts).await;
    harness.fire("mood", "web").await;
    let arrived = async || alerts().await.filter(|alerts| alerts[0]["labels"]["alertname"] == "mood");
    let firing = harness.app.eventually("the alert is forwarded", arrived).await;
    assert_eq!((&firing[0]["labels"]["source"], &firing[0]["status"]["state"]), (&json!("web"), &json!("active")));
    harness.settled().await;
    harness.resolve("mood", "web").await;
    harness.advance(5 * MINUTE);
    let resolved = async || {
        harness
            .delivery("the resolution is forwarded", |delivery| {
                delivery["reason"] == "resolved" && delivery["state"] == "delivered"
            })
            .await
    };
    resolved().await;
    alertmanager.kill().unwrap();
    alertmanager.wait().unwrap();
}

fn label() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c"])
}

fn matcher() -> impl Strategy<Value = Value> {
    let op = prop::sample::select(vec!["=", "!=", "=~", "!~"]);
    let value = prop::sample::select(vec!["x", "y", "", "x|y", "x.*", ".+"]);
    (label(), op, value).prop_map(|(label, op, value)| json!({"label": label, "op": op, "value": value}))
}

/// Generates a tree of routes. Each parent comes before its children.
fn tree() -> impl Strategy<Value = Vec<Value>> {
    let flags = (any::<bool>(), prop::bool::weighted(0.3));
    let route = (prop::collection::vec(matcher(), 0..3), flags, any::<prop::sample::Index>(), 0..3_i32);
    prop::collection::vec(route, 1..12).prop_map(|routes| {
        let mut tree = vec![json!({"name": "root", "receiver": "root"})];
        for (index, (matchers, (continues, inherits), parent, position)) in routes.into_iter().enumerate() {
            let parent = tree[parent.index(tree.len())]["name"].clone();
            // A route at the top level without matchers is the default route.
            let matchers = if parent == "root" && matchers.is_empty() {
                vec![json!({"label": "a", "op": "=~", "value": ".*"})]
            } else {
                matchers
            };
            let receiver = (!inherits).then(|| format!("r{index:02}"));
            tree.push(json!({
                "name": format!("r{index:02}"), "receiver": receiver, "parent": parent,
                "position": position, "continue": continues, "matchers": matchers,
            }));
        }
        tree
    })
}

fn alert() -> impl Strategy<Value = Labels> {
    let value = prop::sample::select(vec!["x", "y", "xy", "z"]);
    prop::collection::btree_map(label().prop_map(str::to_owned), value.prop_map(str::to_owned), 1..4)
}

#[test]
fn random_route_trees_route_as_in_alertmanager() {
    if !is_installed("amtool") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alertmanager.yml");
    let argument = format!("--config.file={}", file.display());
    let mut runner = TestRunner::new_with_rng(
        Config { cases: TREES, max_shrink_iters: 200, ..Config::default() },
        prop::test_runner::TestRng::deterministic_rng(prop::test_runner::RngAlgorithm::ChaCha),
    );
    let case = (tree(), prop::collection::vec(alert(), ALERTS));
    let compared = runner.run(&case, |(routes, alerts)| {
        let routes: Vec<Route> = serde_json::from_value(json!(routes)).unwrap();
        let router = Router::new(routes);
        let exported = Exported { router: router.clone(), ..Exported::default() };
        std::fs::write(&file, config(&exported).to_string()).unwrap();
        for labels in alerts {
            let own: Vec<_> = router.routes_of(&labels).into_iter().map(|route| route.receiver.as_str()).collect();
            let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let mut arguments = vec!["config", "routes", "test", &argument];
            arguments.extend(pairs.iter().map(String::as_str));
            prop_assert_eq!(stdout(&amtool(&arguments)), own.join(","), "{:?}", labels);
        }
        Ok(())
    });
    compared.unwrap_or_else(|error| panic!("{error}"));
}
