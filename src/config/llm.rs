//! `[llm]`: the language model, by the name of its provider or the URL of its API.

use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::values::*;

/// An `http://` or `https://` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl(pub Url);

impl FromStr for HttpUrl {
    type Err = InvalidSetting;

    fn from_str(text: &str) -> Result<Self, InvalidSetting> {
        let url = Url::parse(text.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let expected = "a URL such as \"https://api.example.org/v1\"";
        url.map(Self).ok_or_else(|| InvalidSetting::Form { expected, found: text.to_owned() })
    }
}

/// The provider of a language model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LlmProvider {
    /// OpenAI, at its public API.
    OpenAi,
    /// Groq, at its public API.
    Groq,
    /// An Ollama server on this machine, at its default port.
    Ollama,
    /// A vLLM server on this machine, at its default port.
    Vllm,
    /// An API at this URL.
    Custom(HttpUrl),
}

impl FromStr for LlmProvider {
    type Err = InvalidSetting;

    fn from_str(text: &str) -> Result<Self, InvalidSetting> {
        match text.trim().to_lowercase().as_str() {
            "openai" => Ok(Self::OpenAi),
            "groq" => Ok(Self::Groq),
            "ollama" => Ok(Self::Ollama),
            "vllm" => Ok(Self::Vllm),
            url if url.contains("://") => text.parse().map(Self::Custom),
            _ => Err(InvalidSetting::Value {
                allowed: "openai, groq, ollama, vllm or the base URL of an API",
                found: text.to_owned(),
            }),
        }
    }
}

impl LlmProvider {
    /// The name of the provider in the model names of analyses: the provider's own name, or the host of its API.
    pub fn name(&self) -> String {
        match self {
            Self::OpenAi => "openai".to_owned(),
            Self::Groq => "groq".to_owned(),
            Self::Ollama => "ollama".to_owned(),
            Self::Vllm => "vllm".to_owned(),
            Self::Custom(url) => url.0.host_str().unwrap_or("llm").to_owned(),
        }
    }

    /// The default URL of the provider's API.
    pub fn base_url(&self) -> Option<Url> {
        let url = match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Groq => "https://api.groq.com/openai/v1",
            Self::Ollama => "http://127.0.0.1:11434/v1",
            Self::Vllm => "http://127.0.0.1:8000/v1",
            Self::Custom(url) => return Some(url.0.clone()),
        };
        Url::parse(url).ok()
    }

    /// The model to use when none is configured.
    pub fn default_model(&self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("gpt-4o-mini"),
            Self::Groq => Some("llama-3.1-8b-instant"),
            Self::Ollama | Self::Vllm | Self::Custom(_) => None,
        }
    }
}

/// `[llm]`: the language model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LlmConfig {
    /// The name or URL of the provider; `None`: no language model is used.
    #[serde(deserialize_with = "optional")]
    pub provider: Option<LlmProvider>,
    /// The base URL of the API. `None`: the default URL of the provider.
    #[serde(deserialize_with = "optional")]
    pub base_url: Option<HttpUrl>,
    /// The provider's name of the model. `None`: the default model of the provider, which only some providers have.
    #[serde(deserialize_with = "optional_text")]
    pub model: Option<String>,
    /// The key of the API. `None`: requests carry no key.
    #[serde(deserialize_with = "optional_secret")]
    pub api_key: Option<SecretString>,
    /// The longest time of a request, including the whole answer.
    #[serde(deserialize_with = "positive_duration")]
    pub timeout: Duration,
    /// The largest number of posts in a request, 1 to 100.
    #[serde(deserialize_with = "count::<_, _, 1, 100>")]
    pub posts_per_request: usize,
    /// The largest number of concurrent requests, 1 to 64.
    #[serde(deserialize_with = "count::<_, _, 1, 64>")]
    pub max_in_flight: usize,
    /// The number of retries of a failed request, 0 to 10.
    #[serde(deserialize_with = "count::<_, _, 0, 10>")]
    pub retries: usize,
    /// The largest number of requests of this process per minute. `None`: no limit.
    #[serde(deserialize_with = "optional_count")]
    pub requests_per_minute: Option<u64>,
    /// The largest number of requests of this process per UTC day. `None`: no limit.
    #[serde(deserialize_with = "optional_count")]
    pub requests_per_day: Option<u64>,
    /// A post gets a second opinion of the language model if its confidence is below this; 0 (never) to 1.
    #[serde(deserialize_with = "share")]
    pub min_confidence: f64,
    /// A post's sentiment towards a topic gets a second opinion if its confidence is below this; 0 (never) to 1.
    #[serde(deserialize_with = "share")]
    pub min_topic_confidence: f64,
    /// The largest number of posts that wait for a second opinion, 1 to 100000; the same limit applies to topics. Posts
    /// and topics above the limit keep their first result.
    #[serde(deserialize_with = "count::<_, _, 1, 100_000>")]
    pub max_doubts: usize,
}
