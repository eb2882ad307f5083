//! Composes the message of a notification.

use std::collections::BTreeMap;

use super::details;
use super::group::{Group, Notification, NotifiedAlert};
use crate::domain::Timestamp;
use crate::domain::alert::Rule;
use crate::domain::alert::rule::BUILT_IN;
use crate::domain::notify::message::common;
use crate::domain::notify::{Message, MessageAlert, Receiver, Status};
use crate::store::{Store, StoreError};

/// The annotation that gets the generated sentence if the rule does not define the annotation, or is built in.
const SUMMARY: &str = "summary";

/// Composes messages. Reads the rules only once.
pub struct Composer<'a> {
    store: &'a Store,
    /// The URL of the dashboard.
    external_url: &'a str,
    rules: Option<BTreeMap<i64, Rule>>,
}

impl<'a> Composer<'a> {
    /// Creates a composer. `external_url` is the URL of the dashboard for links in messages.
    pub fn new(store: &'a Store, external_url: &'a str) -> Self {
        Self { store, external_url, rules: None }
    }

    /// The message about `notification` of a group.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn compose(
        &mut self,
        group: &Group,
        notification: Notification,
        receiver: &Receiver,
    ) -> Result<Message, StoreError> {
        let most = usize::try_from(receiver.max_alerts).unwrap_or(usize::MAX);
        let fires = notification.alerts.iter().any(|alert| alert.member.ends_at.is_none());
        let common_labels = common(notification.alerts.iter().map(|alert| &alert.member.labels));
        let truncated_alerts = notification.alerts.len().saturating_sub(most);
        let mut alerts = Vec::new();
        for alert in notification.alerts.into_iter().take(most) {
            alerts.push(self.alert(alert).await?);
        }
        Ok(Message {
            version: "4".to_owned(),
            group_key: group.key(),
            truncated_alerts,
            status: if fires { Status::Firing } else { Status::Resolved },
            receiver: receiver.name.clone(),
            group_labels: group.labels.clone(),
            common_labels,
            common_annotations: common(alerts.iter().map(|alert| &alert.annotations)),
            external_url: self.external_url.to_owned(),
            alerts,
        })
    }

    async fn alert(&mut self, alert: NotifiedAlert) -> Result<MessageAlert, StoreError> {
        let NotifiedAlert { fingerprint, member } = alert;
        let base = self.external_url.trim_end_matches('/');
        let stored = self.store.alert(member.alert_id).await?;
        // While an alert fires, its stored annotations contain the current values; those of the member are older.
        let current = stored.as_ref().filter(|_| member.ends_at.is_none()).map(|alert| &alert.annotations);
        let mut annotations = current.unwrap_or(&member.annotations).clone();
        let mut shown = None;
        if let Some(stored) = stored
            && let Some(rule) = self.rule(stored.rule_id).await?
        {
            let found = details::of(self.store, &rule, &stored, base).await?;
            // The sentence is easier to read than the summaries of built-in rules, which are lists of numbers.
            let is_built_in = rule.provisioned && BUILT_IN.contains(&rule.spec.name.as_str());
            if is_built_in || !annotations.contains_key(SUMMARY) {
                annotations.insert(SUMMARY.to_owned(), found.sentence.clone());
            }
            shown = Some(found);
        }
        Ok(MessageAlert {
            status: member.status(),
            labels: member.labels,
            annotations,
            starts_at: member.starts_at,
            ends_at: member.ends_at.unwrap_or(Timestamp::MIN),
            generator_url: format!("{base}/alerts/{}", member.alert_id),
            fingerprint,
            details: shown,
        })
    }

    async fn rule(&mut self, id: Option<i64>) -> Result<Option<Rule>, StoreError> {
        let Some(id) = id else { return Ok(None) };
        if self.rules.is_none() {
            let rules = self.store.alert_rules().await?.rules;
            self.rules = Some(rules.into_iter().map(|rule| (rule.id, rule)).collect());
        }
        Ok(self.rules.as_ref().and_then(|rules| rules.get(&id)).cloned())
    }
}
