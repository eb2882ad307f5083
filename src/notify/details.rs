//! The content of a message about an alert: a sentence, posts, words and links.

mod sentence;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::domain::SentimentOf;
use crate::domain::alert::{Condition, Labels, Rule, Scope};
use crate::domain::counts::percentage;
use crate::domain::notify::{AlertDetails, Quote};
use crate::domain::{Alert, TimeRange};
use crate::rules::DAY;
use crate::store::{Store, StoreError};

/// The maximum number of posts and words in a message.
const QUOTES: usize = 3;
const WORDS: usize = 6;
/// The labels that identify a series. The link to silence an alert contains matchers of these labels.
const IDENTITY: [&str; 6] = ["alertname", "rule_id", "source", "author", "topic", "text"];

/// The details of `alert`. `base` is the URL of the dashboard.
///
/// # Errors
/// When the store fails.
pub async fn of(store: &Store, rule: &Rule, alert: &Alert, base: &str) -> Result<AlertDetails, StoreError> {
    let usual = usual_percentage(store, rule, alert).await?;
    let list = |name: &str| alert.details[name].as_array().cloned().unwrap_or_default();
    let link = alert.details["link"].as_str().unwrap_or("/posts");
    Ok(AlertDetails {
        sentence: sentence::of(rule, alert, usual),
        value: alert.details["value"].as_f64(),
        peak: alert.details["peak"].as_f64(),
        threshold: alert.threshold_value,
        quotes: list("evidence").iter().filter_map(quote).take(QUOTES).collect(),
        words: list("top_terms").iter().filter_map(word).take(WORDS).collect(),
        posts_url: format!("{base}{link}"),
        silence_url: format!("{base}/alerts/silences?matchers={}", matchers(&alert.labels)),
    })
}

fn quote(post: &Value) -> Option<Quote> {
    let text = |name: &str| post[name].as_str().map(str::to_owned);
    Some(Quote {
        post_id: text("post_id"),
        content: text("content")?,
        author: text("author"),
        source: text("source").unwrap_or_default(),
        url: text("url"),
        created_at: serde_json::from_value(post["created_at"].clone()).ok(),
        duplicates: post["duplicates"].as_u64().unwrap_or_default(),
    })
}

/// Reads a term, which is stored as a string or as an object with details.
fn word(term: &Value) -> Option<String> {
    term.as_str().or_else(|| term["term"].as_str()).map(str::to_owned)
}

/// The matchers of a silence for this alert, encoded for a URL.
fn matchers(labels: &Labels) -> String {
    let matcher = |name: &&str| labels.get(*name).map(|value| format!("{name}={value:?}"));
    let text = IDENTITY.iter().filter_map(matcher).collect::<Vec<_>>().join(",");
    utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string()
}

/// The usual percentage of a share: the percentage in the 24 hours before the window. `None` if the rule is not a
/// share, there are no posts with a sentiment, the topic was deleted, or rollups do not contain the counts of the
/// scope.
async fn usual_percentage(store: &Store, rule: &Rule, alert: &Alert) -> Result<Option<f64>, StoreError> {
    let Condition::Share { of, .. } = rule.spec.condition else { return Ok(None) };
    let topic = match &rule.spec.scope {
        Scope::All | Scope::Source(_) => None,
        Scope::Topic(name) => match store.topic(name).await? {
            Some(topic) => Some(topic.id),
            // The topic was deleted, so there are no counts.
            None => return Ok(None),
        },
        Scope::Author(_) | Scope::Text(_) => return Ok(None),
    };
    let day = TimeRange::last(DAY, alert.window_start);
    let counts = store.window_by_source(day, topic, SentimentOf::Topic).await?;
    let source = alert.labels.get("source");
    let counts =
        counts.iter().filter(|(name, _)| source.is_none_or(|source| source == *name)).map(|(_, counts)| counts);
    let (part, total) = counts.fold((0, 0), |(part, total), counts| (part + of.of(counts), total + counts.total()));
    Ok((total > 0).then(|| percentage(part, total)))
}
