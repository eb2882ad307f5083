//! Inhibition rules, and intervals in which routes are active.

use sentistream::app::alert_options;
use sentistream::config::{Config, Inputs};
use sentistream::domain::alert::rule::BUILT_IN;
use serde_json::{Value, json};

use super::super::test_app::{Setup, cases};
use super::MINUTE;
use super::harness::Harness;

cases!(
    inhibited_alerts_are_sent_after_the_inhibitor_resolves,
    default_rules_notify_once_per_incident,
    routes_send_only_in_active_intervals
);

async fn inhibited_alerts_are_sent_after_the_inhibitor_resolves(setup: Setup) {
    let harness = Harness::start(setup).await;
    harness.route("hook", json!([])).await;
    let is = |name: &str| json!([{"label": "alertname", "op": "=", "value": name}]);
    let rule =
        json!({"name": "outage", "source_matchers": is("outage"), "target_matchers": is("mood"), "equal": ["source"]});
    harness.add("inhibit-rules", &rule).await;
    let outage = harness.fire("outage", "web").await;
    harness.fire("mood", "web").await;
    harness.fire("mood", "reddit").await;
    let preview = async |source: &str| {
        let body = json!({"labels": {"alertname": "mood", "source": source}});
        harness.app.post("/api/alerts/routes/preview", &body).await.ok()["inhibited_by"].clone()
    };
    assert_eq!((preview("web").await, preview("reddit").await), (json!([outage]), json!([])));
    let v2 = harness.app.get("/api/v2/alerts?filter=alertname%3Dmood&filter=source%3D%22web%22").await.ok();
    assert_eq!((v2.as_array().unwrap().len(), &v2[0]["status"]["state"]), (1, &json!("suppressed")));

    harness.advance(MINUTE);
    let requests = harness.requests(2).await;
    let mut sent: Vec<_> = requests
        .iter()
        .flat_map(|request| request.json()["alerts"].as_array().unwrap().clone())
        .map(|alert: Value| (alert["labels"]["alertname"].clone(), alert["labels"]["source"].clone()))
        .collect();
    sent.sort_by_key(|(name, _)| name.to_string());
    assert_eq!(sent, [(json!("mood"), json!("reddit")), (json!("outage"), json!("web"))]);
    harness.settled().await;
    harness.resolve("outage", "web").await;
    harness.advance(5 * MINUTE);
    let messages: Vec<Value> = harness.requests(4).await[2..].iter().map(super::fakes::Request::json).collect();
    let mood = messages.iter().find(|message| message["groupLabels"]["alertname"] == "mood").unwrap();
    let alerts = mood["alerts"].as_array().unwrap();
    assert!(alerts.iter().any(|alert| alert["labels"]["source"] == "web" && alert["status"] == "firing"), "{mood:#}");
}

async fn default_rules_notify_once_per_incident(setup: Setup) {
    let (defaults, _) = Config::load(&Inputs::default()).unwrap();
    let rules = alert_options(&defaults).rules.current();
    let harness = Harness::with(setup, |options| options.inhibit_rules = defaults.alerts.inhibit_rules).await;
    harness.route("hook", json!([])).await;
    for rule in &rules {
        assert_eq!(rule.labels, rules[0].labels, "{}", rule.name);
        harness.label(&rule.labels);
    }
    let [share, ratio, spike] = BUILT_IN;
    harness.fire(spike, "web").await;
    for (rule, source) in [(share, "web"), (ratio, ""), (share, ""), (spike, "")] {
        harness.fire(rule, source).await;
    }
    // This alert is about another source, so the alert `spike` of the source `web` does not inhibit it.
    harness.fire(share, "forum").await;
    harness.advance(MINUTE);
    let sent = |requests: &[super::fakes::Request]| {
        let alerts = requests.iter().flat_map(|request| request.json()["alerts"].as_array().unwrap().clone());
        let mut sent: Vec<[String; 3]> = alerts
            .map(|alert: Value| {
                [&alert["labels"]["alertname"], &alert["labels"]["source"], &alert["status"]]
                    .map(|field| field.as_str().unwrap_or_default().to_owned())
            })
            .collect();
        sent.sort_unstable();
        sent
    };
    let row = |rule: &str, source: &str, status: &str| [rule, source, status].map(str::to_owned);
    let first = [row(share, "forum", "firing"), row(spike, "web", "firing")];
    assert_eq!(sent(&harness.requests(2).await), first);
    harness.settled().await;

    // The alert `spike` is resolved before the alerts that it inhibits.
    harness.resolve(spike, "web").await;
    harness.advance(5 * MINUTE);
    assert_eq!(sent(&harness.requests(3).await[2..]), [row(spike, "web", "resolved")]);
    harness.settled().await;
    for (rule, source) in [(share, "web"), (ratio, ""), (share, ""), (spike, "")] {
        harness.resolve(rule, source).await;
    }
    harness.resolve(share, "forum").await;
    harness.advance(5 * MINUTE);
    assert_eq!(sent(&harness.requests(4).await[3..]), [row(share, "forum", "resolved")]);
}

async fn routes_send_only_in_active_intervals(setup: Setup) {
    let harness = Harness::start(setup).await;
    harness.route("hook", json!([])).await;
    // START is on Sunday, the first of March, at 12:30 UTC.
    let intervals = json!([{"weekdays": ["sunday"], "months": ["march"], "days_of_month": ["1:7"], "from": "13:00", "to": "14:00"}]);
    harness.add("mute-timings", &json!({"name": "afternoon", "intervals": intervals})).await;
    let matchers = json!([{"label": "alertname", "op": "=", "value": "mood"}]);
    let route = json!({"name": "active", "receiver": "hook", "matchers": matchers, "active_timings": ["afternoon"]});
    harness.add("routes", &route).await;
    let body = json!({"labels": {"alertname": "mood"}});
    let preview = harness.app.post("/api/alerts/routes/preview", &body).await.ok();
    assert_eq!(preview["routes"][0]["outside_active_timings"], true);
    harness.fire("mood", "web").await;
    harness.fire("other", "web").await;
    harness.advance(MINUTE);
    assert_eq!(harness.message(1).await["groupLabels"]["alertname"], "other");
    harness.settled().await;
    harness.advance(30 * MINUTE);
    assert_eq!(harness.message(2).await["groupLabels"]["alertname"], "mood");
}
