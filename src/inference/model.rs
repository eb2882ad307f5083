//! One loaded model: its tokenizer, its network and the meaning of its outputs.

use super::calibration::Calibration;
use super::files::ModelFiles;
use super::labels::{HeadMap, HeadScores, Labelling};
use super::network::{Network, Scratch};
use super::spec::ModelSpec;
use super::tokens::{TextTokenizer, Tokens};
use super::vocabulary;
use super::weights::Weights;
use super::{InferenceError, InferenceOptions, ModelSource, Precision};

/// A loaded model.
pub struct Model {
    /// The name stored with each analysis.
    pub name: String,
    /// What its config says.
    pub spec: ModelSpec,
    /// Trained weights.
    pub parameters: u64,
    tokenizer: TextTokenizer,
    network: Network,
    heads: Vec<HeadMap>,
}

/// Why a model is not loaded, before it is said which.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Another setting is needed.
    #[error("{0}")]
    Setting(String),
    /// Something else is wrong.
    #[error("{0}")]
    Other(String),
}

impl From<String> for LoadError {
    fn from(reason: String) -> Self {
        Self::Other(reason)
    }
}

impl LoadError {
    /// The error that is shown.
    pub fn of_model(self, model: &ModelSource) -> InferenceError {
        let model = model.to_string();
        match self {
            Self::Setting(reason) => InferenceError::Setting { model, reason },
            Self::Other(reason) => InferenceError::Load { model, reason },
        }
    }
}

/// What a model says of one text; a head it does not have says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Verdict {
    pub sentiment: Option<[f32; 3]>,
    pub emotion: Option<[f32; 7]>,
}

impl Model {
    /// Reads a model's files and makes it ready.
    ///
    /// # Errors
    /// [`InferenceError::Load`] with the reason.
    pub fn load(source: &ModelSource, options: &InferenceOptions) -> Result<Self, InferenceError> {
        Self::read(source, options).map_err(|e| e.of_model(source))
    }

    fn read(source: &ModelSource, options: &InferenceOptions) -> Result<Self, LoadError> {
        let files = ModelFiles::find(source, &options.hub)?;
        let config = files.read("config.json").map_err(LoadError::Setting)?;
        let spec = ModelSpec::parse(&config).map_err(LoadError::Setting)?;
        let labels = options.labels_of(source);
        let labelling = Labelling { labels: &labels, neutral_margin: options.neutral_margin };
        let heads = spec.heads.iter().map(|head| HeadMap::new(head, labelling)).collect::<Result<Vec<_>, String>>();
        let calibration = Calibration::of(&files, &options.calibration)?;
        let heads = heads.map_err(LoadError::Setting)?.into_iter().map(|head| head.calibrated(&calibration)).collect();
        let json = vocabulary::tokenizer(&files, spec.family)?;
        let tokenizer = TextTokenizer::parse(&json, spec.max_tokens(), spec.shape.vocab_size)?;
        let weights = Weights::read(&files)?;
        let network = Network::load(&spec, &weights, options.compute())?;
        Ok(Self { name: files.name().to_owned(), parameters: weights.count(), spec, tokenizer, network, heads })
    }

    /// Whether it judges sentiment, and whether emotion.
    pub fn judges(&self) -> (bool, bool) {
        let emotion = self.heads.iter().any(HeadMap::is_emotion);
        (self.heads.iter().any(|head| !head.is_emotion()), emotion)
    }

    /// The number format in use.
    pub fn precision(&self) -> Precision {
        self.network.precision()
    }

    /// Whether it computes on a graphics card.
    pub fn on_graphics_card(&self) -> bool {
        self.network.on_graphics_card()
    }

    /// The tokens of a text, in at most `max_windows` windows.
    ///
    /// # Errors
    /// When the tokenizer cannot read it.
    pub fn encode(&self, text: &str, max_windows: usize) -> Result<Tokens, String> {
        self.tokenizer.encode(text, max_windows)
    }

    /// One verdict per text, in order.
    ///
    /// # Errors
    /// When the network fails or yields values that are not finite.
    pub fn judge(&self, texts: &[&[u32]], scratch: &mut Scratch) -> Result<Vec<Verdict>, String> {
        let logits = self.network.logits(texts, scratch)?;
        let outputs = self.spec.outputs();
        if logits.len() != texts.len() * outputs || logits.iter().any(|logit| !logit.is_finite()) {
            return Err("the model's outputs are not finite".to_owned());
        }
        Ok(logits.chunks_exact(outputs).map(|logits| self.verdict(logits)).collect())
    }

    fn verdict(&self, logits: &[f32]) -> Verdict {
        let mut verdict = Verdict::default();
        let mut rest = logits;
        for (head, spec) in self.heads.iter().zip(&self.spec.heads) {
            let (own, others) = rest.split_at(spec.classes.len());
            rest = others;
            match head.scores(own) {
                HeadScores::Sentiment(scores) => verdict.sentiment = Some(scores),
                HeadScores::Emotion(scores) => verdict.emotion = Some(scores),
            }
        }
        verdict
    }
}
