//! One request to an OpenAI-compatible API.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url, redirect};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::inference::InferenceError;

use super::LlmOptions;
use super::prompt::{self, AnswerForm};

/// Longest answer that is read.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Why a request brought no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatError {
    /// The server is away, busy or broken: the same request may work later.
    Failing { reason: String, wait: Option<Duration> },
    /// The server does not want this request; another may work.
    Refused(String),
}

/// A server with its key.
pub struct Chat {
    client: Client,
    url: Url,
    key: Option<HeaderValue>,
    model: String,
    /// The server does not know JSON schemas.
    plain: AtomicBool,
}

impl Chat {
    /// A client of the server that `options` name. Nothing is sent yet.
    ///
    /// # Errors
    /// [`InferenceError::Load`] when the key is not valid in a header, or TLS cannot be set up.
    pub fn new(options: &LlmOptions) -> Result<Self, InferenceError> {
        let wrong = |reason: String| InferenceError::Load { model: options.name(), reason };
        // Fails when another caller has installed a provider already, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A redirect would carry posts and key to another server.
        let client = Client::builder().redirect(redirect::Policy::none()).timeout(options.timeout).build();
        let key = options.api_key.as_ref().map(|key| {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()))?;
            value.set_sensitive(true);
            Ok::<_, reqwest::header::InvalidHeaderValue>(value)
        });
        let mut url = options.base_url.clone();
        url.path_segments_mut()
            .map_err(|()| wrong("the base URL of the API cannot have a path".to_owned()))?
            .pop_if_empty()
            .extend(["chat", "completions"]);
        Ok(Self {
            client: client.map_err(|e| wrong(format!("cannot set up HTTP: {e}")))?,
            url,
            key: key.transpose().map_err(|_| wrong("llm.api_key holds characters that no key has".to_owned()))?,
            model: options.model.clone(),
            plain: AtomicBool::new(false),
        })
    }

    /// The response format of the next request.
    pub fn form(&self) -> AnswerForm {
        if self.plain.load(Ordering::Relaxed) { AnswerForm::Object } else { AnswerForm::Schema }
    }

    /// Notes that the server does not know JSON schemas.
    pub fn use_objects(&self) {
        if !self.plain.swap(true, Ordering::Relaxed) {
            tracing::info!("language model server rejects JSON schemas; falling back to JSON objects");
        }
    }

    /// The body of the answer about `texts`.
    ///
    /// # Errors
    /// See [`ChatError`].
    pub async fn ask(&self, texts: &[&str], form: AnswerForm) -> Result<Vec<u8>, ChatError> {
        let body: Value = prompt::request(&self.model, texts, form);
        let mut request = self.client.post(self.url.clone()).json(&body);
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key.clone());
        }
        let failing = |reason: String| ChatError::Failing { reason, wait: None };
        // Errors of the client contain the URL, which may hold secrets.
        let mut answer = request.send().await.map_err(|e| failing(describe(&e.without_url())))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(refusal(status, answer.headers().get(RETRY_AFTER)));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| failing(describe(&e.without_url())))? {
            if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(failing(format!("the answer is longer than {MAX_ANSWER_BYTES} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        "no whole answer in time (llm.timeout)".to_owned()
    } else if error.is_connect() {
        "cannot connect".to_owned()
    } else {
        error.to_string()
    }
}

fn refusal(status: StatusCode, retry_after: Option<&HeaderValue>) -> ChatError {
    // The other form, a date, is rare here; the exponential backoff applies.
    let seconds = retry_after.and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok());
    let wait = seconds.filter(|seconds| (0.0..=86_400.0).contains(seconds)).map(Duration::from_secs_f64);
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            ChatError::Failing { reason: format!("HTTP {}: check llm.api_key", status.as_u16()), wait }
        }
        StatusCode::NOT_FOUND => {
            ChatError::Failing { reason: "HTTP 404: check llm.base_url and llm.model".to_owned(), wait }
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            ChatError::Failing { reason: format!("HTTP {}", status.as_u16()), wait }
        }
        status if status.is_client_error() => ChatError::Refused(format!("HTTP {}", status.as_u16())),
        status => ChatError::Failing { reason: format!("HTTP {}", status.as_u16()), wait },
    }
}
