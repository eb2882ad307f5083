//! Webhooks in Alertmanager's form, version 4.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;
use url::Url;

use super::{Outcome, Sender, Tools};
use crate::clock::Clock;
use crate::domain::notify::{Delivery, Secrets};
use crate::outbound::Outbound;

/// Names the delivery, the same in each attempt, so that a receiver can tell a message that it has already.
const DELIVERY: HeaderName = HeaderName::from_static("x-sentistream-delivery");
/// `t=SECONDS,v1=HEX`: when it was sent (Unix time), and the HMAC-SHA256 under the signing key of `SECONDS.BODY`.
const SIGNATURE: HeaderName = HeaderName::from_static("x-sentistream-signature");

/// A webhook.
pub struct Webhook {
    outbound: Outbound,
    clock: Clock,
    url: Url,
    headers: HeaderMap,
    signing_key: Option<Hmac<Sha256>>,
}

impl Webhook {
    /// # Errors
    /// When the URL or a header cannot be used.
    pub fn new(
        (url, shown): (&str, &BTreeMap<String, String>),
        secrets: &Secrets,
        tools: &Tools,
    ) -> Result<Self, String> {
        let url = url.parse().map_err(|_| "its URL is none".to_owned())?;
        let mut headers = HeaderMap::new();
        let shown = shown.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in shown.chain(secrets.headers()) {
            let wrong = || format!("its header {name:?} cannot be sent");
            let name = HeaderName::try_from(name).map_err(|_| wrong())?;
            headers.insert(name, HeaderValue::try_from(value).map_err(|_| wrong())?);
        }
        let key =
            |key: &str| Hmac::new_from_slice(key.as_bytes()).map_err(|_| "its signing key cannot be used".to_owned());
        Ok(Self {
            outbound: tools.outbound.clone(),
            clock: tools.clock.clone(),
            url,
            headers,
            signing_key: secrets.get("signing_key").map(key).transpose()?,
        })
    }
}

impl Sender for Webhook {
    fn send<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let body = serde_json::to_vec(&delivery.message).unwrap_or_default();
            let mut headers = self.headers.clone();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(DELIVERY, HeaderValue::from(delivery.id));
            if let Some(key) = &self.signing_key {
                let signature = sign(key.clone(), self.clock.now().as_seconds(), &body);
                if let Ok(value) = HeaderValue::try_from(signature) {
                    headers.insert(SIGNATURE, value);
                }
            }
            Outcome::of_http(self.outbound.post(&self.url, headers, body).await, &self.clock)
        })
    }
}

fn sign(mut key: Hmac<Sha256>, seconds: i64, body: &[u8]) -> String {
    key.update(format!("{seconds}.").as_bytes());
    key.update(body);
    let code: String = key.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={code}")
}
