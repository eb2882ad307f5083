//! Incoming webhooks as Slack has them.

use futures_util::future::BoxFuture;
use reqwest::header::{self, HeaderMap, HeaderValue};
use url::Url;

use super::{Outcome, Sender, Tools};
use crate::clock::Clock;
use crate::domain::notify::{Delivery, Secrets};
use crate::notify::render;
use crate::outbound::Outbound;

/// A channel of Slack, or of what understands its form.
pub struct Slack {
    outbound: Outbound,
    clock: Clock,
    url: Url,
}

impl Slack {
    /// # Errors
    /// When there is no URL.
    pub fn new(secrets: &Secrets, tools: &Tools) -> Result<Self, String> {
        let url = secrets.get("url").ok_or("its secret url is missing")?;
        let url = url.parse().map_err(|_| "its secret url is none".to_owned())?;
        Ok(Self { outbound: tools.outbound.clone(), clock: tools.clock.clone(), url })
    }
}

impl Sender for Slack {
    fn send<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let body = render::slack(&delivery.message).to_string().into_bytes();
            let json = HeaderValue::from_static("application/json");
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
            Outcome::of_http(self.outbound.post(&self.url, headers, body).await, &self.clock)
        })
    }
}
