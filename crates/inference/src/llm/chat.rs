//! Sends single requests to an OpenAI-compatible API.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url, redirect};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::InferenceError;

use super::LlmOptions;
use super::prompt::{self, AnswerForm, Extras, PromptPost};

/// The names of the parameter that limits the tokens of a response. Newer models of OpenAI reject the second name, and
/// some other servers reject the first name.
const LIMITS: [&str; 2] = ["max_completion_tokens", "max_tokens"];
/// The maximum number of bytes of an error response that are read.
const MAX_REFUSAL_BYTES: usize = 16 * 1024;
/// The maximum size of a response, in bytes.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatError {
    /// The server is unreachable, busy or failing. The same request may succeed later.
    Failing { reason: String, wait: Option<Duration> },
    /// The server rejects this request. Another request may succeed.
    Refused(String),
}

/// The result of a request and its retries.
pub enum Sent {
    /// The body of the response.
    Body(Vec<u8>),
    /// Why the server rejects this request. Another request may succeed.
    Rejected(String),
}

/// A client of a server.
pub struct Chat {
    client: Client,
    url: Url,
    key: Option<HeaderValue>,
    model: String,
    /// Whether the server has rejected JSON schemas.
    plain: AtomicBool,
    /// Whether the server has rejected the parameter `temperature`.
    untempered: AtomicBool,
    /// The index in [`LIMITS`] of the parameter that is sent. An index after the last name means that no limit is sent.
    limit: AtomicUsize,
}

impl Chat {
    /// Creates a client of the server in `options`. This sends no request.
    ///
    /// # Errors
    /// [`InferenceError::Load`] when the base URL cannot have a path, the key is not valid in a header, or TLS cannot
    /// be set up.
    pub fn new(options: &LlmOptions) -> Result<Self, InferenceError> {
        let wrong = |reason: String| InferenceError::Load { model: options.name(), reason };
        // The only possible error is that a provider is already installed, which needs no handling.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Redirects are not followed, because they would send posts and the key to another server.
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
            key: key.transpose().map_err(|_| wrong("llm.api_key is not a valid header value".to_owned()))?,
            model: options.model.clone(),
            plain: AtomicBool::new(false),
            untempered: AtomicBool::new(false),
            limit: AtomicUsize::new(0),
        })
    }

    /// The response format of the next request.
    pub fn form(&self) -> AnswerForm {
        if self.plain.load(Ordering::Relaxed) { AnswerForm::Object } else { AnswerForm::Schema }
    }

    /// Records that the server does not support JSON schemas.
    pub fn use_objects(&self) {
        if !self.plain.swap(true, Ordering::Relaxed) {
            tracing::info!("LLM server rejects JSON schemas, so plain JSON objects are requested");
        }
    }

    /// Sends a request about `posts`, and returns the body of the response.
    ///
    /// # Errors
    /// [`ChatError`] says whether a retry may succeed.
    pub async fn ask(&self, posts: &[PromptPost<'_>], form: AnswerForm) -> Result<Vec<u8>, ChatError> {
        loop {
            let extras = self.extras();
            match self.ask_once(posts, form, extras).await {
                Err(Refusal { body, error: ChatError::Refused(_) }) if self.leave_out(&body, extras) => {}
                answer => return answer.map_err(|refusal| refusal.error),
            }
        }
    }

    fn extras(&self) -> Extras {
        let limit = LIMITS.get(self.limit.load(Ordering::Relaxed)).copied();
        Extras { temperature: !self.untempered.load(Ordering::Relaxed), limit }
    }

    /// Stops sending the parameter that the error response names. Returns whether the failed request contained this
    /// parameter.
    fn leave_out(&self, refusal: &str, extras: Extras) -> bool {
        if extras.temperature && refusal.contains("temperature") {
            self.untempered.store(true, Ordering::Relaxed);
            tracing::info!("LLM server rejects the parameter temperature, so it is no longer sent");
            return true;
        }
        let Some(limit) = extras.limit.filter(|limit| refusal.contains(limit)) else { return false };
        let next = LIMITS.iter().position(|name| *name == limit).map_or(LIMITS.len(), |place| place + 1);
        self.limit.store(next, Ordering::Relaxed);
        tracing::info!(limit, "LLM server rejects this parameter for the token limit, so it is no longer sent");
        true
    }

    async fn ask_once(&self, posts: &[PromptPost<'_>], form: AnswerForm, extras: Extras) -> Result<Vec<u8>, Refusal> {
        let body: Value = prompt::request(&self.model, posts, form, extras);
        let mut request = self.client.post(self.url.clone()).json(&body);
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key.clone());
        }
        let failing = |reason: String| Refusal::from(ChatError::Failing { reason, wait: None });
        // The URL is removed from errors, because it may contain secrets.
        let mut answer = request.send().await.map_err(|e| failing(describe(&e.without_url())))?;
        let status = answer.status();
        if !status.is_success() {
            let error = refusal(status, answer.headers().get(RETRY_AFTER));
            let mut body = Vec::new();
            while let Ok(Some(chunk)) = answer.chunk().await
                && body.len() < MAX_REFUSAL_BYTES
            {
                body.extend_from_slice(&chunk);
            }
            return Err(Refusal { error, body: String::from_utf8_lossy(&body).into_owned() });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| failing(describe(&e.without_url())))? {
            if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(failing(format!("the response is longer than {MAX_ANSWER_BYTES} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// The error of a request, with the body of the server's error response.
struct Refusal {
    error: ChatError,
    body: String,
}

impl From<ChatError> for Refusal {
    fn from(error: ChatError) -> Self {
        Self { error, body: String::new() }
    }
}

fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        "no complete response within llm.timeout".to_owned()
    } else if error.is_connect() {
        "cannot connect".to_owned()
    } else {
        error.to_string()
    }
}

fn refusal(status: StatusCode, retry_after: Option<&HeaderValue>) -> ChatError {
    // The header may also be a date. Dates are rare, so they are ignored and the exponential backoff applies.
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
