//! Writes one sentence about an alert.

use crate::domain::Alert;
use crate::domain::Sentiment;
use crate::domain::alert::{Class, Condition, Direction, Labels, Rule, Scope};
use crate::domain::human_duration::HumanDuration;

/// Describes the alert in a sentence such as "78 % of 18 posts about acme are negative, usually 22 %". `usual` is the
/// usual percentage of a share.
pub fn of(rule: &Rule, alert: &Alert, usual: Option<f64>) -> String {
    let spec = &rule.spec;
    let facts =
        Facts { alert, about: about(&spec.scope, &alert.labels), window: HumanDuration(spec.window).to_string() };
    let class = spec.condition.class();
    match spec.condition {
        Condition::Share { .. } => facts.share(class, usual),
        Condition::Ratio { .. } => facts.ratio(),
        Condition::Volume { direction, threshold, .. } => facts.volume(class, direction, threshold),
        Condition::Spike { .. } => facts.spike(class),
        Condition::Shift { .. } => facts.shift(class),
        Condition::Absence => format!("No posts{} for {}", facts.about, facts.window),
    }
}

/// The scope in words, with a space before it.
fn about(scope: &Scope, labels: &Labels) -> String {
    let scope = match scope {
        Scope::Topic(name) => format!(" about {name}"),
        Scope::Author(name) => format!(" by {}", name.as_str()),
        Scope::Text(words) => format!(" with \"{words}\""),
        Scope::All | Scope::Source(_) => String::new(),
    };
    match labels.get("source") {
        Some(source) => format!("{scope} on {source}"),
        None => scope,
    }
}

struct Facts<'a> {
    alert: &'a Alert,
    about: String,
    window: String,
}

impl Facts<'_> {
    fn number(&self, name: &str) -> Option<f64> {
        self.alert.details[name].as_f64()
    }

    fn value(&self) -> f64 {
        self.number("value").unwrap_or(self.alert.actual_value)
    }

    /// The number of posts in the window.
    fn total(&self) -> i64 {
        self.alert.details["counts"]["total"].as_i64().unwrap_or_else(|| self.alert.post_count.into())
    }

    /// The number of posts of a class in the window.
    fn count(&self, class: Class) -> Option<i64> {
        match class {
            Class::Posts => Some(self.total()),
            Class::Sentiment(label) => self.alert.details["counts"][label.as_str()].as_i64(),
            Class::Emotion(label) => {
                let emotions = self.alert.details["top_emotions"].as_array()?;
                emotions.iter().find(|found| found["emotion"] == label.as_str())?["count"].as_i64()
            }
        }
    }

    fn share(&self, class: Class, usual: Option<f64>) -> String {
        let usual = usual.map(|usual| format!(", usually {}", percent(usual / 100.0))).unwrap_or_default();
        format!(
            "{} of {}{} {}{usual}",
            percent(self.value()),
            posts(self.total()),
            self.about,
            are(class, self.total())
        )
    }

    fn ratio(&self) -> String {
        let count = |label| self.count(Class::Sentiment(label)).unwrap_or_default();
        let (negative, positive) = (count(Sentiment::Negative), count(Sentiment::Positive));
        format!("{negative} negative and {positive} positive posts{} within {}", self.about, self.window)
    }

    fn volume(&self, class: Class, direction: Direction, threshold: f64) -> String {
        let limit = match direction {
            Direction::Above => "more than",
            Direction::Below => "fewer than",
        };
        let count = plain(self.value());
        let posts = posts_of(class, count == "1");
        format!("{count} {posts}{} within {}, {limit} {}", self.about, self.window, plain(threshold))
    }

    fn spike(&self, class: Class) -> String {
        let count = self.count(class).unwrap_or_else(|| self.alert.post_count.into());
        let usual = self.number("baseline").map(|usual| format!(", usually {}", plain(usual))).unwrap_or_default();
        format!("{count} {}{} within {}{usual}", posts_of(class, count == 1), self.about, self.window)
    }

    fn shift(&self, class: Class) -> String {
        let before = self.number("baseline").unwrap_or_default();
        let now = percent(before + self.value());
        format!(
            "{now} of {}{} {}, {} before",
            posts(self.total()),
            self.about,
            are(class, self.total()),
            percent(before)
        )
    }
}

fn are(class: Class, count: i64) -> String {
    match (class, count == 1) {
        (Class::Posts, true) => "is counted".to_owned(),
        (Class::Posts, false) => "are counted".to_owned(),
        (Class::Sentiment(label), true) => format!("is {label}"),
        (Class::Sentiment(label), false) => format!("are {label}"),
        (Class::Emotion(label), true) => format!("expresses {label}"),
        (Class::Emotion(label), false) => format!("express {label}"),
    }
}

fn posts_of(class: Class, is_one: bool) -> String {
    let posts = if is_one { "post" } else { "posts" };
    match class {
        Class::Posts => posts.to_owned(),
        Class::Sentiment(label) => format!("{label} {posts}"),
        Class::Emotion(label) => format!("{posts} with {label}"),
    }
}

fn posts(count: i64) -> String {
    if count == 1 { "1 post".to_owned() } else { format!("{count} posts") }
}

/// A share in percent, with one decimal place below 10 %.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let scale = if percent.abs() < 10.0 { 10.0 } else { 1.0 };
    format!("{} %", (percent * scale).round() / scale)
}

/// A number with at most one decimal place.
fn plain(number: f64) -> String {
    ((number * 10.0).round() / 10.0).to_string()
}
