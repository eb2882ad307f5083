//! A large language model (LLM) with an OpenAI-compatible API as a [`Classifier`].
//!
//! A request contains several texts. Each result in the response is validated separately. Valid results are kept; all
//! other texts are requested again in smaller parts, down to a single text. If a response has no valid result, a probe
//! sentence is sent. If the probe fails too, the server is unavailable, and the texts are retried later
//! ([`InferenceError::Unavailable`]). If the probe succeeds, a text fails ([`InferenceError::Failed`]) when two
//! requests that contain only this text have no valid result. Valid results are cached for ten minutes, so that a
//! retried batch does not request them again.

mod answer;
mod breaker;
mod chat;
mod prompt;
mod waits;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use reqwest::Url;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use sentistream_core::clock::Clock;
use sentistream_core::domain::{Analysis, Scores};

use super::{Classifier, InferenceError, ModelInfo};

use breaker::Breaker;
pub use breaker::{Budget, LlmState};
use chat::{Chat, ChatError, Sent};
use prompt::{AnswerForm, PromptPost};
use waits::{LONGEST_WAIT, waits};

/// The architecture of a language model in [`ModelInfo`].
pub const ARCHITECTURE: &str = "llm";

/// The maximum length of a text in a request, in characters. Longer texts are truncated.
const MAX_TEXT_CHARS: usize = 2_000;
/// The maximum number of characters of all texts of a request.
const MAX_REQUEST_CHARS: usize = 12_000;
/// The maximum number of cached results.
const MAX_KEPT: u64 = 20_000;
/// The lifetime of a cached result.
const KEPT_FOR: Duration = Duration::from_secs(600);
/// A sentence that every working LLM can classify.
const PROBE: &str = "I love this, it is wonderful and makes me so happy!";

/// The server of an LLM, and the options of requests to it.
#[derive(Clone, Debug)]
pub struct LlmOptions {
    /// The name of the provider, such as `groq`, or the host of its API. It is the first part of the model's name in
    /// analyses.
    pub provider: String,
    /// The base URL of the API, without `/chat/completions`.
    pub base_url: Url,
    /// The model's name in the API.
    pub model: String,
    /// The key of the API, sent as a bearer token. `None`: requests carry no key.
    pub api_key: Option<SecretString>,
    /// The timeout of a request, including the body of the response.
    pub timeout: Duration,
    /// The maximum number of texts in a request.
    pub batch_size: usize,
    /// The maximum number of concurrent requests.
    pub max_in_flight: usize,
    /// The number of retries of a failed request. Five consecutive failures pause requests, so more than four retries
    /// have no effect.
    pub retries: usize,
    /// The wait before the first retry, with jitter. It doubles with each retry, up to five seconds.
    pub retry_wait: Duration,
    /// The maximum number of requests of this process.
    pub budget: Budget,
    /// The clock of the budget and of the circuit breaker.
    pub clock: Clock,
}

impl LlmOptions {
    /// The name that is stored with each analysis, such as `groq:llama-3.1-8b-instant`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.provider, self.model)
    }
}

/// An LLM. Clones share it.
#[derive(Clone)]
pub struct Llm(Arc<Inner>);

struct Inner {
    options: LlmOptions,
    chat: Chat,
    breaker: Breaker,
    in_flight: Semaphore,
    kept: moka::future::Cache<[u8; 32], Scores>,
    info: ModelInfo,
    name: Arc<str>,
}

/// A text to classify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The text.
    pub text: String,
    /// The target of the sentiment, as written in the text; `None` for the sentiment of the whole text.
    pub target: Option<String>,
}

/// A text in a request.
struct Asked {
    digest: [u8; 32],
    text: String,
    target: Option<String>,
}

impl Asked {
    fn new(text: &str, target: Option<String>) -> Self {
        let mut digest = Sha256::new_with_prefix(text);
        if let Some(target) = &target {
            digest.update([0]);
            digest.update(target);
        }
        Self { digest: digest.finalize().into(), text: text.to_owned(), target }
    }
}

/// The usable part of a response.
enum Use {
    /// All texts except these have valid results.
    AllBut(Vec<Asked>),
    /// No text has a valid result. The second value is the reason.
    None(Vec<Asked>, String),
}

impl Llm {
    /// Creates a client of the LLM. This sends no request.
    ///
    /// # Errors
    /// [`InferenceError::Load`] when the options are invalid.
    pub fn new(options: LlmOptions) -> Result<Self, InferenceError> {
        let chat = Chat::new(&options)?;
        let name = options.name();
        let info = ModelInfo {
            name: name.clone(),
            architecture: ARCHITECTURE.to_owned(),
            precision: "remote".to_owned(),
            max_tokens: 0,
            parameters: 0,
            layers: 0,
            exits: Vec::new(),
            int8_agreement: None,
            languages: Vec::new(),
            warnings: Vec::new(),
            load_ms: 0,
        };
        Ok(Self(Arc::new(Inner {
            breaker: Breaker::new(options.clock.clone(), options.budget),
            in_flight: Semaphore::new(options.max_in_flight.max(1)),
            kept: moka::future::Cache::builder().max_capacity(MAX_KEPT).time_to_live(KEPT_FOR).build(),
            name: name.into(),
            chat,
            info,
            options,
        })))
    }

    /// Classifies the sentiment of each text towards its target. The emotions are those of the whole texts.
    ///
    /// # Errors
    /// The errors of [`Classifier::classify`].
    pub async fn classify_targets(&self, questions: Vec<Question>) -> Result<Vec<Analysis>, InferenceError> {
        self.0.answer(questions).await
    }

    /// The current state of the LLM.
    pub fn state(&self) -> LlmState {
        self.0.breaker.state_now()
    }
}

impl Classifier for Llm {
    fn classify(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        self.0.answer(texts.into_iter().map(|text| Question { text, target: None }).collect()).boxed()
    }

    fn info(&self) -> &ModelInfo {
        &self.0.info
    }
}

impl Inner {
    async fn answer(&self, questions: Vec<Question>) -> Result<Vec<Analysis>, InferenceError> {
        let mut digests = Vec::with_capacity(questions.len());
        let mut missing: HashMap<[u8; 32], Asked> = HashMap::new();
        let mut found: HashMap<[u8; 32], Scores> = HashMap::new();
        for Question { text, target } in questions {
            let cut = text.char_indices().nth(MAX_TEXT_CHARS).map(|(end, _)| end);
            let asked = Asked::new(cut.map_or(text.as_str(), |end| &text[..end]), target);
            digests.push((asked.digest, cut.is_some()));
            match self.kept.get(&asked.digest).await {
                Some(scores) => _ = found.insert(asked.digest, scores),
                None => _ = missing.insert(asked.digest, asked),
            }
        }
        let asked: Vec<Asked> = missing.into_values().collect();
        let parts = self.parts(asked).into_iter().map(|part| self.classify_part(part));
        // All parts are awaited even if one fails, because the results of the others are cached for the next attempt.
        let classified: Vec<_> =
            stream::iter(parts).buffer_unordered(self.options.max_in_flight.max(1)).collect().await;
        for scores in classified {
            found.extend(scores?);
        }
        digests
            .into_iter()
            .map(|(digest, truncated)| {
                let scores = found.get(&digest).copied();
                let scores = scores
                    .ok_or_else(|| InferenceError::Unavailable("the response lacks the result of a text".to_owned()))?;
                Ok(Analysis::from_scores(Arc::clone(&self.name), scores, 0, truncated))
            })
            .collect()
    }

    /// Splits texts into parts, each of which fits into a request.
    fn parts(&self, asked: Vec<Asked>) -> Vec<Vec<Asked>> {
        let mut parts: Vec<Vec<Asked>> = Vec::new();
        let mut chars = 0;
        for text in asked {
            let length = text.text.chars().count();
            match parts.last_mut() {
                Some(part) if part.len() < self.options.batch_size && chars + length <= MAX_REQUEST_CHARS => {
                    chars += length;
                    part.push(text);
                }
                _ => {
                    chars = length;
                    parts.push(vec![text]);
                }
            }
        }
        parts
    }

    /// Classifies every text of a part. The number of requests is limited: texts without a valid result are requested
    /// again in two halves, and a single text is requested at most twice.
    async fn classify_part(&self, part: Vec<Asked>) -> Result<Vec<([u8; 32], Scores)>, InferenceError> {
        let _turn = self.in_flight.acquire().await.map_err(|e| InferenceError::Unavailable(e.to_string()))?;
        let mut found = Vec::with_capacity(part.len());
        let mut waiting = vec![part];
        let mut tried_alone = Vec::new();
        let mut proven = false;
        while let Some(part) = waiting.pop() {
            let alone = part.len() == 1;
            let (mut rest, reason) = match self.ask(part, &mut found).await? {
                Use::AllBut(rest) if rest.is_empty() => continue,
                Use::AllBut(rest) => (rest, String::new()),
                Use::None(rest, reason) => {
                    if !proven {
                        self.probe(&reason).await?;
                        proven = true;
                    }
                    (rest, reason)
                }
            };
            if !alone {
                let half = rest.split_off(rest.len() / 2);
                waiting.extend([half, rest].into_iter().filter(|part| !part.is_empty()));
            } else if tried_alone.contains(&rest[0].digest) {
                metrics::counter!("sentistream_llm_texts_failed_total").increment(1);
                return Err(InferenceError::Failed(format!(
                    "{} returns no valid result for this text: {reason}",
                    self.name
                )));
            } else {
                tried_alone.push(rest[0].digest);
                waiting.push(rest);
            }
        }
        Ok(found)
    }

    /// Sends the probe sentence. Returns an error if the response to it contains no valid result.
    async fn probe(&self, reason: &str) -> Result<(), InferenceError> {
        let probe = Asked { digest: [0; 32], text: PROBE.to_owned(), target: None };
        match self.ask(vec![probe], &mut Vec::new()).await? {
            Use::AllBut(rest) if rest.is_empty() => Ok(()),
            _ => {
                self.breaker.failed(reason, None);
                Err(InferenceError::Unavailable(format!("{}: {reason}", self.name)))
            }
        }
    }

    /// Requests the results of a part, and caches the valid results.
    async fn ask(&self, part: Vec<Asked>, found: &mut Vec<([u8; 32], Scores)>) -> Result<Use, InferenceError> {
        let posts: Vec<PromptPost<'_>> =
            part.iter().map(|asked| PromptPost { text: &asked.text, target: asked.target.as_deref() }).collect();
        let body = match self.send(&posts).await? {
            Sent::Body(body) => body,
            Sent::Rejected(reason) => return Ok(Use::None(part, reason)),
        };
        let scores = match answer::read(&body, part.len()) {
            Ok(scores) => scores,
            Err(reason) => {
                count("invalid");
                self.breaker.gave_up();
                return Ok(Use::None(part, reason.to_owned()));
            }
        };
        let before = found.len();
        let mut rest = Vec::new();
        for (asked, scores) in part.into_iter().zip(scores) {
            match scores {
                Some(scores) => {
                    self.kept.insert(asked.digest, scores).await;
                    found.push((asked.digest, scores));
                }
                None => rest.push(asked),
            }
        }
        if found.len() == before {
            count("invalid");
            self.breaker.gave_up();
            return Ok(Use::None(rest, "the response contains no valid result".to_owned()));
        }
        count(if rest.is_empty() { "good" } else { "partly_valid" });
        self.breaker.succeeded();
        Ok(Use::AllBut(rest))
    }

    /// Sends a request with retries. Returns the body of the response, or the reason why the server rejects this
    /// request.
    async fn send(&self, posts: &[PromptPost<'_>]) -> Result<Sent, InferenceError> {
        let mut waits = waits(self.options.retry_wait, self.options.retries);
        loop {
            let error = match self.send_in_either_form(posts).await? {
                Ok(body) => return Ok(Sent::Body(body)),
                Err(ChatError::Refused(reason)) => {
                    count("refused");
                    self.breaker.gave_up();
                    return Ok(Sent::Rejected(reason));
                }
                Err(error) => error,
            };
            let ChatError::Failing { reason, wait } = error else { continue };
            count("failed");
            self.breaker.failed(&reason, wait);
            let given_up = || InferenceError::Unavailable(format!("{}: {reason}", self.name));
            let pause = waits.next().ok_or_else(given_up)?.max(wait.unwrap_or_default());
            if pause > LONGEST_WAIT {
                return Err(given_up());
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Requests a response with a JSON schema, or a plain JSON object if the server rejects schemas.
    async fn send_in_either_form(
        &self,
        posts: &[PromptPost<'_>],
    ) -> Result<Result<Vec<u8>, ChatError>, InferenceError> {
        let form = self.chat.form();
        self.pass()?;
        let first = self.chat.ask(posts, form).await;
        if form == AnswerForm::Object || !matches!(first, Err(ChatError::Refused(_))) {
            return Ok(first);
        }
        self.breaker.gave_up();
        self.pass()?;
        let second = self.chat.ask(posts, AnswerForm::Object).await;
        if second.is_ok() {
            self.chat.use_objects();
        }
        Ok(second)
    }

    fn pass(&self) -> Result<(), InferenceError> {
        self.breaker.pass().map_err(|closed| {
            let reason = match closed {
                LlmState::Paused { until, reason } => {
                    format!("requests are paused until {until} after this failure: {reason}")
                }
                LlmState::Spent { until } => format!("the request budget is used up until {until}"),
                LlmState::Ready => "a trial request is in progress".to_owned(),
            };
            InferenceError::Unavailable(format!("{}: {reason}", self.name))
        })
    }
}

fn count(result: &'static str) {
    metrics::counter!("sentistream_llm_requests_total", "result" => result).increment(1);
}
