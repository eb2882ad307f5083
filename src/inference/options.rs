//! The options of an engine, in types that the configuration can parse from text.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sentistream_kernels::Isa;

use super::cores::Cores;
use super::error::LoadError;
use super::hub::{HubModel, HubOptions};

/// The error for an invalid option. The message says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OptionError(String);

/// The origin of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ModelSource {
    /// The model inside the binary.
    #[default]
    Builtin,
    /// A folder with `config.json`, a tokenizer and weights.
    Directory(PathBuf),
    /// A repository of the Hugging Face Hub.
    Hub(HubModel),
}

impl FromStr for ModelSource {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        match text.trim() {
            "" => Err(OptionError("a model is `builtin`, a folder, or hf:OWNER/NAME[@REVISION]".to_owned())),
            "builtin" => Ok(Self::Builtin),
            name => Ok(match name.strip_prefix("hf:") {
                None => Self::Directory(PathBuf::from(name)),
                Some(hub) => {
                    let (repository, revision) =
                        hub.split_once('@').map_or((hub, None), |(name, rev)| (name, Some(rev)));
                    Self::Hub(HubModel { repository: repository.to_owned(), revision: revision.map(str::to_owned) })
                }
            }),
        }
    }
}

impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin => f.write_str("builtin"),
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Hub(model) => model.fmt(f),
        }
    }
}

/// The number format in which a model computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum Precision {
    /// The fastest format with the quality of `F32`: [`Self::Int8`] if there are kernels for this machine
    /// and the model's shape, otherwise [`Self::F32`].
    #[default]
    Auto,
    /// 32-bit floats.
    F32,
    /// 16-bit floats with the range of 32-bit ones.
    Bf16,
    /// 16-bit floats.
    F16,
    /// 8-bit integers: weights scaled per output, activations per token.
    Int8,
}

impl Precision {
    /// The name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
            Self::Int8 => "int8",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Precision {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        [Self::Auto, Self::F32, Self::Bf16, Self::F16, Self::Int8]
            .into_iter()
            .find(|precision| precision.as_str() == text)
            .ok_or_else(|| OptionError("a precision is one of auto, f32, bf16, f16, int8".to_owned()))
    }
}

/// The device that a model runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first graphics card if there is one and this build supports it, otherwise the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A graphics card, by its number.
    Cuda(usize),
}

/// The number format, device and instructions of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compute {
    /// The number format.
    pub precision: Precision,
    /// The processor.
    pub device: DeviceChoice,
    /// The instructions of the CPU; `None`: the fastest.
    pub isa: Option<Isa>,
}

impl From<Precision> for Compute {
    fn from(precision: Precision) -> Self {
        Self { precision, device: DeviceChoice::Cpu, isa: None }
    }
}

/// The CPU instructions that a model uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantNames)]
pub enum Instructions {
    /// The fastest of this machine.
    #[default]
    #[strum(serialize = "auto")]
    Auto,
    /// Instructions that every machine has.
    #[strum(serialize = "portable")]
    Portable,
    /// AVX2 and FMA.
    #[strum(serialize = "avx2")]
    Avx2,
    /// AVX2 with AVX-VNNI.
    #[strum(serialize = "avx-vnni")]
    AvxVnni,
    /// AVX-512 with VNNI.
    #[strum(serialize = "avx512")]
    Avx512,
    /// AVX-512 with VNNI and BF16.
    #[strum(serialize = "avx512-bf16")]
    Avx512Bf16,
}

impl Instructions {
    /// The instruction set; `None` for the fastest.
    ///
    /// # Errors
    /// When this machine does not have it.
    fn isa(self) -> Result<Option<Isa>, LoadError> {
        if self == Self::Auto {
            return Ok(None);
        }
        let name: &str = self.into();
        let missing = || LoadError::Setting(format!("inference.instructions: this machine has no {name}; set auto"));
        Isa::named(name).ok_or_else(missing).map(Some)
    }
}

/// Whether texts may stop at an early exit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum ExitPolicy {
    /// Use the exits of the model, with their thresholds.
    #[default]
    Auto,
    /// Compute all layers.
    Off,
}

/// The options of an engine.
#[derive(Clone, Debug)]
pub struct InferenceOptions {
    /// The model for sentiment, and for emotion if it has an emotion head.
    pub model: ModelSource,
    /// The model for emotion. `None`: `model`, or the builtin model if `model` has no emotion head.
    pub emotion_model: Option<ModelSource>,
    /// The emotions of a model without an emotion head, if `emotion_model` is not set.
    pub missing_emotions: MissingEmotions,
    /// The number of computing threads; `None`: one per core.
    pub threads: Option<usize>,
    /// The cores that this engine shares with others; `None`: it does not wait for them.
    pub cores: Option<Arc<Cores>>,
    /// The number format.
    pub precision: Precision,
    /// The processor.
    pub device: DeviceChoice,
    /// The instructions of the CPU.
    pub instructions: Instructions,
    /// Whether texts may stop at an early exit.
    pub exits: ExitPolicy,
    /// Thresholds of exits that replace those of the model's config, by layer.
    pub exit_thresholds: BTreeMap<usize, f32>,
    /// The maximum memory of cached analyses, in bytes; 0: no cache.
    pub answer_cache_bytes: usize,
    /// The maximum number of tokens in a batch. A single longer text forms its own batch.
    pub max_batch_tokens: usize,
    /// The maximum number of windows of a long text. The text after the last window is truncated.
    pub max_windows: usize,
    /// The maximum number of texts in the queue and in computation. Further callers wait.
    pub max_queued_texts: usize,
    /// The maximum time that a caller waits for space in the queue, and then for a text to be computed.
    pub max_wait: Duration,
    /// The label of classes by their name, for names without a meaning: `LABEL_0` → `negative`.
    pub labels: BTreeMap<String, String>,
    /// The same for `emotion_model`. It takes precedence over `labels`.
    pub emotion_labels: BTreeMap<String, String>,
    /// A model with two sentiment classes returns neutral if their scores differ by less than this (0 to 1).
    pub neutral_margin: f32,
    /// An emotion model without a neutral class returns neutral if no score reaches this (0 to 1).
    pub emotion_threshold: f32,
    /// The calibration of the confidence.
    pub calibration: CalibrationSource,
    /// Access to the Hub.
    pub hub: HubOptions,
}

/// The emotions of a model that classifies only sentiment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingEmotions {
    /// Those of the builtin model, which supports English.
    #[default]
    Builtin,
    /// None: every text is neutral, and the scores are 0.
    Neutral,
}

/// The origin of the temperatures of the heads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CalibrationSource {
    /// The file in the folder of the model, if it exists.
    #[default]
    Stored,
    /// No calibration.
    Off,
    /// One file for both heads.
    File(PathBuf),
}

impl InferenceOptions {
    /// The number format, device and instructions of the models.
    ///
    /// # Errors
    /// When this machine lacks the instructions.
    pub(super) fn compute(&self) -> Result<Compute, LoadError> {
        Ok(Compute { precision: self.precision, device: self.device, isa: self.instructions.isa()? })
    }

    /// The overrides of classes for `source`. For the emotion model, its own overrides take precedence.
    pub(super) fn labels_of(&self, source: &ModelSource) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        if self.emotion_model.as_ref() == Some(source) && self.model != *source {
            labels.extend(self.emotion_labels.clone());
        }
        labels
    }
}

impl Default for InferenceOptions {
    fn default() -> Self {
        Self {
            model: ModelSource::Builtin,
            emotion_model: None,
            missing_emotions: MissingEmotions::Builtin,
            threads: None,
            cores: None,
            precision: Precision::Auto,
            device: DeviceChoice::Auto,
            instructions: Instructions::Auto,
            exits: ExitPolicy::Auto,
            exit_thresholds: BTreeMap::new(),
            answer_cache_bytes: 8 << 20,
            max_batch_tokens: 512,
            max_windows: 8,
            max_queued_texts: 4_096,
            max_wait: Duration::from_secs(60),
            labels: BTreeMap::new(),
            emotion_labels: BTreeMap::new(),
            neutral_margin: 0.3,
            emotion_threshold: 0.5,
            calibration: CalibrationSource::Stored,
            hub: HubOptions::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_parse_from_their_display() {
        for precision in [Precision::Auto, Precision::F32, Precision::Bf16, Precision::F16, Precision::Int8] {
            assert_eq!(precision.to_string().parse(), Ok(precision));
        }
        for source in ["builtin", "models/mine", "hf:owner/name", "hf:owner/name@v1.2"] {
            assert_eq!(source.parse::<ModelSource>().unwrap().to_string(), source);
        }
        let error = "int4".parse::<Precision>().unwrap_err().to_string();
        assert!(error.contains("auto, f32, bf16, f16, int8"), "{error}");
    }
}
