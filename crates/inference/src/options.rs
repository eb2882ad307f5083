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
    /// The model that is embedded in the binary.
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
            "" => Err(OptionError("must be `builtin`, a folder, or hf:OWNER/NAME[@REVISION]".to_owned())),
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
    /// The fastest format that keeps the quality of `F32`. On a GPU: [`Self::F16`]. On a CPU: [`Self::Int8`] if kernels
    /// exist for this machine and for the shape of the model, otherwise [`Self::F32`]. If int8 changes the labels of
    /// too many sample texts of a model other than the builtin one, [`Self::Bf16`] or [`Self::F32`] is used instead.
    #[default]
    Auto,
    /// 32-bit floats.
    F32,
    /// 16-bit floats with the range of 32-bit floats.
    Bf16,
    /// 16-bit floats.
    F16,
    /// 8-bit integers, with a scale per output for weights and a scale per token for activations.
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
            .ok_or_else(|| OptionError("must be one of auto, f32, bf16, f16, int8".to_owned()))
    }
}

/// The device that a model runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU if there is one and this build supports it, otherwise the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU with this number.
    Cuda(usize),
}

/// The number format, device and instructions of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compute {
    /// The number format.
    pub precision: Precision,
    /// The device.
    pub device: DeviceChoice,
    /// The instruction set of the CPU; `None` for the fastest.
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
    /// The fastest instructions of this machine.
    #[default]
    #[strum(serialize = "auto")]
    Auto,
    /// Instructions that every machine has.
    #[strum(serialize = "portable")]
    Portable,
    /// AVX2, FMA and F16C.
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
    /// The instruction set; `None` for the fastest of this machine.
    ///
    /// # Errors
    /// When this machine does not have the instruction set.
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
    /// The number of computing threads; `None` for one thread per core.
    pub threads: Option<usize>,
    /// The cores that this engine shares with other engines; `None` if it never waits for a core.
    pub cores: Option<Arc<Cores>>,
    /// The number format.
    pub precision: Precision,
    /// The device.
    pub device: DeviceChoice,
    /// The instructions of the CPU.
    pub instructions: Instructions,
    /// Whether texts may stop at an early exit.
    pub exits: ExitPolicy,
    /// Thresholds of exits, by layer. They replace those of the model's config.
    pub exit_thresholds: BTreeMap<usize, f32>,
    /// The maximum memory of cached analyses, in bytes. 0 disables the cache.
    pub answer_cache_bytes: usize,
    /// The maximum number of tokens in a batch; on a GPU, at least 16,384. A text with more tokens forms its own batch.
    pub max_batch_tokens: usize,
    /// The maximum number of windows of a long text. The text after the last window is truncated.
    pub max_windows: usize,
    /// The maximum number of texts that are queued or computed, without those of interactive requests. If it is
    /// reached, callers wait.
    pub max_queued_texts: usize,
    /// The maximum time that a caller waits for space in the queue, and then for each next text to be computed.
    pub max_wait: Duration,
    /// The label of each class, by the name of the class, for names that are not recognised: `LABEL_0` → `negative`.
    pub labels: BTreeMap<String, String>,
    /// The label of each class of `emotion_model`, by the name of the class. It takes precedence over `labels`.
    pub emotion_labels: BTreeMap<String, String>,
    /// The margin of a model with two sentiment classes, 0 to 1. If the scores differ by less than this, the result is
    /// neutral.
    pub neutral_margin: f32,
    /// The threshold of an emotion model without a neutral class, 0 to 1. If no score reaches it, the result is
    /// neutral.
    pub emotion_threshold: f32,
    /// The calibration of the confidence.
    pub calibration: CalibrationSource,
    /// The options for access to the Hub.
    pub hub: HubOptions,
}

/// Which emotions texts get if the model classifies only sentiment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingEmotions {
    /// The emotions of the builtin model, which supports English.
    #[default]
    Builtin,
    /// The emotion of every text is neutral, and all scores are 0.
    Neutral,
}

/// Where the temperatures of the heads come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CalibrationSource {
    /// The file in the folder of the model, if it exists.
    #[default]
    Stored,
    /// No calibration.
    Off,
    /// The temperatures of both heads are in this file.
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

    /// The labels of classes for the model `source`. For the emotion model, `emotion_labels` takes precedence.
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
    fn printed_option_parses_to_the_same_option() {
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
