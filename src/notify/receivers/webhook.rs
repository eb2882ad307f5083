//! Sends messages to webhooks in Alertmanager's format, version 4.

use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;
use url::Url;

use super::service::add_headers;
use super::{Outcome, ReceiverError, Sender, Tools};
use crate::clock::Clock;
use crate::domain::notify::{Channel, Delivery};
use crate::notify::setup::ReceiverWithSecrets;
use crate::outbound::Outbound;

/// The header with the id of the delivery. Every attempt has the same id, so that receivers can drop duplicates.
const DELIVERY: HeaderName = HeaderName::from_static("x-sentistream-delivery");
/// The header `t=SECONDS,v1=HEX` with the Unix time of the request, and the HMAC-SHA256 of `SECONDS.BODY` under the
/// signing key.
const SIGNATURE: HeaderName = HeaderName::from_static("x-sentistream-signature");

/// A sender to a webhook.
pub struct Webhook {
    outbound: Outbound,
    clock: Clock,
    url: Url,
    headers: HeaderMap,
    signing_key: Option<Hmac<Sha256>>,
}

impl Webhook {
    /// # Errors
    /// When the URL, a header or the signing key is invalid.
    pub fn new(found: &ReceiverWithSecrets, tools: &Tools) -> Result<Self, ReceiverError> {
        let ReceiverWithSecrets { receiver, secrets } = found;
        let Channel::Webhook { url, headers: visible } = &receiver.channel else {
            return Err(ReceiverError::Unknown);
        };
        let mut headers = HeaderMap::new();
        for (name, value) in visible {
            let invalid = || ReceiverError::Header(name.clone());
            let value = HeaderValue::try_from(value).map_err(|_| invalid())?;
            headers.insert(HeaderName::try_from(name).map_err(|_| invalid())?, value);
        }
        add_headers(&mut headers, secrets)?;
        let key = |key: &str| Hmac::new_from_slice(key.as_bytes());
        Ok(Self {
            outbound: tools.outbound.clone(),
            clock: tools.clock.clone(),
            url: url.parse()?,
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
