//! The content of notifications: the JSON of Alertmanager's webhooks, version 4
//! (<https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>), with further fields.

use serde::{Deserialize, Serialize, Serializer};

use super::AlertDetails;
use crate::domain::Timestamp;
use crate::domain::alert::{Labels, fingerprint};

/// The status of an alert or of a whole message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MessageStatus)]
pub enum Status {
    /// The alert fires, or at least one alert of the message fires.
    Firing,
    /// The alert is resolved, or all alerts of the message are resolved.
    Resolved,
}

impl Status {
    /// The name used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// A notification about a group of alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Always `4`.
    pub version: String,
    /// The key of the group, which is the same in all messages about the group.
    pub group_key: String,
    /// The number of alerts that were left out because of the receiver's limit `max_alerts`.
    pub truncated_alerts: usize,
    /// `firing` if at least one of the alerts fires.
    pub status: Status,
    /// The receiver's name.
    pub receiver: String,
    /// The labels by which the route groups alerts, with their values in this group.
    pub group_labels: Labels,
    /// The labels that all alerts have with the same values, including the left-out alerts.
    pub common_labels: Labels,
    /// The annotations that all alerts in `alerts` have with the same values.
    pub common_annotations: Labels,
    /// The URL of the dashboard.
    #[serde(rename = "externalURL")]
    pub external_url: String,
    /// The alerts of the group, up to the receiver's limit `max_alerts`. Firing alerts come first.
    pub alerts: Vec<MessageAlert>,
}

/// An alert of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageAlert {
    /// Whether this alert fires.
    pub status: Status,
    /// The labels that identify the alert, such as `alertname`, `severity` and `source`.
    pub labels: Labels,
    /// Texts about the alert, such as `summary`.
    pub annotations: Labels,
    /// When the alert started to fire.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// When the alert was resolved; `0001-01-01T00:00:00Z` while the alert fires.
    #[serde(serialize_with = "end")]
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
    /// The URL of the alert on the dashboard.
    #[serde(rename = "generatorURL")]
    pub generator_url: String,
    /// The fingerprint of `labels`: 16 hexadecimal digits.
    pub fingerprint: String,
    /// A description of the alert with example posts and frequent words. Omitted if the alert has no rule, or the alert
    /// or its rule was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<AlertDetails>,
}

/// Writes the zero time of Go, without milliseconds, as the end of a firing alert, because programs that read
/// Alertmanager's messages compare the end with this text.
fn end<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    if *at == Timestamp::MIN { serializer.serialize_str("0001-01-01T00:00:00Z") } else { at.serialize(serializer) }
}

impl Message {
    /// A message to test a receiver.
    pub fn test(receiver: &str, external_url: &str, now: Timestamp) -> Self {
        let of = |pairs: [(&str, &str); 2]| -> Labels {
            pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let labels = of([("alertname", "Test"), ("severity", "info")]);
        let annotations = of([
            ("summary", "Test notification from SentiStream"),
            ("description", "A user sent this message from SentiStream to test the receiver. No action is needed."),
        ]);
        let alert = MessageAlert {
            status: Status::Firing,
            fingerprint: fingerprint(&labels),
            labels: labels.clone(),
            annotations: annotations.clone(),
            starts_at: now,
            ends_at: Timestamp::MIN,
            generator_url: format!("{}/alerts", external_url.trim_end_matches('/')),
            details: None,
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

    /// The numbers of firing and of resolved alerts.
    pub fn counts(&self) -> (usize, usize) {
        let firing = self.alerts.iter().filter(|alert| alert.status == Status::Firing).count();
        (firing, self.alerts.len() - firing)
    }
}

/// The labels that all of `sets` contain with the same values.
pub fn common<'a>(mut sets: impl Iterator<Item = &'a Labels>) -> Labels {
    let Some(first) = sets.next() else { return Labels::new() };
    let mut common = first.clone();
    for labels in sets {
        common.retain(|name, value| labels.get(name) == Some(value));
    }
    common
}
