//! `[inference]`: the model, its device and its limits.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::values::*;
use crate::domain::language::is_assigned;
use crate::domain::{Emotion, Sentiment};
use crate::inference::{ExitPolicy, Instructions, Precision};
use crate::language::OtherLanguages;

/// A reference to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelRef {
    /// The model that is compiled into the binary.
    Builtin,
    /// A folder.
    Folder(PathBuf),
    /// A repository of the Hugging Face Hub.
    Hub {
        /// The name of the repository, as `owner/name`.
        repository: String,
        /// A branch, tag or commit. `None`: the branch `main`.
        revision: Option<String>,
    },
}

impl FromStr for ModelRef {
    type Err = InvalidSetting;

    fn from_str(text: &str) -> Result<Self, InvalidSetting> {
        let Some(place) = text.strip_prefix("hf:") else {
            return match text {
                "builtin" => Ok(Self::Builtin),
                "" => Err(InvalidSetting::Empty { allowed: "\"builtin\", a folder, or hf:OWNER/NAME[@REVISION]" }),
                folder => Ok(Self::Folder(folder.into())),
            };
        };
        let (repository, revision) = match place.split_once('@') {
            Some((repository, revision)) => (repository, Some(revision.to_owned())),
            None => (place, None),
        };
        // Old repositories of the Hub have a name without an owner.
        let parts: Vec<_> = repository.split('/').collect();
        let is_name = |part: &&str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        let is_revision = |revision: &str| revision.split('/').all(|part| is_name(&part));
        if parts.len() > 2 || !parts.iter().all(is_name) || !revision.as_deref().is_none_or(is_revision) {
            return Err(InvalidSetting::Form { expected: "hf:OWNER/NAME[@REVISION]", found: text.to_owned() });
        }
        Ok(Self::Hub { repository: repository.to_owned(), revision })
    }
}

/// The device that a model runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceRef {
    /// The first supported graphics card, or the CPU if there is none.
    Auto,
    /// The CPU.
    Cpu,
    /// A graphics card, by its number.
    Cuda(usize),
}

impl FromStr for DeviceRef {
    type Err = InvalidSetting;

    fn from_str(text: &str) -> Result<Self, InvalidSetting> {
        match (text, text.strip_prefix("cuda:").map(str::parse)) {
            ("auto", _) => Ok(Self::Auto),
            ("cpu", _) => Ok(Self::Cpu),
            (_, Some(Ok(number))) => Ok(Self::Cuda(number)),
            _ => Err(InvalidSetting::Value { allowed: "\"auto\", \"cpu\" or \"cuda:N\"", found: text.to_owned() }),
        }
    }
}

/// `[inference]`: the model, its device and its limits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InferenceConfig {
    /// The model that classifies posts.
    #[serde(deserialize_with = "parsed")]
    pub model: ModelRef,
    /// A second model for emotions. `None`: `model` also returns the emotions; if it classifies only sentiment, the
    /// builtin model returns them.
    #[serde(deserialize_with = "optional")]
    pub emotion_model: Option<ModelRef>,
    /// The number of compute threads, 1 to 256. `None`: one per core.
    #[serde(deserialize_with = "optional_threads")]
    pub threads: Option<usize>,
    /// The number format of the computation.
    #[serde(deserialize_with = "word")]
    pub precision: Precision,
    /// The device that computes the model.
    #[serde(deserialize_with = "parsed")]
    pub device: DeviceRef,
    /// The CPU instructions that the kernels may use.
    #[serde(deserialize_with = "word")]
    pub instructions: Instructions,
    /// Whether the computation of a post may stop before the last layer, at an early exit of the model.
    #[serde(deserialize_with = "word")]
    pub exits: ExitPolicy,
    /// The thresholds of early exits, 0 to 1, by layer. They replace the thresholds that the model defines.
    #[serde(deserialize_with = "thresholds")]
    pub exit_thresholds: BTreeMap<usize, f32>,
    /// The size of the cache of analyses in bytes, per model of a process; 0: no cache.
    #[serde(deserialize_with = "count::<_, _, 0, 1_099_511_627_776>")]
    pub answer_cache_bytes: usize,
    /// The largest number of tokens in the batch of one thread, 16 to 1048576.
    #[serde(deserialize_with = "count::<_, _, 16, 1_048_576>")]
    pub max_batch_tokens: usize,
    /// The largest number of windows that a long text is split into, 1 to 256. Windows are overlapping parts that fit
    /// the input of the model. A longer text is truncated.
    #[serde(deserialize_with = "count::<_, _, 1, 256>")]
    pub max_windows: usize,
    /// The largest number of texts that wait or are being classified, 1 to 1000000. Further callers wait.
    #[serde(deserialize_with = "count::<_, _, 1, 1_000_000>")]
    pub max_queued_texts: usize,
    /// The longest time that a caller waits until its texts are accepted, and again until they are classified.
    #[serde(deserialize_with = "positive_duration")]
    pub max_wait: Duration,
    /// The sentiment or emotion label of each class of the model, by class name.
    #[serde(deserialize_with = "labels")]
    pub labels: BTreeMap<String, String>,
    /// Labels of the classes of the emotion model, by class name. They take precedence over `labels`.
    #[serde(deserialize_with = "labels")]
    pub emotion_labels: BTreeMap<String, String>,
    /// A model of two sentiments returns neutral when their scores differ by less than this; 0 to 1.
    #[serde(deserialize_with = "share")]
    pub neutral_margin: f64,
    /// An emotion model without a neutral class returns neutral if no score reaches this; 0 to 1.
    #[serde(deserialize_with = "share")]
    pub emotion_threshold: f64,
    /// The codes of the languages that the model supports, in lower case, without regions. Empty: the languages that
    /// the model declares.
    #[serde(deserialize_with = "languages")]
    pub languages: Vec<String>,
    /// How to handle a post in a language that the model does not support.
    #[serde(deserialize_with = "word")]
    pub other_languages: OtherLanguages,
    /// Models for some languages. Posts in other languages go to `model`.
    pub routes: Vec<RouteConfig>,
    /// The longest time that posts wait for the model of a route; at most one hour. Then they are stored without a
    /// sentiment and classified later.
    #[serde(deserialize_with = "up_to_an_hour")]
    pub route_wait: Duration,
    /// A model of a route that no post has needed for this long, at least one second, is removed from memory. `None`:
    /// it stays in memory.
    #[serde(deserialize_with = "optional_duration::<_, 1_000>")]
    pub unload_after: Option<Duration>,
    /// Whether to detect the language of posts whose source does not state it.
    pub detect_language: bool,
    /// The calibration of the confidence. A file applies to `model` only; models of routes then use the file beside
    /// them.
    #[serde(deserialize_with = "parsed")]
    pub calibration: CalibrationRef,
    /// The Hugging Face Hub, from which models are downloaded.
    pub hub: HubConfig,
}

/// `[[inference.routes]]`: the model for some languages.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// The language codes, such as `de`: at least one, in lower case, without regions.
    #[serde(deserialize_with = "route_languages")]
    pub languages: Vec<String>,
    /// The model that classifies posts in these languages.
    #[serde(deserialize_with = "parsed")]
    pub model: ModelRef,
    /// A second model for emotions. `None`: `model` also returns the emotions; if it classifies only sentiment, the
    /// emotion of each post is neutral.
    #[serde(default, deserialize_with = "optional")]
    pub emotion_model: Option<ModelRef>,
    /// The sentiment or emotion label of each class of both models, by class name.
    #[serde(default, deserialize_with = "labels")]
    pub labels: BTreeMap<String, String>,
}

fn route_languages<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<String>, D::Error> {
    let codes = Vec::<String>::deserialize(de)?;
    if codes.is_empty() {
        return Err(D::Error::custom("must name at least one language code such as \"de\""));
    }
    for code in &codes {
        if !is_assigned(code) {
            return Err(D::Error::custom(format!(
                "must be language codes of ISO 639 such as \"de\" or \"fr\", found {code:?}"
            )));
        }
    }
    Ok(codes)
}

fn languages<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<String>, D::Error> {
    let tags = Vec::<String>::deserialize(de)?;
    for tag in &tags {
        if !(2..=3).contains(&tag.len()) || !tag.chars().all(|c| c.is_ascii_lowercase()) {
            return Err(D::Error::custom(format!("must be language codes such as \"en\", found {tag:?}")));
        }
    }
    Ok(tags)
}

/// The calibration of the model's scores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CalibrationRef {
    /// The file `calibration.json` beside the model, if it exists.
    Auto,
    /// No calibration.
    Off,
    /// The calibration in this file.
    File(PathBuf),
}

impl FromStr for CalibrationRef {
    type Err = InvalidSetting;

    fn from_str(text: &str) -> Result<Self, InvalidSetting> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            "" => Err(InvalidSetting::Empty { allowed: "\"auto\", \"off\" or a file" }),
            file => Ok(Self::File(file.into())),
        }
    }
}

/// `[inference.hub]`: downloads from the Hugging Face Hub.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubConfig {
    /// The folder of the Hugging Face tools, which store models in its subfolder `hub`. `None`: `~/.cache/huggingface`.
    #[serde(deserialize_with = "optional")]
    pub home: Option<PathBuf>,
    /// The base URL of the Hub or of a mirror, without a slash at its end. Downloads refuse `http`, except on loopback.
    #[serde(deserialize_with = "web_address")]
    pub endpoint: String,
    /// The token for private and gated models. `None`: the token that `hf auth login` stored, see [`Self::token`].
    #[serde(deserialize_with = "optional_secret")]
    pub token: Option<SecretString>,
    /// Whether to use only models that are already downloaded.
    pub offline: bool,
    /// A download fails when the Hub sends nothing for this long; at least one second.
    #[serde(deserialize_with = "seconds")]
    pub timeout: Duration,
}

impl HubConfig {
    /// The folder in which the Hugging Face tools store models.
    pub fn cache(&self) -> PathBuf {
        self.folder().join("hub")
    }

    /// The configured token, or else the token that `hf auth login` stored in the file `token` of the Hub's folder.
    pub fn token(&self) -> Option<SecretString> {
        let stored = || {
            let text = std::fs::read_to_string(self.folder().join("token")).ok()?;
            Some(text.trim()).filter(|text| !text.is_empty()).map(SecretString::from)
        };
        self.token.clone().or_else(stored)
    }

    fn folder(&self) -> PathBuf {
        self.home.clone().unwrap_or_else(|| std::env::home_dir().unwrap_or_default().join(".cache/huggingface"))
    }
}

/// Reads an http(s) URL, and removes a slash at its end.
fn web_address<'de, D: Deserializer<'de>>(de: D) -> Result<String, D::Error> {
    let text = String::deserialize(de)?;
    match url::Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(D::Error::custom(format!("must be an http(s) URL, is {text:?}"))),
    }
}

fn thresholds<'de, D: Deserializer<'de>>(de: D) -> Result<BTreeMap<usize, f32>, D::Error> {
    let given = BTreeMap::<String, f64>::deserialize(de)?;
    let parse = |(layer, threshold): (String, f64)| match layer.parse() {
        Ok(layer) if (0.0..=1.0).contains(&threshold) => Ok((layer, threshold as f32)),
        Ok(_) => Err(D::Error::custom(format!("the threshold of layer {layer} must be in [0, 1], is {threshold}"))),
        Err(_) => Err(D::Error::custom(format!("must name layers by number, found {layer:?}"))),
    };
    given.into_iter().map(parse).collect()
}

fn labels<'de, D: Deserializer<'de>>(de: D) -> Result<BTreeMap<String, String>, D::Error> {
    let labels = BTreeMap::<String, String>::deserialize(de)?;
    for (name, label) in &labels {
        if label.parse::<Sentiment>().is_err() && label.parse::<Emotion>().is_err() {
            return Err(D::Error::custom(format!(
                "{name} must be a sentiment (positive, neutral, negative) or an emotion \
                 (anger, disgust, fear, joy, neutral, sadness, surprise), is {label:?}"
            )));
        }
    }
    Ok(labels)
}
