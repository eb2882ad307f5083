//! One loaded model: its tokenizer, its network and the meaning of its outputs.

use super::files::ModelFiles;
use super::labels::{HeadMap, HeadScores, Labelling};
use super::network::{Network, Scratch};
use super::spec::ModelSpec;
use super::tokens::{TextTokenizer, Tokens};
use super::weights::Weights;
use super::{InferenceError, ModelSource, Precision};

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
    pub fn load(source: &ModelSource, precision: Precision, labelling: Labelling<'_>) -> Result<Self, InferenceError> {
        Self::read(source, precision, labelling)
            .map_err(|reason| InferenceError::Load { model: source.to_string(), reason })
    }

    fn read(source: &ModelSource, precision: Precision, labelling: Labelling<'_>) -> Result<Self, String> {
        let files = ModelFiles::new(source);
        let spec = ModelSpec::parse(&files.read("config.json")?)?;
        let heads = spec.heads.iter().map(|head| HeadMap::new(head, labelling)).collect::<Result<Vec<_>, String>>()?;
        let limit = spec.shape.max_position_embeddings;
        let tokenizer = TextTokenizer::parse(&files.read("tokenizer.json")?, limit, spec.shape.vocab_size)?;
        let weights = Weights::open(files.read("model.safetensors")?)?;
        let network = Network::load(&spec, &weights, precision)?;
        Ok(Self { name: files.name(), parameters: weights.count(), spec, tokenizer, network, heads })
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
