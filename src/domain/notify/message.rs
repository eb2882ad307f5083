//! What receivers are told: the JSON of Alertmanager's webhooks, version 4.

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;
use crate::domain::alert::{Labels, fingerprint};

/// Whether any of the alerts fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MessageStatus)]
pub enum Status {
    Firing,
    Resolved,
}

impl Status {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// One notification, about a group of alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Always `4`.
    pub version: String,
    /// The same for all messages about a group.
    pub group_key: String,
    /// How many alerts were left out, because there are more than the receiver takes.
    pub truncated_alerts: usize,
    /// `firing` when at least one of the alerts fires.
    pub status: Status,
    /// The receiver's name.
    pub receiver: String,
    /// What the group has in common by its route.
    pub group_labels: Labels,
    /// What all its alerts have in common.
    pub common_labels: Labels,
    pub common_annotations: Labels,
    /// The dashboard.
    #[serde(rename = "externalURL")]
    pub external_url: String,
    pub alerts: Vec<MessageAlert>,
}

/// An alert in a [`Message`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageAlert {
    pub status: Status,
    pub labels: Labels,
    pub annotations: Labels,
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// The year 1 while it fires.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
    /// The alert on the dashboard.
    #[serde(rename = "generatorURL")]
    pub generator_url: String,
    pub fingerprint: String,
}

impl Message {
    /// A message with which someone tries a receiver out.
    pub fn test(receiver: &str, external_url: &str, now: Timestamp) -> Self {
        let of = |pairs: [(&str, &str); 2]| -> Labels {
            pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let labels = of([("alertname", "Test"), ("severity", "info")]);
        let annotations = of([
            ("summary", "This is a test of the receiver"),
            ("description", "Someone pressed the test button of SentiStream. Nothing is wrong."),
        ]);
        let alert = MessageAlert {
            status: Status::Firing,
            fingerprint: fingerprint(&labels),
            labels: labels.clone(),
            annotations: annotations.clone(),
            starts_at: now,
            ends_at: Timestamp::MIN,
            generator_url: format!("{}/alerts", external_url.trim_end_matches('/')),
        };
        Self {
            version: "4".to_owned(),
            group_key: format!("test:{receiver}"),
            truncated_alerts: 0,
            status: Status::Firing,
            receiver: receiver.to_owned(),
            group_labels: Labels::new(),
            common_labels: labels,
            common_annotations: annotations,
            external_url: external_url.to_owned(),
            alerts: vec![alert],
        }
    }

    /// How many of its alerts fire, and how many are resolved.
    pub fn counts(&self) -> (usize, usize) {
        let firing = self.alerts.iter().filter(|alert| alert.status == Status::Firing).count();
        (firing, self.alerts.len() - firing)
    }
}

/// The labels that all of `sets` have with the same value.
pub fn common<'a>(mut sets: impl Iterator<Item = &'a Labels>) -> Labels {
    let Some(first) = sets.next() else { return Labels::new() };
    let mut common = first.clone();
    for labels in sets {
        common.retain(|name, value| labels.get(name) == Some(value));
    }
    common
}
