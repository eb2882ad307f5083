//! The topics and rules of a demonstration: topics with and without incidents, and a rule for each.

use serde_json::json;

use crate::domain::alert::RuleSpec;
use crate::domain::{TopicName, TopicOrigin};
use crate::sources::synthetic::name::Name;
use crate::sources::synthetic::past::Past;
use crate::store::topics::{ExistingPosts, NewTopic};

/// The actor of the demonstration's changes in the audit trail.
pub const ACTOR: &str = "demonstration";

fn names(past: &Past) -> [&Name; 3] {
    let [yesterday, present] = &past.incidents;
    [&present.about, &yesterday.about, &past.unaffected]
}

/// The topics of the demonstration.
pub fn topics(past: &Past) -> Vec<NewTopic> {
    names(past).into_iter().filter_map(topic).collect()
}

fn topic(name: &Name) -> Option<NewTopic> {
    Some(NewTopic {
        name: topic_name(name)?,
        query: format!("\"{}\" OR #{} OR @{}", name.name, name.tag, name.handle),
        description: format!("Generated posts about {}", name.name),
        origin: TopicOrigin::Api,
        existing_posts: ExistingPosts::Leave,
    })
}

fn topic_name(name: &Name) -> Option<TopicName> {
    let words: Vec<String> = name
        .name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    TopicName::parse(&words.join("-")).ok()
}

/// The rules of the demonstration: one rule per topic.
pub fn rules(past: &Past) -> Vec<RuleSpec> {
    names(past).into_iter().filter_map(rule).collect()
}

fn rule(name: &Name) -> Option<RuleSpec> {
    let rule = json!({
        "name": format!("{}: mood turns negative", name.name),
        "kind": "share",
        "of": "sentiment:negative",
        "threshold": 0.35,
        "significance": 0.01,
        "scope": format!("topic:{}", topic_name(name)?),
        "window": "10min",
        "min_posts": 10,
        "min_authors": 5,
        // The posts of a week are stored within minutes, so their delay is not meaningful.
        "delay": "0s",
        "for": "1min",
        "keep_firing_for": "10min",
        "recovery_threshold": 0.3,
        "severity": "critical",
        "annotations": {"summary": format!("{{{{value}}}} of {{{{posts}}}} posts about {} are negative", name.name)},
    });
    RuleSpec::parse(rule).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_and_rules_are_valid() {
        let past = Past::new("0123456789abcdef0123456789abcdef", "2026-03-01T12:00:00Z".parse().unwrap(), 2_000);
        let (topics, rules) = (topics(&past), rules(&past));
        assert_eq!((topics.len(), rules.len()), (3, 3));
        for topic in &topics {
            crate::topics::Query::parse(&topic.query).unwrap();
        }
    }
}
