//! The content of a notification about an alert, besides its labels and annotations.

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;

/// A description of the alert, with posts and words, at the time when the message was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AlertDetails {
    /// A description in one sentence.
    #[schema(example = "78 % of 18 posts about acme are negative, usually 22 %")]
    pub sentence: String,
    /// The value of the alert's series at the last evaluation while the alert was firing; null if it is not known.
    pub value: Option<f64>,
    /// The most extreme value since the alert started to fire; null if it is not known.
    pub peak: Option<f64>,
    /// The threshold of the rule.
    pub threshold: f64,
    /// Up to three posts that the alert is about.
    pub quotes: Vec<Quote>,
    /// Up to six words that are more frequent than usual in the posts that the alert is about.
    pub words: Vec<String>,
    /// The URL of the posts that the alert is about, on the dashboard.
    pub posts_url: String,
    /// The URL of the form on the dashboard that silences the alert.
    pub silence_url: String,
}

/// A post in a notification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Quote {
    /// The id of the post; null in messages that an earlier version of SentiStream wrote.
    #[serde(default)]
    pub post_id: Option<String>,
    /// The first 200 characters of the post's text.
    pub content: String,
    /// The name of the author; null if it is not known.
    pub author: Option<String>,
    /// The name of the source.
    pub source: String,
    /// The URL of the post at its source; null if it is not known.
    pub url: Option<String>,
    /// When the author wrote the post; null if it is not known.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_at: Option<Timestamp>,
    /// The number of further posts with almost the same text.
    pub duplicates: u64,
}

impl AlertDetails {
    /// Example values, for previews and for the validation of templates.
    pub fn example(external_url: &str) -> Self {
        let base = external_url.trim_end_matches('/');
        let quote = |content: &str, author: &str| Quote {
            post_id: Some("web-1".to_owned()),
            content: content.to_owned(),
            author: Some(author.to_owned()),
            source: "web".to_owned(),
            url: Some("https://social.example.org/posts/1".to_owned()),
            created_at: None,
            duplicates: 2,
        };
        Self {
            sentence: "78 % of 18 posts about acme are negative, usually 22 %".to_owned(),
            value: Some(0.78),
            peak: Some(0.81),
            threshold: 0.5,
            quotes: vec![
                quote("My acme order is late again and support does not answer", "ada"),
                quote("Third refund request this week, still nothing from acme", "grace"),
            ],
            words: vec!["refund".to_owned(), "late".to_owned(), "support".to_owned()],
            posts_url: format!("{base}/posts?topic=acme&sentiment=negative"),
            silence_url: format!("{base}/alerts/silences?matchers=alertname%3D%22Acme%22"),
        }
    }
}
