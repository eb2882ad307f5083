//! From a group's news to the message that a receiver gets.

use super::group::{Group, News};
use crate::domain::notify::message::common;
use crate::domain::notify::{Message, Receiver, Status};

/// The message about `news` of a group.
pub fn of_group(key: &str, group: &Group, news: News, receiver: &Receiver, external_url: &str) -> Message {
    let mut alerts = news.alerts;
    let common_labels = common(alerts.iter().map(|alert| &alert.labels));
    let common_annotations = common(alerts.iter().map(|alert| &alert.annotations));
    let fires = alerts.iter().any(|alert| alert.status == Status::Firing);
    let taken = (receiver.max_alerts as usize).min(alerts.len());
    let truncated_alerts = alerts.len() - taken;
    alerts.truncate(taken);
    Message {
        version: "4".to_owned(),
        group_key: key.to_owned(),
        truncated_alerts,
        status: if fires { Status::Firing } else { Status::Resolved },
        receiver: receiver.name.clone(),
        group_labels: group.labels.clone(),
        common_labels,
        common_annotations,
        external_url: external_url.to_owned(),
        alerts,
    }
}
