//! Sends messages to services that accept JSON over HTTP: chats, incident management services, and Alertmanager.

use futures_util::future::BoxFuture;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use url::Url;

use super::{Outcome, ReceiverError, Sender, Tools, texts};
use crate::clock::Clock;
use crate::domain::notify::render::{self, incident};
use crate::domain::notify::{Channel, Delivery, Receiver, Secrets};
use crate::notify::setup::ReceiverWithSecrets;
use crate::outbound::Outbound;

/// Sends the messages of one receiver to its service.
pub struct ServiceSender {
    outbound: Outbound,
    clock: Clock,
    receiver: Receiver,
    /// The URL of requests. For Opsgenie a path is appended to it.
    url: Url,
    headers: HeaderMap,
    /// PagerDuty requires its key in the body.
    routing_key: Option<String>,
}

impl ServiceSender {
    /// # Errors
    /// When a secret is missing, or the address or a header is invalid.
    pub fn new(found: &ReceiverWithSecrets, tools: &Tools) -> Result<Self, ReceiverError> {
        let ReceiverWithSecrets { receiver, secrets } = found;
        let json = HeaderValue::from_static("application/json");
        let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
        let secret = |name: &'static str| secrets.get(name).ok_or(ReceiverError::MissingSecret(name));
        let url = match &receiver.channel {
            Channel::PagerDuty { url } | Channel::Opsgenie { url } | Channel::Ntfy { url, .. } => url.parse()?,
            Channel::Telegram { url, .. } => below(&url.parse()?, &format!("/bot{}/sendMessage", secret("bot_token")?)),
            Channel::Alertmanager { url, .. } => below(&url.parse()?, "/api/v2/alerts"),
            _ => secret("url")?.parse()?,
        };
        let authorization = match &receiver.channel {
            Channel::Opsgenie { .. } => Some(format!("GenieKey {}", secret("api_key")?)),
            Channel::Ntfy { .. } => secrets.get("token").map(|token| format!("Bearer {token}")),
            _ => None,
        };
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, sensitive(&value)?);
        }
        add_headers(&mut headers, secrets)?;
        let routing_key = match &receiver.channel {
            Channel::PagerDuty { .. } => Some(secret("routing_key")?.to_owned()),
            _ => None,
        };
        Ok(Self {
            outbound: tools.outbound.clone(),
            clock: tools.clock.clone(),
            receiver: receiver.clone(),
            url,
            headers,
            routing_key,
        })
    }
}

impl Sender for ServiceSender {
    fn send<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let (channel, message) = (&self.receiver.channel, &delivery.message);
            let texts = texts(&self.receiver.templates, delivery);
            let mut body = render::json(channel, message, &texts, self.clock.now());
            if let Some(key) = &self.routing_key {
                body["routing_key"] = json!(key);
            }
            let url = match channel {
                Channel::Opsgenie { .. } => below(&self.url, &incident::opsgenie_path(message)),
                _ => self.url.clone(),
            };
            let body = body.to_string().into_bytes();
            Outcome::of_http(self.outbound.post(&url, self.headers.clone(), body).await, &self.clock)
        })
    }
}

/// Appends `path`, which may contain a query, to the path of `base`.
fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url.set_query(query);
    url
}

fn sensitive(value: &str) -> Result<HeaderValue, ReceiverError> {
    let mut value =
        HeaderValue::try_from(value).map_err(|_| ReceiverError::Header(header::AUTHORIZATION.to_string()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Adds the secrets that are sent as headers.
pub(super) fn add_headers(headers: &mut HeaderMap, secrets: &Secrets) -> Result<(), ReceiverError> {
    for (name, value) in secrets.headers() {
        let invalid = || ReceiverError::Header(name.to_owned());
        let mut value = HeaderValue::try_from(value).map_err(|_| invalid())?;
        value.set_sensitive(true);
        headers.insert(HeaderName::try_from(name).map_err(|_| invalid())?, value);
    }
    Ok(())
}
