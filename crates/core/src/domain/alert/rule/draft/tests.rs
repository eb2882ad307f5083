use serde_json::json;

use super::*;

#[test]
fn rule_of_each_kind_round_trips_through_json() {
    for rule in [
        json!({"name": "a", "kind": "share", "threshold": 0.5, "direction": "below", "recovery_threshold": 0.6}),
        json!({"name": "b", "kind": "ratio", "threshold": 2, "group_by": "source_and_total"}),
        json!({"name": "c", "kind": "volume", "of": "emotion:anger", "threshold": 100, "scope": "source:Reddit"}),
        json!({"name": "d", "kind": "spike", "threshold": 5, "window": "10min", "for": "2min"}),
        json!({"name": "e", "kind": "shift", "threshold": 0.1, "significance": 0.05, "scope": "text:late train"}),
        json!({"name": "g", "kind": "shift", "threshold": 0.1, "window": "3h", "baseline_window": "6h"}),
        json!({"name": "h", "kind": "share", "threshold": 0.4, "significance": 0.05, "scope": "topic:acme"}),
        json!({"name": "i", "kind": "volume", "threshold": 9, "distinct": "texts", "min_authors": 3, "no_data": "keep",
               "delay": "45min"}),
        json!({"name": "f", "kind": "absence", "no_data": "alert", "scope": "author:ann", "labels": {"team": "a"},
               "annotations": {"summary": "{{scope}} is silent"}}),
    ] {
        let spec = RuleSpec::parse(rule.clone()).unwrap_or_else(|e| panic!("{rule}: {e:?}"));
        assert_eq!(RuleSpec::parse(spec.to_json()), Ok(spec), "{rule}");
    }
}

#[test]
fn invalid_rule_reports_an_error_for_every_field() {
    let fields =
        |rule: Value| RuleSpec::parse(rule).map(|_| ()).map_err(|e| e.into_iter().map(|e| e.field).collect::<Vec<_>>());
    let wrong = |names: &[&str]| Err(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(fields(json!({})), wrong(&["name", "kind"]));
    assert_eq!(fields(json!({"name": " ", "kind": "share"})), wrong(&["name", "threshold"]));
    assert_eq!(
        fields(json!({"name": "a", "kind": "spike", "threshold": 0.5, "window": "4h", "for": "2d", "of": "posts",
                      "significance": 0.1, "labels": {"severity": "x", "1": "y"},
                      "annotations": {"summary": "{{who}}"}})),
        wrong(&["threshold", "window", "for", "labels.1", "labels.severity", "annotations.summary", "significance",])
    );
    assert_eq!(
        fields(json!({"name": "a", "kind": "share", "threshold": 0.5, "of": "posts", "window": "90s",
                      "recovery_threshold": 0.6, "min_posts": 0, "scope": "source:x", "group_by": "source"})),
        wrong(&["of", "group_by", "window", "recovery_threshold", "min_posts"])
    );
    assert_eq!(
        fields(json!({"name": "a", "kind": "absence", "threshold": 1, "scope": "tag:x", "window": 5})),
        wrong(&["window", "scope", "threshold"])
    );
    assert_eq!(
        fields(json!({"name": "a", "kind": "shift", "threshold": 0.1, "baseline_window": "2min",
                      "significance": 0.6})),
        wrong(&["significance", "baseline_window"])
    );
    assert_eq!(
        fields(json!({"name": "a", "kind": "volume", "threshold": 1, "min_authors": 0, "distinct": "words",
                      "no_data": "wake", "delay": "4h"})),
        wrong(&["distinct", "no_data", "delay", "min_authors"])
    );
    let long = json!({"name": "a", "kind": "volume", "threshold": 1, "distinct": "authors", "window": "8h"});
    assert_eq!(fields(long), wrong(&["distinct"]));
    let of = |window: &str| {
        let shift = json!({"name": "a", "kind": "shift", "threshold": 0.1, "window": window});
        RuleSpec::parse(shift).map(|spec| spec.to_json()["baseline_window"].clone())
    };
    assert_eq!([of("5min"), of("1d")], [Ok(json!("1h")), Ok(json!("1d"))]);
}

#[test]
fn error_of_too_many_labels_names_the_limit() {
    let labels: serde_json::Map<String, serde_json::Value> = (0..21).map(|n| (format!("l{n}"), json!("x"))).collect();
    let errors = RuleSpec::parse(json!({"name": "a", "kind": "absence", "labels": labels})).unwrap_err();
    assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), ["labels: must have at most 20 labels"]);
}
